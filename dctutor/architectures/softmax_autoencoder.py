"""An autoencoder with a softmax layer on its code."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dctutor._validation import check_integer
from dctutor.architectures._layers import Activation, full_precision, glorot, unchanged
from dctutor.architectures.autoencoder import Autoencoder
from dctutor.architectures.convolutional_autoencoder import ConvolutionalAutoencoder

__all__ = ["SoftmaxAutoencoder"]


class SoftmaxAutoencoder(nn.Module):
    """An autoencoder, dense or convolutional, whose code a softmax layer turns into clusters (Dizaji et al. 2017).

    Inputs and reconstructions are flat, whatever the autoencoder works on. Its code passes a tanh, as in the authors'
    code: a bounded code can make assignments firmer only so far by growing.

    Parameters
    ----------
    autoencoder : Autoencoder or ConvolutionalAutoencoder
        The network below.
    n_clusters : int
        Width K of the softmax layer.
    image_shape : (C, H, W), optional
        The shape in which the autoencoder takes its input; by default, flat.

    Attributes
    ----------
    autoencoder : Autoencoder or ConvolutionalAutoencoder
    embedding_dim : int
        Width p of the code.
    softmax : nn.Linear
        From codes to logits.

    Raises
    ------
    TypeError, ValueError
        If ``n_clusters`` is not a positive integer.
    """

    def __init__(
        self,
        autoencoder: Autoencoder | ConvolutionalAutoencoder,
        n_clusters: int,
        image_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.autoencoder, self.embedding_dim = autoencoder, autoencoder.embedding_dim
        self._shape = (-1,) if image_shape is None else tuple(image_shape)
        self.softmax = nn.Linear(self.embedding_dim, check_integer("n_clusters", n_clusters, minimum=1))
        glorot(self.softmax)

    def layer_outputs(self, x: Float[Tensor, "n d"], corrupt: Activation = unchanged) -> list[Float[Tensor, "n ..."]]:
        """Activations of the encoder's layers; the last is the code.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Flat inputs.
        corrupt : callable, optional
            Damages what goes into every layer but the one that makes the code.

        Returns
        -------
        list of Tensor
            One a layer, of shape (n, width) or (n, maps, height, width); the last, in [-1, 1], has shape (n, p).
        """
        *hidden, z = self.autoencoder.layer_outputs(x.unflatten(1, self._shape), corrupt)
        return [*hidden, z.tanh()]

    def decoder_outputs(self, z: Float[Tensor, "n p"]) -> list[Float[Tensor, "n ..."]]:
        """Activations of the decoder's layers, from the one above the code to the flat reconstruction."""
        *hidden, x = self.autoencoder.decoder_outputs(z)
        return [*hidden, x.flatten(1)]

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Embed flat inputs."""
        return self.layer_outputs(x)[-1]

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Reconstruct flat inputs from codes."""
        return self.decoder_outputs(z)[-1]

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Soft assignments of codes, by the softmax layer, in float32 also under autocast; rows sum to 1."""
        return full_precision(self.softmax, z).softmax(1)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Soft assignments of flat inputs."""
        return self.assign(self.encode(x))

    def start_as(self, other: "SoftmaxAutoencoder") -> None:
        """Take over the weights of ``other``; raise TypeError or ValueError if it has not the same layers."""
        if type(other) is not SoftmaxAutoencoder:
            raise TypeError(f"autoencoder: expected a SoftmaxAutoencoder (no subclass), got {other!r}")
        try:
            self.load_state_dict(other.state_dict())
        except RuntimeError as error:
            raise ValueError(f"autoencoder: expected one of the same layers; {error}") from error

    @torch.no_grad()
    def start_from(self, z: Float[Tensor, "n p"], labels: Int[Tensor, " n"]) -> None:
        """Set the softmax layer to tell given clusters apart, as if each were a round Gaussian of one common width.

        Parameters
        ----------
        z : Tensor of shape (n, p)
            Codes of the data.
        labels : Tensor of shape (n,)
            The cluster of each, 0 to K - 1, none of them empty.
        """
        member = functional.one_hot(labels, self.softmax.out_features).to(z.dtype)
        centers = member.T @ z / member.sum(0).unsqueeze(1)
        # The log of a Gaussian is its centre's product with z over the variance, minus a constant. Where all
        # codes of a cluster agree, the floor keeps the layer soft enough to be trained.
        variance = (z - centers[labels]).square().mean().clamp_min(0.01)
        self.softmax.weight.copy_(centers / variance)
        self.softmax.bias.copy_(-centers.square().sum(1) / (2 * variance))
