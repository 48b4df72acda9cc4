"""The one training loop: batches, randomness, progress, history, snapshots, checkpoints.

A method hands the loop a *step*: a function of a batch of sample numbers that does whatever one
step of that method is and returns the losses to record. The loop knows nothing else of the method,
so one player or two, gradients or none, mini-batches or the whole data are all the same to it.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from dctutor.checkpoint import Checkpoint, pack, unpack
from dctutor.devices import resolve_device, resolve_precision
from dctutor.schedules import Schedule
from dctutor.snapshots import Snapshot, from_tensors, to_tensors

__all__ = ["Loop"]

Step = Callable[[Tensor], Mapping[str, Tensor]]
Module = TypeVar("Module", bound=nn.Module)


class Loop:
    """What a fit carries from its first step to its last.

    Parameters
    ----------
    x : array of shape (n, ...)
        The data, float32. It moves to the device once, as one tensor.
    seed : int
        Every random draw of the fit flows from it.
    device, precision : str
        See `dctutor.devices`.
    verbose : bool
        Whether a progress bar shows each phase that lasts longer than a second.
    checkpoint : Checkpoint, optional
        Where the state is kept at the ends of epochs. If it holds some, the fit goes on from there.
    snapshot_every : int, optional
        Record the embedding every so many epochs.
    snapshot_index : ndarray of shape (m,), optional
        Which samples to record; all unless told.

    Attributes
    ----------
    x : Tensor of shape (n, ...)
        The data, on the device.
    generator, device_generator : torch.Generator
        Sources of randomness on the CPU and on the device (the same one where that is the CPU).
    state : dict of str to Tensor
        Whole-data tensors that a method keeps between steps, such as its target distribution.
    steps : int
        Steps taken in the current phase.
    progress : float
        The share of the current phase that is done, in [0, 1], for schedules.
    history : dict of str to dict of str to list
        A table a phase, with ``"epoch"`` and the mean of each loss; a table for each `note`.
    snapshots : list of Snapshot
        What was recorded.
    """

    def __init__(
        self,
        x: NDArray[np.float32],
        *,
        seed: int,
        device: str = "auto",
        precision: str = "auto",
        verbose: bool = False,
        checkpoint: Checkpoint | None = None,
        snapshot_every: int | None = None,
        snapshot_index: NDArray[np.intp] | None = None,
    ) -> None:
        self.device = resolve_device(device)
        self.dtype = resolve_precision(precision, self.device)
        self.x = torch.as_tensor(x).to(self.device)
        self.seed, self.verbose = seed, verbose
        self.generator = torch.Generator().manual_seed(seed)
        self.device_generator = self.generator
        if self.device.type != "cpu":
            self.device_generator = torch.Generator(self.device).manual_seed(seed)
        self.state: dict[str, Tensor] = {}
        self.steps, self.progress = 0, 0.0
        self.history: dict[str, dict[str, list[float]]] = {}
        self.snapshots: list[Snapshot] = []
        self._snapshot_every = snapshot_every
        self._snapshot_index = np.arange(len(x)) if snapshot_index is None else snapshot_index
        self._embed: Callable[[Tensor], Tensor] | None = None
        self._centers: Tensor | None = None
        self._modules: dict[str, nn.Module | Tensor] = {}
        self._done: list[str] = []
        self._phase = "start"
        self._checkpoint = checkpoint
        self._saved: dict[str, Any] = checkpoint.facts if checkpoint else {}
        self._begun, self._seconds_before = time.perf_counter(), 0.0
        if self._saved:
            self.history, self._seconds_before = self._saved["history"], self._saved["seconds"]

    @property
    def seconds(self) -> float:
        """Wall-clock time of the fit so far, over all the stretches that checkpoints joined."""
        return self._seconds_before + time.perf_counter() - self._begun

    def build(self, make: Callable[[], Module]) -> Module:
        """Make a network with weights drawn from the seed, on the device; the global random state stays."""
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which would also reseed the caller's CUDA generators.
            torch.default_generator.manual_seed(self.seed)
            return make().to(self.device)

    def register(self, **modules: nn.Module | Tensor) -> None:
        """Name the networks and parameters that checkpoints keep, and restore them from one that exists."""
        self._modules.update(modules)
        if self._checkpoint and self._saved:
            unpack(self._checkpoint.tensors, [], modules)

    def adam(self, parameters: Iterable[Tensor], learning_rate: float, **settings: Any) -> Optimizer:
        """Adam in one fused pass over the parameters (Kingma & Ba 2015)."""
        return torch.optim.Adam(list(parameters), lr=learning_rate, fused=True, **settings)

    def autocast(self) -> AbstractContextManager:
        """Reduced precision where the fit uses it."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16)

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
        here that their parts are gathered.
        """
        with self.autocast():
            return torch.cat([function(part) for part in (self.x if data is None else data).split(batch_size)])

    def note(self, table: str, **values: float) -> None:
        """Append a row to a table of the history."""
        rows = self.history.setdefault(table, {})
        for name, value in values.items():
            rows.setdefault(name, []).append(float(value))

    def watch(self, embed: Callable[[Tensor], Tensor] | None, centers: Tensor | None = None) -> None:
        """Say what snapshots record from now on: the embedding and, once there are any, the centres."""
        self._embed, self._centers = embed, centers

    def run(
        self,
        phase: str,
        step: Step,
        *,
        optimizers: Sequence[Optimizer] = (),
        epochs: int,
        batch_size: int,
        learning_rate_schedule: Schedule | None = None,
        start: Callable[[], None] | None = None,
        refresh: Callable[[], bool] | None = None,
        refresh_every: int | None = None,
    ) -> int:
        """Run one phase of training, or what a checkpoint left of it.

        Parameters
        ----------
        phase : str
            Its name, unique within the fit.
        step : callable
            Takes the sample numbers of a batch, does one step, returns the losses to record.
        optimizers : sequence of Optimizer
            Those whose state checkpoints keep and whose learning rates the schedule drives.
        epochs : int
            Passes over the data, each in a new random order; the last batch of a pass may be smaller.
        batch_size : int
            Samples a step; where it exceeds their number, all of them.
        learning_rate_schedule : Schedule, optional
            Factor on every learning rate by progress through the phase.
        start : callable, optional
            Called before the first step, but not when the phase is resumed.
        refresh : callable, optional
            Called before the first step and every ``refresh_every`` steps; the phase ends when it
            returns True.
        refresh_every : int, optional
            Steps between two calls of ``refresh``; None is one pass over the data.

        Returns
        -------
        int
            Epochs done; one that ``refresh`` cut short counts.

        Raises
        ------
        FloatingPointError
            If a loss is no longer finite.
        """
        if phase in self._saved.get("done", ()):
            self._done.append(phase)
            return self._epochs(phase)
        self._phase = phase
        n = len(self.x)
        batch_size = min(int(batch_size), n)  # torch takes no NumPy integer
        per_epoch = -(-n // batch_size)
        total = epochs * per_epoch
        refresh_every = refresh_every or per_epoch
        epoch, self.steps, stopped = 0, 0, False
        if self._saved.get("phase") == phase:
            epoch, stopped = self._restore(optimizers)
        else:
            if start is not None:
                start()
            self._snap(phase, 0)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        for group in groups:
            group.setdefault("initial_lr", group["lr"])
        with tqdm(total=total, initial=self.steps, desc=phase, unit="step", disable=not self.verbose, delay=1) as bar:
            while epoch < epochs and not stopped:
                sums: dict[str, Tensor] = {}
                seen = 0
                for index in torch.randperm(n, generator=self.generator).to(self.device).split(batch_size):
                    if refresh is not None and self.steps % refresh_every == 0 and refresh():
                        stopped = True
                        break
                    self.progress = self.steps / max(total - 1, 1)
                    if learning_rate_schedule is not None:
                        for group in groups:
                            group["lr"] = group["initial_lr"] * learning_rate_schedule(self.progress)
                    with self.autocast():
                        losses = step(index)
                    self.steps += 1
                    seen += len(index)
                    # Sums stay on the device: reading a loss here would make every step wait for it.
                    for name, loss in losses.items():
                        sums[name] = sums.get(name, 0) + loss.detach() * len(index)
                    bar.update()
                if seen:
                    epoch += 1
                    means = {name: total.item() / seen for name, total in sums.items()}
                    self._check_finite(phase, epoch, means)
                    self.note(phase, epoch=epoch, **means)
                    bar.set_postfix({name: f"{mean:.4g}" for name, mean in means.items()}, refresh=False)
                last = stopped or epoch == epochs
                if self._snapshot_every and (epoch % self._snapshot_every == 0 or last):
                    self._snap(phase, epoch)
                self._save(phase, epoch, optimizers, stopped, force=stopped or epoch == epochs)
        self._done.append(phase)
        return self._epochs(phase)

    @property
    def epochs(self) -> int:
        """Epochs done in the newest phase."""
        return self._epochs(self._done[-1]) if self._done else 0

    def _epochs(self, phase: str) -> int:
        return len(self.history.get(phase, {}).get("epoch", ()))

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

    @torch.no_grad()
    def _snap(self, phase: str, epoch: int) -> None:
        if not self._snapshot_every or self._embed is None:
            return
        if self.snapshots and (self.snapshots[-1].phase, self.snapshots[-1].epoch) == (phase, epoch):
            return  # a phase that stops before the first step of an epoch ends where the last one did
        z = self.map(self._embed, self.x[torch.as_tensor(self._snapshot_index).to(self.device)])
        centers = None if self._centers is None else self._centers.detach().cpu().numpy().copy()
        self.snapshots.append(Snapshot(phase, epoch, z.float().cpu().numpy(), centers))

    def _save(self, phase: str, epoch: int, optimizers: Sequence[Optimizer], stopped: bool, *, force: bool) -> None:
        if self._checkpoint is None or not (force or self._checkpoint.due):
            return
        tensors, groups = pack(self._modules, optimizers, self.state)
        tensors["random/cpu"] = self.generator.get_state()
        tensors["random/device"] = self.device_generator.get_state()
        shots, shot_facts = to_tensors(self.snapshots)
        facts = {"phase": phase, "epoch": epoch, "steps": self.steps, "stopped": stopped, "done": self._done}
        facts["seconds"] = self.seconds
        self._checkpoint.write(
            tensors | shots, {**facts, "optimizers": groups, "history": self.history, "snapshots": shot_facts}
        )

    def _restore(self, optimizers: Sequence[Optimizer]) -> tuple[int, bool]:
        assert self._checkpoint is not None
        facts, tensors = self._saved, self._checkpoint.tensors
        self._saved = {}
        self.state = {
            name: value.to(self.device)
            for name, value in unpack(tensors, facts["optimizers"], self._modules, optimizers).items()
        }
        self.generator.set_state(tensors["random/cpu"])
        self.device_generator.set_state(tensors["random/device"])
        self.history, self.steps = facts["history"], facts["steps"]
        self.snapshots = from_tensors(tensors, facts["snapshots"])
        return facts["epoch"], facts["stopped"]
