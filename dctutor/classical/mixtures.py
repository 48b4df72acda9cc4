"""Gaussian mixtures, fitted by expectation and maximisation, without a network: what CM trains, and VaDE's start."""

import warnings
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_array
from torch import Tensor

from dctutor._validation import check_integer, check_number
from dctutor.classical._threads import one_thread

__all__ = ["SphericalMixture", "diagonal_mixture", "spherical_mixture"]

Array = NDArray[np.float64]
_EXACT = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 2000}


class SphericalMixture(NamedTuple):
    """What `spherical_mixture` found.

    Attributes
    ----------
    centers : ndarray of shape (K, d)
        The centroids.
    gamma : ndarray of shape (n, K)
        Responsibilities; rows sum to 1.
    objective : list of float
        The objective before each step of maximisation; it never rises, up to the tolerance of a numerical solver.
    """

    centers: Array
    gamma: Array
    objective: list[float]


def spherical_mixture(
    X: ArrayLike,
    centers: ArrayLike,
    *,
    alpha: float = 1.0,
    variance: float = 0.0,
    max_iter: int = 300,
    tol: float = 1e-6,
) -> SphericalMixture:
    r"""Fit the mixture that makes a clustering module's assumptions, by alternating minimisation.

    .. math:: \frac{1}{n d} \sum_{ik} \gamma_{ik} \left[ \lVert x_i - \mu_k \rVert^2
              + 2 \sigma^2 \log \gamma_{ik} \right] + (1 - \alpha) \sum_k \log \frac{1}{n} \sum_i \gamma_{ik}

    All components have the covariance :math:`\sigma^2 I` and the same weight. With :math:`\alpha = 1` this is EM for
    that mixture, and with :math:`\sigma^2 = 0` it is its limit, k-means. At :math:`\sigma^2 = 0` the objective is the
    loss of `ClusteringModule` over the whole data, with assignments that are free instead of a network's output.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Samples; for the ``alpha`` of a fitted ``ClusteringModule``, its ``transform(X)``.
    centers : array-like of shape (K, d)
        Centroids to start from.
    alpha : float, default=1.0
        Concentration of the Dirichlet prior, at least 1; 1 leaves it out.
    variance : float, default=0.0
        Variance :math:`\sigma^2` of the components, in squared units of ``X``.
    max_iter : int, default=300
        Largest number of steps.
    tol : float, default=1e-6
        It ends when no entry of a centroid moves by more than this fraction of the largest entry, both measured from
        the mean of ``X``.

    Returns
    -------
    SphericalMixture
        Centroids, responsibilities and the objective at each step.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it has to be.

    Notes
    -----
    For given centroids the best responsibilities are a softmax of
    :math:`(v_k d - \lVert x_i - \mu_k \rVert^2) / 2 \sigma^2`, where :math:`v_k = (\alpha - 1) / \bar\gamma_k` is what
    the prior pays for one more sample in cluster k. The K numbers :math:`v_k` maximise a concave function, the dual.
    With a prior, the variance is at least 0.005 per cent of the samples' mean squared distance from their mean: at 0,
    the best responsibilities may have to split samples that lie on a border.
    """
    x = check_array(X, dtype=np.float64, input_name="X")
    mu = check_array(centers, dtype=np.float64, input_name="centers", copy=True)
    if mu.shape[1] != x.shape[1]:
        raise ValueError(f"centers: expected width {x.shape[1]}, that of X, got {mu.shape[1]}")
    prior = check_number("alpha", alpha, minimum=1) - 1
    tau = 2 * check_number("variance", variance) / x.shape[1]
    check_integer("max_iter", max_iter, minimum=1)
    check_number("tol", tol)
    origin = x.mean(0)  # squared distances of samples far from 0 would lose their digits
    x, mu = x - origin, mu - origin
    if prior:
        tau = max(tau, 1e-4 * float(np.mean(x**2)))
    u = np.log(np.full(len(mu), max(prior, 1e-12) * len(mu)))
    trace: list[float] = []
    length = np.einsum("ij,ij->i", x, x)[:, None]

    def expectation(mu: Array, u: Array) -> tuple[Array, Array, Array]:
        cost = (length - 2 * (x @ mu.T) + np.square(mu).sum(1)) / x.shape[1]
        if prior:
            u = minimize(_dual, u, (cost, prior, tau), jac=True, method="L-BFGS-B", options=_EXACT).x
        return cost, _responsibilities(cost - np.exp(u) * (prior > 0), tau)[0], u

    for _ in range(max_iter):
        cost, gamma, u = expectation(mu, u)
        weight = gamma.mean(0)
        entropy = -np.sum(gamma * np.log(np.maximum(gamma, 1e-300))) / len(x)
        trace.append(float((gamma * cost).sum() / len(x) - tau * entropy - prior * np.log(weight + 1e-10).sum()))
        moved = np.where(weight[:, None] > 1e-12, gamma.T @ x / len(x) / np.maximum(weight, 1e-12)[:, None], mu)
        step, mu = np.abs(moved - mu).max(), moved
        if step <= tol * np.abs(mu).max():
            break
    return SphericalMixture(mu + origin, expectation(mu, u)[1], trace)


