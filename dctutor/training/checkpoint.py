"""The state of a training loop as one file, so that a fit killed at any moment can go on."""

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dctutor.storage import FileFormatError, check_writable, read_file, write_file

__all__ = ["Checkpoint", "pack", "unpack"]

_VERSION = version("dctutor")
Registered = Mapping[str, nn.Module | Tensor]


class Checkpoint:
    """A file that holds the newest state of one fit.

    Parameters
    ----------
    path : path-like
        The file. If it exists, its content is in `tensors` and `facts`. That it can be written is tried at once.
    fingerprint : str or list
        Names the fit: its method, parameters and data. JSON must hold it and give it back equal.
    seconds : float
        The least time between two writes, unless one is forced.

    Attributes
    ----------
    tensors : dict of str to Tensor
        What the file held when it was opened; empty if there was none.
    facts : dict
        The rest of its content; empty if there was none.

    Raises
    ------
    ValueError
        If the file belongs to a fit with another fingerprint, or was written by another version of the package.
    FileFormatError
        If the file is cut short, was altered, or is of another kind.
    OSError
        If the file cannot be read, or there is none yet and it cannot be written.

    Warns
    -----
    UserWarning
        If there is a file to go on from, but it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], fingerprint: str | list[Any], seconds: float) -> None:
        self.path, self.fingerprint, self.seconds = path, fingerprint, seconds
        self.tensors: dict[str, Tensor] = {}
        self.facts: dict[str, Any] = {}
        self._written = time.monotonic()
        self._warned = False
        with suppress(FileNotFoundError):  # there need not be one yet
            self.tensors, self.facts = read_file(path, argument="checkpoint")
            self._check(os.fspath(path))
        try:
            check_writable(path, argument="checkpoint")  # now: the first write may be hours away
        except OSError as error:
            if not self.facts:
                raise
            self._warn(error)

    def _check(self, path: str) -> None:
        """Raise unless what was read is the checkpoint of this fit."""
        if "fingerprint" not in self.facts:
            raise FileFormatError(f"checkpoint: expected a checkpoint, got another file, {path!r}")
        written_by = self.facts.get("version")
        if written_by != _VERSION:
            raise ValueError(
                f"checkpoint: {path!r} was written by version {written_by or 'unknown'} of dctutor, this is"
                f" {_VERSION}, which may train otherwise; name another file, or delete this one"
            )
        if self.facts["fingerprint"] != self.fingerprint:
            raise ValueError(
                f"checkpoint: {path!r} was written by a fit with other parameters, with another seed (a"
                " RandomState gives each fit its own), on other data or on another kind of processor; name another"
                " file, or delete this one"
            )

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last write."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Replace the file's content. If that fails, such as on a full disk, warn once and let training go on."""
        facts = {**facts, "fingerprint": self.fingerprint, "version": _VERSION}
        try:
            write_file(self.path, tensors, facts, argument="checkpoint")
        except OSError as error:
            self._warn(error)
        self._written = time.monotonic()

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            warnings.warn(f"{error}; training goes on without keeping its newest state", stacklevel=3)
        self._warned = True


def pack(
    modules: Registered, optimizers: Sequence[Optimizer], state: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[list[dict]]]:
    """Flatten networks, optimisers and whole-data tensors to named tensors, and optimiser settings to JSON."""
    tensors = {f"state/{name}": value for name, value in state.items()}
    for name, module in modules.items():
        entries = {"": module} if isinstance(module, Tensor) else module.state_dict()
        tensors |= {f"module/{name}/{key}": value for key, value in entries.items()}
    groups = []
    for i, optimizer in enumerate(optimizers):
        held = optimizer.state_dict()
        groups.append(held["param_groups"])
        for parameter, values in held["state"].items():
            tensors |= {
                f"optimizer/{i}/{parameter}/{key}": value for key, value in values.items() if isinstance(value, Tensor)
            }
    return tensors, groups


def unpack(
    tensors: Mapping[str, Tensor],
    groups: Sequence[list[dict]],
    modules: Registered,
    optimizers: Sequence[Optimizer] = (),
) -> dict[str, Tensor]:
    """Put back, in place, what `pack` flattened; return the whole-data tensors.

    A module or an optimiser of which nothing was packed stays as it is.
    """

    def below(prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    for name, module in modules.items():
        entries = below(f"module/{name}/")
        if isinstance(module, Tensor):
            if entries:
                with torch.no_grad():
                    module.copy_(entries[""])
        elif entries:
            module.load_state_dict(entries)
    for i, (optimizer, settings) in enumerate(zip(optimizers, groups, strict=False)):
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        held: dict[int, dict[str, Tensor]] = {}
        for key, value in below(f"optimizer/{i}/").items():
            parameter, _, field = key.partition("/")
            like = parameters[int(parameter)]
            if value.shape == like.shape:  # files hold no memory format, and a fused optimiser goes by it unchecked
                value = torch.empty_like(like, dtype=value.dtype).copy_(value)
            held.setdefault(int(parameter), {})[field] = value
        optimizer.load_state_dict({"state": held, "param_groups": settings})
    return below("state/")
