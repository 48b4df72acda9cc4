"""The embedding over training, as a small self-contained piece of a page."""

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dctutor._inputs import check_table
from dctutor._validation import check_integer, check_number
from dctutor.plots._scatter import projector
from dctutor.plots._style import COLOURS, MAX_NAMED, as_labels, group_names
from dctutor.snapshots import Snapshot

_LEVELS = 2**16 - 1
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Embedding over training</title></head>
<body style="font-family: system-ui, sans-serif">
{}
</body>
</html>
"""


@dataclass(frozen=True)
class EmbeddingAnimation:
    """An animation that a notebook or a page shows without a kernel and without a network.

    Attributes
    ----------
    html : str
        Fragment of a page, with its style, its script and its data.
    n_snapshots, n_points : int
        Numbers of snapshots, and of points per snapshot.
    """

    html: str = field(repr=False)
    n_snapshots: int
    n_points: int

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> None:
        """Write a complete web page to `path`."""
        Path(path).write_text(_PAGE.format(self.html), encoding="utf-8")


def embedding_animation(
    snapshots: Sequence[Snapshot],
    labels: np.ndarray | None = None,
    *,
    label_names: Sequence[str] | None = None,
    seconds: float = 8.0,
    max_points: int = 1000,
) -> EmbeddingAnimation:
    """Animate an embedding over training.

    All snapshots share one projection. For more than two dimensions, it is the first two principal components of the
    last snapshot. Between snapshots, points move on straight lines. The animation plays once when it comes into view,
    unless the reader's system asks for reduced motion. A button and a slider control it.

    Parameters
    ----------
    snapshots : sequence
        A fitted model's ``snapshots_``: objects with ``phase``, ``epoch``, ``embedding`` (m, p) and ``centers``
        (k, p) or None.
    labels : array of shape (m,), optional
        Groups to colour: integers or names, such as ``y[model.snapshot_index_]``. The names of more than 40 groups are
        left out.
    label_names : sequence of str, optional
        ``label_names[label]`` is written in place of the number.
    seconds : float, default 8
        Length of the animation.
    max_points : int, default 1000
        Largest number of points, to keep the page small. If there are more, points at even distances are kept.

    Returns
    -------
    EmbeddingAnimation

    Raises
    ------
    TypeError, ValueError
        If there is no snapshot, a number is not positive, or snapshots or labels differ in shape.
    """
    if not len(snapshots):
        raise ValueError("snapshots: expected at least one snapshot, got none")
    seconds = check_number("seconds", seconds, open_at_minimum=True)
    max_points = check_integer("max_points", max_points, minimum=1)
    clouds = [check_table(f"snapshots[{i}].embedding", s.embedding).astype(float) for i, s in enumerate(snapshots)]
    m, p = clouds[-1].shape
    centers = [np.empty((0, p)) if shot.centers is None else np.asarray(shot.centers, float) for shot in snapshots]
    for i, (cloud, center) in enumerate(zip(clouds, centers, strict=True)):
        if cloud.shape != (m, p):
            raise ValueError(
                f"snapshots[{i}].embedding: expected shape {(m, p)}, as in the last snapshot, got {cloud.shape}"
            )
        if center.ndim != 2 or center.shape[1] != p or not np.isfinite(center).all():
            raise ValueError(
                f"snapshots[{i}].centers: expected finite numbers of shape (k, {p}), got shape {center.shape}"
            )
    if labels is not None and np.shape(labels) != (m,):
        raise ValueError(
            f"labels: expected shape ({m},), that of y[model.snapshot_index_], got {tuple(np.shape(labels))}"
        )
    groups = np.zeros(m, dtype=int) if labels is None else as_labels("labels", labels, m)
    kept = np.unique(np.linspace(0, m - 1, min(m, max_points)).round().astype(int))
    values, members = np.unique(groups[kept], return_inverse=True)
    names = [] if labels is None else group_names(values, label_names)
    said = f" Groups: {', '.join(names)}." if names else ""
    if len(names) > MAX_NAMED:  # without names, groups of one look can be one group
        said, names, members = f" {len(names)} groups.", [], members % MAX_NAMED

    pca = projector("snapshots[-1].embedding", clouds[-1])
    counts = [len(center) for center in centers]
    flat = np.concatenate([*(cloud[kept] for cloud in clouds), *centers])
    flat = flat if pca is None else pca.transform(flat)
    origin = flat.min(axis=0)
    step = float((flat - origin).max() / _LEVELS) or 1.0  # one step for both axes keeps the shape of the cloud
    integers = ((flat - origin) / step).round().astype("<u2")
    n_moving = len(clouds) * len(kept)
    payload = {
        "frames": [f"{shot.phase}, epoch {shot.epoch}" for shot in snapshots],
        "n": len(kept),
        "points": _pack(integers[:n_moving]),
        "centers": _pack(integers[n_moving:]),
        "counts": counts,
        "extent": integers.max(axis=0).tolist(),
        "origin": origin.tolist(),
        "step": step,
        "groups": members.tolist(),
        "names": names,
        "colours": COLOURS,
        "seconds": seconds,
    }
    first, last = payload["frames"][0], payload["frames"][-1]
    summary = f"Scatter plot of {len(kept)} embedded samples that move over {len(clouds)} snapshots of the training"
    summary += f", from {first} to {last}.{said}"
    note = "Axes: the dimensions of the embedding." if pca is None else "Axes: PC 1 and PC 2 of the last snapshot."
    template = Path(__file__).with_name("animation.html").read_text(encoding="utf-8")
    # The data go in last, so that nothing inside them is taken for a placeholder.
    page = template.replace("@LAST@", str(len(clouds) - 1)).replace("@NOTE@", note)
    before, after = page.split("@PAYLOAD@")
    before, after = (part.replace("@SUMMARY@", html.escape(summary)) for part in (before, after))
    data = html.escape(json.dumps(payload, separators=(",", ":")))
    return EmbeddingAnimation(before + data + after, n_snapshots=len(clouds), n_points=len(kept))


def _pack(integers: np.ndarray) -> str:
    return base64.b64encode(integers.tobytes()).decode("ascii")
