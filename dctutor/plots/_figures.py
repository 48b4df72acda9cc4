"""Confusion matrices, training curves and comparisons."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from dctutor.metrics import confusion_matrix
from dctutor.plots._style import (
    COLOURS,
    MAX_NAMED,
    as_labels,
    drawing_on,
    figure_of,
    group_names,
    ink_of,
    literal,
    style,
)

_MAX_ANNOTATED = 15  # more rows or columns than this leave no room for numbers
_LINES = ("-", "--", ":", "-.")
# Blue glass: numbers in the colour of the text stay legible on it, on a white ground and on a dark one.
_SHADES = LinearSegmentedColormap.from_list("fractions", [(*to_rgb(COLOURS[0]), alpha) for alpha in (0, 0.6)])


def confusion(
    y_true: np.ndarray,
    labels: np.ndarray,
    *,
    label_names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw classes against clusters, with the clusters in the order that best matches the classes.

    The matching is that of `dctutor.metrics.confusion_matrix`, which also defines clustering accuracy. The matched
    cells have a frame. Clusters beyond the number of classes come last. The shade shows the fraction of the class, the
    number shows the count. Numbers are left out for more than 15 classes or clusters, names for more than 40.

    Parameters
    ----------
    y_true, labels : array of shape (n,)
        Classes and clusters: integers or names.
    label_names : sequence of str, optional
        ``label_names[c]`` names class ``c``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes
        Its title states the accuracy of the matching.

    Raises
    ------
    TypeError, ValueError
        If the lengths differ, there are no samples, or labels are of several kinds.
    """
    y_true = as_labels("y_true", y_true, next(iter(np.shape(y_true)), 0))
    labels = as_labels("labels", labels, len(y_true))
    if not len(y_true):
        raise ValueError("y_true: expected at least one entry, got none")
    counts, classes, clusters, rows = confusion_matrix(y_true, labels)
    names = group_names(classes, label_names)
    fractions = counts / counts.sum(axis=1, keepdims=True)
    with drawing_on(ax, min(2.0 + 0.34 * len(classes), 6.5)) as ax:
        ink = ink_of(ax)
        image = ax.imshow(fractions, cmap=_SHADES, vmin=0, vmax=1, aspect="auto")
        ax.grid(False)
        for column, row in enumerate(rows):
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=ink, linewidth=1.5))
        if max(counts.shape) <= _MAX_ANNOTATED:
            for (row, column), count in np.ndenumerate(counts):
                if count:
                    ax.text(column, row, f"{count}", ha="center", va="center", color=ink, fontsize=10)
        ax.set_xticks([])
        ax.set_yticks([])
        if len(clusters) <= MAX_NAMED:
            ax.set_xticks(range(len(clusters)), [literal(cluster) for cluster in clusters])
        if len(classes) <= MAX_NAMED:
            ax.set_yticks(range(len(classes)), list(map(literal, names)))
        ax.set(xlabel="cluster, in the order of its class", ylabel="class")
        ax.set_title(f"{counts[rows, range(len(rows))].sum() / len(y_true):.1%} in the framed cells")
        ax.spines[:].set_visible(False)
        bar = figure_of(ax).colorbar(image, ax=ax, location="bottom", aspect=40, label="fraction of the class")
        bar.outline.set_visible(False)
    return ax


