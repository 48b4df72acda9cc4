"""Self-training towards a sharpened copy of one's own assignments: the part that DEC and IDEC share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dctutor._kmeans import kmeans
from dctutor.losses import student_t, target_distribution
from dctutor.training import Loop

__all__ = ["SelfTraining"]


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

    def start(self) -> None:
        """Place the centres by k-means on the embedding of the whole data."""
        z = self.loop.map(self.encode)
        self.loop.check_finite(embedding=z)
        found = kmeans(z, len(self.centers), self.loop.generator)
        self.centers.data.copy_(torch.from_numpy(found))

    def assign(self, z: Tensor) -> Tensor:
        """Soft assignments q of embedded samples (survey eq. 5)."""
        return student_t(z, self.centers, self.nu)

    def target(self, index: Tensor) -> Tensor:
        """Target rows p of the samples with these numbers, as of the last refresh."""
        return self.loop.state["target"][index]

    def refresh(self) -> bool:
        """Compute the target anew (survey eq. 6); return whether the labels have settled."""
        loop = self.loop
        q = loop.map(lambda x: self.assign(self.encode(x)))
        before, labels = loop.state.get("labels"), q.argmax(1)
        loop.state |= {"target": target_distribution(q), "labels": labels}
        if before is None:
            return False
        changed = (labels != before).float().mean().item()
        loop.note("cluster/refresh", step=loop.steps, changed=changed)
        return changed < self.tol
