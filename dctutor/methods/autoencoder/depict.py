"""DEPICT (Ghasedi Dizaji, Herandi, Deng, Cai & Huang 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from dctutor._validation import check_integer, check_number, check_sizes
from dctutor.architectures import Autoencoder, ConvolutionalAutoencoder, SoftmaxAutoencoder
from dctutor.augmentation import mask
from dctutor.classical.ward import ward
from dctutor.estimator import DeepClusterer
from dctutor.losses import assignment_hardening, balanced_target, layerwise_reconstruction
from dctutor.methods._self_training import refresh_target
from dctutor.schedules import constant, one_cycle
from dctutor.training import Loop

__all__ = ["DEPICT"]


@dataclass(eq=False, repr=False, kw_only=True)
class DEPICT(DeepClusterer):
    r"""Deep embedded regularized clustering: name the cluster of an image from a damaged copy of it.

    A softmax layer on the code, a tanh, gives soft assignments. Those of whole images, evened out over the clusters,
    are the target of those of damaged images; at the same time a decoder rebuilds every layer of the encoder:

    .. math:: L = -\frac{\gamma}{N} \sum_{i,k} p_{ik} \log \tilde{q}_{ik}
                  + \frac{1}{N} \sum_i \sum_{l=0}^{L-1} \frac{w_l}{|z_i^l|} \lVert z_i^l - \hat{z}_i^l \rVert^2

    Parameters
    ----------
    image_shape : (C, H, W) or None, default=None
        Shape of a sample where ``X`` is flat. Samples without one get dense layers.
    channels, widths : sequence of int, default=(50, 50) and (500, 500, 2000, 10)
        Feature maps of the encoder's convolutions, each of which halves height and width; widths of the dense layers.
        The last width is that of the code in both. Fewer maps, such as (16, 32), are faster.
    noise : float, default=0.2
        Share of entries set to zero in the noisy path, before every layer but the one that makes the code.
    hidden_weight, gamma : float, default=0.1 and 1.0
        Weights :math:`w_l` of a hidden layer's reconstruction, next to 1 for the input, and of the clustering loss.
    balance, sharpness : float, default=0.5 and 2.0
        Of the target; see `dctutor.losses.balanced_target`. The paper's equation 5 has a sharpness of 1.
    pretrain_epochs, start_epochs, epochs, tol : int and float, default=40, 2, 15 and 0.001
        Passes over the data: with the reconstruction alone; towards the clusters that Ward's method finds in the codes;
        and towards the target, renewed after each, until a smaller share than ``tol`` changes cluster.
    learning_rate, weight_decay : float, default=0.003 and 0.3
        Of AdamW: the peak of a one-cycle schedule in pre-training, a tenth of it from there on; a decay (labels seen).
    autoencoder : SoftmaxAutoencoder or None, default=None
        A trained one, such as ``DEPICT(gamma=0, epochs=1).fit(X).network_``, to start from instead of pre-training.
    n_clusters, batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
        See `DeepClusterer`. ``precision`` is float32 unless told: many CPUs convolve bfloat16 more slowly.

    Notes
    -----
    =====================================================  ====================================================
    paper                                                  here, in the survey's letters
    =====================================================  ====================================================
    :math:`p_{ik}`, softmax of the clean path (eq. 1)      :math:`q_{ik}`, ``network_.assign``
    :math:`q_{ik}`, closed form (eq. 5)                    :math:`p_{ik}`, `dctutor.losses.balanced_target`
    :math:`\tilde{p}_{ik}`, softmax of the noisy path      :math:`\tilde{q}_{ik}`
    =====================================================  ====================================================

    Departures: ReLU; 5 x 5 kernels; fewer epochs; AdamW, faster; more noise; no gradient in the clean path; Ward.

    References
    ----------
    Ghasedi Dizaji et al. (2017). Deep clustering via joint convolutional autoencoder embedding [...]. ICCV.
    """

    image_shape: Sequence[int] | None = None
    channels: Sequence[int] = (50, 50)
    widths: Sequence[int] = (500, 500, 2000, 10)
    noise: float = 0.2
    hidden_weight: float = 0.1
    gamma: float = 1.0
    balance: float = 0.5
    sharpness: float = 2.0
    pretrain_epochs: int = 40
    start_epochs: int = 2
    epochs: int = 15
    tol: float = 0.001
    learning_rate: float = 3e-3
    weight_decay: float = 0.3
    autoencoder: SoftmaxAutoencoder | None = None
    batch_size: int = 100
    precision: str = "float32"

    def _check_params(self) -> None:
        super()._check_params()
        for name in ("channels", "widths"):
            check_sizes(name, getattr(self, name))
        check_number("noise", self.noise, below=1)
        for name in ("hidden_weight", "gamma", "balance", "tol", "weight_decay"):
            check_number(name, getattr(self, name))
        for name in ("sharpness", "learning_rate"):
            check_number(name, getattr(self, name), open_at_minimum=True)
        for name, least in (("pretrain_epochs", 0), ("start_epochs", 0), ("epochs", 1)):
            check_integer(name, getattr(self, name), minimum=least)

    def _build_network(self, n_features: int) -> SoftmaxAutoencoder:
        if self.image_shape_ is None:
            return SoftmaxAutoencoder(Autoencoder(n_features, self.widths), self.n_clusters)
        below = ConvolutionalAutoencoder(self.image_shape_, self.channels, self.widths[-1])
        # CPUs convolve faster with the channels last in memory.
        return SoftmaxAutoencoder(below, self.n_clusters, self.image_shape_).to(memory_format=torch.channels_last)

    def _train(self, loop: Loop) -> tuple[SoftmaxAutoencoder, Tensor]:
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        if self.autoencoder is not None:
            network.start_as(self.autoencoder)
        loop.register(network=network)
        loop.watch(network.encode)
        optimizer = loop.adam(network.parameters(), self.learning_rate, weight_decay=self.weight_decay)

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index]
            with torch.no_grad():
                *clean, _ = network.layer_outputs(x)
            *_, z = network.layer_outputs(x, lambda a: mask(a, self.noise, loop.device_generator))
            rebuilt = reversed(network.decoder_outputs(z))
            loss = l_r = layerwise_reconstruction([x, *clean], [*rebuilt], hidden_weight=self.hidden_weight)
            found = {"reconstruction": l_r}
            if "target" in loop.state:
                # The cross entropy less the target's own entropy, which no weight can change.
                found["clustering"] = assignment_hardening(loop.state["target"][index], network.assign(z))
                loss = l_r + self.gamma * found["clustering"]
            loop.minimize(loss, optimizer)
            return {"loss": loss, **found}

        def start() -> None:
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
            labels = torch.from_numpy(ward(z, self.n_clusters, loop.generator)).to(loop.device)
            network.start_from(z, labels)
            loop.state["target"] = torch.eye(self.n_clusters, device=loop.device)[labels]

        target = partial(balanced_target, balance=self.balance, sharpness=self.sharpness)  # eq. 5
        refresh = partial(refresh_target, loop, network, target, self.tol)
        run = partial(loop.run, step=step, optimizers=[optimizer], batch_size=self.batch_size)
        run("pretrain", epochs=0 if self.autoencoder else self.pretrain_epochs, learning_rate_schedule=one_cycle())
        run("start", epochs=self.start_epochs, start=start, learning_rate_schedule=constant(0.1))
        run("cluster", epochs=self.epochs, refresh=refresh, learning_rate_schedule=constant(0.1))
        q, z = loop.map(network), loop.map(network.encode)
        return network, q.T @ z / q.sum(0).clamp_min(torch.finfo(q.dtype).tiny).unsqueeze(1)

    def _assign(self, z: Tensor, centers: Tensor) -> Tensor:
        return self.network_.assign(z)
