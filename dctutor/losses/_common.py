"""What losses share: how they add up, and which rows an index may name."""

from typing import Literal

from torch import Tensor

__all__ = ["Reduction", "check_reduction", "check_rows", "reduced"]

Reduction = Literal["mean", "sum"]


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless ``reduction`` is one of the two."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction: expected 'mean' or 'sum', got {reduction!r}")


def reduced(total: Tensor, count: int, reduction: Reduction) -> Tensor:
    """Return a sum, or divide it by the number of what was summed over."""
    check_reduction(reduction)
    return total if reduction == "sum" else total / count


def check_rows(name: str, index: Tensor) -> None:
    """Raise ValueError if an index is negative, which would count rows from the end."""
    # On a GPU the answer would make every step wait.
    if index.device.type == "cpu" and index.numel() and index.min() < 0:
        raise ValueError(f"{name}: expected numbers of rows, 0 or more, got {int(index.min())}")
