"""One more epoch, whose weights are averaged: how CM and AE-CM end."""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from dctutor.schedules import Schedule
from dctutor.training.loop import Loop

__all__ = ["AveragedEpoch"]


class AveragedEpoch:
    """One epoch after all others. At its end, networks get the mean of their weights over its steps.

    Give `Loop.run` ``epochs=averaged.total``, ``end=averaged.finish`` and a schedule made by `schedule`, and call
    `update` after every step.

    Parameters
    ----------
    loop : Loop
        The loop; the means are registered with it.
    epochs : int
        Epochs before the one that is averaged.
    **networks : nn.Module
        What is averaged, by the names that checkpoints use.

    Attributes
    ----------
    total : int
        Epochs, including the averaged one.
    """

    def __init__(self, loop: Loop, epochs: int, **networks: nn.Module) -> None:
        self.loop, self.epochs, self.total = loop, epochs, epochs + 1
        self.pairs = [(network, AveragedModel(network)) for network in networks.values()]
        means: dict[str, nn.Module | Tensor] = {
            f"averaged_{name}": mean for name, (_, mean) in zip(networks, self.pairs, strict=True)
        }
        loop.register(**means)

    def update(self) -> None:
        """Add the present weights to the means, if this is the epoch for it."""
        if self.loop.epoch == self.epochs:
            for network, mean in self.pairs:
                mean.update_parameters(network)

    def finish(self) -> None:
        """Give the networks their means, unless training ended before the averaged epoch began."""
        for network, mean in self.pairs:
            if mean.n_averaged > 0:
                network.load_state_dict(mean.module.state_dict())

    def schedule(self, schedule: Schedule) -> Schedule:
        """Run ``schedule`` over the epochs before the averaged one, which keeps the last learning rate."""
        return lambda progress: schedule(min(progress * self.total / self.epochs, 1.0))
