import tracemalloc
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from dctutor.metrics import (
    ari,
    clustering_accuracy,
    confusion_matrix,
    majority_accuracy,
    match_labels,
    nmi,
    scores,
)


def best_by_brute_force(y, labels, slots):
    return max(np.mean(np.array(order)[labels] == y) for order in permutations(range(slots)))


@pytest.mark.parametrize(("classes", "clusters"), [(4, 4), (5, 3), (3, 5), (1, 4), (4, 1)])
@pytest.mark.parametrize("seed", range(5))
def test_accuracy_is_the_best_over_all_matchings(classes, clusters, seed):
    rng = np.random.default_rng(seed)
    y, labels = rng.integers(0, classes, 40), rng.integers(0, clusters, 40)
    expected = best_by_brute_force(y, labels, max(classes, clusters))
    assert clustering_accuracy(y, labels) == pytest.approx(expected, abs=1e-12)
    matched = match_labels(y, labels)
    assert np.mean([matched.get(label) == truth for label, truth in zip(labels, y, strict=True)]) == pytest.approx(
        expected
    )
    assert len(set(matched.values())) == len(matched) == min(len(set(y)), len(set(labels)))


def test_accuracy_by_hand():
    assert clustering_accuracy([0, 0, 0, 1, 1, 2], [1, 1, 0, 0, 0, 2]) == pytest.approx(5 / 6)
    assert clustering_accuracy([0, 1], [7, -3]) == 1.0
    assert clustering_accuracy(["a"], [0]) == 1.0


def test_majority_accuracy_lets_clusters_share_a_class():
    y, labels = [0, 0, 0, 0, 1, 1, 1], ["a", "a", "b", "b", "b", "c", "c"]
    assert majority_accuracy(y, labels) == pytest.approx(6 / 7)  # a and b are of class 0, c is of class 1
    assert clustering_accuracy(y, labels) == pytest.approx(4 / 7)
    assert majority_accuracy(y, range(7)) == 1.0 and majority_accuracy(y, [0] * 7) == pytest.approx(4 / 7)


@pytest.mark.parametrize("seed", range(5))
def test_majority_accuracy_is_purity(seed):
    rng = np.random.default_rng(seed)
    y, labels = rng.integers(0, 4, 60), rng.integers(0, 7, 60)
    assert majority_accuracy(y, labels) == pytest.approx(contingency_matrix(y, labels).max(0).sum() / 60)
    assert majority_accuracy(y, labels) >= clustering_accuracy(y, labels)
    assert majority_accuracy(y, 10 * labels + rng.integers(0, 3, 60)) >= majority_accuracy(y, labels)


def matched_count(y, labels):
    """Samples on the best matching, by a dense search in a table that is counted one sample at a time."""
    table = np.zeros((y.max() + 1, labels.max() + 1), dtype=int)
    np.add.at(table, (y, labels), 1)
    return table[linear_sum_assignment(table, maximize=True)].sum()


@pytest.mark.parametrize(("classes", "clusters"), [(1100, 1100), (1500, 800), (800, 1500)])
def test_the_matching_of_many_labels_is_the_best(classes, clusters):
    rng = np.random.default_rng(classes)
    y = np.append(np.arange(classes), rng.integers(0, classes, 4000))
    labels = rng.permutation(np.append(np.arange(clusters), rng.integers(0, clusters, len(y) - clusters)))
    best = matched_count(y, labels)
    assert clustering_accuracy(y, labels) == best / len(y)
    pairs = match_labels(y, labels)
    assert len(pairs) == len(set(pairs.values())) == min(classes, clusters)
    assert sum(pairs.get(label) == truth for label, truth in zip(labels.tolist(), y.tolist(), strict=True)) == best
    counts, _, clusters_in_order, matched = confusion_matrix(y, labels)
    assert counts.sum() == len(y) and counts[matched, np.arange(len(matched))].sum() == best
    assert (np.diff(matched) > 0).all() and len(set(clusters_in_order.tolist())) == clusters


def test_thousands_of_labels_take_little_memory():
    rng = np.random.default_rng(0)
    y = np.append(np.arange(8000), rng.integers(0, 8000, 8000))
    order = rng.permutation(8000)
    tracemalloc.start()
    try:
        found, pairs = scores(y, order[y]), match_labels(y, order[y])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == {"acc": 1.0, "nmi": pytest.approx(1.0), "ari": 1.0}
    assert pairs == {int(new): old for old, new in enumerate(order)}
    assert peak < 50e6  # a dense table of counts has 512 MB


def test_greedy_matching_would_be_worse():
    # Greedily, cluster 0 takes class 0 (5 samples), and cluster 1 is left with none of class 1.
    y, labels = [0] * 5 + [1] * 4 + [0] * 4, [0] * 9 + [1] * 4
    assert match_labels(y, labels) == {0: 1, 1: 0}
    assert clustering_accuracy(y, labels) == pytest.approx(8 / 13)


STRINGS = ["cat", "cat", "dog", "dog", "owl"]


