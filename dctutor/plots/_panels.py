"""What the embedding player draws: checked snapshots, their numbers, and thumbnails of the samples."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.distance import cdist

from dctutor._inputs import as_array, check_table, shape_of
from dctutor.metrics import clustering_accuracy
from dctutor.plots._images import as_pictures
from dctutor.plots._scatter import projector
from dctutor.snapshots import Snapshot

__all__ = ["Run", "panel_data", "soft_assignments", "sprite_of"]

_LEVELS = 2**16 - 1
_THUMBNAIL = 32  # pixels: larger images are made smaller
_TOP = 3  # clusters of a soft assignment that are shown


@dataclass(frozen=True)
class Run:
    """Checked snapshots of one panel: the argument's name, then one entry per snapshot."""

    name: str
    frames: list[str]
    clouds: list[np.ndarray]
    centers: list[np.ndarray]

    @classmethod
    def read(cls, name: str, snapshots: Sequence[Snapshot]) -> "Run":
        if not len(snapshots):
            raise ValueError(f"{name}: expected at least one snapshot, got none")
        clouds = [
            check_table(f"{name}[{i}].embedding", shot.embedding).astype(float) for i, shot in enumerate(snapshots)
        ]
        m, p = clouds[-1].shape
        centers = [np.empty((0, p)) if shot.centers is None else np.asarray(shot.centers, float) for shot in snapshots]
        for i, (cloud, center) in enumerate(zip(clouds, centers, strict=True)):
            if cloud.shape != (m, p):
                raise ValueError(
                    f"{name}[{i}].embedding: expected shape {(m, p)}, as in the last snapshot, got {cloud.shape}"
                )
            if center.ndim != 2 or center.shape[1] != p or not np.isfinite(center).all():
                raise ValueError(
                    f"{name}[{i}].centers: expected finite numbers of shape (k, {p}), got shape {center.shape}"
                )
        return cls(name, [f"{shot.phase}, epoch {shot.epoch}" for shot in snapshots], clouds, centers)


def soft_assignments(value: Any, titles: list[str] | None, m: int) -> dict[str, np.ndarray]:
    """Return the checked soft assignments of each panel that has some; `titles` are None for a single panel."""
    if value is None:
        return {}
    if titles is None:
        tables = {"": ("assignments", value)}
    elif not isinstance(value, Mapping):
        raise TypeError(f"assignments: expected a mapping from titles of panels, got {type(value).__name__}")
    elif not set(value) <= set(titles):
        raise ValueError(f"assignments: expected titles among {titles}, got {list(value)}")
    else:
        tables = {title: (f"assignments[{title!r}]", table) for title, table in value.items()}
    return {title: _soft(name, table, m) for title, (name, table) in tables.items()}


def _soft(name: str, value: Any, m: int) -> np.ndarray:
    table = check_table(name, value).astype(float)
    if len(table) != m:
        raise ValueError(f"{name}: expected {m} rows, one per sample, got shape {table.shape}")
    sums = table.sum(axis=1)
    wrong = np.flatnonzero((table.min(axis=1) < 0) | (np.abs(sums - 1) > 1e-3))
    if len(wrong):
        raise ValueError(
            f"{name}: expected rows of numbers in [0, 1] that sum to 1, got row {wrong[0]} with "
            f"minimum {table[wrong[0]].min():.3g} and sum {sums[wrong[0]]:.3g}"
        )
    return table


def panel_data(run: Run, kept: np.ndarray, classes: np.ndarray | None, soft: np.ndarray | None) -> dict[str, Any]:
    """Return what the script draws in one panel."""
    clouds = [cloud[kept] for cloud in run.clouds]
    pca = projector(f"{run.name}[-1].embedding", run.clouds[-1])
    flat = np.concatenate([*clouds, *run.centers])
    flat = flat if pca is None else pca.transform(flat)
    origin = flat.min(axis=0)
    step = float((flat - origin).max() / _LEVELS) or 1.0  # one step for both axes keeps the shape of the cloud
    integers = ((flat - origin) / step).round().astype("<u2")
    n_moving = len(clouds) * len(kept)
    spreads = [float(cloud.var(axis=0).sum()) for cloud in clouds]
    acc: list[float | None] = [None] * len(clouds)
    if classes is not None:
        for t, (cloud, centers) in enumerate(zip(clouds, run.centers, strict=True)):
            if len(centers):
                acc[t] = round(clustering_accuracy(classes, cdist(cloud, centers).argmin(axis=1)), 4)
        if acc[-1] is None and soft is not None:
            acc[-1] = round(clustering_accuracy(classes, soft[kept].argmax(axis=1)), 4)
    axis = "Dimension" if pca is None else "PC"
    panel: dict[str, Any] = {
        "frames": run.frames,
        "points": _pack(integers[:n_moving]),
        "centers": _pack(integers[n_moving:]),
        "counts": [len(centers) for centers in run.centers],
        "extent": integers.max(axis=0).tolist(),
        "origin": origin.tolist(),
        "step": step,
        "axes": [f"{axis} 1", f"{axis} 2"],
        "spread": [float(f"{100 * spread / spreads[0]:.4g}") if spreads[0] > 0 else None for spread in spreads],
        "acc": acc,
    }
    if soft is not None:
        order = np.argsort(-soft[kept], axis=1, kind="stable")[:, :_TOP]
        thousandths = (1000 * np.take_along_axis(soft[kept], order, axis=1)).round()
        panel["kept"] = order.shape[1]
        panel["top"] = _pack(np.stack([order, thousandths], axis=2).astype("<u2"))
    return panel


def sprite_of(images: Any, image_shape: Any, kept: np.ndarray, m: int) -> dict[str, Any] | None:
    """Put the images of the drawn points into one picture, row by row."""
    if images is None:
        if image_shape is not None:
            raise ValueError(f"image_shape: expected None without images, got {image_shape}")
        return None
    shape = shape_of(images)
    if len(shape) not in (2, 3, 4) or shape[0] != m:
        raise ValueError(f"images: expected shape ({m}, H, W), ({m}, C, H, W) or ({m}, d), got shape {tuple(shape)}")
    if image_shape is None:
        if len(shape) == 2:
            raise ValueError(f"image_shape: expected (H, W) or (C, H, W) for images of shape {tuple(shape)}, got None")
        image_shape = shape[1:]
    if not isinstance(image_shape, Sequence) or len(image_shape) not in (2, 3):
        raise ValueError(f"image_shape: expected (H, W) or (C, H, W), got {image_shape}")
    full = tuple(image_shape) if len(image_shape) == 3 else (1, *image_shape)
    chosen = np.asarray(as_array(images))[kept]
    chosen = chosen[:, None] if len(shape) == 3 and full[0] == 1 else chosen
    pictures = as_pictures("images", chosen, full, stacklevel=4)
    small = [Image.fromarray((255 * picture).round().astype(np.uint8)).convert("L") for picture in pictures]
    for thumbnail in small:
        thumbnail.thumbnail((_THUMBNAIL, _THUMBNAIL))
    width, height = small[0].size
    columns = int(np.ceil(np.sqrt(len(small))))
    sheet = Image.new("L", (columns * width, -(-len(small) // columns) * height))
    for i, thumbnail in enumerate(small):
        sheet.paste(thumbnail, (i % columns * width, i // columns * height))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
    return {"source": source, "width": width, "height": height, "columns": columns}


def _pack(integers: np.ndarray) -> str:
    return base64.b64encode(integers.tobytes()).decode("ascii")
