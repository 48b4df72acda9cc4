"""Random changes to samples that a network should learn to ignore."""

import torch
from torch import Tensor

__all__ = ["mask"]


def mask(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Set a random fraction of the entries to zero and scale up the rest, so that the mean stays (dropout).

    Parameters
    ----------
    x : Tensor of any shape
        Input.
    rate : float
        Fraction of entries set to zero, in [0, 1); rounded to a multiple of 1/256 below 1.
    generator : torch.Generator
        Source of the randomness, on the device of ``x``.

    Returns
    -------
    Tensor of the same shape
        The corrupted input; ``x`` itself if ``rate`` rounds to 0.
    """
    level = min(round(rate * 256), 255)
    if level == 0:
        return x
    # One byte per entry, eight from each 64-bit draw: several times faster on a CPU than one float per entry.
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
    draws = words.random_(-(2**63), None, generator=generator).view(torch.uint8)
    keep = draws[: x.numel()].view(x.shape) >= level
    return x * keep * (256 / (256 - level))