@pytest.mark.parametrize(
    "y",
    [STRINGS, np.array(STRINGS), np.array(STRINGS, dtype=object), pd.Series(STRINGS)],
    ids=lambda y: type(y).__name__,
)
def test_labels_may_be_strings(y):
    labels = [2, 2, 0, 0, 1]
    assert scores(y, labels) == {"acc": 1.0, "nmi": pytest.approx(1.0), "ari": 1.0}
    assert match_labels(y, labels) == {2: "cat", 0: "dog", 1: "owl"}
    assert match_labels(labels, y) == {"cat": 2, "dog": 0, "owl": 1}


@pytest.mark.parametrize(
    "y",
    [
        np.array(STRINGS, dtype="S"),
        [name.encode() for name in STRINGS],
        np.array(STRINGS, dtype=np.dtypes.StringDType()),
        np.array(STRINGS, dtype=np.dtypes.StringDType(na_object=np.nan)),
        np.array([True, True, False, False, False]),
        np.array([1.0, 1.0, 2.0, 2.0, -1.0], dtype=np.float16),
        np.array([0, 0, 1, 1, 2], dtype="datetime64[D]"),
        np.array([2**1100, 2**1100, -(2**70), -(2**70), 5], dtype=object),
        pd.Series([1, 1, 2, 2, 3], dtype="Int64"),
        pd.Categorical(STRINGS),
    ],
    ids=lambda y: str(getattr(y, "dtype", type(y).__name__)),
)
def test_all_scores_take_labels_of_any_ordered_kind(y):
    plain = np.unique(np.asarray(y).astype(object), return_inverse=True)[1]
    labels = [7, 7, 7, 9, 9]
    for score in (clustering_accuracy, nmi, ari, scores):
        assert score(y, labels) == score(plain, labels) and score(labels, y) == score(labels, plain)
        assert score(y, plain) == score(plain, plain)
    assert list(match_labels(plain, y)) == np.unique(np.asarray(y)).tolist()
    assert confusion_matrix(y, labels).counts.tolist() == confusion_matrix(plain, labels).counts.tolist()


@pytest.mark.parametrize(
    "function", [clustering_accuracy, majority_accuracy, match_labels, confusion_matrix, nmi, ari, scores]
)
@pytest.mark.parametrize(
    ("bad", "got"),
    [
        ([0, np.inf, 1], "got inf"),
        (np.array([0, -np.inf, 1], dtype=object), "got -inf"),
        ([0.5, 1.0, 2.0], r"got 0\.5"),
        (np.array([1, 1.5, 2], dtype=object), r"got 1\.5"),
        ([0j, 1j, 1j], "got 0j"),
        (np.array(["a", "b", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan)), "of one kind"),
        (np.array([np.nan] * 3, dtype=np.dtypes.StringDType(na_object=np.nan)), "got NaN"),
        (pd.Series([0, None, 1], dtype="Int64"), "got NaN"),
        ([[0], [1, 2], [3]], "of several lengths"),
    ],
)
def test_labels_that_are_no_classes_are_refused_by_name(function, bad, got):
    with pytest.raises((TypeError, ValueError), match=f"y_true: expected .*{got}"):
        function(bad, [0, 1, 1])
    with pytest.raises((TypeError, ValueError), match=f"labels: expected .*{got}"):
        function([0, 1, 1], bad)


def test_a_list_of_numbers_and_strings_is_refused():
    with pytest.raises(TypeError, match="y_true: expected labels of one kind, got int and str"):
        match_labels([0, 0, "a", "a"], [1, 1, 2, 2])
    with pytest.raises(TypeError, match="labels: expected labels of one kind, got bytes and str"):
        match_labels([0, 0, 1, 1], [b"a", b"a", "a", "a"])


def test_match_labels_gives_plain_values():
    (cluster, label), *_ = match_labels(np.array([3, 3, 5]), np.array([1, 1, 0])).items()
    assert type(cluster) is int and type(label) is int


def test_spare_clusters_are_absent():
    assert match_labels([0, 0, 0, 1, 1], [0, 0, 2, 1, 1]) == {0: 0, 1: 1}


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 200)
    labels = np.where(rng.random(200) < 0.6, y, rng.integers(0, 6, 200))
    found = scores(y, labels)
    assert set(found) == {"acc", "nmi", "ari"} and all(type(value) is float for value in found.values())
    assert found["nmi"] == pytest.approx(normalized_mutual_info_score(y, labels))
    assert found["ari"] == pytest.approx(adjusted_rand_score(y, labels))
    assert found["acc"] == clustering_accuracy(y, labels)


def test_scores_do_not_depend_on_names_or_order():
    rng = np.random.default_rng(0)
    y, labels, order = rng.integers(0, 4, 90), rng.integers(0, 5, 90), rng.permutation(90)
    renamed = np.array([9, 2, -4, 7, 0])[labels]
    for name, value in scores(y, labels).items():
        assert scores(y, renamed)[name] == pytest.approx(value)
        assert scores(y[order], labels[order])[name] == pytest.approx(value)


