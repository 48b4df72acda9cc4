"""Losses that pull samples towards clusters (survey 3.2)."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dctutor.losses._common import Reduction, check_labels, check_same_shape, check_width, reduced, squared_distances
from dctutor.losses._precision import in_float32

__all__ = ["assignment_hardening", "boosted_target", "k_means", "student_t", "target_distribution"]


@in_float32
def student_t(z: Float[Tensor, "n p"], centers: Float[Tensor, "k p"], nu: float = 1.0) -> Float[Tensor, "n k"]:
    r"""Soft assignments from Student's t kernel (survey eq. 5; Xie et al. 2016, eq. 1).

    .. math:: q_{ij} = \frac{(1 + \lVert z_i - \mu_j \rVert^2 / \nu)^{-(\nu + 1) / 2}}
                            {\sum_{j'} (1 + \lVert z_i - \mu_{j'} \rVert^2 / \nu)^{-(\nu + 1) / 2}}

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Embedded samples.
    centers : Tensor of shape (k, p)
        Cluster centres :math:`\mu_j`.
    nu : float
        Degrees of freedom :math:`\nu > 0`. Smaller values give heavier tails.

    Returns
    -------
    Tensor of shape (n, k)
        Rows sum to 1.

    Raises
    ------
    ValueError
        If ``z`` and ``centers`` differ in width, or ``nu`` is not positive.
    """
    if not nu > 0:
        raise ValueError(f"nu: expected a positive number, got {nu!r}")
    squared = squared_distances(z, centers, min(nu, 1))
    # A softmax of logs: the kernel itself underflows if every centre is far away.
    return torch.softmax(-(nu + 1) / 2 * torch.log1p(squared / nu), dim=1)


@in_float32
def target_distribution(q: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    r"""Sharpened assignments that training aims at (survey eq. 6; Xie et al. 2016, eq. 3).

    .. math:: p_{ij} = \frac{q_{ij}^2 / \sum_i q_{ij}}{\sum_{j'} (q_{ij'}^2 / \sum_i q_{ij'})}

    Squaring favours the cluster that already leads; the division by the cluster's soft size
    keeps a large cluster from taking all. The sizes are those of the rows given, so pass the
    assignments of the whole data set.

    Parameters
    ----------
    q : Tensor of shape (n, k)
        Soft assignments; rows sum to 1.

    Returns
    -------
    Tensor of shape (n, k)
        Rows sum to 1. No gradient flows through it.
    """
    q = q.detach()
    # An empty cluster has q = 0 in every row: the floor turns 0 / 0 into 0.
    weight = q.square() / q.sum(0).clamp_min(torch.finfo(q.dtype).tiny)
    return weight / weight.sum(1, keepdim=True)


@in_float32
def boosted_target(
    s: Float[Tensor, "n k"], *, power: float = 2.0, balance: Literal["boosted", "soft"] | None = "boosted"
) -> Float[Tensor, "n k"]:
    r"""Powers of the assignments, divided by a size of each cluster (Li et al. 2017, eq. 2 and algorithm 2).

    .. math:: r_{ij} = \frac{s_{ij}^\alpha / n_j}{\sum_{j'} s_{ij'}^\alpha / n_{j'}}

    A power above 1 raises the share of the cluster that leads. With a power of 2 and ``balance="soft"``, it is DEC's
    `target_distribution`. The sizes are those of the rows given, so pass the assignments of the whole data set.

    Parameters
    ----------
    s : Tensor of shape (n, k)
        Soft assignments; rows sum to 1.
    power : float, default 2
        The exponent :math:`\alpha > 0`.
    balance : {"boosted", "soft"} or None
        The sizes :math:`n_j`: :math:`\sum_i s_{ij}^\alpha`, :math:`\sum_i s_{ij}`, or 1.

    Returns
    -------
    Tensor of shape (n, k)
        Rows sum to 1. No gradient flows through it.

    Raises
    ------
    ValueError
        If ``power`` is not positive, or ``balance`` is none of the three.
    """
    if not power > 0:
        raise ValueError(f"power: expected a positive number, got {power!r}")
    if balance not in ("boosted", "soft", None):
        raise ValueError(f"balance: expected 'boosted', 'soft' or None, got {balance!r}")
    log = s.detach().log()  # powers underflow, their logs do not
    raised = power * log
    if balance is not None:
        size = (raised if balance == "boosted" else log).logsumexp(0)
        raised = raised - size.where(size.isfinite(), 0)  # an empty cluster stays empty
    return raised.softmax(1)


@in_float32
def assignment_hardening(
    p: Float[Tensor, "n k"], q: Float[Tensor, "n k"], *, reduction: Reduction = "mean"
) -> Float[Tensor, ""]:
    r"""Kullback-Leibler divergence from assignments to their target (survey eq. 7; Xie et al. 2016, eq. 2).

    .. math:: L_{hard} = KL(P \Vert Q) = \sum_i \sum_j p_{ij} \log \frac{p_{ij}}{q_{ij}}

    Parameters
    ----------
    p : Tensor of shape (n, k)
        Target distribution.
    q : Tensor of shape (n, k)
        Soft assignments.
    reduction : {"mean", "sum"}
        ``"sum"`` is the equation as printed; ``"mean"`` divides it by n.

    Returns
    -------
    Tensor of shape ()
        The divergence in nats, at least 0.

    Raises
    ------
    ValueError
        If the shapes differ, or ``reduction`` is neither of the two.
    """
    check_same_shape("q", q, "p", p)
    tiny = torch.finfo(q.dtype).tiny
    # xlogy takes 0 log 0 as 0; the floor keeps log q finite.
    total = (torch.xlogy(p, p) - p * q.clamp_min(tiny).log()).sum()
    return reduced(total, len(p), reduction)


@in_float32
def k_means(
    z: Float[Tensor, "n p"],
    centers: Float[Tensor, "k p"],
    labels: Int[Tensor, " n"],
    *,
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    r"""Squared distance of samples to the centres of their clusters (survey eq. 4; Yang et al. 2017).

    .. math:: L_{km} = \sum_{i=1}^N \sum_{k=1}^K s_{ik} \lVert z_i - \mu_k \rVert^2

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Embedded samples.
    centers : Tensor of shape (k, p)
        Cluster centres :math:`\mu_k`.
    labels : Tensor of shape (n,)
        The cluster of each sample, 0 to k - 1: :math:`s_{ik} = 1` where ``labels[i] == k``.
    reduction : {"mean", "sum"}
        ``"sum"`` is the equation as printed; ``"mean"`` divides it by n.

    Returns
    -------
    Tensor of shape ()
        The loss, in squared units of ``z``.

    Raises
    ------
    TypeError, ValueError
        If ``z`` and ``centers`` differ in width, ``labels`` is not one integer per sample, ``reduction`` is neither of
        the two, or, on a CPU, if a label is not the index of a centre.
    """
    check_width(z, centers)
    labels = check_labels(labels, len(z), "one per sample", len(centers))
    total = (z - centers[labels]).square().sum()
    return reduced(total, len(z), reduction)
