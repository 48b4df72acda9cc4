"""Agglomeration by affinity in a sparse graph of nearest neighbours: JULE's clustering, for data of any size."""

from heapq import heapify, heappop, heappush

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from dctutor._validation import check_integer, check_number
from dctutor.classical.neighbours import neighbour_graph

__all__ = ["merge_clusters", "nearest_chains"]

_Labels = NDArray[np.int64]


def nearest_chains(x: Float[Tensor, "n d"]) -> _Labels:
    """Join each sample with its nearest neighbour: many small clusters, to start an agglomeration from.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Samples, at least two.

    Returns
    -------
    ndarray of shape (n,)
        Labels from 0 on; two samples have the same one if a chain of nearest neighbours joins them.
    """
    n = len(x)
    nearest = neighbour_graph(x, 1).neighbors[:, 0].cpu().numpy()
    edges = sparse.csr_matrix((np.ones(n), (np.arange(n), nearest)), shape=(n, n))
    return connected_components(edges, directed=False)[1].astype(np.int64)


def merge_clusters(
    x: Float[Tensor, "n d"],
    labels: _Labels,
    n_clusters: int,
    *,
    n_neighbors: int = 20,
    width: float = 1.0,
    least: float = 0.1,
) -> _Labels:
    r"""Merge the two clusters of the largest affinity, again and again, until ``n_clusters`` are left.

    An edge from each sample to its nearest neighbours has the weight :math:`W_{ij} = \exp(-\lVert x_i - x_j \rVert^2 /
    \sigma^2)`, where :math:`\sigma^2` is ``width`` times the mean over all edges (Yang et al. 2016, eq. 4). The
    affinity of clusters is that of `dctutor.losses.cluster_affinity`:

    .. math:: A(a, b) = \frac{\mathbf{1}^T W_{ab} W_{ba} \mathbf{1}}{|a|^2}
              + \frac{\mathbf{1}^T W_{ba} W_{ab} \mathbf{1}}{|b|^2}

    It is kept for those pairs only that the graph ties: memory grows with n times ``n_neighbors``, not with n squared.
    After a merger it is exact. Outliers are hardly tied to any cluster: they would stay clusters to the end, and large
    clusters merge in their place. So two large ones merge only once there are no small ones. Before that, the smallest
    joins the cluster that it is most tied to, or if there is none, that with the nearest mean.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Samples, such as an embedding.
    labels : ndarray of shape (n,)
        Clusters to start from, integers from 0 on.
    n_clusters : int
        Number of clusters to stop at.
    n_neighbors : int, default=20
        Neighbours per sample, :math:`K_s`; all others if there are fewer.
    width : float, default=1.0
        Factor a of :math:`\sigma^2`.
    least : float, default=0.1
        Clusters below this fraction of n / ``n_clusters`` samples are small, in [0, 1].

    Returns
    -------
    ndarray of shape (n,)
        Labels from 0 on: those of the start, if they are no more than ``n_clusters``.

    Raises
    ------
    TypeError, ValueError
        If ``n_clusters`` or ``n_neighbors`` is not a positive integer, ``width`` not positive, or ``least`` not in
        [0, 1].

    References
    ----------
    Zhang, Wang, Zhao & Tang (2012). Graph degree linkage: agglomerative clustering on a directed graph. ECCV.
    Yang, Parikh & Batra (2016). Joint unsupervised learning of deep representations and image clusters. CVPR.
    """
    check_integer("n_clusters", n_clusters, minimum=1)
    check_integer("n_neighbors", n_neighbors, minimum=1)
    check_number("width", width, open_at_minimum=True)
    check_number("least", least, maximum=1)
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    if labels.max() < n_clusters:
        return labels
    weights = _weights(x, min(n_neighbors, len(x) - 1), width)
    return _Clusters(weights, labels, x.detach().double().cpu().numpy()).merge(n_clusters, least)


def _weights(x: Tensor, n_neighbors: int, width: float) -> sparse.csr_matrix:
    """Return the weights of all edges, shape (n, n)."""
    graph, n = neighbour_graph(x.detach(), n_neighbors), len(x)
    similarity = graph.similarity.cpu().double().numpy() ** (1 / width)
    places = np.repeat(np.arange(n), n_neighbors), graph.neighbors.cpu().numpy().ravel()
    return sparse.csr_matrix((similarity.ravel(), places), shape=(n, n))


