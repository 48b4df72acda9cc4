"""Colours, sizes and argument checks that all figures share."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dctutor.metrics.external import as_groups

# Ten colours that stay apart under the common colour-vision deficiencies, and on white as on dark grey.
# Source: M. A. Petroff, "Accessible Color Sequences for Data Visualization", arXiv:2107.02270 (2021), table 1.
COLOURS = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
MARKERS = ("o", "^", "s", "D")  # the next marker is taken when the colours start again
INK = "#1f2328"
WIDTH = 6.5  # inches; at 11 points the text stays legible on a phone


def style() -> AbstractContextManager[None]:
    """Context in which new figures look like the book's.

    The background is opaque white and the ink dark, whatever style is in force: a page in dark mode then shows a
    light card, and never dark text on a dark page.

    Returns
    -------
    context manager
    """
    # Loads the backend now: one that first loads inside the context would lose, at its end, what it had set up.
    plt.draw_if_interactive()
    return plt.rc_context(
        {
            **dict.fromkeys(("figure.facecolor", "savefig.facecolor", "axes.facecolor"), "white"),
            **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
            **dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize"), 11),
            **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), 10),
            **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
            "axes.prop_cycle": plt.cycler(color=COLOURS),
            "figure.constrained_layout.use": True,
            "figure.dpi": 120,
            "legend.frameon": False,
            "lines.linewidth": 2,
        }
    )


def axes_or_new(ax: Axes | None, height: float) -> Axes:
    """`ax`, or the axes of a new figure; to be called within `style`."""
    if ax is not None and ax.figure is None:
        raise ValueError("ax must belong to a figure; got an Axes that was removed from its own.")
    return plt.subplots(figsize=(WIDTH, height))[1] if ax is None else ax


def figure_of(ax: Axes) -> Figure:
    """The figure that `ax` lies in, also from within a subfigure."""
    return ax.figure.figure


def literal(text: object) -> str:
    """What makes Matplotlib write `text` as it is: a dollar sign in a name begins no formula."""
    # Not parse_math=False, which a legend does not take, and which would hold for what the caller writes there later.
    return str(text).replace("$", r"\$")


def as_labels(name: str, value: Any, n: int) -> np.ndarray:
    """`value` as an array of shape (n,) of integers, or of what else names groups: strings, truth values."""
    array = as_groups(name, value)
    if array.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one entry a row; got shape {array.shape}.")
    if array.dtype.kind in "fc":
        raise ValueError(f"{name} must be integers or names; got dtype {array.dtype}.")
    return array


def group_names(groups: np.ndarray, label_names: Sequence[str] | None) -> list[str]:
    """A name for each label: its entry in `label_names`, or the number itself."""
    if label_names is None:
        return [str(group) for group in groups]
    if groups.dtype.kind not in "iu":
        raise ValueError(f"label_names must be None where labels are no integers; got such as {str(groups[0])!r}.")
    if len(groups) and (groups.min() < 0 or groups.max() >= len(label_names)):
        raise ValueError(
            f"label_names must name the labels 0 to {groups.max()}; got {len(label_names)} names "
            f"and labels from {groups.min()}."
        )
    return [str(label_names[group]) for group in groups]
