"""Self-paced weights, by hand and against the problem that they solve."""

import itertools

import pytest
import torch

from dctutor.losses import self_paced_weights

LOSSES = torch.tensor([0.0, 1.0, 3.0, 5.0, 6.0, 9.0])  # mean 4, variance (16 + 9 + 1 + 1 + 4 + 25) / 6 = 28 / 3


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (0.0, [1, 1, 1, 0, 0, 0]),  # threshold 4
        (0.5, [1, 1, 1, 1, 0, 0]),  # 4 + 0.5 * 3.055 = 5.53
        (0.65, [1, 1, 1, 1, 0, 0]),  # 5.986
        (0.66, [1, 1, 1, 1, 1, 0]),  # 6.016
        (1.0, [1, 1, 1, 1, 1, 0]),  # 7.055: what lies further than one deviation out never counts
    ],
)
def test_threshold_rises_from_the_mean_to_one_deviation_above(progress, expected):
    assert self_paced_weights(LOSSES, progress).tolist() == expected


def test_a_loss_at_the_threshold_waits():
    # Mean 2, deviation 1: at progress 1 the threshold is exactly the largest loss.
    assert self_paced_weights(torch.tensor([1.0, 3.0]), 1.0).tolist() == [1, 0]
    assert self_paced_weights(torch.tensor([2.0, 2.0]), 0.0).tolist() == [0, 0]


def test_weights_minimise_the_paper_s_problem_for_their_threshold():
    losses = torch.rand(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    threshold = losses.mean() + 0.3 * losses.var(correction=0).sqrt()
    values = {v: ((losses - threshold) * torch.tensor(v)).sum().item() for v in itertools.product((0, 1), repeat=8)}
    assert tuple(self_paced_weights(losses, 0.3).tolist()) == min(values, key=values.get)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_units_of_the_losses_do_not_matter(factor):
    losses = torch.randn(200, generator=torch.Generator().manual_seed(1), dtype=torch.float64).square()
    assert torch.equal(self_paced_weights(losses * factor, 0.5), self_paced_weights(losses, 0.5))


def test_no_gradient_and_no_half_precision():
    losses = LOSSES.clone().requires_grad_()
    assert not self_paced_weights(losses, 0.5).requires_grad
    assert self_paced_weights(LOSSES.bfloat16(), 0.5).dtype == torch.float32


@pytest.mark.parametrize(
    ("losses", "progress", "error", "message"),
    [
        (torch.ones(2, 2), 0.5, ValueError, r"losses: expected shape \(n,\), one per sample, got \(2, 2\)"),
        (torch.ones(0), 0.5, ValueError, r"losses: expected shape \(n,\), one per sample, got \(0,\)"),
        (LOSSES, 1.5, ValueError, r"progress: expected a number in \[0, 1\], got 1.5"),
        (LOSSES, -0.1, ValueError, r"progress: expected a number in \[0, 1\], got -0.1"),
        (LOSSES, "0.5", TypeError, "progress: expected a number, got '0.5'"),
    ],
)
def test_bad_arguments_are_named(losses, progress, error, message):
    with pytest.raises(error, match=message):
        self_paced_weights(losses, progress)
