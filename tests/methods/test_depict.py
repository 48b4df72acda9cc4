"""DEPICT: its objective, its first clusters, and what it does with the shape of an image."""

import numpy as np
import pytest
import scipy.special
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.stats import multivariate_normal
from sklearn.cluster import KMeans
from small_fits import blobs, small

from dctutor import DEPICT, AutoencoderKMeans
from dctutor.architectures import Autoencoder, ConvolutionalAutoencoder
from dctutor.classical import path_integral
from dctutor.classical.ward import ward
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs()


@pytest.fixture(scope="module")
def pretrained():
    return small(DEPICT, gamma=0, epochs=1, pretrain_epochs=30).fit(X)


def by_scipy(z, labels=None):
    """Ward's clusters unless others are given, and the posterior of a round Gaussian at each."""
    labels = fcluster(linkage(z, "ward"), 3, "maxclust") - 1 if labels is None else labels
    centers = np.stack([z[labels == k].mean(0) for k in range(3)])
    variance = max(((z - centers[labels]) ** 2).mean(), 0.01)
    density = np.stack([multivariate_normal(m, variance).logpdf(z) for m in centers], axis=1)
    return labels, scipy.special.softmax(density, axis=1)


def by_acpic(z):
    return path_integral(torch.from_numpy(z), 3, torch.Generator())


def by_kmeans(z):
    return KMeans(3, n_init=20, random_state=0).fit_predict(z)


@pytest.mark.parametrize(("init", "find"), [("ac-pic", by_acpic), ("ward", None), ("kmeans", by_kmeans)])
def test_softmax_layer_starts_as_the_posterior_of_the_first_clusters(init, find):
    """On codes without groups, which the three starts divide in three ways."""
    cloud = np.random.default_rng(0).random((120, 8))
    base = small(DEPICT, gamma=0, epochs=1, pretrain_epochs=3).fit(cloud)
    still = {"gamma": 0, "epochs": 1, "start_epochs": 0, "learning_rate": 1e-12, "autoencoder": base.network_}
    fitted = small(DEPICT, init=init, **still).fit(cloud)
    z = fitted.transform(cloud).astype(float)
    labels, posterior = by_scipy(z, find(z) if find else None)
    found = fitted.predict_proba(cloud)
    distance = np.abs(found[:, None, :] - posterior[:, :, None]).max(0)
    np.testing.assert_allclose(np.sort(distance.min(0)), 0, atol=1e-3)
    assert sorted(distance.argmin(0)) == [0, 1, 2]
    others = [by_scipy(z)[0], by_acpic(z), by_kmeans(z)]
    assert sum(clustering_accuracy(labels, other) > 0.95 for other in others) == 1


def test_first_clusters_are_those_of_ac_pic_unless_told(pretrained):
    settings = {"epochs": 1, "start_epochs": 0, "autoencoder": pretrained.network_}
    one, other = (small(DEPICT, **settings, **init).fit(X) for init in ({}, {"init": "ac-pic"}))
    assert np.array_equal(one.predict_proba(X), other.predict_proba(X))
    assert DEPICT().start_epochs == 10
    with pytest.raises(ValueError, match="init: expected 'kmeans', 'ward' or 'ac-pic', got 'spectral'"):
        small(DEPICT, init="spectral").fit(X)


@pytest.mark.filterwarnings("ignore:(X|n_clusters):")
def test_fewer_first_clusters_than_asked_for_leave_finite_assignments():
    q = small(DEPICT, start_epochs=0, epochs=1).fit(np.ones((40, 8))).predict_proba(np.ones((2, 8)))
    assert np.isfinite(q).all()


@pytest.mark.parametrize("sharpness", [1, 2])
def test_objective_is_the_papers(sharpness):
    """Of the first step, which has not moved a weight yet, without noise and on the whole data."""
    cloud = np.random.default_rng(0).random((120, 8))  # no groups, so that no assignment is certain
    base = small(DEPICT, gamma=0, epochs=1, pretrain_epochs=0, learning_rate=1e-12).fit(cloud)
    settings = {
        "noise": 0.0,
        "init": "ward",
        "start_epochs": 0,
        "epochs": 1,
        "batch_size": 120,
        "gamma": 0.7,
        "hidden_weight": 0.3,
    }
    fitted = small(DEPICT, **settings, sharpness=sharpness, autoencoder=base.network_).fit(cloud)
    table, x = fitted.history_["cluster"], torch.tensor(cloud * base.scaling_.factor, dtype=torch.float32)
    with torch.no_grad():
        hidden, z = base.network_.layer_outputs(x)
        hidden_hat, x_hat = base.network_.decoder_outputs(z)
    _, q = by_scipy(z.double().numpy())
    p = (q / np.sqrt(q.sum(0))) ** sharpness
    p /= p.sum(1, keepdims=True)
    clustering = scipy.special.rel_entr(p, q).sum() / 120
    pairs = ((x.numpy(), x_hat.numpy()), (hidden.numpy(), hidden_hat.numpy()))
    first, second = (np.square(a - b).mean() for a, b in pairs)
    assert table["reconstruction"][0] == pytest.approx(first + 0.3 * second, rel=1e-4)
    assert table["clustering"][0] == pytest.approx(clustering, rel=1e-3) and clustering > 1e-3
    assert table["loss"][0] == pytest.approx(table["reconstruction"][0] + 0.7 * table["clustering"][0], rel=1e-5)


