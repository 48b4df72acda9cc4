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
    """Cluster centres, shape (n_clusters, p), of the best of ``n_init`` runs (Lloyd 1982, k-means++ starts).

    With ``init``, centres to start from, it is one run from there. Each run takes at most ``max_iter`` steps.
    """
    seed = int(torch.randint(2**31 - 1, (), generator=generator, device=generator.device))
    # One thread: with several, the order in which their sums are added differs from run to run.
    with one_thread():
        start = {"n_init": n_init} if init is None else {"n_init": 1, "init": init.float().cpu().numpy()}
        fitted = KMeans(n_clusters, **start, max_iter=max_iter, random_state=seed).fit(z.float().cpu().numpy())
    return fitted.cluster_centers_


def kmeans_labels(z: Tensor, n_clusters: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres, shape (n_clusters, p), from `kmeans`, and the nearest of them for each sample, shape (n,)."""
    centers = torch.from_numpy(kmeans(z, n_clusters, generator)).to(z.device)
    return centers, nearest(z, centers)


def nearest(z: Tensor, centers: Tensor) -> Tensor:
    """Cluster of each embedded sample: (n, p) and (k, p) to (n,)."""
    dtype = torch.promote_types(z.dtype, centers.dtype)
    # Not by the expanded square, which loses all digits if codes lie far from 0 compared with their spread.
    return torch.cdist(z.to(dtype), centers.to(dtype), compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
