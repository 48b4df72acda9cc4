"""Losses that know nothing of clusters (survey 3.1)."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dctutor.losses._precision import in_float32

__all__ = ["reconstruction"]


@in_float32
def reconstruction(
    x: Float[Tensor, "n ..."], x_hat: Float[Tensor, "n ..."], *, reduction: Literal["mean", "sum"] = "mean"
) -> Float[Tensor, ""]:
    r"""Squared error between inputs and their reconstructions (survey eq. 1).

    .. math:: L_{rec} = \sum_i \lVert x_i - g(f(x_i)) \rVert^2

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Inputs.
    x_hat : Tensor of the same shape
        Reconstructions :math:`g(f(x))`.
    reduction : {"mean", "sum"}
        ``"sum"`` is the equation as printed. ``"mean"`` divides it by the number of entries of ``x``,
        so that one learning rate fits every batch size and image size.

    Returns
    -------
    Tensor of shape ()
        The loss, in squared units of ``x``.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if x.shape != x_hat.shape:
        raise ValueError(f"x_hat: expected the shape of x, {tuple(x.shape)}, got {tuple(x_hat.shape)}")
    return functional.mse_loss(x_hat, x, reduction=reduction)
