"""Silhouettes, one band a cluster."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from dctutor.plots._style import COLOURS, INK, as_labels, axes_or_new, group_names, literal, style


def silhouette(
    values: np.ndarray, labels: np.ndarray, *, label_names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Each sample's silhouette, sorted within its cluster (survey figure 5; Rousseeuw 1987).

    A band is as high as its cluster is large. A dashed line marks the mean over all samples.

    Parameters
    ----------
    values : array of shape (n,)
        Silhouettes in [-1, 1], from `dctutor.metrics.silhouette_samples`.
    labels : array of shape (n,)
        Clusters, integers or names. They are drawn from top to bottom in ascending order.
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
        If there are no values, some are not in [-1, 1] (NaN means that they are not defined), or the labels do not fit.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values must have shape (n,) with n >= 1; got shape {values.shape}.")
    if not (np.abs(values) <= 1).all():  # written so that NaN fails
        raise ValueError("values must lie in [-1, 1]; got NaN or others.")
    labels = as_labels("labels", labels, len(values))
    clusters = np.unique(labels)
    names = group_names(clusters, label_names)
    gap = max(1, len(values) // 60)
    middles, begin = [], 0
    with style():
        ax = axes_or_new(ax, min(1.4 + 0.32 * len(clusters), 7.0))
        for i, cluster in enumerate(clusters):
            band = np.sort(values[labels == cluster])[::-1]
            end = begin + len(band)
            # Steps, one a sample: a cluster of one sample is seen, too.
            ax.stairs(band, np.arange(begin, end + 1), orientation="horizontal", fill=True, color=COLOURS[i % 10])
            middles.append((begin + end) / 2)
            begin = end + gap
        ax.axvline(0, color=INK, linewidth=0.8)
        ax.axvline(values.mean(), color=INK, linewidth=1.5, linestyle="--")
        ax.set_title(f"mean {values.mean():.2f} (dashed)")
        ax.set_yticks(middles, list(map(literal, names)))
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(begin - gap, 0)
        ax.set(xlabel="silhouette", ylabel="cluster")
    return ax
