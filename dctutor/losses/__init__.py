"""The losses of the survey's section 3: pure functions of tensors, computed in float32.

`nonclustering` holds those that know nothing of clusters (3.1), `clustering` those that do (3.2), and
`generative` those of the networks that make new samples (2.4 and 2.5).
"""

from dctutor.losses.clustering import assignment_hardening, student_t, target_distribution
from dctutor.losses.generative import bernoulli_nll, discriminator_loss, gaussian_kl, gaussian_nll, generator_loss
from dctutor.losses.nonclustering import reconstruction

__all__ = [
    "assignment_hardening",
    "bernoulli_nll",
    "discriminator_loss",
    "gaussian_kl",
    "gaussian_nll",
    "generator_loss",
    "reconstruction",
    "student_t",
    "target_distribution",
]
