"""Checks of constructor arguments: what came, and what was expected."""

import numbers
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

__all__ = ["check_integer", "check_number", "check_sizes", "known_labels", "seed_of", "unchanged_on_error"]


@contextmanager
def unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Leave an estimator as it was where the block, its fit, does not come to an end."""
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException:  # an interrupt, too
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise


def check_integer(name: str, value: Any, *, minimum: int) -> int:
    """Return ``value`` as an int, or raise TypeError / ValueError naming the argument."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: expected an integer, got {value!r} of type {type(value).__name__}")
    if value < minimum:
        raise ValueError(f"{name}: expected an integer of at least {minimum}, got {value}")
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
    # Written so that NaN fails.
    number = float(value)
    inside = number > minimum if open_at_minimum else number >= minimum
    if not inside or not (number < below if maximum is None else number <= maximum):
        bracket, end = "(" if open_at_minimum else "[", f"{below:g})" if maximum is None else f"{maximum:g}]"
        raise ValueError(f"{name}: expected a number in {bracket}{minimum:g}, {end}, got {value!r}")
    return number


def check_sizes(name: str, value: Any, *, minimum: int = 1) -> tuple[int, ...]:
    """Return the sizes as a tuple, at least ``minimum``, or raise TypeError / ValueError naming the argument."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"{name}: expected a sequence of sizes, got {value!r}")
    if len(value) < minimum:
        raise ValueError(f"{name}: expected at least one layer, got {value!r}")
    return tuple(check_integer(name, size, minimum=1) for size in value)


def known_labels(y: Any, n_samples: int) -> NDArray[np.int64] | None:
    """Return ``y`` as integers, -1 where it is -1, or None where it knows nothing; raise naming the argument."""
    if y is None:
        return None
    try:
        labels = column_or_1d(y)
        if labels.dtype.kind == "O" and all(isinstance(label, str) or label == -1 for label in labels):
            labels = labels.astype(str)  # as NumPy makes of ["a", "b", -1], and pandas does not
        kind = type_of_target(labels, input_name="y")
    except (TypeError, ValueError) as error:
        raise type(error)(f"y: expected one label a sample, -1 where it is unknown; {error}") from error
    if kind not in ("binary", "multiclass"):
        # "Unknown label type" is what scikit-learn's own classifiers say.
        raise ValueError(f"y: expected classes, such as integers, -1 where unknown. Unknown label type: {kind}")
    if len(labels) != n_samples:
        raise ValueError(f"y: expected a label, or -1, for each of {n_samples} samples, got {len(labels)}")
    numbers = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    # NumPy makes strings of ["a", "b", -1].
    unknown = labels == -1 if labels.dtype.kind in "biuf" else labels.astype(str) == "-1"
    numbers[unknown] = -1
    return None if unknown.all() else numbers


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Turn what scikit-learn takes for a random state into a seed; raise naming the argument."""
    # Not check_random_state(None), which would draw from the caller's global generator.
    if random_state is None:
        return int(np.random.default_rng().integers(2**31 - 1))
    try:
        source = check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            "random_state: expected an integer from 0 to 2**32 - 1, a RandomState instance or None,"
            f" got {random_state!r}"
        ) from error
    return int(source.randint(2**31 - 1))
