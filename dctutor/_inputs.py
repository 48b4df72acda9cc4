"""What a user may give as data: arrays, tensors, data frames, pictures."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dctutor._validation import check_integer

__all__ = ["as_array", "check_table", "image_shape", "shape_of"]


def as_array(X: Any) -> Any:
    """Turn a tensor, wherever it is and of whatever type, into an array; leave anything else as it is."""
    if not isinstance(X, Tensor):
        return X
    X = X.detach().cpu().resolve_conj()
    known = not X.is_floating_point() or X.dtype in (torch.float16, torch.float32, torch.float64)
    return (X if known else X.float()).numpy()  # NumPy has no bfloat16


def check_table(name: str, value: Any) -> NDArray[np.floating]:
    """Return a finite 2-D array of floats, in double precision unless it is of floats, or raise naming the argument."""
    try:
        table = np.asarray(as_array(value))
    except ValueError as error:
        raise ValueError(
            f"{name}: expected a 2-D array of shape (n, p), got rows of several lengths ({error})"
        ) from error
    if table.dtype.kind == "O" and not any(isinstance(entry, str) for entry in table.flat):
        try:
            table = table.astype(np.float64)  # a data frame whose columns differ in type
        except OverflowError as error:
            raise ValueError(f"{name}: expected numbers that a float can hold, got a larger one") from error
        except (TypeError, ValueError):
            pass  # said below
    if table.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected a 2-D array of numbers, got dtype {table.dtype}")
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"{name}: expected a 2-D array of shape (n, p) with n, p >= 1, got shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    return table if table.dtype.kind == "f" else table.astype(np.float64)


def shape_of(X: Any) -> tuple[int, ...]:
    """Shape of what a user gave, () where it has none to tell."""
    return np.shape(X) if hasattr(X, "shape") or isinstance(X, list | tuple) else ()


def image_shape(given: Any, shape: tuple[int, ...], width: int) -> tuple[int, ...] | None:
    """Shape (C, H, W) of a sample, as the data show it or as the argument ``image_shape`` says.

    Parameters
    ----------
    given : (C, H, W) or None
        The argument ``image_shape``.
    shape : tuple of int
        The shape of X as it was given: (n, d), (n, H, W) or (n, C, H, W).
    width : int
        Features of a sample; 0 asks only what the data show, whether that is likely or not.

    Returns
    -------
    tuple of int or None
        None if neither the data nor the argument say that samples are images.

    Raises
    ------
    TypeError, ValueError
        If ``image_shape`` is no such shape or not that of the samples, or if X seems to be of shape (n, H, W, C) and
        ``image_shape`` does not say otherwise.
    """
    seen = (1, *shape[1:]) if len(shape) == 3 else shape[1:] if len(shape) == 4 else None
    # Pictures have 1, 3 or 4 channels, so an axis of any other size is none of theirs.
    channels_last = len(shape) == 4 and shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4)
    if given is not None:
        given = given.tolist() if isinstance(given, np.ndarray) else given
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 3:
            raise TypeError(f"image_shape: expected (C, H, W) or None, got {given!r}")
        given = tuple(check_integer("image_shape", size, minimum=1) for size in given)
    if channels_last and width and given in (None, (shape[3], *shape[1:3])):
        raise ValueError(
            f"X: expected images of shape (n, C, H, W), got {tuple(shape)}, which looks like (n, H, W, C); give"
            f" np.moveaxis(X, 3, 1), or image_shape={tuple(shape[1:])} if there are {shape[1]} channels"
        )
    if given is None:
        return seen
    if math.prod(given) != width or (seen is not None and given != seen):
        found = f"{width} features" if seen is None else f"images of shape {seen}"
        raise ValueError(f"image_shape: expected the shape of a sample, which has {found}, got {given}")
    return given
