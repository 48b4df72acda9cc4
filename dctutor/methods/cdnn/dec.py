"""Deep Embedded Clustering (Xie, Girshick & Farhadi 2016)."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from dctutor.architectures import Autoencoder
from dctutor.losses import assignment_hardening
from dctutor.methods._self_training import SelfTrainedClusterer, SelfTraining

__all__ = ["DEC"]


@dataclass(eq=False, repr=False, kw_only=True)
class DEC(SelfTrainedClusterer):
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
    init : {"kmeans", "ward"}, default="kmeans"
        What places the first centres: k-means on the codes, as in the paper, or the means of the clusters that Ward's
        method finds in them (in 10,000 at most; the others count with the nearest of these).
    n_clusters, widths, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate, pretrain_weight_decay
        See `PretrainedClusterer`.
    weight_init, autoencoder
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
    >>> dec = DEC(n_clusters=10, widths=(100, 100, 10), layerwise_epochs=0, pretrain_epochs=30, random_state=0)
    >>> labels = dec.fit_predict(digits.X)
    >>> dec.transform(digits.X[:3]).shape
    (3, 10)
    """

    def _trained(self, autoencoder: Autoencoder) -> Iterable[Tensor]:
        return autoencoder.encoder.parameters()

    def _losses(self, autoencoder: Autoencoder, clusters: SelfTraining, x: Tensor, index: Tensor) -> dict[str, Tensor]:
        q = clusters.assign(autoencoder.encode(x))  # eq. 1
        return {"loss": assignment_hardening(clusters.target(index), q)}  # eq. 2, with the target of eq. 3
