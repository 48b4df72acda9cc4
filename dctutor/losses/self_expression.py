"""The losses of subspace clustering: every code is a combination of the others (Ji et al. 2017; survey 6.1)."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dctutor.losses._common import check_same_shape
from dctutor.losses._precision import in_float32

__all__ = ["coefficient_norm", "self_expression", "subspace_memberships"]


@in_float32
def self_expression(z: Float[Tensor, "n p"], z_hat: Float[Tensor, "n p"]) -> Float[Tensor, ""]:
    r"""How far each code is from its expression by the others (Ji et al. 2017, last term of the loss).

    .. math:: L_{se} = \tfrac{1}{2} \lVert Z - C Z \rVert_F^2

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Codes Z, one per row.
    z_hat : Tensor of shape (n, p)
        Their expressions :math:`C Z` through each other.

    Returns
    -------
    Tensor of shape ()
        The sum over all entries, in squared units of ``z``.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    check_same_shape("z_hat", z_hat, "z", z)
    return (z - z_hat).square().sum() / 2


@in_float32
def coefficient_norm(c: Float[Tensor, "n n"], norm: Literal["l1", "l2"] = "l2") -> Float[Tensor, ""]:
    r"""Size of the coefficients :math:`\lVert C \rVert_p` (Ji et al. 2017, second term of the loss).

    Parameters
    ----------
    c : Tensor of shape (n, n)
        Coefficients of the self-expression.
    norm : {"l1", "l2"}
        :math:`\sum |c_{ij}|`, which makes most of them zero, or :math:`\sum c_{ij}^2`, which spreads them out.

    Returns
    -------
    Tensor of shape ()
        The sum over all pairs.

    Raises
    ------
    ValueError
        If ``norm`` is neither.
    """
    if norm == "l1":
        return c.abs().sum()
    if norm == "l2":
        return c.square().sum()
    raise ValueError(f'norm: expected "l1" or "l2", got {norm!r}')


@in_float32
def subspace_memberships(z: Float[Tensor, "n p"], bases: Float[Tensor, "k d p"]) -> Float[Tensor, "n k"]:
    r"""Soft assignments of codes to subspaces, by the angle between the two.

    .. math:: q_{ik} = \frac{1 / r_{ik}^2}{\sum_j 1 / r_{ij}^2}, \qquad
              r_{ik} = \frac{\lVert z_i - B_k^T B_k z_i \rVert}{\lVert z_i \rVert}

    These are the memberships of fuzzy c-means (fuzzifier 2), with distances to subspaces in place of centres.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Codes.
    bases : Tensor of shape (k, d, p)
        Orthonormal rows for each subspace, as `dctutor.classical.cluster_subspaces` gives them.

    Returns
    -------
    Tensor of shape (n, k)
        Rows sum to 1. A code of zero length belongs to all subspaces alike.
    """
    z = torch.nan_to_num(z)
    z = z / z.abs().amax(1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny)
    z = z / torch.linalg.vector_norm(z, dim=1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny)
    residual = torch.stack([(z - z @ basis.T @ basis).square().sum(1) for basis in bases], dim=1)
    closeness = 1 / residual.clamp_min(torch.finfo(z.dtype).eps ** 2)
    return closeness / closeness.sum(1, keepdim=True)
