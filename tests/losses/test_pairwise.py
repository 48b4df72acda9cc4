"""Losses of pairs, against loops over all of them."""

import math

import pytest
import torch
from torch.nn import functional

from dctutor.losses import pairwise, select_pairs


def draw(n=9, k=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.rand(n, k, generator=generator, dtype=torch.float64) ** 3, dim=1)


@pytest.mark.parametrize(("upper", "lower"), [(0.95, 0.455), (0.7, 0.6), (0.5, 0.5), (1.0, 0.0)])
def test_selection_is_the_equation(upper, lower):
    features = draw()
    target, selected = select_pairs(features, upper, lower)
    for i in range(len(features)):
        for j in range(len(features)):
            similarity = sum(a * b for a, b in zip(features[i].tolist(), features[j].tolist(), strict=True))
            expected = i != j and (similarity >= upper or similarity < lower)
            assert selected[i, j] == expected
            assert target[i, j] == (expected and similarity >= upper)


def test_one_threshold_selects_all_pairs():
    selected = select_pairs(draw(), 0.5, 0.5)[1]
    assert torch.equal(selected, ~torch.eye(9, dtype=torch.bool))


def test_selection_has_no_gradient():
    target, selected = select_pairs(draw().requires_grad_(), 0.9, 0.4)
    assert target.dtype == selected.dtype == torch.bool


@pytest.mark.parametrize(("upper", "lower", "name"), [(1.5, 0.2, "upper"), (0.4, 0.5, "lower"), (0.4, -0.1, "lower")])
def test_thresholds_out_of_range(upper, lower, name):
    with pytest.raises(ValueError, match=f"{name}: expected a number in"):
        select_pairs(draw(), upper, lower)


def test_pairwise_is_the_equation():
    features = draw()
    target, selected = select_pairs(features, 0.8, 0.4)
    total, count = 0.0, 0
    for i in range(len(features)):
        for j in range(len(features)):
            if selected[i, j]:
                g = (features[i] @ features[j]).item()
                total -= math.log(g) if target[i, j] else math.log(1 - g)
                count += 1
    assert 0 < count < 72
    assert pairwise(features, target, selected).item() == pytest.approx(total / count, rel=2e-3)  # the straight line


def test_pairwise_is_binary_cross_entropy_of_similarities():
    features, target = draw(), torch.rand(9, 9) < 0.5
    similarity = 1e-4 + (1 - 1e-4) * (features @ features.T).clamp(0, 1)
    # The line is laid on the probability of what is true: on g itself for a target of 1, on 1 - g otherwise.
    other = 1e-4 + (1 - 1e-4) * (1 - (features @ features.T).clamp(0, 1))
    g = torch.where(target, similarity, 1 - other)
    expected = functional.binary_cross_entropy(g, target.double())
    assert pairwise(features, target).item() == pytest.approx(expected.item(), rel=1e-9)


def test_gradient():
    z = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    target, selected = select_pairs(functional.normalize(z.softmax(1)), 0.9, 0.7)
    assert 0 < selected.sum() < 30
    assert torch.autograd.gradcheck(lambda z: pairwise(functional.normalize(z.softmax(1)), target, selected), z)


def test_a_pair_that_is_as_wrong_as_can_be_stays_finite():
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).requires_grad_()
    loss = pairwise(rows, torch.tensor([[False, False, True]] * 3))
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(1e-4) * 6 / 9, rel=0.2)
    assert torch.isfinite(rows.grad).all() and rows.grad.abs().max() <= 1e4


def test_no_pair_is_no_loss():
    rows = draw().requires_grad_()
    none = torch.zeros(9, 9, dtype=torch.bool)
    loss = pairwise(rows, none, none)
    loss.backward()
    assert loss.item() == 0 and (rows.grad == 0).all()


def test_shapes():
    with pytest.raises(ValueError, match="target: expected the shape of the similarities"):
        pairwise(draw(), torch.zeros(9, 8, dtype=torch.bool))
    with pytest.raises(ValueError, match="selected: expected the shape of the similarities"):
        pairwise(draw(), torch.zeros(9, 9, dtype=torch.bool), torch.zeros(3, 3, dtype=torch.bool))


def test_half_precision_is_widened():
    features = draw().bfloat16()
    target, selected = select_pairs(features, 0.8, 0.4)
    assert pairwise(features, target, selected).dtype == torch.float32
