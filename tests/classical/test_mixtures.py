"""The mixtures behind the clustering module and VaDE, against scikit-learn and a general minimiser."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from dctutor.classical import diagonal_mixture, spherical_mixture

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


def generator():
    return torch.Generator().manual_seed(0)


def test_diagonal_mixture_stops_where_the_equations_of_em_do():
    found = diagonal_mixture(torch.tensor(X), 3, generator())
    weights, means, variances = (found[name].double().numpy() for name in ("weights", "means", "variances"))
    log_density = -0.5 * (np.log(2 * np.pi * variances) + (X[:, None] - means) ** 2 / variances).sum(2)
    gamma = softmax(log_density + np.log(weights), axis=1)
    sizes = gamma.sum(0)
    np.testing.assert_allclose(weights, sizes / len(X), atol=0.01)
    np.testing.assert_allclose(means, gamma.T @ X / sizes[:, None], atol=0.05)
    np.testing.assert_allclose(variances, gamma.T @ X**2 / sizes[:, None] - means**2, atol=0.05)
    assert np.array_equal(found["labels"], gamma.argmax(1))


def test_diagonal_mixture_of_given_clusters_has_their_moments():
    labels = np.array([0] * 30 + [1] * 10 + [2] * 5)
    found = diagonal_mixture(torch.tensor(X), 3, generator(), labels=torch.tensor(labels))
    np.testing.assert_allclose(found["weights"], [30 / 45, 10 / 45, 5 / 45], rtol=1e-6)
    for k in range(3):
        np.testing.assert_allclose(found["means"][k], X[labels == k].mean(0), rtol=1e-5)
        np.testing.assert_allclose(found["variances"][k], X[labels == k].var(0), atol=0.01)
    assert np.array_equal(found["labels"], labels)


def test_diagonal_mixture_finds_groups_of_other_shapes():
    wide = rng.normal(0, (3.0, 0.2), (200, 2))
    tall = rng.normal((0, 3), (0.2, 1.0), (100, 2))
    found = diagonal_mixture(torch.tensor(np.concatenate([wide, tall])), 2, generator())
    order = found["weights"].argsort(descending=True)
    np.testing.assert_allclose(found["weights"][order], [2 / 3, 1 / 3], atol=0.05)
    np.testing.assert_allclose(found["variances"][order].sqrt(), [[3, 0.2], [0.2, 1]], rtol=0.2)


def test_diagonal_mixture_of_constant_data_has_finite_variances():
    found = diagonal_mixture(torch.ones(20, 3), 2, generator())
    assert all(torch.isfinite(value.double()).all() for value in found.values()) and (found["variances"] > 0).all()
