"""A convolutional network that looks at one place of an image (Niu et al. 2020)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer, check_sizes
from dctutor.architectures._layers import full_precision
from dctutor.architectures.mlp import MLP
from dctutor.architectures.pooled_cnn import PooledCNN

__all__ = ["AttentionNetwork", "gaussian_map"]

_SCALE = 0.05  # of the squared distance at which the map has fallen to 1 / sqrt(e), times the width


def gaussian_map(
    center: Float[Tensor, "n 2"], width: Float[Tensor, " n"], size: tuple[int, int]
) -> Float[Tensor, "n h w"]:
    r"""Weights of the places of an image, largest at one of them (Niu et al. 2020, section III).

    .. math:: A(u) = \exp\left(-\frac{\lVert u - \mu \rVert^2}{2 \cdot 0.05 \, \delta}\right)

    Parameters
    ----------
    center : Tensor of shape (n, 2)
        :math:`\mu`, the row and the column, fractions of the height and the width.
    width : Tensor of shape (n,)
        :math:`\delta`, positive.
    size : (h, w)
        Places per column and per row; the first is at 0, the last at 1.

    Returns
    -------
    Tensor of shape (n, h, w)
        In (0, 1].
    """
    down, right = (torch.linspace(0, 1, length, device=center.device) for length in size)
    rows = (down - center[:, :1]).square()[:, :, None]
    columns = (right - center[:, 1:]).square()[:, None, :]
    return torch.exp(-(rows + columns) / (2 * _SCALE * width[:, None, None]))


class AttentionNetwork(nn.Module):
    """From images to two sets of logits: of the whole image, and of the place that the network attends to.

    A `PooledCNN`'s convolutions, then one of 1 x 1 with K maps. Their means over all places go through two dense layers to
    the logits. A dense layer also puts out three numbers per image, the middle and the width of a `gaussian_map`; the sums
    of the maps, weighted by it, go through two dense layers of their own. Samples that are no images have no places: a
    gate, one sigmoid per feature, weighs their features instead.

    Parameters
    ----------
    n_features : int
        Width d of a flat sample.
    n_clusters : int
        Number of logits, K.
    image_shape : (C, H, W) or None
        Shape of an image; None for other samples.
    channels, widths : sequence of int
        Feature maps of the convolutions for images; widths of the dense layers for other samples.

    Attributes
    ----------
    embedding_dim : int
        K: the code is the logits.
    """

    def __init__(
        self,
        n_features: int,
        n_clusters: int,
        image_shape: Sequence[int] | None = None,
        channels: Sequence[int] = (32, 64),
        widths: Sequence[int] = (500, 500),
    ) -> None:
        super().__init__()
        k = self.embedding_dim = check_integer("n_clusters", n_clusters, minimum=1)
        self.image_shape = None if image_shape is None else tuple(image_shape)
        if self.image_shape is None:
            self.body: nn.Module = MLP(n_features, [*check_sizes("widths", widths), k])
            self.attend = nn.Linear(k, k)
        else:
            body = PooledCNN(self.image_shape, channels, 1).blocks
            top = nn.Conv2d(channels[-1], k, 1, bias=False)
            self.body = nn.Sequential(*body, top, nn.BatchNorm2d(k), nn.ReLU())
            self.size = (-(-self.image_shape[1] // 2 ** len(channels)), -(-self.image_shape[2] // 2 ** len(channels)))
            self.attend = nn.Linear(k * self.size[0] * self.size[1], 3)
        self.label = nn.Sequential(nn.Linear(k, k), nn.BatchNorm1d(k), nn.ReLU(), nn.Linear(k, k))
        self.attended = nn.Sequential(nn.Linear(k, k), nn.BatchNorm1d(k), nn.ReLU(), nn.Linear(k, k))

    def maps(self, x: Float[Tensor, "n ..."]) -> Tensor:
        """Return K maps per image, or K features per other sample."""
        if self.image_shape is None:
            return self.body(x)
        return self.body(x.reshape(len(x), *self.image_shape))

    def look(self, maps: Tensor) -> Tensor:
        """Return the weight of each place, shape (n, h, w), or of each feature, shape (n, K), in float32."""
        if self.image_shape is None:
            return full_precision(self.attend, maps).sigmoid()
        down, right, width = full_precision(self.attend, maps.flatten(1)).sigmoid().unbind(1)
        return gaussian_map(torch.stack([down, right], 1), width + 1e-3, self.size)

    def both(self, x: Float[Tensor, "n ..."]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
        """Logits of whole samples, and of what the network attends to."""
        maps = self.maps(x)
        weights = self.look(maps)
        if self.image_shape is None:
            whole, part = maps, maps * weights
        else:
            whole, part = maps.mean((2, 3)), (maps * weights[:, None]).sum((2, 3))
        return full_precision(self.label, whole), full_precision(self.attended, part)

    def encode(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        """Logits of whole samples."""
        return self.both(x)[0]

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        """Logits of whole samples."""
        return self.encode(x)
