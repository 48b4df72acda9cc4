"""Clustering without a network: what the methods start from, and what they are compared with."""

from dctutor.classical.agglomerative import path_integral
from dctutor.classical.kmeans import kmeans, kmeans_labels, nearest
from dctutor.classical.maximum_margin import MaximumMargin, maximum_margin
from dctutor.classical.means import weighted_means
from dctutor.classical.merging import merge_clusters, nearest_chains
from dctutor.classical.minibatch import mean_of_members, move_centers, nearest_members
from dctutor.classical.mixtures import SphericalMixture, diagonal_mixture, spherical_mixture
from dctutor.classical.neighbours import NeighbourGraph, neighbour_graph
from dctutor.classical.spectral import (
    cluster_subspaces,
    keep_largest,
    spectral_labels,
    subspace_affinity,
)
from dctutor.classical.transport import sinkhorn
from dctutor.classical.ward import ward

__all__ = [
    "MaximumMargin",
    "NeighbourGraph",
    "SphericalMixture",
    "cluster_subspaces",
    "diagonal_mixture",
    "keep_largest",
    "kmeans",
    "kmeans_labels",
    "maximum_margin",
    "mean_of_members",
    "merge_clusters",
    "move_centers",
    "nearest",
    "nearest_chains",
    "nearest_members",
    "neighbour_graph",
    "path_integral",
    "sinkhorn",
    "spectral_labels",
    "spherical_mixture",
    "subspace_affinity",
    "ward",
    "weighted_means",
]
