"""The two players of a generative adversarial network, dense and convolutional (survey 2.5).

Train them with `dctutor.losses.discriminator_loss` and `dctutor.losses.generator_loss`, with one optimiser each.
"""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dctutor._validation import check_integer, check_number, check_sizes
from dctutor.architectures._layers import Activation, unchanged
from dctutor.architectures.cnn import CNN, TransposedCNN
from dctutor.architectures.mlp import MLP

__all__ = ["ConvolutionalDiscriminator", "ConvolutionalGenerator", "Discriminator", "Generator"]


def _leaky(slope: float) -> Activation:
    # A ReLU that is off passes no gradient, and the generator learns from the discriminator's alone.
    check_number("slope", slope)
    return partial(functional.leaky_relu, negative_slope=float(slope)) if slope else torch.relu


def _dcgan_weights(network: nn.Module) -> None:
    """Draw normal weights of standard deviation 0.02 (Radford et al. 2016, section 4)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.02)


class Generator(nn.Module):
    """Dense layers from noise to a sample with entries in (0, 1) (Goodfellow et al. 2014).

    Parameters
    ----------
    latent_dim : int
        Width of the noise.
    n_features : int
        Width d of a sample.
    widths : sequence of int
        Widths of the hidden layers; may be empty.
    batch_norm : bool, default False
        Normalise the output of every hidden layer (Ioffe & Szegedy 2015). In training mode, each sample then depends on
        the other rows of the batch.
    slope : float, default 0.0
        That of the activation below 0: a ReLU, or above 0 a leaky one.

    Attributes
    ----------
    latent_dim : int
        Width of the noise.
    body : MLP

    Raises
    ------
    TypeError, ValueError
        If a width is not positive, or the slope is negative.
    """

    def __init__(
        self,
        latent_dim: int,
        n_features: int,
        widths: Sequence[int] = (256, 512),
        *,
        batch_norm: bool = False,
        slope: float = 0.0,
    ) -> None:
        super().__init__()
        self.latent_dim = check_integer("latent_dim", latent_dim, minimum=1)
        sizes = [*check_sizes("widths", widths, minimum=0), check_integer("n_features", n_features, minimum=1)]
        self.body = MLP(latent_dim, sizes, _leaky(slope), batch_norm=batch_norm)

    def forward(self, noise: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Samples, one per row of noise."""
        return self.body(noise).sigmoid()


class Discriminator(nn.Module):
    """Dense layers from a sample to the logit of "this sample is real" (Goodfellow et al. 2014).

    Parameters
    ----------
    n_features : int
        Width d of a sample.
    widths : sequence of int
        Widths of the hidden layers, leaky ReLU between them; may be empty.
    n_outputs : int, default 1
        Width of the output, for methods whose discriminator says more than yes or no.
    batch_norm : bool, default False
        Normalise the output of every hidden layer (Ioffe & Szegedy 2015). In training mode, real and generated samples
        should then pass separately, because each row depends on the others.
    slope : float, default 0.2
        That of the leaky ReLU below 0.

    Attributes
    ----------
    body : MLP
        Its `layer_outputs` are features of the samples.

    Raises
    ------
    TypeError, ValueError
        If a width is not positive, or the slope is negative.
    """

    def __init__(
        self,
        n_features: int,
        widths: Sequence[int] = (512, 256),
        n_outputs: int = 1,
        *,
        batch_norm: bool = False,
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        n_outputs = check_integer("n_outputs", n_outputs, minimum=1)
        sizes = [*check_sizes("widths", widths, minimum=0), n_outputs]
        self.body = MLP(n_features, sizes, _leaky(slope), batch_norm=batch_norm)

    def forward(self, x: Float[Tensor, "n d"], corrupt: Activation = unchanged) -> Float[Tensor, "n outputs"]:
        """Logits: the larger, the more real. ``corrupt`` damages every layer's input, as in `MLP.layer_outputs`."""
        return self.body(x, corrupt)


class ConvolutionalGenerator(nn.Module):
    """Transposed convolutions from noise to an image with pixels in (0, 1), after Radford et al. (2016), DCGAN.

    All layers except the output have batch normalisation and ReLU; initial weights have a standard deviation of 0.02.
    The paper's output is tanh, for pixels in (-1, 1); a sigmoid is the same function on this book's scale. Two
    convolutions are enough for images of 28 x 28 and 32 x 32; larger images need more.

    Parameters
    ----------
    latent_dim : int
        Width of the noise.
    image_shape : (C, H, W)
        Shape of an image. Height and width may be odd.
    channels : sequence of int
        Feature maps of the mirrored discriminator, from the largest image to the smallest.
    kernel_size : int, default 5
        Height and width of the kernels; odd.

    Attributes
    ----------
    latent_dim : int
        Width of the noise.
    body : TransposedCNN

    Raises
    ------
    ValueError
        If a size is not positive, there is no convolution, or the kernel is even.
    """

    def __init__(
        self, latent_dim: int, image_shape: Sequence[int], channels: Sequence[int] = (64, 128), *, kernel_size: int = 5
    ) -> None:
        super().__init__()
        self.latent_dim = check_integer("latent_dim", latent_dim, minimum=1)
        self.body = TransposedCNN(latent_dim, image_shape, channels, kernel_size=kernel_size, batch_norm=True)
        _dcgan_weights(self)

    def forward(self, noise: Float[Tensor, "n p"]) -> Float[Tensor, "n C H W"]:
        """Images, one per row of noise. In training mode each depends on the other rows of the batch."""
        return self.body(noise).sigmoid()


class ConvolutionalDiscriminator(nn.Module):
    """Convolutions from an image to the logit of "this image is real", after Radford et al. (2016), DCGAN.

    All convolutions except the first have batch normalisation; the activation is leaky ReLU. Initial weights have a
    standard deviation of 0.02.

    Parameters
    ----------
    image_shape : (C, H, W)
        Shape of an image. Height and width may be odd.
    channels : sequence of int
        Feature maps of the convolutions, each of which halves height and width.
    n_outputs : int, default 1
        Width of the output, for methods whose discriminator says more than yes or no.
    kernel_size : int, default 5
        Height and width of the kernels; odd.

    Attributes
    ----------
    body : CNN
        Its `layer_outputs` are features of the images.

    Raises
    ------
    ValueError
        If a size is not positive, there is no convolution, or the kernel is even.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int] = (64, 128),
        n_outputs: int = 1,
        *,
        kernel_size: int = 5,
    ) -> None:
        super().__init__()
        n_outputs = check_integer("n_outputs", n_outputs, minimum=1)
        self.body = CNN(
            image_shape, channels, n_outputs, kernel_size=kernel_size, batch_norm=True, activation=_leaky(0.2)
        )
        _dcgan_weights(self)

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n outputs"]:
        """Logits: the larger, the more real."""
        return self.body(x)
