"""DEPICT (Ghasedi Dizaji, Herandi, Deng, Cai & Huang 2017)."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from dctutor.architectures import Autoencoder, ConvolutionalAutoencoder, Softmax
from dctutor.augmentation import mask
from dctutor.estimator import Count, DeepClusterer, NonNegative, Positive, ProperFraction, Sizes, Trained, Whole
from dctutor.estimator.pretrained import start_network
from dctutor.losses import assignment_hardening, balanced_target, layerwise_reconstruction
from dctutor.methods._self_training import FirstClusters, SelfTraining
from dctutor.schedules import constant, one_cycle
from dctutor.training import Loop

__all__ = ["DEPICT"]


@dataclass(eq=False, repr=False, kw_only=True)
class DEPICT(DeepClusterer):
    r"""Deep embedded regularized clustering: name the cluster of an image from a corrupted copy of it.

    A softmax layer on the code, a tanh, gives soft assignments. Those of clean images, evened out over the clusters,
    are the target of those of corrupted images; at the same time a decoder reconstructs every layer of the encoder:

    .. math:: L = -\frac{\gamma}{N} \sum_{i,k} p_{ik} \log \tilde{q}_{ik}
                  + \frac{1}{N} \sum_i \sum_{l=0}^{L-1} \frac{w_l}{|z_i^l|} \lVert z_i^l - \hat{z}_i^l \rVert^2

    Parameters
    ----------
    channels, widths : sequence of int, default=(50, 50) and (500, 500, 2000, 10)
        Feature maps of the encoder's convolutions, each of which halves height and width; widths of the dense layers of
        samples that are not images. The last width is that of the code in both. Fewer maps, such as (16, 32), are
        faster.
    noise : float, default=0.2
        Fraction of entries set to zero in the noisy path, before every layer except the one that makes the code.
    hidden_weight, gamma : float, default=0.1 and 1.0
        Weights :math:`w_l` of a hidden layer's reconstruction, next to 1 for the input, and of the clustering loss.
    balance, sharpness : float, default=0.5 and 2.0
        Of the target; see `dctutor.losses.balanced_target`. The paper's equation 5 has a sharpness of 1.
    pretrain_epochs, start_epochs, epochs, tol : int and float, default=40, 10, 15 and 0.001
        Epochs with the reconstruction alone; towards the first clusters; and towards the target, renewed after each,
        until a smaller fraction than ``tol`` of the samples changes cluster.
    init : {"ac-pic", "ward", "kmeans"}, default="ac-pic"
        What finds the first clusters in the codes: `dctutor.classical.path_integral`, Ward's method or k-means. The
        first two see 10,000 codes at most; each of the others takes the label of the nearest of these.
    learning_rate, weight_decay : float, default=0.003 and 0.3
        Of AdamW: the peak of a one-cycle schedule in pre-training, a tenth of it from there on; decoupled weight decay.
    autoencoder : nn.Module or None, default=None
        A trained one of these layers, such as ``DEPICT(gamma=0, epochs=1).fit(X).network_``, to start from a copy of
        instead of pre-training.
    n_clusters, image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`. ``precision`` is float32 by default: many CPUs convolve bfloat16 more slowly.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ====================================================  ====================================================
    paper                                                 here, in the survey's letters
    ====================================================  ====================================================
    :math:`p_{ik}`, softmax of the clean path (eq. 1)     :math:`q_{ik}`, ``predict_proba``
    :math:`q_{ik}`, closed form (eq. 5)                   :math:`p_{ik}`, `dctutor.losses.balanced_target`
    :math:`\tilde{p}_{ik}`, softmax of the noisy path     :math:`\tilde{q}_{ik}`
    ====================================================  ====================================================

    =================================  ================================  ==============================================
    paper, or its authors' code        here                              why
    =================================  ================================  ==============================================
    start on all of MNIST: k-means     AC-PIC of 10,000 codes            better on smaller data; see *Measured runs*
    start: until held-out NMI is best  10 epochs                         time
    leaky ReLU, tanh output            ReLU, linear output               as in the other methods; not tried singly
    kernels of 4 x 4 and 5 x 5         5 x 5                             height and width halve exactly
    up to 4,000 epochs                 tens of epochs                    time
    Adam, rate 1e-4, no decay          AdamW, rate 3e-3, decay 0.3       so few epochs; chosen with labels seen
    dropout 0.1                        0.2                               chosen with labels seen
    gradient in the clean path         none                              the target is a constant
    =================================  ================================  ==============================================

    References
    ----------
    Ghasedi Dizaji et al. (2017). Deep clustering via joint convolutional autoencoder embedding [...]. ICCV.
    """

    channels: Sizes = (50, 50)
    widths: Sizes = (500, 500, 2000, 10)
    noise: ProperFraction = 0.2
    hidden_weight: NonNegative = 0.1
    gamma: NonNegative = 1.0
    balance: NonNegative = 0.5
    sharpness: Positive = 2.0
    pretrain_epochs: Whole = 40
    start_epochs: Whole = 10
    epochs: Count = 15
    tol: NonNegative = 0.001
    learning_rate: Positive = 3e-3
    weight_decay: NonNegative = 0.3
    init: FirstClusters = "ac-pic"
    autoencoder: nn.Module | None = None
    batch_size: Count = 100
    precision: Literal["auto", "float32", "bfloat16"] = "float32"

    def _build_network(self, n_features: int) -> nn.Module:
        if self.image_shape_ is None:
            return Autoencoder(n_features, self.widths, code_activation=torch.tanh)
        below = ConvolutionalAutoencoder(self.image_shape_, self.channels, self.widths[-1], code_activation=torch.tanh)
        return below.to(memory_format=torch.channels_last)  # CPUs convolve faster so

    def _build_head(self, embedding_dim: int) -> Softmax:
        return Softmax(self.n_clusters, embedding_dim)

    def _train(self, loop: Loop) -> Trained:
        network = start_network(loop, self._build_network, self.autoencoder)
        head = loop.build(lambda: self._build_head(network.embedding_dim))
        loop.register(head=head)
        loop.watch(network.encode)
        target = partial(balanced_target, balance=self.balance, sharpness=self.sharpness)  # eq. 5
        clusters = SelfTraining(loop, network, head, tol=self.tol, target=target)
        parameters = [*network.parameters(), *head.parameters()]
        optimizer = loop.adam(parameters, self.learning_rate, weight_decay=self.weight_decay)

        def corrupt(x: Tensor) -> Tensor:
            return mask(x, self.noise, loop.noise_generator)

        def reconstruction(x: Tensor) -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                *clean, _ = network.layer_outputs(x)
            *_, z = network.layer_outputs(x, corrupt)
            decoded = reversed(network.decoder_outputs(z))
            return z, layerwise_reconstruction([x, *clean], [*decoded], hidden_weight=self.hidden_weight)

        def pretrain_step(index: Tensor) -> dict[str, Tensor]:
            _, loss = reconstruction(loop.x[index])
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        def step(index: Tensor) -> dict[str, Tensor]:
            z, l_r = reconstruction(loop.x[index])
            # The cross entropy less the target's own entropy, which no weight can change.
            l_c = assignment_hardening(clusters.target(index), head.assign(z))
            loss = l_r + self.gamma * l_c
            loop.minimize(loss, optimizer)
            return {"loss": loss, "reconstruction": l_r, "clustering": l_c}

        def start() -> None:
            z, labels, _ = clusters.first_clusters(self.init)
            head.start_from(z, labels)
            loop.state["target"] = torch.eye(self.n_clusters, device=loop.device)[labels]

        run = partial(loop.run, optimizers=[optimizer], batch_size=self.batch_size)
        epochs = 0 if self.autoencoder else self.pretrain_epochs
        run("pretrain", pretrain_step, epochs=epochs, learning_rate_schedule=one_cycle())
        run("start", step, epochs=self.start_epochs, start=start, learning_rate_schedule=constant(0.1))
        refresh = clusters.refresh
        run("cluster", step, epochs=self.epochs, refresh=refresh, learning_rate_schedule=constant(0.1))
        return Trained(network, head)
