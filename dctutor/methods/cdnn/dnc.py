"""DNC, deep learning with nonparametric clustering (Chen 2015)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dctutor.architectures import DeepBelief, Directions
from dctutor.classical import maximum_margin
from dctutor.estimator import Count, DeepClusterer, NonNegative, Positive, Sizes, Trained, Whole
from dctutor.losses import contrastive_divergence, margin
from dctutor.training import Loop

__all__ = ["DNC"]

_LENGTH = 5.0  # mean length of centred codes, so that C means the same on all data; codes of digits have about this


@dataclass(eq=False, repr=False, kw_only=True)
class DNC(DeepClusterer):
    r"""DNC: a deep belief network, clusters whose number is found, and a last layer tuned to their margins.

    1. Restricted Boltzmann machines are trained by contrastive divergence, each on the hidden units of the one below.
    2. `dctutor.classical.maximum_margin` clusters the centred codes of the top layer, and finds how many clusters there
       are.
    3. The top layer alone is trained further, so that each code lies on its cluster's side by a margin:

    .. math:: L = \frac{1}{n} \sum_i \max\left(0,\; 1 + \max_{k \neq y_i} w_k^\top z_i - w_{y_i}^\top z_i\right)

    Labels are the largest :math:`\log n_k + C \, w_k^\top z - \frac{1}{2} \lVert w_k \rVert^2`.

    Parameters
    ----------
    n_clusters : int, default=10
        The most clusters that may be found. Fewer are no fault, though `fit` warns of those that stay empty.
    widths : sequence of int, default=(400, 200, 100)
        Hidden units of the machines; those of the last are linear, and are the embedding.
    pretrain_epochs : int, default=30
        Epochs of each machine.
    pretrain_learning_rate, top_learning_rate : float, default=0.1 and 0.001
        Of the machines with binary hidden units, and of the top one (gradient descent with a momentum of 0.9).
    weight_decay : float, default=0.0002
        Of the machines.
    sharpness : float, default=8.0
        C, how much a code's place counts beside the sizes of clusters. It rules how many clusters are found. The
        default leaves about ten on digits, labels seen.
    alpha : float or None, default=None
        Concentration of the Dirichlet process; None draws it from its posterior.
    sweeps : int, default=20
        How often each sample draws a cluster.
    epochs, learning_rate : int and float, default=10 and 0.01
        Of the third phase.
    batch_size : int, default=100
        Samples per step.
    image_shape, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Attributes
    ----------
    concentration_ : ndarray of shape ()
        :math:`\alpha` at the end of the sampling.

    Notes
    -----
    The paper's text was not at hand. What is known of it: a deep belief network, nonparametric maximum-margin
    clustering of its codes, and a top layer that is trained further. All numbers are those of the same author's code
    for two sibling papers.

    =========================================  ====================================  ================================
    the author's sibling code                  here                                  why
    =========================================  ====================================  ================================
    momentum 0.5, then 0.9                     0.9                                   one setting fewer
    100 epochs per machine                     ``pretrain_epochs``                   time
    clustering of principal components         of the top layer's codes              what the paper's abstract says
    codes as they are, C of 4.25               scaled to a mean length of 5, C of 8  C then means the same on all data
    concentration by rejection sampling        on a grid                             the same density
    a sample drawn from the posterior          the largest posterior                 repeatable labels
    50 to 100 sweeps                           ``sweeps``                            time
    =========================================  ====================================  ================================

    References
    ----------
    Chen (2015). Deep learning with nonparametric clustering. arXiv:1501.03084.

    Examples
    --------
    >>> from dctutor import DNC, load_dataset
    >>> X = load_dataset("digits").X
    >>> model = DNC(30, widths=(32, 16), pretrain_epochs=2, sweeps=2, epochs=1, random_state=0, verbose=False)
    >>> model.fit(X).transform(X[:5]).shape
    (5, 16)
    """

    widths: Sizes = (400, 200, 100)
    pretrain_epochs: Count = 30
    pretrain_learning_rate: Positive = 0.1
    top_learning_rate: Positive = 1e-3
    weight_decay: NonNegative = 2e-4
    sharpness: Positive = 8.0
    alpha: Positive | None = None
    sweeps: Count = 20
    epochs: Whole = 10
    learning_rate: Positive = 0.01
    batch_size: Count = 100

    input_scaling = "unit_range"

    def _build_network(self, n_features: int) -> DeepBelief:
        return DeepBelief(n_features, self.widths)

    def _build_head(self, embedding_dim: int) -> Directions:
        return Directions(self.n_clusters, embedding_dim, float(self.sharpness))

    def _train(self, loop: Loop) -> Trained:
        network: Any = loop.build(lambda: self._build_network(loop.x.shape[1]))
        head: Any = loop.build(lambda: self._build_head(network.embedding_dim))
        loop.register(network=network)
        loop.watch(network.encode)
        for layer in range(len(network.machines)):
            self._pretrain(loop, network, layer)

        def cluster() -> dict[str, Tensor]:
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
            mean = z.mean(0)
            factor = _LENGTH / (z - mean).norm(dim=1).mean().clamp_min(1e-12)
            found = maximum_margin(
                factor * (z - mean),
                self.n_clusters,
                loop.generator,
                sharpness=float(self.sharpness),
                alpha=None if self.alpha is None else float(self.alpha),
                sweeps=self.sweeps,
            )
            told = {name: torch.as_tensor(value).to(z.device) for name, value in found._asdict().items()}
            return told | {"mean": mean, "factor": factor}

        found = loop.once("clusters", cluster)
        head.place(**{name: found[name] for name in ("mean", "factor", "weights", "counts")})
        top = network.machine(len(network.machines) - 1)
        rate = float(self.learning_rate / found["factor"] ** 2)  # so that the scaled codes move as far on all data
        optimizer = torch.optim.SGD([top.weight, top.hidden_bias], lr=rate)

        def step(index: Tensor) -> dict[str, Tensor]:
            with torch.no_grad():
                below = network.below(loop.x[index], len(network.machines) - 1)
            along = head.along(top.encode(below))
            loss = margin(along, found["labels"][index])
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        loop.run("cluster", step, optimizers=[optimizer], epochs=self.epochs, batch_size=self.batch_size)
        return Trained(network, head, arrays={"concentration_": found["alpha"]})

    def _pretrain(self, loop: Loop, network: DeepBelief, layer: int) -> None:
        machine = network.machine(layer)
        rate = self.top_learning_rate if machine.linear else self.pretrain_learning_rate
        decay = float(self.weight_decay)
        optimizer = torch.optim.SGD(machine.parameters(), lr=float(rate), momentum=0.9, weight_decay=decay)

        def step(index: Tensor) -> dict[str, Tensor]:
            with torch.no_grad():
                v = network.below(loop.x[index], layer)
                error = (v - machine.decode(machine.encode(v))).square().sum(1).mean()
            loss = contrastive_divergence(machine, v, loop.noise_generator)
            loop.minimize(loss, optimizer)
            return {"loss": loss, "reconstruction": error}

        epochs = self.pretrain_epochs
        loop.run(f"machine {layer + 1}", step, optimizers=[optimizer], epochs=epochs, batch_size=self.batch_size)
