"""Means of clusters whose members are weighted."""

import torch
from jaxtyping import Float
from torch import Tensor

from dctutor.losses._precision import in_float32

__all__ = ["weighted_means"]


@in_float32
def weighted_means(z: Float[Tensor, "n p"], weights: Float[Tensor, "n k"]) -> Float[Tensor, "k p"]:
    r"""Mean of the samples of each cluster, weighted by how much they belong to it.

    .. math:: \mu_k = \frac{\sum_i w_{ik} z_i}{\sum_i w_{ik}}

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples, such as an embedding.
    weights : Tensor of shape (n, k)
        Weight :math:`w_{ik} \geq 0` of each sample in each cluster, such as soft assignments.

    Returns
    -------
    Tensor of shape (k, p)
        Cluster centres, in the units of ``z``. A cluster without any weight lies at 0.

    Raises
    ------
    ValueError
        If ``z`` and ``weights`` are not 2-D, or do not have one row per sample each.
    """
    if z.ndim != 2:
        raise ValueError(f"z: expected shape (n, p), got {tuple(z.shape)}")
    if weights.ndim != 2 or len(weights) != len(z):
        raise ValueError(f"weights: expected shape ({len(z)}, k), one row per sample, got {tuple(weights.shape)}")
    return weights.T @ z / weights.sum(0).clamp_min(torch.finfo(weights.dtype).tiny).unsqueeze(1)
