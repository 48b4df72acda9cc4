"""Deep Embedding Network (Huang, Huang, Wang & Wang 2014)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dctutor.classical import kmeans, neighbour_graph
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, Trained
from dctutor.losses import group_sparsity, locality_preserving, reconstruction
from dctutor.schedules import one_cycle
from dctutor.training import Loop, scale_code

__all__ = ["DEN"]


@dataclass(eq=False, repr=False, kw_only=True)
class DEN(PretrainedClusterer):
    r"""Deep Embedding Network: shape the code for k-means by two constraints, and only then run k-means.

    A pre-trained autoencoder is fine-tuned so that neighbours in the data stay neighbours in the code, and
    so that each sample uses few of the K groups into which the code's units are cut:

    .. math:: L = L_r + \alpha L_{lp} + \beta L_{gs}

    .. math:: L_r = \sum_i \lVert x_i - g(f(x_i)) \rVert^2, \quad
              L_{lp} = \sum_i \sum_{j \in N_k(i)} s_{ij} \lVert z_i - z_j \rVert^2, \quad
              L_{gs} = \sum_i \sum_{g=1}^{K} \lambda_g \lVert z_i^{(g)} \rVert

    with :math:`s_{ij} = \exp(-\lVert x_i - x_j \rVert^2 / t)` and :math:`\lambda_g = \sqrt{n_g}` for a group of
    :math:`n_g` units. The first two terms are survey eq. 1 and 3. No term knows of a centre: k-means on the code of
    the trained network places the centres, and ``predict`` takes the nearest one.

    Parameters
    ----------
    alpha : float, default=0.1
        Weight of the locality-preserving constraint.
    beta : float, default=0.0001
        Weight of the group-sparsity constraint.
    n_neighbors : int, default=5
        Neighbours k of each sample in the graph; all other samples if there are fewer.
    t : float or None, default=None
        Width of the heat kernel, in squared units of the scaled input; None is the mean squared distance of neighbours.
    epochs : int, default=30
        Epochs of fine-tuning.
    learning_rate : float, default=0.001
        Peak learning rate of fine-tuning (Adam, one cycle).
    widths : sequence of int, default=(500, 500, 2000, 10)
        Widths of the encoder's layers. The last, that of the code, is cut into K groups as equal as can be (where
        it is below K, into single units): a multiple of K gives each cluster a group of several units.
    n_clusters, channels, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate
        See `PretrainedClusterer`.
    pretrain_weight_decay, weight_init, augment, autoencoder
        See `PretrainedClusterer`.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ================================  ===================================
    paper                             argument
    ================================  ===================================
    number of groups, K               ``n_clusters``
    :math:`\alpha`, :math:`\beta`     ``alpha``, ``beta``
    k                                 ``n_neighbors``
    t                                 ``t``
    ================================  ===================================

    Departures. Means stand for the sums, over entries, edges and samples, so that a weight does not depend on the
    size of the data. The common factor of :math:`\lambda_g` is part of :math:`\beta`. A step draws one neighbour for
    each sample of the batch, not all k: the same gradient on average, for less work. The code is linear, as in the
    other methods here, and so has no scale of its own: fine-tuning starts from a code of unit spread (the decoder makes
    up for it), so that ``alpha`` and ``beta`` mean the same for every autoencoder. The paper's values for them could
    not be verified; the defaults were chosen at this scale.

    References
    ----------
    Huang, Huang, Wang & Wang (2014). Deep embedding network for clustering. ICPR.

    Examples
    --------
    >>> from dctutor import DEN, load_dataset
    >>> digits = load_dataset("digits")
    >>> den = DEN(widths=(100, 20), layerwise_epochs=2, pretrain_epochs=5, epochs=5, random_state=0, verbose=False)
    >>> den.fit(digits.X).transform(digits.X[:3]).shape
    (3, 20)
    """

    alpha: NonNegative = 0.1
    beta: NonNegative = 1e-4
    n_neighbors: Count = 5
    t: Positive | None = None
    epochs: Count = 30
    learning_rate: Positive = 1e-3

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        graph = neighbour_graph(loop.x, min(self.n_neighbors, len(loop.x) - 1), t=self.t)
        k = graph.neighbors.shape[1]
        units = torch.arange(network.embedding_dim)
        groups = [len(group) for group in units.tensor_split(min(self.n_clusters, len(units)))]
        optimizer = loop.adam(network.parameters(), self.learning_rate)

        def step(index: Tensor) -> dict[str, Tensor]:
            drawn = torch.randint(k, index.shape, generator=loop.noise_generator, device=loop.device)
            z = network.encode(loop.x[torch.cat([index, graph.neighbors[index, drawn]])])
            own = z[: len(index)]
            pairs = torch.arange(len(z), device=loop.device).view(2, -1).T  # sample, its neighbour
            l_r = reconstruction(loop.x[index], network.decode(own))
            l_lp = locality_preserving(z, pairs, graph.similarity[index, drawn])
            l_gs = group_sparsity(own, groups)
            loss = l_r + self.alpha * l_lp + self.beta * l_gs
            loop.minimize(loss, optimizer)
            return {"loss": loss, "reconstruction": l_r, "locality": l_lp, "sparsity": l_gs}

        loop.run(
            "finetune",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate_schedule=one_cycle(),
            start=lambda: scale_code(loop, network, lambda z: z.std(0).mean()),
        )
        z = loop.map(network.encode)
        loop.check_finite(embedding=z)
        return Trained(network, centers=torch.from_numpy(kmeans(z, self.n_clusters, loop.generator)))
