"""Nonparametric maximum-margin clustering: finds directions, and how many; draws its concentration rightly."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammaln

from dctutor.classical import maximum_margin
from dctutor.classical.maximum_margin import _concentration, _orthogonal
from dctutor.metrics import clustering_accuracy


def rays(n=150, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    z = 4 * np.eye(6)[truth] + 0.3 * rng.normal(size=(n, 6))
    return torch.from_numpy(z - z.mean(0)).float(), truth


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_finds_three_rays_and_their_number():
    z, truth = rays()
    found = maximum_margin(z, 10, generator(), alpha=0.1, sweeps=30)
    assert clustering_accuracy(truth, found.labels) > 0.95
    assert (found.counts > 0).sum() == 3


def test_what_it_returns_fits_together():
    z, _ = rays()
    found = maximum_margin(z, 10, generator(), sweeps=3)
    assert np.array_equal(found.counts, np.bincount(found.labels, minlength=10))
    assert (np.diff(found.counts) <= 0).all()
    assert not found.weights[found.counts == 0].any()
    again = maximum_margin(z, 10, generator(), sweeps=3)
    assert np.array_equal(found.labels, again.labels) and found.alpha == again.alpha


def test_never_more_clusters_than_allowed():
    z, _ = rays()
    assert maximum_margin(z, 2, generator(), alpha=100.0, sweeps=3).labels.max() <= 1
    assert maximum_margin(z, 1, generator(), sweeps=1).labels.max() == 0


def test_a_larger_concentration_gives_more_clusters():
    z, _ = rays()
    few, many = (np.unique(maximum_margin(z, 50, generator(), alpha=a, sweeps=5).labels).size for a in (0.01, 50.0))
    assert few < many


def test_a_new_direction_is_at_right_angles_to_the_others():
    rng = np.random.default_rng(0)
    others, w = rng.normal(size=(3, 8)), rng.normal(size=8)
    found = _orthogonal(others, w)
    projected = w - others.T @ np.linalg.lstsq(others.T, w, rcond=None)[0]
    np.testing.assert_allclose(found, projected, atol=1e-6)
    np.testing.assert_allclose(others @ found, 0, atol=1e-5)


def test_concentration_has_the_posterior_of_rasmussen():
    def density(log_alpha, k=5, n=200):
        a = np.exp(log_alpha)
        return np.exp((k - 0.5) * log_alpha - 1 / (2 * a) + gammaln(a) - gammaln(n + a) + gammaln(n))

    whole = quad(density, -7, 9)[0]
    expected = quad(lambda u: u * density(u), -7, 9)[0] / whole
    rng = np.random.default_rng(0)
    drawn = np.log([_concentration(5, 200, rng) for _ in range(2000)])
    assert drawn.mean() == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("wrong", [{"sharpness": 0.0}, {"alpha": -1.0}, {"sweeps": 0}, {"most": 0}])
def test_arguments_out_of_range_are_named(wrong):
    z, _ = rays(9)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        maximum_margin(z, wrong.pop("most", 3), generator(), **wrong)
