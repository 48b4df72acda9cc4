"""Discriminatively boosted clustering (Li, Qiao, Zhang & Xi 2017)."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from dctutor.architectures import Autoencoder, PooledAutoencoder, StudentT
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, ProperFraction, Sizes, Trained, Whole
from dctutor.losses import assignment_hardening, boosted_target
from dctutor.methods._self_training import FirstClusters, SelfTraining
from dctutor.training import Loop

__all__ = ["DBC"]


@dataclass(eq=False, repr=False, kw_only=True)
class DBC(PretrainedClusterer):
    r"""Discriminatively boosted clustering: a convolutional encoder learns from its own assignments, boosted.

    An autoencoder of convolutions, pools and batch normalisation is pre-trained as a whole and its decoder set aside.
    k-means places the centres. Then encoder and centres minimise :math:`\sum_i KL(r_i \Vert s_i)` (paper eq. 3). s are
    Student's t assignments (eq. 1), r their powers, divided by the size of the cluster (algorithm 2, line 8):

    .. math:: r_{ij} = \frac{s_{ij}^\alpha / n_j}{\sum_{j'} s_{ij'}^\alpha / n_{j'}}, \qquad n_j = \sum_i s_{ij}^\alpha

    Parameters
    ----------
    channels : sequence of int or None, default=(6, 16, 120)
        Feature maps of the encoder's convolutions; the last is the width of the code. None, or data that are not
        images: dense layers of ``widths``, without normalisation.
    kernel_size : int, default=5
        Height and width of the kernels but the last, which covers what the pools leave; odd.
    batch_norm : bool, default=True
        Whether the convolutions are normalised.
    power : float, default=2.0
        Above 1, the target is surer than the assignments; at 1 nothing is boosted.
    balance : {"boosted", "soft"} or None, default="boosted"
        What the powers are divided by: their own sums over the samples, those of the assignments as in DEC, or 1.
    nu : float, default=1.0
        Degrees of freedom of the kernel.
    epochs, learning_rate : int and float, default=40 and 0.001
        The most epochs of clustering, and the learning rate (Adam).
    update_interval : int or None, default=None
        Steps between two targets; None is one epoch.
    tol : float, default=0.001
        Training stops when a smaller fraction of the samples changes cluster between two targets.
    init : {"kmeans", "ward", "ac-pic"}, default="kmeans"
        What places the centres, see `DEC`.
    layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate
        As in `PretrainedClusterer`, but by default 0, 40, 0.0 and 0.003.
    n_clusters, widths, pretrain_weight_decay, weight_init, augment, autoencoder
        See `PretrainedClusterer`.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`. Flat rows are images only if ``image_shape`` says so.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ======================================  ======================================
    paper                                   argument or attribute
    ======================================  ======================================
    k, v (eq. 1)                            ``n_clusters``, ``nu``
    :math:`\alpha` (eq. 2)                  ``power``
    :math:`n_j` (section 4.3.2)             ``balance``
    T, B (algorithm 2)                      ``epochs``, ``update_interval``
    :math:`\mu_j`                           ``cluster_centers_``
    table 2, row MNIST                      ``channels``, ``kernel_size``
    ======================================  ======================================

    =======================================================  =========================================  ===============
    paper                                                    here                                       why
    =======================================================  =========================================  ===============
    optimiser, rates, batches, activation: not stated        Adam, one cycle in pre-training; 256;      a choice
                                                             ReLU except after the code
    stops when no label changes                              when fewer than ``tol`` change             time
    maps are never padded                                    those smaller than two kernels are         small images
    =======================================================  =========================================  ===============

    Lengths and learning rates come from trials of a prototype on ``mnist-5k``, two seeds, labels seen.

    References
    ----------
    Li, Qiao, Zhang & Xi (2017). Discriminatively boosted image clustering with fully convolutional auto-encoders.
    arXiv:1703.07980.

    Examples
    --------
    >>> from dctutor import DBC, load_dataset
    >>> digits = load_dataset("digits")
    >>> short = {"kernel_size": 3, "pretrain_epochs": 3, "epochs": 2, "random_state": 0}
    >>> model = DBC(n_clusters=10, image_shape=digits.image_shape, **short).fit(digits.X)
    >>> model.transform(digits.X[:3]).shape
    (3, 120)
    """

    channels: Sizes | None = (6, 16, 120)
    layerwise_epochs: Whole = 0
    pretrain_epochs: Whole = 40
    noise: ProperFraction = 0.0
    pretrain_learning_rate: Positive = 3e-3
    kernel_size: Count = 5
    batch_norm: bool = True
    power: Positive = 2.0
    balance: Literal["boosted", "soft"] | None = "boosted"
    nu: Positive = 1.0
    epochs: Count = 40
    update_interval: Count | None = None
    learning_rate: Positive = 1e-3
    tol: NonNegative = 0.001
    init: FirstClusters = "kmeans"

    def _build_network(self, n_features: int) -> nn.Module:
        if self.channels is None or self.image_shape_ is None:
            return Autoencoder(n_features, self.widths, self.weight_init)
        network = PooledAutoencoder(
            self.image_shape_, self.channels, kernel_size=self.kernel_size, batch_norm=self.batch_norm
        )
        return network.to(memory_format=torch.channels_last)  # CPUs convolve faster so

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        head = loop.build(lambda: StudentT(self.n_clusters, network.embedding_dim, self.nu))
        loop.register(head=head)
        loop.watch(network.encode, head.centers)
        target = partial(boosted_target, power=self.power, balance=self.balance)  # algorithm 2, line 8
        clusters = SelfTraining(loop, network, head, tol=self.tol, target=target)
        optimizer = loop.adam([*network.encoder.parameters(), head.centers], self.learning_rate)

        def step(index: Tensor) -> dict[str, Tensor]:
            s = head.assign(network.encode(loop.x[index]))  # eq. 1
            loss = assignment_hardening(clusters.target(index), s)  # eq. 3
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            start=lambda: clusters.place_centers(self.init),
            refresh=clusters.refresh,
            refresh_steps=self.update_interval,
        )
        return Trained(network, head)
