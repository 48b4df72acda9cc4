"""Scores of a clustering where labels are known (survey 4.1)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from dctutor._inputs import as_array

__all__ = ["Confusion", "ari", "clustering_accuracy", "confusion_matrix", "match_labels", "nmi", "scores"]

_MEANS = ("arithmetic", "geometric", "min", "max")


class Confusion(NamedTuple):
    """Classes against clusters, aligned by the best matching.

    Attributes
    ----------
    counts : ndarray of int, shape (r, c)
        ``counts[i, j]`` samples of ``classes[i]`` lie in ``clusters[j]``.
    classes : ndarray of shape (r,)
        In ascending order.
    clusters : ndarray of shape (c,)
        First the matched clusters, in the order of their classes; then the spare ones, ascending.
    matched : ndarray of int, shape (min(r, c),)
        ``classes[matched[j]]`` is the class of ``clusters[j]``: 0, 1, 2, ... unless a class went without.
    """

    counts: NDArray
    classes: NDArray
    clusters: NDArray
    matched: NDArray


def _labels(y_true: ArrayLike, labels: ArrayLike) -> tuple[NDArray, NDArray]:
    truth, found = as_groups("y_true", y_true), as_groups("labels", labels)
    if truth.ndim != 1 or not truth.size:
        raise ValueError(f"y_true: expected shape (n,) with n >= 1, got {truth.shape}")
    if found.shape != truth.shape:
        raise ValueError(f"labels: expected shape {truth.shape}, that of y_true, got {found.shape}")
    return truth, found


def as_groups(name: str, groups: ArrayLike) -> NDArray:
    """Return groups as an array; raise TypeError / ValueError unless they can be told apart and put in order."""
    groups = as_array(groups)
    # NumPy turns the numbers of a mixed list into strings, without a word.
    if isinstance(groups, list | tuple) and len({isinstance(group, str) for group in groups}) > 1:
        kinds = sorted({type(group).__name__ for group in groups})
        raise TypeError(f"{name}: expected labels of one kind, got {' and '.join(kinds)}")
    found = np.asarray(groups)
    try:
        np.unique(found)
    except TypeError as error:
        raise TypeError(f"{name}: expected labels of one kind, such as integers or strings ({error})") from error
    if (found != found).any():
        raise ValueError(f"{name}: expected a label for each sample, got NaN")
    return found


def confusion_matrix(y_true: ArrayLike, labels: ArrayLike) -> Confusion:
    """Count classes in clusters, the clusters in the order that matches the classes best (Kuhn 1955).

    The one-to-one matching is the one that defines clustering accuracy. It puts as many samples as possible on the
    cells ``(matched[j], j)``, the diagonal where there are as many clusters as classes.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters. Their number need not equal that of the classes.

    Returns
    -------
    Confusion

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the two are not of one shape (n,), or a label is NaN or of another kind than the others.
    """
    truth, found = _labels(y_true, labels)
    counts = np.asarray(contingency_matrix(truth, found))
    rows, columns = linear_sum_assignment(counts, maximize=True)  # the rows come in ascending order
    order = np.concatenate([columns, np.setdiff1d(np.arange(counts.shape[1]), columns)])
    return Confusion(counts[:, order], np.unique(truth), np.unique(found)[order], rows)


def match_labels(y_true: ArrayLike, labels: ArrayLike) -> dict:
    """Pair clusters with classes, one to one, so that most samples agree (Kuhn 1955).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters.

    Returns
    -------
    dict
        Cluster -> class. With more clusters than classes, the spare clusters are absent.

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the two are not of one shape (n,), or a label is NaN or of another kind than the others.
    """
    table = confusion_matrix(y_true, labels)
    return dict(zip(table.clusters.tolist(), table.classes[table.matched].tolist(), strict=False))


def clustering_accuracy(y_true: ArrayLike, labels: ArrayLike) -> float:
    """Share of samples in the cluster that is matched to their class (survey eq. 11).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters. Their number need not equal that of the classes: a cluster or a class without a
        partner counts as wrong.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the two are not of one shape (n,), or a label is NaN or of another kind than the others.
    """
    table = confusion_matrix(y_true, labels)
    return float(table.counts[table.matched, np.arange(len(table.matched))].sum() / table.counts.sum())


def nmi(y_true: ArrayLike, labels: ArrayLike, *, average: str = "arithmetic") -> float:
    """Mutual information of classes and clusters, over a mean of their entropies (survey eq. 12).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters.
    average : {"arithmetic", "geometric", "min", "max"}, default="arithmetic"
        The mean. The arithmetic one is what eq. 12 prints and what deep clustering reports. Estévez et al. (2009),
        whom the survey cites for it, take the smaller entropy: ``"min"``.

    Returns
    -------
    float
        In [0, 1]. It is 1 if both put all samples into one group, and 0 if only one of them does.

    Raises
    ------
    TypeError, ValueError
        As `clustering_accuracy`, or if `average` is unknown.
    """
    if average not in _MEANS:
        raise ValueError(f"average: expected one of {', '.join(map(repr, _MEANS))}, got {average!r}")
    truth, found = _labels(y_true, labels)
    return min(1.0, float(normalized_mutual_info_score(truth, found, average_method=average)))  # else 1 + rounding


def ari(y_true: ArrayLike, labels: ArrayLike) -> float:
    """Adjusted Rand index: agreement on pairs of samples, less what chance would give (Hubert & Arabie 1985).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters.

    Returns
    -------
    float
        In [-0.5, 1], 0 on average for a random labelling.

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the two are not of one shape (n,), or a label is NaN or of another kind than the others.
    """
    return float(adjusted_rand_score(*_labels(y_true, labels)))


def scores(y_true: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    """ACC, NMI and ARI in one call.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters.

    Returns
    -------
    dict
        ``"acc"`` (survey eq. 11) and ``"nmi"`` (eq. 12, arithmetic mean of the entropies) in [0, 1];
        ``"ari"`` (Hubert & Arabie 1985) in [-0.5, 1], 0 on average for a random labelling.

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the two are not of one shape (n,), or a label is NaN or of another kind than the others.
    """
    return {"acc": clustering_accuracy(y_true, labels), "nmi": nmi(y_true, labels), "ari": ari(y_true, labels)}
