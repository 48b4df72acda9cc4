"""Scores of a clustering where labels are known (survey 4.1)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import check_consistent_length, column_or_1d

__all__ = ["clustering_accuracy", "match_labels", "scores"]


def _labels(y_true: ArrayLike, labels: ArrayLike) -> tuple[NDArray, NDArray]:
    truth, found = column_or_1d(np.asarray(y_true)), column_or_1d(np.asarray(labels))
    check_consistent_length(truth, found)
    if not truth.size:
        raise ValueError("y_true: expected at least one label, got none")
    return truth, found


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
    ValueError
        If the lengths differ, or there is no sample.
    """
    truth, found = _labels(y_true, labels)
    classes, clusters = np.unique(truth).tolist(), np.unique(found).tolist()
    rows, columns = linear_sum_assignment(contingency_matrix(truth, found), maximize=True)
    return {clusters[j]: classes[i] for i, j in zip(rows, columns, strict=True)}


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
    ValueError
        If the lengths differ, or there is no sample.
    """
    truth, found = _labels(y_true, labels)
    counts = contingency_matrix(truth, found)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / truth.size)


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
    ValueError
        If the lengths differ, or there is no sample.
    """
    truth, found = _labels(y_true, labels)
    return {
        "acc": clustering_accuracy(truth, found),
        "nmi": float(normalized_mutual_info_score(truth, found, average_method="arithmetic")),
        "ari": float(adjusted_rand_score(truth, found)),
    }
