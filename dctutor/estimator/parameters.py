"""The arguments of methods as data: their ranges are declared beside the fields, once, and checked by one function.

.. code-block:: python

    epochs: Count = 30
    noise: ProperFraction = 0.2
    norm: Literal["l1", "l2"] = "l2"
"""

import dataclasses
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from dctutor._validation import check_integer, check_number

__all__ = [
    "Count",
    "Fraction",
    "NonNegative",
    "Positive",
    "PositiveFraction",
    "ProperFraction",
    "Range",
    "Sizes",
    "Whole",
    "check_arguments",
    "declared",
]


@dataclass(frozen=True)
class Range:
    """Range of a number, or of each number of a sequence: an interval, with or without its ends.

    Attributes
    ----------
    low, high : float
        The ends.
    above : bool
        Whether ``low`` itself is left out.
    below : bool
        Whether ``high`` itself is left out.
    """

    low: float = float("-inf")
    high: float = float("inf")
    above: bool = False
    below: bool = False


#: A positive integer.
Count = Annotated[int, Range(1)]
#: An integer of at least 0.
Whole = Annotated[int, Range(0)]
#: A number of at least 0.
NonNegative = Annotated[float, Range(0)]
#: A number above 0.
Positive = Annotated[float, Range(0, above=True)]
#: A number in [0, 1].
Fraction = Annotated[float, Range(0, 1)]
#: A number in [0, 1).
ProperFraction = Annotated[float, Range(0, 1, below=True)]
#: A number in (0, 1].
PositiveFraction = Annotated[float, Range(0, 1, above=True)]
#: A sequence of positive integers, at least one.
Sizes = Annotated[Sequence[int], Range(1)]


def declared(cls: Any) -> dict[str, Any]:
    """What each argument of a dataclass may be, by its name, in the order of the constructor."""
    hints = get_type_hints(cls, include_extras=True)
    names = [field.name for field in dataclasses.fields(cls) if field.init]
    return {name: hints[name] for name in names if get_origin(hints[name]) is not ClassVar}


def check_arguments(estimator: Any) -> None:
    """Check each argument of an estimator against its declaration.

    Raises
    ------
    TypeError, ValueError
        If one is not what it has to be; the message names it, what came and what was expected.
    """
    for name, hint in declared(type(estimator)).items():
        _check(name, getattr(estimator, name), hint)


def _check(name: str, value: Any, hint: Any) -> None:
    bounds, hint = _bounds(hint)
    if get_origin(hint) in (Union, UnionType):
        _check_any(name, value, get_args(hint))
    elif get_origin(hint) is Literal:
        choices = get_args(hint)
        # True is no 1 here, and what NumPy has of a string is one.
        alike = (choice for choice in choices if isinstance(value, type(choice)))
        if not any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in alike):
            raise ValueError(f"{name}: expected {_listed(map(repr, choices))}, got {value!r}")
    elif hint is int or hint is float:
        if hint is int:
            check_integer(name, value, minimum=bounds.low)
        maximum = bounds.high if bounds.high < float("inf") and not bounds.below else None
        above = bounds.above or bounds.low == float("-inf")
        check_number(name, value, minimum=bounds.low, below=bounds.high, maximum=maximum, open_at_minimum=above)
    elif hint is bool:
        if not isinstance(value, numbers.Integral | np.bool_):
            raise TypeError(f"{name}: expected True or False, got {value!r}")
    elif get_origin(hint) is Sequence:
        _check_each(name, value, Annotated[get_args(hint)[0], bounds])
    elif get_origin(hint) is Callable or hint is Callable:
        if not callable(value):
            raise TypeError(f"{name}: expected a function, got {value!r}")
    elif hint is not Any and isinstance(kind := get_origin(hint) or hint, type) and not isinstance(value, kind):
        raise TypeError(f"{name}: expected {_told(hint)}, got {value!r} of type {type(value).__name__}")


def _check_each(name: str, value: Any, hint: Any) -> None:
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray):
        raise TypeError(f"{name}: expected a sequence, got {value!r} of type {type(value).__name__}")
    if len(value) == 0:
        raise ValueError(f"{name}: expected at least one entry, got {value!r}")
    for entry in value:
        _check(name, entry, hint)


def _check_any(name: str, value: Any, options: tuple[Any, ...]) -> None:
    if value is None and NoneType in options:
        return
    options = tuple(option for option in options if option is not NoneType)
    errors: list[Exception] = []
    for option in options:
        try:
            return _check(name, value, option)
        except (TypeError, ValueError) as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    expected = _listed(map(_told, options))
    raise TypeError(f"{name}: expected {expected}, got {value!r} of type {type(value).__name__}")


def _bounds(hint: Any) -> tuple[Range, Any]:
    if get_origin(hint) is not Annotated:
        return Range(), hint
    inner, *notes = get_args(hint)
    return next((note for note in notes if isinstance(note, Range)), Range()), inner


def _told(hint: Any) -> str:
    hint = _bounds(hint)[1]
    if get_origin(hint) is Literal:
        return _listed(map(repr, get_args(hint)))
    named = {bool: "True or False", str: "a string", int: "an integer", float: "a number"}
    return named.get(hint) or f"a {getattr(get_origin(hint) or hint, '__name__', hint)}"


def _listed(words: Any) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else str(last)
