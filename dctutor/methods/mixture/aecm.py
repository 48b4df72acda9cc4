"""AE-CM (Boubekki, Kampffmeyer, Brefeld & Jenssen 2021)."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from dctutor import losses
from dctutor.architectures import Mixture
from dctutor.augmentation import mask
from dctutor.classical import kmeans
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, ProperFraction, Trained, Whole
from dctutor.estimator.pretrained import start_network
from dctutor.schedules import one_cycle
from dctutor.training import AveragedEpoch, Loop, divide_code

__all__ = ["AECM"]


@dataclass(eq=False, repr=False, kw_only=True)
class AECM(PretrainedClusterer):
    r"""AE-CM: an autoencoder around a clustering module, trained together by one loss.

    The code z goes to the decoder and to a clustering module, with :math:`\gamma_i = \mathrm{softmax}(W z_i + b)` and
    :math:`\bar{z}_i = \sum_k \gamma_{ik} \mu_k`:

    .. math:: L = {} & \frac{1}{n} \sum_i \lVert z_i - \bar{z}_i \rVert^2
                  + \frac{1}{n} \sum_{ik} \gamma_{ik} (1-\gamma_{ik}) + \lambda \lVert \mu \mu^T - I \rVert_1 \\
                  & + (1 - \alpha) \sum_k \log \bar{\gamma}_k + \frac{\beta}{n d} \sum_i \lVert x_i - \hat{x}_i \rVert^2

    Orthonormal centroids make :math:`E_2` and :math:`E_3` of `dctutor.losses.clustering_module` the second sum and 0,
    and hold the scale of the codes. Labels are the largest :math:`\gamma_{ik}`; ``inverse_transform`` draws centroids.

    Parameters
    ----------
    init : {"pre", "rand"}, default="pre"
        Start from a pre-trained autoencoder, k-means and the module trained alone; or from random weights.
    alpha, beta, lam : float, default=1.08, 1.5 and 0.1
        Concentration of the Dirichlet prior on :math:`\bar{\gamma}_k`, the fractions of samples in the clusters (1 is
        no prior; a larger one evens them out); weights of reconstruction and orthonormality.
    epochs, learning_rate : int and float, default=30 and 0.002
        Epochs of joint training, before one more whose weights are averaged; peak of Adam's one cycle.
    joint_noise : float, default=0.5
        Fraction of the encoder's inputs set to zero in joint training, in [0, 1). On many images 0 does better.
    module_epochs, temperature : int and float, default=40 and 4.0
        With ``"pre"``: epochs in which the module learns alone, on the codes; what its logits are then divided by.
    n_clusters, widths, channels, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate
        See `PretrainedClusterer`.
    pretrain_weight_decay, weight_init, augment, autoencoder
        See `PretrainedClusterer`; all but ``n_clusters``, ``widths``, ``channels`` and ``weight_init`` count with
        ``"pre"`` alone.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ===========================================  =========================================================
    paper, as sums over a batch of n             here
    ===========================================  =========================================================
    :math:`\alpha_k` = 230 (MNIST, n = 500)      ``alpha`` = :math:`1 + (\alpha_k - 1) / n` = 1.46, for all k
    :math:`\lambda` = 1                          ``lam`` = :math:`\lambda / n` = 0.002
    :math:`\beta` = 5, pixels in [0, 1]          ``beta`` = :math:`\beta d` / ``scaling_.factor``:sup:`2` = 441
    ===========================================  =========================================================

    Departures. Defaults are for 600 steps on 5,000 images, not 21,000 on 70,000: in so few, a reconstruction of the
    paper's weight keeps clusters as they start. The encoder sees a corrupted copy; centroids start with mean length 1;
    the temperature lets wrong assignments change again; one cycle; ReLU, not leaky; pre-training as in `DEC`.

    References
    ----------
    Boubekki et al. (2021). Joint optimization of an autoencoder [...]. Machine Learning 110. Values: the authors' code.
    """

    init: Literal["pre", "rand"] = "pre"
    alpha: Positive = 1.08
    beta: NonNegative = 1.5
    lam: NonNegative = 0.1
    epochs: Count = 30
    joint_noise: ProperFraction = 0.5
    learning_rate: Positive = 2e-3
    module_epochs: Whole = 40
    temperature: Positive = 4.0

    def _check_params(self) -> None:
        super()._check_params()
        if self.init == "rand" and self.autoencoder is not None:
            raise ValueError("autoencoder: expected None with init='rand', which starts from random weights")

    def _build_head(self, embedding_dim: int) -> Mixture:
        return Mixture(self.n_clusters, embedding_dim)

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop) if self.init == "pre" else start_network(loop, self._build_network, None)
        module = loop.build(lambda: self._build_head(network.embedding_dim))
        averaged = AveragedEpoch(loop, self.epochs, network=network, module=module)
        loop.register(module=module)
        loop.watch(network.encode, module.centers)
        alone = loop.adam(module.parameters(), 0.01)
        both = loop.adam([*network.parameters(), *module.parameters()], self.learning_rate)

        def start_module() -> None:
            z = loop.state["codes"] = loop.map(network.encode)
            loop.check_finite(embedding=z)
            module.start_from(torch.from_numpy(kmeans(z, self.n_clusters, loop.generator)).to(loop.device))

        def module_step(index: Tensor) -> dict[str, Tensor]:
            z = loop.state["codes"][index]
            terms = losses.clustering_module(z, module.assign(z), module.centers, self.alpha)
            loss = terms[:3].sum() / len(z) + terms[3]
            loop.minimize(loss, alone)
            return {"loss": loss}

        def start() -> None:
            if loop.state.pop("codes", None) is not None:
                normalize(network, module, self.temperature)

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index]
            z = network.encode(mask(x, self.joint_noise, loop.noise_generator))
            gamma = module.assign(z)
            terms = {
                "E1": losses.reconstruction(z, module.mix(gamma), reduction="sum") / len(x),
                "E2": losses.gini_impurity(gamma) / len(x),
                "orthonormality": self.lam * losses.orthonormality(module.centers),
                "prior": losses.dirichlet_prior(gamma, self.alpha),
                "reconstruction": self.beta * losses.reconstruction(x, network.decode(z)),
            }
            loss = torch.stack([*terms.values()]).sum()
            loop.minimize(loss, both)
            averaged.update()
            return {"loss": loss, **terms}

        run = partial(loop.run, batch_size=self.batch_size)
        cycle = one_cycle(end=0.01)
        if self.init == "pre":
            epochs = self.module_epochs
            run(
                "module",
                module_step,
                optimizers=[alone],
                epochs=epochs,
                start=start_module,
                learning_rate_schedule=cycle,
            )
        run(
            "cluster",
            step,
            optimizers=[both],
            epochs=averaged.total,
            learning_rate_schedule=averaged.schedule(cycle),
            start=start,
            end=averaged.finish,
        )
        return Trained(network, module)


@torch.no_grad()
def normalize(network: nn.Module, module: Mixture, temperature: float) -> None:
    """Give the centroids a mean length of 1, and divide the logits by a temperature.

    Codes follow the centroids and the decoder undoes it: reconstructions stay as they are, and so do assignments with a
    temperature of 1. With a larger one they become softer; none changes its largest entry.
    """
    length = module.centers.norm(dim=1).mean()
    factor = torch.where(length > 0, length, 1.0)  # constant data
    divide_code(network, factor)
    module.centers.div_(factor)
    module.encoder.weight.mul_(factor / temperature)
    module.encoder.bias.div_(temperature)
