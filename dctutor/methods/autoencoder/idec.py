"""Improved Deep Embedded Clustering (Guo, Gao, Liu & Yin 2017)."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from dctutor._validation import check_number
from dctutor.architectures import Autoencoder
from dctutor.losses import assignment_hardening, reconstruction
from dctutor.methods._self_training import SelfTrainedClusterer, SelfTraining

__all__ = ["IDEC"]


@dataclass(eq=False, repr=False, kw_only=True)
class IDEC(SelfTrainedClusterer):
    r"""Improved DEC: the decoder stays, so that clustering cannot tear the embedding away from the data.

    As in DEC, k-means on a pre-trained autoencoder's embedding places the centres, and encoder and
    centres then follow a sharpened copy of their own assignments; but the reconstruction loss goes on:

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
        The most passes over the data in clustering.
    update_interval : int or None, default=None
        Steps between two target distributions; None is one pass over the data.
    tol : float, default=0.001
        Training stops when a smaller share of the samples changes cluster between two targets.
    learning_rate, momentum : float, default=0.1 and 0.99
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
    ================================  ===================
    paper                             argument
    ================================  ===================
    K                                 ``n_clusters``
    :math:`\gamma` (eq. 8)            ``gamma``
    T (algorithm 1)                   ``update_interval``
    :math:`\delta` (algorithm 1)      ``tol``
    ================================  ===================

    The paper writes :math:`L_r` as a sum over features; the authors' code, like this one, takes the mean
    (and the mean over samples of both losses), and it is for that scale that 0.1 is meant.

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

    gamma: float = 0.1
    learning_rate: float = 0.1
    momentum: float = 0.99

    def _check_params(self) -> None:
        super()._check_params()
        check_number("gamma", self.gamma)

    def _trained(self, autoencoder: Autoencoder) -> Iterable[Tensor]:
        return autoencoder.parameters()

    def _losses(self, autoencoder: Autoencoder, clusters: SelfTraining, x: Tensor, index: Tensor) -> dict[str, Tensor]:
        z = autoencoder.encode(x)
        l_r = reconstruction(x, autoencoder.decode(z))
        l_c = assignment_hardening(clusters.target(index), clusters.assign(z))
        return {"loss": l_r + self.gamma * l_c, "reconstruction": l_r, "clustering": l_c}  # eq. 8
