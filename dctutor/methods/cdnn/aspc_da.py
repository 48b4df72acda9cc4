"""Adaptive self-paced deep clustering with data augmentation (Guo et al. 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dctutor.architectures import StudentT
from dctutor.classical import nearest
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, ProperFraction, Trained, Whole
from dctutor.losses import self_paced_weights
from dctutor.methods._self_training import SelfTraining
from dctutor.training import Loop

__all__ = ["ASPCDA"]


@dataclass(eq=False, repr=False, kw_only=True)
class ASPCDA(PretrainedClusterer):
    r"""Adaptive self-paced deep clustering with data augmentation: every image, however it is turned, to one centre.

    An autoencoder learns to reconstruct images that are turned and moved at random. k-means on the codes of the
    unchanged images gives the centres, which stay. Then, before each epoch, every sample gets the label of the nearest
    centre and a weight (paper eq. 10, 12): 1 if its distance is below a threshold that rises over training, else 0. In
    the epoch, the encoder moves the codes of changed images towards the centre of their label (eq. 11):

    .. math:: \min_f \frac{1}{n} \sum_i v_i \lVert f(\tilde x_i) - M s_i \rVert^2

    Parameters
    ----------
    epochs, learning_rate : int and float, default=40 and 0.0005
        The most epochs of clustering, and the learning rate (Adam).
    tol : float, default=0.001
        Training stops when a smaller fraction of the samples changes cluster in an epoch.
    self_paced : bool, default=True
        Whether samples far from their centre have to wait; otherwise all weights are 1. They are in the first epoch.
    augment : mapping of str to float, "auto" or None, default="auto"
        Random changes of each image, in both stages, as arguments of `dctutor.augmentation.affine`. ``"auto"`` is
        ``{"rotation": 10, "shift": 0.1}`` for images, and nothing for other samples.
    init : {"kmeans", "ac-pic"}, default="kmeans"
        What places the centres: k-means on the codes, as in the paper, or the means of the clusters that
        `dctutor.classical.path_integral` finds in them (in 10,000 at most).
    layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate, weight_init, batch_size
        As in `PretrainedClusterer` and `DeepClusterer`, but by default 0, 80, 0.0, 0.002, "pytorch" and 128.
    n_clusters, widths, channels, pretrain_weight_decay, autoencoder
        See `PretrainedClusterer`. Only the second stage augments an ``autoencoder`` that is given.
    image_shape, device, precision, random_state, verbose
        See `DeepClusterer`. Flat rows are images only if ``image_shape`` says so.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ==============================================  ==========================================================
    paper                                           argument, attribute or state of the loop
    ==============================================  ==========================================================
    K, T, :math:`\delta` (eq. 18)                   ``n_clusters``, ``epochs``, ``tol``
    :math:`\mathcal T(x)` (eq. 13, 14)              ``augment``
    M, :math:`s_i`                                  ``cluster_centers_``, ``loop.state["labels"]``
    :math:`v_i` (eq. 10)                            ``loop.state["weights"]``; `dctutor.losses.self_paced_weights`
    ==============================================  ==========================================================

    As in the authors' code, labels and weights come from the codes of unchanged images (the paper takes the losses of
    changed ones for the weights, eq. 16); all weights are 1 in the first epoch, and t counts from 0 in the second.
    There, training stops by labels only if the classes are given; here it does without them, as the paper says.
    ``history_["cluster"]["weight"]`` is the fraction of samples that counted in each epoch.

    =======================================================  =====================================  ===================
    paper                                                    here                                   why
    =======================================================  =====================================  ===================
    pre-training: 500 epochs of SGD, learning rate 1.0       80 epochs of AdamW, one cycle          time
    clustering: 100 epochs, learning rate 0.0001             40 epochs, learning rate 0.0005        time
    batches of 256                                           of 128                                 more steps
    =======================================================  =====================================  ===================

    The paper's initial weights are PyTorch's. Lengths and learning rates come from ``mnist-5k``, one seed, labels seen.

    References
    ----------
    Guo, Liu, Zhu, Zhu, Li, Xu & Yin (2020). Adaptive self-paced deep clustering with data augmentation. IEEE TKDE 32.

    Examples
    --------
    >>> from dctutor import ASPCDA, load_dataset
    >>> digits = load_dataset("digits")
    >>> short = {"widths": (100, 100, 10), "pretrain_epochs": 10, "epochs": 5, "random_state": 0}
    >>> model = ASPCDA(n_clusters=10, image_shape=digits.image_shape, **short).fit(digits.X)
    >>> model.transform(digits.X[:3]).shape
    (3, 10)
    """

    layerwise_epochs: Whole = 0
    pretrain_epochs: Whole = 80
    noise: ProperFraction = 0.0
    pretrain_learning_rate: Positive = 2e-3
    weight_init: Literal["glorot", "pytorch"] = "pytorch"
    augment: Mapping[str, float] | Literal["auto"] | None = "auto"  # type: ignore[assignment]
    batch_size: Count = 128
    epochs: Count = 40
    learning_rate: Positive = 5e-4
    tol: NonNegative = 0.001
    self_paced: bool = True
    init: Literal["kmeans", "ac-pic"] = "kmeans"

    def _check_params(self) -> None:
        if self.augment != "auto":
            super()._check_params()

    def _amounts(self) -> Mapping[str, float] | None:
        if self.augment != "auto":
            return self.augment
        return None if self.image_shape_ is None else {"rotation": 10, "shift": 0.1}

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        head = loop.build(lambda: StudentT(self.n_clusters, network.embedding_dim))
        centers = head.centers.requires_grad_(False)  # they stay where they were placed
        loop.register(head=head)
        loop.watch(network.encode, centers)
        clusters = SelfTraining(loop, network, head, tol=self.tol)
        augment = self._augmenter(loop)
        optimizer = loop.adam(network.encoder.parameters(), self.learning_rate)

        def refresh() -> bool:
            z = loop.map(network.encode)  # of unchanged samples
            before, labels = loop.state.get("labels"), nearest(z, centers)  # eq. 15
            losses = (z - centers[labels]).square().sum(1)
            loop.state |= {"labels": labels, "weights": torch.ones_like(losses)}
            if before is None:
                return False
            if self.self_paced:
                loop.state["weights"] = self_paced_weights(losses, (loop.epoch - 1) / self.epochs)  # eq. 10
            changed = (labels != before).float().mean().item()
            loop.note("cluster/refresh", step=loop.steps, changed=changed)
            return changed < self.tol  # eq. 18

        def step(index: Tensor) -> dict[str, Tensor]:
            z = network.encode(augment(loop.x[index])).float()
            target, weights = centers[loop.state["labels"][index]], loop.state["weights"][index]
            loss = (weights * (z - target).square().sum(1)).mean()  # eq. 14
            loop.minimize(loss, optimizer)
            return {"loss": loss, "weight": weights.mean()}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            start=lambda: clusters.place_centers(self.init),
            refresh=refresh,
        )
        return Trained(network, head)
