"""AE-CM (Boubekki, Kampffmeyer, Brefeld & Jenssen 2021)."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from dctutor import losses
from dctutor._validation import check_integer, check_number
from dctutor.architectures import MixtureAutoencoder
from dctutor.augmentation import mask
from dctutor.classical.kmeans import kmeans
from dctutor.estimator.pretrained import PretrainedClusterer
from dctutor.schedules import one_cycle
from dctutor.training import Loop
from dctutor.training.averaging import average_epoch

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
        Concentration of the Dirichlet prior on the clusters' shares :math:`\bar{\gamma}_k` (1 is no prior; more evens
        them out); weights of reconstruction and orthonormality.
    epochs, learning_rate : int and float, default=30 and 0.002
        Passes over the data in joint training, before one more whose weights are averaged; peak of Adam's one cycle.
    joint_noise : float, default=0.5
        Share of the encoder's inputs set to zero in joint training, in [0, 1). On many images 0 does better.
    module_epochs, temperature : int and float, default=40 and 4.0
        With ``"pre"``: passes over the codes in which the module learns alone; what its logits are then divided by.
    n_clusters, widths, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate, pretrain_weight_decay
        See `PretrainedClusterer`.
    weight_init, autoencoder
        See `PretrainedClusterer`; all but ``n_clusters``, ``widths`` and ``weight_init`` count with ``"pre"`` alone.
    batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ===========================================  =========================================================
    paper, as sums over a batch of n             here
    ===========================================  =========================================================
    :math:`\alpha_k` = 230 (MNIST, n = 500)      ``alpha`` = :math:`1 + (\alpha_k - 1) / n` = 1.46, for all k
    :math:`\lambda` = 1                          ``lam`` = :math:`\lambda / n` = 0.002
    :math:`\beta` = 5, pixels in [0, 1]          ``beta`` = :math:`\beta d` / ``scale_``:sup:`2` = 441
    ===========================================  =========================================================

    Departures. Defaults are for 600 steps on 5,000 images, not 21,000 on 70,000: in so few, a reconstruction of the
    paper's weight keeps clusters as they start. The encoder sees a corrupted copy; centroids start with mean length 1;
    the temperature lets wrong assignments change again; one cycle; ReLU, not leaky; pre-training as in `DEC`.

    References
    ----------
    Boubekki et al. (2021). Joint optimization of an autoencoder [...]. Machine Learning 110. Values: the authors' code.
    """

    init: str = "pre"
    alpha: float = 1.08
    beta: float = 1.5
    lam: float = 0.1
    epochs: int = 30
    joint_noise: float = 0.5
    learning_rate: float = 2e-3
    module_epochs: int = 40
    temperature: float = 4.0

    def _check_params(self) -> None:
        super()._check_params()
        if self.init not in ("pre", "rand"):
            raise ValueError(f"init: expected 'pre' or 'rand', got {self.init!r}")
        if self.init == "rand" and self.autoencoder is not None:
            raise ValueError("autoencoder: expected None with init='rand', which starts from random weights")
        for name in ("alpha", "temperature", "learning_rate"):
            check_number(name, getattr(self, name), open_at_minimum=True)
        check_number("beta", self.beta)
        check_number("lam", self.lam)
        check_number("joint_noise", self.joint_noise, below=1)
        for name, least in (("module_epochs", 0), ("epochs", 1)):
            check_integer(name, getattr(self, name), minimum=least)

    def _build_network(self, n_features: int) -> MixtureAutoencoder:
        return MixtureAutoencoder(self._build_autoencoder(n_features), self.n_clusters)

    def _train(self, loop: Loop) -> tuple[MixtureAutoencoder, Tensor]:
        autoencoder = self._pretrained(loop) if self.init == "pre" else self._untrained(loop)
        network = loop.build(lambda: MixtureAutoencoder(autoencoder, self.n_clusters))
        module, averaged = network.module, AveragedModel(network)
        loop.register(module=module, averaged=averaged)
        loop.watch(network.encode, module.centers)
        alone, both = loop.adam(module.parameters(), 0.01), loop.adam(network.parameters(), self.learning_rate)

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
                network.normalize(self.temperature)

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index]
            z = network.encode(mask(x, self.joint_noise, loop.device_generator))
            gamma = network.assign(z)
            terms = {
                "E1": losses.reconstruction(z, module.mix(gamma), reduction="sum") / len(x),
                "E2": losses.gini_impurity(gamma) / len(x),
                "orthonormality": self.lam * losses.orthonormality(module.centers),
                "prior": losses.dirichlet_prior(gamma, self.alpha),
                "reconstruction": self.beta * losses.reconstruction(x, network.decode(z)),
            }
            loss = torch.stack([*terms.values()]).sum()
            loop.minimize(loss, both)
            return {"loss": loss, **terms}

        run = partial(loop.run, batch_size=self.batch_size, learning_rate_schedule=one_cycle(end=0.01))
        if self.init == "pre":
            run("module", module_step, optimizers=[alone], epochs=self.module_epochs, start=start_module)
        run("cluster", step, optimizers=[both], epochs=self.epochs, start=start)
        average_epoch(loop, network, averaged, step, optimizers=[both], batch_size=self.batch_size)
        return network, module.centers

    def _assign(self, z: Tensor, centers: Tensor) -> Tensor:
        return self.network_.assign(z)
