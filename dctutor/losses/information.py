"""How much cluster assignments say of the samples: entropies, from logits.

Krause et al. (2010), Springenberg (2016), Hu et al. (2017). `information_bound` is for assignments that are known,
because samples were made for them (Chen et al. 2016).
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from dctutor.losses._precision import in_float32

__all__ = ["conditional_entropy", "information_bound", "marginal_divergence", "marginal_entropy", "mutual_information"]


def _log_softmax(logits: Tensor) -> Tensor:
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"logits: expected shape (n, K), got {tuple(logits.shape)}")
    # The floor: 0 times minus infinity, the logarithm of a probability too small for its type, would be NaN.
    return logits.log_softmax(1).clamp_min(torch.finfo(logits.dtype).min)


def _log_mean(log_p: Tensor) -> Tensor:
    return log_p.logsumexp(0) - math.log(len(log_p))


def _entropy(log_p: Tensor) -> Tensor:
    return -(log_p.exp() * log_p).sum(-1)


@in_float32
def conditional_entropy(logits: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    r"""How unsure the assignments of single samples are (Springenberg 2016, eq. 4).

    .. math:: H(y | x) = \frac{1}{n} \sum_i H(p_i) = -\frac{1}{n} \sum_i \sum_k p_{ik} \log p_{ik},
              \qquad p_i = \mathrm{softmax}(\mathrm{logits}_i)

    Parameters
    ----------
    logits : Tensor of shape (n, K)
        One row per sample.

    Returns
    -------
    Tensor of shape ()
        In nats: 0 if every sample is surely in one cluster, log K if nothing is known of any.

    Raises
    ------
    ValueError
        If there is no row or no column.
    """
    return _entropy(_log_softmax(logits)).mean()


@in_float32
def information_bound(logits: Float[Tensor, "n k"], categories: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    r"""Lower bound on the information that a category and what was made for it share (Chen et al. 2016, eq. 5).

    .. math:: L_I = H(c) + \frac{1}{n} \sum_i \log q_{i c_i} \le I(c; x),
              \qquad q_i = \mathrm{softmax}(\mathrm{logits}_i), \quad H(c) = \log K

    It is the mutual information if q is the posterior of the category given the sample. The entropy is that of
    categories drawn evenly, not that of the batch.

    Parameters
    ----------
    logits : Tensor of shape (n, K)
        What is read from each sample.
    categories : Tensor of shape (n,)
        What each sample was made for, 0 to K - 1.

    Returns
    -------
    Tensor of shape ()
        In nats, at most log K. It is below 0 if q is further from the truth than a guess.

    Raises
    ------
    ValueError
        If there is no row or no column, or there are not as many categories as rows.
    """
    log_p = _log_softmax(logits)
    if categories.shape != log_p.shape[:1]:
        raise ValueError(f"categories: expected shape ({len(log_p)},), got {tuple(categories.shape)}")
    return math.log(log_p.shape[1]) - functional.nll_loss(log_p, categories)


@in_float32
def marginal_entropy(logits: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    r"""How evenly the clusters are used (Springenberg 2016, eq. 6).

    .. math:: H(y) = H(\bar{p}) = -\sum_k \bar{p}_k \log \bar{p}_k, \qquad \bar{p} = \frac{1}{n} \sum_i p_i,
              \quad p_i = \mathrm{softmax}(\mathrm{logits}_i)

    The mean is that of the rows given. With few rows per cluster it is uneven by chance, and the entropy too low.
    It is log K minus `balanced_assignments` of the same probabilities.

    Parameters
    ----------
    logits : Tensor of shape (n, K)
        One row per sample of a batch.

    Returns
    -------
    Tensor of shape ()
        In nats: 0 if all samples are in one cluster, log K if clusters are of even size.

    Raises
    ------
    ValueError
        If there is no row or no column.
    """
    log_p = _log_softmax(logits)
    return _entropy(_log_mean(log_p))


@in_float32
def marginal_divergence(logits: Float[Tensor, "n k"], prior: Float[Tensor, " k"] | None = None) -> Float[Tensor, ""]:
    r"""How far the use of the clusters is from the fractions that are expected (Hu et al. 2017, eq. 10).

    .. math:: KL(\bar{p} \Vert q) = \sum_k \bar{p}_k \log \frac{\bar{p}_k}{q_k}, \qquad
              \bar{p} = \frac{1}{n} \sum_i p_i, \quad p_i = \mathrm{softmax}(\mathrm{logits}_i)

    With a uniform prior it is log K minus `marginal_entropy`. It is `balanced_assignments` of the same probabilities;
    from logits, the gradient reaches a cluster that has become empty.

    Parameters
    ----------
    logits : Tensor of shape (n, K)
        One row per sample of a batch.
    prior : Tensor of shape (K,), optional
        The expected fractions q, positive, summing to 1. By default the uniform distribution.

    Returns
    -------
    Tensor of shape ()
        In nats, at least 0.

    Raises
    ------
    ValueError
        If there is no row or no column, or ``prior`` is not K positive numbers that sum to 1.
    """
    log_p = _log_mean(_log_softmax(logits))
    if prior is None:
        return math.log(len(log_p)) - _entropy(log_p)
    if prior.shape != log_p.shape or not ((prior > 0).all() and abs(prior.sum().item() - 1) < 1e-4):
        raise ValueError(f"prior: expected {len(log_p)} positive fractions that sum to 1, got {prior.tolist()}")
    return (log_p.exp() * (log_p - prior.log())).sum()


@in_float32
def mutual_information(logits: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    r"""Information that samples and clusters share (Krause et al. 2010).

    .. math:: I(x; y) = H(y) - H(y | x)

    `marginal_entropy` minus `conditional_entropy`: large if each sample is surely in one cluster, and clusters are of
    even size. Any partition into even clusters reaches the maximum, including one at random.

    Parameters
    ----------
    logits : Tensor of shape (n, K)
        One row per sample of a batch.

    Returns
    -------
    Tensor of shape ()
        In nats, from 0 to the logarithm of K or of n, whichever is less.

    Raises
    ------
    ValueError
        If there is no row or no column.
    """
    return marginal_entropy(logits) - conditional_entropy(logits)
