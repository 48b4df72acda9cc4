"""Self-training towards a sharpened copy of one's own assignments: what DEC, IDEC and DEPICT share."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dctutor.classical import kmeans_labels, path_integral, ward, weighted_means
from dctutor.losses import target_distribution
from dctutor.training import Loop

__all__ = ["FirstClusters", "SelfTraining"]

#: What can find the first clusters in the codes: k-means, Ward's method, or `dctutor.classical.path_integral`.
FirstClusters = Literal["kmeans", "ward", "ac-pic"]


class SelfTraining:
    """A target distribution over the whole data that follows the soft assignments.

    Parameters
    ----------
    loop : Loop
        Holds the data and, in ``state``, the target and the labels between two refreshes.
    network : nn.Module
        From inputs to embeddings: ``encode``.
    head : nn.Module
        From embeddings to soft assignments: ``assign``.
    tol : float
        The clustering is stable when a smaller fraction of labels changes between two refreshes.
    target : callable, optional
        From soft assignments (n, K) to their target; by default the squared and normalised ones (survey eq. 6).
    """

    def __init__(
        self,
        loop: Loop,
        network: Any,
        head: Any,
        *,
        tol: float,
        target: Callable[[Tensor], Tensor] = target_distribution,
    ) -> None:
        self.loop, self.network, self.head = loop, network, head
        self.tol, self.make_target = tol, target

    def first_clusters(self, init: FirstClusters) -> tuple[Tensor, Tensor, Tensor]:
        """Cluster the codes of all samples: return these, shape (n, p), the labels, (n,), and the centres, (K, p).

        The trees of Ward and AC-PIC grow on 10,000 codes at most. Every other one takes the label of the nearest.
        """
        z, k = self.loop.map(self.network.encode), self.head.n_clusters
        self.loop.check_finite(embedding=z)
        if init == "kmeans":
            centers, labels = kmeans_labels(z, k, self.loop.generator)
            return z, labels, centers
        tree = ward if init == "ward" else path_integral
        labels = torch.from_numpy(tree(z, k, self.loop.generator, sample=10_000)).to(z.device)
        return z, labels, weighted_means(z, nn.functional.one_hot(labels, k).to(z))

    def place_centers(self, init: FirstClusters) -> None:
        """Place the head's centres in the means of the first clusters."""
        _, _, centers = self.first_clusters(init)
        with torch.no_grad():
            self.head.get_parameter("centers").copy_(centers)

    def refresh(self) -> bool:
        """Compute the target of the whole data anew; return whether the labels have settled."""
        q = self.loop.map(lambda x: self.head.assign(self.network.encode(x)))
        before, labels = self.loop.state.get("labels"), q.argmax(1)
        self.loop.state |= {"target": self.make_target(q), "labels": labels}
        if before is None:
            return False
        changed = (labels != before).float().mean().item()
        self.loop.note("cluster/refresh", step=self.loop.steps, changed=changed)
        return changed < self.tol

    def target(self, index: Tensor) -> Tensor:
        """Rows of the target, as of the last refresh, for the samples of these indices."""
        return self.loop.state["target"][index]
