"""Fuzzy k-means: the clustering loss of DMC (survey 6.1)."""

import torch
from jaxtyping import Float
from torch import Tensor

from dctutor.losses._common import squared_distances
from dctutor.losses._precision import in_float32

__all__ = ["fuzzy_k_means", "fuzzy_memberships"]


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
    r"""Squared distances to all centres, of which near ones count more (Bezdek 1981).

    .. math:: L_{fkm} = \frac{1}{N} \sum_i \sum_k q_{ik}^m \lVert z_i - \mu_k \rVert^2

    with :math:`q_{ik}` from `fuzzy_memberships`, taken as constants. For given distances they minimise the sum, so that
    a gradient through them would be zero. Near :math:`m = 1` this is the k-means loss (survey eq. 4).

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
    if not m > 1:
        raise ValueError(f"m: expected a number above 1, got {m!r}")
    return squared_distances(z, centers)
