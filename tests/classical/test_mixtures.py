"""The mixture behind the clustering module, against scikit-learn and a general minimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from dctutor.classical import spherical_mixture

rng = np.random.default_rng(0)
X = np.concatenate([rng.normal(at, 0.5, (n, 2)) for at, n in ((0, 30), (2, 10), (-2, 5))])
START = X[[0, 35, 42]]


def test_without_variance_and_prior_it_is_k_means():
    found = spherical_mixture(X, START)
    expected = KMeans(3, init=START, n_init=1, tol=0).fit(X)
    np.testing.assert_allclose(found.centers, expected.cluster_centers_)
    assert np.array_equal(found.gamma.argmax(1), expected.labels_)
    assert found.objective[-1] == pytest.approx(expected.inertia_ / X.size)


def test_responsibilities_are_the_posterior_of_equal_round_components():
    found = spherical_mixture(X, START, variance=0.4)
    mixture = GaussianMixture(3, covariance_type="spherical")
    mixture.means_, mixture.weights_ = found.centers, np.full(3, 1 / 3)
    mixture.precisions_cholesky_ = np.full(3, 0.4**-0.5)
    np.testing.assert_allclose(found.gamma, mixture.predict_proba(X), atol=1e-4)
    # The objective is minus the log likelihood, in units of n d / 2 sigma^2 and without its constants.
    constant = np.log(3) + np.log(2 * np.pi * 0.4)
    assert found.objective[-1] == pytest.approx((-mixture.score(X) - constant) * 0.4, rel=1e-6)


@pytest.mark.parametrize("variance", [0.0, 0.3])
@pytest.mark.parametrize("alpha", [1.03, 1.3])
def test_responsibilities_minimise_the_objective(alpha, variance):
    found = spherical_mixture(X, START, alpha=alpha, variance=variance)
    assert np.diff(found.objective).max() < 1e-8
    cost = ((X[:, None] - found.centers) ** 2).sum(2) / 2

    def objective(logits):
        gamma = softmax(logits.reshape(cost.shape), axis=1)
        entropy = (gamma * np.log(gamma + 1e-300)).sum(1).mean()
        return (gamma * cost).sum(1).mean() + variance * entropy - (alpha - 1) * np.log(gamma.mean(0)).sum()

    least = minimize(objective, rng.normal(size=cost.size), method="L-BFGS-B", options={"maxfun": 100_000}).fun
    assert least - 2e-3 < found.objective[-1] < least + 1e-5  # 135 logits are hard to minimise over
    np.testing.assert_allclose(found.centers, found.gamma.T @ X / found.gamma.sum(0)[:, None], atol=1e-4)


def test_the_prior_evens_the_shares():
    shares = [spherical_mixture(X, START, alpha=alpha).gamma.mean(0) for alpha in (1.0, 1.3, 30.0)]
    assert shares[0].min() < shares[1].min() < shares[2].min()
    assert shares[2].min() > 0.32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"centers": START[:, :1]}, "centers: expected width 2"),
        ({"alpha": 0.5}, r"alpha: expected a number in \[1"),
        ({"variance": -1.0}, "variance: expected"),
        ({"max_iter": 0}, "max_iter: expected"),
        ({"X": X[0]}, "Expected 2D array"),
    ],
)
def test_bad_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        spherical_mixture(**{"X": X, "centers": START} | changes)


@pytest.mark.parametrize(("alpha", "variance"), [(1.0, 0.0), (1.0, 0.3), (1.03, 0.0), (1.3, 0.3)])
def test_the_origin_does_not_matter(alpha, variance):
    near = spherical_mixture(X, START, alpha=alpha, variance=variance)
    far = spherical_mixture(X + 1e4, START + 1e4, alpha=alpha, variance=variance)
    np.testing.assert_allclose(far.centers - 1e4, near.centers, atol=1e-5)
    np.testing.assert_allclose(far.gamma, near.gamma, atol=1e-5)
    np.testing.assert_allclose(far.objective, near.objective, rtol=1e-6)


@pytest.mark.parametrize("alpha", [5.0, 30.0])
def test_the_objective_does_not_rise_under_a_strong_prior(alpha):
    source = np.random.default_rng(0)
    x = source.normal(size=(100, 2))
    found = spherical_mixture(x, x[:5], alpha=alpha)
    assert np.diff(found.objective).max() < 1e-6


def test_the_responsibilities_are_those_of_the_centroids_that_are_returned():
    found = spherical_mixture(X, START, variance=0.4, max_iter=1)
    logits = -((X[:, None] - found.centers) ** 2).sum(2) / 0.8
    np.testing.assert_allclose(found.gamma, softmax(logits, axis=1), atol=1e-9)


def test_a_prior_comes_with_a_least_variance():
    scatter = np.square(X - X.mean(0)).sum(1).mean()
    bare, floor = (spherical_mixture(X, START, alpha=1.3, variance=v).gamma for v in (0.0, 5e-5 * scatter))
    np.testing.assert_allclose(bare, floor, atol=1e-6)


def test_it_ends_when_the_centroids_rest():
    assert len(spherical_mixture(X, START, tol=1e9).objective) == 1
    steps = len(spherical_mixture(X, START).objective)
    assert 1 < steps < 300
    with pytest.raises(TypeError, match=r"^tol: expected a number"):
        spherical_mixture(X, START, tol="small")