class _Clusters:
    """Clusters that merge, and how they are tied.

    ``paths[a][b]`` is 1' W_ab W_ba 1, the weight of all paths from a into b and back, for tied pairs only.
    ``leaving[a]`` and ``entering[a]`` are sparse: the weights of the edges from a to each sample, and from each into a.
    """

    def __init__(self, weights: sparse.csr_matrix, labels: _Labels, points: NDArray[np.float64]) -> None:
        n, k = len(labels), int(labels.max()) + 1
        member = sparse.csr_matrix((np.ones(n), (labels, np.arange(n))), shape=(k, n))
        leaving, entering = (member @ weights).tocsr(), (member @ weights.T).tocsr()
        paths = (leaving.multiply(entering) @ member.T).tocoo()
        self.paths: list[dict[int, float]] = [{} for _ in range(k)]
        for a, b, value in zip(paths.row.tolist(), paths.col.tolist(), paths.data.tolist(), strict=True):
            if a != b and value > 0:
                self.paths[a][b] = value
                self.paths[b].setdefault(a, 0.0)
        self.leaving, self.entering = _rows(leaving), _rows(entering)
        self.labels, self.size = labels.copy(), np.bincount(labels).tolist()
        self.members = np.split(np.argsort(labels, kind="stable"), np.cumsum(self.size)[:-1])
        self.sums, self.alive, self.left = member @ points, np.ones(k, dtype=bool), k
        self.best = [self._best(a) for a in range(k)]

    def affinity(self, a: int, b: int) -> float:
        return self.paths[a][b] / self.size[a] ** 2 + self.paths[b][a] / self.size[b] ** 2

    def _best(self, a: int) -> tuple[float, int]:
        """The affinity of a to the cluster that it is most tied to, and which one that is."""
        return max(((self.affinity(a, b), -b) for b in self.paths[a]), default=(0.0, 1))

    def merge(self, n_clusters: int, least: float) -> _Labels:
        enough = least * len(self.labels) / n_clusters
        pairs = [(-self.best[a][0], a) for a in range(len(self.size)) if self.paths[a]]
        small = [(self.size[a], a) for a in range(len(self.size)) if self.size[a] < enough]
        heapify(pairs)
        heapify(small)
        while self.left > n_clusters:
            while pairs and not self._is_best(*pairs[0]):
                heappop(pairs)
            while small and not (self.alive[small[0][1]] and small[0][0] == self.size[small[0][1]]):
                heappop(small)
            b = pairs[0][1] if pairs else -1
            if not pairs or (small and min(self.size[b], self.size[-self.best[b][1]]) >= enough):
                alive = np.flatnonzero(self.alive).tolist()
                b = small[0][1] if small else min(alive, key=lambda c: self.size[c])
            a = -self.best[b][1] if self.paths[b] else self._nearest(b)
            for c in self._join(a, b):
                heappush(pairs, (-self.best[c][0], c))
            if self.size[a] < enough:
                heappush(small, (self.size[a], a))
        return np.unique(self.labels, return_inverse=True)[1].astype(np.int64)

    def _is_best(self, value: float, a: int) -> bool:
        """Whether an entry of the queue still holds."""
        return bool(self.alive[a] and self.paths[a]) and -value == self.best[a][0]

    def _nearest(self, a: int) -> int:
        others = np.flatnonzero(self.alive)
        means = self.sums[others] / np.array(self.size)[others, None]
        distance = np.square(means - self.sums[a] / self.size[a]).sum(1)
        distance[others == a] = np.inf
        return int(others[distance.argmin()])

    def _join(self, a: int, b: int) -> list[int]:
        """Make b part of a; return the clusters whose best partner or affinity to it has changed."""
        self.members[a] = np.concatenate([self.members[a], self.members[b]])
        self.labels[self.members[b]] = a
        self.size[a] += self.size[b]
        self.sums[a] += self.sums[b]
        self.alive[b], self.left = False, self.left - 1
        for rows in (self.leaving, self.entering):
            rows[a] = _added(rows[a], rows[b])
            rows[b] = rows[b][0][:0], rows[b][1][:0]
        # Into the union: from each other cluster, the paths to one part and to the other.
        around = (self.paths[a].keys() | self.paths[b].keys()) - {a, b}
        for c in around:
            self.paths[c][a] = self.paths[c].get(a, 0.0) + self.paths[c].pop(b, 0.0)
        # Out of the union: a path may leave from one part and come back to the other.
        out, into = self.leaving[a], self.entering[a]
        common, i, j = np.intersect1d(out[0], into[0], assume_unique=True, return_indices=True)
        found = np.bincount(self.labels[common], weights=out[1][i] * into[1][j])
        self.paths[a] = {c: 0.0 for c in sorted(around)}
        self.paths[a] |= {c: value for c, value in enumerate(found.tolist()) if value > 0 and c != a}
        self.paths[b], self.best[b] = {}, (0.0, 1)
        changed = [a]
        self.best[a] = (0.0, 1)
        for c in self.paths[a]:
            self.paths[c].setdefault(a, 0.0)
            value = self.affinity(a, c)
            self.best[a] = max(self.best[a], (value, -c))
            if -self.best[c][1] in (a, b):
                self.best[c] = self._best(c)
            elif (value, -a) > self.best[c]:
                self.best[c] = (value, -a)
            else:
                continue
            changed.append(c)
        return changed


_Row = tuple[NDArray[np.int64], NDArray[np.float64]]


def _rows(matrix: sparse.csr_matrix) -> list[_Row]:
    matrix.sort_indices()
    ends = matrix.indptr[1:-1]
    return list(zip(np.split(matrix.indices, ends), np.split(matrix.data, ends), strict=True))


def _added(one: _Row, other: _Row) -> _Row:
    index, place = np.unique(np.concatenate([one[0], other[0]]), return_inverse=True)
    weights = np.concatenate([one[1], other[1]])
    return index, np.bincount(place, weights=weights, minlength=len(index)).astype(np.float64)
