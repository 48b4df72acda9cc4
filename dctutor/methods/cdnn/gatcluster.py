"""GATCluster, Gaussian attention for image clustering (Niu, Zhang, Wang & Liang 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from dctutor.architectures import AttentionNetwork, Logits
from dctutor.augmentation import augmenter, check_affine
from dctutor.classical import kmeans_labels
from dctutor.estimator import Count, DeepClusterer, NonNegative, Positive, Sizes, Trained
from dctutor.losses import marginal_entropy, pairwise, target_distribution
from dctutor.training import Loop

__all__ = ["GATCluster"]

_IMAGES = {"rotation": 10.0, "shift": 0.1, "zoom": 0.1}
_LEAST = 0.1  # of an even part: with a smaller cluster, k-means' pairs are not believed


@dataclass(eq=False, repr=False, kw_only=True)
class GATCluster(DeepClusterer):
    r"""GATCluster: labels as features, a look at one place of the image, and four losses that need no labels.

    A network answers a changed image :math:`T(x_i)` with K probabilities :math:`p_i`, its *label features*, and with a
    second answer :math:`p^a_i` from the place that a Gaussian attention map picks out. Every epoch, the answers to
    the unchanged images become targets, and training minimises the sum of

    .. math:: L &= -\alpha_s \frac{1}{n} \sum_i p_i^\top t_i - \alpha_e \left(H(\bar{p}) + H(\bar{p}^a)\right)
                   + \alpha_r \frac{1}{|P|} \sum_{i < j} BCE(\cos(p_i, p_j), r_{ij})
                   + \alpha_a BCE(p^a, t^a)

    with :math:`t_i \propto p_i / \sum_l p_l`; DEC's target :math:`t^a` of :math:`p^a`; and :math:`r_{ij} = 1` if k-means
    puts :math:`t^a_i` and :math:`t^a_j` into one cluster. At the least similarity loss the label features are one-hot,
    so that the largest entry is the label, and no clustering is left to be done.

    Parameters
    ----------
    channels, widths : sequence of int, default=(32, 64) and (500, 500)
        Feature maps of the convolutions for images; widths of the dense layers for other data.
    similarity, entropy, relation, attention : float, default=5.0, 3.0, 1.0 and 5.0
        Weights :math:`\alpha_s, \alpha_e, \alpha_r, \alpha_a`.
    augment : mapping of str to float, "auto" or None, default="auto"
        Random changes of each image, as arguments of `dctutor.augmentation.affine`; ``"auto"`` is a rotation of 10
        degrees, a shift and a zoom of a tenth for images, and nothing for other data.
    epochs, relabel : int, default=60 and 1
        Epochs, and how many of them pass between two times that targets are computed.
    learning_rate : float, default=0.001
        Of Adam.
    batch_size : int, default=250
        Entropies and pairs are those of a batch.
    n_clusters, image_shape, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    =========================================  ==============================================
    paper                                      argument or column of history
    =========================================  ==============================================
    label features, attention                  ``network_.encode``, ``network_.both``
    transformation invariance                  ``"similarity"``, of changed images to targets
    entropy, relation, attention losses        ``"entropy"``, ``"relation"``, ``"attention"``
    =========================================  ==============================================

    ===========================================  ====================================  ================================
    paper, or its authors' code                  here                                  why
    ===========================================  ====================================  ================================
    big batches of 1,000, 8 rounds of 32 each    targets of all samples, once per      one loop for all methods
                                                 ``relabel`` epochs; batches of 250
    one change per image and big batch           a new one in each batch               the same generator as elsewhere
    seven convolutions on 96 x 96 pixels         two, on 28 x 28                       time
    centre of the map from two of its three      from the first two, the width from    a slip in the code: one number
    numbers, one of which is the width, too      the third                             was not used
    the model with the best accuracy is kept     the last one                          labels are for evaluation only
    pairs by k-means once per big batch          once per ``relabel`` epochs           follows from the first line
    ===========================================  ====================================  ================================

    Samples that are no images have no places; see `dctutor.architectures.AttentionNetwork`. The paper's text was not at
    hand; losses, weights and schedule are those of the authors' code.

    References
    ----------
    Niu, Zhang, Wang & Liang (2020). GATCluster: self-supervised Gaussian-attention network for image clustering. ECCV.

    Examples
    --------
    >>> from dctutor import GATCluster, load_dataset
    >>> digits = load_dataset("digits")
    >>> model = GATCluster(epochs=2, image_shape=digits.image_shape, random_state=0, verbose=False).fit(digits.X)
    >>> model.predict_proba(digits.X[:2]).shape
    (2, 10)
    """

    channels: Sizes = (32, 64)
    widths: Sizes = (500, 500)
    similarity: NonNegative = 5.0
    entropy: NonNegative = 3.0
    relation: NonNegative = 1.0
    attention: NonNegative = 5.0
    augment: Mapping[str, float] | Literal["auto"] | None = "auto"
    epochs: Count = 60
    relabel: Count = 1
    learning_rate: Positive = 1e-3
    batch_size: Count = 250

    input_scaling = "centred"

    def _check_params(self) -> None:
        if isinstance(self.augment, Mapping):
            check_affine(self.augment, "augment")

    def _build_network(self, n_features: int) -> AttentionNetwork:
        network = AttentionNetwork(n_features, self.n_clusters, self.image_shape_, self.channels, self.widths)
        return network.to(memory_format=torch.channels_last)

    def _build_head(self, embedding_dim: int) -> Logits:
        return Logits(self.n_clusters, embedding_dim)

    def _train(self, loop: Loop) -> Trained:
        network: Any = loop.build(lambda: self._build_network(loop.x.shape[1]))
        loop.register(network=network)
        loop.watch(network.encode)
        optimizer = loop.adam(network.parameters(), self.learning_rate)
        amounts: Any = self.augment
        if amounts == "auto":
            amounts = None if self.image_shape_ is None else _IMAGES
        changed = augmenter(amounts, self.image_shape_, loop.noise_generator)

        @torch.no_grad()
        def refresh() -> None:
            logits = loop.map(lambda x: torch.cat(network.both(x), 1)).float()
            p, attended = (part.softmax(1) for part in logits.chunk(2, 1))
            even = p / p.sum(0)
            looked = target_distribution(attended)
            pairs = kmeans_labels(looked, self.n_clusters, loop.generator)[1]
            labels, before = p.argmax(1), loop.state.get("labels")
            loop.state |= {"t": even / even.sum(1, keepdim=True), "t_a": looked, "pairs": pairs, "labels": labels}
            if before is not None:
                loop.note("cluster/refresh", step=loop.steps, changed=(labels != before).float().mean().item())

        def step(index: Tensor) -> dict[str, Tensor]:
            whole, part = network.both(changed(loop.x[index]))
            p, attended = whole.float().softmax(1), part.float().softmax(1)
            l_s = -(p * loop.state["t"][index]).sum(1).mean()
            l_e = -(marginal_entropy(whole) + marginal_entropy(part))
            together = self._together(loop.state["pairs"], index)
            apart = ~torch.eye(len(p), dtype=torch.bool, device=p.device)
            l_r = pairwise(functional.normalize(p, dim=1), together, apart)
            l_a = _bce(attended, loop.state["t_a"][index])
            loss = self.similarity * l_s + self.entropy * l_e + self.relation * l_r + self.attention * l_a
            loop.minimize(loss, optimizer)
            return {"loss": loss, "similarity": l_s, "entropy": l_e, "relation": l_r, "attention": l_a}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            refresh=refresh,
            refresh_epochs=self.relabel,
        )
        return Trained(network, self._build_head(self.n_clusters))

    def _together(self, clusters: Tensor, index: Tensor) -> Tensor:
        """Which pairs of a batch belong together: by k-means, or none if one of its clusters is hardly used."""
        sizes = clusters.bincount(minlength=self.n_clusters)
        if sizes.min() < _LEAST * len(clusters) / self.n_clusters:
            return torch.eye(len(index), dtype=torch.bool, device=clusters.device)
        own = clusters[index]
        return own[:, None] == own[None, :]


def _bce(p: Tensor, target: Tensor) -> Tensor:
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()
