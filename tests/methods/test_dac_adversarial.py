"""DAC, adversarial: the mixture against scikit-learn's, one step against its formulas, and samples of a cluster."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from small_fits import blobs, small
from torch.nn import functional

from dctutor import DeepAdversarialClustering
from dctutor.methods.adversarial.dac_adversarial import Gaussians

X, TRUTH = blobs()


@pytest.fixture(scope="module")
def fitted():
    return small(DeepAdversarialClustering, pretrain_epochs=30, epochs=20).fit(X)


def mixture(z, labels, floor):
    head = Gaussians(3, z.shape[1])
    head.maximize(z, functional.one_hot(labels, 3), floor)
    return head


def test_em_is_scikit_learns_from_the_same_start():
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(mean, spread, (70, 2)) for mean, spread in ((0, 1), (2, 0.5), (4, 1.5))])
    z, labels = torch.tensor(codes, dtype=torch.float32), torch.arange(3).repeat_interleave(70)
    head = mixture(z, labels, 1e-3)
    start = {"weights_init": np.full(3, 1 / 3), "means_init": head.centers.double().numpy()}
    precisions = np.linalg.inv(head.covariances().double().numpy())
    floor = 1e-3 * z.double().var(0, correction=0).mean().item()
    theirs = GaussianMixture(3, max_iter=8, tol=0, reg_covar=floor, precisions_init=precisions, **start)
    with pytest.warns(UserWarning, match="converge"):
        theirs.fit(codes)
    head.em(z, 8, 1e-3)
    np.testing.assert_allclose(head.weights, theirs.weights_, atol=1e-4)
    np.testing.assert_allclose(head.centers, theirs.means_, atol=1e-3)
    np.testing.assert_allclose(head.covariances(), theirs.covariances_, atol=1e-3)
    np.testing.assert_allclose(head.assign(z), theirs.predict_proba(codes), atol=1e-3)


def test_density_is_scipys_and_draws_have_its_moments():
    z, labels = torch.randn(90, 2, generator=torch.Generator().manual_seed(0)), torch.arange(90) % 3
    head = mixture(z * torch.tensor([1.0, 3.0]), labels, 0.01)
    for k in range(3):
        normal = multivariate_normal(
            head.centers[k].numpy(), head.covariances()[k].double().numpy(), allow_singular=True
        )
        expected = normal.logpdf(z) + np.log(head.weights[k].item())
        np.testing.assert_allclose(head.log_joint(z)[:, k], expected, rtol=1e-4, atol=1e-4)
    drawn = head.draw(torch.full((20_000,), 1), torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.mean(0), head.centers[1], atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), head.covariances()[1], atol=0.3, rtol=0.1)


def test_a_component_that_holds_nothing_keeps_its_mean():
    z, labels = torch.randn(60, 2), torch.arange(60) % 2
    head = Gaussians(3, 2)
    head.centers.fill_(7)
    head.maximize(z, functional.one_hot(labels, 3), 0.01)
    assert head.centers[2].tolist() == [7, 7] and head.weights[2] < 1e-6
    assert torch.isfinite(head.assign(z)).all()


def test_loss_is_the_weighted_sum_of_its_terms():
    fit = small(DeepAdversarialClustering, reconstruction_weight=0.5, adversarial_weight=0.2).fit(X)
    game = {name: np.array(values) for name, values in fit.history_["game"].items()}
    np.testing.assert_allclose(game["loss"], 0.5 * game["reconstruction"] + 0.2 * game["fooling"], rtol=1e-5)


def test_labels_are_those_of_the_mixture_and_samples_fall_into_their_cluster(fitted):
    z = torch.from_numpy(fitted.transform(X))
    np.testing.assert_array_equal(fitted.labels_, fitted.head_.log_joint(z).argmax(1))
    for cluster in range(3):
        made = fitted.sample(40, cluster=cluster, random_state=0)
        assert made.shape == (40, 8) and np.mean(fitted.predict(made) == cluster) > 0.9
    np.testing.assert_array_equal(fitted.sample(7, random_state=3), fitted.sample(7, random_state=3))


def test_without_the_reconstruction_it_gets_worse(fitted):
    broken = small(DeepAdversarialClustering, pretrain_epochs=30, epochs=20, reconstruction_weight=0).fit(X)
    last = [fit.history_["game"]["reconstruction"][-1] for fit in (fitted, broken)]
    assert last[1] > 2 * last[0]
