"""Running statistics of batch normalisation: what they are measured on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["measure_batch_norm", "untracked_batch_norm"]

_ROWS = 1024  # of a batch; the means over batches are then close to those of all the data


@torch.no_grad()
def measure_batch_norm(network: nn.Module, x: Tensor, forward: Callable[[Tensor], Any] | None = None) -> None:
    """Replace the running means and variances of all batch normalisation layers by those of ``x``.

    During training they are means over whatever passed: noisy, augmented, and in a game also generated samples.
    Call this before a network predicts on clean data. Layers stay in the mode that they are in.

    Parameters
    ----------
    network : nn.Module
        Its batch normalisation layers are measured. Other layers, such as dropout, work as in their present mode.
    x : Tensor of shape (n, ...)
        The data, at least two samples, on the network's device.
    forward : callable, optional
        What passes a batch through those layers; by default the network.
    """
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [(layer.training, layer.momentum) for layer in layers]
    # In random order, as data may be sorted; batches of even size, as a mean over batches counts each the same.
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0)).to(x.device)
    try:
        for layer in layers:
            layer.reset_running_stats()
            layer.training, layer.momentum = True, None  # None: the mean of all batches since the reset
        if layers:
            for index in order.tensor_split(-(-len(x) // _ROWS)):
                (forward or network)(x[index])
    finally:
        for layer, (training, momentum) in zip(layers, before, strict=True):
            layer.training, layer.momentum = training, momentum


@contextmanager
def untracked_batch_norm(network: nn.Module) -> Iterator[None]:
    """Let changed samples pass a network that is being trained without a trace in its running means and variances.

    In this context, batch normalisation layers in training mode use the statistics of each batch, as always, and leave
    the running ones as they are. Layers in evaluation mode work as always.

    Parameters
    ----------
    network : nn.Module
        Its batch normalisation layers, at any depth, are the ones meant.
    """
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [layer.track_running_stats for layer in layers]
    try:
        for layer in layers:
            layer.track_running_stats = False
        yield
    finally:
        for layer, tracked in zip(layers, before, strict=True):
            layer.track_running_stats = tracked
