"""Losses and targets that keep clusters of even size (survey 3.2.3; Dizaji et al. 2017)."""

import torch
from jaxtyping import Float
from torch import Tensor

from dctutor._validation import check_number
from dctutor.losses._precision import in_float32

__all__ = ["balanced_assignments", "balanced_target"]


@in_float32
def balanced_assignments(q: Float[Tensor, "n k"], prior: Float[Tensor, " k"] | None = None) -> Float[Tensor, ""]:
    r"""Divergence of the clusters' sizes, as fractions, from those expected (survey eq. 8, 9; Dizaji et al. 2017).

    .. math:: g_k = \frac{1}{N} \sum_i q_{ik}, \qquad L_{ba} = KL(G \Vert U) = \sum_k g_k \log \frac{g_k}{u_k}

    The fractions are those of the rows given. In a small mini-batch they differ by chance even if clusters are even.

    Parameters
    ----------
    q : Tensor of shape (n, k)
        Soft assignments; rows sum to 1.
    prior : Tensor of shape (k,), optional
        The expected fractions :math:`u_k`, positive, summing to 1. By default the uniform distribution.

    Returns
    -------
    Tensor of shape ()
        The divergence in nats, at least 0.

    Raises
    ------
    ValueError
        If ``prior`` is not k positive numbers that sum to 1.
    """
    k = q.shape[1]
    if prior is None:
        prior = q.new_full((k,), 1 / k)
    elif prior.shape != (k,):
        raise ValueError(f"prior: expected shape ({k},), one fraction per column of q, got {tuple(prior.shape)}")
    elif not ((prior > 0).all() and abs(prior.sum().item() - 1) < 1e-4):
        raise ValueError(f"prior: expected positive fractions that sum to 1, got {prior.tolist()}")
    fractions = q.mean(0)
    # The floor gives an empty cluster a finite gradient.
    return (fractions * (fractions.clamp_min(torch.finfo(q.dtype).tiny).log() - prior.log())).sum()


@in_float32
def balanced_target(q: Float[Tensor, "n k"], *, balance: float = 0.5, sharpness: float = 1.0) -> Float[Tensor, "n k"]:
    r"""Target close to the assignments that fills the clusters more evenly (Dizaji et al. 2017, eq. 5).

    .. math:: p_{ik} = \frac{\left(q_{ik} / (\sum_{i'} q_{i'k})^\beta\right)^s}
                            {\sum_{k'} \left(q_{ik'} / (\sum_{i'} q_{i'k'})^\beta\right)^s}

    The paper has :math:`\beta = 1/2, s = 1`: its closed form for the P that minimises
    :math:`KL(P \Vert Q) / N + KL(G \Vert U)` (eq. 4), where G are the clusters' fractions of P. At the exact minimum,
    :math:`p_{ik} \propto q_{ik} / g_k`; the closed form is as if all rows had one normaliser. With :math:`s = 2`, as in
    the authors' code, it is DEC's `target_distribution`. The paper writes Q for the target and P for the assignments.

    Parameters
    ----------
    q : Tensor of shape (n, k)
        Soft assignments of the whole data set; rows sum to 1.
    balance : float
        :math:`\beta \geq 0`. With 0 there is no prior: large clusters stay large.
    sharpness : float
        :math:`s > 0`. Above 1, the cluster that leads in a row gains on the others.

    Returns
    -------
    Tensor of shape (n, k)
        Rows sum to 1. No gradient flows through it.

    Raises
    ------
    TypeError, ValueError
        If ``balance`` or ``sharpness`` is out of its range.
    """
    check_number("balance", balance)
    check_number("sharpness", sharpness, open_at_minimum=True)
    q = q.detach()
    # The floors give an entry or a cluster without mass a very low score, not minus infinity or NaN.
    tiny = torch.finfo(q.dtype).tiny
    return (sharpness * (q.clamp_min(tiny).log() - balance * q.sum(0).clamp_min(tiny).log())).softmax(1)
