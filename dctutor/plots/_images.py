"""Grids of images."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from dctutor._inputs import as_array
from dctutor._validation import check_integer
from dctutor.plots._style import WIDTH, literal, style

_CHARACTER = 0.085  # inches: the mean width of a character of a title
_OVERSHOOT = 0.5  # decoded pixels lie outside [0, 1] by less


def prototypes(
    images: np.ndarray, *, image_shape: tuple[int, ...], titles: Sequence[str] | None = None, ncols: int = 10
) -> Figure:
    """Draw a grid of images, such as decoded cluster centres.

    Parameters
    ----------
    images : array of shape (k, d) or (k, C, H, W)
        Pixels in [0, 1], or from 0 to 255 if the dtype is uint8. Values outside are clipped, with a warning if they are
        below -0.5 or above 1.5: decoded images overshoot a little, but other values have another unit.
    image_shape : (C, H, W)
        Shape of one image. One channel is drawn in grey, three in colour.
    titles : sequence of str, optional
        Written above the images: k titles, or one per column above the first row. Where they need more room than the
        images, the columns stand further apart.
    ncols : int, default 10
        Number of images per row.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError, ValueError
        If the images are not numbers or do not have `image_shape`, or there is not one title per image or per column.

    Warns
    -----
    UserWarning
        If values lie far outside the range of pixels.
    """
    pictures = as_pictures("images", images, image_shape)
    ncols = min(check_integer("ncols", ncols, minimum=1), len(pictures))
    nrows = -(-len(pictures) // ncols)
    names = [] if titles is None else [str(title) for title in titles]
    if titles is not None and len(names) not in (len(pictures), ncols):
        raise ValueError(
            f"titles: expected {len(pictures)} entries, one per image, or {ncols}, one per column, got {len(names)}"
        )
    with style():
        cell = min(WIDTH / ncols, 1.6)
        height = cell * pictures.shape[1] / pictures.shape[2]
        titles_of = [name.split("\n") for name in names]
        cell = max([cell, *(_CHARACTER * len(line) for lines in titles_of for line in lines)])
        titled_rows, tallest = -(-len(names) // ncols), max(map(len, titles_of), default=0)
        height = nrows * height + 0.2 * titled_rows * tallest
        figure, axes = plt.subplots(nrows, ncols, figsize=(cell * ncols, height + 0.1), squeeze=False)
        for i, ax in enumerate(axes.flat):
            ax.axis("off")
            ax.set_gid(f"column {i % ncols}")  # a column stays together where there is no room for all
            if i < len(pictures):
                ax.imshow(pictures[i], cmap="gray", vmin=0, vmax=1)
                ax.set_title(literal(names[i]) if i < len(names) else "")
    return figure


def image_rows(rows: Mapping[str, np.ndarray], image_shape: tuple[int, ...]) -> Figure:
    """Draw rows of images with one name per row, such as originals above their reconstructions.

    Parameters
    ----------
    rows : mapping of str to array of shape (k, d) or (k, C, H, W)
        Images, as in `prototypes`. All rows hold the same number of images.
    image_shape : (C, H, W)
        Shape of one image. One channel is drawn in grey, three in colour.

    Returns
    -------
    Figure

    Raises
    ------
    TypeError, ValueError
        If there are no rows, they differ in length, or the images are not numbers or do not have `image_shape`.

    Warns
    -----
    UserWarning
        If values lie far outside the range of pixels.
    """
    pictures = {}
    for name, images in rows.items():
        pictures[name] = as_pictures(f"rows[{name!r}]", images, image_shape)
    lengths = {name: len(images) for name, images in pictures.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"rows: expected one or more rows with equal numbers of images, got {lengths}")
    ncols = next(iter(lengths.values()))
    with style():
        cell = min(WIDTH / ncols, 1.4)
        height = len(rows) * (cell * image_shape[1] / image_shape[2] + 0.3)
        figure = plt.figure(figsize=(cell * ncols, height))
        # One subfigure per row: a long name must not push the images of a column apart.
        for part, (name, row) in zip(
            figure.subfigures(len(rows), 1, squeeze=False)[:, 0], pictures.items(), strict=True
        ):
            part.suptitle(literal(name), x=0.01, ha="left")
            for ax, image in zip(part.subplots(1, ncols, squeeze=False)[0], row, strict=True):
                ax.axis("off")
                ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    return figure


def as_pictures(name: str, images: Any, image_shape: tuple[int, ...], *, stacklevel: int = 3) -> np.ndarray:
    """Turn (k, d) or (k, C, H, W) into (k, H, W) or (k, H, W, 3) in [0, 1]; a warning points `stacklevel` calls up."""
    if image_shape is None or len(image_shape) != 3 or image_shape[0] not in (1, 3):
        raise ValueError(f"image_shape: expected (C, H, W) with 1 or 3 channels, got {image_shape}")
    try:
        array = np.asarray(as_array(images))
        array = array.astype(float) if array.dtype == object else array
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name}: expected an array of numbers ({error})") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected an array of numbers, got dtype {array.dtype}")
    if not array.ndim or not len(array) or array.shape[1:] not in {(int(np.prod(image_shape)),), tuple(image_shape)}:
        raise ValueError(
            f"{name}: expected shape (k, {int(np.prod(image_shape))}) or (k, {', '.join(map(str, image_shape))}) "
            f"with k >= 1, as image_shape={tuple(image_shape)} says, got shape {array.shape}"
        )
    if array.dtype == np.uint8:
        array = array / 255
    elif (array < -_OVERSHOOT).any() or (array > 1 + _OVERSHOOT).any():
        warnings.warn(
            f"{name}: expected pixels in [0, 1], or from 0 to 255 in uint8, got {array.dtype} values from "
            f"{np.nanmin(array):.3g} to {np.nanmax(array):.3g}. They are clipped to [0, 1]. If they go from 0 to 255, "
            "divide them by 255; shift and scale values of another unit to [0, 1].",
            stacklevel=stacklevel,
        )
    array = array.astype(float).reshape(-1, *image_shape).clip(0, 1)
    return array[:, 0] if image_shape[0] == 1 else np.moveaxis(array, 1, -1)