def training_curves(
    history: Mapping[str, Mapping[str, Sequence[float]]], *, keys: Sequence[str] | None = None
) -> Figure:
    """Draw what each training phase recorded, one panel per table.

    Parameters
    ----------
    history : mapping of phase to mapping of column to list
        A fitted model's ``history_``. Columns are drawn against ``epoch``. In a table called ``<phase>/refresh``, the
        fraction of changed labels is drawn against ``step``. A panel has a logarithmic axis if its values are positive
        and span more than a factor of 20.
    keys : sequence of str, optional
        Columns to draw; by default all.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there is nothing to draw, a column does not hold numbers, or columns of a table differ in length.
    """
    panels = []
    for phase, table in history.items():
        clock = next((name for name in ("epoch", "step") if name in table), None)
        drawn = [key for key in table if key not in ("epoch", "step") and (keys is None or key in keys)]
        if clock is None or not drawn or not len(table[clock]):
            continue
        for key in drawn:
            try:
                np.asarray(table[key], dtype=float)
            except (TypeError, ValueError) as error:
                raise ValueError(f"history[{phase!r}][{key!r}]: expected numbers, got {table[key]!r}") from error
            if len(table[key]) != len(table[clock]):
                raise ValueError(
                    f"history[{phase!r}]: expected columns of one length, got {len(table[clock])} entries of "
                    f"{clock!r} and {len(table[key])} of {key!r}"
                )
        panels.append((phase, clock, drawn))
    if not panels:
        raise ValueError(f"history: expected a table with 'epoch' or 'step' and a column of {keys or 'values'}")
    ncols = min(len(panels), 2)
    nrows = -(-len(panels) // ncols)
    with style():
        # Two panels beside each other on a wide page, one below the other on a phone
        figure, axes = plt.subplots(nrows, ncols, figsize=(3.4 * ncols, 2.6 * nrows), squeeze=False)
        for ax in axes.flat[len(panels) :]:
            ax.remove()
        for ax, (phase, clock, drawn) in zip(axes.flat, panels, strict=False):
            _curves(ax, history[phase], clock, drawn)
            ax.set_title(literal(phase).replace("/refresh", ": labels"))
    return figure


def _curves(ax: Axes, table: Mapping[str, Sequence[float]], clock: str, drawn: Sequence[str]) -> None:
    values = np.concatenate([np.asarray(table[key], dtype=float) for key in drawn])
    values = values[np.isfinite(values)]
    for i, key in enumerate(drawn):
        marker = "o" if len(table[clock]) < 3 else None
        ax.plot(table[clock], table[key], linestyle=_LINES[i % len(_LINES)], marker=marker, label=literal(key))
    if len(values) and values.min() > 0 and values.max() > 20 * values.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(clock)
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.grid(alpha=0.25)
    if drawn == ["changed"]:
        ax.set_ylabel("fraction of labels changed")
    elif len(drawn) == 1:
        ax.set_ylabel(literal(drawn[0]))
    else:
        ax.set_ylabel("loss" if "loss" in drawn else "")
        below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2}
        ax.legend(**below if len(drawn) > 3 else {})  # many curves leave no room inside the panel


def compare(rows: Mapping[str, Mapping[str, float]], *, ax: Axes | None = None) -> Axes:
    """Draw the metrics of several methods as bars, with their values.

    Parameters
    ----------
    rows : mapping of method to mapping of metric to value
        Methods are drawn from top to bottom. A metric that a method lacks is left out. A value of NaN is written as
        "undefined". For a pandas table with one row per method, pass ``table.to_dict("index")``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If there is no value to draw, or a value is infinite or not a number.
    """
    if not isinstance(rows, Mapping):
        raise TypeError(
            f"rows: expected a mapping of methods to mappings of metrics to values, got {type(rows).__name__}"
        )
    for method, values in rows.items():
        if not isinstance(values, Mapping):
            raise TypeError(f"rows[{method!r}]: expected a mapping of metrics to values, got {values!r}")
    metrics = list(dict.fromkeys(metric for values in rows.values() for metric in values))
    if not metrics:
        raise ValueError("rows: expected at least one method with one metric, got none")
    for method, values in rows.items():
        for metric, value in values.items():
            if not isinstance(value, Real) or np.isinf(value):
                raise ValueError(f"rows[{method!r}][{metric!r}]: expected a finite number or NaN, got {value!r}")
    thickness = 0.8 / len(metrics)
    with drawing_on(ax, 1.1 + len(rows) * (0.25 + 0.22 * len(metrics))) as ax:
        for i, metric in enumerate(metrics):
            present = [(y, values[metric]) for y, values in enumerate(rows.values()) if metric in values]
            places = [y - 0.4 + thickness * (i + 0.5) for y, _ in present]
            widths = [0.0 if np.isnan(value) else value for _, value in present]
            bars = ax.barh(places, widths, height=0.9 * thickness, label=literal(metric))
            texts = ["undefined" if np.isnan(value) else f"{value:.3f}" for _, value in present]
            ax.bar_label(bars, texts, padding=3, fontsize=10)
        ax.set_yticks(range(len(rows)), list(map(literal, rows)))
        ax.invert_yaxis()
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        every = [value for values in rows.values() for value in values.values() if not np.isnan(value)]
        if min(every, default=0) >= 0 and max(every, default=0) <= 1:
            ax.set_xlim(0, 1.08)
            ax.set_xticks(np.linspace(0, 1, 6))
        ax.axvline(0, color=ink_of(ax), linewidth=0.8)
        if len(metrics) > 1:
            ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(metrics))
        else:
            ax.set_xlabel(literal(metrics[0]))
    return ax
