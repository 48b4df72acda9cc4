"""Contrastive divergence, the loss of restricted Boltzmann machines (Hinton 2002)."""

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["contrastive_divergence"]


class _Machine(Protocol):
    def free_energy(self, v: Tensor) -> Tensor: ...
    def sample_hidden(self, v: Tensor, generator: torch.Generator) -> Tensor: ...
    def decode(self, h: Tensor) -> Tensor: ...


def contrastive_divergence(
    machine: _Machine, v: Float[Tensor, "n v"], generator: torch.Generator, steps: int = 1
) -> Float[Tensor, ""]:
    r"""How much likelier data are under a Boltzmann machine than what it makes of them (Hinton 2002).

    .. math:: L = \frac{1}{n} \sum_i F(v_i) - F(v_i')

    v' comes from v by ``steps`` turns: hidden units are drawn, visible ones take their means. It counts as fixed, so
    that the gradient is that of contrastive divergence, CD-k; the value itself says little, and no step need lower it.

    Parameters
    ----------
    machine : RestrictedBoltzmann
        Has ``free_energy``, ``sample_hidden`` and ``decode``.
    v : Tensor of shape (n, v)
        Visible units, in [0, 1].
    generator : torch.Generator
        Source of the randomness.
    steps : int, default 1
        k.

    Returns
    -------
    Tensor
        A scalar.
    """
    made = v
    with torch.no_grad():
        for _ in range(steps):
            made = machine.decode(machine.sample_hidden(made, generator))
    return (machine.free_energy(v) - machine.free_energy(made)).mean()
