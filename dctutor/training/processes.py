"""Several processes that train one model: who they are, and what they tell each other.

Every process holds the data and the network. Each takes its part of the indices of every batch. Gradients are averaged,
and values of the whole data gathered, so that all processes hold the same numbers after every step. One process is the
trivial case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

__all__ = ["Processes"]

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """The processes of a `torch.distributed` group that has been initialised; otherwise this one alone.

    Attributes
    ----------
    rank : int
        Place of this process, from 0.
    size : int
        Their number.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> "Processes":
        """The group that is initialised, if there is one."""
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size())
        return cls()

    def share(self, rows: Tensor) -> Tensor:
        """Take this process' part of ``rows``: contiguous, and as long as that of the others or one row longer."""
        return rows if self.size == 1 else rows.tensor_split(self.size)[self.rank]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor, in place, by its sum over the processes, which is the same in all of them."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def gather(self, part: Tensor, n_rows: int) -> Tensor:
        """Put the processes' parts of ``n_rows`` rows, cut as `share` cuts them, together again."""
        if self.size == 1:
            return part
        lengths = [len(rows) for rows in torch.empty(n_rows, 0).tensor_split(self.size)]
        parts = [part.new_empty((length, *part.shape[1:])) for length in lengths]
        parts[self.rank].copy_(part)
        for rank, rows in enumerate(parts):
            distributed.broadcast(rows, rank)
        return torch.cat(parts)

    def first(self, value: T) -> T:
        """What the first process has as ``value``; anything that can be pickled."""
        if self.size == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, 0)
        return values[0]
