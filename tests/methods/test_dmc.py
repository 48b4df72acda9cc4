"""DMC: its objective against NumPy and scikit-learn, and what each part of it does."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors
from small_fits import blobs, small

from dctutor import DMC, AutoencoderKMeans

X, _ = blobs()
K, M = 6, 1.7


@pytest.fixture(scope="module")
def pretrained():
    return small(AutoencoderKMeans, pretrain_epochs=10, precision="float32").fit(X)


def memberships(z, centers):
    power = cdist(z, centers) ** (-2 / (M - 1))
    return power / power.sum(1, keepdims=True)


def neighbour_distances(z):
    distance, _ = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(z).kneighbors()
    return distance**2


@pytest.mark.parametrize("batch_size", [7, 120])
def test_the_objective_is_the_equation(pretrained, batch_size):
    still = {"epochs": 1, "locality_epochs": 0, "learning_rate": 1e-12, "batch_size": batch_size}
    settings = {"n_neighbors": K, "fuzziness": M, "locality": 3.0, "gamma": 2.0, "snapshot_every": 1}
    fitted = small(DMC, autoencoder=pretrained.network_, precision="float32", **still, **settings).fit(X)

    z = pretrained.transform(X).astype(float)
    x = X * pretrained.scaling_.factor
    rebuilt = pretrained.inverse_transform(z) * pretrained.scaling_.factor
    squared, spread = neighbour_distances(z), z.var(0, ddof=1).sum()
    start = fitted.snapshots_[0].centers  # those of k-means
    weights = memberships(z, start) ** M
    centers = weights.T @ z / weights.sum(0)[:, None]
    expected = {
        "reconstruction": np.mean((x - rebuilt) ** 2),
        "locality": np.mean(np.exp(-squared / squared.mean()) * squared) / spread,
        "clustering": np.mean(np.sum(memberships(z, centers) ** M * cdist(z, centers) ** 2, axis=1)) / spread,
    }
    got = {name: column[0] for name, column in fitted.history_["cluster"].items()}
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=2e-3), name
    total = expected["reconstruction"] + 3 * expected["locality"] + 2 * expected["clustering"]
    assert got["loss"] == pytest.approx(total, rel=2e-3)
    np.testing.assert_allclose(fitted.cluster_centers_, centers, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(fitted.predict_proba(X), memberships(z, centers), rtol=0.01, atol=1e-4)


def relative(fitted):
    z = fitted.transform(X)
    own = ((z - fitted.cluster_centers_[fitted.labels_]) ** 2).sum(1)
    return neighbour_distances(z).mean() / z.var(0).sum(), own.mean() / z.var(0).sum()


def test_each_weight_pulls_at_what_it_weighs(pretrained):
    def fit(**weights):
        return small(DMC, autoencoder=pretrained.network_, learning_rate=0.01, epochs=30, **weights).fit(X)

    neither = relative(fit(locality=0.0, gamma=0.0))
    assert relative(fit(locality=200.0, gamma=0.0))[0] < 0.8 * neither[0]
    assert relative(fit(locality=0.0, gamma=20.0))[1] < 0.8 * neither[1]


def test_no_locality_phase_and_no_clustering_loss_can_be_asked_for(pretrained):
    fitted = small(DMC, autoencoder=pretrained.network_, locality_epochs=0, gamma=0.0).fit(X)
    assert "locality" not in fitted.history_ and "clustering" not in fitted.history_["cluster"]


def test_more_neighbours_than_samples_are_all_of_them():
    fitted = small(DMC, n_clusters=2, n_neighbors=50).fit(X[:6])
    assert set(fitted.labels_) == {0, 1}
