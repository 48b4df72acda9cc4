"""What the steps of a fit work on and with: data on the device, precision, randomness, and what is recorded."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from dctutor.devices import initial_weights, resolve_device, resolve_precision
from dctutor.snapshots import Snapshot

__all__ = ["Workspace"]

Module = TypeVar("Module", bound=nn.Module)


class Workspace:
    """What a fit carries from its first step to its last.

    Parameters
    ----------
    x : array of shape (n, ...)
        The data, float32. It moves to the device once, as one tensor.
    y : array of shape (n,), optional
        Labels that training may use, -1 where there is none.
    seed : int
        Every random draw of the fit flows from it.
    device, precision : str
        See `dctutor.devices`.
    snapshot_every : int, optional
        Record the embedding every so many epochs.
    snapshot_index : ndarray of shape (m,), optional
        Which samples to record; all unless told.

    Attributes
    ----------
    x : Tensor of shape (n, ...)
        The data, on the device.
    y : Tensor of shape (n,) or None
        The labels, likewise.
    generator, device_generator : torch.Generator
        Sources of randomness on the CPU and on the device (the same one where that is the CPU).
    state : dict of str to Tensor
        Whole-data tensors that a method keeps between steps, such as its target distribution.
    history : dict of str to dict of str to list
        A table a phase, with ``"epoch"`` and the mean of each loss; a table for each `note`.
    snapshots : list of Snapshot
        What was recorded.
    """

    def __init__(
        self,
        x: NDArray[np.float32],
        *,
        y: NDArray[np.int64] | None = None,
        seed: int,
        device: str = "auto",
        precision: str = "auto",
        snapshot_every: int | None = None,
        snapshot_index: NDArray[np.intp] | None = None,
    ) -> None:
        self.device = resolve_device(device)
        self.dtype = resolve_precision(precision, self.device)
        self.x = torch.as_tensor(x).to(self.device)
        self.y = None if y is None else torch.from_numpy(y).to(self.device)
        self.seed = seed
        self.generator = torch.Generator().manual_seed(seed)
        self.device_generator = self.generator
        if self.device.type != "cpu":
            self.device_generator = torch.Generator(self.device).manual_seed(seed)
        self.state: dict[str, Tensor] = {}
        self.history: dict[str, dict[str, list[float]]] = {}
        self.snapshots: list[Snapshot] = []
        self._snapshot_every = snapshot_every
        self._snapshot_index = np.arange(len(x)) if snapshot_index is None else snapshot_index
        self._embed: Callable[[Tensor], Tensor] | None = None
        self._centers: Tensor | None = None
        self._phase = "start"

    def build(self, make: Callable[[], Module]) -> Module:
        """Make a network with weights drawn from the seed, on the device; the global random state stays."""
        with initial_weights(self.seed):
            return make().to(self.device)

    def adam(
        self, parameters: Iterable[Tensor], learning_rate: float, *, weight_decay: float = 0.0, **settings: Any
    ) -> Optimizer:
        """Adam in one fused pass over the parameters (Kingma & Ba 2015); AdamW where weights decay."""
        # Python's numbers: a NumPy float would be one that no checkpoint can hold.
        learning_rate, weight_decay = float(learning_rate), float(weight_decay)
        return torch.optim.AdamW(list(parameters), lr=learning_rate, weight_decay=weight_decay, fused=True, **settings)

    def autocast(self) -> AbstractContextManager:
        """Reduced precision where the fit uses it."""
        # Without the cache, which would hand a step that goes on after `minimize` the weights from before it.
        reduced = self.dtype == torch.bfloat16
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=reduced, cache_enabled=False)

    def minimize(self, loss: Tensor, optimizer: Optimizer) -> None:
        """Take one gradient step on ``loss``."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def map(
        self, function: Callable[[Tensor], Tensor], data: Tensor | None = None, *, batch_size: int = 4096
    ) -> Tensor:
        """Apply ``function`` to every sample (of ``data``, else of `x`), in order, without gradients.

        This is the one way to see the whole data set: where several processes share the data, it is
        here that their parts are gathered. What comes out in reduced precision is returned in float32.
        """
        with self.autocast():
            parts = [function(part) for part in (self.x if data is None else data).split(batch_size)]
        found = torch.cat(parts)
        return found.float() if found.dtype in (torch.bfloat16, torch.float16) else found

    def note(self, table: str, **values: float) -> None:
        """Append a row to a table of the history."""
        rows = self.history.setdefault(table, {})
        for name, value in values.items():
            rows.setdefault(name, []).append(float(value))

    def watch(self, embed: Callable[[Tensor], Tensor] | None, centers: Tensor | None = None) -> None:
        """Say what snapshots record from now on: the embedding and, once there are any, the centres."""
        self._embed, self._centers = embed, centers

    def steps_per_epoch(self, batch_size: int) -> int:
        """Batches of one pass over the data; the last may be smaller."""
        return -(-len(self.x) // min(batch_size, len(self.x)))

    def snap(self, phase: str, epoch: int) -> None:
        """Record the embedding, where snapshots are wanted and there is one."""
        if not self._snapshot_every or self._embed is None:
            return
        if self.snapshots and (self.snapshots[-1].phase, self.snapshots[-1].epoch) == (phase, epoch):
            return  # a phase that stops before the first step of an epoch ends where the last one did
        z = self.map(self._embed, self.x[torch.as_tensor(self._snapshot_index).to(self.device)])
        centers = None if self._centers is None else self._centers.detach().cpu().numpy().copy()
        self.snapshots.append(Snapshot(phase, epoch, z.float().cpu().numpy(), centers))

    def check_finite(self, **values: Tensor) -> None:
        """Raise FloatingPointError, naming the newest phase, if a tensor holds NaN or infinity.

        Losses are looked at before the step that they cause; this looks at what the last step left.
        """
        for name, value in values.items():
            if not torch.isfinite(value).all():
                raise FloatingPointError(f"{self._phase}: {name} is no longer finite; a smaller learning rate may help")

    @staticmethod
    def _check_finite(phase: str, epoch: int, means: Mapping[str, float]) -> None:
        for name, mean in means.items():
            if not np.isfinite(mean):
                raise FloatingPointError(
                    f"{phase}: {name} became {mean} in epoch {epoch}; a smaller learning rate may help"
                )
