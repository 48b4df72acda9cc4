"""CCNN, clustering and features in turn with drift compensation (Hsu & Lin 2018)."""

import copy
import os
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dctutor.architectures import Softmax
from dctutor.classical import kmeans, mean_of_members, move_centers, nearest, nearest_members
from dctutor.estimator import Count, Positive, PretrainedClusterer, ProperFraction, Sizes, Trained, Whole
from dctutor.losses import cluster_classification
from dctutor.training import Loop

__all__ = ["CCNN"]


class _Rule:
    """How inputs are scaled: not at all for a network that was trained elsewhere."""

    def __get__(self, estimator: Any, owner: type) -> str:
        return "unit_power" if getattr(estimator, "network", None) is None else "none"


@dataclass(eq=False, repr=False, kw_only=True)
class CCNN(PretrainedClusterer):
    r"""CCNN: a network pre-trained on other images learns the clusters of mini-batch k-means on its own features.

    In each batch, every sample joins the nearest centre. Only the few samples nearest to each centre, the set S, train
    the network, like a classifier whose classes are the clusters (survey 3.2.4):

    .. math:: \min_{f, W} -\frac{1}{|S|} \sum_{i \in S} \log \mathrm{softmax}(W f(x_i))_{c_i}, \qquad
              c_i = \arg\min_k \lVert f(x_i) - \mu_k \rVert

    That step moves the features away from the centres, which were computed with older weights. So each centre first
    moves along with its samples; then it takes its step of mini-batch k-means.

    .. math:: \mu_k \leftarrow \mu_k + \frac{1}{|B_k|} \sum_{i \in B_k} (f'(x_i) - f(x_i)), \qquad
              \mu_k \leftarrow \mu_k + \frac{1}{n_k} \sum_{i \in B_k} (f'(x_i) - \mu_k)

    Parameters
    ----------
    network : nn.Module or None, default=None
        A trained module from rows, as they are, to features (n, p), such as
        `dctutor.architectures.pretrained_network` gives. A copy is trained, except for parameters that need no
        gradient. None takes an autoencoder's encoder, pre-trained on ``X`` without labels, and only rescales the rows.
    n_nearest : int, default=2
        Samples per cluster and batch that train the network.
    compensate : bool, default=True
        Whether the centres move along with the features.
    init : {"kmeans", "random"}, default="kmeans"
        Initial centres: k-means on the features, or the features of random samples, as in the paper.
    epochs, learning_rate : int and float, default=30 and 0.0003
        Epochs, and the learning rate (Adam).
    widths, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate, weight_init
        As in `PretrainedClusterer`, but by default (500, 500, 2000, 10), 0, 80, 0.0, 0.002 and "pytorch". Like the
        three that follow, without effect if ``network`` is given.
    channels, pretrain_weight_decay, augment, autoencoder
        See `PretrainedClusterer`.
    n_clusters, image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ==========================================  ============================================================
    paper or survey                             argument, attribute or column of history
    ==========================================  ============================================================
    k, number of clusters                       ``n_clusters``
    :math:`k_m`, samples nearest to a centre    ``n_nearest``; `dctutor.classical.nearest_members`
    centroids                                   ``cluster_centers_``; `dctutor.classical.move_centers`
    drift of the features in one step           ``history_["cluster"]["drift"]``, mean length
    :math:`L_{cc}`                              ``"loss"``; `dctutor.losses.cluster_classification`
    ==========================================  ============================================================

    The paper's text was not at hand. What is called the paper's below is the authors' code for photographs. Their
    script for digits trains on the true labels; nothing of it is used. Labels never enter here.

    =======================================================  ========================================  =================
    paper                                                    here                                      why
    =======================================================  ========================================  =================
    fully convolutional AlexNet, trained on ImageNet         any ``network``, or an autoencoder        small data
    the 2 samples of 50 nearest to any centre                the 2 nearest to each centre, per batch   none starves
    distances in L1                                          Euclidean                                 k-means
    new random centres and counts in every epoch             centres are kept, k-means at first        less of a lottery
    centres take steps by the nearest samples alone          by all samples of the batch               Sculley (2010)
    compensation: features by the last layer's old weights   centres move by the mean drift            any network
    batch normalisation by the batch                         by what was learnt in pre-training        tiny batches
    dropout of 0.5                                           if ``network`` has it                     any network
    SGD, learning rate 0.00005                               Adam, 0.0003                              time
    random initial weights of the softmax layer              those of the nearest centre               gentle start
    label: the nearest centre                                the most probable class                   smoother
    =======================================================  ========================================  =================

    Epochs and learning rate were chosen on ``cifar10-features``, seeds 10 to 15, labels seen.

    A model whose ``network`` was given cannot be saved to a file, which holds no code; pickle it.

    References
    ----------
    Hsu & Lin (2018). CNN-based joint clustering and representation learning with feature drift compensation for
    large-scale image data. IEEE Transactions on Multimedia 20.
    Sculley (2010). Web-scale k-means clustering. WWW.

    Examples
    --------
    >>> from dctutor import CCNN, load_dataset
    >>> digits = load_dataset("digits")
    >>> short = {"widths": (100, 100, 10), "pretrain_epochs": 10, "epochs": 5, "random_state": 0}
    >>> model = CCNN(n_clusters=10, **short).fit(digits.X)
    >>> model.predict_proba(digits.X[:3]).shape
    (3, 10)
    """

    layerwise_epochs: Whole = 0
    pretrain_epochs: Whole = 80
    noise: ProperFraction = 0.0
    pretrain_learning_rate: Positive = 2e-3
    weight_init: Literal["glorot", "pytorch"] = "pytorch"
    widths: Sizes = (500, 500, 2000, 10)
    network: nn.Module | None = None
    n_nearest: Count = 2
    compensate: bool = True
    init: Literal["kmeans", "random"] = "kmeans"
    epochs: Count = 30
    learning_rate: Positive = 3e-4

    input_scaling = _Rule()  # type: ignore[assignment]

    def _build_head(self, embedding_dim: int) -> Softmax:
        return Softmax(self.n_clusters, embedding_dim)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file, see `DeepClusterer.save`; TypeError if its network was given."""
        if isinstance(getattr(self, "network_", None), Given):
            raise TypeError("network: a model whose network was given cannot be saved to a file; use pickle")
        super().save(path)

    def _start(self, loop: Loop) -> Any:
        if self.network is None:
            return self._pretrained(loop)
        network = Given(copy.deepcopy(self.network))
        trained = [parameter.requires_grad for parameter in network.parameters()]
        loop.adopt(network)
        for parameter, needed in zip(network.parameters(), trained, strict=True):
            parameter.requires_grad_(needed)  # what was frozen stays so
        loop.register(network=network)
        loop.watch(network.encode)
        return network

    def _train(self, loop: Loop) -> Trained:
        network = self._start(loop)
        width = loop.map(network.encode, loop.x[:16]).shape[1]
        head = loop.build(lambda: self._build_head(width))
        centers = torch.zeros(self.n_clusters, width, device=loop.device)
        counts = torch.zeros(self.n_clusters, device=loop.device)  # samples that each centre is the mean of
        loop.register(head=head, centers=centers, counts=counts)
        loop.watch(network.encode, centers)
        body = network.encoder.parameters() if self.network is None else network.parameters()
        optimizer = loop.adam([*body, *head.parameters()], self.learning_rate)

        @torch.no_grad()
        def features(x: Tensor) -> Tensor:
            with loop.evaluating():  # without dropout, as in prediction
                return network.encode(x).float()

        def start() -> None:
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
            if self.init == "random":
                centers.copy_(z[torch.randperm(len(z), generator=loop.generator)[: self.n_clusters]])
            else:
                centers.copy_(torch.from_numpy(kmeans(z, self.n_clusters, loop.generator)))
            # The softmax starts as the rule of the nearest centre: -|z - c|^2 / s^2, without what all classes share.
            spread = (z - centers[nearest(z, centers)]).square().sum(1).mean().clamp_min(1e-6)
            with torch.no_grad():
                head.layer.weight.copy_(2 * centers / spread)
                head.layer.bias.copy_(-centers.square().sum(1) / spread)

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index]
            before = features(x)
            labels = nearest(before, centers)
            chosen = nearest_members(before, centers, labels, self.n_nearest)
            loss = cluster_classification(head.logits(network.encode(x[chosen])), labels[chosen])
            loop.minimize(loss, optimizer)
            after = features(x)
            member = functional.one_hot(labels, self.n_clusters).float()
            sizes, sums, drifts = member.sum(0), member.T @ after, member.T @ (after - before)
            loop.processes.sum([sizes, sums, drifts])
            if self.compensate:
                centers.add_(mean_of_members(drifts, sizes))
            for old, new in zip((centers, counts), move_centers(centers, counts, sums, sizes), strict=True):
                old.copy_(new)
            return {"loss": loss, "drift": (after - before).norm(dim=1).mean()}

        loop.run("cluster", step, optimizers=[optimizer], epochs=self.epochs, batch_size=self.batch_size, start=start)
        return Trained(network, head, centers=centers)


class Given(nn.Module):
    """A module that was trained elsewhere, with the name that the methods call it by."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def train(self, mode: bool = True) -> "Given":
        """Switch dropout; batch normalisation keeps the statistics of its pre-training."""
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.eval()
        return self

    def encode(self, x: Tensor) -> Tensor:
        """Features of rows."""
        z = self.module(x)
        if z.ndim != 2:
            raise ValueError(f"network: expected features of shape (n, p), got {tuple(z.shape)}")
        return z
