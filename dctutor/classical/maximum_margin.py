"""Nonparametric maximum-margin clustering: it draws how many clusters there are, and separates them by margins."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor

from dctutor._validation import check_integer, check_number

__all__ = ["MaximumMargin", "maximum_margin"]

_SHRINK, _STEP = 0.99, 0.01  # of a cluster's weights that loses a sample; the largest step of a margin's update


class MaximumMargin(NamedTuple):
    """What `maximum_margin` found; K is the most clusters that it was allowed.

    Attributes
    ----------
    labels : ndarray of shape (n,)
        Cluster of each sample; clusters in use have the first numbers, the largest first.
    weights : ndarray of shape (K, p)
        The direction w of each cluster; zero for those not in use.
    counts : ndarray of shape (K,)
        Samples per cluster.
    alpha : float
        The concentration at the end.
    """

    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    counts: NDArray[np.int64]
    alpha: float


def maximum_margin(
    z: Tensor,
    most: int,
    generator: torch.Generator,
    *,
    sharpness: float = 4.25,
    alpha: float | None = None,
    sweeps: int = 20,
) -> MaximumMargin:
    r"""Cluster centred samples by Gibbs sampling from a Dirichlet process whose components are directions.

    One sample after another leaves its cluster and draws a new one, with :math:`n_k` the other samples of cluster k:

    .. math:: p(y_i = k) \propto n_k \exp\left(C \, w_k^\top z_i - \tfrac{1}{2} \lVert w_k \rVert^2\right)

    A cluster without samples, whose w is drawn at right angles to all others, has the concentration :math:`\alpha` in
    place of :math:`n_k`. If another cluster then comes within a margin of 1 of the new one, the two directions move
    apart by a passive-aggressive step.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples, whose mean is zero.
    most : int
        No cluster is added beyond this number.
    generator : torch.Generator
        Source of the randomness.
    sharpness : float
        C, positive: the larger, the less the sizes of the clusters count.
    alpha : float, optional
        The concentration, positive; by default it starts at n / 50 and is drawn after each sweep from its posterior
        under the prior of Rasmussen (2000).
    sweeps : int
        How often every sample draws a cluster.

    Returns
    -------
    MaximumMargin

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] Chen, "Deep learning with nonparametric clustering", 2015, follows this sampler. Its text was not at hand;
       numbers are those of the same author's code for a later paper on Dirichlet process mixtures.
    .. [2] Rasmussen, "The infinite Gaussian mixture model", NIPS 1999, equation 15.
    """
    most = check_integer("most", most, minimum=1)
    sweeps = check_integer("sweeps", sweeps, minimum=1)
    sharpness = check_number("sharpness", sharpness, open_at_minimum=True)
    drawn = alpha is None
    alpha = len(z) / 50 if alpha is None else check_number("alpha", alpha, open_at_minimum=True)
    x = z.detach().double().cpu().numpy()
    n, p = x.shape
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator, device=generator.device)))
    labels, counts = np.zeros(n, np.int64), np.zeros(most, np.int64)
    weights, lengths = np.zeros((most, p)), np.zeros(most)
    counts[0], weights[0] = n, rng.normal(size=p)
    lengths[0] = weights[0] @ weights[0]
    squares = np.maximum((x * x).sum(1), 1e-12)
    for _ in range(sweeps):
        for i in rng.permutation(n):
            old = labels[i]
            counts[old] -= 1
            weights[old] *= _SHRINK
            lengths[old] *= _SHRINK**2
            used = counts > 0
            prior = counts.astype(float)
            if not used.all():
                empty = int(np.flatnonzero(~used)[0])
                weights[empty] = _orthogonal(weights[used], np.asarray(rng.standard_normal(p)))
                lengths[empty], prior[empty] = weights[empty] @ weights[empty], alpha
            along = weights @ x[i]
            with np.errstate(divide="ignore"):
                score = np.log(prior) + sharpness * along - lengths / 2
            label = int(np.argmax(score + rng.gumbel(size=most)))
            labels[i] = label
            counts[label] += 1
            used[label] = True
            if used.sum() > 1:
                rivals = np.where(used, along, -np.inf)
                rivals[label] = -np.inf
                rival = int(rivals.argmax())
                loss = rivals[rival] + 1 - along[label]
                if loss > 0:
                    step = min(_STEP, loss / (2 * squares[i])) * x[i]
                    weights[label] += step
                    weights[rival] -= step
                    for k in (label, rival):
                        lengths[k] = weights[k] @ weights[k]
        if drawn:
            alpha = _concentration(int((counts > 0).sum()), n, rng)
    weights[counts == 0] = 0
    order = np.argsort(-counts, kind="stable")
    return MaximumMargin(np.argsort(order)[labels], weights[order], counts[order], float(alpha))


def _orthogonal(others: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take from w what lies in the span of the others."""
    gram = others @ others.T
    gram[np.diag_indices_from(gram)] += 1e-8 * (1 + gram.trace())
    return w - others.T @ np.linalg.solve(gram, others @ w)


def _concentration(k: int, n: int, rng: np.random.Generator) -> float:
    """Draw the concentration, given k clusters of n samples: on a grid, as its logarithm has one dimension."""
    grid = np.linspace(np.log(1e-3), np.log(1e4), 2000)
    a = np.exp(grid)
    density = (k - 1.5) * grid - 1 / (2 * a) + gammaln(a) - gammaln(n + a) + grid  # the last: of the logarithm
    return float(a[np.argmax(density + rng.gumbel(size=len(grid)))])
