"""The one training loop: batches, progress, learning rates, checkpoints.

A method hands the loop a *step*: a function of a batch of sample numbers that does whatever one
step of that method is and returns the losses to record. The loop knows nothing else of the method,
so one player or two, gradients or none, mini-batches or the whole data are all the same to it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from dctutor.schedules import Schedule
from dctutor.snapshots import from_tensors, to_tensors
from dctutor.training.checkpoint import Checkpoint, pack, unpack
from dctutor.training.workspace import Workspace

__all__ = ["Loop"]

Step = Callable[[Tensor], Mapping[str, Tensor]]


class Loop(Workspace):
    """The phases of a fit, one after the other, on a `Workspace`.

    Parameters
    ----------
    x, y, seed, device, precision, snapshot_every, snapshot_index
        See `Workspace`.
    verbose : bool
        Whether a progress bar shows each phase that lasts longer than a second.
    checkpoint : Checkpoint, optional
        Where the state is kept at the ends of epochs. If it holds some, the fit goes on from there.

    Attributes
    ----------
    x, y, generator, device_generator, state, history, snapshots
        See `Workspace`.
    steps : int
        Steps taken in the current phase.
    progress : float
        The share of the current phase that is done, in [0, 1], for schedules.
    """

    def __init__(
        self,
        x: NDArray[np.float32],
        *,
        verbose: bool = False,
        checkpoint: Checkpoint | None = None,
        **workspace: Any,
    ) -> None:
        super().__init__(x, **workspace)
        self.verbose = verbose
        self.steps, self.progress = 0, 0.0
        self._modules: dict[str, nn.Module | Tensor] = {}
        self._done: list[str] = []
        self._counted: list[str] = []
        self._checkpoint = checkpoint
        self._saved: dict[str, Any] = checkpoint.facts if checkpoint else {}
        self._begun, self._seconds_before = time.perf_counter(), 0.0
        if self._saved:
            self.history, self._seconds_before = self._saved["history"], self._saved["seconds"]

    @property
    def seconds(self) -> float:
        """Wall-clock time of the fit so far, over all the stretches that checkpoints joined."""
        return self._seconds_before + time.perf_counter() - self._begun

    def register(self, **modules: nn.Module | Tensor) -> None:
        """Name the networks and parameters that checkpoints keep, and restore them from one that exists."""
        self._modules.update(modules)
        if self._checkpoint and self._saved:
            unpack(self._checkpoint.tensors, [], modules)

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
        goes_on: bool = False,
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
        goes_on : bool, default False
            Whether the phase goes on with the one before, so that `epochs` counts those of both.

        Returns
        -------
        int
            Epochs done; one that ``refresh`` cut short counts.

        Raises
        ------
        FloatingPointError
            If a loss is no longer finite.
        """
        self._counted = [*self._counted, phase] if goes_on else [phase]
        if phase in self._saved.get("done", ()):
            self._done.append(phase)
            return self._epochs(phase)
        self._phase = phase
        n = len(self.x)
        batch_size = min(int(batch_size), n)  # torch takes no NumPy integer
        per_epoch = self.steps_per_epoch(batch_size)
        total = epochs * per_epoch
        refresh_every = refresh_every or per_epoch
        epoch, self.steps, stopped = 0, 0, False
        if self._saved.get("phase") == phase:
            epoch, stopped = self._restore(optimizers)
        else:
            if start is not None:
                start()
            self.snap(phase, 0)
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
                    self.snap(phase, epoch)
                self._save(phase, epoch, optimizers, stopped, force=last)
        self._done.append(phase)
        return self._epochs(phase)

    @property
    def epochs(self) -> int:
        """Epochs done in the newest phase, and in those that it goes on with."""
        return sum(map(self._epochs, self._counted))

    def _epochs(self, phase: str) -> int:
        return len(self.history.get(phase, {}).get("epoch", ()))

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
