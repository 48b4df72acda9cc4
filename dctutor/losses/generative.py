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

__all__ = [
    "bernoulli_nll",
    "discriminator_loss",
    "free_bits",
    "gaussian_divergences",
    "gaussian_kl",
    "gaussian_nll",
    "generator_loss",
]


@in_float32
def gaussian_kl(
    mean: Float[Tensor, "n p"],
    log_variance: Float[Tensor, "n p"],
    prior_mean: Tensor | None = None,
    prior_log_variance: Tensor | None = None,
    *,
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    r"""Divergence of a VAE's codes from a normal prior, by default N(0, I) (Kingma & Welling 2014, appendix B).

    .. math:: \sum_i KL\big(N(m_i, \operatorname{diag} \sigma_i^2) \,\Vert\, N(0, I)\big)
              = \frac{1}{2} \sum_i \sum_j \left(m_{ij}^2 + \sigma_{ij}^2 - \log \sigma_{ij}^2 - 1\right)

    `gaussian_divergences` has the terms of this sum, and the formula for other priors.

    Parameters
    ----------
    mean, log_variance : Tensor of shape (n, p)
        What the encoder says of each sample: :math:`m_i` and :math:`\log \sigma_i^2`.
    prior_mean, prior_log_variance : Tensor that broadcasts to (n, p), optional
        Those of the prior; by default 0.
    reduction : {"mean", "sum"}
        ``"sum"`` is the equation; ``"mean"`` divides it by n.

    Returns
    -------
    Tensor of shape ()
        The divergence in nats, at least 0.

    Raises
    ------
    ValueError
        If the shapes differ, or a prior has more numbers than there are codes.
    """
    check_same_shape("log_variance", log_variance, "mean", mean)
    for name, value in {"prior_mean": prior_mean, "prior_log_variance": prior_log_variance}.items():
        if value is not None and torch.broadcast_shapes(value.shape, mean.shape) != mean.shape:
            raise ValueError(f"{name}: expected a shape within {tuple(mean.shape)}, got {tuple(value.shape)}")
    total = gaussian_divergences(mean, log_variance, prior_mean, prior_log_variance).sum()
    return reduced(total, len(mean), reduction)


@in_float32
def gaussian_divergences(
    mean: Float[Tensor, "*batch p"],
    log_variance: Float[Tensor, "*batch p"],
    prior_mean: Tensor | None = None,
    prior_log_variance: Tensor | None = None,
) -> Tensor:
    r"""Divergence of each normal distribution from a prior of its own, or from each of several.

    .. math:: KL\big(N(m, \operatorname{diag} \sigma^2) \,\Vert\, N(\mu, \operatorname{diag} s^2)\big)
              = \frac{1}{2} \sum_j \left(\frac{(m_j - \mu_j)^2 + \sigma_j^2}{s_j^2}
              - \log \frac{\sigma_j^2}{s_j^2} - 1\right)

    Parameters
    ----------
    mean, log_variance : Tensor of shape (..., p)
        :math:`m` and :math:`\log \sigma^2`. For n codes and K priors, give shape (n, 1, p).
    prior_mean, prior_log_variance : Tensor that broadcasts with them, optional
        :math:`\mu` and :math:`\log s^2`, such as of shape (K, p), or (n, K, p) if each code has K priors of its own. By
        default 0: the standard normal prior.

    Returns
    -------
    Tensor of the common shape without its last dimension
        Divergences in nats, at least 0.

    Raises
    ------
    ValueError
        If mean and log-variance differ in shape, or the priors do not broadcast with them or are of another width.

    Examples
    --------
    >>> import torch
    >>> from dctutor.losses import gaussian_divergences
    >>> codes, priors = torch.zeros(4, 1, 2), torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    >>> gaussian_divergences(codes, codes, priors)[0]
    tensor([ 0.0000, 12.5000])
    """
    check_same_shape("log_variance", log_variance, "mean", mean)
    for name, value in {"prior_mean": prior_mean, "prior_log_variance": prior_log_variance}.items():
        if value is not None and value.shape[-1:] != mean.shape[-1:]:
            raise ValueError(f"{name}: expected width {mean.shape[-1]}, that of mean, got shape {tuple(value.shape)}")
    distance = mean if prior_mean is None else mean - prior_mean
    ratio = log_variance if prior_log_variance is None else log_variance - prior_log_variance
    squared = distance.square()
    if prior_log_variance is not None:
        squared = squared * (-prior_log_variance).exp()
    # expm1: close to the prior, exp(v) - 1 - v would lose its digits.
    return (squared + torch.expm1(ratio) - ratio).sum(-1) / 2


@in_float32
def free_bits(divergences: Float[Tensor, "n ..."], least: float) -> Float[Tensor, ""]:
    r"""Divergence of a batch that counts only as far as it exceeds a free amount (Kingma et al. 2016, appendix C.8).

    .. math:: \sum_g \max\Big(\lambda, \frac{1}{n} \sum_i KL_{ig}\Big)

    Below :math:`\lambda` it has no gradient. A code can then carry that much information without being pushed back to
    the prior. GMVAE calls it the minimum-information constraint (Dilokthanakul et al. 2017).

    Parameters
    ----------
    divergences : Tensor of shape (n, ...)
        One per sample; with more dimensions, one per sample and group of codes.
    least : float
        :math:`\lambda` in nats, for each group; at least 0.

    Returns
    -------
    Tensor of shape ()
        In nats.

    Raises
    ------
    ValueError
        If ``least`` is negative.
    """
    if not least >= 0:
        raise ValueError(f"least: expected a number of at least 0, got {least!r}")
    return divergences.mean(0).clamp_min(least).sum()


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
