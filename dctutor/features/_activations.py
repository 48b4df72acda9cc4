"""Activations of a trained network's layers."""

import numbers
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer
from dctutor.devices import plain_modes

__all__ = ["activations"]

Read = Callable[[Tensor], list[Tensor]]


def activations(
    network: nn.Module,
    X: Float[np.ndarray, "n ..."] | Tensor,
    layers: Sequence[int] | Sequence[str] | None = None,
    *,
    maps: str = "mean",
    batch_size: int = 1024,
) -> list[Float[np.ndarray, "n width"]]:
    """Compute the activations of layers of a network, one 2-D array per layer (survey 5.1).

    The network runs on its own device, in evaluation mode and without gradients. Afterwards its mode is restored.

    Parameters
    ----------
    network : nn.Module
        A trained network. The ``network_`` of a fitted `DeepClusterer` expects ``model.scaling_.apply(X)``.
    X : array or Tensor of shape (n, ...)
        Inputs as the network takes them, in numbers of any type. Images have shape (n, C, H, W).
    layers : sequence of int or of str, optional
        Indices into the list that ``network.layer_outputs(x)`` returns, by default all; or names from
        ``network.named_modules()``, for any network.
    maps : {"mean", "flatten"}, default="mean"
        How an output of shape (n, C, H, W), or with any other axes after the second, becomes one vector per input:
        the mean of each channel over all positions (Garcia-Gasulla et al. 2017, spatial average pooling), or all values
        one after another.
    batch_size : int, default=1024
        Number of inputs per forward pass.

    Returns
    -------
    list of ndarray
        One array of shape (n, width) per layer, in the order of ``layers``, float32.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, the last axis of images holds the channels, or a named layer does not
        give exactly one such output per forward pass.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"network: expected an nn.Module, such as an estimator's network_, got {network!r}")
    if maps not in ("mean", "flatten"):
        raise ValueError(f"maps: expected 'mean' or 'flatten', got {maps!r}")
    check_integer("batch_size", batch_size, minimum=1)
    x = X.detach() if isinstance(X, Tensor) else _native(X)
    if x.ndim < 2 or not len(x):
        raise ValueError(f"X: expected shape (n, ...) with n >= 1, got {tuple(x.shape)}")
    _check_channels(network, tuple(x.shape))
    # Numbers of any type become floats, except for a layer that takes indices.
    looks_up = any(isinstance(module, nn.Embedding | nn.EmbeddingBag) for module in network.modules())
    weights = next(network.parameters(), torch.empty(0, dtype=torch.float32, device="cpu"))
    modes = [(module, module.training) for module in network.modules()]
    parts = []
    try:
        network.eval()
        with plain_modes(), torch.no_grad(), _reader(network, layers, maps) as read:
            for start in range(0, len(x), batch_size):
                batch = torch.asarray(x[start : start + batch_size], copy=True)
                batch = batch if looks_up and not batch.is_floating_point() else batch.to(weights.dtype)
                parts.append(read(batch.to(weights.device)))
    finally:
        for module, training in modes:
            module.training = training
    return [torch.cat(of_layer).numpy() for of_layer in zip(*parts, strict=True)]


def _native(X: Any) -> np.ndarray:
    """Return an array as PyTorch takes it: contiguous, with the machine's byte order."""
    x = np.ascontiguousarray(X)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"X: expected an array of numbers, got dtype {x.dtype}")
    return x.astype(x.dtype.newbyteorder("="), copy=False)


def _check_channels(network: nn.Module, shape: tuple[int, ...]) -> None:
    """Refuse images whose channels come last, as other libraries have them."""
    if len(shape) != 4 or shape[3] not in (1, 3, 4):
        return
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None:
        last = shape[1] != first.in_channels == shape[3]
    else:  # any number of channels will do; small maps, such as (n, 512, 1, 1), are no images
        last = shape[1] == shape[2] and shape[1] not in (1, 3, 4)
    if last:
        raise ValueError(
            f"X: expected images of shape (n, C, H, W), got {shape}. If the last axis holds the channels, pass"
            " np.moveaxis(X, 3, 1)"
        )


@contextmanager
def _reader(network: nn.Module, layers: Any, maps: str) -> Iterator[Read]:
    """Give a function that returns the reduced outputs of ``layers`` for a batch."""
    known = dict(network.named_modules())
    if layers is None or _all_are(layers, numbers.Integral):
        every: Any = getattr(network, "layer_outputs", None)
        if every is None:
            raise ValueError(f"layers: this network has no layer_outputs; expected names such as {list(known)[1:9]}")

        def read_indices(batch: Tensor) -> list[Tensor]:
            outputs = every(batch)
            for i in layers or ():
                if not -len(outputs) <= i < len(outputs):
                    raise ValueError(f"layers: expected indices of the {len(outputs)} layers, got {i}")
            indices = range(len(outputs)) if layers is None else layers
            return [_reduced(outputs[i], i, len(batch), maps) for i in indices]

        yield read_indices
        return
    if not _all_are(layers, str):
        raise TypeError(f"layers: expected a sequence of integers or of names, got {layers!r}")
    for name in layers:
        if name not in known:
            raise ValueError(f"layers: expected names such as {list(known)[1:9]}, got {name!r}")
    found: dict[str, list[Tensor]] = {name: [] for name in layers}
    size = 0

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        # Reduced and copied at once, because an in-place ReLU after this layer would change it.
        return lambda module, inputs, output: found[name].append(_reduced(output, name, size, maps))

    def read_names(batch: Tensor) -> list[Tensor]:
        nonlocal size
        size = len(batch)
        network(batch)
        for name, outputs in found.items():
            if len(outputs) != 1:
                raise ValueError(
                    f"layers: expected layers that run once per forward pass, but {name!r} ran {len(outputs)} times"
                )
        last = {name: outputs.pop() for name, outputs in found.items()}
        return [last[name] for name in layers]

    hooks = [known[name].register_forward_hook(keep(name)) for name in found]
    try:
        yield read_names
    finally:
        for hook in hooks:
            hook.remove()


def _all_are(layers: Any, kind: type) -> bool:
    if isinstance(layers, str) or not isinstance(layers, Sequence | range) or not len(layers):
        return False
    return all(isinstance(layer, kind) and not isinstance(layer, bool) for layer in layers)


def _reduced(output: Any, layer: int | str, n: int, maps: str) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim < 2 or len(output) != n:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"layers: expected layer {layer!r} to give a tensor of shape ({n}, width, ...), got {got}")
    values = output.float()
    values = values.flatten(2).mean(2) if maps == "mean" and values.ndim > 2 else values.flatten(1)
    return values.to("cpu", copy=True)
