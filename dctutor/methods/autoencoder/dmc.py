"""Deep Multi-Manifold Clustering (Chen, Lv & Zhang 2017)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from dctutor import classical, losses
from dctutor.architectures import Fuzzy
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, Range, Trained, Whole
from dctutor.training import Loop

__all__ = ["DMC"]


@dataclass(eq=False, repr=False, kw_only=True)
class DMC(PretrainedClusterer):
    r"""Deep multi-manifold clustering: neighbours get similar codes, and codes gather around centres.

    .. math:: L = \underbrace{L_{rec} + \lambda L_{lp}}_{\text{locality-preserving objective}}
              + \underbrace{\gamma L_c}_{\text{clustering-oriented objective}}

    with :math:`L_{rec}` from the survey's eq. 1, :math:`L_{lp}` from its eq. 3, and :math:`L_c` the distances of a code
    to all centres, the nearer the more they count (`dctutor.losses.fuzzy_k_means`). The codes themselves say, every
    few epochs, which samples are neighbours, and before every epoch where the centres lie.

    Parameters
    ----------
    locality : float, default=20.0
        Weight :math:`\lambda` of the locality-preserving loss.
    gamma : float, default=1.0
        Weight :math:`\gamma` of the clustering loss.
    n_neighbors : int, default=10
        Neighbours per sample, k in :math:`N_k(i)`; all other samples if there are fewer.
    graph_every : int, default=5
        Epochs between two searches for neighbours.
    fuzziness : float, default=1.5
        m, above 1: near 1 only the nearest centre counts.
    locality_epochs, epochs : int, default=15 and 5
        Epochs with :math:`\gamma = 0`, before k-means places the centres; and with the whole objective.
    learning_rate : float, default=0.001
        Of Adam, in both.
    n_clusters, widths, channels, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate
        See `PretrainedClusterer`.
    pretrain_weight_decay, weight_init, augment, autoencoder
        See `PretrainedClusterer`.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    From the paper's abstract come the two objectives in one cost, their aims, a relation of the data that is explored
    again and again, and centres found from the codes; from Min et al. (2018), that the first is reconstruction and
    locality, and the second penalises codes by their proximity to each centre. The formulas are this package's
    reading, made without the paper's text, and so are symbols and defaults (for ``mnist-5k``):

    - Neighbours outside the batch enter eq. 3 with the codes that they had before the epoch. It saves encoding them,
      and codes that stand still do not lower the loss by shrinking towards the origin together.
    - Both losses of codes are in units of the total variance of the first codes, so that weights fit any data.
    - Pre-training as in `DEC`, and ``locality_epochs``: neighbours and centres of random codes would say little.

    References
    ----------
    Chen, Lv & Zhang (2017). Unsupervised multi-manifold clustering by learning deep representation. AAAI workshops.
    Min, Guo, Liu, Zhang, Cui & Long (2018). A survey of clustering with deep learning. IEEE Access.

    Examples
    --------
    >>> from dctutor import DMC, load_dataset
    >>> digits = load_dataset("digits")
    >>> dmc = DMC(n_clusters=10, widths=(100, 100, 10), layerwise_epochs=0, pretrain_epochs=30, random_state=0)
    >>> labels = dmc.fit_predict(digits.X)
    >>> dmc.predict_proba(digits.X[:3]).shape
    (3, 10)
    """

    locality: NonNegative = 20.0
    gamma: NonNegative = 1.0
    n_neighbors: Count = 10
    graph_every: Count = 5
    fuzziness: Annotated[float, Range(1, above=True)] = 1.5
    locality_epochs: Whole = 15
    epochs: Count = 5
    learning_rate: Positive = 1e-3

    def _build_head(self, embedding_dim: int) -> Fuzzy:
        return Fuzzy(self.n_clusters, embedding_dim, self.fuzziness)

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        head = loop.build(lambda: self._build_head(network.embedding_dim))
        loop.register(head=head)
        optimizer = loop.adam(network.parameters(), self.learning_rate)  # one: each new one starts with a jolt

        def embed() -> Tensor:
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
            return z

        def explore() -> None:
            loop.state["z"] = z = embed()
            loop.state.setdefault("spread", z.var(0).sum().clamp_min(1e-6))  # all codes may be equal
            if loop.epoch % self.graph_every == 0:
                loop.state |= classical.neighbour_graph(z, min(self.n_neighbors, len(z) - 1))._asdict()

        def place_centers() -> None:
            head.centers.copy_(torch.from_numpy(classical.kmeans(embed(), self.n_clusters, loop.generator)))

        def explore_and_move_centers() -> None:  # each to the mean of the codes, weighted by membership
            explore()
            weights = head.assign(loop.state["z"]) ** self.fuzziness
            means = classical.weighted_means(loop.state["z"], weights)
            head.centers.copy_(torch.where(weights.sum(0).unsqueeze(1) > 0, means, head.centers))

        def train(phase: str, gamma: float, epochs: int, start: Callable | None, refresh: Callable) -> None:
            def step(index: Tensor) -> dict[str, Tensor]:
                x, state = loop.x[index], loop.state
                z = network.encode(x)
                l_rec = losses.reconstruction(x, network.decode(z))  # eq. 1
                graph = classical.NeighbourGraph(state["neighbors"], state["similarity"])
                samples, pairs, similarity = graph.edges(index)
                codes = state["z"].index_copy(0, index, z)[samples]  # those of the batch are new
                l_lp = losses.locality_preserving(codes, pairs, similarity) / state["spread"]  # eq. 3
                l_c = losses.fuzzy_k_means(z, head.centers, self.fuzziness) / state["spread"]
                loss = l_rec + self.locality * l_lp + gamma * l_c
                loop.minimize(loss, optimizer)
                parts = {"loss": loss, "reconstruction": l_rec, "locality": l_lp}
                return parts | ({"clustering": l_c} if gamma else {})

            size = self.batch_size
            loop.run(phase, step, optimizers=[optimizer], epochs=epochs, batch_size=size, start=start, refresh=refresh)

        if self.locality_epochs:
            train("locality", 0, self.locality_epochs, None, explore)
        loop.watch(network.encode, head.centers)
        train("cluster", self.gamma, self.epochs, place_centers, explore_and_move_centers)
        return Trained(network, head)
