"""The clustering module: its loss in the data's units, and what it shares with mixtures and k-means."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from small_fits import blobs, small

from dctutor import ClusteringModule, losses
from dctutor.architectures import Mixture
from dctutor.classical.mixtures import spherical_mixture
from dctutor.training import AveragedEpoch, Loop

X, TRUTH = blobs()
THOROUGH = {"alpha": 1.03, "epochs": 200, "learning_rate": 0.05, "batch_size": 120}


def test_the_loss_is_that_of_the_paper_in_other_units():
    """In the units of the data, an alpha of the authors is 1 + (alpha - 1) / (B V)."""
    x, theirs = X * 7 + 3, 40.0
    alpha = 1 + (theirs - 1) / (len(x) * x.var(0).sum())
    still = {"epochs": 1, "batch_size": 120, "learning_rate": 1e-12, "precision": "float32"}
    fitted = small(ClusteringModule, alpha=alpha, **still).fit(x)
    gamma, mu = fitted.predict_proba(x).astype(float), fitted.centroids_.astype(float)
    distances = (gamma * ((x[:, None] - mu) ** 2).sum(2)).sum()
    prior = (1 - theirs) * np.log(gamma.mean(0)).sum()
    expected = (distances + prior) / (len(x) * x.var(0).sum())
    assert fitted.history_["cluster"]["loss"][0] == pytest.approx(expected, rel=1e-4)
    entropy = -(gamma * np.log(gamma)).sum(1).mean()
    assert fitted.history_["cluster"]["entropy"] == pytest.approx([entropy, entropy], rel=1e-4)


def test_centroids_are_in_the_units_of_the_data_and_centers_in_those_of_transform():
    fitted = small(ClusteringModule, **THOROUGH).fit(X * 1000 + 500)
    z = fitted.transform(X * 1000 + 500)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-4)
    assert z.var() == pytest.approx(1, rel=1e-4)
    for centers, data in ((fitted.centroids_, X * 1000 + 500), (fitted.cluster_centers_, z)):
        means = np.array([data[fitted.labels_ == k].mean(0) for k in range(3)])
        assert np.linalg.norm(centers - means) < 0.01 * np.linalg.norm(means - data.mean(0))


@pytest.mark.parametrize("init", ["rand", "pre"])
def test_separated_groups_are_the_same_as_those_of_the_mixture(init):
    fitted = small(ClusteringModule, init=init, **THOROUGH).fit(X)
    mixture = spherical_mixture(fitted.transform(X), fitted.cluster_centers_, alpha=1.03)
    assert adjusted_rand_score(mixture.gamma.argmax(1), fitted.labels_) == 1
    assert np.linalg.norm(mixture.centers - fitted.cluster_centers_) < 0.01 * np.linalg.norm(mixture.centers)
    assert fitted.history_["cluster"]["entropy"][-1] < 0.1 * fitted.history_["cluster"]["entropy"][0]


def test_pre_starts_from_k_means_and_its_pseudo_inverse():
    fitted = small(ClusteringModule, init="pre", epochs=1, learning_rate=1e-12, precision="float32").fit(X)
    centers, module = fitted.cluster_centers_, fitted.head_
    np.testing.assert_allclose(module.encoder.weight.detach().numpy(), np.linalg.pinv(centers, rcond=1e-4).T, atol=1e-4)
    z = fitted.transform(X)
    means = KMeans(3, init=centers, n_init=1, max_iter=1).fit(z).cluster_centers_
    assert np.linalg.norm(means - centers) < 0.5 * np.linalg.norm(centers)
    np.testing.assert_allclose(module.encoder.bias.detach(), 0, atol=1e-9)


def test_the_posterior_of_equal_round_components_is_the_module():
    rng = np.random.default_rng(0)
    mu, variance = rng.normal(size=(3, 8)), 0.7
    mixture = GaussianMixture(3, covariance_type="spherical")
    mixture.means_, mixture.weights_ = mu, np.full(3, 1 / 3)
    mixture.precisions_cholesky_ = np.full(3, variance**-0.5)
    module = Mixture(3, 8).double()
    with torch.no_grad():
        module.encoder.weight.copy_(torch.from_numpy(mu / variance))
        module.encoder.bias.copy_(torch.from_numpy(-(mu**2).sum(1) / 2 / variance))
    np.testing.assert_allclose(module.assign(torch.from_numpy(X)).detach(), mixture.predict_proba(X), atol=1e-9)


def test_the_least_loss_without_a_prior_is_that_of_k_means():
    """Sharper and sharper posteriors at the centres of k-means come down to its inertia, and never below it."""
    means = KMeans(3, n_init=5, random_state=0).fit(X)
    mu = means.cluster_centers_
    reached = []
    for sharpness in (0.5, 2, 100):
        gamma = softmax(sharpness * (2 * X @ mu.T - (mu**2).sum(1)), axis=1)
        terms = losses.clustering_module(torch.from_numpy(X), torch.from_numpy(gamma), torch.from_numpy(mu))
        reached.append(terms.sum().item())
    assert reached[0] > reached[1] > reached[2] >= means.inertia_ * (1 - 1e-9)
    assert reached[2] == pytest.approx(means.inertia_, rel=1e-6)


def test_the_last_epoch_is_averaged():
    module, seen = Mixture(3, 8), []
    loop = Loop(X.astype(np.float32), seed=0, device="cpu")
    averaged = AveragedEpoch(loop, 2, module=module)

    def step(index):
        with torch.no_grad():
            module.centers.add_(len(seen))
        seen.append(module.centers.detach().clone())
        averaged.update()
        return {}

    loop.run("cluster", step, epochs=averaged.total, batch_size=50, end=averaged.finish)
    assert len(seen) == 9
    torch.testing.assert_close(module.centers.detach(), torch.stack(seen[6:]).mean(0))


def test_constant_data_have_no_spread_of_their_own():
    still = np.full((5000, 4), 1.7, dtype=np.float32)
    fitted = small(ClusteringModule, epochs=1, batch_size=1000).fit(still)
    assert fitted.scaling_.factor == 1
    assert not fitted.transform(still[:3]).any()


def test_the_learning_rate_falls_to_a_hundredth(monkeypatch):
    seen = []
    minimize = Loop.minimize
    monkeypatch.setattr(
        Loop, "minimize", lambda self, loss, opt: (seen.append(opt.param_groups[0]["lr"]), minimize(self, loss, opt))
    )
    small(ClusteringModule, epochs=4, learning_rate=0.5, batch_size=30).fit(X)
    steps = 5 * 4
    falling = 1 - 0.99 * np.arange(steps) / (steps - 1) * 5 / 4  # over four epochs; the averaged one keeps what is left
    np.testing.assert_allclose(seen, 0.5 * np.maximum(falling, 0.01))


def test_pre_takes_one_pass_of_k_means(monkeypatch):
    asked = {}
    true = "dctutor.methods.mixture.clustering_module.kmeans"
    monkeypatch.setattr(true, lambda z, k, generator, **settings: (asked.update(settings), z[:k].numpy())[1])
    small(ClusteringModule, init="pre", epochs=1).fit(X)
    assert asked == {"n_init": 1, "max_iter": 1}
