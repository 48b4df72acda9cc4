"""The losses of a Gaussian mixture as a network, CM and AE-CM (Boubekki, Kampffmeyer, Brefeld & Jenssen 2021)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dctutor.losses._precision import in_float32
from dctutor.losses.nonclustering import reconstruction

__all__ = ["centroid_correlation", "clustering_module", "dirichlet_prior", "gini_impurity", "orthonormality"]


@in_float32
def gini_impurity(gamma: Float[Tensor, "n k"], weight: Float[Tensor, " k"] | None = None) -> Float[Tensor, ""]:
    r"""How undecided soft assignments are; with weights, the second term of the clustering module.

    .. math:: E_2 = \sum_k w_k \sum_i \gamma_{ik} (1 - \gamma_{ik}), \qquad w_k = \lVert \mu_k \rVert^2

    Each addend is 0 where :math:`\gamma_{ik}` is 0 or 1. With :math:`w_k = 1`, as in AE-CM, the sum over k is the Gini
    impurity of row i: the chance that two clusters drawn from it differ.

    Parameters
    ----------
    gamma : Tensor of shape (n, k)
        Soft assignments; rows sum to 1.
    weight : Tensor of shape (k,), optional
        Weights :math:`w_k` of the clusters; by default all 1.

    Returns
    -------
    Tensor of shape ()
        The sum over samples and clusters, in units of ``weight``.

    Raises
    ------
    ValueError
        If ``weight`` is not one number per cluster.
    """
    impurity = (gamma * (1 - gamma)).sum(0)
    if weight is None:
        return impurity.sum()
    if weight.shape != impurity.shape:
        raise ValueError(
            f"weight: expected shape {tuple(impurity.shape)}, one per column of gamma, got {tuple(weight.shape)}"
        )
    return (impurity * weight).sum()


@in_float32
def centroid_correlation(gamma: Float[Tensor, "n k"], centers: Float[Tensor, "k d"]) -> Float[Tensor, ""]:
    r"""Third term of the clustering module: clusters that share samples, times how their centroids agree.

    .. math:: E_3 = - \sum_{k \neq l} \langle \mu_k, \mu_l \rangle \sum_i \gamma_{ik} \gamma_{il}

    Parameters
    ----------
    gamma : Tensor of shape (n, k)
        Soft assignments; rows sum to 1.
    centers : Tensor of shape (k, d)
        Centroids :math:`\mu_k`.

    Returns
    -------
    Tensor of shape ()
        The sum over samples and pairs of clusters, in squared units of ``centers``; it may be negative.

    Raises
    ------
    ValueError
        If ``centers`` does not have one row per cluster.
    """
    _check_centers(gamma, centers)
    shared = (gamma.T @ gamma) * (centers @ centers.T)
    return shared.diagonal().sum() - shared.sum()


@in_float32
def dirichlet_prior(gamma: Float[Tensor, "n k"], alpha: float | Sequence[float] | Tensor) -> Float[Tensor, ""]:
    r"""Fourth term of the clustering module: minus the log density of a Dirichlet prior on the clusters' sizes.

    .. math:: E_4 = \sum_k (1 - \alpha_k) \log \frac{1}{n} \sum_i \gamma_{ik}

    A constant is left out. The other terms are sums over samples and this one is not, so that its relative weight
    shrinks as a batch grows.

    Parameters
    ----------
    gamma : Tensor of shape (n, k)
        Soft assignments; rows sum to 1.
    alpha : float or k floats
        Concentrations. 1 is no preference; above 1, even clusters are likelier; below 1, a few large ones are. If there
        are several, each belongs to its column of ``gamma``; the authors' code sorts fractions and concentrations
        first.

    Returns
    -------
    Tensor of shape ()
        In nats.

    Raises
    ------
    TypeError, ValueError
        If ``alpha`` is neither one positive number nor one per cluster.
    """
    try:
        concentration = torch.as_tensor(alpha, dtype=gamma.dtype)  # numbers stay on the CPU: no look at a GPU, no wait
    except (TypeError, ValueError) as error:
        raise TypeError(f"alpha: expected a positive number, or {gamma.shape[1]} of them, got {alpha!r}") from error
    if concentration.shape not in ((), gamma.shape[1:]) or not (concentration > 0).all():
        raise ValueError(f"alpha: expected a positive number, or {gamma.shape[1]} of them, got {alpha!r}")
    # The floor, that of the authors' code, gives a cluster without samples a finite loss.
    if concentration.ndim:
        concentration = concentration.to(gamma.device, non_blocking=True)
    return ((1 - concentration) * (gamma.mean(0) + 1e-10).log()).sum()


@in_float32
def orthonormality(centers: Float[Tensor, "k p"]) -> Float[Tensor, ""]:
    r"""How far centroids are from being of length 1 and at right angles to each other (AE-CM).

    .. math:: L_{or} = \lVert \mu \mu^T - I \rVert_1 = \sum_{k,l} |\langle \mu_k, \mu_l \rangle - [k = l]|

    Only p centroids can be orthonormal in p dimensions: with more clusters than that, it cannot reach 0.

    Parameters
    ----------
    centers : Tensor of shape (k, p)
        Centroids, one per row.

    Returns
    -------
    Tensor of shape ()
        The sum over all pairs.
    """
    return (centers @ centers.T - torch.eye(len(centers), dtype=centers.dtype, device=centers.device)).abs().sum()


@in_float32
def clustering_module(
    x: Float[Tensor, "n d"],
    gamma: Float[Tensor, "n k"],
    centers: Float[Tensor, "k d"],
    alpha: float | Sequence[float] | Tensor = 1.0,
) -> Float[Tensor, "4"]:
    r"""The loss of the clustering module, as its four terms (Boubekki et al. 2021).

    .. math:: E_1 = \sum_i \lVert x_i - \bar{x}_i \rVert^2, \qquad \bar{x}_i = \sum_k \gamma_{ik} \mu_k

    and :math:`E_2` to :math:`E_4` as in `gini_impurity`, `centroid_correlation` and `dirichlet_prior`. The first three
    add up to the part of a mixture's expected log-likelihood that depends on the centroids:

    .. math:: E_1 + E_2 + E_3 = \sum_i \sum_k \gamma_{ik} \lVert x_i - \mu_k \rVert^2

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Samples, or their codes.
    gamma : Tensor of shape (n, k)
        Soft assignments; rows sum to 1.
    centers : Tensor of shape (k, d)
        Centroids :math:`\mu_k`.
    alpha : float or k floats
        Of the Dirichlet prior; 1 leaves it out.

    Returns
    -------
    Tensor of shape (4,)
        The terms, summed over the samples; their sum is the loss.

    Raises
    ------
    ValueError
        If a shape does not fit the others, or ``alpha`` is not positive.
    """
    _check_centers(gamma, centers)
    return torch.stack(
        [
            reconstruction(x, gamma @ centers, reduction="sum"),
            gini_impurity(gamma, centers.square().sum(1)),
            centroid_correlation(gamma, centers),
            dirichlet_prior(gamma, alpha),
        ]
    )


def _check_centers(gamma: Tensor, centers: Tensor) -> None:
    if len(centers) != gamma.shape[1]:
        raise ValueError(f"centers: expected {gamma.shape[1]} rows, one per column of gamma, got {len(centers)}")
