"""The divergence of a VAE's codes from a Gaussian mixture (Jiang, Zheng, Tan, Tang & Zhou 2017)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from dctutor.losses._common import check_same_shape, check_width
from dctutor.losses._precision import in_float32

__all__ = ["expected_mixture_nll", "mixture_kl"]


@in_float32
def expected_mixture_nll(
    mean: Float[Tensor, "n p"],
    log_variance: Float[Tensor, "n p"] | None,
    centers: Float[Tensor, "k p"],
    log_variances: Float[Tensor, "k p"],
    log_weights: Float[Tensor, " k"],
) -> Float[Tensor, "n k"]:
    r"""How unlikely codes and components are together, as a mean over a normal distribution of codes.

    .. math:: a_{ic} = -\mathbb{E}_{z \sim N(m_i, s_i^2)} \log \left[\pi_c N(z; \mu_c, \sigma_c^2)\right]
              = \frac{1}{2} \sum_j \left[\log 2 \pi \sigma_{cj}^2
              + \frac{s_{ij}^2 + (m_{ij} - \mu_{cj})^2}{\sigma_{cj}^2}\right] - \log \pi_c

    The closest responsibilities to the posterior of the component are :math:`\gamma_i = \mathrm{softmax}(-a_i)`.

    Parameters
    ----------
    mean, log_variance : Tensor of shape (n, p)
        :math:`m_i` and :math:`\log s_i^2`. If ``log_variance`` is None, codes are points: :math:`s_i = 0`.
    centers, log_variances : Tensor of shape (K, p)
        :math:`\mu_c` and :math:`\log \sigma_c^2`.
    log_weights : Tensor of shape (K,)
        :math:`\log \pi_c`.

    Returns
    -------
    Tensor of shape (n, K)
        In nats.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    check_width(mean, centers)
    check_same_shape("log_variances", log_variances, "centers", centers)
    if log_weights.shape != centers.shape[:1]:
        raise ValueError(
            f"log_weights: expected shape {(len(centers),)}, one per row of centers, got {tuple(log_weights.shape)}"
        )
    # Not by the expanded square, which loses digits where centres lie far from 0.
    spread = (mean.unsqueeze(1) - centers).square()
    if log_variance is not None:
        check_same_shape("log_variance", log_variance, "mean", mean)
        spread = spread + log_variance.exp().unsqueeze(1)
    return (math.log(2 * math.pi) + log_variances + spread * (-log_variances).exp()).sum(2) / 2 - log_weights


@in_float32
def mixture_kl(costs: Float[Tensor, "n k"], log_variance: Float[Tensor, "n p"]) -> Float[Tensor, ""]:
    r"""Divergence of code and component from a mixture prior, at the best responsibilities.

    .. math:: \frac{1}{n} \sum_i \min_{\gamma_i} KL\big(q(z | x_i) \gamma_i \,\Vert\, p(z, c)\big)
              = \frac{1}{n} \sum_i \left[-\log \sum_c e^{-a_{ic}} - \frac{1}{2} \sum_j \log 2 \pi e s_{ij}^2\right]

    The first term is the minimum of :math:`\sum_c \gamma_c (a_c + \log \gamma_c)`, reached at
    :math:`\gamma = \mathrm{softmax}(-a)`; the second is minus the entropy of the codes. With one component that is the
    standard normal distribution, this is `gaussian_kl`.

    Parameters
    ----------
    costs : Tensor of shape (n, K)
        :math:`a`, of `expected_mixture_nll`.
    log_variance : Tensor of shape (n, p)
        :math:`\log s_i^2`, what the encoder says of each sample.

    Returns
    -------
    Tensor of shape ()
        In nats, at least 0.
    """
    entropy = (math.log(2 * math.pi) + 1 + log_variance).sum(1) / 2
    return -(torch.logsumexp(-costs, 1) + entropy).mean()
