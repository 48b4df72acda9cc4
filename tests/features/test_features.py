import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torchvision.models import resnet18

from dctutor import DEC
from dctutor.architectures import Autoencoder
from dctutor.features import FullNetworkEmbedding, MultiLayerPCA, activations

rng = np.random.default_rng(0)


class Convolutional(nn.Module):
    """Stands for any network with maps: a convolution, then a dense layer."""

    def __init__(self):
        super().__init__()
        self.convolution, self.dense = nn.Conv2d(1, 3, 2), nn.Linear(3 * 5 * 4, 2)

    def layer_outputs(self, x):
        maps = self.convolution(x).relu()
        return [maps, self.dense(maps.flatten(1))]

    def forward(self, x):
        return self.layer_outputs(x)[-1]


def layers(n=200, dtype=np.float64):
    """Three tables of unlike width and size that depend on each other."""
    hidden = rng.normal(size=(n, 4))
    tables = [10 * hidden @ rng.normal(size=(4, 30)), hidden @ rng.normal(size=(4, 6)) + 3, 0.1 * hidden]
    return [(table + 0.01 * rng.normal(size=table.shape)).astype(dtype) for table in tables]


def test_dense_layers_by_hand():
    network = Autoencoder(5, (4, 3, 2))
    X = rng.normal(size=(7, 5)).astype(np.float32)
    expected, x = [], X
    for i, layer in enumerate(network.encoder):
        x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        x = np.maximum(x, 0) if i < 2 else x
        expected.append(x)
    # batches of 3, 3 and 1
    for found, by_hand in zip(activations(network, X, batch_size=3), expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, by_hand, rtol=1e-4, atol=1e-6)
    last, first = activations(network, torch.from_numpy(X), [-1, 0])
    np.testing.assert_allclose(last, expected[2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first, expected[0], rtol=1e-4, atol=1e-6)


def test_maps_are_averaged_or_flattened():
    network = Convolutional()
    X = rng.normal(size=(4, 1, 6, 5))
    with torch.no_grad():
        maps = network.layer_outputs(torch.from_numpy(X).float())[0].numpy()
    assert maps.shape == (4, 3, 5, 4)
    pooled, code = activations(network, X)
    np.testing.assert_allclose(pooled, maps.sum((2, 3)) / 20, rtol=1e-5)
    assert code.shape == (4, 2)
    flat, _ = activations(network, X, maps="flatten", batch_size=3)
    np.testing.assert_allclose(flat, maps.reshape(4, 60), rtol=1e-5)


def test_layers_by_name_are_those_before_an_in_place_relu():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4, 2)).double()
    X = rng.normal(size=(6, 3))
    before, last = activations(network, X, ["0", "3"], batch_size=4)
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    by_hand = X @ weights["0.weight"].T + weights["0.bias"]
    assert by_hand.min() < 0
    np.testing.assert_allclose(before, by_hand, rtol=1e-5)
    # in evaluation mode, dropout drops nothing
    np.testing.assert_allclose(last, np.maximum(by_hand, 0) @ weights["3.weight"].T + weights["3.bias"], rtol=1e-5)


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.Dropout(), nn.Linear(4, 2)))
    network[2].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    X = np.ones((5, 3), np.float32)
    activations(network, X, ["2"])
    with pytest.raises(RuntimeError, match="shape"):
        activations(network, np.ones((5, 4)), ["1"])
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_of_torchvision():
    network = resnet18(weights=None)
    X = rng.normal(size=(3, 3, 32, 32)).astype(np.float32)
    found = activations(network, X, ["layer1", "layer4", "avgpool", "fc"], batch_size=2)
    assert [table.shape for table in found] == [(3, 64), (3, 512), (3, 512), (3, 1000)]
    network.eval()
    with torch.no_grad():
        np.testing.assert_allclose(found[3], network(torch.from_numpy(X)), rtol=1e-3, atol=1e-5)
    # resnet18 ends with exactly this average over positions
    np.testing.assert_allclose(found[1], found[2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"maps": "max"}, ValueError, "maps: expected 'mean' or 'flatten', got 'max'"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"X": np.ones(3)}, ValueError, r"X: expected shape \(n, ...\) with n >= 1, got \(3,\)"),
        ({"X": np.ones((0, 3))}, ValueError, "X: expected shape"),
        ({"layers": [3]}, ValueError, "layers: expected places among the 3 layers, got 3"),
        ({"layers": ["encoder.7"]}, ValueError, "layers: expected names such as .*'encoder.0'.*, got 'encoder.7'"),
        ({"layers": "encoder"}, TypeError, "layers: expected a sequence"),
        ({"layers": []}, TypeError, "layers: expected a sequence"),
        ({"layers": [True]}, TypeError, "layers: expected a sequence"),
        ({"layers": [0, "encoder.0"]}, TypeError, "layers: expected a sequence"),
        ({"network": nn.Linear(3, 2)}, ValueError, "layers: this network has no layer_outputs"),
        # a ModuleList is never called
        ({"layers": ["encoder"]}, ValueError, "'encoder' ran 0 times"),
        ({"network": nn.LSTM(3, 2), "layers": [""]}, ValueError, "layers: expected layer '' to give a tensor.*tuple"),
    ],
)
def test_bad_arguments(settings, error, message):
    given = {"network": Autoencoder(3, (4, 3, 2)), "X": np.ones((5, 3))} | settings
    with pytest.raises(error, match=message):
        activations(**given)


@pytest.mark.parametrize(
    "change", [lambda a: a[..., ::-1], lambda a: a.astype(">f4"), lambda a: torch.tensor(a, requires_grad=True)]
)
def test_arrays_in_any_layout(change):
    network, x = nn.Sequential(nn.Linear(4, 3)), np.random.default_rng(0).random((5, 4), dtype=np.float32)
    given = change(x)
    plain = given.detach().clone() if isinstance(given, torch.Tensor) else np.array(given, dtype=np.float32)
    np.testing.assert_array_equal(activations(network, given, ["0"])[0], activations(network, plain, ["0"])[0])


def test_an_array_of_objects_is_refused_by_name():
    with pytest.raises(TypeError, match="X: expected an array of numbers, got dtype object"):
        activations(nn.Sequential(nn.Linear(4, 3)), np.full((5, 4), None), ["0"])


def test_a_layer_that_runs_twice_is_refused():
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(3, 3), relu, nn.Linear(3, 3), relu)
    with pytest.raises(ValueError, match="'1' ran 2 times"):
        activations(network, np.ones((5, 3)), ["1"])


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


def test_modes_that_the_caller_set_change_no_activation():
    network, X = Autoencoder(5, (4, 2)), rng.normal(size=(9, 5))
    expected = activations(network, X)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"):
        found = activations(network, X)
    assert all(map(np.array_equal, found, expected))


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


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_numbers_of_any_type_are_inputs(dtype):
    network, X = Autoencoder(5, (4, 2)), (np.arange(45).reshape(9, 5) % 7).astype(dtype)
    expected = activations(network, X.astype(np.float32))
    for given in (X, torch.from_numpy(X)):
        assert all(map(np.array_equal, activations(network, given), expected))
    words = nn.Sequential(nn.Embedding(7, 3), nn.Flatten())
    if dtype == np.int64:
        assert activations(words, X, ["1"])[0].shape == (9, 15)


def test_an_estimator_is_no_network():
    with pytest.raises(TypeError, match=r"network: expected .*, such as an estimator's network_, got DEC"):
        activations(DEC(), np.ones((3, 2)))