def test_the_target_comes_from_the_whole_image_and_the_guess_from_a_damaged_one(pretrained):
    settings = {"start_epochs": 0, "epochs": 1, "batch_size": 120, "autoencoder": pretrained.network_}
    divergence = [
        small(DEPICT, noise=noise, **settings).fit(X).history_["cluster"]["clustering"][0] for noise in (0.0, 0.5)
    ]
    assert divergence[1] > 10 * divergence[0]


def test_without_its_weight_the_clustering_loss_moves_nothing(pretrained):
    settings = {"gamma": 0, "weight_decay": 0.0, "autoencoder": pretrained.network_, "start_epochs": 0}
    short, long = (small(DEPICT, epochs=epochs, **settings).fit(X).head_.layer for epochs in (1, 5))
    assert torch.equal(short.weight, long.weight) and torch.equal(short.bias, long.bias)


def test_images_go_through_convolutions_and_vectors_do_not():
    images = X.reshape(120, 2, 4)
    settings = {"channels": (3, 4), "epochs": 1}
    shaped, told, channels = (
        small(DEPICT, **settings).fit(images),
        small(DEPICT, image_shape=(1, 2, 4), **settings).fit(X),
        small(DEPICT, **settings).fit(images.reshape(120, 1, 2, 4)),
    )
    for fitted in (shaped, told, channels):
        kernels = [layer.weight.shape for layer in fitted.network_.encoder.convolutions]
        assert kernels == [(3, 1, 5, 5), (4, 3, 5, 5)] and fitted.transform(X).shape == (120, 3)
        assert np.array_equal(fitted.labels_, shaped.labels_) and np.array_equal(fitted.predict(X), fitted.labels_)
        assert isinstance(fitted.network_, ConvolutionalAutoencoder)
    assert isinstance(small(DEPICT).fit(X).network_, Autoencoder)


def test_starting_from_a_trained_network(pretrained):
    given = pretrained.network_
    before = [value.clone() for value in given.state_dict().values()]
    fitted = small(DEPICT, autoencoder=given).fit(X)
    assert all(torch.equal(a, b) for a, b in zip(before, given.state_dict().values(), strict=True))
    assert fitted.network_ is not given and "pretrain" not in fitted.history_
    with pytest.raises(ValueError, match=r"autoencoder: expected layers .* got \[\(16, 8\), \(3, 16\)"):
        small(DEPICT, autoencoder=given, widths=(16, 4)).fit(X)
    with pytest.raises(
        ValueError, match="autoencoder: expected one whose codes go through tanh, as here, got unchanged"
    ):
        small(DEPICT, autoencoder=small(AutoencoderKMeans).fit(X).network_).fit(X)
    with pytest.raises(TypeError, match="autoencoder: expected a ConvolutionalAutoencoder, got Autoencoder"):
        small(DEPICT, autoencoder=given).fit(X.reshape(120, 2, 4))


def test_stops_when_fewer_than_tol_change():
    fitted = small(DEPICT, epochs=50, tol=1.0).fit(X)
    assert fitted.n_iter_ == 1 and len(fitted.history_["cluster/refresh"]["changed"]) == 1


def test_centers_are_the_mean_codes_of_soft_clusters():
    fitted = small(DEPICT).fit(X)
    q = fitted.predict_proba(X).astype(float)
    np.testing.assert_allclose(fitted.cluster_centers_, q.T @ fitted.transform(X) / q.sum(0)[:, None], rtol=1e-3)


def test_ward_on_a_sample_gives_the_rest_the_label_of_the_nearest():
    data, truth = blobs(300)
    generator = torch.Generator().manual_seed(0)
    labels = ward(torch.tensor(data), 3, generator, sample=40)
    assert clustering_accuracy(truth, labels) == 1 and labels.shape == (300,)
