"""The embedding as a scatter plot."""

from collections.abc import Sequence
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from sklearn.decomposition import PCA

from dctutor._inputs import check_table
from dctutor.plots._style import (
    COLOURS,
    INK,
    MARKERS,
    MAX_NAMED,
    as_labels,
    drawing_on,
    figure_of,
    group_names,
    literal,
)

_HALO = [effects.withStroke(linewidth=3, foreground="white")]
_NAME: dict[str, Any] = {
    **{"textcoords": "offset points", "ha": "center", "va": "center"},
    **{"fontsize": 10, "weight": "bold", "zorder": 4, "color": INK},
}


def projector(name: str, Z: np.ndarray) -> PCA | None:
    """Fit a PCA with two components to `Z` of shape (n, p); return None if p is 2 already."""
    if Z.shape[1] == 2:
        return None
    if min(Z.shape) < 2:
        raise ValueError(f"{name}: expected at least 2 rows and 2 columns, got shape {Z.shape}")
    with np.errstate(invalid="ignore"):  # equal points have no variance to take a fraction of
        return PCA(n_components=2, svd_solver="full").set_output(transform="default").fit(Z)


def embedding(
    Z: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    centers: np.ndarray | None = None,
    label_names: Sequence[str] | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw an embedding as a scatter plot, each group in its colour and with its name at its median.

    For more than 40 groups, the names are left out and colours and markers repeat.

    Parameters
    ----------
    Z : array of shape (n, p)
        Embedded samples, p >= 2. If p > 2, the first two principal components are drawn, and the labels of the axes
        say so.
    labels : array of shape (n,), optional
        Clusters or classes: integers, or names.
    centers : array of shape (k, p), optional
        Drawn as crosses, in the same projection.
    label_names : sequence of str, optional
        ``label_names[label]`` is written in place of the number.
    ax : Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        Title of the axes.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together, `Z` or `centers` are not finite numbers, or labels are of several kinds.
    """
    Z = check_table("Z", Z).astype(np.float64)
    if centers is not None:
        centers = check_table("centers", centers).astype(np.float64)
        if centers.shape[1] != Z.shape[1]:
            raise ValueError(f"centers: expected {Z.shape[1]} columns, as in Z, got shape {centers.shape}")
    groups = np.zeros(len(Z), dtype=int) if labels is None else as_labels("labels", labels, len(Z))
    values, members = np.unique(groups, return_inverse=True)
    names = [""] if labels is None else group_names(values, label_names)
    names = names if len(names) <= MAX_NAMED else [""] * MAX_NAMED
    looks = members % MAX_NAMED
    pca = projector("Z", Z)
    if pca is not None:
        Z = pca.transform(Z)
        centers = None if centers is None else pca.transform(centers)
    with drawing_on(ax, 4.8) as ax:
        texts = []
        lift = 0 if centers is None else 15  # points above the median, where a centre may lie
        for i, name in enumerate(names):
            points = Z[looks == i]
            ax.scatter(
                points[:, 0],
                points[:, 1],
                s=float(np.clip(20_000 / len(Z), 3, 24)),
                color=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i // len(COLOURS) % len(MARKERS)],
                alpha=0.6,
                linewidths=0,
                rasterized=True,
                label=literal(name) or None,
            )
            # The frame ties a name to its colour, even if the name has moved.
            frame = {"boxstyle": "round,pad=0.15", "fc": (1, 1, 1, 0.85), "ec": COLOURS[i % len(COLOURS)], "lw": 1.5}
            if name:
                texts.append(ax.annotate(literal(name), np.median(points, axis=0), (0, lift), bbox=frame, **_NAME))
        if centers is not None:
            x, y = centers[:, 0], centers[:, 1]
            ax.scatter(x, y, marker="x", s=70, color=INK, linewidths=2.2, path_effects=_HALO, zorder=3)
        axis = "dimension" if pca is None else "PC"
        ax.set(xlabel=f"{axis} 1", ylabel=f"{axis} 2")
        ax.tick_params(labelbottom=False, labelleft=False, length=0)  # the scale of an embedding has no meaning
        ax.set_aspect("equal", adjustable="datalim")
        if title is not None:
            ax.set_title(literal(title))
        if texts:
            _spread(ax, texts)
    return ax


def _spread(ax: Axes, texts: list[Annotation]) -> None:
    """Move names that would overlap apart, up and down."""
    figure = figure_of(ax)
    figure.draw_without_rendering()  # settles the axes, so that the boxes are where they will be
    boxes = [text.get_window_extent().padded(figure.dpi / 24) for text in texts]
    shift = np.zeros(len(texts))
    for _ in range(60):
        before = shift.copy()
        for i, a in enumerate(boxes):
            for j, b in enumerate(boxes[:i]):
                gap = a.y0 + shift[i] - b.y0 - shift[j]
                overlap = max(a.height, b.height) - abs(gap)
                if overlap > 0 and a.x0 < b.x1 and b.x0 < a.x1:
                    push = np.copysign(overlap / 2, gap)
                    shift[i] += push
                    shift[j] -= push
        if (shift == before).all():
            break
    for text, moved in zip(texts, shift * 72 / figure.dpi, strict=True):
        text.xyann = (0, text.xyann[1] + moved)
