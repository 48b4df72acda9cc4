"""Embeddings recorded during training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """The embedding at one moment of training.

    Attributes
    ----------
    phase : str
        The phase of training, such as ``"pretrain"``.
    epoch : int
        Epochs of that phase done.
    embedding : ndarray of shape (m, p)
        Codes of the samples that are watched.
    centers : ndarray of shape (k, p) or None
        The cluster centres, once there are any.
    """

    phase: str
    epoch: int
    embedding: NDArray[np.float32]
    centers: NDArray[np.float32] | None


def to_tensors(shots: Sequence[Snapshot]) -> tuple[dict[str, Tensor], list[list]]:
    """Split snapshots into named tensors and what JSON can hold."""
    tensors = {}
    for i, shot in enumerate(shots):
        tensors[f"snapshot/{i}/embedding"] = torch.tensor(shot.embedding, device="cpu")
        if shot.centers is not None:
            tensors[f"snapshot/{i}/centers"] = torch.tensor(shot.centers, device="cpu")
    return tensors, [[shot.phase, shot.epoch] for shot in shots]


def from_tensors(tensors: Mapping[str, Tensor], facts: Sequence[Sequence]) -> list[Snapshot]:
    """Undo `to_tensors`."""
    shots = []
    for i, (phase, epoch) in enumerate(facts):
        centers = tensors.get(f"snapshot/{i}/centers")
        embedding = tensors[f"snapshot/{i}/embedding"].numpy()
        shots.append(Snapshot(phase, epoch, embedding, None if centers is None else centers.numpy()))
    return shots
