"""An answer beside what the solution computes."""

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dctutor._inputs import as_array

_FILE = Path(__file__).with_name("answers.toml")
_KINDS = {"b": "truth values", "f": "numbers", "U": "words"}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass(frozen=True)
class Verdict:
    """What `check` says of an answer; true where the answer is right.

    Attributes
    ----------
    right : bool
        Whether the answer is right.
    message : str
        Why, in a sentence or two.
    """

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    @property
    def _head(self) -> str:
        return "Right." if self.right else "Not yet."

    def __repr__(self) -> str:
        return f"{self._head} {self.message}"

    def _repr_html_(self) -> str:
        """Show it in a notebook, in the page's own colours."""
        frame = f"border-inline-start: 4px {'solid' if self.right else 'dashed'} currentColor; padding: 0.25rem 0.75rem"
        mark = "✓" if self.right else "✗"
        return (
            f'<p role="status" style="{frame}"><strong><span aria-hidden="true">{mark}</span> {self._head}</strong>'
            f" {escape(self.message)}</p>"
        )


@dataclass(frozen=True)
class Slip:
    """A wrong answer that is easily given, and what to say of it; a NaN in it stands for any number."""

    value: Any
    hint: str


@dataclass(frozen=True)
class Answer:
    """What is known of an exercise's answer.

    Attributes
    ----------
    give : str
        What the answer should be given as.
    right : number, bool, str, or list of one of them
        The answer.
    why : str
        What the right answer shows.
    tolerance : float
        Largest difference per number.
    slips : list of Slip
    """

    give: str
    right: Any
    why: str
    tolerance: float = 0.001
    slips: list[Slip] = field(default_factory=list)


@lru_cache(maxsize=1)
def answers() -> dict[str, Answer]:
    """All answers, by the exercise's label."""
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {
        label: Answer(**{**entry, "slips": [Slip(**slip) for slip in entry.get("slips", [])]})
        for label, entry in entries.items()
    }


def check(label: str, answer: Any) -> Verdict:
    """Say whether the answer to an exercise is right, and why; a wrong answer gets a hint, not the solution.

    Parameters
    ----------
    label : str
        The exercise's label, which its statement names.
    answer : number, bool, str, or array, tensor or list of them
        The answer, as the statement asks for it. Axes of length 1 do not matter, nor do capital letters.

    Returns
    -------
    Verdict
        True where the answer is right.

    Raises
    ------
    TypeError
        If the label is no string.
    ValueError
        If no exercise with this label has a stored answer.

    Examples
    --------
    >>> import torch
    >>> from dctutor.exercises import check
    >>> q = torch.tensor([0.8, 0.2])
    >>> check("ex-dec-power", q**2 / (q**2).sum())
    Not yet. This is the row for r = 2. The exercise asks for r = 4.
    """
    if not isinstance(label, str):
        raise TypeError(f"label: expected a string such as 'ex-dec-power', got {type(label).__name__}")
    if label not in answers():
        near = get_close_matches(label, answers(), n=3, cutoff=0.0)
        raise ValueError(f"label: expected an exercise with a stored answer, such as {', '.join(near)}, got {label!r}")
    known = answers()[label]
    right, given = _values(known.right), _values(answer)
    assert right is not None
    if given is None or given.shape != right.shape or given.dtype.kind != right.dtype.kind:
        return Verdict(False, f"This answer should be {known.give}. You gave {_described(answer, given)}.")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        return Verdict(False, "There are NaN or infinite numbers in the answer.")
    agrees = _agrees(given, right, known.tolerance)
    if agrees.all():
        return Verdict(True, known.why)
    for slip in known.slips:
        if _agrees(given, _values(slip.value), known.tolerance).all():
            return Verdict(False, slip.hint)
    return Verdict(False, _hint(given, right, agrees, known))


def _values(answer: Any) -> NDArray | None:
    """An answer as truth values, numbers in double precision, or words in small letters; None if it is none of them."""
    if isinstance(answer, list | tuple):
        answer = [as_array(value) for value in answer]  # a list of tensors with gradients, too
    try:
        values = np.asarray(as_array(answer)).squeeze()
    except ValueError:  # rows of several lengths
        return None
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    if values.dtype.kind == "U":
        return np.char.lower(np.char.strip(values))
    return values if values.dtype.kind == "b" else None


def _agrees(given: NDArray, value: NDArray | None, tolerance: float) -> NDArray[np.bool_]:
    """Where two answers of one shape and kind agree; NaN stands for any number."""
    assert value is not None
    if given.dtype.kind != "f":
        return given == value
    # The last digits of a sum must not decide.
    return np.isnan(value) | (abs(given - value) <= tolerance * (1 + 1e-6))


def _hint(given: NDArray, right: NDArray, agrees: NDArray[np.bool_], known: Answer) -> str:
    """What can be said of any wrong answer of the right shape and kind."""
    if given.dtype.kind == "f":
        if _agrees(-given, right, known.tolerance).all():
            return "The sizes are right, the signs are the other way round."
        if _agrees(given, right, 10 * known.tolerance).all():
            return "Close, but further off than rounding explains. Give more digits, or look for a small difference."
    if given.dtype.kind != "b" and _agrees(np.sort(given, None), np.sort(right, None), known.tolerance).all():
        return f"The values are right, their order is not. The answer should be {known.give}."
    if agrees.any() and given.dtype.kind != "b":
        (places,) = np.nonzero(agrees)
        named = ", ".join(_ORDINALS[place] for place in places)
        return f"Of {agrees.size} values, only these are right: the {named}."
    return f"The solution computes something else. The answer should be {known.give}."


def _described(answer: Any, values: NDArray | None) -> str:
    if values is None:
        shape = getattr(answer, "shape", None)
        return f"{type(answer).__name__} without numbers" if shape is None else f"{type(answer).__name__} of {shape}"
    kind = _KINDS[values.dtype.kind]
    if values.ndim == 0:
        return {"words": "one word", "numbers": "one number"}.get(kind, "one truth value")
    return f"{len(values)} {kind}" if values.ndim == 1 else f"an array of {kind} of shape {values.shape}"
