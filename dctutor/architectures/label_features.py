"""A network whose output is already a clustering: label features, one entry per cluster (Chang et al. 2017)."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dctutor._validation import check_integer, check_sizes
from dctutor.architectures._layers import check_image, full_precision

__all__ = ["ConstraintLayer", "LabelNetwork"]


class ConstraintLayer(nn.Module):
    r"""Two dense layers that start as the identity, then rows of length 1 without negative entries.

    .. math:: l_k = \frac{e^{s z_k}}{\sqrt{\sum_{k'} e^{2 s z_{k'}}}}, \qquad s = \frac{3}{\sqrt{K - 1}}

    The product of two such rows lies in [0, 1]: near 1 if both have most of their length in the same entry, near 0 if
    in different ones. Each dense layer is followed by batch normalisation without trained scale, and a ReLU.
    Normalised over a batch, an entry cannot be large for all of its samples, nor for none. An entry that is on for one
    sample in K and off for all others has the value :math:`\sqrt{K - 1}` there. The factor s, 1 for the paper's K = 10,
    makes it 3 for every K: otherwise no two samples of few clusters could be unlike.

    Parameters
    ----------
    n_clusters : int
        Number of entries, K.

    Attributes
    ----------
    layers : nn.Sequential
        Dense layer, normalisation and ReLU, twice.
    scale : float
        s.

    Raises
    ------
    TypeError, ValueError
        If ``n_clusters`` is not a positive integer.
    """

    def __init__(self, n_clusters: int) -> None:
        super().__init__()
        k = check_integer("n_clusters", n_clusters, minimum=1)
        layers: list[nn.Module] = []
        for _ in range(2):
            dense = nn.Linear(k, k, bias=False)
            nn.init.eye_(dense.weight)
            layers += [dense, nn.BatchNorm1d(k, affine=False), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.scale = 3 / max(k - 1, 1) ** 0.5

    def forward(self, z: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Label features, in float32 even under autocast."""
        return full_precision(lambda z: functional.normalize((self.scale * self.layers(z)).softmax(1)), z)


class LabelNetwork(nn.Module):
    """From samples to label features: convolutions for images, dense layers for other data, then a `ConstraintLayer`.

    Images pass three 3 x 3 convolutions and a pool per entry of ``widths``, a 1 x 1 convolution to one map per cluster,
    and the mean of each map. Convolutions are without padding, except where a map is too small for them. Everything is
    followed by batch normalisation without trained scale and, except for pools, a ReLU.

    Parameters
    ----------
    n_features : int
        Input width d.
    n_clusters : int
        Number of entries of a label feature, K.
    widths : sequence of int
        Feature maps of each three convolutions; widths of the dense layers for other data.
    image_shape : (C, H, W) or None
        Shape of an input; None for data that are not images.

    Attributes
    ----------
    body : nn.Sequential
        From samples to K maps or values.
    constraint : ConstraintLayer
        From their means to label features.

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive integer, or there are no widths.
    """

    def __init__(
        self, n_features: int, n_clusters: int, widths: Sequence[int], image_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.constraint = ConstraintLayer(n_clusters)
        sizes = check_sizes("widths", widths)
        if image_shape is None:
            body = [layer for pair in pairwise((n_features, *sizes, n_clusters)) for layer in _dense(*pair)]
            self.image_shape: tuple[int, ...] = (n_features,)
        else:
            self.image_shape = check_image(image_shape, 3)
            body = _convolutions(*self.image_shape, sizes, n_clusters)
        self.body = nn.Sequential(*body)
        for layer in self.body:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def encode(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        """Label features of samples; images may be flat."""
        x = x.clamp(-1e9, 1e9)  # a sample that lies absurdly far away would otherwise turn into NaN on the way
        return self.constraint(self.body(x.reshape(len(x), *self.image_shape)))

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
        """Label features of samples."""
        return self.encode(x)


def _dense(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs, affine=False), nn.ReLU()]


def _convolutions(inputs: int, height: int, width: int, maps: Sequence[int], k: int) -> list[nn.Module]:
    body: list[nn.Module] = []
    for outputs in maps:
        for _ in range(3):
            padding = int(min(height, width) < 3)
            convolution = nn.Conv2d(inputs, outputs, 3, padding=padding, bias=False)
            body += [convolution, nn.BatchNorm2d(outputs, affine=False), nn.ReLU()]
            inputs, height, width = outputs, height - 2 + 2 * padding, width - 2 + 2 * padding
        body += [nn.MaxPool2d(2, ceil_mode=True), nn.BatchNorm2d(outputs, affine=False)]
        height, width = -(-height // 2), -(-width // 2)
    body += [nn.Conv2d(inputs, k, 1, bias=False), nn.BatchNorm2d(k, affine=False), nn.ReLU()]
    return [*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(k, affine=False)]
