"""The losses of the survey's section 3: pure functions of tensors, computed in float32.

`nonclustering` holds those that know nothing of clusters (3.1), `clustering` those that do (3.2).
"""

from dctutor.losses.clustering import assignment_hardening, student_t, target_distribution
from dctutor.losses.nonclustering import reconstruction

__all__ = ["assignment_hardening", "reconstruction", "student_t", "target_distribution"]
