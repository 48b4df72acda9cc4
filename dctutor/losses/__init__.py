"""The losses of the survey's section 3: pure functions of tensors, computed in float32.

`nonclustering` holds those that know nothing of clusters (3.1), and `neighbours` the graph that one of them needs;
`clustering` and `balance` those that do know of clusters (3.2), with `other` and `agglomerative` for those without an
equation; `self_expression` those of subspace clustering, `mixture` those of a Gaussian mixture as a network;
`weighted` the reconstruction in which features have weights;
`generative` those of the networks that make new samples (2.4 and 2.5).
"""

from dctutor.losses.agglomerative import cluster_affinity, merging, triplet
from dctutor.losses.balance import balanced_assignments, balanced_target
from dctutor.losses.clustering import assignment_hardening, k_means, student_t, target_distribution
from dctutor.losses.generative import bernoulli_nll, discriminator_loss, gaussian_kl, gaussian_nll, generator_loss
from dctutor.losses.mixture import (
    centroid_correlation,
    clustering_module,
    dirichlet_prior,
    gini_impurity,
    orthonormality,
)
from dctutor.losses.neighbours import NeighbourGraph, neighbour_graph
from dctutor.losses.nonclustering import (
    layerwise_reconstruction,
    locality_preserving,
    reconstruction,
    self_augmentation,
)
from dctutor.losses.other import cluster_classification, fuzzy_k_means, fuzzy_memberships, group_sparsity
from dctutor.losses.self_expression import coefficient_norm, self_expression
from dctutor.losses.weighted import feature_weights, weighted_reconstruction

__all__ = [
    "NeighbourGraph",
    "assignment_hardening",
    "balanced_assignments",
    "balanced_target",
    "bernoulli_nll",
    "centroid_correlation",
    "cluster_affinity",
    "cluster_classification",
    "clustering_module",
    "coefficient_norm",
    "dirichlet_prior",
    "discriminator_loss",
    "feature_weights",
    "fuzzy_k_means",
    "fuzzy_memberships",
    "gaussian_kl",
    "gaussian_nll",
    "generator_loss",
    "gini_impurity",
    "group_sparsity",
    "k_means",
    "layerwise_reconstruction",
    "locality_preserving",
    "merging",
    "neighbour_graph",
    "orthonormality",
    "reconstruction",
    "self_augmentation",
    "self_expression",
    "student_t",
    "target_distribution",
    "triplet",
    "weighted_reconstruction",
]
