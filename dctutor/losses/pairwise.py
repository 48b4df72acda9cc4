"""Losses of pairs of samples: which belong together."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dctutor.losses._precision import in_float32

__all__ = ["pairwise_agreement"]


@in_float32
def pairwise_agreement(p: Float[Tensor, "n k"], together: Bool[Tensor, "n n"]) -> Float[Tensor, ""]:
    r"""Cross-entropy of the cosines of pairs of soft assignments with whether they belong together.

    .. math:: L = \frac{2}{n (n - 1)} \sum_{i < j} BCE(\cos(p_i, p_j), r_{ij})

    Cosines are clamped to [1e-4, 1 - 1e-4], beyond which they have no gradient. The relation loss of GATCluster (Niu et
    al. 2020).

    Parameters
    ----------
    p : Tensor of shape (n, K)
        Soft assignments, or other rows that are not negative, of at least two samples.
    together : bool Tensor of shape (n, n)
        :math:`r_{ij}`; only pairs of i below j are read.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    n = len(p)
    if p.ndim != 2 or n < 2:
        raise ValueError(f"p: expected shape (n, K) with n of at least 2, got {tuple(p.shape)}")
    if together.shape != (n, n):
        raise ValueError(f"together: expected shape ({n}, {n}), got {tuple(together.shape)}")
    unit = torch.nn.functional.normalize(p, dim=1)
    first, second = torch.triu_indices(n, n, 1, device=p.device)
    cosine = (unit @ unit.T)[first, second].clamp(1e-4, 1 - 1e-4)
    target = together[first, second].to(cosine)
    return torch.nn.functional.binary_cross_entropy(cosine, target)
