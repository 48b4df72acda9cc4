"""The frame that every table written by a directive stands in, and how its figures are rounded."""

from collections.abc import Sequence
from html import escape

import numpy as np


def rounded(value: float, digits: int = 3) -> str:
    """Write a figure, every table's alike: halves go to the even digit, as in the notebooks' tables of pandas."""
    return f"{np.round(value, digits):.{digits}f}"


def points(value: float) -> str:
    """Write a fraction in points (hundredths) with one decimal: the digits of `rounded`, shifted by two places."""
    return f"{100 * float(rounded(value)):.1f}"


def framed_table(caption: str, heads: Sequence[str], bodies: Sequence[str], *, kind: str = "") -> str:
    """Write a table from the rows of each of its bodies; ``kind`` is one more class for its frame."""
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    # The frame scrolls on a phone, so a keyboard must be able to reach it.
    return (
        f'<div class="{f"dc-table {kind}".strip()}" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f'<table class="table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead>{''.join(f'<tbody>{part}</tbody>' for part in bodies)}</table></div>"
    )
