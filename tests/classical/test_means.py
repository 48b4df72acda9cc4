"""Weighted means, against NumPy's average of each cluster."""

import numpy as np
import pytest
import torch

from dctutor.classical import weighted_means

RNG = np.random.default_rng(0)
Z, WEIGHTS = RNG.normal(size=(30, 4)), RNG.random((30, 3))


def test_means_are_the_averages_of_each_cluster():
    found = weighted_means(torch.from_numpy(Z), torch.from_numpy(WEIGHTS))
    expected = [np.average(Z, axis=0, weights=WEIGHTS[:, k]) for k in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # The unit of the weights does not matter.
    np.testing.assert_allclose(weighted_means(torch.from_numpy(Z), torch.from_numpy(1e9 * WEIGHTS)), expected)


def test_hard_assignments_give_the_means_of_the_members_and_an_empty_cluster_zeros():
    labels = np.arange(30) % 3
    weights = torch.nn.functional.one_hot(torch.from_numpy(labels), 4).float()
    found = weighted_means(torch.from_numpy(Z).float(), weights)
    expected = [Z[labels == k].mean(0) for k in range(3)] + [np.zeros(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_gradients_are_finite_and_right():
    z, weights = torch.from_numpy(Z).requires_grad_(), torch.from_numpy(WEIGHTS).requires_grad_()
    assert torch.autograd.gradcheck(weighted_means, (z, weights))
    nothing = torch.zeros(30, 2, dtype=torch.float64, requires_grad=True)
    weighted_means(z, nothing).sum().backward()
    assert not z.grad.any()


def test_reduced_precision_is_left():
    z, weights = torch.from_numpy(Z).bfloat16(), torch.from_numpy(WEIGHTS).bfloat16()
    found = weighted_means(z, weights)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), weighted_means(z.double(), weights.double()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((30,), (30, 2)), r"z: expected shape \(n, p\), got \(30,\)"),
        (((30, 4), (30,)), r"weights: expected shape \(30, k\), one row per sample, got \(30,\)"),
        (((30, 4), (3, 30)), r"weights: expected shape \(30, k\), one row per sample, got \(3, 30\)"),
    ],
)
def test_errors_name_the_argument(shapes, message):
    with pytest.raises(ValueError, match=message):
        weighted_means(*map(torch.ones, shapes))
