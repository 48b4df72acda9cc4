"""Means of samples, one per cluster."""

from torch import Tensor

__all__ = ["weighted_means"]


def weighted_means(z: Tensor, weights: Tensor) -> Tensor:
    """Means of samples, weighted by their membership of clusters.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples.
    weights : Tensor of shape (n, K)
        Membership, not negative.

    Returns
    -------
    Tensor of shape (K, p)
        Zero for a cluster without weight.
    """
    total = weights.sum(0).unsqueeze(1)
    return weights.T @ z / total.where(total > 0, 1.0)
