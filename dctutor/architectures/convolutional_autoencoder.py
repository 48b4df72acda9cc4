"""The convolutional autoencoder (survey 2.3, figure 3)."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dctutor.architectures._layers import Activation, unchanged
from dctutor.architectures.cnn import CNN, TransposedCNN

__all__ = ["ConvolutionalAutoencoder"]


class ConvolutionalAutoencoder(nn.Module):
    """An autoencoder for images: a `CNN`, and its mirror (Masci et al. 2011; Guo et al. 2017, DCEC).

    It has the interface of the dense `Autoencoder`; inputs may be flat. The embedding and the output are linear.
    To train it on corrupted input, use `dctutor.augmentation.mask`.

    Parameters
    ----------
    image_shape : (C, H, W)
        Shape of an input. Height and width may be odd.
    channels : sequence of int
        Feature maps of the encoder's convolutions, each of which halves height and width.
    embedding_dim : int
        Width p of the embedding.
    kernel_size : int, default 5
        Height and width of the kernels; odd.
    code_activation : callable, optional
        Applied to the embedding, such as `torch.tanh`; linear by default.

    Attributes
    ----------
    image_shape : (C, H, W)
        Shape of an input.
    embedding_dim : int
        Width p of the embedding.
    encoder : CNN
    decoder : TransposedCNN

    Raises
    ------
    ValueError
        If a size is not positive, there is no convolution, or the kernel is even.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int] = (16, 32),
        embedding_dim: int = 10,
        *,
        kernel_size: int = 5,
        code_activation: Activation = unchanged,
    ) -> None:
        super().__init__()
        self.embedding_dim, self.code_activation = embedding_dim, code_activation
        self.encoder = CNN(image_shape, channels, embedding_dim, kernel_size=kernel_size)
        self.image_shape = self.encoder.image_shape
        self.decoder = TransposedCNN(embedding_dim, image_shape, channels, kernel_size=kernel_size)

    def layer_outputs(self, x: Float[Tensor, "n ..."], corrupt: Activation = unchanged) -> list[Float[Tensor, "n ..."]]:
        """Activations of every layer of the encoder; the last is the embedding. See `CNN.layer_outputs`."""
        *hidden, z = self.encoder.layer_outputs(x, corrupt)
        return [*hidden, self.code_activation(z)]

    def decoder_outputs(self, z: Float[Tensor, "n p"]) -> list[Float[Tensor, "n ..."]]:
        """Activations of the decoder's layers (`TransposedCNN.layer_outputs`); the last is the flat reconstruction."""
        *hidden, x = self.decoder.layer_outputs(z)
        return [*hidden, x.flatten(1)]

    def encode(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n p"]:
        """Embed images, which may be flat: z = f(x)."""
        return self.layer_outputs(x)[-1]

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Reconstruct images, flattened, from embeddings: g(z)."""
        return self.decoder_outputs(z)[-1]

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Reconstruct images, in the shape in which they came: g(f(x))."""
        return self.decode(self.encode(x)).reshape(x.shape)
