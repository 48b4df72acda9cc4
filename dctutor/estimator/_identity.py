"""The arguments of an estimator as JSON can hold them, and what tells one fit from another."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dctutor.devices import resolve_device, resolve_precision
from dctutor.estimator.parameters import declared
from dctutor.storage import raw_bytes

__all__ = ["LOCAL", "fingerprint", "given", "parameters", "plain"]

# What says how to watch and keep a fit, and not what comes of it.
_OF_THE_FIT = ("verbose", "checkpoint", "checkpoint_seconds", "on_epoch")
# What only the machine of the fit knows: no file holds it, and none is believed to.
LOCAL = ("checkpoint", "on_epoch")


def given(estimator: Any) -> dict[str, Any]:
    """The arguments of an estimator, including those that a constructor of one's own hands on unnamed."""
    handed_on = {name: getattr(estimator, name) for name in declared(type(estimator))}
    return handed_on | estimator.get_params(deep=False)


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

    None stands for a network, a source of randomness, and for what only the machine of the fit knows.
    """
    left_out = nn.Module | np.random.RandomState
    return {
        name: None if name in LOCAL or isinstance(value, left_out) else plain(name, value)
        for name, value in arguments.items()
    }


def fingerprint(estimator: Any, x: NDArray[np.float32], seed: int, y: NDArray[np.int64] | None = None) -> list[Any]:
    """Name a fit by its method, its data and the arguments that change its result."""
    arguments_given = given(estimator)
    arguments = {name: value for name, value in parameters(arguments_given).items() if name not in _OF_THE_FIT}
    # A RandomState instance is known by what it gives; without a seed, any checkpoint's will do.
    arguments["random_state"] = None if estimator.random_state is None else seed
    device = resolve_device(estimator.device)
    arguments |= {"device": device.type, "precision": str(resolve_precision(estimator.precision, device))}
    data = [x.shape, estimator.image_shape_, hashlib.sha256(np.ascontiguousarray(x).data).hexdigest()]
    facts = [type(estimator).__name__, arguments, *data]
    if y is not None:
        facts.append(hashlib.sha256(y.tobytes()).hexdigest())
    for value in arguments_given.values():
        if isinstance(value, nn.Module):
            total = hashlib.sha256()
            for tensor in value.state_dict().values():
                total.update(raw_bytes(tensor.detach().cpu()))
            facts.append(total.hexdigest())
    return json.loads(json.dumps(facts))  # as it will be read: there are no tuples in JSON
