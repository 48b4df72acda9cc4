"""The dense autoencoder (survey 2.3)."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer, check_sizes
from dctutor.architectures._layers import Activation, check_weight_init, full_precision, glorot, unchanged

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    """A symmetric stack of dense layers: d - widths - d, ReLU between them.

    The embedding and the output are linear: a ReLU there would forbid negative values (Xie et al. 2016, section 3.2).

    Parameters
    ----------
    n_features : int
        Input width d.
    widths : sequence of int
        Widths of the encoder's layers; the last is that of the embedding. The decoder mirrors them.
    weight_init : {"glorot", "pytorch"}, default "glorot"
        Initial weights. ``"glorot"`` draws them as Glorot & Bengio (2010) do, with zero biases, as in the Keras code of
        Guo et al. (2017, IDEC). ``"pytorch"`` keeps those of `torch.nn.Linear`: weights and biases are uniform within
        1 / sqrt(inputs), which is about half as wide in most layers.
    code_activation : callable, optional
        Applied to the embedding, such as `torch.tanh`; linear by default.

    Attributes
    ----------
    embedding_dim : int
        Width p of the embedding.
    encoder, decoder : nn.ModuleList
        Their dense layers, in the order in which data passes them.

    Raises
    ------
    ValueError
        If a width is not positive, or there is none, or ``weight_init`` is neither.
    """

    def __init__(
        self,
        n_features: int,
        widths: Sequence[int] = (500, 500, 2000, 10),
        weight_init: str = "glorot",
        *,
        code_activation: Activation = unchanged,
    ) -> None:
        super().__init__()
        check_weight_init(weight_init)
        sizes = [check_integer("n_features", n_features, minimum=1), *check_sizes("widths", widths)]
        self.embedding_dim, self.code_activation = sizes[-1], code_activation
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.decoder = nn.ModuleList(nn.Linear(b, a) for a, b in reversed(list(pairwise(sizes))))
        if weight_init == "glorot":
            glorot(self)

    def layer_outputs(self, x: Float[Tensor, "n d"], corrupt: Activation = unchanged) -> list[Float[Tensor, "n width"]]:
        """Activations of every layer of the encoder, for features and for losses between layers.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Inputs.
        corrupt : callable, optional
            Damages the input of every layer except the last, such as dropout. By default inputs stay as they are.

        Returns
        -------
        list of Tensor
            One per layer, of shape (n, width); the last is the embedding.
        """
        outputs = []
        for layer in self.encoder[:-1]:
            x = layer(corrupt(x)).relu()
            outputs.append(x)
        outputs.append(self.code_activation(full_precision(self.encoder[-1], x)))
        return outputs

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Embed inputs: z = f(x)."""
        return self.layer_outputs(x)[-1]

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs from embeddings: g(z)."""
        return self.decoder_outputs(z)[-1]

    def decoder_outputs(self, z: Float[Tensor, "n p"]) -> list[Float[Tensor, "n width"]]:
        """Activations of every layer of the decoder; the last is the reconstruction.

        In reverse order, their shapes are those of the input and of the encoder's hidden layers.
        """
        outputs = []
        for layer in self.decoder[:-1]:
            z = layer(z).relu()
            outputs.append(z)
        outputs.append(self.decoder[-1](z))
        return outputs

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs: g(f(x))."""
        return self.decode(self.encode(x))
