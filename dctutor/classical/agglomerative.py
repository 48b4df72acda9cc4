"""Agglomerative clustering by path integrals in a graph of nearest neighbours, for data of any size."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from dctutor._validation import check_integer, check_number
from dctutor.classical._sample import label_by_sample, label_of_nearest

__all__ = ["path_integral"]


def path_integral(
    z: Tensor,
    n_clusters: int,
    generator: torch.Generator,
    *,
    sample: int = 10_000,
    n_neighbors: int = 20,
    least: float = 0.1,
) -> NDArray[np.int64]:
    r"""Merge the clusters that most paths join in the graph of nearest neighbours (AC-PIC, Zhang et al. 2013).

    An edge from each sample to itself and to its nearest neighbours has the weight
    :math:`\exp(-\lVert z_i - z_j \rVert^2 / \sigma^2)`, with :math:`\sigma^2` the mean over all edges between two
    samples. With rows that sum to 1, the weights are the transition probabilities P of a random walk. The first
    clusters are samples that are joined by nearest neighbours. Then the two clusters of the largest affinity merge,
    until K are left.

    The path integral of a cluster C is :math:`\mathbf{1}^T (I - s P_C)^{-1} \mathbf{1} / |C|^2`: paths within the
    cluster of any length, a step weighed by s. The affinity of two clusters is what their paths gain from the union.
    For a small s, such as the 0.01 of Zhang et al., the first term of the gain in powers of s decides, and this
    function takes that one:

    .. math:: A(a, b) = \frac{\mathbf{1}^T P_{ab} P_{ba} \mathbf{1}}{|a|^2}
              + \frac{\mathbf{1}^T P_{ba} P_{ab} \mathbf{1}}{|b|^2}

    with :math:`P_{ab}` the block of the steps from a to b. It is the affinity of `dctutor.losses.cluster_affinity`,
    and a merger changes one row of it.

    One rule is not the paper's. A few outliers, which hardly any sample has as neighbours, have hardly any affinity to
    other clusters: they would stay one of the K clusters, and two large ones merge instead. So the tree is cut where it
    last has K clusters of at least ``least`` times n / K samples, and samples of smaller ones take the label of the
    nearest sample of those. If it nowhere has so many, or with ``least=0``, it is cut at K clusters of any size.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples, such as an embedding.
    n_clusters : int
        Number of clusters, K.
    generator : torch.Generator
        Draws the samples that are merged, if there are more than ``sample``.
    sample : int, default=10000
        Largest number of samples that are merged. Every other one takes the label of the nearest of them.
    n_neighbors : int, default=20
        Neighbours per sample; all others if there are fewer.
    least : float, default=0.1
        Samples that a cluster holds at least, as a fraction of n / K, in [0, 1].

    Returns
    -------
    ndarray of shape (n,)
        Labels, 0 to K - 1. If the first clusters are fewer than K, these.

    Raises
    ------
    TypeError, ValueError
        If ``n_clusters``, ``sample`` or ``n_neighbors`` is not a positive integer, or ``least`` not in [0, 1].

    References
    ----------
    Zhang, Zhao & Wang (2013). Agglomerative clustering via maximum incremental path integral. Pattern Recognition.
    """
    check_integer("n_clusters", n_clusters, minimum=1)
    check_integer("sample", sample, minimum=1)
    check_integer("n_neighbors", n_neighbors, minimum=1)
    check_number("least", least, maximum=1)
    points = z.detach().double().cpu().numpy()
    return label_by_sample(points, lambda some: _merged(some, n_clusters, n_neighbors, least), sample, generator)


def _merged(points: NDArray[np.float64], n_clusters: int, n_neighbors: int, least: float) -> NDArray[np.int64]:
    if len(points) <= n_clusters:
        return np.arange(len(points))
    steps, labels = _walk(points, min(n_neighbors, len(points) - 1))
    k = int(labels.max()) + 1
    member = sparse.csr_matrix((np.ones(len(labels)), (labels, np.arange(len(labels)))))
    size = np.asarray(member.sum(1)).ravel()
    # Of each cluster: the probabilities of stepping from it to each sample, and from each sample into it.
    leaving, entering = (member @ steps).toarray(), (member @ steps.T).toarray()
    # returns[a, b] is 1' P_ab P_ba 1: from a into b, and back.
    returns = (member @ (leaving * entering).T).T
    affinity = returns / size[:, None] ** 2
    affinity += affinity.T
    np.fill_diagonal(affinity, -1)
    partner, best = affinity.argmax(1), affinity.max(1)
    enough, kept = max(1.0, least * len(labels) / n_clusters), None
    for _ in range(k - n_clusters):
        if np.count_nonzero(size >= enough) == n_clusters:
            kept = labels.copy(), size >= enough
        a = int(best.argmax())
        a, b = sorted((a, int(partner[a])))
        # b becomes part of a.
        labels[labels == b] = a
        for rows in (leaving, entering, size):
            rows[a] += rows[b]
        returns[:, a] += returns[:, b]
        returns[a] = np.bincount(labels, weights=leaving[a] * entering[a], minlength=k)
        affinity[b] = affinity[:, b] = best[b] = -1
        size[b] = 0
        alive = affinity[a] >= 0
        fresh = np.where(alive, returns[a] / size[a] ** 2 + returns[:, a] / np.maximum(size, 1) ** 2, -1)
        affinity[a] = affinity[:, a] = fresh
        # Who gains by the union, and who has lost the partner that it had.
        closer = alive & (fresh > best)
        partner[closer], best[closer] = a, fresh[closer]
        lost = alive & ~closer & ((partner == a) | (partner == b))
        lost[a] = True
        partner[lost], best[lost] = affinity[lost].argmax(1), affinity[lost].max(1)
    if kept is not None and np.count_nonzero(size >= enough) < n_clusters:
        labels, large = kept
        held = large[labels]
        labels[~held] = label_of_nearest(points[held], labels[held], points[~held])
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _walk(points: NDArray[np.float64], n_neighbors: int) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """Return the transition probabilities, shape (n, n), and the first clusters, shape (n,)."""
    n, rows = len(points), np.arange(len(points))
    distance, near = NearestNeighbors(n_neighbors=n_neighbors).fit(points).kneighbors()  # without the sample itself
    squared = distance**2
    width = max(squared.mean(), np.finfo(np.float64).tiny)
    # As in the code of DEPICT's authors, no sample is cut off: the least weight of a nearest neighbour is 1e-5.
    while (np.exp(-squared[:, 0] / width) < 1e-5).any():
        width *= 2
    places = np.repeat(rows, n_neighbors), near.ravel()
    weights = sparse.csr_matrix((np.exp(-squared / width).ravel(), places), shape=(n, n)) + sparse.eye(n, format="csr")
    steps = sparse.diags(1 / np.asarray(weights.sum(1)).ravel()) @ weights
    nearest = sparse.csr_matrix((np.ones(n), (rows, near[:, 0])), shape=(n, n))
    return steps.tocsr(), connected_components(nearest, directed=False)[1].astype(np.int64)
