"""Silhouettes, one band per cluster."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from dctutor._inputs import as_array
from dctutor.plots._style import COLOURS, MAX_NAMED, as_labels, drawing_on, group_names, ink_of, literal

_MAX_STEPS = 2000  # in all bands together: more than the figure has rows of pixels


def silhouette(
    values: np.ndarray, labels: np.ndarray, *, label_names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the silhouette of each sample, sorted within its cluster (survey figure 5; Rousseeuw 1987).

    The height of a band is the number of samples in its cluster. A dashed line marks the mean over all samples. For
    more than 2000 samples, neighbours in a band share a step, which shows their mean.

    Parameters
    ----------
    values : array of shape (n,)
        Silhouettes in [-1, 1], from `dctutor.metrics.silhouette_samples`.
    labels : array of shape (n,)
        Clusters: integers or names. They are drawn from top to bottom in ascending order, without names if there are
        more than 40.
    label_names : sequence of str, optional
        ``label_names[k]`` names cluster ``k``.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If there are no values, a value is outside [-1, 1] or NaN (the silhouette is not defined), or the labels do not
        fit the values.
    """
    values = np.asarray(as_array(values), dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values: expected shape (n,) with n >= 1, got shape {values.shape}")
    outside = ~(np.abs(values) <= 1)  # written so that NaN is outside
    if outside.any():
        raise ValueError(f"values: expected silhouettes in [-1, 1], got {values[outside][0]}")
    clusters, members = np.unique(as_labels("labels", labels, len(values)), return_inverse=True)
    names = group_names(clusters, label_names)
    n, k = len(values), len(clusters)
    bands = np.split(values[np.lexsort((-values, members))], np.cumsum(np.bincount(members))[:-1])
    gap = max(1, n // max(60, 2 * k))
    middles, begin = [], 0
    with drawing_on(ax, min(1.4 + 0.32 * k, 7.0)) as ax:
        for i, band in enumerate(bands):
            size = len(band)
            steps = size if n <= _MAX_STEPS else -(-size * _MAX_STEPS // n)
            edges = np.linspace(0, size, steps + 1).round().astype(int)
            means = np.add.reduceat(band, edges[:-1]) / np.diff(edges)
            # Steps and no line: a cluster of one sample is visible too.
            ax.stairs(means, begin + edges, orientation="horizontal", fill=True, color=COLOURS[i % len(COLOURS)])
            middles.append(begin + size / 2)
            begin += size + gap
        ax.axvline(0, color=ink_of(ax), linewidth=0.8)
        ax.axvline(values.mean(), color=ink_of(ax), linewidth=1.5, linestyle="--")
        ax.set_title(f"mean {values.mean():.2f} (dashed)")
        ax.set_yticks([])
        if k <= MAX_NAMED:
            ax.set_yticks(middles, list(map(literal, names)))
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(begin - gap, 0)
        ax.set(xlabel="silhouette", ylabel="cluster")
    return ax
