"""The clustering module (Boubekki, Kampffmeyer, Brefeld & Jenssen 2021)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from dctutor import losses
from dctutor.architectures import Identity, Mixture
from dctutor.classical import kmeans
from dctutor.estimator import Count, DeepClusterer, Positive, Trained
from dctutor.estimator.prediction import Floats
from dctutor.estimator.scaling import Rule
from dctutor.schedules import linear
from dctutor.training import AveragedEpoch, Loop

__all__ = ["ClusteringModule"]


@dataclass(eq=False, repr=False, kw_only=True)
class ClusteringModule(DeepClusterer):
    r"""Clustering module: a Gaussian mixture as an autoencoder of one hidden layer, trained by gradients.

    .. math:: \gamma_i = \mathrm{softmax}(W x_i + b), \qquad \bar{x}_i = \sum_k \gamma_{ik} \mu_k

    .. math:: L = (E_1 + E_2 + E_3) / n d + E_4

    over the n samples of a batch, with the terms of `dctutor.losses.clustering_module`. The first three add up to
    :math:`\sum_{ik} \gamma_{ik} \lVert x_i - \mu_k \rVert^2`, which k-means minimises over hard assignments; the last
    is a Dirichlet prior on the fractions of samples in the clusters.
    `dctutor.classical.spherical_mixture` minimises L without a network.

    Parameters
    ----------
    alpha : float, default=1.03
        Concentration of the Dirichlet prior. 1 leaves it out; the larger, the more even the clusters.
    init : {"rand", "pre"}, default="rand"
        Random weights, or centroids from k-means++ and one pass of k-means, with their pseudo-inverse as W.
    epochs : int, default=150
        Epochs, before one more whose weights are averaged step by step.
    learning_rate : float, default=0.01
        Of Adam at the start; it falls to a hundredth along a straight line. Few features, or few samples and so few
        steps, need a larger one or a smaller ``batch_size``; otherwise clusters stay empty.
    n_clusters, image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, d)
        The centroids in the units of ``transform(X)``, in which training sees the data: ``X`` less its mean, divided by
        one number that makes the mean variance of a feature 1. ``centroids_`` has them in the units of ``X``.

    Notes
    -----
    ====================================  =======================================================
    paper                                 here
    ====================================  =======================================================
    :math:`\alpha_k`                      ``alpha``, equal for all k
    ``rand``, ``pre``                     ``init``
    150 epochs, then one averaged epoch   ``epochs``
    :math:`\gamma_i`, :math:`\mu_k`       rows of ``predict_proba`` and of ``centroids_``
    ====================================  =======================================================

    Departures. Centring moves no optimum, and lets one learning rate serve data far from the origin. The authors' sums
    over a batch of B samples weigh :math:`E_4` by units, batch size and width; the division by n d, which a later
    version of their code has too, takes that away. An ``alpha`` of theirs reads here as
    :math:`1 + (\alpha - 1) / (B V)`, where V is the sum of the variances of all features in their units: 177 with
    B = 111 on MNIST becomes 1.03, the default. The batch size is this package's. ``history_`` lists the terms as L has
    them, and the mean entropy of :math:`\gamma_i` in nats.

    References
    ----------
    Boubekki, Kampffmeyer, Brefeld & Jenssen (2021). Joint optimization of an autoencoder for clustering and embedding.
    Machine Learning. Facts on initialisation and training are from the authors' code.

    Examples
    --------
    >>> from dctutor import ClusteringModule, load_dataset
    >>> digits = load_dataset("digits")
    >>> cm = ClusteringModule(n_clusters=10, epochs=5, random_state=0, verbose=False).fit(digits.X)
    >>> cm.centroids_.shape
    (10, 64)
    """

    input_scaling: ClassVar[Rule] = "centred"

    alpha: Positive = 1.03
    init: Literal["rand", "pre"] = "rand"
    epochs: Count = 150
    learning_rate: Positive = 0.01

    def _build_network(self, n_features: int) -> Identity:
        return Identity(n_features)

    def _build_head(self, embedding_dim: int) -> Mixture:
        return Mixture(self.n_clusters, embedding_dim)

    def _train(self, loop: Loop) -> Trained:
        module = loop.build(lambda: self._build_head(loop.x.shape[1]))
        averaged = AveragedEpoch(loop, self.epochs, module=module)
        loop.register(module=module)
        loop.watch(lambda x: x, module.centers)
        optimizer = loop.adam(module.parameters(), self.learning_rate)

        def start() -> None:
            if self.init == "pre":
                centers = kmeans(loop.x, self.n_clusters, loop.generator, n_init=1, max_iter=1)
                module.start_from(torch.from_numpy(centers).to(loop.device))

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index]
            gamma = module.assign(x)
            e1, e2, e3, e4 = losses.clustering_module(x, gamma, module.centers, self.alpha)
            e1, e2, e3 = e1 / x.numel(), e2 / x.numel(), e3 / x.numel()
            loss = e1 + e2 + e3 + e4
            loop.minimize(loss, optimizer)
            averaged.update()
            entropy = torch.special.entr(gamma.detach()).sum(1).mean()
            return {"loss": loss, "E1": e1, "E2": e2, "E3": e3, "E4": e4, "entropy": entropy}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=averaged.total,
            batch_size=self.batch_size,
            learning_rate_schedule=averaged.schedule(linear(1, 0.01)),
            start=start,
            end=averaged.finish,
        )
        return Trained(self._build_network(loop.x.shape[1]), module)

    @property
    def centroids_(self) -> Floats:
        r"""The centroids :math:`\mu_k` in the units of the data, shape (K, d)."""
        check_is_fitted(self)
        return self.inverse_transform(self.cluster_centers_)
