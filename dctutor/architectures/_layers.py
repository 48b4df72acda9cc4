"""What the networks of this folder share: argument checks, initial weights, the precision of the last layer."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from dctutor._validation import check_integer, check_sizes

__all__ = ["Activation", "check_image", "check_weight_init", "full_precision", "glorot", "unchanged"]

Activation = Callable[[Tensor], Tensor]


def unchanged(x: Tensor) -> Tensor:
    """Return ``x``: the corruption that corrupts nothing."""
    return x


def check_image(image_shape: Sequence[int], kernel_size: int, name: str = "kernel_size") -> tuple[int, int, int]:
    """Return ``image_shape`` as (C, H, W), or raise if it is not such a shape, or the kernel has no middle."""
    sizes = check_sizes("image_shape", image_shape, minimum=0)
    if len(sizes) != 3:
        raise ValueError(f"image_shape: expected (channels, height, width), got {sizes}")
    if check_integer(name, kernel_size, minimum=1) % 2 == 0:
        raise ValueError(f"{name}: expected an odd positive number, got {kernel_size}")
    return sizes


def check_weight_init(weight_init: str) -> None:
    """Raise ValueError unless ``weight_init`` names one of the two ways to draw initial weights."""
    if weight_init not in ("glorot", "pytorch"):
        raise ValueError(f"weight_init: expected 'glorot' or 'pytorch', got {weight_init!r}")


def full_precision(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply ``layer`` in float32 even under autocast: a last layer is cheap, and statistics need its digits."""
    with torch.autocast(x.device.type, enabled=False):
        return layer(x if x.dtype == torch.float64 else x.float())


def glorot(network: nn.Module) -> None:
    """Draw all weights as Glorot & Bengio (2010) do, from torch's global generator; biases start at zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
