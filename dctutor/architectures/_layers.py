"""What the networks of this folder share: argument checks, initial weights, the precision of the last layer."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from dctutor._validation import check_integer

__all__ = ["Activation", "check_image", "check_weight_init", "check_widths", "full_precision", "glorot", "unchanged"]

Activation = Callable[[Tensor], Tensor]


def unchanged(x: Tensor) -> Tensor:
    """Return ``x``: the corruption that corrupts nothing."""
    return x


def check_widths(name: str, widths: Sequence[int], *, minimum: int = 1) -> tuple[int, ...]:
    """Return ``widths`` as a tuple, or raise naming the argument: positive integers, and enough of them."""
    if len(widths) < minimum:
        raise ValueError(f"{name}: expected at least one layer, all of positive width, got {tuple(widths)}")
    return tuple(check_integer(name, width, minimum=1) for width in widths)


def check_image(image_shape: Sequence[int], kernel_size: int) -> tuple[int, int, int]:
    """Return ``image_shape`` as (C, H, W), or raise ValueError if it is none or the kernel has no middle."""
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(f"image_shape: expected (channels, height, width), all positive, got {tuple(image_shape)}")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size: expected an odd positive number, got {kernel_size}")
    channels, height, width = image_shape
    return channels, height, width


def check_weight_init(weight_init: str) -> None:
    """Raise ValueError unless ``weight_init`` names one of the two ways to draw first weights."""
    if weight_init not in ("glorot", "pytorch"):
        raise ValueError(f"weight_init: expected 'glorot' or 'pytorch', got {weight_init!r}")


def full_precision(layer: nn.Module, x: Tensor) -> Tensor:
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
