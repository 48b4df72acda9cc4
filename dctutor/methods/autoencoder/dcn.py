"""Deep Clustering Network (Yang, Fu, Sidiropoulos & Hong 2017)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dctutor._validation import check_integer, check_number
from dctutor.architectures import Autoencoder
from dctutor.augmentation import mask
from dctutor.classical.kmeans import kmeans, nearest
from dctutor.estimator.pretrained import PretrainedClusterer
from dctutor.losses import k_means, reconstruction
from dctutor.schedules import one_cycle
from dctutor.training import Loop

__all__ = ["DCN"]


@dataclass(eq=False, repr=False, kw_only=True)
class DCN(PretrainedClusterer):
    r"""Deep Clustering Network: k-means and an autoencoder take turns with each mini-batch.

    k-means on a pre-trained autoencoder's embedding gives every sample a cluster :math:`s_i` and every cluster
    a centre, a column of M. Then three updates repeat, a mini-batch at a time:

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
        Passes over the data in clustering, and the peak of its learning rate (Adam, one cycle).
    recenter : int or None, default=1
        Epochs between two runs of k-means that renew the centres; None is never.
    noise : float, default=0.4
        Share of the encoder's inputs set to zero in pre-training and in the first update, in [0, 1).
    layerwise_epochs, pretrain_epochs, weight_init : int, int and str, default=0, 100 and "pytorch"
        Of pre-training, see `PretrainedClusterer`, whose own defaults differ.
    n_clusters, widths, pretrain_learning_rate, pretrain_weight_decay, autoencoder
        See `PretrainedClusterer`.
    batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    =====================  ====================================
    paper                  argument or attribute
    =====================  ====================================
    K, :math:`\lambda`     ``n_clusters``, ``lam``
    M, :math:`s_i`         ``cluster_centers_``, ``labels_``
    =====================  ====================================

    As in the authors' code, centres start with a count of 100, and k-means from the present ones renews them (there
    every 10 epochs): the codes shrink, and a mean of old ones falls behind. Departures: pre-training of all layers at
    once; Adam and one cycle in place of SGD; the encoder sees a corrupted copy in update 1; update 3 goes at once to
    where steps of 1 / count lead in any order. Defaults were set after a few trials on `mnist-5k`, labels seen.

    References
    ----------
    Yang, Fu, Sidiropoulos & Hong (2017). Towards k-means-friendly spaces. ICML.

    Examples
    --------
    >>> from dctutor import DCN, load_dataset
    >>> DCN(pretrain_epochs=5, random_state=0, verbose=False).fit(load_dataset("digits").X).cluster_centers_.shape
    (10, 10)
    """

    lam: float = 1.0
    epochs: int = 30
    recenter: int | None = 1
    noise: float = 0.4
    layerwise_epochs: int = 0
    pretrain_epochs: int = 100
    weight_init: str = "pytorch"
    learning_rate: float = 1e-3

    def _check_params(self) -> None:
        super()._check_params()
        check_number("lam", self.lam)
        check_integer("epochs", self.epochs, minimum=1)
        if self.recenter is not None:
            check_integer("recenter", self.recenter, minimum=1)
        check_number("learning_rate", self.learning_rate, open_at_minimum=True)

    def _train(self, loop: Loop) -> tuple[Autoencoder, Tensor]:
        autoencoder = self._pretrained(loop)
        centers = torch.zeros(self.n_clusters, autoencoder.embedding_dim, device=loop.device)
        loop.register(centers=centers)
        loop.watch(autoencoder.encode, centers)
        optimizer = loop.adam(autoencoder.parameters(), self.learning_rate)

        def renew(init: Tensor | None) -> bool:
            z = loop.map(autoencoder.encode)
            loop.check_finite(embedding=z)
            centers.copy_(torch.from_numpy(kmeans(z, self.n_clusters, loop.generator, init=init)))
            loop.state["labels"] = nearest(z, centers)
            return False  # never the end of training

        def start() -> None:
            renew(None)
            loop.state["counts"] = torch.full((self.n_clusters,), 100.0, device=loop.device)

        def step(index: Tensor) -> dict[str, Tensor]:
            x, labels = loop.x[index], loop.state["labels"]
            before = labels[index]
            z = autoencoder.encode(mask(x, self.noise, loop.device_generator))
            l_r = reconstruction(x, autoencoder.decode(z), reduction="sum") / len(x)
            l_km = k_means(z, centers, before)
            loss = l_r + self.lam / 2 * l_km
            loop.minimize(loss, optimizer)  # update 1
            with torch.no_grad():
                z = autoencoder.encode(x)
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
            refresh=lambda: self.recenter is not None and loop.steps > 0 and renew(centers),
            refresh_every=(self.recenter or 1) * loop.steps_per_epoch(self.batch_size),
        )
        return autoencoder, centers


def move(centers: Tensor, counts: Tensor, z: Tensor, labels: Tensor) -> None:
    """Let centres follow their new samples, in place: a mean over all they have had, ``counts`` of them before."""
    member = (labels == torch.arange(len(centers), device=labels.device).unsqueeze(1)).to(z)
    new, total = member.sum(1), (member.unsqueeze(2) * z).sum(1)  # index_add_ would not repeat on a GPU
    counts += new
    centers += (total - new.unsqueeze(1) * centers) / counts.unsqueeze(1)
