"""What methods that start from a pre-trained autoencoder share."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from dctutor._validation import check_integer, check_number, check_sizes
from dctutor.architectures import Autoencoder
from dctutor.architectures._layers import check_weight_init
from dctutor.estimator import DeepClusterer
from dctutor.training import Loop
from dctutor.training.pretraining import pretrain

__all__ = ["PretrainedClusterer"]


@dataclass(eq=False, repr=False, kw_only=True)
class PretrainedClusterer(DeepClusterer):
    """Base of the methods that pre-train a dense autoencoder first.

    Parameters
    ----------
    n_clusters : int, default=10
        Number of clusters, K.
    widths : sequence of int, default=(500, 500, 2000, 10)
        Widths of the encoder's layers; the last is that of the embedding.
    layerwise_epochs : int, default=10
        Passes over the data for each pair of layers, greedily.
    pretrain_epochs : int, default=80
        Passes over the data for the whole autoencoder.
    noise : float, default=0.2
        Share of inputs set to zero in pre-training, in [0, 1).
    pretrain_learning_rate : float, default=0.001
        Peak learning rate of pre-training (AdamW, one cycle).
    pretrain_weight_decay : float, default=0.0
        Share of each weight that a step of pre-training takes off, per unit of learning rate (AdamW).
    weight_init : {"glorot", "pytorch"}, default="glorot"
        The autoencoder's first weights, see `dctutor.architectures.Autoencoder`.
    autoencoder : Autoencoder or None, default=None
        A trained one, such as ``AutoencoderKMeans().fit(X).network_``, to start from a copy of
        instead of pre-training.
    batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
        See `DeepClusterer`.
    """

    widths: Sequence[int] = (500, 500, 2000, 10)
    layerwise_epochs: int = 10
    pretrain_epochs: int = 80
    noise: float = 0.2
    pretrain_learning_rate: float = 1e-3
    pretrain_weight_decay: float = 0.0
    weight_init: str = "glorot"
    autoencoder: Autoencoder | None = None

    def _check_params(self) -> None:
        super()._check_params()
        check_sizes("widths", self.widths)
        check_integer("layerwise_epochs", self.layerwise_epochs, minimum=0)
        check_integer("pretrain_epochs", self.pretrain_epochs, minimum=0)
        check_number("noise", self.noise, below=1)
        check_number("pretrain_learning_rate", self.pretrain_learning_rate, open_at_minimum=True)
        check_number("pretrain_weight_decay", self.pretrain_weight_decay)
        check_weight_init(self.weight_init)
        if self.autoencoder is not None and not isinstance(self.autoencoder, Autoencoder):
            raise TypeError(f"autoencoder: expected an Autoencoder or None, got {self.autoencoder!r}")

    def _build_network(self, n_features: int) -> nn.Module:
        return self._build_autoencoder(n_features)

    def _build_autoencoder(self, n_features: int) -> Autoencoder:
        return Autoencoder(n_features, self.widths, self.weight_init)

    def _untrained(self, loop: Loop) -> Autoencoder:
        """Return the registered autoencoder with its first weights."""
        network = loop.build(lambda: self._build_autoencoder(loop.x.shape[1]))
        loop.register(network=network)
        return network

    def _pretrained(self, loop: Loop) -> Autoencoder:
        """Return the registered autoencoder, pre-trained on the loop's data or copied from the one given."""
        width = loop.x.shape[1]
        if self.autoencoder is not None:
            given = [layer.in_features for layer in self.autoencoder.encoder]
            expected = [width, *self.widths[:-1]]
            if [*given, self.autoencoder.embedding_dim] != [*expected, self.widths[-1]]:
                raise ValueError(
                    f"autoencoder: expected layers {(*expected, self.widths[-1])}, as widths says,"
                    f" got {(*given, self.autoencoder.embedding_dim)}"
                )
            network = copy.deepcopy(self.autoencoder).to(loop.device, torch.float32).train().requires_grad_()
            loop.register(network=network)
            loop.watch(network.encode)
            return network
        network = self._untrained(loop)
        pretrain(
            loop,
            network,
            layerwise_epochs=self.layerwise_epochs,
            epochs=self.pretrain_epochs,
            noise=self.noise,
            learning_rate=self.pretrain_learning_rate,
            weight_decay=self.pretrain_weight_decay,
            batch_size=self.batch_size,
        )
        return network
