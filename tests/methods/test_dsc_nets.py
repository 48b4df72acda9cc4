"""DSC-Nets: the objective and the clustering of a fit, worked out a second time from what it leaves behind."""

import copy

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.cluster import SpectralClustering

from dctutor import DSCNet, load_dataset
from dctutor.architectures import Autoencoder, FullyConvolutionalAutoencoder
from dctutor.metrics import ari, clustering_accuracy

DIGITS = load_dataset("digits")
X, Y = DIGITS.X[:150], DIGITS.y[:150]
IMAGES = X.reshape(-1, 1, 8, 8)
SETTINGS = {"pretrain_epochs": 5, "epochs": 10, "verbose": False, "random_state": 0, "precision": "float32"}


@pytest.fixture(scope="module")
def fitted():
    return DSCNet(10, **SETTINGS).fit(IMAGES)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_first_losses_are_those_of_the_papers_objective(norm):
    start = DSCNet(10, **SETTINGS).fit(IMAGES).network_
    settings = SETTINGS | {"epochs": 1, "norm": norm, "lambda1": 1e12, "lambda2": 3.0, "autoencoder": start}
    losses = {name: values[0] for name, values in DSCNet(10, **settings).fit(IMAGES).history_["cluster"].items()}
    x = X * np.float32(1 / np.sqrt(np.mean(X.astype(float) ** 2)))
    with torch.no_grad():
        z = start.encode(torch.from_numpy(x)).double().numpy()
        c = np.full((150, 150), 1e-8)
        np.fill_diagonal(c, 0)
        x_hat = start.decode(torch.from_numpy(c @ z).float()).numpy()
    size = np.abs(c).sum() if norm == "l1" else np.square(c).sum()
    unit = z / np.sqrt(np.square(z).mean())  # the decoder makes up for it
    parts = [((x - x_hat) ** 2).sum() / 2, 1e12 * size, 3 * ((unit - c @ unit) ** 2).sum() / 2]
    assert losses["loss"] == pytest.approx(sum(parts), rel=1e-4)
    assert losses["reconstruction"] == pytest.approx(parts[0], rel=1e-4)
    assert losses["size_of_c"] == pytest.approx(size, rel=1e-4)
    assert losses["self_expression"] == pytest.approx(parts[2] / 3, rel=1e-4)


def test_joint_training_lowers_the_loss_and_moves_the_encoder(fitted):
    losses = fitted.history_["cluster"]["loss"]
    assert losses[-1] < losses[0] / 2 and fitted.n_iter_ == 10
    calm = DSCNet(10, **SETTINGS, learning_rate=5e-4).fit(IMAGES).history_["cluster"]["loss"]
    assert calm == sorted(calm, reverse=True)  # at the default rate Adam may overshoot
    again = DSCNet(10, **SETTINGS | {"epochs": 1}).fit(IMAGES)
    assert not np.allclose(again.transform(IMAGES), fitted.transform(IMAGES))
    assert not fitted.coefficients_.diagonal().any() and np.abs(fitted.coefficients_).max() <= 0.0101


def affinity_of(c, diagonal):
    """Thresholded columns, low rank and cosine, by sorting and a full SVD."""
    c = c.astype(float)
    size = -np.sort(-np.abs(c), axis=0)
    smallest = [column[np.argmax(np.cumsum(column) > 0.2 * column.sum())] for column in size.T]
    c[np.abs(c) < np.array(smallest)] = 0
    u, s, _ = np.linalg.svd((c + c.T) / 2 + diagonal * np.eye(150))
    rows = u[:, :31] * np.sqrt(s[:31])
    return np.clip(rows @ rows.T / np.outer(*2 * [np.linalg.norm(rows, axis=1)]), 0, 1)


def test_the_affinity_has_ones_on_the_diagonal_of_c_only_where_asked_for(fitted):
    with_ones = DSCNet(10, **SETTINGS, unit_diagonal=True).fit(IMAGES)
    np.testing.assert_array_equal(with_ones.coefficients_, fitted.coefficients_)
    for fit, diagonal in ((fitted, 0), (with_ones, 1)):
        np.testing.assert_allclose(fit.affinity_matrix_, affinity_of(fit.coefficients_, diagonal), atol=1e-4)
    assert np.abs(with_ones.affinity_matrix_ - fitted.affinity_matrix_).max() > 0.1
    with pytest.raises(TypeError, match="unit_diagonal: expected True or False, got 'no'"):
        DSCNet(10, unit_diagonal="no").fit(IMAGES)


