"""Colours, sizes and argument checks that all figures share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dctutor.metrics.external import as_groups
from dctutor.plots._page import show_as_page

# Ten colours that stay apart under the common colour-vision deficiencies, on white and on dark grey.
# Source: M. A. Petroff, "Accessible Color Sequences for Data Visualization", arXiv:2107.02270 (2021), table 1.
COLOURS = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)
MARKERS = ("o", "^", "s", "D")  # the next marker is taken when the colours start again
MAX_NAMED = len(COLOURS) * len(MARKERS)  # more groups neither have a look of their own nor room for their names
INK = "#1f2328"
WIDTH = 4.6  # inches; what is written in 10 points or more is then legible on a phone

_INKED: tuple[Any, ...] = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
_BOOK: dict[str, Any] = {
    **dict.fromkeys(("figure.facecolor", "savefig.facecolor", "axes.facecolor"), "white"),
    **dict.fromkeys(_INKED, INK),
    **dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize"), 11),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), 10),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "figure.constrained_layout.use": True,
    "figure.dpi": 120,
    "legend.frameon": False,
    "lines.linewidth": 2,
}
# Fonts are the caller's: names in Chinese, say, need one that has their characters.
_KEPT: tuple[Any, ...] = (
    *("font.family", "font.serif", "font.sans-serif", "font.cursive", "font.fantasy", "font.monospace"),
    "axes.unicode_minus",
)


@contextmanager
def style() -> Iterator[None]:
    """Context in which new figures look like the book's.

    Settings of the caller, such as a style sheet, LaTeX or ``image.origin``, do not reach these figures, except the
    choice of fonts. As a picture of its own (``savefig``), such a figure has an opaque white background and dark ink.
    A notebook shows it in the page's text colour on the page's ground, and on a phone its panels one below the other.
    There, axes with the same ``gid`` are one panel.

    Returns
    -------
    context manager
    """
    # Loads the backend now. If it first loaded inside the context, its own settings would be lost at the end.
    plt.draw_if_interactive()
    before = set(plt.get_fignums())
    with plt.style.context(["default", {key: plt.rcParams[key] for key in _KEPT}, _BOOK]):
        yield
        new = set(plt.get_fignums()) - before
        current = plt.gcf().number if new else None
        for number in new:
            figure = plt.figure(number)
            show_as_page(figure, INK)
            for ax in figure.axes:
                _make_ticks(ax)
        if new:
            plt.figure(current)


def _make_ticks(ax: Axes) -> None:
    """Make the first ticks of `ax` under the settings in force; Matplotlib would make them in the first drawing."""
    for axis in (ax.xaxis, ax.yaxis):
        ticks, _ = axis.majorTicks, axis.minorTicks  # made when first read; later ticks are like them
        if ticks:  # the size also decides how many ticks there is room for; it would be read from the settings
            axis.set_tick_params(labelsize=ticks[0].label1.get_fontsize())


@contextmanager
def drawing_on(ax: Axes | None, height: float) -> Iterator[Axes]:
    """Context of `style` that gives `ax`, or the axes of a new figure.

    Given axes keep their look. What is written on them gets the colour of their own labels.
    """
    if ax is None:
        with style():
            yield plt.subplots(figsize=(WIDTH, height))[1]
        return
    if ax.figure is None:
        raise ValueError("ax: expected an Axes in a figure, got an Axes that was removed from its figure")
    _make_ticks(ax)
    texts = [ax.title]
    for axis in (ax.xaxis, ax.yaxis):
        texts += [axis.label, axis.offsetText]
        texts += [label for tick in (*axis.majorTicks, *axis.minorTicks) for label in (tick.label1, tick.label2)]
    for text in texts:
        text.set_usetex(False)  # names are plain text, and "%" would begin a comment in LaTeX
    with style():
        plt.rcParams.update(dict.fromkeys(_INKED, ink_of(ax)))
        yield ax


def ink_of(ax: Axes) -> Any:
    """Return the colour of the labels of `ax`, which stands out from its figure."""
    return ax.xaxis.label.get_color()


def figure_of(ax: Axes) -> Figure:
    """Return the figure that `ax` lies in, even if it lies in a subfigure."""
    return ax.figure.figure


def literal(text: object) -> str:
    """Escape `text`, so that Matplotlib writes it as it is: a dollar sign in a name begins no formula."""
    # Not parse_math=False: a legend does not take it, and it would also hold for what the caller writes there later.
    return str(text).replace("$", r"\$")


def as_labels(name: str, value: Any, n: int) -> np.ndarray:
    """Return `value` as an array of shape (n,) of integers, or of other names of groups: strings, truth values."""
    array = as_groups(name, value)
    if array.shape != (n,):
        raise ValueError(f"{name}: expected shape ({n},), one entry per sample, got shape {array.shape}")
    if array.dtype.kind == "f":
        raise ValueError(f"{name}: expected integers or names, got dtype {array.dtype}")
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array


def group_names(groups: np.ndarray, label_names: Sequence[str] | None) -> list[str]:
    """Return a name for each label: its entry in `label_names`, or the label itself."""
    if label_names is None:
        return [str(group) for group in groups]
    if groups.dtype.kind not in "iu":
        raise ValueError(
            f"label_names: expected None for labels that are not integers, got labels like {str(groups[0])!r}"
        )
    if len(groups) and (groups.min() < 0 or groups.max() >= len(label_names)):
        raise ValueError(
            f"label_names: expected names of the labels 0 to {groups.max()}, got {len(label_names)} names "
            f"and labels from {groups.min()}"
        )
    return [str(label_names[group]) for group in groups]
