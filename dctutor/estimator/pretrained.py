"""What methods that start from a pre-trained autoencoder share."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from dctutor.architectures import (
    Autoencoder,
    ConvolutionalAutoencoder,
    FullyConvolutionalAutoencoder,
    load_pretrained,
)
from dctutor.augmentation import augmenter, check_affine
from dctutor.estimator.base import DeepClusterer
from dctutor.estimator.parameters import NonNegative, Positive, ProperFraction, Sizes, Whole
from dctutor.losses import reconstruction
from dctutor.training.loop import Loop
from dctutor.training.pretraining import pretrain

__all__ = ["PretrainedClusterer", "start_network"]


@dataclass(eq=False, repr=False, kw_only=True)
class PretrainedClusterer(DeepClusterer):
    """Base of the methods that pre-train an autoencoder first: a dense one, or a convolutional one for images.

    Parameters
    ----------
    n_clusters : int, default=10
        Number of clusters, K.
    widths : sequence of int, default=(500, 500, 2000, 10)
        Widths of the encoder's dense layers; the last is that of the embedding.
    channels : sequence of int or None, default=None
        Feature maps of an encoder's convolutions, each of which halves height and width, in place of all dense layers
        but the last. None, or data that are not images: dense layers.
    layerwise_epochs : int, default=10
        Epochs for each pair of dense layers, greedily.
    pretrain_epochs : int, default=80
        Epochs for the whole autoencoder.
    noise : float, default=0.2
        Fraction of inputs set to zero in pre-training, in [0, 1).
    pretrain_learning_rate : float, default=0.001
        Peak learning rate of pre-training (AdamW, one cycle).
    pretrain_weight_decay : float, default=0.0
        Decoupled weight decay of pre-training (AdamW).
    weight_init : {"glorot", "pytorch"}, default="glorot"
        Initial weights of a dense autoencoder, see `dctutor.architectures.Autoencoder`.
    augment : mapping of str to float or None, default=None
        Random changes of each image in pre-training, as arguments of `dctutor.augmentation.affine`:
        ``{"rotation": 10, "shift": 0.1}``.
    autoencoder : nn.Module, str or None, default=None
        A trained one of these layers to start from a copy of instead of pre-training, such as
        ``AutoencoderKMeans().fit(X).network_``; or the name of one that `dctutor.architectures.load_pretrained` has.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`.
    """

    widths: Sizes = (500, 500, 2000, 10)
    channels: Sizes | None = None
    layerwise_epochs: Whole = 10
    pretrain_epochs: Whole = 80
    noise: ProperFraction = 0.2
    pretrain_learning_rate: Positive = 1e-3
    pretrain_weight_decay: NonNegative = 0.0
    weight_init: Literal["glorot", "pytorch"] = "glorot"
    augment: Mapping[str, float] | None = None
    autoencoder: nn.Module | str | None = None

    def _check_params(self) -> None:
        if self.augment is not None:
            check_affine(self.augment, "augment")

    def _build_network(self, n_features: int) -> nn.Module:
        return self._build_autoencoder(n_features)

    def _build_autoencoder(self, n_features: int) -> Autoencoder | ConvolutionalAutoencoder:
        """Make what is pre-trained: the network itself, or a part of it."""
        if self.channels is None or self.image_shape_ is None:
            return Autoencoder(n_features, self.widths, self.weight_init)
        return ConvolutionalAutoencoder(self.image_shape_, self.channels, self.widths[-1])

    def _reconstruction(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Loss of pre-training, from inputs and what ``decode`` makes of their codes."""
        return reconstruction(x, x_hat)

    def _pretrained(self, loop: Loop, build: Callable[[int], nn.Module] | None = None) -> Any:
        """Return the autoencoder, registered, and pre-trained on the loop's data or copied from the one given."""
        network = start_network(loop, build or self._build_network, self.autoencoder)
        if self.autoencoder is not None:
            loop.watch(network.encode)
            return network
        if isinstance(network, FullyConvolutionalAutoencoder):
            network.center(loop.x[:1000])
        pretrain(
            loop,
            network,
            layerwise_epochs=self.layerwise_epochs,
            epochs=self.pretrain_epochs,
            noise=self.noise,
            learning_rate=self.pretrain_learning_rate,
            weight_decay=self.pretrain_weight_decay,
            batch_size=self.batch_size,
            augment=self._augmenter(loop),
            loss=self._reconstruction,
        )
        return network

    def _amounts(self) -> Mapping[str, float] | None:
        """Amounts of the random changes of images; for methods that choose them themselves."""
        return self.augment

    def _augmenter(self, loop: Loop) -> Callable[[Tensor], Tensor]:
        return augmenter(self._amounts(), self.image_shape_, loop.noise_generator)


def start_network(loop: Loop, build: Any, given: nn.Module | str | None) -> Any:
    """Build a network, or copy the one given if it has the same layers; register it as ``network``.

    Parameters
    ----------
    loop : Loop
        The loop.
    build : callable
        Makes the network from the width of an input.
    given : nn.Module, str or None
        A trained one, or the name of one that is bundled; called ``autoencoder`` in errors. It stays as it is.

    Raises
    ------
    TypeError, ValueError
        If ``given`` is of another class, or of other layers.
    """
    network = loop.build(lambda: build(loop.x.shape[1]))
    if isinstance(given, str):
        given = load_pretrained(given, argument="autoencoder")
    if given is not None:
        if not isinstance(given, type(network)):
            raise TypeError(f"autoencoder: expected {_article(type(network).__name__)}, got {given!r}")
        if (got := _shapes(given)) != (expected := _shapes(network)):
            raise ValueError(f"autoencoder: expected layers {expected}, as the arguments and the data say, got {got}")
        if (of_given := _activation(given)) != (own := _activation(network)):
            raise ValueError(f"autoencoder: expected one whose codes go through {own}, as here, got {of_given}")
        network = loop.adopt(copy.deepcopy(given))
    loop.register(network=network)
    return network


def _shapes(network: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for name, value in network.state_dict().items() if name.endswith("weight")]


def _activation(network: nn.Module) -> str | None:
    activation = getattr(network, "code_activation", None)
    return getattr(activation, "__name__", activation)


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"
