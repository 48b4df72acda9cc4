import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dctutor.features import FullNetworkEmbedding, MultiLayerPCA

rng = np.random.default_rng(0)


def layers(n=200, dtype=np.float64):
    """Three tables of unlike width and size that depend on each other."""
    hidden = rng.normal(size=(n, 4))
    tables = [10 * hidden @ rng.normal(size=(4, 30)), hidden @ rng.normal(size=(4, 6)) + 3, 0.1 * hidden]
    return [(table + 0.01 * rng.normal(size=table.shape)).astype(dtype) for table in tables]


@pytest.mark.parametrize("scale_layers", [True, False])
def test_multi_layer_pca_is_an_eigendecomposition(scale_layers):
    tables = layers()
    found = MultiLayerPCA(5, scale_layers=scale_layers).fit(tables)
    shares = [np.trace(np.cov(table.T, bias=True)) if scale_layers else 1 for table in tables]
    joined = np.hstack([table / share**0.5 for table, share in zip(tables, shares, strict=True)])
    values, vectors = np.linalg.eigh(np.cov(joined.T))
    np.testing.assert_allclose(found.pca_.explained_variance_, values[::-1][:5], rtol=1e-6)
    new = [table[:20] for table in layers()]
    z = (np.hstack([t / s**0.5 for t, s in zip(new, shares, strict=True)]) - joined.mean(0)) @ vectors[:, ::-1][:, :5]
    np.testing.assert_allclose(np.abs(found.transform(new)), np.abs(z), rtol=1e-5, atol=1e-8)
    assert found.widths_ == [30, 6, 4] and found.n_features_in_ == 40
    assert len(found.get_feature_names_out()) == 5


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scaled_layers_share_the_variance_and_a_dead_layer_has_none(dtype):
    dead = np.full((200, 3), 0.1, dtype)
    z = MultiLayerPCA().fit_transform([*layers(dtype=dtype), dead])
    assert z.dtype == dtype
    np.testing.assert_allclose(z.var(0).sum(), 3, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_full_network_embedding_is_standardisation_and_two_thresholds(dtype):
    tables, new = layers(dtype=dtype), layers(dtype=dtype)
    found = FullNetworkEmbedding().fit(tables).transform(new)
    z = StandardScaler().fit(np.hstack(tables).astype(float)).transform(np.hstack(new).astype(float))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.digitize(z, [-0.25, 0.15]) - 1)
    assert set(np.unique(found)) == {-1, 0, 1}


def test_full_network_embedding_by_hand():
    # mean 2, standard deviation 2: standardised -1, -1, 0, 0, 2; thresholds in these units
    X = np.array([[0.0], [0.0], [2.0], [2.0], [6.0]])
    assert FullNetworkEmbedding().fit_transform(X).ravel().tolist() == [-1, -1, 0, 0, 1]
    assert FullNetworkEmbedding(-1, 2).fit_transform(X).ravel().tolist() == [0, 0, 0, 0, 0]
    assert FullNetworkEmbedding(0, 0).fit(X).transform([[1.9], [2.0], [2.1]]).ravel().tolist() == [-1, 0, 1]


def test_a_feature_that_was_constant_stays_zero():
    # The mean of many 0.1 in single precision is not 0.1.
    X = np.full((1000, 2), 0.1, np.float32)
    X[:, 1] = np.arange(1000)
    embedding = FullNetworkEmbedding(0, 0).fit(X)
    assert not embedding.transform(X)[:, 0].any()
    assert embedding.transform(np.array([[5, 0]], np.float32)).tolist() == [[0, -1]]


@pytest.mark.parametrize("transformer", [MultiLayerPCA(2), FullNetworkEmbedding()], ids=lambda t: type(t).__name__)
def test_layers_can_be_given_as_a_list_or_joined(transformer):
    tables = layers()
    separate = transformer.fit(tables).transform([list(map(list, tables[0])), *tables[1:]])
    with pytest.raises(ValueError, match=r"X: expected layers of widths \[30, 6, 4\], as in fit, got \[40\]"):
        transformer.transform(np.hstack(tables))
    if isinstance(transformer, FullNetworkEmbedding):
        np.testing.assert_array_equal(transformer.fit_transform(np.hstack(tables)), separate)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        transformer.fit([tables[0], tables[1][:-1]])
    with pytest.raises(ValueError, match=r"X\[1\] contains NaN"):
        transformer.fit([tables[0], np.full((200, 2), np.nan)])
    with pytest.raises(NotFittedError):
        type(transformer)().transform(tables)
    assert make_pipeline(transformer, KMeans(2, n_init=1)).fit(tables).predict(tables).shape == (200,)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lower": 0.3}, ValueError, "lower: expected at most upper=0.15, got 0.3"),
        ({"upper": "0.1"}, TypeError, "upper: expected a number"),
        ({"lower": float("nan")}, ValueError, "lower"),
    ],
)
def test_bad_thresholds(settings, error, message):
    with pytest.raises(error, match=message):
        FullNetworkEmbedding(**settings).fit(layers())


CODE = """
import json
from sklearn.utils.estimator_checks import check_estimator
from dctutor.features import FullNetworkEmbedding, MultiLayerPCA

for transformer in (FullNetworkEmbedding(), MultiLayerPCA(random_state=0)):
    results = check_estimator(transformer, legacy=True, on_skip=None, on_fail=None)
    print(json.dumps([(r["check_name"], r["status"], str(r["exception"])) for r in results]))
"""


@pytest.mark.slow
def test_check_estimator():
    # In a process of its own: one check asks for a variable that SciPy reads when it is imported.
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    transformers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(transformers) == 2
    for results in transformers:
        assert len(results) > 30
        assert [row for row in results if row[1] != "passed"] == []


def test_a_fit_that_fails_leaves_no_trace():
    tables, new = [np.eye(6), np.eye(6)[:, :2]], np.eye(5)
    transformer = MultiLayerPCA(7)
    with pytest.raises(ValueError, match="n_components"):
        transformer.fit(tables)
    with pytest.raises(NotFittedError):
        transformer.transform(tables)
    expected = transformer.set_params(n_components=2).fit(tables).transform(tables)
    with pytest.raises(ValueError, match="n_components"):
        transformer.set_params(n_components=7).fit(new)
    np.testing.assert_array_equal(transformer.transform(tables), expected)


def test_the_own_choice_of_output_goes_before_that_of_scikit_learn():
    with config_context(transform_output="pandas"):
        transformer = MultiLayerPCA(2).fit(np.eye(6))
        assert isinstance(transformer.transform(np.eye(6)), pd.DataFrame)
        assert isinstance(transformer.set_output(transform="default").transform(np.eye(6)), np.ndarray)
