"""A fully convolutional autoencoder with pooling, unpooling and batch normalisation (survey 2.3)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_sizes
from dctutor.architectures._layers import check_image, full_precision, unchanged

__all__ = ["PooledAutoencoder"]


class PooledAutoencoder(nn.Module):
    """Convolutions and max pools down to one position, and back by the pools' switches (Li et al. 2017, table 2).

    The last convolution covers all that is left of the image, so its maps have one position: the code. The decoder
    mirrors the encoder. Its unpooling puts each value where the pool had found the maximum, and zeros elsewhere, so it
    needs the image, not only the code: there is no ``decode``. All convolutions but the one that gives the output are
    normalised; a ReLU follows, except after the code.

    Parameters
    ----------
    image_shape : (C, H, W)
        Shape of an image. An odd size is rounded up when it is halved.
    channels : sequence of int, default (6, 16, 120)
        Feature maps of the encoder's convolutions; the last is the width of the code.
    kernel_size : int, default 5
        Height and width of the kernels but the last; odd. Where a map is smaller than two kernels, it is padded to keep
        its size; otherwise it is not padded, as in the paper.
    batch_norm : bool, default True
        Whether to normalise (Ioffe & Szegedy 2015).

    Attributes
    ----------
    image_shape : (C, H, W)
    embedding_dim : int
        Width p of the code.
    encoder, decoder : nn.ModuleList
        Convolution and normalisation, in turn, in the order in which data passes them.

    Raises
    ------
    ValueError
        If a size is not positive, there is no convolution, or the kernel is even.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int] = (6, 16, 120),
        *,
        kernel_size: int = 5,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        inputs, height, width = self.image_shape = check_image(image_shape, kernel_size)
        channels = check_sizes("channels", channels)
        self.embedding_dim = channels[-1]
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        norm = nn.BatchNorm2d if batch_norm else lambda _: nn.Identity()
        for i, maps in enumerate(channels):
            if i == len(channels) - 1:
                kernel, padding = (height, width), (0, 0)
            else:
                kernel = (kernel_size, kernel_size)
                rows, columns = (kernel_size // 2 if size < 2 * kernel_size else 0 for size in (height, width))
                padding = (rows, columns)
            self.encoder.extend([nn.Conv2d(inputs, maps, kernel, padding=padding), norm(maps)])
            back = nn.ConvTranspose2d(maps, inputs, kernel, padding=padding)
            self.decoder = nn.ModuleList([back, norm(inputs) if i else nn.Identity(), *self.decoder])
            height, width = (
                -(-(size + 2 * pad - side + 1) // 2)
                for size, pad, side in zip((height, width), padding, kernel, strict=True)
            )
            inputs = maps

    def _encoded(self, x: Tensor) -> tuple[Tensor, list[tuple[torch.Size, Tensor]]]:
        """Return the code, and of every pool the shape of its input and the indices of the maxima."""
        maps, switches = x.reshape(len(x), *self.image_shape), []
        for convolution, norm in zip(self.encoder[:-2:2], self.encoder[1:-2:2], strict=True):
            maps = _normalized(norm, convolution(maps)).relu()
            shape = maps.shape
            maps, indices = nn.functional.max_pool2d(maps, 2, ceil_mode=True, return_indices=True)
            switches.append((shape, indices))
        return full_precision(lambda m: _normalized(self.encoder[-1], self.encoder[-2](m)), maps).flatten(1), switches

    def encode(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n p"]:
        """Embed images, which may be flat: z = f(x). In float32 even under autocast."""
        return self._encoded(x)[0]

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Reconstruct images, in the shape in which they came, from their codes and the pools' switches."""
        z, switches = self._encoded(x)
        maps = z[:, :, None, None]
        for i, (convolution, norm) in enumerate(zip(self.decoder[::2], self.decoder[1::2], strict=True)):
            last = i == len(switches)
            maps = (unchanged if last else torch.relu)(_normalized(norm, convolution(maps)))
            if not last:
                maps = _unpooled(maps, *switches[-1 - i])
        return maps.reshape(x.shape)


def _unpooled(maps: Tensor, shape: torch.Size, indices: Tensor) -> Tensor:
    """Put values at the indices of a pool's maxima, and zeros elsewhere."""
    empty = maps.new_zeros(shape).flatten(2)
    return empty.scatter(2, indices.flatten(2), maps.flatten(2)).view(shape)


def _normalized(norm: nn.Module, maps: Tensor) -> Tensor:
    """Normalise; a single value in each map, which has no variance, by the running statistics."""
    if norm.training and isinstance(norm, nn.BatchNorm2d) and maps.numel() == maps.shape[1]:
        return nn.functional.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    return norm(maps)
