"""k-means on an embedding: scikit-learn's, made repeatable."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from dctutor.classical._threads import one_thread

__all__ = ["kmeans", "kmeans_labels", "nearest"]


def kmeans(
    z: Tensor,
    n_clusters: int,
    generator: torch.Generator,
    *,
    n_init: int = 20,
    init: Tensor | None = None,
    max_iter: int = 300,
) -> NDArray[np.float32]:
    """Cluster centres by k-means, the best of several runs (Lloyd 1982; k-means++ starts).

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples, such as an embedding.
    n_clusters : int
        Number of clusters, K.
    generator : torch.Generator
        Source of the randomness.
    n_init : int, default 20
        Number of runs.
    init : Tensor of shape (K, p), optional
        Centres to start from, in one run.
    max_iter : int, default 300
        Largest number of steps of a run.

    Returns
    -------
    ndarray of shape (K, p)
        The centres, in the units of ``z``.
    """
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    # One thread: with several, the order in which their sums are added differs from run to run.
    with one_thread():
        start = {"n_init": n_init} if init is None else {"n_init": 1, "init": init.float().cpu().numpy()}
        fitted = KMeans(n_clusters, **start, max_iter=max_iter, random_state=seed).fit(z.float().cpu().numpy())
    return fitted.cluster_centers_


def kmeans_labels(z: Tensor, n_clusters: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cluster centres by k-means, and the cluster of each sample.

    Parameters
    ----------
    z, n_clusters, generator
        See `kmeans`.

    Returns
    -------
    centers : Tensor of shape (K, p)
        The centres, on the device of ``z``.
    labels : Tensor of shape (n,)
        The nearest of them for each sample.
    """
    centers = torch.from_numpy(kmeans(z, n_clusters, generator)).to(z.device)
    return centers, nearest(z, centers)


def nearest(z: Tensor, centers: Tensor) -> Tensor:
    """Index of the nearest centre for each sample.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples, such as an embedding.
    centers : Tensor of shape (k, p)
        Cluster centres.

    Returns
    -------
    Tensor of shape (n,)
        Labels, 0 to k - 1.
    """
    dtype = torch.promote_types(z.dtype, centers.dtype)
    # Not by the expanded square, which loses all digits if codes lie far from 0 compared with their spread.
    return torch.cdist(z.to(dtype), centers.to(dtype), compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
