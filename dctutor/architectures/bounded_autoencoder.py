"""A dense autoencoder whose layers all have bounded outputs."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer, check_sizes
from dctutor.architectures._layers import full_precision

__all__ = ["BoundedAutoencoder"]


class BoundedAutoencoder(nn.Module):
    """Dense layers with bounded outputs (Lu & Li 2021).

    Each layer of the encoder applies ReLU, then tanh, except the last one: the code is a tanh alone. Layers of the
    decoder apply tanh, the last one a sigmoid. Inputs lie in [0, 1], codes in (-1, 1) and reconstructions in (0, 1).

    The paper says that layers are "followed by" both, and that the tanh brings data into (-1, 1). After a ReLU it
    cannot. We read this as: a ReLU within the encoder, none on the code. A ReLU there also leaves units of the code at
    0 for all samples, where no gradient reaches them.

    Parameters
    ----------
    n_features : int
        Input width d.
    widths : sequence of int
        Widths of the encoder's layers; the last is p, that of the code. The decoder mirrors them and has one more
        layer, between the code and the layer next to it, as wide as the mean of the two.

    Attributes
    ----------
    embedding_dim : int
        Width p of the code.
    encoder, decoder : nn.ModuleList
        Their dense layers, in the order in which data passes them.

    Raises
    ------
    ValueError
        If a width is not positive, or there is none.
    """

    def __init__(self, n_features: int, widths: Sequence[int] = (512, 256, 128, 64, 32, 16, 10)) -> None:
        super().__init__()
        sizes = [check_integer("n_features", n_features, minimum=1), *check_sizes("widths", widths)]
        self.embedding_dim = sizes[-1]
        back = [sizes[-1], (sizes[-1] + sizes[-2]) // 2, *reversed(sizes[:-1])]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(back))
        for layer in (*self.encoder, *self.decoder):
            # The usual gain for a ReLU. With less, so many layers pass on too little to be trained.
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), nonlinearity="relu")
            nn.init.zeros_(layer.get_parameter("bias"))

    @torch.no_grad()
    def adapt(self, x: Float[Tensor, "n d"]) -> None:
        """Choose the encoder's initial biases for training data.

        Inputs of units are never negative. Without a bias, most units of a deep layer would be on for all samples or
        off for all, and a ReLU that is always off never learns. The bias gives each unit a mean input of zero.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            The training data, in [0, 1].
        """
        for layer in self.encoder:
            x = layer(x)
            layer.get_parameter("bias").sub_(x.mean(0))
            x = (x - x.mean(0)).relu().tanh()  # of the last layer, only the bias counts

    def layer_outputs(self, x: Float[Tensor, "n d"]) -> list[Float[Tensor, "n width"]]:
        """Activations of every layer of the encoder; the last is the code, in float32 even under autocast."""
        outputs = []
        for layer in self.encoder[:-1]:
            x = layer(x).relu().tanh()
            outputs.append(x)
        outputs.append(full_precision(self.encoder[-1], x).tanh())
        return outputs

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Embed inputs: z = f(x)."""
        return self.layer_outputs(x)[-1]

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs, in (0, 1): g(z)."""
        for layer in self.decoder[:-1]:
            z = layer(z).tanh()
        return self.decoder[-1](z).sigmoid()

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs: g(f(x))."""
        return self.decode(self.encode(x))