def _responsibilities(cost: Array, tau: float) -> tuple[Array, Array]:
    """Softmax of -cost / tau, and the soft minimum of each row of costs."""
    if tau == 0:
        return np.eye(cost.shape[1])[cost.argmin(1)], cost.min(1)
    total = logsumexp(-cost / tau, axis=1)
    return np.exp(-cost / tau - total[:, None]), -tau * total


def _dual(u: Array, cost: Array, prior: float, tau: float) -> tuple[float, Array]:
    """Minus the dual of the best responsibilities at v = exp(u), and its gradient."""
    gamma, least = _responsibilities(cost - np.exp(u), tau)
    return -(prior * u.sum() + least.mean()), np.exp(u) * gamma.mean(0) - prior


def diagonal_mixture(
    z: Tensor, n_clusters: int, generator: torch.Generator, *, labels: Tensor | None = None, n_init: int = 5
) -> dict[str, Tensor]:
    """Fit a Gaussian mixture with a variance per component and dimension, by scikit-learn's EM or to given clusters.

    Parameters
    ----------
    z : Tensor of shape (n, p)
        Samples, such as an embedding.
    n_clusters : int
        Number of components, K.
    generator : torch.Generator
        Source of the randomness.
    labels : Tensor of shape (n,), optional
        Clusters, 0 to K - 1, none of them empty: components get their sizes, means and variances, and EM does not move
        them. By default EM starts from k-means.
    n_init : int, default=5
        Starts by k-means; the likeliest mixture counts.

    Returns
    -------
    dict of str to Tensor
        ``"weights"`` (K,), ``"means"`` (K, p), ``"variances"`` (K, p), and ``"labels"`` (n,), the likeliest component
        of each sample; on the device of ``z``.
    """
    x = z.detach().cpu().double().numpy()
    # Relative to the data: EM would give a component of equal samples any density otherwise.
    floor = 1e-3 * float(x.var(0).mean()) + 1e-9 * float(np.square(x).mean()) + 1e-12
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    mixture = GaussianMixture(
        n_clusters, covariance_type="diag", reg_covar=floor, random_state=seed, max_iter=200, n_init=n_init
    )
    # NumPy arrays need no dispatch, which scikit-learn's start by k-means does not allow.
    with one_thread(), warnings.catch_warnings(), config_context(array_api_dispatch=False):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different samples than clusters, or slow EM
        if labels is None:
            mixture.fit(x)
        else:
            member = labels.cpu().numpy()
            groups = [x[member == k] for k in range(n_clusters)]
            mixture.weights_ = np.array([len(group) / len(x) for group in groups])
            mixture.means_ = np.stack([group.mean(0) for group in groups])
            mixture.covariances_ = np.stack([group.var(0) for group in groups]) + floor
            mixture.precisions_cholesky_ = mixture.covariances_**-0.5
        found = mixture.predict(x)
    numbers = {"weights": mixture.weights_, "means": mixture.means_, "variances": mixture.covariances_}
    tensors = {name: torch.tensor(values, dtype=torch.float32) for name, values in numbers.items()}
    tensors["labels"] = torch.tensor(found, dtype=torch.int64)
    return {name: tensor.to(z.device) for name, tensor in tensors.items()}
