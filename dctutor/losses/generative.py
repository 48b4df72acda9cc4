"""Losses of the networks that make new samples: VAEs (survey 2.4) and GANs (survey 2.5).

A VAE minimises the negative of its evidence lower bound, `bernoulli_nll` or `gaussian_nll` plus
`gaussian_kl` (Kingma & Welling 2014, eq. 3). The players of a GAN minimise `discriminator_loss` and
`generator_loss`, each with respect to its own weights.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dctutor.losses._common import Reduction, check_same_shape, reduced
from dctutor.losses._precision import in_float32

__all__ = ["bernoulli_nll", "discriminator_loss", "gaussian_kl", "gaussian_nll", "generator_loss"]


@in_float32
def gaussian_kl(
    mean: Float[Tensor, "n p"], log_variance: Float[Tensor, "n p"], *, reduction: Reduction = "mean"
) -> Float[Tensor, ""]:
    r"""Divergence of a VAE's codes from the standard normal prior (Kingma & Welling 2014, appendix B).

    .. math:: \sum_i KL\big(N(m_i, \operatorname{diag} \sigma_i^2) \,\Vert\, N(0, I)\big)
              = \frac{1}{2} \sum_i \sum_j \left(m_{ij}^2 + \sigma_{ij}^2 - \log \sigma_{ij}^2 - 1\right)

    Parameters
    ----------
    mean, log_variance : Tensor of shape (n, p)
        What the encoder says of each sample: :math:`m_i` and :math:`\log \sigma_i^2`.
    reduction : {"mean", "sum"}
        ``"sum"`` is the equation; ``"mean"`` divides it by n.

    Returns
    -------
    Tensor of shape ()
        The divergence in nats, at least 0.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    check_same_shape("log_variance", log_variance, "mean", mean)
    # expm1: close to the prior, exp(v) - 1 - v would lose its digits.
    total = (mean.square() + torch.expm1(log_variance) - log_variance).sum() / 2
    return reduced(total, len(mean), reduction)


@in_float32
def bernoulli_nll(
    x: Float[Tensor, "n ..."], logits: Float[Tensor, "n ..."], *, reduction: Reduction = "mean"
) -> Float[Tensor, ""]:
    r"""Reconstruction term of a VAE whose decoder says how likely each entry is 1 (Kingma & Welling 2014, C.1).

    .. math:: -\sum_i \log p(x_i | z_i)
              = -\sum_i \sum_j \left[x_{ij} \log \hat{x}_{ij} + (1 - x_{ij}) \log (1 - \hat{x}_{ij})\right]

    Grey values between 0 and 1 are often passed as well. The term is then a cross-entropy, whose smallest value is
    above 0, and no longer a likelihood.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Inputs in [0, 1]. This is not checked.
    logits : Tensor of the same shape
        What the decoder returns; its sigmoid is :math:`\hat{x}`.
    reduction : {"mean", "sum"}
        ``"sum"`` is the equation; ``"mean"`` divides it by n, and not by the number of entries: the weight
        of this term next to `gaussian_kl` is part of the bound.

    Returns
    -------
    Tensor of shape ()
        In nats.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    check_same_shape("logits", logits, "x", x)
    total = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return reduced(total, len(x), reduction)


@in_float32
def gaussian_nll(
    x: Float[Tensor, "n ..."],
    x_hat: Float[Tensor, "n ..."],
    variance: float = 1.0,
    *,
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    r"""Reconstruction term of a VAE whose decoder gives the mean of a normal distribution (Kingma & Welling 2014, C.2).

    .. math:: -\sum_i \log p(x_i | z_i) = \sum_i \left[\frac{\lVert x_i - \hat{x}_i \rVert^2}{2 \sigma^2}
              + \frac{d}{2} \log (2 \pi \sigma^2)\right]

    The smaller the variance, the more the reconstruction counts next to `gaussian_kl`.

    Parameters
    ----------
    x : Tensor of shape (n, ...)
        Inputs.
    x_hat : Tensor of the same shape
        What the decoder returns.
    variance : float, default 1.0
        :math:`\sigma^2`, the same for all entries; positive, in squared units of ``x``.
    reduction : {"mean", "sum"}
        ``"sum"`` is the equation; ``"mean"`` divides it by n, and not by the number of entries.

    Returns
    -------
    Tensor of shape ()
        In nats.

    Raises
    ------
    ValueError
        If the shapes differ, or the variance is not positive.
    """
    check_same_shape("x_hat", x_hat, "x", x)
    if not variance > 0:
        raise ValueError(f"variance: expected a positive number, got {variance!r}")
    squared = functional.mse_loss(x_hat, x, reduction="sum")
    total = (squared / variance + x.numel() * math.log(2 * math.pi * variance)) / 2
    return reduced(total, len(x), reduction)


@in_float32
def discriminator_loss(real: Float[Tensor, "n ..."], fake: Float[Tensor, "m ..."]) -> Float[Tensor, ""]:
    r"""What the discriminator of a GAN minimises (Goodfellow et al. 2014, eq. 1, with its sign turned).

    .. math:: -\mathbb{E}_x \log D(x) - \mathbb{E}_z \log (1 - D(G(z)))

    Parameters
    ----------
    real, fake : Tensor of shape (n, ...) and (m, ...)
        Logits of D for real samples, and for samples of the generator. Detach those samples, or compute
        their logits without the generator's gradients: this loss is not the generator's.

    Returns
    -------
    Tensor of shape ()
        In nats; 2 log 2 if D cannot tell them apart and says so.
    """
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


@in_float32
def generator_loss(fake: Float[Tensor, "n ..."]) -> Float[Tensor, ""]:
    r"""What the generator of a GAN minimises, in the form that does not saturate (Goodfellow et al. 2014, section 3).

    .. math:: -\mathbb{E}_z \log D(G(z))

    The two-player game itself would have it minimise :math:`\mathbb{E}_z \log (1 - D(G(z)))`, which is flat
    when the discriminator is sure of itself.

    Parameters
    ----------
    fake : Tensor of shape (n, ...)
        Logits of D for samples of the generator.

    Returns
    -------
    Tensor of shape ()
        In nats.
    """
    return functional.softplus(-fake).mean()
