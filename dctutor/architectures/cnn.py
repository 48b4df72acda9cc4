"""Convolutional networks, from images to features and back (survey 2.2)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer, check_sizes
from dctutor.architectures._layers import Activation, check_image, full_precision, glorot, unchanged

__all__ = ["CNN", "TransposedCNN"]


class CNN(nn.Module):
    """Convolutions, each halving height and width, then one dense layer.

    The convolutions halve by taking every second position (stride 2), as in Guo et al. (2017), DCEC, and
    Radford et al. (2016); the survey's figure shows the older max pooling. An odd size is rounded up.

    Parameters
    ----------
    image_shape : (C, H, W)
        Shape of an input.
    channels : sequence of int
        Feature maps of each convolution.
    embedding_dim : int
        Width p of the dense output.
    kernel_size : int, default 5
        Height and width of the kernels; odd.
    batch_norm : bool, default False
        Normalise the output of every convolution except the first (Ioffe & Szegedy 2015).
    activation : callable, default torch.relu
        Applied after every convolution. The dense output is linear.

    Attributes
    ----------
    image_shape : (C, H, W)
        Shape of an input.
    embedding_dim : int
        Width p of the output.
    convolutions, norms : nn.ModuleList
        In the order in which data passes them. A layer that normalises nothing is an identity.
    head : nn.Linear
        The dense layer.

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
        batch_norm: bool = False,
        activation: Activation = torch.relu,
    ) -> None:
        super().__init__()
        inputs, height, width = check_image(image_shape, kernel_size)
        self.image_shape = (inputs, height, width)
        self.embedding_dim = check_integer("embedding_dim", embedding_dim, minimum=1)
        self.activation = activation
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for i, maps in enumerate(check_sizes("channels", channels)):
            self.convolutions.append(nn.Conv2d(inputs, maps, kernel_size, stride=2, padding=kernel_size // 2))
            self.norms.append(nn.BatchNorm2d(maps) if batch_norm and i else nn.Identity())
            inputs, height, width = maps, -(-height // 2), -(-width // 2)
        self.head = nn.Linear(inputs * height * width, embedding_dim)
        glorot(self)

    def layer_outputs(self, x: Float[Tensor, "n ..."], corrupt: Activation = unchanged) -> list[Float[Tensor, "n ..."]]:
        """Activations of every layer, for features and for losses between layers.

        Parameters
        ----------
        x : Tensor of shape (n, C, H, W) or (n, d)
            Images, which may be flat.
        corrupt : callable, optional
            Damages the input of every convolution, such as dropout. By default inputs stay as they are.

        Returns
        -------
        list of Tensor
            The feature maps of each convolution, of shape (n, maps, height, width), then the dense output
            of shape (n, p), in float32 even under autocast.
        """
        outputs, x = [], x.reshape(len(x), *self.image_shape)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = self.activation(norm(convolution(corrupt(x))))
            outputs.append(x)
        outputs.append(full_precision(self.head, x.flatten(1)))
        return outputs

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n p"]:
        """Output of the dense layer."""
        return self.layer_outputs(x)[-1]


class TransposedCNN(nn.Module):
    """A `CNN` run backwards: one dense layer, then convolutions that each double height and width.

    Parameters
    ----------
    embedding_dim : int
        Width p of an input.
    image_shape : (C, H, W)
        Shape of an output, odd or even.
    channels : sequence of int
        Feature maps of the mirrored `CNN`; this network passes them from the last to the first.
    kernel_size : int, default 5
        Height and width of the kernels; odd.
    batch_norm : bool, default False
        Normalise the input of every convolution (Ioffe & Szegedy 2015).

    Attributes
    ----------
    embedding_dim : int
        Width p of an input.
    head : nn.Linear
        The dense layer.
    convolutions, norms : nn.ModuleList
        The transposed convolutions, and what normalises the input of each; without ``batch_norm``, an identity.

    Raises
    ------
    ValueError
        If a size is not positive, there is no convolution, or the kernel is even.
    """

    def __init__(
        self,
        embedding_dim: int,
        image_shape: Sequence[int],
        channels: Sequence[int] = (16, 32),
        *,
        kernel_size: int = 5,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        outputs, height, width = check_image(image_shape, kernel_size)
        self.embedding_dim = check_integer("embedding_dim", embedding_dim, minimum=1)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for maps in check_sizes("channels", channels):
            # Two sizes halve to the same one, 27 and 28 to 14: an even one needs one more row and column.
            more = (1 - height % 2, 1 - width % 2)
            back = nn.ConvTranspose2d(
                maps, outputs, kernel_size, stride=2, padding=kernel_size // 2, output_padding=more
            )
            self.convolutions.insert(0, back)
            self.norms.insert(0, nn.BatchNorm2d(maps) if batch_norm else nn.Identity())
            outputs, height, width = maps, -(-height // 2), -(-width // 2)
        self.head = nn.Linear(embedding_dim, outputs * height * width)
        self._shape = (outputs, height, width)
        glorot(self)

    def layer_outputs(self, z: Float[Tensor, "n p"]) -> list[Float[Tensor, "n ..."]]:
        """Activations of every layer; the last is the images.

        In reverse order, their shapes are those of the mirrored network's input and feature maps.
        """
        outputs, x = [], self.head(z).unflatten(1, self._shape)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            outputs.append(norm(x).relu())
            x = convolution(outputs[-1])
        return [*outputs, x]

    def forward(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n C H W"]:
        """Images from codes; the last layer is linear."""
        return self.layer_outputs(z)[-1]
