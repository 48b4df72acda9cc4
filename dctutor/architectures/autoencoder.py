"""The dense autoencoder (survey 2.3)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    """A symmetric stack of dense layers: d - widths - d, ReLU between them.

    The embedding and the output are linear: a ReLU there would forbid negative values (Xie et al.
    2016, section 3.2).

    Parameters
    ----------
    n_features : int
        Input width d.
    widths : sequence of int
        Widths of the encoder's layers; the last is that of the embedding. The decoder mirrors them.

    Attributes
    ----------
    embedding_dim : int
        Width p of the embedding.
    encoder, decoder : nn.ModuleList
        Their dense layers, in the order in which data passes them.

    Raises
    ------
    ValueError
        If a width is not positive, or there is none.
    """

    def __init__(self, n_features: int, widths: Sequence[int] = (500, 500, 2000, 10)) -> None:
        super().__init__()
        sizes = [n_features, *widths]
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"widths: expected at least one layer, all of positive width, got {tuple(sizes)}")
        self.embedding_dim = sizes[-1]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.decoder = nn.ModuleList(nn.Linear(b, a) for a, b in reversed(list(pairwise(sizes))))
        for layer in (*self.encoder, *self.decoder):
            nn.init.xavier_uniform_(layer.weight)  # Glorot & Bengio 2010, as in the authors' Keras code
            nn.init.zeros_(layer.bias)

    def layer_outputs(self, x: Float[Tensor, "n d"]) -> list[Float[Tensor, "n width"]]:
        """Activations of every layer of the encoder, for features and for losses between layers.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Inputs.

        Returns
        -------
        list of Tensor
            One of shape (n, width) a layer; the last is the embedding.
        """
        outputs = []
        for layer in self.encoder[:-1]:
            x = layer(x).relu()
            outputs.append(x)
        # In float32 even under autocast: this layer costs nothing, and cluster statistics need its digits.
        with torch.autocast(x.device.type, enabled=False):
            outputs.append(self.encoder[-1](x if x.dtype == torch.float64 else x.float()))
        return outputs

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Embed inputs: z = f(x)."""
        return self.layer_outputs(x)[-1]

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs from embeddings: g(z)."""
        for layer in self.decoder[:-1]:
            z = layer(z).relu()
        return self.decoder[-1](z)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs: g(f(x))."""
        return self.decode(self.encode(x))
