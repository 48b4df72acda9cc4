"""Scores of a clustering with known labels (survey 4.1)."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_array, eye_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, pair_confusion_matrix

from dctutor._inputs import as_array

__all__ = [
    "Confusion",
    "ari",
    "clustering_accuracy",
    "confusion_matrix",
    "majority_accuracy",
    "match_labels",
    "nmi",
    "pair_f",
    "scores",
]

_MEANS = ("arithmetic", "geometric", "min", "max")
_DENSE = 1_000_000  # classes times clusters; more are matched without a dense array of counts


class Confusion(NamedTuple):
    """Classes against clusters, aligned by the best matching.

    Attributes
    ----------
    counts : ndarray of int, shape (r, c)
        Number of samples of ``classes[i]`` in ``clusters[j]``, at ``counts[i, j]``.
    classes : ndarray of shape (r,)
        In ascending order.
    clusters : ndarray of shape (c,)
        First the matched clusters, in the order of their classes; then the spare ones, in ascending order.
    matched : ndarray of int, shape (min(r, c),)
        ``classes[matched[j]]`` is the class of ``clusters[j]``. The indices are 0, 1, 2, ... unless a class has no
        cluster.
    """

    counts: NDArray
    classes: NDArray
    clusters: NDArray
    matched: NDArray


class _Groups(NamedTuple):
    """Distinct labels in ascending order, and for each sample the index of its label among them."""

    values: NDArray
    indices: NDArray[np.intp]


def as_groups(name: str, groups: Any) -> NDArray:
    """Return labels as an array, or raise TypeError / ValueError naming the argument.

    Labels are values of one kind that can be put in order: integers, whole numbers in floats, strings, bytes, truth
    values, dates. NaN, infinity, fractions and complex numbers are refused.
    """
    groups = as_array(groups)
    # NumPy turns the numbers and the bytes of a mixed list into strings, without a word.
    if isinstance(groups, list | tuple) and len({(isinstance(g, str), isinstance(g, bytes)) for g in groups}) > 1:
        kinds = sorted({type(group).__name__ for group in groups})
        raise TypeError(f"{name}: expected labels of one kind, got {' and '.join(kinds)}")
    try:
        found = np.asarray(groups)
    except ValueError as error:
        raise ValueError(f"{name}: expected one label per sample, got entries of several lengths ({error})") from error
    if found.dtype.kind == "T":  # NumPy's StringDType, whose missing value may equal itself
        found = found.astype(object)
    try:
        values = np.unique(found)
        missing = bool((found != found).any())
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected labels of one kind, such as integers or strings ({error})") from error
    if missing:
        raise ValueError(f"{name}: expected a label for each sample, got NaN")
    if values.dtype.kind in "fcO":
        for value in values:
            if isinstance(value, complex | np.complexfloating) or (
                isinstance(value, float | np.floating) and not float(value).is_integer()
            ):
                raise ValueError(f"{name}: expected classes, such as integers or strings, got {value}")
    return found


def _groups(y_true: ArrayLike, labels: ArrayLike, name: str = "y_true") -> tuple[_Groups, _Groups]:
    """Check the two arguments, `y_true` called ``name`` in errors. All scores see the indices only."""
    truth, found = as_groups(name, y_true), as_groups("labels", labels)
    if truth.ndim != 1 or not truth.size:
        raise ValueError(f"{name}: expected shape (n,) with n >= 1, got {truth.shape}")
    if found.shape != truth.shape:
        raise ValueError(f"labels: expected shape {truth.shape}, that of {name}, got {found.shape}")
    return _Groups(*np.unique(truth, return_inverse=True)), _Groups(*np.unique(found, return_inverse=True))


def _matching(truth: _Groups, found: _Groups) -> tuple[csr_array, NDArray, NDArray]:
    """Count classes (r) in clusters (c) and match them one to one: counts (r, c), and min(r, c) rows and columns.

    The counts are sparse, with at most one entry per sample. For thousands of labels, r x c numbers would take
    gigabytes.
    """
    r, c = len(truth.values), len(found.values)
    ones = np.ones(len(truth.indices), dtype=np.int64)
    counts = csr_array(coo_array((ones, (truth.indices, found.indices)), shape=(r, c)))
    if r * c <= _DENSE:
        return counts, *linear_sum_assignment(counts.toarray(), maximize=True)  # rows come in ascending order
    # SciPy takes an absent entry for a forbidden pair. A column of its own for each class lets every class find a
    # partner; 1 more on all entries adds r to the sum of any matching, and tells those columns from absent entries.
    weights = counts.copy()
    weights.data += 1
    rows, columns = min_weight_full_bipartite_matching(hstack([weights, eye_array(r)], format="csr"), maximize=True)
    partner = np.full(r, -1)
    partner[rows] = np.where(columns < c, columns, -1)
    # Classes and clusters that share no sample are paired too, in ascending order, until one side is used up.
    alone, spare = np.flatnonzero(partner < 0), np.setdiff1d(np.arange(c), partner)
    paired = min(len(alone), len(spare))
    partner[alone[:paired]] = spare[:paired]
    rows = np.flatnonzero(partner >= 0)
    return counts, rows, partner[rows]


def _accuracy(truth: _Groups, found: _Groups) -> float:
    counts, rows, columns = _matching(truth, found)
    return float(counts[rows, columns].sum() / len(truth.indices))


def _nmi(truth: _Groups, found: _Groups, average: str) -> float:
    score = float(normalized_mutual_info_score(truth.indices, found.indices, average_method=average))
    return min(1.0, score)  # rounding can exceed 1


def _ari(truth: _Groups, found: _Groups) -> float:
    return float(adjusted_rand_score(truth.indices, found.indices))


def all_scores(y_true: ArrayLike, labels: ArrayLike, name: str) -> dict[str, float]:
    """The three scores of `scores`, with `y_true` called ``name`` in errors."""
    groups = _groups(y_true, labels, name)
    return {"acc": _accuracy(*groups), "nmi": _nmi(*groups, "arithmetic"), "ari": _ari(*groups)}


def confusion_matrix(y_true: ArrayLike, labels: ArrayLike) -> Confusion:
    """Count classes in clusters, with the clusters in the order that matches the classes best (Kuhn 1955).

    The one-to-one matching is the one that defines clustering accuracy. It puts as many samples as possible on the
    cells ``(matched[j], j)``. These cells are the diagonal if there are at least as many clusters as classes.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes: integers, strings or anything else that has an order.
    labels : array-like of shape (n,)
        Clusters. Their number may differ from that of the classes.

    Returns
    -------
    Confusion

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the shapes differ from (n,), or labels are missing, fractional or of several kinds.
    """
    truth, found = _groups(y_true, labels)
    counts, rows, columns = _matching(truth, found)
    order = np.concatenate([columns, np.setdiff1d(np.arange(counts.shape[1]), columns)])
    return Confusion(counts[:, order].toarray(), truth.values, found.values[order], rows)


def match_labels(y_true: ArrayLike, labels: ArrayLike) -> dict:
    """Pair clusters with classes, one to one, so that as many samples as possible agree (Kuhn 1955).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters.

    Returns
    -------
    dict
        Maps each cluster to its class. If there are more clusters than classes, the spare clusters are absent.

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the shapes differ from (n,), or labels are missing, fractional or of several kinds.
    """
    truth, found = _groups(y_true, labels)
    _, rows, columns = _matching(truth, found)
    return dict(zip(found.values[columns].tolist(), truth.values[rows].tolist(), strict=True))


def clustering_accuracy(y_true: ArrayLike, labels: ArrayLike) -> float:
    """Fraction of samples in the cluster that is matched to their class (survey eq. 11).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters. Their number may differ from that of the classes. The samples of a cluster or a class without a
        partner count as wrong.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the shapes differ from (n,), or labels are missing, fractional or of several kinds.
    """
    return _accuracy(*_groups(y_true, labels))


def majority_accuracy(y_true: ArrayLike, labels: ArrayLike) -> float:
    """Fraction of samples whose class is the most frequent one of their cluster, also called purity.

    Several clusters may have one class, a many-to-one matching. The score is at least that of `clustering_accuracy` and
    cannot fall if a cluster is split: with a cluster per sample it is 1. Report both.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters. Their number may differ from that of the classes.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the shapes differ from (n,), or labels are missing, fractional or of several kinds.
    """
    truth, found = _groups(y_true, labels)
    # Pairs that occur, not a table of all: for thousands of labels that would take gigabytes.
    pairs, counts = np.unique(np.stack([found.indices, truth.indices]), axis=1, return_counts=True)
    most = np.zeros(len(found.values), dtype=np.int64)
    np.maximum.at(most, pairs[0], counts)
    return float(most.sum() / len(truth.indices))


def nmi(y_true: ArrayLike, labels: ArrayLike, *, average: str = "arithmetic") -> float:
    """Mutual information of classes and clusters, divided by a mean of their entropies (survey eq. 12).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters.
    average : {"arithmetic", "geometric", "min", "max"}, default="arithmetic"
        The mean. Eq. 12 prints the arithmetic mean, and papers on deep clustering report it. Estévez et al. (2009),
        whom the survey cites for it, divide by the smaller entropy: ``"min"``.

    Returns
    -------
    float
        In [0, 1]. It is 1 if both put all samples into one group, and 0 if exactly one of them does.

    Raises
    ------
    TypeError, ValueError
        As `clustering_accuracy`, or if `average` is unknown.
    """
    if average not in _MEANS:
        raise ValueError(f"average: expected one of {', '.join(map(repr, _MEANS))}, got {average!r}")
    return _nmi(*_groups(y_true, labels), average)


def ari(y_true: ArrayLike, labels: ArrayLike) -> float:
    """Adjusted Rand index: agreement on pairs of samples, corrected for chance (Hubert & Arabie 1985).

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
        If there is no sample, the shapes differ from (n,), or labels are missing, fractional or of several kinds.
    """
    return _ari(*_groups(y_true, labels))


def pair_f(y_true: ArrayLike, labels: ArrayLike) -> float:
    r"""F-measure of pairs: of those in one cluster and those in one class, how many are the same pairs.

    .. math:: F = \frac{2 P R}{P + R}

    Precision P is the fraction of pairs in one cluster whose classes agree, recall R that of pairs in one class whose
    clusters agree. Numbers of clusters and classes may differ; nothing is matched.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    labels : array-like of shape (n,)
        Clusters.

    Returns
    -------
    float
        In [0, 1]; 1 if no two samples share a class or a cluster.

    Raises
    ------
    TypeError, ValueError
        If there is no sample, the shapes differ from (n,), or labels are missing, fractional or of several kinds.
    """
    truth, found = _groups(y_true, labels)
    counts = pair_confusion_matrix(truth.indices, found.indices)
    wrong, both = counts[0, 1] + counts[1, 0], counts[1, 1]
    return float(2 * both / (2 * both + wrong)) if both + wrong else 1.0


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
        If there is no sample, the shapes differ from (n,), or labels are missing, fractional or of several kinds.
    """
    return all_scores(y_true, labels, "y_true")
