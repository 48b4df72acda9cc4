"""Deep Embedded Clustering (Xie, Girshick & Farhadi 2016)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dctutor.architectures import StudentT
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, ProperFraction, Trained
from dctutor.losses import assignment_hardening
from dctutor.methods._self_training import FirstClusters, SelfTraining
from dctutor.training import Loop

__all__ = ["DEC"]


@dataclass(eq=False, repr=False, kw_only=True)
class DEC(PretrainedClusterer):
    r"""Deep Embedded Clustering: an encoder that trains on its own confident assignments.

    An autoencoder is pre-trained and its decoder set aside. k-means places the centres. Then encoder and centres
    minimise :math:`KL(P \Vert Q)`. Q are Student's t assignments (paper eq. 1, survey eq. 5). P is their sharpened copy
    (paper eq. 3, survey eq. 6), computed over the whole data set every ``update_interval`` steps.

    Parameters
    ----------
    nu : float, default=1.0
        Degrees of freedom of the kernel.
    epochs : int, default=30
        The most epochs of clustering; the paper sets no limit.
    update_interval : int or None, default=None
        Steps between two target distributions; None is one epoch.
    tol : float, default=0.001
        Training stops when a smaller fraction of the samples changes cluster between two targets.
    learning_rate, momentum : float, default=0.01 and 0.9
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
    ==============================  ==================
    paper                           argument
    ==============================  ==================
    k                               ``n_clusters``
    :math:`\alpha` (eq. 1)          ``nu``
    tol (section 4.3)               ``tol``
    d-500-500-2000-10               ``widths``
    dropout rate                    ``noise``
    ==============================  ==================

    =======================================================  =========================================  ===============
    paper                                                    here                                       why
    =======================================================  =========================================  ===============
    pre-training: 50,000 SGD steps per layer, then 100,000   epochs, Adam, one-cycle learning rate      time
    in pre-training, the whole stack sees clean inputs       corrupted inputs                           one rule
    =======================================================  =========================================  ===============

    References
    ----------
    Xie, Girshick & Farhadi (2016). Unsupervised deep embedding for clustering analysis. ICML.

    Examples
    --------
    >>> from dctutor import DEC, load_dataset
    >>> digits = load_dataset("digits")
    >>> dec = DEC(n_clusters=10, widths=(100, 100, 10), layerwise_epochs=0, pretrain_epochs=30, random_state=0)
    >>> labels = dec.fit_predict(digits.X)
    >>> dec.transform(digits.X[:3]).shape
    (3, 10)
    """

    nu: Positive = 1.0
    epochs: Count = 30
    update_interval: Count | None = None
    tol: NonNegative = 0.001
    learning_rate: Positive = 0.01
    momentum: ProperFraction = 0.9
    init: FirstClusters = "kmeans"

    def _build_head(self, embedding_dim: int) -> StudentT:
        return StudentT(self.n_clusters, embedding_dim, self.nu)

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        head = loop.build(lambda: self._build_head(network.embedding_dim))
        loop.register(head=head)
        loop.watch(network.encode, head.centers)
        clusters = SelfTraining(loop, network, head, tol=self.tol)
        parameters = [*network.encoder.parameters(), head.centers]
        optimizer = torch.optim.SGD(parameters, lr=float(self.learning_rate), momentum=float(self.momentum))

        def step(index: Tensor) -> dict[str, Tensor]:
            q = head.assign(network.encode(loop.x[index]))  # eq. 1
            loss = assignment_hardening(clusters.target(index), q)  # eq. 2
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            start=lambda: clusters.place_centers(self.init),
            refresh=clusters.refresh,  # eq. 3
            refresh_steps=self.update_interval,
        )
        return Trained(network, head)
