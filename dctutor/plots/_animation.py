"""The embedding over training, as a small self-contained piece of a page."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dctutor._validation import check_integer, check_number
from dctutor.plots._panels import Run, panel_data, soft_assignments, sprite_of
from dctutor.plots._style import COLOURS, MAX_NAMED, as_labels, group_names
from dctutor.snapshots import Snapshot

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Embedding over training</title></head>
<body style="font-family: system-ui, sans-serif">
<main>
<h1>Embedding over training</h1>
{}
</main>
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
        Numbers of snapshots, the largest of all panels, and of points per snapshot.
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
    snapshots: Sequence[Snapshot] | Mapping[str, Sequence[Snapshot]],
    labels: np.ndarray | None = None,
    *,
    label_names: Sequence[str] | None = None,
    images: np.ndarray | None = None,
    image_shape: tuple[int, ...] | None = None,
    assignments: np.ndarray | Mapping[str, np.ndarray] | None = None,
    seconds: float = 8.0,
    max_points: int = 1000,
) -> EmbeddingAnimation:
    """Animate an embedding over training, or several embeddings side by side.

    All snapshots of a panel share one projection. For more than two dimensions, it is the first two principal
    components of the last snapshot. The first snapshot stays visible in grey. Between snapshots, points move on
    straight lines. The animation rests on the last snapshot. It plays once when it comes into view, unless the
    reader's system asks for reduced motion. A button and a slider control it, and another button repeats it.

    Under the picture stand two numbers of the snapshot shown. Both are of the drawn points only, and in all dimensions
    of the embedding:

    - spread: mean squared distance of the codes from their mean, in per cent of that in the first snapshot;
    - ACC: clustering accuracy when each code belongs to its nearest centre and `labels` are the classes. Snapshots
      without centres have no ACC, except the last one if there are `assignments`, which then decide.

    With `images` or `assignments`, a reader can look at a single sample: with the pointer, with a finger, or with the
    arrow keys. Escape leaves it. In several panels, the sample is marked in each of them.

    Parameters
    ----------
    snapshots : sequence, or mapping of str to sequence
        A fitted model's ``snapshots_``: objects with ``phase``, ``epoch``, ``embedding`` (m, p) and ``centers``
        (k, p) or None. A mapping gives one panel per entry, with its key as title. The panels show the same m samples
        and share one slider, the fraction of training; they may differ in p and in their number of snapshots.
    labels : array of shape (m,), optional
        Groups to colour: integers or names, such as ``y[model.snapshot_index_]``. The names of more than 40 groups are
        left out.
    label_names : sequence of str, optional
        ``label_names[label]`` is written in place of the number.
    images : array of shape (m, H, W), (m, C, H, W) or (m, d), optional
        The samples, such as ``X[model.snapshot_index_]``: pixels in [0, 1], or from 0 to 255 if the dtype is uint8.
        They are shown in grey, at most 32 pixels wide and high.
    image_shape : (C, H, W) or (H, W), optional
        Shape of one image. Required for flat rows.
    assignments : array of shape (m, k), optional
        Final soft assignments in [0, 1], such as ``model.predict_proba(X[model.snapshot_index_])``: rows sum to 1. The
        three largest are shown for each sample. For several panels, a mapping from their titles.
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
        If there is no snapshot, a number is not positive, or the arguments differ in shape or in their number of
        samples.

    Warns
    -----
    UserWarning
        If pixels lie far outside their range.

    Examples
    --------
    >>> import numpy as np
    >>> from dctutor.plots import embedding_animation
    >>> from dctutor.snapshots import Snapshot
    >>> Z = np.random.default_rng(0).normal(size=(100, 2))
    >>> collapse = [Snapshot("cluster", t, Z * 0.5**t, None) for t in range(5)]
    >>> embedding_animation(collapse)
    EmbeddingAnimation(n_snapshots=5, n_points=100)
    >>> still = [Snapshot("cluster", 0, Z, None)]
    >>> embedding_animation({"collapses": collapse, "stands still": still})
    EmbeddingAnimation(n_snapshots=5, n_points=100)
    """
    seconds = check_number("seconds", seconds, open_at_minimum=True)
    max_points = check_integer("max_points", max_points, minimum=1)
    several = isinstance(snapshots, Mapping)
    if isinstance(snapshots, Mapping):
        if not snapshots:
            raise ValueError("snapshots: expected at least one panel, got an empty mapping")
        for title in snapshots:
            if not isinstance(title, str):
                raise TypeError(f"snapshots: expected titles that are strings, got {title!r}")
        runs = {title: Run.read(f"snapshots[{title!r}]", shots) for title, shots in snapshots.items()}
    else:
        runs = {"": Run.read("snapshots", snapshots)}
    m = len(next(iter(runs.values())).clouds[0])
    for run in runs.values():
        if len(run.clouds[0]) != m:
            raise ValueError(f"{run.name}: expected {m} samples, as in the first panel, got {len(run.clouds[0])}")
    if labels is not None and np.shape(labels) != (m,):
        raise ValueError(
            f"labels: expected shape ({m},), that of y[model.snapshot_index_], got {tuple(np.shape(labels))}"
        )
    groups = np.zeros(m, dtype=int) if labels is None else as_labels("labels", labels, m)
    kept = np.unique(np.linspace(0, m - 1, min(m, max_points)).round().astype(int))
    values, members = np.unique(groups[kept], return_inverse=True)
    classes = [] if labels is None else group_names(values, label_names)
    many = len(classes) > MAX_NAMED  # without names, groups of one look can be one group
    names, looks = ([], members % MAX_NAMED) if many else (classes, members)
    tables = soft_assignments(assignments, list(runs) if several else None, m)
    sprite = sprite_of(images, image_shape, kept, m)

    known = None if labels is None else members
    panels = [panel_data(run, kept, known, tables.get(title)) for title, run in runs.items()]
    payload: dict[str, Any] = {
        "panels": panels,
        "n": len(kept),
        "groups": looks.tolist(),
        "names": names,
        "colours": COLOURS,
        "seconds": seconds,
        "sprite": sprite,
    }
    if sprite or tables:  # there is a sample to look at
        payload["classes"] = classes
        payload["classOf"] = members.tolist() if many else None
    said = f" Groups: {', '.join(names)}." if names else f" {len(classes)} groups." if many else ""
    return EmbeddingAnimation(
        _page(payload, list(runs) if several else None, said),
        n_snapshots=max(len(run.clouds) for run in runs.values()),
        n_points=len(kept),
    )


def _page(payload: dict[str, Any], titles: list[str] | None, groups: str) -> str:
    """Fill the template; `titles` are None for a single panel."""
    panels = payload["panels"]
    looking = payload["sprite"] is not None or "classes" in payload
    # An application gets the arrow keys, which screen readers otherwise keep for themselves.
    role = 'role="application" tabindex="0"' if looking else 'role="img"'
    help_ = " Arrow keys move from sample to sample, Escape leaves." if looking else ""
    caption = '<p class="dct-caption"></p>'
    pieces, summaries = [], []
    for i, panel in enumerate(panels):
        first, last = panel["frames"][0], panel["frames"][-1]
        summary = (
            f"Scatter plot of {payload['n']} embedded samples that move over {len(panel['frames'])} snapshots of the"
        )
        summary += f" training, from {first} to {last}. Axes: {' and '.join(panel['axes'])}.{groups}"
        numbers = [
            f"spread {panel['spread'][-1]:.3g} % of the start" if panel["spread"][-1] is not None else "",
            f"ACC {panel['acc'][-1]:.3f}" if panel["acc"][-1] is not None else "",
        ]
        if any(numbers):
            summary += f" At the end: {', '.join(filter(None, numbers))}."
        summary = summary if titles is None else f"{titles[i]}. {summary}"
        summaries.append(summary)
        title = "" if titles is None else f'<div class="dct-title">{html.escape(titles[i])}</div>'
        below = "" if titles is None else caption
        canvas = f'<canvas {role} aria-label="{html.escape(summary + help_)}"></canvas>'
        pieces.append(f'<div class="dct-panel">{title}{canvas}{below}</div>')
    notes = []
    if any(panel["axes"][0] == "PC 1" for panel in panels):
        notes.append("PC: principal components of the last snapshot.")
    notes.append("Spread: mean squared distance of the codes from their mean, relative to the first snapshot.")
    scored = [k for panel in panels for k, acc in zip(panel["counts"], panel["acc"], strict=True) if acc is not None]
    if any(scored):
        notes.append("ACC: clustering accuracy of the drawn points, each in the cluster of its nearest centre.")
    if 0 in scored:
        notes.append("ACC without centres: clustering accuracy by the largest soft assignment.")
    if looking:
        notes.append("Point at a sample, tap it, or use the arrow keys to look at it.")
    n = len(panels)
    values = {
        "KIND": "dct-animation" if titles is None else "dct-animation dct-several",
        "PAYLOAD": html.escape(json.dumps(payload, separators=(",", ":"))),
        "COLUMNS": str(n if n < 4 else 2 if n == 4 else 3),
        "PANELS": "\n".join(pieces),
        "LAST": str(max(len(panel["frames"]) for panel in panels) - 1),
        "SLIDER": "Snapshot of the training" if titles is None else "Fraction of the training",
        "CAPTION": caption if titles is None else "",
        "NOTE": " ".join(notes),
        "SUMMARY": html.escape(" ".join(summaries)),
        "SCRIPT": Path(__file__).with_name("animation.js").read_text(encoding="utf-8"),
    }
    template = Path(__file__).with_name("animation.html").read_text(encoding="utf-8")
    # One pass, so that nothing inside the values is taken for a placeholder.
    return re.sub("@([A-Z]+)@", lambda found: values[found[1]], template)
