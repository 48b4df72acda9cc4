"""The losses of the survey's section 3: pure functions of tensors, computed in float32.

Losses that know nothing of clusters (3.1): `nonclustering`, `weighted` for features with weights, and `generative` for
networks that draw new samples (2.4, 2.5). Losses that do (3.2): `clustering`, `balance`, `fuzzy`, `sparsity`,
`classification`, `agglomerative`, `information` for entropies, `margin`, `self_expression` for subspaces, `mixture` for
a Gaussian mixture as a network, and `mixture_prior` for one as the prior of codes. `self_paced` says which samples
count yet, `pairwise` which pairs; `contrastive` is for Boltzmann machines.
"""

from dctutor.losses.agglomerative import cluster_affinity, merging, triplet
from dctutor.losses.balance import balanced_assignments, balanced_target
from dctutor.losses.classification import cluster_classification
from dctutor.losses.clustering import assignment_hardening, boosted_target, k_means, student_t, target_distribution
from dctutor.losses.contrastive import contrastive_divergence
from dctutor.losses.fuzzy import fuzzy_k_means, fuzzy_memberships
from dctutor.losses.generative import (
    bernoulli_nll,
    discriminator_loss,
    free_bits,
    gaussian_divergences,
    gaussian_kl,
    gaussian_nll,
    generator_loss,
)
from dctutor.losses.information import (
    conditional_entropy,
    information_bound,
    marginal_divergence,
    marginal_entropy,
    mutual_information,
)
from dctutor.losses.margin import margin
from dctutor.losses.mixture import (
    centroid_correlation,
    clustering_module,
    dirichlet_prior,
    gini_impurity,
    orthonormality,
)
from dctutor.losses.mixture_prior import expected_mixture_nll, mixture_kl
from dctutor.losses.nonclustering import (
    layerwise_reconstruction,
    locality_preserving,
    reconstruction,
    self_augmentation,
)
from dctutor.losses.pairwise import pairwise, select_pairs
from dctutor.losses.self_expression import coefficient_norm, self_expression, subspace_memberships
from dctutor.losses.self_paced import self_paced_weights
from dctutor.losses.sparsity import group_sparsity
from dctutor.losses.weighted import feature_weights, weighted_reconstruction

__all__ = [
    "assignment_hardening",
    "balanced_assignments",
    "balanced_target",
    "bernoulli_nll",
    "boosted_target",
    "centroid_correlation",
    "cluster_affinity",
    "cluster_classification",
    "clustering_module",
    "coefficient_norm",
    "conditional_entropy",
    "contrastive_divergence",
    "dirichlet_prior",
    "discriminator_loss",
    "expected_mixture_nll",
    "feature_weights",
    "free_bits",
    "fuzzy_k_means",
    "fuzzy_memberships",
    "gaussian_divergences",
    "gaussian_kl",
    "gaussian_nll",
    "generator_loss",
    "gini_impurity",
    "group_sparsity",
    "information_bound",
    "k_means",
    "layerwise_reconstruction",
    "locality_preserving",
    "margin",
    "marginal_divergence",
    "marginal_entropy",
    "merging",
    "mixture_kl",
    "mutual_information",
    "orthonormality",
    "pairwise",
    "reconstruction",
    "select_pairs",
    "self_augmentation",
    "self_expression",
    "self_paced_weights",
    "student_t",
    "subspace_memberships",
    "target_distribution",
    "triplet",
    "weighted_reconstruction",
]
