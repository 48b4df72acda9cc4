from itertools import permutations
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as sk
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from dctutor.metrics import (
    ari,
    calinski_harabasz,
    clustering_accuracy,
    confusion_matrix,
    davies_bouldin,
    match_labels,
    nmi,
    report,
    scores,
    silhouette,
    silhouette_samples,
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


def test_a_list_of_numbers_and_strings_is_refused():
    with pytest.raises(TypeError, match="y_true: expected labels of one kind, got int and str"):
        match_labels([0, 0, "a", "a"], [1, 1, 2, 2])
    for score in (report, silhouette):
        with pytest.raises(TypeError, match="labels: expected labels of one kind, got int and str"):
            score(**{"labels": [0, 0, "a", "a"], "Z": np.eye(4)})


def test_a_table_of_pandas_holds_numbers_or_is_named():
    table = pd.DataFrame({"a": [0, 1, 8, 9], "b": [True, False, True, False]}).astype({"a": object})
    assert silhouette(table, [0, 0, 1, 1]) == silhouette(table.to_numpy(float), [0, 0, 1, 1])
    for column in ("wxyz", "0123"):
        with pytest.raises(TypeError, match="Z: expected a 2-D array of numbers"):
            silhouette(table.assign(b=list(column)), [0, 0, 1, 1])
    with pytest.raises(ValueError, match="Z: expected a 2-D array of shape"):
        silhouette([[1, 2], [3]], [0, 1])


def test_a_report_of_tensors():
    z = torch.tensor([[0.0], [1.0], [8.0], [9.0]], requires_grad=True)
    found = report(torch.tensor([0, 0, 1, 1]), y=torch.tensor([1, 1, 0, 0]), Z=z)
    assert found == report([0, 0, 1, 1], y=["a", "a", "b", "b"], Z=z.detach().numpy())


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


@pytest.mark.parametrize("function", [clustering_accuracy, match_labels, confusion_matrix, nmi, ari, scores])
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


# Internal scores.


def blobs(n=90, k=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % k
    return rng.normal(size=(n, 4)) + 2 * rng.normal(size=(k, 4))[labels], labels


# Two pairs on a line, and a sample of its own: centres 1, 11 and 20.
LINE, OF_LINE = np.array([[0.0], [2.0], [10.0], [12.0], [20.0]]), [4, 4, 7, 7, 1]


def test_silhouettes_by_hand():
    by_hand = [9 / 11, 7 / 9, 7 / 9, 6 / 8, 0]  # b is 11, 9, 9 (not 10) and 8 (not 11); alone counts 0
    np.testing.assert_allclose(silhouette_samples(LINE, OF_LINE), by_hand)
    assert silhouette(LINE, OF_LINE) == pytest.approx(np.mean(by_hand))


def test_davies_bouldin_and_calinski_harabasz_by_hand():
    # Mean distances to the centre are 1, 1 and 0; the centres 10, 9 and 19 apart.
    assert davies_bouldin(LINE, OF_LINE) == pytest.approx((2 / 10 + 2 / 10 + 1 / 9) / 3)
    mean = LINE.mean()
    between = (2 * (1 - mean) ** 2 + 2 * (11 - mean) ** 2 + (20 - mean) ** 2) / (3 - 1)
    assert calinski_harabasz(LINE, OF_LINE) == pytest.approx(between / (4 / (5 - 3)))


def test_internal_scores_are_those_of_scikit_learn():
    Z, labels = blobs()
    Z, names = Z.astype(np.float32), np.array(["a", "b", "c"])[labels]
    np.testing.assert_allclose(silhouette_samples(Z, names), sk.silhouette_samples(Z, labels), atol=1e-5)
    assert silhouette(Z, names) == pytest.approx(sk.silhouette_score(Z, labels), abs=1e-6)
    assert davies_bouldin(Z, names) == pytest.approx(sk.davies_bouldin_score(Z, labels), rel=1e-5)
    assert calinski_harabasz(Z, names) == pytest.approx(sk.calinski_harabasz_score(Z, labels), rel=1e-5)


@pytest.mark.parametrize("labels", [np.zeros(6, int), np.arange(6)], ids=["one cluster", "a cluster a sample"])
def test_internal_scores_are_nan_where_they_are_not_defined(labels):
    Z = np.arange(12.0).reshape(6, 2)
    assert np.isnan(silhouette_samples(Z, labels)).all() and len(silhouette_samples(Z, labels)) == 6
    assert all(np.isnan(score(Z, labels)) for score in (silhouette, davies_bouldin, calinski_harabasz))


def test_silhouette_of_a_sample():
    Z, labels = blobs(n=600)
    estimate = silhouette(Z, labels, sample_size=200, random_state=3)
    assert estimate == silhouette(Z, labels, sample_size=200, random_state=3)
    assert estimate != silhouette(Z, labels, sample_size=200, random_state=4)
    assert estimate == pytest.approx(silhouette(Z, labels), abs=0.05) and estimate != silhouette(Z, labels)
    assert silhouette(Z, labels, sample_size=600) == silhouette(Z, labels, sample_size=10**6) == silhouette(Z, labels)


@pytest.mark.parametrize("function", [silhouette_samples, silhouette, davies_bouldin, calinski_harabasz])
@pytest.mark.parametrize(
    ("Z", "labels", "message"),
    [
        (np.zeros(3), [0, 1, 1], r"Z: expected a 2-D array of shape \(n, p\) .* got shape \(3,\)"),
        (np.zeros((0, 2)), [], r"Z: expected a 2-D array .* got shape \(0, 2\)"),
        (np.full((3, 2), np.nan), [0, 1, 1], "Z: expected finite numbers"),
        (np.eye(3), [0, 1], r"labels: expected shape \(3,\), one entry a row of Z, got shape \(2,\)"),
    ],
)
def test_bad_points(function, Z, labels, message):
    with pytest.raises(ValueError, match=message):
        function(Z, labels)


def test_bad_sample_size():
    with pytest.raises(ValueError, match="sample_size: expected an integer of at least 2, got 1"):
        silhouette(np.eye(4), [0, 0, 1, 1], sample_size=1)


# The report.


def test_report_holds_what_is_known():
    Z, labels = blobs()
    y = np.roll(labels, 1)
    external, internal = report(labels, y=y), report(labels, Z=Z)
    assert external == scores(y, labels)
    assert list(internal) == ["silhouette", "davies_bouldin", "calinski_harabasz"]
    assert internal["silhouette"] == silhouette(Z, labels) and internal["davies_bouldin"] == davies_bouldin(Z, labels)
    assert internal["calinski_harabasz"] == calinski_harabasz(Z, labels)
    assert report(labels, y=y, Z=Z) == {**external, **internal}
    assert pd.DataFrame([external]).shape == (1, 3)


def test_report_prints_and_renders_as_a_table():
    found = report(OF_LINE, y=[0, 0, 1, 1, 1], Z=LINE)
    lines = str(found).splitlines()
    assert lines[0] == "5 samples in 3 clusters" and lines[1].split() == ["score", "value", "best"]
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["ACC", "0.800"],
        ["NMI", f"{found['nmi']:.3f}"],
        ["ARI", f"{found['ari']:.3f}"],
        ["silhouette", f"{found['silhouette']:.3f}"],
    ]
    assert len(set(map(len, lines[1:]))) == 1
    table = ElementTree.fromstring(found._repr_html_())
    assert table.findtext("caption") == lines[0]
    assert [[cell.text for cell in row] for row in table.iter("tr")] == [line.split() for line in lines[1:]]
    assert {cell.tag for cell in table.find("thead/tr")} == {"th"} and len(table.findall("tbody/tr")) == 6


def test_report_says_what_is_undefined_and_what_was_estimated():
    Z, _ = blobs()
    assert str(report(np.zeros(90, int), Z=Z)).count("undefined") == 3
    found = report(np.arange(90) % 2, Z=Z, sample_size=30, random_state=1)
    assert str(found).splitlines()[0] == "90 samples in 2 clusters; silhouette from 30 of them"
    assert found["silhouette"] == silhouette(Z, np.arange(90) % 2, sample_size=30, random_state=1)


def test_report_refuses():
    with pytest.raises(ValueError, match="y, Z: expected classes, samples or both, got neither"):
        report([0, 1])
    with pytest.raises(ValueError, match=r"labels: expected shape \(2,\), that of y_true"):
        report([0, 1, 1], y=[0, 1])


def test_a_report_shows_scores_that_were_added():
    table = report([0, 0, 1, 1], y=[0, 0, 1, 1])
    table["seconds"] = 3.0
    assert "seconds" in repr(table) and "3.000" in table._repr_html_()


def test_nmi_of_one_clustering_under_two_names_is_not_above_one():
    source = np.random.default_rng(0)
    for _ in range(300):
        y = source.integers(0, 4, 30)
        assert nmi(y, y) <= 1 and nmi(y, 3 - y) <= 1


@pytest.mark.parametrize(("unit", "shift"), [(1e-9, 0), (1e9, 0), (1, 1e8)])
def test_internal_scores_know_no_unit_and_no_origin(unit, shift):
    source = np.random.default_rng(0)
    Z, labels = source.normal(size=(60, 3)), source.integers(0, 3, 60)
    plain, moved = report(labels, Z=Z), report(labels, Z=Z * unit + shift)
    assert dict(moved) == pytest.approx(dict(plain), rel=1e-5)


@pytest.mark.parametrize("score", [clustering_accuracy, nmi, ari, scores])
def test_labels_that_are_missing_or_of_two_kinds_are_refused(score):
    groups = [0, 1, 1]
    for gap in ([0.0, np.nan, 1.0], np.array(["a", "b", np.nan], dtype=object), np.array([0, None, 1], dtype=object)):
        with pytest.raises((TypeError, ValueError), match="y_true: expected"):
            score(gap, groups)
        with pytest.raises((TypeError, ValueError), match="labels: expected"):
            score(groups, gap)


def test_a_collapsed_embedding_has_no_davies_bouldin_score():
    assert np.isnan(davies_bouldin(np.full((6, 2), 0.3), [0, 0, 1, 1, 2, 2]))
    crossed = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1], [9, 9], [9, 8]])  # two clusters around one centre
    assert np.isnan(davies_bouldin(crossed, [0, 0, 1, 1, 2, 2]))
    assert davies_bouldin(np.repeat([[0.0, 0], [1, 1]], 3, axis=0), [0, 0, 0, 1, 1, 1]) == 0


def test_a_bad_seed_of_the_silhouette_is_named():
    with pytest.raises(ValueError, match="random_state: expected an integer of at least 0, got -1"):
        silhouette(np.eye(9), np.arange(9) % 2, sample_size=4, random_state=-1)


def test_clusters_without_spread_or_distance():
    apart = [[0.1]] * 3 + [[0.7]] * 3
    assert calinski_harabasz(apart, [0] * 3 + [1] * 3) == 1
    together = np.array([[1, 0], [-1, 0], [1, 1e-9], [-1, 1e-9]])
    assert np.isnan(davies_bouldin(together, [0, 0, 1, 1]))
    far = [[9.0, 0], [9.0, 1]]
    assert np.isnan(davies_bouldin(np.vstack([together, far]), [0, 0, 1, 1, 2, 2]))
    together[2:, 1] = 1e-6
    assert davies_bouldin(together, [0, 0, 1, 1]) == pytest.approx(2e6)
