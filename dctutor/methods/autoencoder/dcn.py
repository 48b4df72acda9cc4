"""Deep Clustering Network (Yang, Fu, Sidiropoulos & Hong 2017)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dctutor.augmentation import mask
from dctutor.classical import kmeans, nearest
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, ProperFraction, Trained, Whole
from dctutor.losses import k_means, reconstruction
from dctutor.schedules import one_cycle
from dctutor.training import Loop

__all__ = ["DCN"]


@dataclass(eq=False, repr=False, kw_only=True)
class DCN(PretrainedClusterer):
    r"""Deep Clustering Network: k-means and an autoencoder take turns with each mini-batch.

    k-means on a pre-trained autoencoder's embedding gives every sample a cluster :math:`s_i` and every cluster
    a centre, a column of M. Then three updates repeat, one mini-batch at a time:

    1. a gradient step of the network on (survey eq. 1 and 4)

       .. math:: \frac{1}{n} \sum_i \Big( \lVert g(f(x_i)) - x_i \rVert^2
                 + \frac{\lambda}{2} \lVert f(x_i) - M s_i \rVert^2 \Big)

    2. for each sample of the batch, the nearest centre;
    3. for each centre, a step of 1 / count towards each sample that it just got; it counts all that it ever had.

    Parameters
    ----------
    lam : float, default=1.0
        Weight of the k-means loss.
    epochs, learning_rate : int and float, default=30 and 0.001
        Epochs of clustering, and the peak of its learning rate (Adam, one cycle).
    recenter : int or None, default=1
        Epochs between two runs of k-means that renew the centres; None is never.
    noise : float, default=0.4
        Fraction of the encoder's inputs set to zero in pre-training and in the first update, in [0, 1).
    layerwise_epochs, pretrain_epochs, weight_init : int, int and str, default=0, 100 and "pytorch"
        Of pre-training, see `PretrainedClusterer`, whose own defaults differ.
    n_clusters, widths, channels, pretrain_learning_rate
        See `PretrainedClusterer`.
    pretrain_weight_decay, augment, autoencoder
        See `PretrainedClusterer`.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    =====================  ====================================
    paper                  argument or attribute
    =====================  ====================================
    K, :math:`\lambda`     ``n_clusters``, ``lam``
    M, :math:`s_i`         ``cluster_centers_``, ``labels_``
    =====================  ====================================

    As in the authors' code, centres start with a count of 100, and k-means from the present centres renews them (there
    every 10 epochs), because the codes shrink and a mean of old ones falls behind.

    =======================================  ========================================  =========================
    paper                                    here                                      why
    =======================================  ========================================  =========================
    pre-training layer by layer              of all layers at once                     chosen by trials
    SGD                                      Adam, one cycle                           as in pre-training
    update 1 on clean inputs                 the encoder sees a corrupted copy         chosen by trials
    update 3 sample by sample                at once, to where such steps lead         one operation per batch
    =======================================  ========================================  =========================

    Defaults were set after a few trials on ``mnist-5k``, with labels seen.

    References
    ----------
    Yang, Fu, Sidiropoulos & Hong (2017). Towards k-means-friendly spaces. ICML.

    Examples
    --------
    >>> from dctutor import DCN, load_dataset
    >>> DCN(pretrain_epochs=5, random_state=0, verbose=False).fit(load_dataset("digits").X).cluster_centers_.shape
    (10, 10)
    """

    lam: NonNegative = 1.0
    epochs: Count = 30
    recenter: Count | None = 1
    noise: ProperFraction = 0.4
    layerwise_epochs: Whole = 0
    pretrain_epochs: Whole = 100
    weight_init: Literal["glorot", "pytorch"] = "pytorch"
    learning_rate: Positive = 1e-3

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        centers = torch.zeros(self.n_clusters, network.embedding_dim, device=loop.device)
        loop.register(centers=centers)
        loop.watch(network.encode, centers)
        optimizer = loop.adam(network.parameters(), self.learning_rate)

        def place_centers(init: Tensor | None) -> None:
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
            centers.copy_(torch.from_numpy(kmeans(z, self.n_clusters, loop.generator, init=init)))
            loop.state["labels"] = nearest(z, centers)

        def start() -> None:
            place_centers(None)
            loop.state["counts"] = torch.full((self.n_clusters,), 100.0, device=loop.device)

        def refresh() -> None:
            if self.recenter is not None and loop.steps > 0:
                place_centers(centers)

        def step(index: Tensor) -> dict[str, Tensor]:
            x, labels = loop.x[index], loop.state["labels"]
            before = labels[index]
            z = network.encode(mask(x, self.noise, loop.noise_generator))
            l_r = reconstruction(x, network.decode(z), reduction="sum") / len(x)
            l_km = k_means(z, centers, before)
            loss = l_r + self.lam / 2 * l_km
            loop.minimize(loss, optimizer)  # update 1
            with torch.no_grad():
                z = network.encode(x)
                labels[index] = nearest(z, centers)  # update 2
                move(centers, loop.state["counts"], z, labels[index])  # update 3
            moved = (labels[index] != before).float().mean()
            return {"loss": loss, "reconstruction": l_r, "k_means": l_km, "changed": moved}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate_schedule=one_cycle(),
            start=start,
            refresh=refresh,
            refresh_epochs=self.recenter or 1,
        )
        return Trained(network, centers=centers)


def move(centers: Tensor, counts: Tensor, z: Tensor, labels: Tensor) -> None:
    """Let centres follow their new samples, in place: a mean over all they have had, ``counts`` of them before."""
    member = (labels == torch.arange(len(centers), device=labels.device).unsqueeze(1)).to(z)
    new, total = member.sum(1), (member.unsqueeze(2) * z).sum(1)  # index_add_ would not repeat on a GPU
    counts += new
    centers += (total - new.unsqueeze(1) * centers) / counts.unsqueeze(1)
