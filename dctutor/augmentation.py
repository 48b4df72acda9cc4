"""Changes to samples that training should learn to ignore, drawn from a generator."""

import torch
from torch import Tensor

__all__ = ["mask"]


def mask(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Set a random share of the entries to zero and scale up the rest, so that the mean stays (dropout).

    Parameters
    ----------
    x : Tensor of any shape
        Input.
    rate : float
        Share of entries set to zero, in [0, 1); rounded to a multiple of 1/256 below 1.
    generator : torch.Generator
        Source of the randomness, on the device of ``x``.

    Returns
    -------
    Tensor of the same shape
        The corrupted input; ``x`` itself where ``rate`` rounds to 0.
    """
    level = min(round(rate * 256), 255)
    if level == 0:
        return x
    # A byte an entry, eight from each 64-bit draw: several times faster on a CPU than a float each.
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
    draws = words.random_(-(2**63), None, generator=generator).view(torch.uint8)
    keep = draws[: x.numel()].view(x.shape) >= level
    return x * keep * (256 / (256 - level))
