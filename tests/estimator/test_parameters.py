"""Arguments against their declarations: what each method refuses follows from what it declares."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction as Rational
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import numpy as np
import pytest
import torch
from own_method import ShallowAutoencoder
from sklearn.exceptions import NotFittedError
from small_fits import METHODS, blobs, small

from dctutor.estimator import (
    Count,
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    ProperFraction,
    Range,
    Sizes,
    Whole,
)
from dctutor.estimator.parameters import check_arguments, declared

X, _ = blobs(30)
NO_NUMBERS = ["3", None, True, np.bool_(True), [3], (3,), 3j, np.array([3])]


def beyond(bounds, step):
    """Numbers just outside of a range."""
    if bounds.low > -math.inf:
        yield bounds.low if bounds.above else bounds.low - step
        yield bounds.low - 7 * step
    if bounds.high < math.inf:
        yield bounds.high if bounds.below else bounds.high + step


def bad_values(hint):
    """Values that a declaration excludes, each with the error that it is."""
    bounds = Range()
    if get_origin(hint) is Annotated:
        hint, bounds = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        optional = NoneType in get_args(hint)
        options = [option for option in get_args(hint) if option is not NoneType]
        if len(options) == 1:
            bad = bad_values(options[0])
        else:  # of several kinds: what is none of them
            bad = [(value, TypeError) for value in (None, 1.5, [1], object())]
        return [(value, error) for value, error in bad if not (optional and value is None)]
    if hint is int:
        numbers = [(int(value), ValueError) for value in beyond(bounds, 1)]
        return [*numbers, *((value, TypeError) for value in (*NO_NUMBERS, 2.0, math.nan, np.float32(2)))]
    if hint is float:
        numbers = [*beyond(bounds, 1e-6), math.nan, math.inf, -math.inf, np.float64("nan"), 10**400]
        return [*((value, ValueError) for value in numbers), *((value, TypeError) for value in NO_NUMBERS)]
    if hint is bool:
        return [(value, TypeError) for value in ("False", None, 1.0, [])]
    if get_origin(hint) is Literal:
        wrong = (f"no {get_args(hint)[0]}", "", None, 0, True, [get_args(hint)[0]], get_args(hint))
        return [(value, ValueError) for value in wrong]
    if get_origin(hint) is Sequence:
        entries = bad_values(Annotated[get_args(hint)[0], bounds])
        whole = [("10", TypeError), (b"10", TypeError), (10, TypeError), (None, TypeError), ({"a"}, TypeError)]
        inside = [((value,), error) for value, error in entries]
        return [
            *whole,
            ((), ValueError),
            ([], ValueError),
            *inside,
            (np.array([value for value, _ in entries[:1]]), entries[0][1]),
        ]
    if get_origin(hint) is Mapping:
        return [(5, TypeError), ("shift", TypeError), ([("shift", 0.1)], TypeError), ({"no such": 0.1}, ValueError)]
    if get_origin(hint) is Callable:
        return [(5, TypeError), ("print", TypeError)]
    assert isinstance(hint, type) and hint is not object, hint
    return [(5, TypeError), ("network", TypeError), (hint, TypeError)]


@pytest.mark.parametrize("method", [*METHODS, ShallowAutoencoder], ids=lambda method: method.__name__)
def test_every_argument_refuses_what_its_declaration_excludes(method):
    arguments = declared(method)
    assert set(arguments) == set(method().get_params()) and len(arguments) > 11
    for name, hint in arguments.items():
        bad = bad_values(hint)
        assert bad
        for value, error in bad:
            estimator = small(method, **{name: value})
            with pytest.raises(error, match=rf"^{name}: expected"):
                estimator.fit(X)
                pytest.fail(f"{name}={value!r} was taken")
            assert getattr(estimator, name) is value
            with pytest.raises(NotFittedError):
                estimator.predict(X)


@dataclass
class Declared:
    """One argument of each kind."""

    shared: ClassVar[int] = 1

    count: Count = 1
    whole: Whole = 0
    non_negative: NonNegative = 0.0
    positive: Positive = 1.0
    fraction: Fraction = 0.5
    proper: ProperFraction = 0.5
    positive_fraction: PositiveFraction = 0.5
    sizes: Sizes = (1,)
    levels: Annotated[int, Range(1, 5)] = 3
    between: Annotated[int, Range(1, 5, above=True, below=True)] = 3
    paddings: Annotated[Sequence[int], Range(0, 2)] = (0,)
    rates: Sequence[float] = (0.5,)
    number: float = -3.5
    kind: Literal["l1", "l2", 1] = "l1"
    maybe: Count | None = None
    either: Literal["auto"] | Positive = "auto"
    network: torch.nn.Module | None = None
    call: Callable[[int], int] | None = None
    flag: bool = True
    anything: Any = None
    table: dict[str, float] | None = None


GOOD = {
    "count": [1, 10**30, np.int64(3), np.uint8(3)],
    "whole": [0, np.int32(0)],
    "non_negative": [0, 0.0, 1e300, np.float32(0.5), Rational(1, 3)],
    "positive": [5e-324, 1],
    "fraction": [0, 1, 0.5],
    "proper": [0.0, np.nextafter(1, 0)],
    "positive_fraction": [1, np.nextafter(0, 1)],
    "sizes": [[1], (3, 2), range(3, 1, -1), np.array([2, 3]), torch.Size([4])],
    "levels": [1, 5],
    "between": [2, 4],
    "paddings": [(0, 2, 1)],
    "rates": [(0.1, -2), [1e9]],
    "number": [-1e300, 0, 7],
    "kind": ["l2", np.str_("l2"), 1],
    "maybe": [None, 1],
    "either": ["auto", 0.5, 2],
    "network": [None, torch.nn.Linear(1, 1)],
    "call": [None, abs, lambda n: n],
    "flag": [True, False, np.True_, 1, 0],
    "anything": [None, 5, "x", object()],
    "table": [None, {"a": 1.0}],
}
BAD = {
    "levels": [(0, ValueError, r"of at least 1, got 0"), (6, ValueError, r"in \[1, 5\], got 6")],
    "between": [(1, ValueError, r"in \(1, 5\), got 1"), (5, ValueError, r"in \(1, 5\), got 5")],
    "paddings": [((0, -1), ValueError, "of at least 0, got -1"), ((3,), ValueError, r"in \[0, 2\], got 3")],
    "rates": [((0.1, math.inf), ValueError, "a number in"), ((0.1, "x"), TypeError, "a number, got 'x'")],
    "number": [(-math.inf, ValueError, r"in \(-inf, inf\), got -inf"), (math.nan, ValueError, "got nan")],
    "kind": [("l3", ValueError, "'l1', 'l2' or 1, got 'l3'"), (True, ValueError, "got True"), (1.0, ValueError, "1.0")],
    "maybe": [(0, ValueError, "of at least 1, got 0"), ("x", TypeError, "an integer, got 'x'")],
    "either": [("never", TypeError, "got 'never'"), (0.0, TypeError, "got 0.0")],
    "network": [("mlp", TypeError, "a Module, got 'mlp' of type str")],
    "call": [(5, TypeError, "a function, got 5")],
    "flag": [("yes", TypeError, "True or False, got 'yes'")],
    "table": [([1.0], TypeError, r"a dict, got \[1.0\] of type list")],
}


def test_what_is_declared_and_in_what_order():
    assert list(declared(Declared)) == list(GOOD)
    check_arguments(Declared())


@pytest.mark.parametrize("name", GOOD)
def test_ranges_include_their_ends_and_numbers_of_other_libraries(name):
    for value in GOOD[name]:
        check_arguments(Declared(**{name: value}))


@pytest.mark.parametrize("name", BAD)
def test_messages_say_what_came_and_what_was_expected(name):
    for value, error, message in BAD[name]:
        with pytest.raises(error, match=rf"^{name}: expected .*{message}"):
            check_arguments(Declared(**{name: value}))


@pytest.mark.parametrize("name", [name for name in GOOD if name not in ("anything", "either", "table")])
def test_declarations_of_ones_own_refuse_like_those_of_the_book(name):
    for value, error in bad_values(declared(Declared)[name]):
        if name == "kind" and value == 0:
            continue
        with pytest.raises(error, match=rf"^{name}: expected"):
            check_arguments(Declared(**{name: value}))
            pytest.fail(f"{name}={value!r} was taken")


def test_arguments_that_depend_on_each_other_are_checked_after_their_ranges():
    class Pair(ShallowAutoencoder):
        def _check_params(self):
            if self.width > self.epochs:
                raise ValueError(f"width: expected at most epochs={self.epochs}, got {self.width}")

    with pytest.raises(ValueError, match="width: expected at most epochs=3, got 4"):
        Pair(3, width=4, epochs=3, verbose=False).fit(X)
    with pytest.raises(TypeError, match="width: expected an integer, got '4'"):
        Pair(3, width="4", epochs=3, verbose=False).fit(X)
