"""Methods that generate: `sample`, in the units of the data, of all clusters or of one."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from dctutor.architectures import Identity
from dctutor.estimator import DeepClusterer, Sampling, Trained

X = np.array([[2.0, 4.0], [4.0, 6.0], [6.0, 2.0]] * 10, dtype=np.float32)


@dataclass(eq=False, repr=False)
class Corners(Sampling, DeepClusterer):
    """Draws the scaled number of a cluster, with noise: of two clusters, three of four samples from the second."""

    input_scaling = "unit_range"

    def _build_network(self, n_features):
        return Identity(n_features)

    def _train(self, loop):
        return Trained(self._build_network(2), centers=torch.eye(2))

    def _cluster_weights(self):
        return torch.tensor([0.25, 0.75])

    def _draw(self, clusters, generator):
        noise = torch.rand((len(clusters), 2), generator=generator, device=clusters.device)
        return clusters.unsqueeze(1) + noise / 100


@pytest.fixture(scope="module")
def fitted():
    return Corners(n_clusters=2, random_state=0, verbose=False).fit(X)


def test_samples_of_a_cluster_are_in_the_units_of_the_data(fitted):
    low, high = fitted.sample(50, cluster=0), fitted.sample(50, cluster=np.int64(1))
    assert low.shape == (50, 2) and low.dtype == np.float32
    assert low.min() >= 2.0 and low.max() <= 2.05  # the data go from 2 to 6
    assert high.min() >= 6.0 and high.max() <= 6.05


def test_without_a_cluster_each_sample_is_of_one_by_its_weight(fitted):
    drawn = fitted.sample(4000, random_state=0)
    assert (drawn > 5).all(1).mean() == pytest.approx(0.75, abs=0.04)  # 5 standard errors


def test_seed_decides_and_the_global_generators_stay(fitted):
    before = torch.get_rng_state()
    first, again, other = (fitted.sample(9, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other) and not np.array_equal(fitted.sample(9), fitted.sample(9))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n: expected an integer of at least 1, got 0"),
        ({"n": 2.5}, "n: expected an integer, got 2.5"),
        ({"n": 1, "cluster": 2}, "cluster: expected one from 0 to 1, got 2"),
        ({"n": 1, "cluster": -1}, "cluster: expected an integer of at least 0, got -1"),
        ({"n": 1, "cluster": "a"}, "cluster: expected an integer, got 'a'"),
        ({"n": 1, "random_state": "a"}, "random_state: expected an integer from 0"),
    ],
)
def test_bad_arguments_are_named(fitted, settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fitted.sample(**settings)


def test_needs_a_fit():
    with pytest.raises(NotFittedError):
        Corners().sample(2)
