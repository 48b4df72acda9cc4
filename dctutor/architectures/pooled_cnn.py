"""A convolutional network with pooling and batch normalisation, from images to features (survey 2.2)."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer, check_sizes
from dctutor.architectures._layers import check_image, full_precision

__all__ = ["PooledCNN"]


class PooledCNN(nn.Module):
    """Convolutions, each with batch normalisation, ReLU and a pool that halves height and width; then a dense layer.

    The networks of the clustering methods without an autoencoder look like this. `CNN` halves by its strides.

    Parameters
    ----------
    image_shape : (C, H, W)
        Shape of an input. An odd size is rounded up when it is halved.
    channels : sequence of int
        Feature maps of each convolution.
    embedding_dim : int
        Width p of the dense output.
    kernel_size : int, default 3
        Height and width of the kernels; odd.

    Attributes
    ----------
    image_shape : (C, H, W)
        Shape of an input.
    embedding_dim : int
        Width p of the output.
    blocks : nn.Sequential
        Convolution, normalisation, ReLU and pool, in turn.
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
        channels: Sequence[int] = (16, 32, 64),
        embedding_dim: int = 128,
        *,
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        inputs, height, width = check_image(image_shape, kernel_size)
        self.image_shape = (inputs, height, width)
        self.embedding_dim = check_integer("embedding_dim", embedding_dim, minimum=1)
        blocks: list[nn.Module] = []
        for maps in check_sizes("channels", channels):
            convolution = nn.Conv2d(inputs, maps, kernel_size, padding=kernel_size // 2, bias=False)
            blocks += [convolution, nn.BatchNorm2d(maps), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
            inputs, height, width = maps, -(-height // 2), -(-width // 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inputs * height * width, embedding_dim)

    def dense_output(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n p"]:
        """What the dense layer gives for images, which may be flat; in float32 even under autocast."""
        maps = self.blocks(x.reshape(len(x), *self.image_shape))
        return full_precision(self.head, maps.flatten(1))

    def encode(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n p"]:
        """Features of images: the dense layer's output after a ReLU."""
        return self.dense_output(x).relu()

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n p"]:
        """Features of images."""
        return self.encode(x)
