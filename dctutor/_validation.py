"""Checks of arguments: what came, and what was expected."""

import numbers
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["check_integer", "check_number", "check_sizes", "unchanged_on_error"]


@contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Leave an estimator as it was where the block, its fit, does not come to an end."""
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException:  # including an interrupt
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise


def check_integer(name: str, value: Any, *, minimum: float) -> int:
    """Return ``value`` as an int, or raise TypeError / ValueError naming the argument."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: expected an integer, got {value!r} of type {type(value).__name__}")
    if value < minimum:
        raise ValueError(f"{name}: expected an integer of at least {minimum:g}, got {value}")
    return int(value)


def check_number(
    name: str,
    value: Any,
    *,
    minimum: float = 0.0,
    below: float = float("inf"),
    maximum: float | None = None,
    open_at_minimum: bool = False,
) -> float:
    """Return ``value`` as a float in [minimum, below), or in [minimum, maximum], or raise naming the argument."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number, got {value!r} of type {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        number = float("inf") if abs(value) == value else float("-inf")
    # Written so that NaN fails.
    inside = number > minimum if open_at_minimum else number >= minimum
    if not inside or not (number < below if maximum is None else number <= maximum):
        bracket, end = "(" if open_at_minimum else "[", f"{below:g})" if maximum is None else f"{maximum:g}]"
        raise ValueError(f"{name}: expected a number in {bracket}{minimum:g}, {end}, got {value!r}")
    return number


def check_sizes(name: str, value: Any, *, minimum: int = 1) -> tuple[int, ...]:
    """Return the sizes as a tuple, at least ``minimum``, or raise TypeError / ValueError naming the argument."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray):
        raise TypeError(f"{name}: expected a sequence of sizes, got {value!r}")
    if len(value) < minimum:
        raise ValueError(f"{name}: expected at least one layer, got {value!r}")
    return tuple(check_integer(name, size, minimum=1) for size in value)
