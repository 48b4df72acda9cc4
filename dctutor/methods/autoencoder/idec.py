"""Improved Deep Embedded Clustering (Guo, Gao, Liu & Yin 2017)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dctutor.architectures import StudentT
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, ProperFraction, Trained
from dctutor.losses import assignment_hardening, reconstruction
from dctutor.methods._self_training import FirstClusters, SelfTraining
from dctutor.training import Loop

__all__ = ["IDEC"]


@dataclass(eq=False, repr=False, kw_only=True)
class IDEC(PretrainedClusterer):
    r"""Improved DEC: the decoder stays, so that clustering cannot tear the embedding away from the data.

    As in DEC, k-means on a pre-trained autoencoder's embedding places the centres, and encoder and centres then follow
    a sharpened copy of their own assignments. Here the reconstruction loss goes on:

    .. math:: L = L_r + \gamma L_c, \qquad L_r = \text{survey eq. 1}, \quad L_c = KL(P \Vert Q) \qquad
              \text{(paper eq. 8)}

    In the survey's form (eq. 10) this is :math:`\alpha = \gamma / (1 + \gamma)`, up to a factor.

    Parameters
    ----------
    gamma : float, default=0.1
        Weight of the clustering loss.
    nu : float, default=1.0
        Degrees of freedom of the kernel.
    epochs : int, default=30
        The most epochs of clustering.
    update_interval : int or None, default=None
        Steps between two target distributions; None is one epoch.
    tol : float, default=0.001
        Training stops when a smaller fraction of the samples changes cluster between two targets.
    learning_rate, momentum : float, default=0.1 and 0.99
        Of SGD in clustering.
    init : {"kmeans", "ward", "ac-pic"}, default="kmeans"
        What places the centres: k-means on the codes, as in the paper, or the means of the clusters that Ward's method
        or `dctutor.classical.path_integral` finds in them (in 10,000 at most; each of the others counts with the
        nearest of these).
    n_clusters, widths, channels, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate
        See `PretrainedClusterer`.
    pretrain_weight_decay, weight_init, augment, autoencoder
        See `PretrainedClusterer`.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ================================  ===================
    paper                             argument
    ================================  ===================
    K                                 ``n_clusters``
    :math:`\gamma` (eq. 8)            ``gamma``
    T (algorithm 1)                   ``update_interval``
    :math:`\delta` (algorithm 1)      ``tol``
    ================================  ===================

    The paper writes :math:`L_r` as a sum over features. The authors' code takes the mean over features, and the mean
    over samples of both losses, as is done here: 0.1 is meant for that scale.

    Departures: pre-training as in `DEC`.

    References
    ----------
    Guo, Gao, Liu & Yin (2017). Improved deep embedded clustering with local structure preservation. IJCAI.

    Examples
    --------
    >>> from dctutor import IDEC, load_dataset
    >>> digits = load_dataset("digits")
    >>> idec = IDEC(n_clusters=10, widths=(100, 100, 10), layerwise_epochs=0, pretrain_epochs=30, random_state=0)
    >>> labels = idec.fit_predict(digits.X)
    >>> idec.predict_proba(digits.X[:3]).shape
    (3, 10)
    """

    gamma: NonNegative = 0.1
    nu: Positive = 1.0
    epochs: Count = 30
    update_interval: Count | None = None
    tol: NonNegative = 0.001
    learning_rate: Positive = 0.1
    momentum: ProperFraction = 0.99
    init: FirstClusters = "kmeans"

    def _build_head(self, embedding_dim: int) -> StudentT:
        return StudentT(self.n_clusters, embedding_dim, self.nu)

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        head = loop.build(lambda: self._build_head(network.embedding_dim))
        loop.register(head=head)
        loop.watch(network.encode, head.centers)
        clusters = SelfTraining(loop, network, head, tol=self.tol)
        parameters = [*network.parameters(), head.centers]
        optimizer = torch.optim.SGD(parameters, lr=float(self.learning_rate), momentum=float(self.momentum))

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index]
            z = network.encode(x)
            l_r = reconstruction(x, network.decode(z))
            l_c = assignment_hardening(clusters.target(index), head.assign(z))
            loss = l_r + self.gamma * l_c  # eq. 8
            loop.minimize(loss, optimizer)
            return {"loss": loss, "reconstruction": l_r, "clustering": l_c}

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
