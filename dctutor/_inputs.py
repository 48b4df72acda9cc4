"""What a user may give as data: arrays, tensors, tables, pictures."""

import math
from collections.abc import Sequence
from contextlib import suppress
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
    """Return a finite table (n, p) of floats, in double precision unless it has one, or raise naming the argument."""
    try:
        table = np.asarray(as_array(value))
    except ValueError as error:
        raise ValueError(f"{name}: expected a table of shape (n, p), got rows of several lengths ({error})") from error
    if table.dtype.kind == "O" and not any(isinstance(entry, str) for entry in table.flat):
        with suppress(TypeError, ValueError):
            table = table.astype(np.float64)  # a table of pandas whose columns differ
    if table.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected a table of numbers, got dtype {table.dtype}")
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"{name}: expected a table of shape (n, p) with n, p >= 1, got shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    return table if table.dtype.kind == "f" else table.astype(np.float64)


def shape_of(X: Any) -> tuple[int, ...]:
    """Shape of what a user gave, () where it has none to tell."""
    return np.shape(X) if hasattr(X, "shape") or isinstance(X, list | tuple) else ()


def image_shape(given: Any, shape: tuple[int, ...], width: int) -> tuple[int, ...] | None:
    """Shape of an image, as the data shows it or the argument ``image_shape``, if there is one, says."""
    seen = (1, *shape[1:]) if len(shape) == 3 else shape[1:] if len(shape) == 4 else None
    if given is None:
        return seen
    given = given.tolist() if isinstance(given, np.ndarray) else given
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 3:
        raise TypeError(f"image_shape: expected (C, H, W) or None, got {given!r}")
    for size in given:
        check_integer("image_shape", size, minimum=1)
    if math.prod(given) != width or (seen is not None and tuple(given) != seen):
        found = f"{width} features" if seen is None else f"images of shape {seen}"
        raise ValueError(f"image_shape: expected the shape of a sample, which has {found}, got {tuple(given)}")
    return tuple(int(size) for size in given)
