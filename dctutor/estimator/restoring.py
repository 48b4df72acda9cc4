"""From a file to the fitted estimator that it holds, or to an error where the parts do not fit together."""

import inspect
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dctutor._random import initial_weights
from dctutor.devices import plain_modes, resolve_device
from dctutor.estimator._identity import LOCAL
from dctutor.estimator.parameters import check_arguments, declared
from dctutor.estimator.scaling import Scaling
from dctutor.snapshots import from_tensors
from dctutor.storage import FileFormatError

__all__ = ["ARRAYS", "blank", "check_finite", "method_of", "place", "restored"]

#: Fitted arrays that every method has.
ARRAYS = ("cluster_centers_", "labels_", "snapshot_index_")


def method_of(path: str | os.PathLike[str], facts: Mapping[str, Any]) -> str:
    """Name of the method whose model a file holds, or FileFormatError."""
    if "fingerprint" in facts:
        raise FileFormatError(f"path: expected a saved model, got the checkpoint of a fit, {os.fspath(path)!r}")
    name = facts.get("method")
    if not isinstance(name, str):
        raise FileFormatError(f"path: expected a saved model, got another file of dctutor, {os.fspath(path)!r}")
    return name


def restored(cls: type[Any], path: str | os.PathLike[str], tensors: Mapping[str, Tensor], facts: Any) -> Any:
    """Make the fitted estimator that a file holds; raise FileFormatError if the parts do not fit together."""
    try:
        with plain_modes():
            estimator = _restored(cls, tensors, facts)
    except Exception as error:  # a file written by hand can cause any
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise FileFormatError(
            f"path: {os.fspath(path)!r} does not hold a whole {cls.__name__}: {reason}{_other_version(facts)}"
        ) from error
    place(estimator, stacklevel=3)
    return estimator


def _other_version(facts: Mapping[str, Any]) -> str:
    """Say which version wrote a file that cannot be read, if it was another one."""
    wrote, here = facts.get("version"), version("dctutor")
    if not isinstance(wrote, str) or wrote == here:
        return ""
    return f"; dctutor {wrote[:20]} saved it, and this is {here}: load it with that version, or fit again"


def blank(cls: type[Any], facts: Mapping[str, Any]) -> Any:
    """Make the estimator, not yet fitted, as `_build_network` needs it."""
    # JSON has no tuples; the arguments that are sequences are tuples.
    stored = {k: tuple(v) if isinstance(v, list) else v for k, v in facts["parameters"].items()}
    stored |= dict.fromkeys(stored.keys() & set(LOCAL))
    # A constructor of one's own may name only some of the arguments; the others are attributes all the same.
    named = inspect.signature(cls).parameters
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in named.values())
    unnamed = set() if takes_all else stored.keys() & (declared(cls).keys() - named.keys())
    estimator = cls(**{name: value for name, value in stored.items() if name not in unnamed})
    vars(estimator).update({name: stored[name] for name in unnamed})
    estimator._fitted_with = facts["parameters"]
    shape = facts["image_shape_"]
    estimator.image_shape_ = None if shape is None else tuple(shape)
    estimator.n_features_in_ = facts["n_features_in_"]
    return estimator


