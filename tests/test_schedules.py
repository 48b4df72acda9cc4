import math

import pytest

from dctutor.schedules import constant, one_cycle, pretrain_then_finetune

GRID = [i / 1000 for i in range(1001)]


def test_constant():
    assert {constant(0.3)(progress) for progress in GRID} == {0.3}


def test_pretrain_then_finetune():
    weight = pretrain_then_finetune(0.4)
    assert [weight(p) for p in (0.0, 0.399, 0.4, 1.0)] == [0.0, 0.0, 1.0, 1.0]
    assert pretrain_then_finetune(0.0)(0.0) == 1.0
    assert [pretrain_then_finetune(1.0)(p) for p in (0.999, 1.0)] == [0.0, 1.0]


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


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (constant, "alpha"),
        (pretrain_then_finetune, "switch"),
        (one_cycle, "warmup"),
        (lambda value: one_cycle(start=value), "start"),
        (lambda value: one_cycle(end=value), "end"),
    ],
)
def test_arguments_outside_the_unit_interval(make, name, bad):
    with pytest.raises(ValueError, match=rf"{name}: expected a number in \[0, 1\], got"):
        make(bad)
