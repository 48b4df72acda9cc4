"""Losses that know nothing of clusters (survey 3.1)."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from dctutor._validation import check_number
from dctutor.losses._common import Reduction, check_reduction, check_rows, check_same_shape, reduced
from dctutor.losses._precision import in_float32

__all__ = ["layerwise_reconstruction", "locality_preserving", "reconstruction", "self_augmentation"]


@in_float32
def reconstruction(
    x: Float[Tensor, "n ..."], x_hat: Float[Tensor, "n ..."], *, reduction: Reduction = "mean"
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
        If the shapes differ, or ``reduction`` is neither of the two.
    """
    check_same_shape("x_hat", x_hat, "x", x)
    check_reduction(reduction)
    return functional.mse_loss(x_hat, x, reduction=reduction)


def layerwise_reconstruction(
    clean: Sequence[Float[Tensor, "n ..."]],
    reconstructed: Sequence[Float[Tensor, "n ..."]],
    *,
    hidden_weight: float = 1.0,
) -> Float[Tensor, ""]:
    r"""Squared error in every layer: a decoder reconstructs the input and each hidden layer (Dizaji et al. 2017, 3.2).

    .. math:: L_r = \frac{1}{N} \sum_i \sum_{l=0}^{L-1} \frac{w_l}{|z_i^l|} \lVert z_i^l - \hat{z}_i^l \rVert^2,
              \qquad w_0 = 1

    :math:`z^0` is the input, :math:`z^l` the output of layer l of an encoder, and :math:`\hat{z}^l` what the decoder's
    layer of the same shape makes of a code.

    Parameters
    ----------
    clean : sequence of Tensor
        The input, then the hidden layers, each of shape (n, ...).
    reconstructed : sequence of Tensor
        Their reconstructions, in the same order and of the same shapes.
    hidden_weight : float
        :math:`w_l` of the hidden layers; 0.1 in the authors' code.

    Returns
    -------
    Tensor of shape ()
        The loss, in squared units of the layers.

    Raises
    ------
    ValueError
        If there is no layer, or the numbers of layers or their shapes differ.
    """
    if not clean or len(clean) != len(reconstructed):
        raise ValueError(
            f"reconstructed: expected a reconstruction of each of {max(len(clean), 1)} layers, got {len(reconstructed)}"
        )
    check_number("hidden_weight", hidden_weight)
    first, *hidden = (reconstruction(z, z_hat) for z, z_hat in zip(clean, reconstructed, strict=True))
    return first + hidden_weight * sum(hidden, torch.zeros_like(first))


@in_float32
def self_augmentation(
    original: Float[Tensor, "m p"],
    augmented: Float[Tensor, "m p"],
    *,
    similarity: Literal["cross_entropy", "cosine", "squared"] = "cross_entropy",
) -> Float[Tensor, ""]:
    r"""How unlike the representations of samples and of their changed copies are (survey eq. 2; Hu et al. 2017).

    .. math:: L_{SAT} = -\frac{1}{M} \sum_{m=1}^{M} s\big(f(x), f(T_m(x))\big)

    for one sample x and its M changed copies :math:`T_m(x)`; here the mean is over the copies of all samples.

    IMSAT holds the original fixed while its copy learns to agree: pass ``original.detach()``. With codes in place of
    probabilities, do not detach: nothing bounds the codes, and chasing a target that the same network moves can
    diverge.

    Parameters
    ----------
    original : Tensor of shape (m, p)
        Representations of the samples; with ``"cross_entropy"`` probabilities, rows summing to 1.
    augmented : Tensor of shape (m, p)
        Those of the changed copies, row by row. For several copies per sample, repeat the rows of ``original``.
    similarity : {"cross_entropy", "cosine", "squared"}
        :math:`s(a, b)`: :math:`\sum_k a_k \log b_k`, as in IMSAT; the cosine of the angle between a and b;
        or :math:`-\lVert a - b \rVert^2`.

    Returns
    -------
    Tensor of shape ()
        The loss: in nats, in [-1, 1], or in squared units of the representation.

    Raises
    ------
    ValueError
        If the shapes differ, or ``similarity`` is not one of the three.
    """
    check_same_shape("augmented", augmented, "original", original)
    if similarity == "cross_entropy":
        # The floor keeps log finite.
        return -(original * augmented.clamp_min(torch.finfo(augmented.dtype).tiny).log()).sum(1).mean()
    if similarity == "cosine":
        return -functional.cosine_similarity(original, augmented, dim=1).mean()
    if similarity == "squared":
        return (original - augmented).square().sum(1).mean()
    raise ValueError(f'similarity: expected "cross_entropy", "cosine" or "squared", got {similarity!r}')


@in_float32
def locality_preserving(
    z: Float[Tensor, "n p"],
    pairs: Int[Tensor, "e 2"],
    similarity: Float[Tensor, " e"],
    *,
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    r"""Weighted squared distance between the codes of neighbours (survey eq. 3; Huang et al. 2014).

    .. math:: L_{lp} = \sum_i \sum_{j \in N_k(i)} s(x_i, x_j) \lVert z_i - z_j \rVert^2

    The pairs and their weights come from the inputs and stay fixed: see
    `dctutor.classical.neighbour_graph`, whose ``edges`` also gives those of a mini-batch.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Embedded samples.
    pairs : Tensor of shape (e, 2)
        Rows of ``z`` that are to stay close, one pair per edge of the graph.
    similarity : Tensor of shape (e,)
        :math:`s(x_i, x_j)` of each pair.
    reduction : {"mean", "sum"}
        ``"sum"`` is the equation as printed; ``"mean"`` divides it by the number of pairs.

    Returns
    -------
    Tensor of shape ()
        The loss, in squared units of ``z``.

    Raises
    ------
    ValueError
        If there is no pair, the shapes do not fit together, ``reduction`` is neither of the two, or, on a CPU,
        if an index is not that of a row.
    """
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(f"pairs: expected shape (e, 2) with at least one pair, got {tuple(pairs.shape)}")
    if similarity.shape != pairs.shape[:1]:
        raise ValueError(f"similarity: expected shape ({len(pairs)},), one per pair, got {tuple(similarity.shape)}")
    check_rows("pairs", pairs, len(z))
    squared = (z[pairs[:, 0]] - z[pairs[:, 1]]).square().sum(1)
    total = (similarity * squared).sum()
    return reduced(total, len(pairs), reduction)