def _restored(cls: type[Any], tensors: Mapping[str, Tensor], facts: Any) -> Any:
    estimator = blank(cls, facts)
    check_arguments(estimator)
    estimator._check_params()
    width = estimator.n_features_in_
    sizes = (width, *(estimator.image_shape_ or (width,)))
    if not all(isinstance(size, int) and size > 0 for size in sizes) or math.prod(sizes[1:]) != width:
        raise ValueError(f"{width!r} features and images of shape {estimator.image_shape_} do not agree")
    estimator._arrays = tuple(facts["arrays"])
    _check_arrays(tensors, estimator._arrays)
    estimator.scaling_ = _scaling(tensors["shift"].numpy(), facts, (width,) if cls.input_scaling == "centred" else ())
    centers, index = tensors["cluster_centers_"], tensors["snapshot_index_"]
    # No array as wide as the input is made before the width is known to be that of the weights.
    estimator.network_ = _filled(lambda: estimator._build_network(width), "network", tensors)
    if getattr(estimator.network_, "embedding_dim", centers.shape[1]) != centers.shape[1]:
        raise ValueError("the network embeds in another width than that of cluster_centers_")
    estimator.head_ = _filled(lambda: estimator._build_head(centers.shape[1]), "head", tensors)
    for name in (*ARRAYS, *estimator._arrays):
        setattr(estimator, name, tensors[name].numpy())
    estimator.snapshots_ = from_tensors(tensors, facts["snapshots"])
    if any(shot.embedding.ndim != 2 or len(shot.embedding) != len(index) for shot in estimator.snapshots_):
        raise ValueError("the snapshots are not of the samples of snapshot_index_")
    estimator.n_iter_, estimator.seconds_ = int(facts["n_iter_"]), float(facts["seconds_"])
    estimator.history_ = {
        table: {name: [float(value) for value in column] for name, column in columns.items()}
        for table, columns in facts["history_"].items()
    }
    q = estimator.predict_proba(np.zeros((1, width)))  # do the parts fit together?
    if q.shape != (1, len(centers)) or not np.isfinite(q).all():
        raise ValueError("its parts do not fit together")
    if names := facts["feature_names_in_"]:
        if len(names) != width or not all(isinstance(name, str) for name in names):
            raise ValueError(f"feature_names_in_ are not names of {width} columns")
        estimator.feature_names_in_ = np.array(names, dtype=object)
    return estimator


def _check_arrays(tensors: Mapping[str, Tensor], more: Sequence[str]) -> None:
    """Raise ValueError if the fitted arrays of a file are not such as a fit leaves."""
    if any(not name.isidentifier() or not name.endswith("_") or name.startswith("_") for name in more):
        raise ValueError(f"{list(more)} are not names of fitted arrays")
    check_finite(tensors, more)
    centers, labels, index = (tensors[name] for name in ARRAYS)
    if centers.ndim != 2 or not centers.is_floating_point():
        raise ValueError("cluster_centers_ are not those of a fit")
    for name, numbers, end in (("labels_", labels, len(centers)), ("snapshot_index_", index, len(labels))):
        whole = numbers.ndim == 1 and len(numbers) > 0 and numbers.dtype == torch.int64
        if not whole or numbers.min() < 0 or numbers.max() >= end:
            raise ValueError(f"{name} are not those of a fit")


def _scaling(shift: NDArray[np.float32], facts: Mapping[str, Any], shape: tuple[int, ...]) -> Scaling:
    factor = float(facts["factor"])
    if shift.shape != shape or shift.dtype != np.float32 or not 0 < factor < math.inf:
        raise ValueError("the scaling is not one of a fit")
    return Scaling(shift, factor, bool(facts["clipped"]))


def check_finite(tensors: Mapping[str, Tensor], arrays: Sequence[str]) -> None:
    """Raise ValueError if a weight is not finite; what else a method of one's own keeps may be anything."""
    for name, tensor in tensors.items():
        if not name.startswith("snapshot/") and name not in arrays and not torch.isfinite(tensor).all():
            raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")


def _filled(make: Any, part: str, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Make a network and give it the file's weights, once their shapes are known to be its own.

    A file that names a network larger than itself must not make this machine build it.
    """
    found = {name.removeprefix(f"{part}/"): value for name, value in tensors.items() if name.startswith(f"{part}/")}
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in make().state_dict().items()}
    if expected != {name: tuple(value.shape) for name, value in found.items()}:
        raise ValueError(f"the {part} that its arguments describe has other weights than the file")
    with initial_weights(0):  # to be replaced
        module = make()
    module.load_state_dict(found)
    return module.eval()


def place(estimator: Any, stacklevel: int) -> None:
    """Move the networks to the device that the estimator names, or to the one that this machine has."""
    try:
        device = resolve_device(estimator.device)
    except ValueError:
        device = resolve_device("auto")
        message = f"device: this machine has no {estimator.device!r}; loaded on {device}"
        warnings.warn(message, stacklevel=stacklevel + 1)
    estimator.network_.to(device)
    estimator.head_.to(device)
