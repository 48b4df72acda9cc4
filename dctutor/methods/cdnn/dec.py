"""Deep Embedded Clustering (Xie, Girshick & Farhadi 2016)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dctutor._validation import check_integer, check_number
from dctutor.architectures import Autoencoder
from dctutor.losses import assignment_hardening, student_t
from dctutor.methods._pretrained import PretrainedClusterer
from dctutor.methods._self_training import SelfTraining
from dctutor.training import Loop

__all__ = ["DEC"]


@dataclass(eq=False, repr=False, kw_only=True)
class DEC(PretrainedClusterer):
    r"""Deep Embedded Clustering: an encoder that trains on its own confident assignments.

    An autoencoder is pre-trained and its decoder set aside. k-means places the centres. Then
    encoder and centres minimise :math:`KL(P \Vert Q)`, where Q are Student's t assignments (paper
    eq. 1, survey eq. 5) and P is their sharpened copy (paper eq. 3, survey eq. 6), computed over the
    whole data set every ``update_interval`` steps.

    Parameters
    ----------
    nu : float, default=1.0
        Degrees of freedom of the kernel.
    epochs : int, default=30
        The most passes over the data in clustering; the paper sets no limit.
    update_interval : int or None, default=None
        Steps between two target distributions; None is one pass over the data.
    tol : float, default=0.001
        Training stops when a smaller share of the samples changes cluster between two targets.
    learning_rate, momentum : float, default=0.01 and 0.9
        Of SGD in clustering.
    n_clusters, widths, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate, autoencoder
        See `PretrainedClusterer`.
    batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
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

    Departures: pre-training is counted in epochs, with Adam and a one-cycle learning rate, where the
    paper takes 50,000 SGD steps a layer and 100,000 for the whole; the whole stack, too, learns from
    corrupted input.

    References
    ----------
    Xie, Girshick & Farhadi (2016). Unsupervised deep embedding for clustering analysis. ICML.

    Examples
    --------
    >>> from dctutor import DEC, load_dataset
    >>> digits = load_dataset("digits")
    >>> dec = DEC(n_clusters=10, pretrain_epochs=5, random_state=0, verbose=False).fit(digits.X)
    >>> dec.transform(digits.X[:3]).shape
    (3, 10)
    """

    nu: float = 1.0
    epochs: int = 30
    update_interval: int | None = None
    tol: float = 0.001
    learning_rate: float = 0.01
    momentum: float = 0.9

    def _check_params(self) -> None:
        super()._check_params()
        check_number("nu", self.nu, open_at_minimum=True)
        check_integer("epochs", self.epochs, minimum=1)
        if self.update_interval is not None:
            check_integer("update_interval", self.update_interval, minimum=1)
        check_number("tol", self.tol)
        check_number("learning_rate", self.learning_rate, open_at_minimum=True)
        check_number("momentum", self.momentum, below=1)

    def _train(self, loop: Loop) -> tuple[Autoencoder, Tensor]:
        autoencoder = self._pretrained(loop)
        shape = (self.n_clusters, autoencoder.embedding_dim)
        clusters = SelfTraining(loop, autoencoder.encode, shape, nu=self.nu, tol=self.tol)
        optimizer = torch.optim.SGD(
            [*autoencoder.encoder.parameters(), clusters.centers], lr=self.learning_rate, momentum=self.momentum
        )

        def step(index: Tensor) -> dict[str, Tensor]:
            q = clusters.assign(autoencoder.encode(loop.x[index]))  # eq. 1
            loss = assignment_hardening(clusters.target(index), q)  # eq. 2, with the target of eq. 3
            loop.minimize(loss, optimizer)  # eq. 4, 5: gradients for z and for the centres
            return {"loss": loss}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            start=clusters.start,
            refresh=clusters.refresh,
            refresh_every=self.update_interval,
        )
        return autoencoder, clusters.centers

    def _assign(self, z: Tensor, centers: Tensor) -> Tensor:
        return student_t(z, centers, self.nu)
