"""From the coefficients of a self-expression to clusters, and from clusters to subspaces (after Ji et al. 2017).

The functions are pure and take arrays or lists; input that is not a finite 2-D array raises TypeError or ValueError. An
affinity is an n x n array, so that memory grows with the square of n.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import SpectralClustering

from dctutor._inputs import check_table
from dctutor._validation import check_integer, check_number
from dctutor.classical._threads import one_thread

__all__ = ["cluster_subspaces", "keep_largest", "spectral_labels", "subspace_affinity"]

Array = NDArray[np.floating]


def keep_largest(C: ArrayLike, rho: float) -> Array:
    """Keep, of each column, the largest entries that make up the fraction ``rho`` of the column; zero the rest.

    Parameters
    ----------
    C : ndarray of shape (n, n)
        Coefficients; row i expresses sample i, so that column j holds what sample j contributes to the others.
    rho : float
        Fraction of a column's absolute sum, in (0, 1]; 1 keeps everything. The entry that passes it is kept.

    Returns
    -------
    ndarray of shape (n, n)
        A copy with zeros.
    """
    rho = check_number("rho", rho, open_at_minimum=True, maximum=1)
    C = check_table("C", C)
    if rho == 1:
        return C.copy()
    size = np.abs(C)
    order = np.argsort(-size, axis=0, kind="stable")
    descending = np.take_along_axis(size, order, axis=0)
    before = np.cumsum(descending, axis=0) - descending
    kept = np.empty(C.shape, dtype=bool)
    np.put_along_axis(kept, order, before <= rho * descending.sum(0), axis=0)
    return np.where(kept, C, 0)


def subspace_affinity(
    C: ArrayLike, n_clusters: int, subspace_dim: int, alpha: float, *, unit_diagonal: bool = False
) -> NDArray[np.float64]:
    r"""Affinity of samples from their coefficients: low rank, cosine, power.

    The symmetric part of C is cut to its :math:`r = d K + 1` strongest directions, :math:`U_r |\Lambda_r| U_r^T`. (K
    subspaces of dimension d span d K; the one more is the authors'.) Each sample is a row of
    :math:`U_r |\Lambda_r|^{1/2}`. Two samples are as alike as the cosine of their rows, or not at all if it is
    negative. The power widens the gap between large cosines and small ones.

    Parameters
    ----------
    C : ndarray of shape (n, n)
        Coefficients.
    n_clusters, subspace_dim : int
        K and d.
    alpha : float
        The power, positive.
    unit_diagonal : bool, default=False
        Whether the symmetric part gets ones on its diagonal first. The authors do so in their code for COIL-20 only.
        The ones steady the cut of sparse coefficients, and drown small ones.

    Returns
    -------
    ndarray of shape (n, n)
        Symmetric, in [0, 1], ones on the diagonal.
    """
    rank = check_integer("n_clusters", n_clusters, minimum=1) * check_integer("subspace_dim", subspace_dim, minimum=1)
    check_number("alpha", alpha, open_at_minimum=True)
    C = check_table("C", C)
    symmetric = (C + C.T).astype(np.float64) / 2
    if unit_diagonal:
        np.fill_diagonal(symmetric, 1)
    values, vectors = np.linalg.eigh(symmetric)
    strongest = np.argsort(-np.abs(values), kind="stable")[: rank + 1]
    rows = vectors[:, strongest] * np.sqrt(np.abs(values[strongest]))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    affinity = np.clip(rows @ rows.T, 0, 1) ** alpha
    np.fill_diagonal(affinity, 1)
    return (affinity + affinity.T) / 2


def spectral_labels(affinity: ArrayLike, n_clusters: int, seed: int) -> NDArray[np.int64]:
    """Cluster the samples of an affinity by normalised cuts (scikit-learn's spectral clustering).

    Parameters
    ----------
    affinity : ndarray of shape (n, n)
        Symmetric, not negative.
    n_clusters : int
        K. With as many clusters as samples or more, each sample is a cluster of its own.
    seed : int
        Seed of the random starts.

    Returns
    -------
    ndarray of shape (n,)
        Labels from 0 on.
    """
    affinity = check_table("affinity", affinity)
    if n_clusters == 1:
        return np.zeros(len(affinity), dtype=np.int64)
    if n_clusters >= len(affinity):
        return np.arange(len(affinity))
    spectral = SpectralClustering(
        n_clusters, affinity="precomputed", assign_labels="discretize", eigen_solver="arpack", random_state=seed
    )
    with one_thread():  # with several, the order of additions differs from run to run
        # The floor, far below any weight that counts, connects a graph that falls apart, as scikit-learn asks for.
        return spectral.fit_predict(np.maximum(affinity, 1e-12)).astype(np.int64)


def cluster_subspaces(z: ArrayLike, labels: ArrayLike, n_clusters: int, subspace_dim: int) -> NDArray[np.float32]:
    """Orthonormal bases of the subspaces, through the origin, that fit the codes of each cluster best.

    Parameters
    ----------
    z : ndarray of shape (n, p)
        Codes.
    labels : ndarray of shape (n,)
        Their clusters.
    n_clusters, subspace_dim : int
        K and d.

    Returns
    -------
    ndarray of shape (n_clusters, d', p)
        d' is d, or p - 1 if that is smaller: the whole space holds every code. Rows of zeros stand for directions that
        a small cluster does not have.
    """
    z, labels = check_table("z", z), np.asarray(labels)
    dim = min(subspace_dim, max(z.shape[1] - 1, 1))
    bases = np.zeros((n_clusters, dim, z.shape[1]), dtype=np.float32)
    for k in range(n_clusters):
        _, sizes, directions = np.linalg.svd(z[labels == k], full_matrices=False)
        least = max(z.shape) * np.finfo(z.dtype).eps * sizes.max(initial=0)  # what is below comes from rounding
        found = directions[:dim][sizes[:dim] > least]
        bases[k, : len(found)] = found
    return bases
