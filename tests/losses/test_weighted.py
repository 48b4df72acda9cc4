"""Feature weights and the loss that uses them: against a plain double loop, values by hand, and gradients."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from dctutor.losses import feature_weights, reconstruction, weighted_reconstruction

GENERATOR = torch.Generator().manual_seed(0)


def plain(x, labels):
    """Equation 5, pair by pair."""
    within, between, alike, unlike = np.zeros(x.shape[1]), np.zeros(x.shape[1]), 0, 0
    for p in range(len(x)):
        for q in range(len(x)):
            near = np.exp(-((x[p] - x[q]) ** 2))
            if p == q or -1 in (labels[p], labels[q]):
                continue
            if labels[p] == labels[q]:
                within, alike = within + near, alike + 1
            else:
                between, unlike = between + 1 - near, unlike + 1
    return within / alike * between / unlike


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_plain_double_loop(dtype):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(0, 1, (40, 6)), rng.integers(-1, 4, 40)
    x[:, 2] = 0.5  # tells nothing
    labels[0] = 9  # a class of one: it has no pair of its own, and counts in the others
    weights = feature_weights(torch.tensor(x, dtype=dtype), torch.from_numpy(labels))
    np.testing.assert_allclose(weights, plain(x, labels), rtol=1e-5 if dtype is torch.float32 else 1e-12)
    assert weights.dtype is dtype and weights[2] == 0


def test_small_differences_count_in_float32():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(0, 1e-4, (40, 3)), rng.integers(0, 3, 40)
    weights = feature_weights(torch.tensor(x, dtype=torch.float32), torch.from_numpy(labels))
    np.testing.assert_allclose(weights, plain(x, labels), rtol=1e-3)


def test_weights_carry_no_gradient_and_leave_reduced_precision():
    x, labels = torch.rand(40, 3, generator=GENERATOR, requires_grad=True), torch.arange(40) % 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = feature_weights(x, labels)
        loss = weighted_reconstruction(x.detach().bfloat16(), x.detach().flip(0).bfloat16(), weights)
    assert not weights.requires_grad and weights.dtype == loss.dtype == torch.float32
    np.testing.assert_allclose(weights, plain(x.detach().double().numpy(), labels), rtol=1e-5)


def test_values_by_hand():
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [9.0, 9.0]])
    weights = feature_weights(x, torch.tensor([0, 0, 7, 7, -1]))
    apart = 1 - np.exp(-1)
    # Feature 0 is the class. Feature 1 differs in each pair within a class, and in half of those between.
    np.testing.assert_allclose(weights, [apart, np.exp(-1) * apart / 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, -1], "two samples with the same label, got none among 3"),
        ([5, 5, 5, -1], "at least two different labels, got one"),
        ([-1, -1, -1, -1], "two samples with the same label, got none among 0"),
        ([0, 0, 1], r"one per sample, 4 in all, got shape \(3,\)"),
    ],
)
def test_labels_that_make_no_weights(labels, message):
    with pytest.raises(ValueError, match=rf"^labels: expected {message}"):
        feature_weights(torch.rand(4, 2, generator=GENERATOR), torch.tensor(labels))


def test_weighted_reconstruction():
    x, x_hat = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[0.0, 2.0], [0.0, 4.0]])
    assert weighted_reconstruction(x, x_hat, torch.tensor([2.0, 3.0])).item() == (2 * 1 + 3 * 9) / 4
    ones = weighted_reconstruction(x, x_hat, torch.ones(2))
    assert ones.item() == pytest.approx(reconstruction(x, x_hat).item())
    assert gradcheck(
        weighted_reconstruction,
        (x.double(), x_hat.double().requires_grad_(), torch.tensor([0.5, 0.0]).double()),
    )
    with pytest.raises(ValueError, match=r"x_hat: expected the shape of x, \(2, 2\), got \(2, 1\)"):
        weighted_reconstruction(x, x_hat[:, :1], torch.ones(2))
    with pytest.raises(ValueError, match=r"weights: expected one per feature, 2 in all, got shape \(1,\)"):
        weighted_reconstruction(x, x_hat, torch.ones(1))
