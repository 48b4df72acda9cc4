"""SeLa, self-labelling by optimal transport (Asano, Rupprecht & Vedaldi 2020)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dctutor.architectures import MLP, MergedSoftmax, PooledCNN, Softmax
from dctutor.augmentation import augmenter, check_affine
from dctutor.classical import path_integral, sinkhorn
from dctutor.estimator import Count, DeepClusterer, NonNegative, Positive, Sizes, Trained
from dctutor.schedules import one_cycle
from dctutor.training import Loop

__all__ = ["SeLa"]

_IMAGES = {"rotation": 10.0, "shift": 0.1, "zoom": 0.1}


@dataclass(eq=False, repr=False, kw_only=True)
class SeLa(DeepClusterer):
    r"""Self-labelling: a network learns labels that it gave itself, as many samples with each label as with any other.

    Two steps take turns. With the network fixed, the labels of all samples are the ones that fit its probabilities
    best among those of equal sizes (Asano et al. 2020, eq. 3 to 6), a problem of optimal transport:

    .. math:: \min_Q \langle Q, -\log P \rangle + \tfrac{1}{\lambda} KL(Q \Vert r c^\top), \qquad
              Q 1 = r = \tfrac{1}{N} 1, \quad Q^\top 1 = c

    With the labels fixed, the network is trained on them like any classifier, on changed copies of the images. Without
    the sizes, one label for all would be the best answer; without the changes, the network would learn its first labels
    by heart.

    Parameters
    ----------
    n_labels : int or None, default=None
        Labels that the network is trained with, at least ``n_clusters``; None is five times as many. In the end,
        AC-PIC finds ``n_clusters`` clusters in the features, and each label joins the one that most of its samples
        are in. With ``n_labels=n_clusters`` the labels are the clusters.
    heads : int, default=1
        Softmax layers on the same features, each with labels of its own. The first one gives the clusters.
    lam : float, default=10.0
        :math:`\lambda`, the sharpness of the transport.
    prior : sequence of float or None, default=None
        Fractions c of the samples that the labels get, ``n_labels`` positive numbers that sum to 1; None is equal ones.
    augment : mapping of str to float, "auto" or None, default="auto"
        Random changes of each image, as arguments of `dctutor.augmentation.affine`; ``"auto"`` is a rotation of 10
        degrees, a shift and a zoom of a tenth for images, and nothing for other data.
    channels, widths : sequence of int, default=(16, 32, 64) and (500, 500)
        Feature maps of the convolutions for images; widths of the hidden layers for other data.
    embedding_dim : int, default=128
        Width of the features below the heads, the embedding.
    epochs, relabel : int, default=30 and 1
        Epochs, and how many of them pass between two times that labels are found.
    learning_rate, momentum, weight_decay : float, default=0.05, 0.9 and 0.0005
        Of stochastic gradient descent; the learning rate is the peak of a one-cycle schedule.
    n_clusters, image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    =======================================  ====================================================
    paper                                    argument or attribute
    =======================================  ====================================================
    K, number of labels                      ``n_labels``
    :math:`\lambda`                          ``lam``
    P, Q                                     softmax of a head; `dctutor.classical.sinkhorn`
    labels                                   largest entry of each row of Q
    =======================================  ====================================================

    =====================================  ===========================================  ===============================
    paper, or its authors' code            here                                         why
    =====================================  ===========================================  ===============================
    representation learning                clusters: labels are merged to K by AC-PIC   the book's question; labels seen
    AlexNet or ResNet                      three small convolutions                     28 x 28 pixels, time
    P of changed images, in training mode  P of the images as they are, in evaluation   the same P that `predict` has
    crops, colours, mirror images          rotation, shift, zoom                        digits
    hundreds of epochs                     30, one cycle                                time
    =====================================  ===========================================  ===============================

    References
    ----------
    Asano, Rupprecht & Vedaldi (2020). Self-labelling via simultaneous clustering and representation learning. ICLR.

    Examples
    --------
    >>> from dctutor import SeLa, load_dataset
    >>> digits = load_dataset("digits")
    >>> model = SeLa(epochs=2, image_shape=digits.image_shape, random_state=0, verbose=False).fit(digits.X)
    >>> model.predict_proba(digits.X[:2]).shape
    (2, 10)
    """

    n_labels: Count | None = None
    heads: Count = 1
    lam: Positive = 10.0
    prior: Sequence[float] | None = None
    augment: Mapping[str, float] | Literal["auto"] | None = "auto"
    channels: Sizes = (16, 32, 64)
    widths: Sizes = (500, 500)
    embedding_dim: Count = 128
    epochs: Count = 30
    relabel: Count = 1
    learning_rate: Positive = 0.05
    momentum: NonNegative = 0.9
    weight_decay: NonNegative = 5e-4
    precision: Literal["auto", "float32", "bfloat16"] = "float32"

    input_scaling = "centred"

    def _check_params(self) -> None:
        if self._labels < self.n_clusters:
            raise ValueError(f"n_labels: expected at least n_clusters={self.n_clusters}, got {self.n_labels}")
        if self.prior is not None:
            whole = len(self.prior) == self._labels and min(self.prior) > 0 and abs(sum(self.prior) - 1) <= 1e-4
            if not whole:
                raise ValueError(f"prior: expected {self._labels} positive fractions that sum to 1, got {self.prior}")
        if isinstance(self.augment, Mapping):
            check_affine(self.augment, "augment")

    @property
    def _labels(self) -> int:
        return 5 * self.n_clusters if self.n_labels is None else self.n_labels

    def _build_network(self, n_features: int) -> nn.Module:
        if self.image_shape_ is None:
            return Features(n_features, [*self.widths, self.embedding_dim])
        return PooledCNN(self.image_shape_, self.channels, self.embedding_dim).to(memory_format=torch.channels_last)

    def _build_head(self, embedding_dim: int) -> MergedSoftmax:
        return MergedSoftmax(self.n_clusters, embedding_dim, self._labels)

    def _train(self, loop: Loop) -> Trained:
        network: Any = loop.build(lambda: self._build_network(loop.x.shape[1]))
        head = loop.build(lambda: self._build_head(self.embedding_dim))
        others = [loop.build(lambda: Softmax(self._labels, self.embedding_dim)) for _ in range(self.heads - 1)]
        heads: Any = nn.ModuleList([head, *others])
        loop.register(network=network, heads=heads)
        loop.watch(network.encode)
        optimizer = torch.optim.SGD(
            [*network.parameters(), *heads.parameters()],
            lr=float(self.learning_rate),
            momentum=float(self.momentum),
            weight_decay=float(self.weight_decay),
        )
        amounts = self.augment
        if amounts == "auto":
            amounts = None if self.image_shape_ is None else _IMAGES
        changed = augmenter(amounts, self.image_shape_, loop.noise_generator)
        sizes = None if self.prior is None else torch.tensor(self.prior, device=loop.device)

        @torch.no_grad()
        def refresh() -> None:
            before = loop.state.get("labels")
            z = loop.map(network.encode)
            labels = torch.stack(
                [sinkhorn(one.logits(z).log_softmax(1), self.lam, columns=sizes).argmax(1) for one in heads]
            )
            loop.state["labels"] = labels
            if before is not None:
                loop.note("cluster/refresh", step=loop.steps, changed=(labels != before).float().mean().item())

        def step(index: Tensor) -> dict[str, Tensor]:
            z = network.encode(changed(loop.x[index]))
            given = zip(heads, loop.state["labels"][:, index], strict=True)
            loss = torch.stack([functional.cross_entropy(one.logits(z), labels) for one, labels in given]).mean()
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        @torch.no_grad()
        def merge() -> None:
            if self._labels == self.n_clusters:
                return
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
            found = torch.from_numpy(path_integral(z, self.n_clusters, loop.generator)).to(z.device)
            mass = head.label_probabilities(z).T @ functional.one_hot(found, self.n_clusters).to(z)
            head.groups.copy_(mass.argmax(1))

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate_schedule=one_cycle(),
            refresh=refresh,
            refresh_epochs=self.relabel,
            end=merge,
        )
        return Trained(network, head)


class Features(MLP):
    """Dense layers whose output, after a ReLU, is an embedding."""

    def encode(self, x: Tensor) -> Tensor:
        """Features of samples."""
        return self(x).relu()
