"""The margin between a sample's own cluster and the nearest other."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dctutor.losses._precision import in_float32

__all__ = ["margin"]


@in_float32
def margin(scores: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    r"""Hinge loss of several classes (Crammer & Singer 2001).

    .. math:: L = \frac{1}{n} \sum_i \max\left(0,\; 1 + \max_{k \neq y_i} s_{ik} - s_{i y_i}\right)

    Parameters
    ----------
    scores : Tensor of shape (n, K)
        One score per sample and cluster; minus infinity for a cluster that is no rival.
    labels : Tensor of shape (n,)
        Cluster of each sample.

    Returns
    -------
    Tensor
        A scalar, zero if there is one cluster.
    """
    own = scores.gather(1, labels[:, None])
    others = torch.scatter(scores, 1, labels[:, None], -torch.inf).max(1, keepdim=True).values
    return (1 + others - own).relu().mean()
