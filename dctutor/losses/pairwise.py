"""Same cluster or not, for pairs of samples (Chang et al. 2017)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dctutor._validation import check_number
from dctutor.losses._common import check_same_shape
from dctutor.losses._precision import in_float32

__all__ = ["pairwise", "select_pairs"]

_FLOOR = 1e-4  # of the arguments of logarithms: bounds what one pair can contribute to a gradient


@in_float32
def select_pairs(features: Float[Tensor, "n k"], upper: float, lower: float) -> tuple[Tensor, Tensor]:
    r"""Say which pairs of samples are surely of one cluster, and which surely are not (Chang et al. 2017, eq. 6).

    .. math:: r_{ij} = 1 \text{ if } l_i \cdot l_j \geq u, \qquad r_{ij} = 0 \text{ if } l_i \cdot l_j < l, \qquad
              v_{ij} = 1 \text{ in both cases, else } 0

    A sample and itself are no pair. If both thresholds are equal, all pairs are selected.

    Parameters
    ----------
    features : Tensor of shape (n, k)
        Label features; rows have length 1.
    upper, lower : float
        Thresholds u and l of the similarity, :math:`0 \leq l \leq u \leq 1`.

    Returns
    -------
    target : Tensor of shape (n, n)
        r as booleans; False also for pairs that are not selected.
    selected : Tensor of shape (n, n)
        v as booleans.

    Raises
    ------
    TypeError, ValueError
        If a threshold is no number, lies outside [0, 1], or the upper one lies below the lower one.
    """
    upper = check_number("upper", upper, maximum=1)
    lower = check_number("lower", lower, maximum=upper)
    similarity = features.detach() @ features.detach().T
    target = similarity >= upper
    selected = (target | (similarity < lower)).fill_diagonal_(False)
    return target & selected, selected


@in_float32
def pairwise(
    features: Float[Tensor, "n k"], target: Bool[Tensor, "n n"], selected: Bool[Tensor, "n n"] | None = None
) -> Float[Tensor, ""]:
    r"""Cross-entropy of the similarities of pairs with a target of 0 or 1 (Chang et al. 2017, eq. 7).

    .. math:: L = -\frac{1}{\sum_{ij} v_{ij}} \sum_{ij} v_{ij} \big(r_{ij} \log g_{ij}
                  + (1 - r_{ij}) \log (1 - g_{ij})\big), \qquad g_{ij} = l_i \cdot l_j

    Rows of length 1 without negative entries have a similarity g in [0, 1]. In the logarithms, g and 1 - g stay above
    0.0001, by a straight line between there and 1, so that one pair cannot outweigh all others.

    Parameters
    ----------
    features : Tensor of shape (n, k)
        Label features; rows have length 1 and no negative entry.
    target : Tensor of shape (n, n)
        r, True or 1 for pairs of one cluster.
    selected : Tensor of shape (n, n), optional
        v, True or 1 for pairs that count; by default all.

    Returns
    -------
    Tensor of shape ()
        Mean over the selected pairs; 0 if there are none.

    Raises
    ------
    ValueError
        If ``target`` or ``selected`` does not have one entry per pair.
    """
    similarity = (features @ features.T).clamp(0, 1)  # 1 may be passed by rounding
    check_same_shape("target", target, "the similarities", similarity)
    if selected is not None:
        check_same_shape("selected", selected, "the similarities", similarity)
    same = torch.where(target.bool(), similarity, 1 - similarity)
    cost = -torch.log(_FLOOR + (1 - _FLOOR) * same)
    if selected is None:
        return cost.mean()
    weight = selected.to(cost.dtype)
    return (weight * cost).sum() / weight.sum().clamp_min(1)
