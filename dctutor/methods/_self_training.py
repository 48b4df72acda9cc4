"""Self-training towards a sharpened copy of one's own assignments: what DEC, IDEC and DEPICT share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dctutor.classical import kmeans, path_integral, ward, weighted_means
from dctutor.losses import target_distribution
from dctutor.training import Loop

__all__ = ["SelfTraining"]


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

    def place_centers(self, init: str) -> None:
        """Place the head's centres by k-means on the codes, or in the means of clusters of another kind in them."""
        z = self.loop.map(self.network.encode)
        self.loop.check_finite(embedding=z)
        centers, generator = self.head.get_parameter("centers"), self.loop.generator
        if init != "kmeans":
            tree = ward if init == "ward" else path_integral
            labels = torch.from_numpy(tree(z, len(centers), generator, sample=10_000)).to(z.device)
            found = weighted_means(z, nn.functional.one_hot(labels, len(centers)).to(z))
        else:
            found = torch.from_numpy(kmeans(z, len(centers), generator))
        with torch.no_grad():
            centers.copy_(found)

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
