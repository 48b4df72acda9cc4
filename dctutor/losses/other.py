"""The clustering losses that the survey names without an equation (3.2.4; 6.1, DMC); JULE's are in `agglomerative`."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from dctutor.losses._common import check_labels, check_width
from dctutor.losses._precision import in_float32

__all__ = ["cluster_classification", "fuzzy_k_means", "fuzzy_memberships", "group_sparsity"]


@in_float32
def group_sparsity(z: Float[Tensor, "n p"], group_sizes: Sequence[int]) -> Float[Tensor, ""]:
    r"""Pull whole groups of a code's entries to zero (Huang et al. 2014; survey 3.2.4).

    .. math:: L_{gs} = \frac{1}{N} \sum_i \sum_g \sqrt{n_g} \, \lVert z_i^{(g)} \rVert

    The code is cut into groups of :math:`n_g` entries, one group a cluster. A norm that is not squared is the group
    lasso: it pulls as hard on a group of small entries as on one of large ones, so that weak groups reach zero and the
    others say which cluster a sample is in. The root makes groups of different sizes comparable.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Embedded samples.
    group_sizes : sequence of int
        Entries of each group, in order; their sum is p.

    Returns
    -------
    Tensor of shape ()
        The mean over samples, in units of ``z``. The gradient of a group that is exactly zero is zero.

    Raises
    ------
    ValueError
        If the sizes are not positive or do not sum to p.
    """
    sizes = list(group_sizes)
    if sum(sizes) != z.shape[1] or min(sizes) < 1:
        raise ValueError(f"group_sizes: expected positive sizes that sum to {z.shape[1]}, the width of z, got {sizes}")
    groups = z.split(sizes, dim=1)
    return sum(
        size**0.5 * torch.linalg.vector_norm(part, dim=1).mean() for size, part in zip(sizes, groups, strict=True)
    )


@in_float32
def cluster_classification(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    r"""Cross-entropy of a classifier whose classes are the clusters (Hsu and Lin 2018; survey 3.2.4).

    .. math:: L_{cc} = -\frac{1}{N} \sum_i \log q_{i c_i}, \qquad q_i = \mathrm{softmax}(\ell_i)

    The labels are those of the last clustering of the codes: no true class enters.

    Parameters
    ----------
    logits : Tensor of shape (n, k)
        The classifier's outputs :math:`\ell_i`, before the softmax.
    labels : Tensor of shape (n,)
        The cluster :math:`c_i` of each sample.

    Returns
    -------
    Tensor of shape ()
        The loss in nats, at least 0.

    Raises
    ------
    TypeError, ValueError
        If ``labels`` is not one integer a sample (on a CPU, also if one is none of 0 to k - 1).
    """
    labels = check_labels(labels, len(logits), "one a row of logits", logits.shape[1])
    return functional.cross_entropy(logits, labels)


@in_float32
def fuzzy_memberships(z: Float[Tensor, "n p"], centers: Float[Tensor, "k p"], m: float = 1.5) -> Float[Tensor, "n k"]:
    r"""Soft assignments by inverse distance, those of fuzzy k-means (Bezdek 1981).

    .. math:: q_{ik} = \frac{\lVert z_i - \mu_k \rVert^{-2 / (m - 1)}}
                            {\sum_{k'} \lVert z_i - \mu_{k'} \rVert^{-2 / (m - 1)}}

    They compare distances by their ratio, so that the unit of ``z`` does not matter.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Embedded samples.
    centers : Tensor of shape (k, p)
        Cluster centres :math:`\mu_k`.
    m : float
        Fuzziness, above 1. Near 1 each row approaches a hard assignment; the larger, the more even the rows.

    Returns
    -------
    Tensor of shape (n, k)
        Rows sum to 1. A sample that lies on a centre belongs to it alone.

    Raises
    ------
    ValueError
        If ``z`` and ``centers`` differ in width, or ``m`` is not above 1.
    """
    # A softmax of logs: the powers themselves overflow near a centre and underflow far from it.
    squared = _squared_distances(z, centers, m).clamp_min(torch.finfo(z.dtype).tiny)
    return torch.softmax(-squared.log() / (m - 1), dim=1)


@in_float32
def fuzzy_k_means(z: Float[Tensor, "n p"], centers: Float[Tensor, "k p"], m: float = 1.5) -> Float[Tensor, ""]:
    r"""Squared distances to all centres, the nearer the more they count (Bezdek 1981).

    .. math:: L_{fkm} = \frac{1}{N} \sum_i \sum_k q_{ik}^m \lVert z_i - \mu_k \rVert^2

    with :math:`q_{ik}` from `fuzzy_memberships`, taken as constants: for given distances they minimise the sum, so that
    a gradient through them would be zero anyway. Near :math:`m = 1` this is the k-means loss (survey eq. 4).

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Embedded samples.
    centers : Tensor of shape (k, p)
        Cluster centres :math:`\mu_k`.
    m : float
        Fuzziness, above 1.

    Returns
    -------
    Tensor of shape ()
        The mean over samples, in squared units of ``z``.

    Raises
    ------
    ValueError
        As `fuzzy_memberships`.
    """
    q = fuzzy_memberships(z, centers, m).detach()
    return (q**m * _squared_distances(z, centers, m)).sum(1).mean()


def _squared_distances(z: Tensor, centers: Tensor, m: float) -> Tensor:
    check_width(z, centers)
    if not m > 1:
        raise ValueError(f"m: expected a number above 1, got {m!r}")
    # The squares of an absurdly far point must stay finite, or its row turns into NaN.
    limit = (torch.finfo(z.dtype).max / z.shape[1]) ** 0.5 / 2
    return (z.unsqueeze(1) - centers.unsqueeze(0)).clamp(-limit, limit).square().sum(2)
