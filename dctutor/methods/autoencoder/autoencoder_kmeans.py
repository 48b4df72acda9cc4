"""The baseline: an autoencoder, then k-means on its embedding."""

from dataclasses import dataclass

import torch

from dctutor.classical import kmeans
from dctutor.estimator import PretrainedClusterer, Trained
from dctutor.training import Loop

__all__ = ["AutoencoderKMeans"]


@dataclass(eq=False, repr=False, kw_only=True)
class AutoencoderKMeans(PretrainedClusterer):
    """Pre-train an autoencoder, then run k-means on its embedding (survey 3.2.5).

    The clustering never reaches the network: this is what the other methods have to beat. ``predict`` takes the nearest
    centre; ``predict_proba`` applies Student's t kernel (survey eq. 5) to the distances, whose largest entry is that
    same centre.

    Parameters
    ----------
    n_clusters, widths, channels, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate
        See `PretrainedClusterer`.
    pretrain_weight_decay, weight_init, augment, autoencoder
        See `PretrainedClusterer`.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.
    """

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        z = loop.map(network.encode)
        loop.check_finite(embedding=z)
        return Trained(network, centers=torch.from_numpy(kmeans(z, self.n_clusters, loop.generator)))
