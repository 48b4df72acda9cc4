"""The last epoch of CM and AE-CM, whose weights are averaged."""

from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel

from dctutor.training.loop import Loop, Step

__all__ = ["average_epoch"]


def average_epoch(
    loop: Loop, network: nn.Module, averaged: AveragedModel, step: Step, *, batch_size: int, **run: Any
) -> None:
    """Train for one more epoch; give ``network`` the mean of its weights over that epoch's steps.

    Parameters
    ----------
    loop : Loop
        Where ``network`` and ``averaged`` are registered.
    network : nn.Module
        The network that ``step`` trains.
    averaged : AveragedModel
        Made from ``network``; it keeps the mean.
    step : callable
        One training step; see `Loop.run`.
    batch_size : int
        Samples a step.
    **run
        Further arguments of `Loop.run`.
    """
    last = loop.steps_per_epoch(batch_size) - 1

    def averaged_step(index: Any) -> Any:
        found = step(index)
        averaged.update_parameters(network)
        if loop.steps == last:  # here, so that the last snapshot and checkpoint are of the network that fit returns
            network.load_state_dict(averaged.module.state_dict())
        return found

    loop.run("average", averaged_step, epochs=1, batch_size=batch_size, goes_on=True, **run)
