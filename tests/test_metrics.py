from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from dctutor.metrics import clustering_accuracy, match_labels, scores


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


@pytest.mark.parametrize("function", [clustering_accuracy, match_labels, scores])
@pytest.mark.parametrize(
    ("y", "labels", "message"),
    [
        ([0, 1], [0, 1, 1], "inconsistent numbers of samples"),
        ([], [], "y_true: expected at least one label"),
        ([[0, 1], [1, 0]], [0, 1], "1d array"),
    ],
)
def test_bad_labels(function, y, labels, message):
    with pytest.raises(ValueError, match=message):
        function(y, labels)
