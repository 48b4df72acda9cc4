"""The baseline: an autoencoder, then k-means on its embedding."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dctutor.architectures import Autoencoder
from dctutor.classical.kmeans import kmeans
from dctutor.estimator.pretrained import PretrainedClusterer
from dctutor.training import Loop

__all__ = ["AutoencoderKMeans"]


@dataclass(eq=False, repr=False, kw_only=True)
class AutoencoderKMeans(PretrainedClusterer):
    """Pre-train an autoencoder, then run k-means on its embedding (survey 3.2.5).

    The clustering never reaches the network: this is what the other methods have to beat.
    ``predict`` takes the nearest centre; ``predict_proba`` applies Student's t kernel (survey
    eq. 5) to the distances, whose largest entry is that same centre.

    Parameters
    ----------
    n_clusters, widths, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate, pretrain_weight_decay
        See `PretrainedClusterer`.
    weight_init, autoencoder
        See `PretrainedClusterer`.
    batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
        See `DeepClusterer`, which also lists the attributes.
    """

    def _train(self, loop: Loop) -> tuple[Autoencoder, Tensor]:
        autoencoder = self._pretrained(loop)
        z = loop.map(autoencoder.encode)
        loop.check_finite(embedding=z)
        centers = kmeans(z, self.n_clusters, loop.generator)
        return autoencoder, torch.from_numpy(centers)