@pytest.mark.parametrize(
    "function", [clustering_accuracy, majority_accuracy, match_labels, confusion_matrix, nmi, ari, scores]
)
@pytest.mark.parametrize(
    ("y", "labels", "message"),
    [
        ([0, 1], [0, 1, 1], r"labels: expected shape \(2,\), that of y_true, got \(3,\)"),
        ([], [], r"y_true: expected shape \(n,\) with n >= 1, got \(0,\)"),
        ([[0, 1], [1, 0]], [0, 1], r"y_true: expected shape \(n,\) with n >= 1, got \(2, 2\)"),
        ([0, 1], [[0], [1]], r"labels: expected shape \(2,\), that of y_true, got \(2, 1\)"),
    ],
)
def test_bad_labels(function, y, labels, message):
    with pytest.raises(ValueError, match=message):
        function(y, labels)


def test_confusion_matrix_by_hand():
    y = ["cat"] * 3 + ["dog"] * 3 + ["owl"] * 2
    # Cat goes to cluster 5 (2 samples), dog to 7 (3), owl to 3 (1); cluster 9 is spare.
    counts, classes, clusters, matched = confusion_matrix(y, [5, 5, 9, 7, 7, 7, 3, 5])
    assert counts.tolist() == [[2, 0, 0, 1], [0, 3, 0, 0], [1, 0, 1, 0]]
    assert classes.tolist() == ["cat", "dog", "owl"]
    assert clusters.tolist() == [5, 7, 3, 9] and matched.tolist() == [0, 1, 2]


def test_confusion_matrix_with_fewer_clusters_than_classes():
    counts, _, clusters, matched = confusion_matrix([0, 0, 1, 1, 2, 2], [1, 1, 1, 1, 0, 0])
    assert counts.tolist() == [[2, 0], [2, 0], [0, 2]]
    assert clusters.tolist() == [1, 0] and matched.tolist() == [0, 2]


def entropies(table):
    p = table / table.sum()
    rows, columns = p.sum(1), p.sum(0)
    logs = np.log(np.where(p > 0, p, 1) / np.outer(rows, columns))
    return (p * logs).sum(), -(rows * np.log(rows)).sum(), -(columns * np.log(columns)).sum()


@pytest.mark.parametrize(
    ("average", "mean"),
    [
        ("arithmetic", lambda a, b: (a + b) / 2),
        ("geometric", lambda a, b: np.sqrt(a * b)),
        ("min", min),
        ("max", max),
    ],
)
def test_nmi_divides_by_the_mean_asked_for(average, mean):
    table = np.array([[20, 3, 0, 1], [2, 9, 9, 0], [0, 1, 1, 30]])
    y, labels = np.repeat(np.argwhere(table >= 0), table.ravel(), axis=0).T
    information, of_classes, of_clusters = entropies(table)
    expected = information / mean(of_classes, of_clusters)
    assert nmi(y, labels, average=average) == pytest.approx(expected, rel=1e-12)
    if average == "arithmetic":
        assert scores(y, labels)["nmi"] == nmi(y, labels) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("average", ["arithmetic", "geometric", "min", "max"])
def test_nmi_where_an_entropy_is_zero(average):
    assert nmi([0, 0, 0], [4, 4, 4], average=average) == 1
    assert nmi([0, 1, 1], [4, 4, 4], average=average) == 0
    assert nmi([0, 0, 0], [4, 5, 4], average=average) == 0


def test_nmi_refuses_another_mean():
    with pytest.raises(ValueError, match=r"average: expected one of 'arithmetic', .* got 'harmonic'"):
        nmi([0, 1], [0, 1], average="harmonic")


def test_ari_by_counting_pairs():
    rng = np.random.default_rng(1)
    y, labels = rng.integers(0, 3, 30), rng.integers(0, 4, 30)
    pairs = np.triu_indices(30, 1)
    same_class, same_cluster = (y[:, None] == y)[pairs], (labels[:, None] == labels)[pairs]
    both = (same_class & same_cluster).sum()
    chance = same_class.sum() * same_cluster.sum() / len(same_class)
    largest = (same_class.sum() + same_cluster.sum()) / 2
    assert ari(y, labels) == pytest.approx((both - chance) / (largest - chance), rel=1e-12)


def test_nmi_of_one_clustering_under_two_names_is_not_above_one():
    source = np.random.default_rng(0)
    for _ in range(300):
        y = source.integers(0, 4, 30)
        assert nmi(y, y) <= 1 and nmi(y, 3 - y) <= 1


@pytest.mark.parametrize("score", [clustering_accuracy, nmi, ari, scores])
def test_labels_that_are_missing_or_of_two_kinds_are_refused(score):
    groups = [0, 1, 1]
    for gap in ([0.0, np.nan, 1.0], np.array(["a", "b", np.nan], dtype=object), np.array([0, None, 1], dtype=object)):
        with pytest.raises((TypeError, ValueError), match="y_true: expected"):
            score(gap, groups)
        with pytest.raises((TypeError, ValueError), match="labels: expected"):
            score(groups, gap)
