"""Grids of images."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from dctutor._inputs import as_array
from dctutor._validation import check_integer
from dctutor.plots._style import WIDTH, literal, style


def prototypes(
    images: np.ndarray, *, image_shape: tuple[int, ...], titles: Sequence[str] | None = None, ncols: int = 10
) -> Figure:
    """A grid of images, such as decoded cluster centres.

    Parameters
    ----------
    images : array of shape (k, d) or (k, C, H, W)
        Pixels in [0, 1]; values outside are clipped.
    image_shape : (C, H, W)
        One channel is drawn in grey, three in colour.
    titles : sequence of k str, optional
        Written above the images.
    ncols : int, default 10
        Images a row.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If the images do not have `image_shape`, or there is not one title for each.
    """
    pictures = _pictures("images", images, image_shape)
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"titles must have {len(pictures)} entries, one an image; got {len(titles)}.")
    ncols = min(check_integer("ncols", ncols, minimum=1), len(pictures))
    nrows = -(-len(pictures) // ncols)
    with style():
        cell = min(WIDTH / ncols, 1.6)
        height = nrows * (cell * pictures.shape[1] / pictures.shape[2] + (0.25 if titles is not None else 0))
        figure, axes = plt.subplots(nrows, ncols, figsize=(cell * ncols, height), squeeze=False)
        for i, ax in enumerate(axes.flat):
            ax.axis("off")
            if i < len(pictures):
                ax.imshow(pictures[i], cmap="gray", vmin=0, vmax=1)
                ax.set_title("" if titles is None else literal(titles[i]))
    return figure


def image_rows(rows: Mapping[str, np.ndarray], image_shape: tuple[int, ...]) -> Figure:
    """Rows of images with a name each, such as originals above their reconstructions.

    Parameters
    ----------
    rows : mapping of str to array of shape (k, d) or (k, C, H, W)
        Pixels in [0, 1]; all rows hold the same number of images.
    image_shape : (C, H, W)
        One channel is drawn in grey, three in colour.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there are no rows, or they differ in length, or the images do not have `image_shape`.
    """
    pictures = {name: _pictures(f"rows[{name!r}]", images, image_shape) for name, images in rows.items()}
    lengths = {name: len(images) for name, images in pictures.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"rows must hold one or more rows of as many images each; got {lengths}.")
    ncols = next(iter(lengths.values()))
    with style():
        cell = min(WIDTH / ncols, 1.4)
        height = len(rows) * (cell * image_shape[1] / image_shape[2] + 0.3)
        figure = plt.figure(figsize=(cell * ncols, height))
        # A row of its own each: a long name must not push the images of its column apart.
        for part, (name, row) in zip(
            figure.subfigures(len(rows), 1, squeeze=False)[:, 0], pictures.items(), strict=True
        ):
            part.suptitle(literal(name), x=0.01, ha="left")
            for ax, image in zip(part.subplots(1, ncols, squeeze=False)[0], row, strict=True):
                ax.axis("off")
                ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    return figure


def _pictures(name: str, images: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
    """(k, d) or (k, C, H, W) -> (k, H, W) or (k, H, W, 3), clipped to [0, 1]."""
    array = np.asarray(as_array(images), dtype=float)
    if image_shape is None or len(image_shape) != 3 or image_shape[0] not in (1, 3):
        raise ValueError(f"image_shape must be (C, H, W) with 1 or 3 channels; got {image_shape}.")
    if not len(array) or array.shape[1:] not in {(int(np.prod(image_shape)),), tuple(image_shape)}:
        raise ValueError(
            f"{name} must have shape (k, {int(np.prod(image_shape))}) or (k, {', '.join(map(str, image_shape))}) "
            f"with k >= 1, as image_shape={tuple(image_shape)} says; got shape {array.shape}."
        )
    array = array.reshape(-1, *image_shape).clip(0, 1)
    return array[:, 0] if image_shape[0] == 1 else np.moveaxis(array, 1, -1)
