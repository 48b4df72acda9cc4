"""Ward's agglomerative clustering of an embedding, for data of any size."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering
from torch import Tensor

from dctutor.classical._sample import label_by_sample

__all__ = ["ward"]


def ward(z: Tensor, n_clusters: int, generator: torch.Generator, *, sample: int = 5000) -> NDArray[np.int64]:
    """Cut the tree that Ward's method grows into clusters (Ward 1963).

    The tree needs the distances of all pairs, so that it grows on ``sample`` samples at most. Every other sample takes
    the label of the nearest one of them.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples, such as an embedding.
    n_clusters : int
        Number of clusters, K.
    generator : torch.Generator
        Draws the samples that the tree grows on, if there are more than ``sample``.
    sample : int, default 5000
        Largest number of samples in the tree.

    Returns
    -------
    ndarray of shape (n,)
        Labels, 0 to K - 1.
    """
    points = z.float().cpu().numpy()
    return label_by_sample(points, AgglomerativeClustering(n_clusters).fit_predict, sample, generator)
