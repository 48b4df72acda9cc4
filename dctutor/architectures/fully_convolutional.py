"""The convolutional autoencoder whose code is its last feature maps (survey 2.3)."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_sizes
from dctutor.architectures._layers import check_image, full_precision, glorot

__all__ = ["FullyConvolutionalAutoencoder"]


class FullyConvolutionalAutoencoder(nn.Module):
    """Convolutions that each halve height and width, and their mirror; no dense layer (Ji et al. 2017).

    A `ConvolutionalAutoencoder` squeezes its feature maps through a dense layer. Here the flattened maps are the code,
    and a ReLU keeps it from being negative. The output is linear.

    Parameters
    ----------
    image_shape : (C, H, W)
        Shape of an image. Height and width may be odd.
    channels : sequence of int, default (15,)
        Feature maps of the encoder's convolutions.
    kernel_sizes : sequence of int, default (3,)
        Height and width of the kernels of each; odd.

    Attributes
    ----------
    image_shape : (C, H, W)
    embedding_dim : int
        Width p of the code: maps, height and width of the last convolution, multiplied.
    encoder, decoder : nn.ModuleList
        Their convolutions, in the order in which data passes them.

    Raises
    ------
    ValueError
        If a size is not positive, there is no convolution, a kernel is even, or not every convolution has one.
    """

    def __init__(
        self, image_shape: Sequence[int], channels: Sequence[int] = (15,), kernel_sizes: Sequence[int] = (3,)
    ) -> None:
        super().__init__()
        channels, kernel_sizes = check_sizes("channels", channels), check_sizes("kernel_sizes", kernel_sizes)
        if len(kernel_sizes) != len(channels):
            raise ValueError(f"kernel_sizes: expected {len(channels)}, one per convolution, got {kernel_sizes}")
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        shape = self.image_shape = check_image(image_shape, 1)
        for maps, kernel in zip(channels, kernel_sizes, strict=True):
            inputs, height, width = check_image(shape, kernel, "kernel_sizes")
            # Two sizes halve to the same one, 27 and 28 to 14: an even one needs one more row and column.
            more = (1 - height % 2, 1 - width % 2)
            self.encoder.append(nn.Conv2d(inputs, maps, kernel, stride=2, padding=kernel // 2))
            back = nn.ConvTranspose2d(maps, inputs, kernel, stride=2, padding=kernel // 2, output_padding=more)
            self.decoder.insert(0, back)
            shape = (maps, -(-height // 2), -(-width // 2))
        self._code_shape = shape
        self.embedding_dim = math.prod(shape)
        glorot(self)

    def layer_outputs(self, x: Float[Tensor, "n d"]) -> list[Float[Tensor, "n width"]]:
        """Activations of every convolution of the encoder, flattened.

        Parameters
        ----------
        x : Tensor of shape (n, d) or (n, C, H, W)
            Images.

        Returns
        -------
        list of Tensor
            One per convolution, of shape (n, width); the last is the code, in float32 even under autocast.
        """
        outputs, maps = [], x.reshape(len(x), *self.image_shape)
        for convolution in self.encoder[:-1]:
            maps = convolution(maps).relu()
            outputs.append(maps.flatten(1))
        return [*outputs, full_precision(self.encoder[-1], maps).relu().flatten(1)]

    @torch.no_grad()
    def center(self, x: Float[Tensor, "n d"]) -> None:
        """Set the biases from images: every map has mean 0 before its ReLU, and the output the mean of the pixels.

        Pixels are not negative. Without this, training first learns to brighten the output, through all biases at once,
        and maps can end where their ReLU passes nothing on. See Salimans & Kingma (2016), section 3.

        Parameters
        ----------
        x : Tensor of shape (n, d) or (n, C, H, W)
            Images.
        """
        maps = images = x.reshape(len(x), *self.image_shape)
        for convolution in [*self.encoder, *self.decoder]:
            wanted = images.mean((0, 2, 3)) if convolution is self.decoder[-1] else 0
            maps = convolution(maps)
            shift = wanted - maps.mean((0, 2, 3))
            convolution.bias += shift
            maps = (maps + shift[:, None, None]).relu()

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Embed images: z = f(x)."""
        return self.layer_outputs(x)[-1]

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Reconstruct images, flattened, from codes: g(z)."""
        maps = z.reshape(len(z), *self._code_shape)
        for convolution in self.decoder[:-1]:
            maps = convolution(maps).relu()
        return self.decoder[-1](maps).flatten(1)

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Reconstruct images, in the shape in which they came: g(f(x))."""
        return self.decode(self.encode(x)).reshape(x.shape)
