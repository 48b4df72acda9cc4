import math

import numpy as np
import pytest
from scipy.special import expit

from dctutor.schedules import closing, constant, cosine, linear, one_cycle, pretrain_then_finetune, sigmoid

GRID = [i / 1000 for i in range(1001)]


def test_constant():
    assert {constant(0.3)(progress) for progress in GRID} == {0.3}


def test_pretrain_then_finetune():
    weight = pretrain_then_finetune(0.4)
    assert [weight(p) for p in (0.0, 0.399, 0.4, 1.0)] == [0.0, 0.0, 1.0, 1.0]
    assert pretrain_then_finetune(0.0)(0.0) == 1.0
    assert [pretrain_then_finetune(1.0)(p) for p in (0.999, 1.0)] == [0.0, 1.0]


RAMPS = [linear, cosine, sigmoid]
each_ramp = pytest.mark.parametrize("make", RAMPS, ids=lambda make: make.__name__)


def test_ramps_by_hand():
    # From 0.2 to 1 between a quarter and three quarters: 0.375 is a quarter of the way along.
    ramp = {"start": 0.2, "end": 1.0, "ramp": (0.25, 0.75)}
    assert [linear(**ramp)(p) for p in (0.25, 0.375, 0.5, 0.75)] == pytest.approx([0.2, 0.4, 0.6, 1.0])
    assert [cosine(**ramp)(p) for p in (0.25, 0.375, 0.5, 0.75)] == pytest.approx(
        [0.2, 0.2 + 0.4 * (1 - math.sqrt(0.5)), 0.6, 1.0]
    )
    assert [sigmoid(**ramp, steepness=4)(p) for p in (0.25, 0.5, 0.75)] == pytest.approx([0.2, 0.6, 1.0])


@pytest.mark.parametrize("steepness", [0.5, 10, 60])
def test_sigmoid_is_a_stretched_logistic_curve(steepness):
    u = np.linspace(0, 1, 101)
    low, high = expit(-steepness / 2), expit(steepness / 2)
    expected = (expit(steepness * (u - 0.5)) - low) / (high - low)
    np.testing.assert_allclose([sigmoid(steepness=steepness)(p) for p in u], expected, rtol=1e-9, atol=1e-15)


def test_a_flat_sigmoid_is_a_line_and_a_steep_one_a_jump():
    assert [sigmoid(steepness=1e-3)(p) for p in GRID] == pytest.approx(GRID, abs=1e-6)
    steep, jump = sigmoid(steepness=1e4), pretrain_then_finetune(0.5)
    assert all(steep(p) == pytest.approx(jump(p), abs=1e-3) for p in GRID if p != 0.5)


@each_ramp
@pytest.mark.parametrize("ramp", [(0.0, 1.0), (0.3, 0.8), (0.5, 0.5), (0.0, 0.0)])
def test_ramps_hit_their_ends_and_go_one_way(make, ramp):
    begin, stop = ramp
    up, down = make(0.1, 0.7, ramp=ramp), make(0.7, 0.1, ramp=ramp)
    values = [up(p) for p in GRID]
    assert values == sorted(values) and {v for v, p in zip(values, GRID, strict=True) if p >= stop} == {0.7}
    assert {v for v, p in zip(values, GRID, strict=True) if p < begin} <= {0.1}
    assert up(0.0) == (0.1 if stop else 0.7) and up(1.0) == 0.7
    assert [down(p) for p in GRID] == pytest.approx([0.8 - v for v in values])
    assert make()(0.0) == 0.0 and make()(1.0) == 1.0


@each_ramp
def test_a_ramp_of_no_length_is_pretraining_then_finetuning(make):
    weight, expected = make(ramp=(0.4, 0.4)), pretrain_then_finetune(0.4)
    assert [weight(p) for p in GRID] == [expected(p) for p in GRID]


@each_ramp
@pytest.mark.parametrize("ramp", [(0.8, 0.3), (-0.1, 0.5), (0.5, 1.1), (0.5, math.nan), (0.5,), (0, 0.5, 1), 0.5])
def test_ramps_that_are_none(make, ramp):
    with pytest.raises(ValueError, match="ramp: expected"):
        make(ramp=ramp)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_steepness_must_be_positive(bad):
    with pytest.raises(ValueError, match=r"steepness: expected a number in \(0, inf\), got"):
        sigmoid(steepness=bad)
    with pytest.raises(TypeError, match="steepness: expected a number, got 'steep'"):
        sigmoid(steepness="steep")


def test_one_cycle_by_hand():
    factor = one_cycle(warmup=0.25, start=0.1, end=0.01)
    assert factor(0.0) == pytest.approx(0.1)
    assert factor(0.125) == pytest.approx(0.55)  # halfway up
    assert factor(0.25) == pytest.approx(1.0)
    assert factor(0.625) == pytest.approx(0.505)  # halfway down
    assert factor(0.5) == pytest.approx(0.01 + 0.99 * (1 + math.cos(math.pi / 3)) / 2)
    assert factor(1.0) == pytest.approx(0.01)


@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
def test_one_cycle_rises_then_falls(warmup):
    values = [one_cycle(warmup)(p) for p in GRID]
    top = values.index(max(values))
    assert values[: top + 1] == sorted(values[: top + 1]) and values[top:] == sorted(values[top:], reverse=True)
    assert min(values) >= 1e-4 and max(values) <= 1
    assert GRID[top] == pytest.approx(warmup, abs=0.0011)


def test_closing_thresholds_are_the_papers():
    """u = 0.95 - lambda, l = 0.455 + lambda / 10: they meet at lambda = 0.45, where both are 0.5."""
    upper, lower = closing(0.95, 0.455)
    for progress in GRID:
        lam = 0.45 * progress
        assert upper(progress) == pytest.approx(0.95 - lam)
        assert lower(progress) == pytest.approx(0.455 + 0.1 * lam)


def test_closing_part_of_the_way():
    upper, lower = closing(0.9, 0.1, 0.3, closed=0.5)
    assert [upper(0.0), upper(0.5), upper(1.0)] == pytest.approx([0.9, 0.75, 0.6])
    assert [lower(0.0), lower(0.5), lower(1.0)] == pytest.approx([0.1, 0.15, 0.2])
    still = closing(0.9, 0.1, closed=0.0)
    assert [still[0](p) for p in GRID] == pytest.approx([0.9] * len(GRID))
    assert [still[1](p) for p in GRID] == pytest.approx([0.1] * len(GRID))


def test_thresholds_that_cross():
    with pytest.raises(ValueError, match=r"lower: expected a number in \[0, 0.4\], got 0.5"):
        closing(0.4, 0.5)
    with pytest.raises(ValueError, match=r"meet: expected a number in \[0.2, 0.8\], got 0.1"):
        closing(0.8, 0.2, 0.1)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (constant, "alpha"),
        (pretrain_then_finetune, "switch"),
        (one_cycle, "warmup"),
        (lambda value: closing(value, 0.1), "upper"),
        (lambda value: closing(0.9, 0.1, closed=value), "closed"),
        (lambda value: one_cycle(start=value), "start"),
        (lambda value: one_cycle(end=value), "end"),
        *((make, "start") for make in RAMPS),
        *((lambda value, make=make: make(end=value), "end") for make in RAMPS),
    ],
)
def test_arguments_outside_the_unit_interval(make, name, bad):
    with pytest.raises(ValueError, match=rf"{name}: expected a number in \[0, 1\], got"):
        make(bad)
