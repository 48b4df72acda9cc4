"""Which samples are near each other, and how near: the graph that the locality-preserving loss needs."""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dctutor._validation import check_integer, check_number
from dctutor.losses._precision import in_float32

__all__ = ["NeighbourGraph", "neighbour_graph"]


class NeighbourGraph(NamedTuple):
    """Every sample's k nearest neighbours, and how similar they are: n k numbers, not n squared.

    Attributes
    ----------
    neighbors : Tensor of shape (n, k)
        Row i holds the indices :math:`N_k(i)`, the nearest first; i itself is not among them.
    similarity : Tensor of shape (n, k)
        :math:`s(x_i, x_j)` for each of them, in [0, 1].
    """

    neighbors: Int[Tensor, "n k"]
    similarity: Float[Tensor, "n k"]

    def edges(self, batch: Int[Tensor, " b"]) -> tuple[Int[Tensor, " m"], Int[Tensor, "b*k 2"], Float[Tensor, " b*k"]]:
        """What `locality_preserving` needs for a mini-batch, so that each sample is embedded once.

        Parameters
        ----------
        batch : Tensor of shape (b,)
            Indices of samples.

        Returns
        -------
        samples : Tensor of shape (m,)
            The indices of the batch and of all its neighbours, each once: embed ``x[samples]``.
        pairs : Tensor of shape (b * k, 2)
            For each edge, the positions of its two ends in ``samples``.
        similarity : Tensor of shape (b * k,)
            The weights of the edges.
        """
        ends = torch.stack([batch.unsqueeze(1).expand(-1, self.neighbors.shape[1]), self.neighbors[batch]], dim=-1)
        samples, places = torch.unique(ends, return_inverse=True)
        return samples, places.reshape(-1, 2), self.similarity[batch].reshape(-1)


@torch.no_grad()
@in_float32
def neighbour_graph(
    x: Float[Tensor, "n d"],
    n_neighbors: int = 10,
    *,
    weights: Literal["heat", "binary"] = "heat",
    t: float | None = None,
    block_size: int = 512,
) -> NeighbourGraph:
    r"""Exact nearest neighbours by Euclidean distance, weighted for the locality-preserving loss (survey eq. 3).

    .. math:: s(x_i, x_j) = \exp(-\lVert x_i - x_j \rVert^2 / t) \quad\text{or}\quad s(x_i, x_j) = 1

    All distances are computed, one block of rows at a time. That takes n squared times d multiplications; memory holds
    only ``block_size`` times n numbers and one copy of ``x``, both in double precision.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Samples. The work is done on its device.
    n_neighbors : int
        Neighbours per sample, k < n.
    weights : {"heat", "binary"}
        The heat kernel, or 1 for each neighbour.
    t : float, optional
        Width of the heat kernel, in squared units of ``x``. By default the mean squared distance of neighbours.
    block_size : int
        Rows per block.

    Returns
    -------
    NeighbourGraph
        Edges are directed: if j is a neighbour of i, i need not be one of j.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a 2-D array of floats, or an argument is not one of those above.
    """
    if x.ndim != 2:
        raise ValueError(f"x: expected shape (n, d), got {tuple(x.shape)}")
    if not x.is_floating_point():
        raise TypeError(f"x: expected floating-point samples, got {x.dtype}")
    n = x.shape[0]
    if check_integer("n_neighbors", n_neighbors, minimum=1) >= n:
        raise ValueError(f"n_neighbors: expected fewer than the {n} samples, got {n_neighbors}")
    check_integer("block_size", block_size, minimum=1)
    if weights not in ("heat", "binary"):
        raise ValueError(f'weights: expected "heat" or "binary", got {weights!r}')
    if t is not None:
        check_number("t", t, open_at_minimum=True)
    # The expanded square |a|^2 - 2 a.b + |b|^2 is one matrix product; near the origin it loses fewest digits.
    # In float64, if the device has it: in float32, near samples that lie far from 0 cannot be told apart.
    centred = x.to(x.dtype if x.device.type == "mps" else torch.float64, copy=True)
    centred -= centred.mean(0)
    norms = torch.linalg.vector_norm(centred, dim=1).square()
    index = torch.empty(n, n_neighbors, dtype=torch.long, device=x.device)
    squared = torch.empty(n, n_neighbors, dtype=x.dtype, device=x.device)
    block = torch.empty(min(block_size, n), n, dtype=centred.dtype, device=x.device)
    for rows in torch.arange(n, device=x.device).split(block_size):
        # |a|^2 is the same along a row and changes no order.
        distance = torch.addmm(norms, centred[rows], centred.T, alpha=-2, out=block[: len(rows)])
        distance[torch.arange(len(rows), device=x.device), rows] = torch.inf
        found = distance.topk(n_neighbors, largest=False).indices
        # Those few once more as differences, to the last digit.
        # One column at a time, as all differences at once would be block_size times k times d numbers.
        near = [(centred[rows] - centred[column]).square().sum(1) for column in found.T]
        exact = torch.stack(near, dim=1).to(x.dtype)
        squared[rows], order = exact.sort(dim=1, stable=True)
        index[rows] = found.gather(1, order)
    if weights == "binary":
        return NeighbourGraph(index, torch.ones_like(squared))
    width = squared.mean().clamp_min(torch.finfo(x.dtype).tiny) if t is None else t
    return NeighbourGraph(index, torch.exp(-squared / width))
