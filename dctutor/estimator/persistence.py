"""A fitted estimator as one file, and back."""

import hashlib
import inspect
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dctutor.devices import initial_weights, resolve_device, resolve_precision
from dctutor.snapshots import from_tensors, to_tensors
from dctutor.storage import FileFormatError, raw_bytes, read_file, write_file

if TYPE_CHECKING:
    from dctutor.estimator import DeepClusterer

__all__ = ["fingerprint", "load", "parameters", "plain", "save"]

_ARRAYS = ("cluster_centers_", "labels_", "snapshot_index_")
Estimator = TypeVar("Estimator", bound="DeepClusterer")


def plain(name: str, value: Any) -> Any:
    """Turn an argument's value into what JSON can hold, or raise TypeError naming the argument."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    if isinstance(value, np.ndarray | torch.Tensor):
        return plain(name, value.tolist())
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(name, item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(name, item) for item in value]
    if isinstance(value, str | int | float | None):
        return value
    raise TypeError(f"{name}: expected what a JSON file can hold, got {value!r}")


def parameters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of an estimator, as JSON can hold them; TypeError names one that it cannot.

    None stands for a network or a source of randomness.
    """
    left_out = nn.Module | np.random.RandomState
    return {name: None if isinstance(value, left_out) else plain(name, value) for name, value in arguments.items()}


def fingerprint(
    estimator: "DeepClusterer", x: NDArray[np.float32], seed: int, y: NDArray[np.int64] | None = None
) -> list[Any]:
    """Name a fit by its method, its data and the arguments that change its result."""
    arguments = parameters(estimator.get_params(deep=False))
    for name in ("verbose", "checkpoint", "checkpoint_seconds"):
        del arguments[name]
    # A RandomState instance is known by what it gives; without a seed, any checkpoint's will do.
    arguments["random_state"] = None if estimator.random_state is None else seed
    device = resolve_device(estimator.device)
    arguments |= {"device": device.type, "precision": str(resolve_precision(estimator.precision, device))}
    data = [x.shape, estimator.image_shape_, hashlib.sha256(x.tobytes()).hexdigest()]
    facts = [type(estimator).__name__, arguments, *data]
    if y is not None:
        facts.append(hashlib.sha256(y.tobytes()).hexdigest())
    for value in estimator.get_params(deep=False).values():
        if isinstance(value, nn.Module):
            total = hashlib.sha256()
            for tensor in value.state_dict().values():
                total.update(raw_bytes(tensor.detach().cpu()))
            facts.append(total.hexdigest())
    return json.loads(json.dumps(facts))  # as it will be read: there are no tuples in JSON


def save(estimator: "DeepClusterer", path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator; see `DeepClusterer.save`."""
    if isinstance(estimator._fitted_with, str):
        raise TypeError(estimator._fitted_with)
    tensors = {f"network/{name}": value for name, value in estimator.network_.state_dict().items()}
    for name in (*_ARRAYS, *estimator._arrays):
        tensors[name] = torch.tensor(getattr(estimator, name), device="cpu")
    shots, shot_facts = to_tensors(estimator.snapshots_)
    facts = {
        "method": type(estimator).__name__,
        "version": version("dctutor"),
        "parameters": estimator._fitted_with,
        "n_features_in_": estimator.n_features_in_,
        "feature_names_in_": list(getattr(estimator, "feature_names_in_", ())),
        "image_shape_": estimator.image_shape_,
        "scale_": estimator.scale_,
        "n_iter_": estimator.n_iter_,
        "seconds_": estimator.seconds_,
        "history_": estimator.history_,
        "snapshots": shot_facts,
    }
    _, rebuilt = _untrained(type(estimator), facts)
    if [*map(type, rebuilt.modules())] != [*map(type, estimator.network_.modules())]:
        raise TypeError(
            f"network_: expected layers that {type(estimator).__name__} can make again when the file is loaded, got"
            f" {type(estimator.network_).__name__}, a class of its own or with such layers; save its state_dict instead"
        )
    write_file(path, tensors | shots, facts)


def _untrained(method: Any, facts: Mapping[str, Any]) -> tuple[Any, nn.Module]:
    """Make the estimator, not yet fitted, and its network with first weights."""
    # JSON has no tuples; the arguments that are sequences are tuples.
    estimator = method(**{k: tuple(v) if isinstance(v, list) else v for k, v in facts["parameters"].items()})
    estimator._fitted_with = facts["parameters"]
    shape = facts["image_shape_"]
    estimator.image_shape_ = None if shape is None else tuple(shape)
    with initial_weights(0):  # to be replaced
        return estimator, estimator._build_network(facts["n_features_in_"])


def load(cls: type[Estimator], path: str | os.PathLike[str]) -> Estimator:
    """Read a fitted estimator; see `DeepClusterer.load`."""
    from dctutor import methods

    tensors, facts = read_file(path)
    if isinstance(facts, dict) and "fingerprint" in facts:
        raise FileFormatError(
            f"path: expected a saved {cls.__name__}, got the checkpoint of a fit, {os.fspath(path)!r}"
        )
    name = facts.get("method") if isinstance(facts, dict) else None
    found: Any = getattr(methods, name) if name in methods.__all__ else None
    if name == cls.__name__ and not inspect.isabstract(cls):
        found = cls  # it may be a class of the reader's own
    if found is None or not issubclass(found, cls):
        advice = "" if name is None or name in methods.__all__ else f"; load it with that class: {name}.load(path)"
        raise FileFormatError(f"path: expected a saved {cls.__name__}, got one of {name!r}{advice}")
    try:
        estimator, network = _untrained(found, facts)
        network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network/")})
        for name in (*_ARRAYS, *found._arrays):
            setattr(estimator, name, tensors[name].numpy())
        estimator.snapshots_ = from_tensors(tensors, facts["snapshots"])
        for name in ("n_features_in_", "scale_", "n_iter_", "seconds_", "history_"):
            setattr(estimator, name, facts[name])
        estimator.network_ = network.eval()
        estimator.predict(np.zeros((1, estimator.n_features_in_)))  # do the parts fit together?
        if facts["feature_names_in_"]:
            estimator.feature_names_in_ = np.array(facts["feature_names_in_"], dtype=object)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FileFormatError(f"path: {os.fspath(path)!r} does not hold a whole {cls.__name__}: {error}") from error
    try:
        device = resolve_device(estimator.device)
    except ValueError:
        device = resolve_device("auto")
        warnings.warn(f"device: this machine has no {estimator.device!r}; loaded on {device}", stacklevel=3)
    network.to(device)
    return estimator
