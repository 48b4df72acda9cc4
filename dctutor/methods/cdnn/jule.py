"""JULE, joint unsupervised learning of representations and clusters by agglomeration (Yang, Parikh & Batra 2016)."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dctutor.architectures import MLP, PooledCNN
from dctutor.classical import merge_clusters, nearest_chains, weighted_means
from dctutor.estimator import Count, DeepClusterer, NonNegative, Positive, PositiveFraction, Sizes, Trained
from dctutor.losses import triplet
from dctutor.training import Loop

__all__ = ["JULE"]


@dataclass(eq=False, repr=False, kw_only=True)
class JULE(DeepClusterer):
    r"""Agglomeration and representation in turn: many small clusters train the network, its features merge them.

    The clusters start as chains of nearest neighbours among the inputs. In each period they are the labels that the
    network is trained with, by triplets of an anchor a, a positive p of its cluster and a negative n of another one
    (Yang et al. 2016, eq. 11, in the form of the authors' code):

    .. math:: L = \frac{1}{T} \sum \max\big(0, \gamma \lVert z_a - z_p \rVert^2 - \lVert z_a - z_n \rVert^2 + m\big)

    Then a fraction :math:`\eta` of the clusters is merged in the new features: each time the two of the largest
    affinity in a graph of nearest neighbours, eq. 4 to 6. No merger is ever undone within a run.

    Parameters
    ----------
    n_neighbors : int, default=20
        :math:`K_s`, neighbours per sample in the graph.
    width : float, default=1.0
        a, the factor of the mean squared distance in the weights of the graph.
    unroll : float, default=0.7
        :math:`\eta`, the fraction of the clusters that each period merges.
    rerun : bool, default=True
        Whether the final clusters come from a new agglomeration, from chains of nearest neighbours in the final
        features on ("RC"); otherwise they are those of the training ("SF").
    gamma, margin : float, default=1.0 and 0.2
        :math:`\gamma`, the weight of the pull, and m.
    negatives : int, default=20
        Triplets per anchor and step; the positive and the negative of each are drawn from the batch.
    channels, widths : sequence of int, default=(16, 32) and (500, 500)
        Feature maps of the convolutions for images; widths of the hidden layers for other data.
    embedding_dim : int, default=160
        Width of the features, which have length 1.
    epochs : int, default=12
        Epochs per period. There is one period per number of clusters: for 1,000 chains and K = 10 these are 1000, 300,
        90, 27 and 10.
    learning_rate, weight_decay : float, default=0.001 and 0.00005
        Of AdamW.
    n_clusters, image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Attributes
    ----------
    merged_labels_ : ndarray of shape (n,)
        The clusters that the agglomeration ended with, of the training data. ``labels_`` and ``predict`` give each
        sample, old or new, the cluster with the nearest mean of features.

    Notes
    -----
    ==========================================  ====================================================
    paper                                       argument or attribute
    ==========================================  ====================================================
    :math:`K_s`, a                              ``n_neighbors``, ``width``
    :math:`\eta`, unrolling rate                ``unroll``
    W, :math:`\mathcal{A}`                      `dctutor.classical.merge_clusters`
    :math:`\gamma`                              ``gamma``
    SF, RC                                      ``rerun=False``, ``rerun=True``
    clusters in a period                        ``history_["cluster/refresh"]["clusters"]``
    ==========================================  ====================================================

    =====================================  ===========================================  ===============================
    paper, or its authors' code            here                                         why
    =====================================  ===========================================  ===============================
    labels of the agglomeration            clusters with the nearest mean of features   a rule for new samples
    affinity minus that to the next four   affinity                                     simpler; no labels to tune it by
    rows are added after a merger          affinity is computed anew                    exact, as fast in a sparse graph
    dense matrix n x n                     sparse                                       memory
    clusters tied to none join another     two large ones merge last                    labels seen: outliers took one
    :math:`\eta` 0.9, 20 epochs each       0.7, 12 epochs per period                    better on mnist-5k, labels seen
    all pairs x 20 negatives               20 random pairs and negatives per anchor     time; weighs anchors, not pairs
    50 feature maps, 5 x 5                 16 and 32, 3 x 3                             time
    SGD, batches of 100                    AdamW, batches of 256                        time
    =====================================  ===========================================  ===============================

    The authors chose :math:`K_c`, the number of clusters in eq. 7, and :math:`\gamma` by labels of MNIST. Two rows
    above were decided here with labels of MNIST seen, on one seed each.

    References
    ----------
    Yang, Parikh & Batra (2016). Joint unsupervised learning of deep representations and image clusters. CVPR.

    Examples
    --------
    >>> from dctutor import JULE, load_dataset
    >>> digits = load_dataset("digits")
    >>> model = JULE(epochs=1, image_shape=digits.image_shape, random_state=0, verbose=False).fit(digits.X)
    >>> [int(k) for k in model.history_["cluster/refresh"]["clusters"]][-1]
    10
    """

    n_neighbors: Count = 20
    width: Positive = 1.0
    unroll: PositiveFraction = 0.7
    rerun: bool = True
    gamma: Positive = 1.0
    margin: NonNegative = 0.2
    negatives: Count = 20
    channels: Sizes = (16, 32)
    widths: Sizes = (500, 500)
    embedding_dim: Count = 160
    epochs: Count = 12
    learning_rate: Positive = 1e-3
    weight_decay: NonNegative = 5e-5

    input_scaling = "centred"

    def _build_network(self, n_features: int) -> nn.Module:
        if self.image_shape_ is None:
            return UnitMLP(n_features, [*self.widths, self.embedding_dim])
        return UnitCNN(self.image_shape_, self.channels, self.embedding_dim).to(memory_format=torch.channels_last)

    def _train(self, loop: Loop) -> Trained:
        network: Any = loop.build(lambda: self._build_network(loop.x.shape[1]))
        loop.register(network=network)
        loop.watch(network.encode)
        optimizer = loop.adam(network.parameters(), self.learning_rate, weight_decay=self.weight_decay)
        first = loop.once("chains", lambda: self._chains(loop.x))
        counts = self._counts(int(first.max()) + 1)

        def refresh() -> None:
            period = loop.epoch // self.epochs
            labels = loop.state["labels"] = first if period == 0 else merge(loop.state["labels"], counts[period])
            loop.note("cluster/refresh", step=loop.steps, clusters=float(labels.max() + 1))

        def merge(labels: Tensor, n_clusters: int) -> Tensor:
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
            found = merge_clusters(z, labels.cpu().numpy(), n_clusters, n_neighbors=self.n_neighbors, width=self.width)
            return torch.from_numpy(found).to(loop.device)

        def step(index: Tensor) -> dict[str, Tensor]:
            z, labels = network.encode(loop.x[index]), loop.state["labels"][index]
            anchor, positive, negative = self._triplets(labels, loop.noise_generator)
            if len(anchor):
                loss = triplet(z[anchor], z[positive], z[negative], gamma=self.gamma, margin=self.margin)
            else:
                loss = 0 * z.sum()
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs * len(counts),
            batch_size=self.batch_size,
            refresh=refresh,
            refresh_epochs=self.epochs,
        )
        z = loop.map(network.encode)
        labels = merge(self._chains(z) if self.rerun else loop.state["labels"], self.n_clusters)
        means = weighted_means(z, functional.one_hot(labels, self.n_clusters).to(z))
        return Trained(network, centers=means, arrays={"merged_labels_": labels})

    def _chains(self, x: Tensor) -> Tensor:
        """Return the clusters that an agglomeration starts from: samples themselves, if there are few chains."""
        labels = nearest_chains(x)
        enough = labels.max() >= self.n_clusters
        return torch.from_numpy(labels).to(x.device) if enough else torch.arange(len(x), device=x.device)

    def _counts(self, n_clusters: int) -> list[int]:
        """Return the numbers of clusters of all periods, from that at the start to K."""
        counts = [n_clusters]
        while counts[-1] > self.n_clusters:
            counts.append(max(self.n_clusters, counts[-1] - ceil(self.unroll * counts[-1])))
        return counts

    def _triplets(self, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw triplets from a batch, for each sample in it that has both a positive and a negative."""
        together = labels[:, None] == labels
        apart = ~together
        together.fill_diagonal_(False)
        anchors = (together.any(1) & apart.any(1)).nonzero()[:, 0]
        if not len(anchors):
            return anchors, anchors, anchors
        positive, negative = (
            torch.multinomial(choice[anchors].float(), self.negatives, replacement=True, generator=generator).flatten()
            for choice in (together, apart)
        )
        return anchors.repeat_interleave(self.negatives), positive, negative


def _unit(z: Tensor) -> Tensor:
    return functional.normalize(z.clamp(-1e15, 1e15))  # whose squares are finite


class UnitCNN(PooledCNN):
    """Convolutions and a dense layer, whose output is scaled to length 1."""

    def encode(self, x: Tensor) -> Tensor:
        """Features of images."""
        return _unit(self.dense_output(x))


class UnitMLP(MLP):
    """Dense layers, whose output is scaled to length 1."""

    def encode(self, x: Tensor) -> Tensor:
        """Features of samples."""
        return _unit(self(x))
