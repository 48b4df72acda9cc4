"""What methods that start from a pre-trained convolutional autoencoder without dense layers share."""

from collections.abc import Sequence
from dataclasses import dataclass

from dctutor._validation import check_integer, check_number, check_sizes
from dctutor.architectures import Autoencoder, FullyConvolutionalAutoencoder
from dctutor.estimator import DeepClusterer
from dctutor.training import Loop
from dctutor.training.pretraining import pretrain

__all__ = ["ConvolutionalClusterer"]

Network = FullyConvolutionalAutoencoder | Autoencoder


@dataclass(eq=False, repr=False, kw_only=True)
class ConvolutionalClusterer(DeepClusterer):
    """Base of the methods whose code is the last feature maps of a convolutional autoencoder.

    Data that are no images get an autoencoder of dense layers.

    Parameters
    ----------
    channels, kernel_sizes : sequence of int, default=(15,) and (3,)
        Feature maps and kernels of the encoder's convolutions, each of which halves height and width.
    image_shape : (C, H, W) or None, default=None
        Shape of an image, where ``X`` is flat.
    widths : sequence of int, default=(500, 500, 2000, 10)
        Widths of the dense layers; the last is that of the embedding.
    pretrain_epochs : int, default=50
        Passes over the data for the autoencoder alone, in batches of ``batch_size``.
    pretrain_learning_rate : float, default=0.001
        Peak learning rate of pre-training (Adam, one cycle).
    autoencoder : FullyConvolutionalAutoencoder, Autoencoder or None, default=None
        A trained one of these layers, such as another fit's ``network_``, to start from a copy of instead.
    n_clusters, batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
        See `DeepClusterer`.
    """

    channels: Sequence[int] = (15,)
    kernel_sizes: Sequence[int] = (3,)
    image_shape: Sequence[int] | None = None
    widths: Sequence[int] = (500, 500, 2000, 10)
    pretrain_epochs: int = 50
    pretrain_learning_rate: float = 1e-3
    autoencoder: Network | None = None

    def _check_params(self) -> None:
        super()._check_params()
        for name in ("channels", "kernel_sizes", "widths"):
            check_sizes(name, getattr(self, name))
        check_integer("pretrain_epochs", self.pretrain_epochs, minimum=0)
        check_number("pretrain_learning_rate", self.pretrain_learning_rate, open_at_minimum=True)
        # Only its weights are taken over, so that a subclass would lose what it does otherwise.
        if self.autoencoder is not None and type(self.autoencoder) not in (FullyConvolutionalAutoencoder, Autoencoder):
            expected = "a FullyConvolutionalAutoencoder, an Autoencoder (no subclass) or None"
            raise TypeError(f"autoencoder: expected {expected}, got {self.autoencoder!r}")

    def _build_network(self, n_features: int) -> Network:
        if self.image_shape_ is None:
            return Autoencoder(n_features, self.widths)
        return FullyConvolutionalAutoencoder(self.image_shape_, self.channels, self.kernel_sizes)

    def _pretrained(self, loop: Loop) -> Network:
        """Return the registered autoencoder, pre-trained on the loop's data or copied from the one given."""
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        if self.autoencoder is not None:
            try:
                network.load_state_dict(self.autoencoder.state_dict())
            except RuntimeError as error:
                raise ValueError(f"autoencoder: expected the layers of {network}, got {self.autoencoder}") from error
        elif isinstance(network, FullyConvolutionalAutoencoder):
            network.center(loop.x[:1000])
        loop.register(network=network)
        pretrain(
            loop,
            network,
            layerwise_epochs=0,
            epochs=self.pretrain_epochs if self.autoencoder is None else 0,
            noise=0.0,
            learning_rate=self.pretrain_learning_rate,
            batch_size=self.batch_size,
        )
        return network
