"""The one training loop: data on the device, batches, randomness, learning rates, snapshots, checkpoints.

A method hands the loop a *step*: a function of the indices of a batch that does whatever one step of that method is and
returns the losses to record. The loop knows nothing else of the method, so that one player or two, gradients or none,
mini-batches or the whole data are all the same to it.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from dctutor._random import borrowed_generators, derived_seed, initial_weights
from dctutor.devices import evaluation_rows, resolve_device, resolve_precision
from dctutor.schedules import Schedule
from dctutor.snapshots import Snapshot, from_tensors, to_tensors
from dctutor.training.checkpoint import Checkpoint, pack, unpack
from dctutor.training.processes import Processes

__all__ = ["Loop", "Step"]

Step = Callable[[Tensor], Mapping[str, Tensor]]
Module = TypeVar("Module", bound=nn.Module)
Found = TypeVar("Found", Tensor, dict[str, Tensor])

# Layers that draw from PyTorch's global generators, and from no other.
_DRAWING = (nn.modules.dropout._DropoutNd, nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


class Loop:
    """The phases of a fit, one after the other, and what a fit carries from its first step to its last.

    Networks that `build` made or that were `register`-ed are in training mode within a step. Everything else sees them
    in evaluation mode: `map`, `once`, snapshots, and the functions ``start``, ``refresh`` and ``end`` of `run`.

    Parameters
    ----------
    x : array of shape (n, ...)
        The data, float32. It moves to the device once, as one tensor.
    y : array of shape (n,), optional
        Labels that training may use, -1 for samples without one.
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
        Indices of the samples to record; by default all.
    on_epoch : callable, optional
        Called with the loop at the end of every epoch, for logging; the phase ends if it returns True.

    Attributes
    ----------
    x : Tensor of shape (n, ...)
        The data, on the device.
    y : Tensor of shape (n,) or None
        The labels, likewise.
    generator : torch.Generator
        On the CPU and the same in all processes: the order of samples, and starts.
    noise_generator : torch.Generator
        On the device and each process' own: noise, augmentation, latent draws.
    processes : Processes
        Those that train this model; usually one.
    state : dict of str to Tensor
        Whole-data tensors that a method keeps between steps, such as its target distribution. Empty outside of `run`
        until a resumed fit has reached the phase that its checkpoint was written in: decisions between two phases
        belong in `once`.
    history : dict of str to dict of str to list
        One table per phase, with ``"epoch"`` and the mean of each loss; one table per name given to `note`.
    snapshots : list of Snapshot
        What was recorded.
    phase : str
        Name of the newest phase.
    steps, epoch : int
        Steps taken, and epochs completed, in the newest phase.
    progress : float
        The fraction of the newest phase that is done, in [0, 1], for schedules.
    """

    def __init__(
        self,
        x: NDArray[np.float32],
        *,
        y: NDArray[np.int64] | None = None,
        seed: int,
        device: str = "auto",
        precision: str = "auto",
        verbose: bool = False,
        checkpoint: Checkpoint | None = None,
        snapshot_every: int | None = None,
        snapshot_index: NDArray[np.intp] | None = None,
        on_epoch: Callable[["Loop"], Any] | None = None,
    ) -> None:
        self.processes = Processes.current()
        self.device = resolve_device(device)
        self.dtype = resolve_precision(precision, self.device)
        self.x = torch.as_tensor(x).to(self.device)
        self.y = None if y is None else torch.from_numpy(y).to(self.device)
        self.seed = seed
        self.generator = torch.Generator().manual_seed(seed)
        noise_seed = derived_seed(seed, 1, self.processes.rank)
        self.noise_generator = torch.Generator(self.device).manual_seed(noise_seed)
        self.verbose, self.on_epoch = verbose, on_epoch
        self.state: dict[str, Tensor] = {}
        self.history: dict[str, dict[str, list[float]]] = {}
        self.snapshots: list[Snapshot] = []
        self.phase, self.steps, self.epoch, self.progress = "start", 0, 0, 0.0
        self._snapshot_every = snapshot_every
        self._snapshot_index = np.arange(len(x)) if snapshot_index is None else snapshot_index
        self._embed: Callable[[Tensor], Tensor] | None = None
        self._centers: Tensor | None = None
        self._networks: list[nn.Module] = []
        self._built = 0
        self._registered: dict[str, nn.Module | Tensor] = {}
        self._optimizers: Sequence[Optimizer] = ()
        self._weight = 1.0  # this process' fraction of the batch
        self._done: list[str] = []
        self._once: dict[str, Any] = {}
        self._checkpoint = checkpoint
        self._saved: dict[str, Any] = checkpoint.facts if checkpoint else {}
        self._begun, self._seconds_before = time.perf_counter(), 0.0
        if checkpoint and self._saved:
            self.history, self._seconds_before = self._saved["history"], self._saved["seconds"]
            self._once = self._restored_once(checkpoint.tensors)

    # Networks, and what trains them

    def build(self, make: Callable[[], Module]) -> Module:
        """Make a network on the device. Each one that a fit builds draws initial weights of its own from the seed.

        The global random state stays as it is.
        """
        # The first one draws from the seed itself, as a bare loop after torch.manual_seed does.
        seed = self.seed if self._built == 0 else derived_seed(self.seed, 2, self._built)
        self._built += 1
        with initial_weights(seed):
            network = make()
        self._networks.append(network.to(self.device))
        return network

    def adopt(self, network: Module) -> Module:
        """Move a network that was trained elsewhere to the device, to train it further."""
        self._networks.append(network.to(self.device, torch.float32).train().requires_grad_())
        return network

    def register(self, **modules: nn.Module | Tensor) -> None:
        """Name the networks and parameters that checkpoints keep; if there is a checkpoint, restore them from it."""
        self._registered.update(modules)
        self._networks += [module for module in modules.values() if isinstance(module, nn.Module)]
        if self._checkpoint and self._saved:
            unpack(self._checkpoint.tensors, [], modules)

    def watch(self, embed: Callable[[Tensor], Tensor] | None, centers: Tensor | None = None) -> None:
        """Say what snapshots record from now on: the embedding and, once there are any, the centres."""
        self._embed, self._centers = embed, centers

    def adam(
        self, parameters: Iterable[Tensor], learning_rate: float, *, weight_decay: float = 0.0, **settings: Any
    ) -> Optimizer:
        """Adam, fused (Kingma & Ba 2015); with decoupled weight decay, AdamW (Loshchilov & Hutter 2019)."""
        # Python's numbers: a NumPy float would be one that no checkpoint can hold.
        learning_rate, weight_decay = float(learning_rate), float(weight_decay)
        return torch.optim.AdamW(list(parameters), lr=learning_rate, weight_decay=weight_decay, fused=True, **settings)

    def minimize(self, loss: Tensor, optimizer: Optimizer, *, max_norm: float | None = None) -> None:
        """Take one gradient step on ``loss``, a mean over the batch. Only the optimiser's own parameters get gradients.

        Parameters
        ----------
        loss : Tensor of shape ()
            What to minimise.
        optimizer : Optimizer
            One of those that `run` was given.
        max_norm : float, optional
            Gradients whose joint norm is larger are scaled down to it.

        Raises
        ------
        ValueError
            If the optimiser was not given to `run`: no checkpoint would keep its state.
        """
        if not any(optimizer is known for known in self._optimizers):
            raise ValueError(
                f"optimizer: expected one of the {len(self._optimizers)} in run(optimizers=...), got another, whose"
                " state no checkpoint would keep"
            )
        optimizer.zero_grad(set_to_none=True)
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        loss.backward(inputs=parameters)
        if self.processes.size > 1:
            gradients = [p.grad for p in parameters if p.grad is not None]
            for gradient in gradients:
                gradient.mul_(self._weight)
            self.processes.sum(gradients)
        if max_norm is not None:
            nn.utils.clip_grad_norm_(parameters, max_norm)
        optimizer.step()

    def autocast(self) -> AbstractContextManager:
        """Reduced precision, if the fit uses it."""
        # Without the cache, which would hand a step that goes on after `minimize` the weights from before it.
        reduced = self.dtype == torch.bfloat16
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=reduced, cache_enabled=False)

    # Phases

    def run(
        self,
        phase: str,
        step: Step,
        *,
        optimizers: Sequence[Optimizer] = (),
        epochs: int,
        batch_size: int,
        learning_rate_schedule: Schedule | Sequence[Schedule | None] | None = None,
        samples: int | None = None,
        start: Callable[[], Any] | None = None,
        refresh: Callable[[], bool | None] | None = None,
        refresh_epochs: int = 1,
        refresh_steps: int | None = None,
        end: Callable[[], Any] | None = None,
    ) -> int:
        """Run one phase of training, or what a checkpoint left of it.

        Parameters
        ----------
        phase : str
            Its name, unique within the fit.
        step : callable
            Takes the indices of a batch, does one step, returns the losses to record, as means over the batch.
        optimizers : sequence of Optimizer
            Those that `minimize` may use, whose state checkpoints keep and whose learning rates the schedule drives.
        epochs : int
            How often all samples are seen, each time in a new random order.
        batch_size : int
            Samples per step; all of them if there are fewer. The last batch of an epoch may be smaller; if it would
            hold a single sample, which batch normalisation cannot take, that one joins the batch before.
        learning_rate_schedule : Schedule or sequence of Schedule or None, optional
            Factor on every learning rate by progress through the phase; or one per optimiser.
        samples : int, optional
            What indices are drawn from, 0 to ``samples`` - 1; by default the samples of ``x``.
        start : callable, optional
            Called before the first step, but not when the phase is resumed.
        refresh : callable, optional
            Called before the first step and then every ``refresh_epochs``; the phase ends if it returns True.
        refresh_epochs : int, default 1
            Epochs between two calls of ``refresh``.
        refresh_steps : int, optional
            Steps between two calls of ``refresh``, instead of epochs.
        end : callable, optional
            Called after the last step, before the last snapshot and checkpoint of the phase.

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
            self.phase, self.epoch = phase, self._epochs(phase)
            return self.epoch
        self.phase, self._optimizers = phase, tuple(optimizers)
        n = len(self.x) if samples is None else samples
        sizes = self._batch_sizes(n, batch_size)
        total = epochs * len(sizes)
        refresh_every = refresh_steps or refresh_epochs * len(sizes)
        self.epoch, self.steps, stopped = 0, 0, False
        if self._saved.get("phase") == phase:
            stopped = self._restore(optimizers)
        else:
            with self.evaluating():
                if start is not None:
                    start()
                self.snap(phase, 0)
        rates = self._rates(optimizers, learning_rate_schedule)  # now: what is restored are other groups
        for group, _ in rates:
            group.setdefault("initial_lr", group["lr"])
        borrows = any(isinstance(layer, _DRAWING) for network in self._networks for layer in network.modules())
        shown = self.verbose and self.processes.rank == 0 and sys.stderr is not None
        with tqdm(total=total, initial=self.steps, desc=phase, unit="step", disable=not shown, delay=1) as bar:
            while self.epoch < epochs and not stopped:
                sums: dict[str, Tensor] = {}
                seen = 0
                for batch in torch.randperm(n, generator=self.generator).to(self.device).split(sizes):
                    if refresh is not None and self.steps % refresh_every == 0:
                        with self.evaluating():
                            stopped = bool(refresh())
                        if stopped:
                            break
                    self.progress = self.steps / max(total - 1, 1)
                    for group, schedule in rates:
                        if schedule is not None:
                            group["lr"] = group["initial_lr"] * schedule(self.progress)
                    index = self.processes.share(batch)
                    self._weight = len(index) / len(batch)
                    with self.autocast(), self._borrowed() if borrows else nullcontext():
                        losses = step(index)
                    self.steps += 1
                    seen += len(batch)
                    # Sums stay on the device: reading a loss here would make every step wait for it.
                    for name, loss in losses.items():
                        sums[name] = sums.get(name, 0) + loss.detach() * len(index)
                    bar.update()
                if seen:
                    self.epoch += 1
                    totals = [*sums.values()]
                    self.processes.sum(totals)
                    means = {name: total.item() / seen for name, total in zip(sums, totals, strict=True)}
                    self._check_losses(phase, self.epoch, means)
                    self.note(phase, epoch=self.epoch, **means)
                    bar.set_postfix({name: f"{mean:.4g}" for name, mean in means.items()}, refresh=False)
                    if self.on_epoch is not None:
                        stopped |= self.processes.first(_is_true(self.on_epoch(self)))
                last = stopped or self.epoch == epochs
                with self.evaluating():
                    if last and end is not None:
                        end()
                    if self._snapshot_every and (self.epoch % self._snapshot_every == 0 or last):
                        self.snap(phase, self.epoch)
                self._save(phase, stopped, force=last)
        self._done.append(phase)
        return self._epochs(phase)

    def once(self, name: str, decide: Callable[[], Found]) -> Found:
        """Decide something between two phases that depends on the data, such as what the next phase trains towards.

        The checkpoint keeps the answer, and a fit that is resumed gets it from there. Deciding again would look at
        networks that have been trained further.

        Parameters
        ----------
        name : str
            Unique within the fit.
        decide : callable
            Gives a tensor, or a dict of tensors.

        Returns
        -------
        Tensor or dict of str to Tensor
            What it gave, on the device.
        """
        if name not in self._once:
            with self.evaluating(), torch.no_grad():
                self._once[name] = decide()
        return self._once[name]

    @property
    def seconds(self) -> float:
        """Wall-clock time of the fit so far, over all the stretches that checkpoints joined."""
        return self._seconds_before + time.perf_counter() - self._begun

    def steps_per_epoch(self, batch_size: int, samples: int | None = None) -> int:
        """Batches in one epoch."""
        return len(self._batch_sizes(len(self.x) if samples is None else samples, batch_size))

    # The whole data

    @torch.no_grad()
    def map(
        self, function: Callable[[Tensor], Tensor], data: Tensor | None = None, *, batch_size: int | None = None
    ) -> Tensor:
        """Apply ``function`` to every sample, in order, in evaluation mode and without gradients.

        This is the one way to see the whole data set: if several processes share the work, their parts are gathered
        here. Results in reduced precision are returned in float32.

        Parameters
        ----------
        function : callable
            From a block of rows to as many rows.
        data : Tensor of shape (m, ...), optional
            What to go through; by default ``x``.
        batch_size : int, optional
            Rows per block; by default as many as fit a fixed memory.

        Returns
        -------
        Tensor of shape (m, ...)
            The rows that came out.
        """
        data = self.x if data is None else data
        rows = batch_size or evaluation_rows(data[0].numel() if len(data) else 1)
        with self.evaluating(function), self.autocast():
            parts = [function(part) for part in self.processes.share(data).split(rows)]
        found = self.processes.gather(torch.cat(parts), len(data))
        return found.float() if found.dtype in (torch.bfloat16, torch.float16) else found

    @contextmanager
    def evaluating(self, *functions: Any) -> Iterator[None]:
        """Put the fit's networks into evaluation mode, and those that ``functions`` are or belong to; give it back."""
        owners = [function if isinstance(function, nn.Module) else _owner(function) for function in functions]
        tops = [*self._networks, *(owner for owner in owners if owner is not None)]
        training = {id(module): module for top in tops for module in top.modules() if module.training}
        try:
            for module in training.values():
                module.training = False
            yield
        finally:
            for module in training.values():
                module.training = True

    # Records

    def note(self, table: str, **values: float) -> None:
        """Append a row to a table of the history."""
        rows = self.history.setdefault(table, {})
        for name, value in values.items():
            rows.setdefault(name, []).append(float(value))

    def snap(self, phase: str, epoch: int) -> None:
        """Record the embedding, if snapshots are wanted and there is one."""
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
                raise FloatingPointError(f"{self.phase}: {name} is no longer finite; a smaller learning rate may help")

    # Helpers

    @staticmethod
    def _check_losses(phase: str, epoch: int, means: Mapping[str, float]) -> None:
        for name, mean in means.items():
            if not np.isfinite(mean):
                raise FloatingPointError(
                    f"{phase}: {name} became {mean} in epoch {epoch}; a smaller learning rate may help"
                )

    def _batch_sizes(self, n: int, batch_size: int) -> list[int]:
        size = min(int(batch_size), n)  # torch takes no NumPy integer
        sizes = [size] * (n // size) + ([n % size] if n % size else [])
        # Batch normalisation needs two samples, in each process.
        if len(sizes) > 1 and sizes[-1] < 2 * self.processes.size:
            sizes[-2:] = [sum(sizes[-2:])]
        if sizes[-1] < self.processes.size:
            raise ValueError(f"batch_size: expected at least one sample per process, {self.processes.size}, got {size}")
        return sizes

    @staticmethod
    def _rates(
        optimizers: Sequence[Optimizer], schedule: Schedule | Sequence[Schedule | None] | None
    ) -> list[tuple[dict[str, Any], Schedule | None]]:
        schedules = [schedule] * len(optimizers) if schedule is None or callable(schedule) else list(schedule)
        if len(schedules) != len(optimizers):
            raise ValueError(
                f"learning_rate_schedule: expected one per optimiser, {len(optimizers)}, got {len(schedules)}"
            )
        pairs = zip(optimizers, schedules, strict=True)
        return [(group, chosen) for optimizer, chosen in pairs for group in optimizer.param_groups]

    def _borrowed(self) -> AbstractContextManager:
        """Global generators that flow from the seed, for a step whose networks draw from them."""
        seed = torch.randint(2**62, (), generator=self.noise_generator, device=self.device)
        return borrowed_generators(int(seed), self.device)

    def _epochs(self, phase: str) -> int:
        return len(self.history.get(phase, {}).get("epoch", ()))

    def _save(self, phase: str, stopped: bool, *, force: bool) -> None:
        if self._checkpoint is None or self.processes.rank or not (force or self._checkpoint.due):
            return
        tensors, groups = pack(self._registered, self._optimizers, self.state)
        tensors["random/shared"] = self.generator.get_state()
        tensors["random/noise"] = self.noise_generator.get_state()
        kinds = {}
        for name, found in self._once.items():
            kinds[name] = isinstance(found, Tensor)
            entries = {"": found} if isinstance(found, Tensor) else found
            tensors |= {f"once/{len(kinds) - 1}/{key}": value for key, value in entries.items()}
        shots, shot_facts = to_tensors(self.snapshots)
        facts = {"phase": phase, "epoch": self.epoch, "steps": self.steps, "stopped": stopped, "done": self._done}
        facts |= {"seconds": self.seconds, "once": [*kinds.items()]}
        self._checkpoint.write(
            tensors | shots, {**facts, "optimizers": groups, "history": self.history, "snapshots": shot_facts}
        )

    def _restored_once(self, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for i, (name, is_tensor) in enumerate(self._saved["once"]):
            start = f"once/{i}/"
            entries = {k.removeprefix(start): v.to(self.device) for k, v in tensors.items() if k.startswith(start)}
            found[name] = entries[""] if is_tensor else entries
        return found

    def _restore(self, optimizers: Sequence[Optimizer]) -> bool:
        assert self._checkpoint is not None
        facts, tensors = self._saved, self._checkpoint.tensors
        self._saved = {}
        self.state = {
            name: value.to(self.device)
            for name, value in unpack(tensors, facts["optimizers"], self._registered, optimizers).items()
        }
        self.generator.set_state(tensors["random/shared"])
        self.noise_generator.set_state(tensors["random/noise"])
        self.history, self.steps, self.epoch = facts["history"], facts["steps"], facts["epoch"]
        self.snapshots = from_tensors(tensors, facts["snapshots"])
        return facts["stopped"]


def _is_true(answer: Any) -> bool:
    return isinstance(answer, bool | np.bool_) and bool(answer)  # what NumPy compares gives its own kind of True


def _owner(function: Any) -> nn.Module | None:
    owner = getattr(function, "__self__", None)
    return owner if isinstance(owner, nn.Module) else None