def test_labels_are_a_spectral_clustering_of_the_affinity(fitted):
    # The graph has several solutions, and rounding decides which one a seed finds: ours has to be one of them.
    others = [
        SpectralClustering(10, affinity="precomputed", assign_labels="discretize", random_state=seed)
        for seed in range(8)
    ]
    assert max(ari(other.fit_predict(fitted.affinity_matrix_), fitted.labels_) for other in others) > 0.9
    assert clustering_accuracy(Y, fitted.labels_) > 0.6


def test_prediction_takes_the_subspace_at_the_smallest_angle(fitted):
    new = DIGITS.X[150:190]
    z = fitted.transform(new)
    bases = []
    for k in range(10):
        codes = fitted.transform(X)[fitted.labels_ == k]
        np.testing.assert_allclose(fitted.cluster_centers_[k], codes.mean(0), rtol=1e-4, atol=1e-6)
        bases.append(np.linalg.svd(codes)[2][:3])
    angles = np.array([[subspace_angles(code[:, None], basis.T)[0] for basis in bases] for code in z])
    assert np.array_equal(fitted.predict(new), angles.argmin(1))
    closeness = 1 / np.sin(angles) ** 2
    np.testing.assert_allclose(fitted.predict_proba(new), closeness / closeness.sum(1, keepdims=True), rtol=1e-2)


def test_images_get_convolutions_and_vectors_dense_layers(fitted):
    assert isinstance(fitted.network_, FullyConvolutionalAutoencoder) and fitted.cluster_centers_.shape == (10, 15 * 16)
    flat = DSCNet(10, image_shape=(1, 8, 8), **SETTINGS).fit(X)
    assert np.array_equal(flat.labels_, fitted.labels_)
    assert np.array_equal(flat.transform(IMAGES), fitted.transform(X))
    assert isinstance(DSCNet(10, widths=(20, 6), **SETTINGS).fit(X).network_, Autoencoder)


def test_too_many_samples_are_refused_before_training():
    message = r"X: expected at most max_samples=149 samples, got 150, .* take about 0\.0 GB"
    with pytest.raises(ValueError, match=message):
        DSCNet(10, max_samples=149, **SETTINGS).fit(X)
    with pytest.raises(ValueError, match=r"got 20000, .* take about 28\.0 GB"):
        DSCNet(10, **SETTINGS).fit(np.zeros((20_000, 2), dtype=np.float32))


def test_starting_from_a_trained_autoencoder(fitted):
    given = fitted.network_
    before = [value.clone() for value in given.state_dict().values()]
    other = DSCNet(10, autoencoder=given, **SETTINGS).fit(IMAGES)
    assert all(torch.equal(a, b) for a, b in zip(before, given.state_dict().values(), strict=True))
    assert "pretrain" not in other.history_ and other.network_ is not given
    with pytest.raises(ValueError, match="autoencoder: expected layers "):
        DSCNet(10, autoencoder=given, **SETTINGS, channels=(4,)).fit(IMAGES)
    with pytest.raises(TypeError, match="autoencoder: expected an Autoencoder, got FullyConvolutionalAutoencoder"):
        DSCNet(10, autoencoder=given, **SETTINGS).fit(X)


def test_copies_of_a_sample_share_its_cluster():
    twice = DSCNet(5, **SETTINGS).fit(np.repeat(IMAGES[:40], 2, axis=0))
    assert np.array_equal(twice.labels_[::2], twice.labels_[1::2]) and len(set(twice.labels_)) == 5


@pytest.mark.parametrize("times", [0.01, 100.0])
def test_the_scale_of_the_first_codes_changes_nothing(times):
    start = DSCNet(10, **SETTINGS).fit(IMAGES).network_
    scaled = copy.deepcopy(start)
    with torch.no_grad():
        scaled.encoder[-1].weight.mul_(times)
        scaled.encoder[-1].bias.mul_(times)
        scaled.decoder[0].weight.div_(times)
    one, other = (DSCNet(10, autoencoder=network, **SETTINGS).fit(IMAGES) for network in (start, scaled))
    np.testing.assert_allclose(other.transform(IMAGES), one.transform(IMAGES), rtol=1e-2, atol=1e-2)
    assert ari(one.labels_, other.labels_) > 0.95
