"""Data and arguments that are not what they have to be: an error that names what is wrong, or a stated behaviour."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from small_fits import METHODS, PRETRAINED, UNLIKE, blobs, small, trained

from dctutor import (
    AECM,
    DEC,
    DEPICT,
    DNC,
    IDEC,
    AutoencoderKMeans,
    ClusteringModule,
    DeepAutoencoderClustering,
    DSCNet,
)
from dctutor.architectures import Autoencoder
from dctutor.metrics import clustering_accuracy
from dctutor.training import Loop

X, _ = blobs(60)
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)


def with_one(value, shape=(60, 8)):
    data = np.resize(X, shape).astype(type(value))
    data.flat[17] = value
    return data


BAD_DATA = {
    "NaN": (with_one(np.nan), "X contains NaN"),
    "infinity": (with_one(np.inf), "X contains infinity"),
    "minus infinity": (with_one(-np.inf), "X contains infinity"),
    "NaN in images": (with_one(np.nan, (60, 4, 4)), "X contains NaN"),
    "too large for float32": (with_one(1e200), "X contains infinity or a value too large"),
    "no samples": (np.empty((0, 8)), r"0 sample\(s\) \(shape=\(0, 8\)\)"),
    "no images": (np.empty((0, 1, 28, 28)), r"0 sample\(s\) \(shape=\(0, 784\)\)"),
    "no features": (np.empty((60, 0)), r"0 feature\(s\) \(shape=\(60, 0\)\)"),
    "no pixels": (np.empty((60, 0, 3)), r"0 feature\(s\) \(shape=\(60, 0\)\)"),
    "one sample": (X[:1], r"1 sample\(s\) .* minimum of 2"),
    "fewer samples than clusters": (X[:2], r"X: expected at least n_clusters=3 samples, got n_samples=2"),
    "one dimension": (X[0], "Expected 2D array, got 1D array"),
    "five dimensions": (np.zeros((6, 2, 2, 2, 2)), "dim 5"),
    "a number": (3.0, "Expected 2D array, got scalar"),
    "nothing": (None, "Expected 2D array, got scalar"),
    "words": (np.array([["cat", "dog"]] * 60), "X: .*could not convert string to float"),
    "words in images": (np.full((60, 2, 2), "cat"), "X: .*could not convert string to float"),
    "a word": ("cat", "X: .*could not convert string to float"),
    "ragged": ([[1.0, 2.0], [3.0]] * 30, "X: .*inhomogeneous"),
    "complex": (X + 1j, "Complex data not supported"),
    "complex images": (X.reshape(60, 2, 4) + 1j, "Complex data not supported"),
    "sparse": (scipy.sparse.csr_matrix(X), "Sparse data was passed for X"),
    "sparse array": (scipy.sparse.csr_array(X), "Sparse data was passed for X"),
    "table with words": (pd.DataFrame({"a": ["cat"] * 60, "b": 1.0}), "X: .*could not convert string to float"),
    "table with gaps": (pd.DataFrame({"a": [None, *range(59)], "b": 1.0}), "X contains NaN"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data(name):
    data, message = BAD_DATA[name]
    estimator = small(AutoencoderKMeans)
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(data)
    with pytest.raises(NotFittedError):
        estimator.predict(X)


@pytest.mark.parametrize("name", ["NaN", "infinity", "words", "complex", "sparse", "one dimension", "no samples"])
def test_bad_data_after_fit(name):
    fitted = small(AutoencoderKMeans).fit(X)
    for ask in (fitted.predict, fitted.predict_proba, fitted.transform):
        with pytest.raises((ValueError, TypeError), match=BAD_DATA[name][1].replace(" .* minimum of 2", "")):
            ask(BAD_DATA[name][0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_tensors_are_data(dtype):
    tensor = torch.from_numpy(X).to(dtype).requires_grad_()
    array, y = tensor.detach().double().numpy(), np.arange(60) % 3
    expected = small(DeepAutoencoderClustering).fit(array, y)
    found = small(DeepAutoencoderClustering).fit(tensor, torch.tensor(y, dtype=torch.float32, requires_grad=True))
    assert np.array_equal(found.cluster_centers_, expected.cluster_centers_)
    assert np.array_equal(found.predict_proba(tensor), expected.predict_proba(array))
    z = torch.from_numpy(found.cluster_centers_).to(dtype).requires_grad_()
    assert np.array_equal(found.inverse_transform(z), found.inverse_transform(z.detach().double().numpy()))


def test_images_of_another_shape_than_in_fit():
    images = np.random.default_rng(0).random((40, 3, 4, 5))
    fitted = small(DEC).fit(images)
    with pytest.raises(ValueError, match=r"X: expected images of shape \(3, 4, 5\), as those of fit, or flat ones"):
        fitted.predict(np.moveaxis(images, 1, 3))
    flat = fitted.predict(images.reshape(40, -1))
    assert np.array_equal(fitted.predict(images), flat)


@each_method
@pytest.mark.parametrize("ask", ["predict", "predict_proba", "transform", "inverse_transform", "save"])
def test_not_fitted(method, ask, tmp_path):
    with pytest.raises(NotFittedError, match=f"This {method.__name__} instance is not fitted yet"):
        getattr(method(), ask)(tmp_path / "file" if ask == "save" else X)
    assert list(tmp_path.iterdir()) == []


@each_method
def test_another_width(method):
    fitted = small(method).fit(X)
    for data in (X[:, :5], X.reshape(120, 4), np.zeros((5, 3, 3))):
        for ask in (fitted.predict, fitted.predict_proba, fitted.transform):
            with pytest.raises(ValueError, match=rf"X has \d features, but {method.__name__} is expecting 8 features"):
                ask(data)


# What no declaration says; the ranges that are declared have tests of their own.
BAD_ARGUMENTS = [
    ({"device": "gpu"}, ValueError),
    ({"device": "cuda:99"}, ValueError),
    ({"device": "meta"}, ValueError),
    ({"random_state": -1}, ValueError),
    ({"random_state": 2**32}, ValueError),
    ({"image_shape": (8,)}, TypeError),
    ({"image_shape": (1, 2, 0)}, ValueError),
    ({"image_shape": (1, -2, -4)}, ValueError),
    ({"image_shape": (1, 2, 3)}, ValueError),
    ({"autoencoder": torch.nn.Linear(8, 3)}, TypeError),
    ({"autoencoder": Autoencoder(8, (16, 4))}, ValueError),
    ({"autoencoder": Autoencoder(9, (16, 3))}, ValueError),
    ({"m": 2}, ValueError),
]


@each_method
def test_bad_arguments(method):
    known, tried = method().get_params(), 0
    for argument, error in BAD_ARGUMENTS:
        ((name, value),) = argument.items()
        if name in known:
            tried += 1
            estimator = small(method, **argument)
            with pytest.raises(error, match=rf"^{name}: expected"):
                estimator.fit(X)
                pytest.fail(f"{argument} was taken")
            assert getattr(estimator, name) is value
            with pytest.raises(NotFittedError):
                estimator.predict(X)
    assert tried > 8


@pytest.mark.parametrize("place", ["nowhere/file", ""])
def test_checkpoint_that_cannot_be_written_is_found_before_training(tmp_path, monkeypatch, place):
    def run(*arguments, **settings):
        pytest.fail("training began")

    monkeypatch.setattr(Loop, "run", run)
    with pytest.raises((OSError, ValueError), match="checkpoint: "):
        small(DEC, checkpoint=tmp_path / place).fit(X)


@each_method
def test_numbers_of_other_libraries_are_numbers(method):
    numbers = {"n_clusters": np.int64(3), "batch_size": np.int32(32), "noise": np.float64(0.2)}
    numbers = {name: value for name, value in numbers.items() if name in method().get_params()}
    plain = small(method, **{name: value.item() for name, value in numbers.items()}).fit(X)
    other = small(method, **numbers).fit(X)
    assert np.array_equal(plain.labels_, other.labels_)


@each_method
def test_one_cluster(method):
    fitted = small(method, n_clusters=1).fit(X)
    assert not fitted.labels_.any() and (fitted.predict_proba(X) == 1).all()


@each_method
def test_as_many_clusters_as_samples(method):
    fitted = small(method, n_clusters=6).fit(X[:6])
    assert len(set(fitted.labels_)) > 1 and set(fitted.labels_) <= set(range(6)) and len(fitted.cluster_centers_) == 6
    np.testing.assert_allclose(fitted.predict_proba(X[:6]) @ np.ones(6), 1, rtol=1e-5)


@each_method
@pytest.mark.parametrize("value", [0.0, 1.0, -7.5, 255.0])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_constant_features_are_one_group(method, value):
    fitted = small(method).fit(np.full((40, 4), value))
    assert len(set(fitted.labels_)) == 1 and np.isfinite(fitted.predict_proba(np.full((2, 4), value))).all()


@each_method
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_duplicate_rows_share_a_label_and_empty_clusters_are_told(method):
    data = np.repeat(X[:2], 30, axis=0)
    with pytest.warns(ConvergenceWarning, match="^n_clusters: only [12] of 3 clusters have samples"):
        labels = small(method).fit(data).labels_
    assert len(set(labels[:30])) == 1 and len(set(labels[30:])) == 1
    assert len(set(trained(method, 20, n_clusters=2).fit(data).labels_)) == 2


@each_method
def test_one_feature(method):
    data, truth = blobs(60, d=1)
    fitted = trained(method).fit(data)
    assert np.isfinite(fitted.transform(data)).all() and len(fitted.labels_) == 60
    # AE-CM's joint training finds groups on a line with some seeds and merges them with others, whatever its settings.
    # DSC-Nets looks for different subspaces, and on a line there is one; DNC for directions, and there are two.
    assert method in (AECM, DNC, DSCNet) or clustering_accuracy(truth, fitted.labels_) > 0.7


@each_method
def test_a_batch_larger_than_the_data_is_all_of_it(method):
    whole, larger = (small(method, batch_size=size).fit(X) for size in (60, 10**9))
    assert np.array_equal(whole.cluster_centers_, larger.cluster_centers_)


@each_method
def test_number_formats_and_containers_of_the_same_data_give_the_same_fit(method):
    data = np.round(X * 255)
    expected = small(method).fit(data)
    same = {
        "uint8": data.astype(np.uint8),
        "int64": data.astype(np.int64),
        "float32": data.astype(np.float32),
        "Fortran order": np.asfortranarray(data),
        "every other column": np.repeat(data, 2, axis=1)[:, ::2],
        "read-only": np.require(data, requirements="C"),
        "list": data.tolist(),
        "tensor": torch.from_numpy(data),
        "table": pd.DataFrame(data, columns=[f"c{i}" for i in range(8)]),
        "object": data.astype(object),
        "n, H, W": data.reshape(60, 2, 4),
        "n, 1, H, W": data.reshape(60, 1, 2, 4),
        "tensor n, H, W": torch.from_numpy(data.reshape(60, 2, 4)).byte(),
    }
    if method in (DEPICT, DSCNet):  # to a network of convolutions, the shape is a part of the data
        same = {name: other for name, other in same.items() if "H, W" not in name}
    same["read-only"].flags.writeable = False
    if method not in UNLIKE:
        same = {"tensor": torch.from_numpy(data.astype(np.uint8))}
    for name, other in same.items():
        fitted = small(method).fit(other)
        assert np.array_equal(fitted.cluster_centers_, expected.cluster_centers_), name
        assert np.array_equal(fitted.labels_, expected.labels_), name
        assert np.array_equal(fitted.predict(other), expected.predict(data)), name
        assert fitted.n_features_in_ == 8, name


def test_images_as_bytes_and_as_fractions():
    images = (load_digits().images[:200] * 15).astype(np.uint8)  # 0 to 240
    settings = {"n_clusters": 5, "batch_size": 64, "precision": "float32"}
    as_bytes, as_flat = (small(IDEC, **settings).fit(x) for x in (images, images.reshape(200, -1)))
    assert np.array_equal(as_bytes.labels_, as_flat.labels_)
    # A power of two moves no digit, so nothing at all may differ; 255 moves the last digit.
    exact = small(IDEC, **settings).fit(images / 256)
    assert np.array_equal(exact.cluster_centers_, as_bytes.cluster_centers_)
    near = small(IDEC, **settings).fit(images[:, None] / 255)
    assert np.array_equal(near.labels_, as_bytes.labels_)
    np.testing.assert_allclose(near.transform(images / 255), as_bytes.transform(images), atol=1e-3)


@pytest.mark.parametrize(("scale", "groups"), [(1e-41, {1, 3}), (1e-30, {3}), (1e30, {3})])
def test_extreme_units(scale, groups):
    # Below the smallest normal float32 there may be too few digits left to tell groups apart.
    data, _ = blobs(60)
    fitted = small(AutoencoderKMeans).fit(data * scale)
    assert np.isfinite(fitted.cluster_centers_).all() and len(set(fitted.labels_)) in groups


@each_method
@pytest.mark.parametrize("far", [1e6, 1e20, 1e38])
def test_samples_far_from_the_training_data(method, far):
    proba = small(method).fit(X).predict_proba(np.full((2, 8), far))
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)


DIVERGING = [
    (DEC, {"learning_rate": 1e30}, "cluster"),
    (IDEC, {"learning_rate": 1e30}, "cluster"),
    (DEC, {"learning_rate": 1e30, "epochs": 1, "batch_size": 60}, "cluster"),
    (IDEC, {"learning_rate": 1e30, "epochs": 1, "batch_size": 60}, "cluster"),
    (AutoencoderKMeans, {"pretrain_learning_rate": 1e30}, "layer_1"),
    (AutoencoderKMeans, {"pretrain_learning_rate": 1e30, "layerwise_epochs": 0}, "pretrain"),
    (DEC, {"pretrain_learning_rate": 1e36, "layerwise_epochs": 0, "pretrain_epochs": 1, "batch_size": 60}, "embedding"),
]


@pytest.mark.parametrize(("method", "settings", "phase"), DIVERGING)
def test_divergence_is_an_error_and_leaves_no_half_fitted_estimator(method, settings, phase):
    estimator = small(method, **settings)
    with pytest.raises(FloatingPointError, match=phase):
        estimator.fit(X)
    with pytest.raises(NotFittedError):
        estimator.predict(X)


def test_failing_second_fit_leaves_the_first_in_force(monkeypatch):
    fitted = small(DEC).fit(X)
    expected = fitted.predict_proba(X)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DEC, "_train", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(X * 1000)
    assert np.array_equal(fitted.predict_proba(X), expected)


def test_data_far_from_the_origin_come_with_a_warning():
    with pytest.warns(UserWarning, match=r"X: 9\d% of its mean square .* subtract the means first"):
        small(IDEC, epochs=1).fit(X + 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)  # so short a fit may leave a cluster empty
        small(IDEC, epochs=1).fit(X - X.mean(0))
        small(ClusteringModule, epochs=1).fit(X + 3)  # subtracts them itself
        small(IDEC, epochs=1).fit(X.reshape(-1, 2, 4) + 1)  # pictures may be bright


@each_method
def test_rates_of_numpy_can_go_into_a_checkpoint(method, tmp_path):
    names = {"learning_rate", "momentum", "pretrain_learning_rate", "pretrain_weight_decay", "weight_decay"}
    rates = {name: value for name, value in method().get_params().items() if name in names}
    plain = small(method, **{name: float(np.float32(value)) for name, value in rates.items()}).fit(X)
    narrow = {name: np.float32(value) for name, value in rates.items()}
    other = small(method, **narrow, checkpoint=tmp_path / "checkpoint", checkpoint_seconds=0).fit(X)
    assert np.array_equal(plain.predict_proba(X), other.predict_proba(X))


def test_points_to_decode_may_lie_in_memory_as_they_like():
    fitted = small(DEC).fit(X)
    points = fitted.transform(X)
    expected = fitted.inverse_transform(points)
    points.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(fitted.inverse_transform(points), expected)
        assert np.array_equal(fitted.inverse_transform(points[::-1]), expected[::-1])


@pytest.mark.parametrize("method", PRETRAINED, ids=lambda method: method.__name__)
@pytest.mark.parametrize("change", [torch.nn.Module.double, torch.nn.Module.bfloat16, None])
def test_an_autoencoder_of_another_precision_or_a_frozen_one(method, change, tmp_path):
    network = small(AutoencoderKMeans).fit(X).network_
    network = change(network) if change else network.requires_grad_(False)
    before = [value.clone() for value in network.state_dict().values()]
    fitted = small(method, autoencoder=network, checkpoint=tmp_path / "checkpoint").fit(X)
    assert {weight.dtype for weight in fitted.network_.parameters()} == {torch.float32}
    assert all(torch.equal(value, old) for value, old in zip(network.state_dict().values(), before, strict=True))
