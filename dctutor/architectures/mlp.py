"""The multilayer perceptron (survey 2.1)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer, check_sizes
from dctutor.architectures._layers import Activation, full_precision, glorot, unchanged

__all__ = ["MLP"]


class MLP(nn.Module):
    """A stack of dense layers with an activation between them; the last layer is linear.

    Parameters
    ----------
    n_features : int
        Input width d.
    widths : sequence of int
        Widths of the layers; the last is that of the output.
    activation : callable, default torch.relu
        Applied to the output of every layer but the last.
    batch_norm : bool, default False
        Normalise the output of every layer but the last, before the activation (Ioffe & Szegedy 2015).

    Attributes
    ----------
    embedding_dim : int
        Width of the output.
    layers : nn.ModuleList
        The dense layers, in the order in which data passes them.
    norms : nn.ModuleList
        What normalises the output of each layer but the last; without ``batch_norm``, an identity.

    Raises
    ------
    ValueError
        If a width is not positive, or there is none.
    """

    def __init__(
        self,
        n_features: int,
        widths: Sequence[int],
        activation: Activation = torch.relu,
        *,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = [check_integer("n_features", n_features, minimum=1), *check_sizes("widths", widths)]
        self.embedding_dim, self.activation = sizes[-1], activation
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) if batch_norm else nn.Identity() for width in sizes[1:-1])
        glorot(self)

    def layer_outputs(self, x: Float[Tensor, "n d"], corrupt: Activation = unchanged) -> list[Float[Tensor, "n width"]]:
        """Activations of every layer, for features and for losses between layers.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Inputs.
        corrupt : callable, optional
            Damages the input of every layer, such as dropout or noise. By default inputs stay as they are.

        Returns
        -------
        list of Tensor
            One per layer, of shape (n, width); the last is the output, in float32 even under autocast.
        """
        outputs = []
        for layer, norm in zip(self.layers[:-1], self.norms, strict=True):
            x = self.activation(norm(layer(corrupt(x))))
            outputs.append(x)
        outputs.append(full_precision(self.layers[-1], corrupt(x)))
        return outputs

    def forward(self, x: Float[Tensor, "n d"], corrupt: Activation = unchanged) -> Float[Tensor, "n p"]:
        """Output of the last layer. ``corrupt`` as in `layer_outputs`."""
        return self.layer_outputs(x, corrupt)[-1]
