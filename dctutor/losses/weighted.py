"""Reconstruction in which some features count more than others (Lu & Li 2021)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dctutor.losses._common import check_same_shape
from dctutor.losses._precision import in_float32

__all__ = ["feature_weights", "weighted_reconstruction"]


@in_float32
def feature_weights(x: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> Float[Tensor, " d"]:
    r"""How well each feature agrees within groups and differs between them (Lu & Li 2021, eq. 5).

    .. math:: w_j = \operatorname*{mean}_{y_p = y_q} e^{-(x_{pj} - x_{qj})^2} \cdot
                    \operatorname*{mean}_{y_p \neq y_q} \left(1 - e^{-(x_{pj} - x_{qj})^2}\right)

    The means run over pairs of labelled samples with :math:`p \neq q`. Takes :math:`O(m^2 d)` time and :math:`O(m d)`
    memory for m labelled samples: one sample at a time meets all that come after it.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Samples, in units in which differences near 1 are large: the paper's features lie in (0, 1).
    labels : Tensor of shape (n,)
        The group of each sample, any integer; -1 is unlabelled, and such samples do not count.

    Returns
    -------
    Tensor of shape (d,)
        The weights, in [0, 1); 0 for a feature that is the same in all samples. No gradient flows through them.

    Raises
    ------
    ValueError
        If there is not one label per sample, no two samples have the same label, or all have the same one.
    """
    if labels.shape != x.shape[:1]:
        raise ValueError(f"labels: expected one per sample, {len(x)} in all, got shape {tuple(labels.shape)}")
    x, labels = x.detach()[labels != -1], labels[labels != -1]
    sizes = labels.unique(return_counts=True)[1].tolist()  # not on the device: some have no float64
    alike = sum(size * (size - 1) for size in sizes) / 2
    unlike = (sum(sizes) ** 2 - sum(size**2 for size in sizes)) / 2
    if not alike:
        raise ValueError(f"labels: expected two samples with the same label, got none among {len(x)} labelled samples")
    if not unlike:
        raise ValueError("labels: expected at least two different labels, got one")
    within, between = torch.zeros_like(x[0]), torch.zeros_like(x[0])
    for i in range(len(x) - 1):
        far = -torch.expm1(-((x[i + 1 :] - x[i]) ** 2))  # 1 - exp would lose small differences
        same = (labels[i + 1 :] == labels[i]).to(x.dtype)
        within += same @ (1 - far)
        between += (1 - same) @ far
    return (within / alike * (between / unlike)).to(x.dtype)


@in_float32
def weighted_reconstruction(
    x: Float[Tensor, "n d"], x_hat: Float[Tensor, "n d"], weights: Float[Tensor, " d"]
) -> Float[Tensor, ""]:
    r"""Squared error between inputs and their reconstructions, each feature with its weight (Lu & Li 2021, eq. 4).

    .. math:: L_{cmse} = \frac{1}{n d} \sum_{i=1}^{n} \sum_{j=1}^{d} w_j (x_{ij} - \hat x_{ij})^2

    The paper's sum and divisor run over features; the mean over samples is added here, for a batch.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Inputs.
    x_hat : Tensor of shape (n, d)
        Their reconstructions.
    weights : Tensor of shape (d,)
        The weight of each feature, such as `feature_weights`.

    Returns
    -------
    Tensor of shape ()
        The mean over features and samples; in squared units of ``x``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    check_same_shape("x_hat", x_hat, "x", x)
    if weights.shape != x.shape[1:]:
        raise ValueError(f"weights: expected one per feature, {x.shape[1]} in all, got shape {tuple(weights.shape)}")
    return ((x - x_hat) ** 2 * weights).mean()
