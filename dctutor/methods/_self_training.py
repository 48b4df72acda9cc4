"""Self-training towards a sharpened copy of one's own assignments: the part that DEC and IDEC share."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from dctutor._validation import check_integer, check_number
from dctutor.architectures import Autoencoder
from dctutor.classical.kmeans import kmeans
from dctutor.classical.ward import ward
from dctutor.estimator.pretrained import PretrainedClusterer
from dctutor.losses import student_t, target_distribution
from dctutor.training import Loop

__all__ = ["SelfTrainedClusterer", "SelfTraining", "refresh_target"]


def refresh_target(
    loop: Loop, assign: Callable[[Tensor], Tensor], target: Callable[[Tensor], Tensor], tol: float
) -> bool:
    """Put ``target`` of the whole data's soft assignments into the loop's state; return whether labels have settled.

    They have when a smaller share than ``tol`` changed since the last call.
    """
    q = loop.map(assign)
    before, labels = loop.state.get("labels"), q.argmax(1)
    loop.state |= {"target": target(q), "labels": labels}
    if before is None:
        return False
    changed = (labels != before).float().mean().item()
    loop.note("cluster/refresh", step=loop.steps, changed=changed)
    return changed < tol


class SelfTraining:
    """Cluster centres, and a target distribution over the whole data that follows them.

    Parameters
    ----------
    loop : Loop
        Holds the data and, in ``state``, the target and the labels between two refreshes.
    encode : callable
        From inputs (n, d) to embeddings (n, p).
    shape : tuple of int
        (n_clusters, p).
    nu : float
        Degrees of freedom of Student's t kernel.
    tol : float
        The clustering is stable when a smaller share of labels changes between two refreshes.

    Attributes
    ----------
    centers : nn.Parameter of shape (n_clusters, p)
        The centres, to be trained with the network.
    """

    def __init__(
        self, loop: Loop, encode: Callable[[Tensor], Tensor], shape: tuple[int, int], *, nu: float, tol: float
    ) -> None:
        self.loop, self.encode, self.nu, self.tol = loop, encode, nu, tol
        self.centers = nn.Parameter(torch.zeros(shape, device=loop.device))
        loop.register(centers=self.centers)
        loop.watch(encode, self.centers)

    def start(self, init: str = "kmeans") -> None:
        """Place the centres by k-means on the embedding of the whole data, or in the means of its clusters by Ward."""
        z = self.loop.map(self.encode)
        self.loop.check_finite(embedding=z)
        k, generator = len(self.centers), self.loop.generator
        if init == "ward":
            labels = torch.from_numpy(ward(z, k, generator, sample=10_000)).to(z.device)
            found = torch.stack([z[labels == j].mean(0) for j in range(k)])
        else:
            found = torch.from_numpy(kmeans(z, k, generator))
        self.centers.data.copy_(found)

    def assign(self, z: Tensor) -> Tensor:
        """Soft assignments q of embedded samples (survey eq. 5)."""
        return student_t(z, self.centers, self.nu)

    def target(self, index: Tensor) -> Tensor:
        """Target rows p of the samples with these numbers, as of the last refresh."""
        return self.loop.state["target"][index]

    def refresh(self) -> bool:
        """Compute the target anew (survey eq. 6); return whether the labels have settled."""
        return refresh_target(self.loop, lambda x: self.assign(self.encode(x)), target_distribution, self.tol)


@dataclass(eq=False, repr=False, kw_only=True)
class SelfTrainedClusterer(PretrainedClusterer):
    """Base of the methods that pre-train an autoencoder, place centres by k-means and self-train both.

    Parameters
    ----------
    nu : float, default=1.0
        Degrees of freedom of Student's t kernel.
    epochs : int, default=30
        The most passes over the data in clustering.
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
        See `DeepClusterer`.
    """

    nu: float = 1.0
    epochs: int = 30
    update_interval: int | None = None
    tol: float = 0.001
    learning_rate: float = 0.01
    momentum: float = 0.9
    init: str = "kmeans"

    @abstractmethod
    def _trained(self, autoencoder: Autoencoder) -> Iterable[Tensor]:
        """Return the network's parameters that clustering trains, beside the centres."""

    @abstractmethod
    def _losses(self, autoencoder: Autoencoder, clusters: SelfTraining, x: Tensor, index: Tensor) -> dict[str, Tensor]:
        """Return the losses of a batch ``x``, whose sample numbers are ``index``; ``"loss"`` is minimised."""

    def _check_params(self) -> None:
        super()._check_params()
        check_number("nu", self.nu, open_at_minimum=True)
        check_integer("epochs", self.epochs, minimum=1)
        if self.update_interval is not None:
            check_integer("update_interval", self.update_interval, minimum=1)
        check_number("tol", self.tol)
        check_number("learning_rate", self.learning_rate, open_at_minimum=True)
        check_number("momentum", self.momentum, below=1)
        if self.init not in ("kmeans", "ward"):
            raise ValueError(f"init: expected 'kmeans' or 'ward', got {self.init!r}")

    def _train(self, loop: Loop) -> tuple[Autoencoder, Tensor]:
        autoencoder = self._pretrained(loop)
        shape = (self.n_clusters, autoencoder.embedding_dim)
        clusters = SelfTraining(loop, autoencoder.encode, shape, nu=self.nu, tol=self.tol)
        parameters = [*self._trained(autoencoder), clusters.centers]
        optimizer = torch.optim.SGD(parameters, lr=float(self.learning_rate), momentum=float(self.momentum))

        def step(index: Tensor) -> dict[str, Tensor]:
            losses = self._losses(autoencoder, clusters, loop.x[index], index)
            loop.minimize(losses["loss"], optimizer)
            return losses

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            start=partial(clusters.start, self.init),
            refresh=clusters.refresh,
            refresh_every=self.update_interval,
        )
        return autoencoder, clusters.centers

    def _assign(self, z: Tensor, centers: Tensor) -> Tensor:
        return student_t(z, centers, self._of_fit("nu"))
