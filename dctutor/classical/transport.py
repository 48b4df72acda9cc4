"""Optimal transport: assignments of samples to clusters whose sizes are given."""

import torch
from jaxtyping import Float
from torch import Tensor

from dctutor._validation import check_integer, check_number

__all__ = ["sinkhorn"]


@torch.no_grad()
def sinkhorn(
    log_p: Float[Tensor, "n k"],
    lam: float,
    *,
    rows: Float[Tensor, " n"] | None = None,
    columns: Float[Tensor, " k"] | None = None,
    tol: float = 1e-3,
    max_iter: int = 1000,
) -> Float[Tensor, "n k"]:
    r"""Assign samples softly to clusters of given sizes, by the algorithm of Sinkhorn and Knopp (Cuturi 2013).

    .. math:: \min_Q \langle Q, -\log P \rangle + \tfrac{1}{\lambda} KL(Q \Vert r c^\top), \qquad
              Q 1 = r, \quad Q^\top 1 = c

    The solution is :math:`\operatorname{diag}(\alpha) P^\lambda \operatorname{diag}(\beta)`. The two vectors are found
    in turn, in logarithms: :math:`P^\lambda` itself would underflow.

    Parameters
    ----------
    log_p : Tensor of shape (n, k)
        Logarithms of the probabilities of each sample, or other scores.
    lam : float
        :math:`\lambda > 0`; the larger, the harder the assignments, and the more iterations they take.
    rows : Tensor of shape (n,), optional
        Masses r of the samples, positive, with the sum 1; equal by default.
    columns : Tensor of shape (k,), optional
        Masses c of the clusters, positive, with the sum 1; equal by default.
    tol : float
        Iterations end when the sums over the columns are within this of c, all together: :math:`\Vert Q^\top 1 - c
        \Vert_1`. Sums over rows are exact.
    max_iter : int
        The most iterations.

    Returns
    -------
    Tensor of shape (n, k)
        The plan Q, in double precision; its sum is 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS 2013.
    .. [2] Asano, Rupprecht & Vedaldi, "Self-labelling via simultaneous clustering and representation learning", ICLR
       2020, equation 5.
    """
    check_number("lam", lam, open_at_minimum=True)
    check_number("tol", tol, open_at_minimum=True)
    check_integer("max_iter", max_iter, minimum=1)
    scores = lam * log_p.double()
    if not torch.isfinite(scores).all():
        raise ValueError("log_p: expected finite scores, got NaN or infinity")
    log_r, log_c = (
        _log_masses(name, given, size, scores)
        for name, given, size in (("rows", rows, len(scores)), ("columns", columns, scores.shape[1]))
    )
    log_beta = torch.zeros_like(log_c)
    for _ in range(max_iter):
        log_alpha = log_r - (scores + log_beta).logsumexp(1)
        sums = (scores + log_alpha.unsqueeze(1)).logsumexp(0)
        if (torch.exp(sums + log_beta) - log_c.exp()).abs().sum() < tol:
            break
        log_beta = log_c - sums
    else:
        log_alpha = log_r - (scores + log_beta).logsumexp(1)
    return torch.exp(scores + log_alpha.unsqueeze(1) + log_beta)


def _log_masses(name: str, given: Tensor | None, size: int, like: Tensor) -> Tensor:
    """Logarithms of masses, which are equal unless given."""
    if given is None:
        return like.new_full((size,), 1 / size).log()
    if given.shape != (size,) or not (given > 0).all() or abs(given.sum().item() - 1) > 1e-4:
        raise ValueError(f"{name}: expected {size} positive masses that sum to 1, got {given.tolist()}")
    return given.to(like).log()
