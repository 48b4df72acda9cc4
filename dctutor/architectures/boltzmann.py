"""Restricted Boltzmann machines, and the deep belief network that is a stack of them (Hinton et al. 2006)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dctutor._validation import check_integer, check_sizes

__all__ = ["DeepBelief", "RestrictedBoltzmann"]


class RestrictedBoltzmann(nn.Module):
    r"""A restricted Boltzmann machine: visible and hidden units, and no connections within either.

    Visible units are binary or fractions in [0, 1]. Hidden units are binary, with

    .. math:: F(v) = -b^\top v - \sum_j \log\left(1 + e^{c_j + W_j v}\right), \quad p(h_j = 1 | v) = \sigma(c_j + W_j v)

    or linear, Gaussian with deviation 1 around :math:`c + W v`, where

    .. math:: F(v) = -b^\top v - \tfrac{1}{2} \lVert c + W v \rVert^2

    F is the free energy: the smaller, the likelier v.

    Parameters
    ----------
    n_visible, n_hidden : int
        Numbers of units.
    linear : bool, default False
        Whether hidden units are linear.

    Attributes
    ----------
    weight : nn.Parameter of shape (n_hidden, n_visible)
        W, drawn from N(0, 0.1²).
    visible_bias, hidden_bias : nn.Parameter
        b and c, zero.
    """

    def __init__(self, n_visible: int, n_hidden: int, *, linear: bool = False) -> None:
        super().__init__()
        sizes = check_integer("n_hidden", n_hidden, minimum=1), check_integer("n_visible", n_visible, minimum=1)
        self.linear = linear
        self.weight = nn.Parameter(0.1 * torch.randn(sizes))
        self.visible_bias, self.hidden_bias = nn.Parameter(torch.zeros(sizes[1])), nn.Parameter(torch.zeros(sizes[0]))

    def encode(self, v: Float[Tensor, "n v"]) -> Float[Tensor, "n h"]:
        """Means of the hidden units."""
        found = functional.linear(v, self.weight, self.hidden_bias)
        return found if self.linear else found.sigmoid()

    def decode(self, h: Float[Tensor, "n h"]) -> Float[Tensor, "n v"]:
        """Means of the visible units."""
        return functional.linear(h, self.weight.T, self.visible_bias).sigmoid()

    def sample_hidden(self, v: Float[Tensor, "n v"], generator: torch.Generator) -> Float[Tensor, "n h"]:
        """Draw the hidden units."""
        mean = self.encode(v)
        if self.linear:
            return mean + torch.randn(mean.shape, generator=generator, device=mean.device)
        return (torch.rand(mean.shape, generator=generator, device=mean.device) < mean).to(mean)

    def free_energy(self, v: Float[Tensor, "n v"]) -> Float[Tensor, " n"]:
        """Free energy of visible units, F(v)."""
        inner = functional.linear(v, self.weight, self.hidden_bias)
        hidden = inner.square() / 2 if self.linear else functional.softplus(inner)
        return -(v @ self.visible_bias) - hidden.sum(1)

    def forward(self, v: Float[Tensor, "n v"]) -> Float[Tensor, "n h"]:
        """Means of the hidden units."""
        return self.encode(v)


class DeepBelief(nn.Module):
    """A stack of restricted Boltzmann machines, each of which sees the hidden units of the one below.

    Parameters
    ----------
    n_features : int
        Width d of the input, in [0, 1].
    widths : sequence of int
        Hidden units of each machine. The top one has linear units; they are the code.

    Attributes
    ----------
    embedding_dim : int
        Width p of the code.
    machines : nn.ModuleList
        The `RestrictedBoltzmann` machines, from the bottom up.
    """

    def __init__(self, n_features: int, widths: Sequence[int] = (400, 200, 100)) -> None:
        super().__init__()
        sizes = [check_integer("n_features", n_features, minimum=1), *check_sizes("widths", widths)]
        top = len(sizes) - 2
        self.embedding_dim = sizes[-1]
        self.machines = nn.ModuleList(
            RestrictedBoltzmann(a, b, linear=layer == top) for layer, (a, b) in enumerate(pairwise(sizes))
        )

    def machine(self, layer: int) -> RestrictedBoltzmann:
        """The machine of this number, from the bottom up."""
        found = self.machines[layer]
        assert isinstance(found, RestrictedBoltzmann)
        return found

    def below(self, x: Float[Tensor, "n d"], layer: int) -> Tensor:
        """What the machine of this number sees."""
        for machine in self.machines[:layer]:
            x = machine(x)
        return x

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Means of the top units."""
        return self.below(x, len(self.machines))

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Means of the visible units, layer by layer."""
        for layer in reversed(range(len(self.machines))):
            z = self.machine(layer).decode(z)
        return z

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Means of the top units."""
        return self.encode(x)
