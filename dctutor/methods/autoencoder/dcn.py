"""Deep Clustering Network (Yang, Fu, Sidiropoulos & Hong 2017)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dctutor._kmeans import kmeans
from dctutor._validation import check_integer, check_number
from dctutor.architectures import Autoencoder
from dctutor.losses import k_means, reconstruction
from dctutor.methods._pretrained import PretrainedClusterer
from dctutor.training import Loop

__all__ = ["DCN"]


@dataclass(eq=False, repr=False, kw_only=True)
class DCN(PretrainedClusterer):
    r"""Deep Clustering Network: k-means and an autoencoder take turns with each mini-batch.

    k-means on a pre-trained autoencoder's embedding gives every sample a cluster :math:`s_i` and every cluster
    a centre, the columns of M. Then three updates repeat: a gradient step of the network on

    .. math:: \frac{1}{n} \sum_i \lVert g(f(x_i)) - x_i \rVert^2 + \frac{\lambda}{2} \lVert f(x_i) - M s_i \rVert^2
              \qquad \text{(paper eq. 6; survey eq. 1 and 4)}

    the nearest centre for each sample of the batch (eq. 8), and a step of that centre towards the sample that is
    the shorter, the more samples the centre has had (eq. 9). No gradient reaches the centres, so that a cluster
    is always a hard one.

    Parameters
    ----------
    lam : float, default=1.0
        Weight of the k-means loss.
    epochs : int, default=30
        Passes over the data in clustering.
    learning_rate : float, default=0.0003
        Of Adam in clustering.
    n_clusters, widths, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate, autoencoder
        See `PretrainedClusterer`.
    batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ================================  ===================
    paper                             argument
    ================================  ===================
    K                                 ``n_clusters``
    :math:`\lambda` (eq. 6)           ``lam``
    T (algorithm 1)                   ``epochs``
    ================================  ===================

    Departures: pre-training as in `DEC`; Adam in place of SGD; the samples of a batch get their clusters at
    once, and a centre takes its steps towards them in one go. With the step 1 / count these end in the mean of
    all that the centre has had, in any order. As in the authors' code, each centre starts with a count of 100.

    References
    ----------
    Yang, Fu, Sidiropoulos & Hong (2017). Towards k-means-friendly spaces: simultaneous deep learning and
    clustering. ICML.

    Examples
    --------
    >>> from dctutor import DCN, load_dataset
    >>> digits = load_dataset("digits")
    >>> dcn = DCN(n_clusters=10, layerwise_epochs=2, pretrain_epochs=5, random_state=0, verbose=False).fit(digits.X)
    >>> dcn.cluster_centers_.shape
    (10, 10)
    """

    lam: float = 1.0
    epochs: int = 30
    learning_rate: float = 3e-4

    def _check_params(self) -> None:
        super()._check_params()
        check_number("lam", self.lam)
        check_integer("epochs", self.epochs, minimum=1)
        check_number("learning_rate", self.learning_rate, open_at_minimum=True)

    def _train(self, loop: Loop) -> tuple[Autoencoder, Tensor]:
        autoencoder = self._pretrained(loop)
        centers = torch.zeros(self.n_clusters, autoencoder.embedding_dim, device=loop.device)
        loop.register(centers=centers)
        loop.watch(autoencoder.encode, centers)
        optimizer = loop.adam(autoencoder.parameters(), self.learning_rate)

        def start() -> None:
            z = loop.map(autoencoder.encode)
            loop.check_finite(embedding=z)
            centers.copy_(torch.from_numpy(kmeans(z, self.n_clusters, loop.generator)))
            counts = torch.full((self.n_clusters,), 100.0, device=loop.device)
            loop.state |= {"labels": nearest(z, centers), "counts": counts}

        def step(index: Tensor) -> dict[str, Tensor]:
            x, labels = loop.x[index], loop.state["labels"]
            z = autoencoder.encode(x)
            l_r = reconstruction(x, autoencoder.decode(z), reduction="sum") / len(x)
            l_km = k_means(z, centers, labels[index])
            loss = l_r + self.lam / 2 * l_km  # eq. 6
            loop.minimize(loss, optimizer)
            with torch.no_grad():
                z = autoencoder.encode(x)
                labels[index] = nearest(z, centers)  # eq. 8
                move(centers, loop.state["counts"], z, labels[index])  # eq. 9
            return {"loss": loss, "reconstruction": l_r, "k_means": l_km}

        loop.run("cluster", step, optimizers=[optimizer], epochs=self.epochs, batch_size=self.batch_size, start=start)
        return autoencoder, centers


def nearest(z: Tensor, centers: Tensor) -> Tensor:
    """Cluster of each embedded sample: (n, p) and (k, p) to (n,)."""
    return torch.cdist(z, centers).argmin(1)


def move(centers: Tensor, counts: Tensor, z: Tensor, labels: Tensor) -> None:
    """Let centres follow their new samples, in place: a mean over all they have had, ``counts`` of them before."""
    new = torch.bincount(labels, minlength=len(centers)).to(counts.dtype)
    total = torch.zeros_like(centers).index_add_(0, labels, z)
    counts += new
    centers += (total - new.unsqueeze(1) * centers) / counts.unsqueeze(1)
