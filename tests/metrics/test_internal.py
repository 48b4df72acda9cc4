import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from dctutor.metrics import calinski_harabasz, davies_bouldin, report, silhouette, silhouette_samples


def test_a_table_of_pandas_holds_numbers_or_is_named():
    table = pd.DataFrame({"a": [0, 1, 8, 9], "b": [True, False, True, False]}).astype({"a": object})
    assert silhouette(table, [0, 0, 1, 1]) == silhouette(table.to_numpy(float), [0, 0, 1, 1])
    for column in ("wxyz", "0123"):
        with pytest.raises(TypeError, match="Z: expected a 2-D array of numbers"):
            silhouette(table.assign(b=list(column)), [0, 0, 1, 1])
    with pytest.raises(ValueError, match="Z: expected a 2-D array of shape"):
        silhouette([[1, 2], [3]], [0, 1])


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


@pytest.mark.parametrize("score", [silhouette_samples, silhouette, davies_bouldin, calinski_harabasz])
@pytest.mark.parametrize("kind", ["S", np.dtypes.StringDType(), object, np.float32])
def test_internal_scores_take_the_labels_that_the_others_take(score, kind):
    Z, labels = blobs()
    names = np.array(["3", "1", "2"])[labels]
    np.testing.assert_array_equal(score(Z, names.astype(kind)), score(Z, names))
    for bad in ([0.5, *labels[1:]], [np.inf, *labels[1:]], labels + 1j):
        with pytest.raises(ValueError, match="labels: expected classes"):
            score(Z, bad)


@pytest.mark.parametrize("labels", [np.zeros(6, int), np.arange(6)], ids=["one cluster", "one cluster per sample"])
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
        (np.eye(3), [0, 1], r"labels: expected shape \(3,\), one entry per row of Z, got shape \(2,\)"),
    ],
)
def test_bad_points(function, Z, labels, message):
    with pytest.raises(ValueError, match=message):
        function(Z, labels)


def test_bad_sample_size():
    with pytest.raises(ValueError, match="sample_size: expected an integer of at least 2, got 1"):
        silhouette(np.eye(4), [0, 0, 1, 1], sample_size=1)


@pytest.mark.parametrize(("unit", "shift"), [(1e-9, 0), (1e9, 0), (1, 1e8)])
def test_internal_scores_know_no_unit_and_no_origin(unit, shift):
    source = np.random.default_rng(0)
    Z, labels = source.normal(size=(60, 3)), source.integers(0, 3, 60)
    plain, moved = report(labels, Z=Z), report(labels, Z=Z * unit + shift)
    assert dict(moved) == pytest.approx(dict(plain), rel=1e-5)


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
