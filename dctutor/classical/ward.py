"""Ward's agglomerative clustering of an embedding, for data of any size."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

__all__ = ["ward"]


def ward(z: Tensor, n_clusters: int, generator: torch.Generator, *, sample: int = 5000) -> NDArray[np.int64]:
    """Label samples, shape (n,): the tree's cut into ``n_clusters`` (Ward 1963).

    The tree needs the distances of all pairs, so it grows on ``sample`` samples at most; any other sample takes the
    label of the nearest one of them.
    """
    points = z.float().cpu().numpy()
    if len(points) <= sample:
        return AgglomerativeClustering(n_clusters).fit_predict(points)
    drawn = torch.randperm(len(points), generator=generator)[:sample].numpy()
    labels = AgglomerativeClustering(n_clusters).fit_predict(points[drawn])
    return KNeighborsClassifier(1).fit(points[drawn], labels).predict(points)
