"""What losses share: how they add up, and which indices of rows and clusters are valid."""

from typing import Literal

import torch
from torch import Tensor

__all__ = [
    "Reduction",
    "check_labels",
    "check_reduction",
    "check_rows",
    "check_same_shape",
    "check_width",
    "reduced",
    "squared_distances",
]

Reduction = Literal["mean", "sum"]


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless ``reduction`` is one of the two."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction: expected 'mean' or 'sum', got {reduction!r}")


def reduced(total: Tensor, count: int, reduction: Reduction) -> Tensor:
    """Return a sum, or divide it by the number of what was summed over."""
    check_reduction(reduction)
    return total if reduction == "sum" else total / count


def check_same_shape(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ValueError unless two tensors have one shape."""
    if value.shape != other.shape:
        raise ValueError(f"{name}: expected the shape of {other_name}, {tuple(other.shape)}, got {tuple(value.shape)}")


def check_width(z: Tensor, centers: Tensor) -> None:
    """Raise ValueError unless the centres are as wide as the samples."""
    if z.shape[-1] != centers.shape[-1]:
        raise ValueError(f"centers: expected width {z.shape[-1]}, that of z, got {centers.shape[-1]}")


def check_rows(name: str, index: Tensor, n: int) -> None:
    """Raise ValueError unless all indices are from 0 to n - 1; a negative one would count from the end."""
    # Only on a CPU: on a GPU the answer would make every step wait.
    if index.device.type == "cpu" and index.numel():
        for value in (int(index.min()), int(index.max())):
            if not 0 <= value < n:
                raise ValueError(f"{name}: expected indices from 0 to {n - 1}, got {value}")


def check_labels(labels: Tensor, n: int, one_each: str, n_clusters: int) -> Tensor:
    """Return n clusters as int64, whatever kind of integer they are, or raise TypeError / ValueError."""
    if labels.shape != (n,):
        raise ValueError(f"labels: expected shape ({n},), {one_each}, got {tuple(labels.shape)}")
    if labels.dtype == torch.bool or labels.is_floating_point() or labels.is_complex():
        raise TypeError(f"labels: expected integers, got {labels.dtype}")
    labels = labels.long()  # before anything else: as an index, uint8 is a mask
    check_rows("labels", labels, n_clusters)
    return labels


def squared_distances(z: Tensor, centers: Tensor, most: float = 1.0) -> Tensor:
    """Squared Euclidean distances: (n, p) and (k, p) to (n, k), without n k p numbers in memory.

    Each is at most a quarter of ``most`` times the largest number of its type: a point that lies absurdly far away
    must not turn into infinity or NaN.
    """
    check_width(z, centers)
    limit = (torch.finfo(z.dtype).max * most) ** 0.5 / 2
    if z.device.type == "mps":  # where `cdist` has had no gradient before PyTorch 2.13
        return (z.unsqueeze(1) - centers).clamp(-limit / z.shape[1] ** 0.5, limit / z.shape[1] ** 0.5).square().sum(2)
    # By differences, not by the expanded square: for far-off points that one cancels to noise.
    distance = torch.cdist(z, centers, compute_mode="donot_use_mm_for_euclid_dist")
    return distance.clamp_max(limit).square()
