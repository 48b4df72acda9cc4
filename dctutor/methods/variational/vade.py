"""VaDE, Variational Deep Embedding (Jiang, Zheng, Tan, Tang & Zhou 2017)."""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from dctutor.architectures import CNN, VAE, Autoencoder, ConvolutionalAutoencoder, DiagonalMixture
from dctutor.classical import diagonal_mixture
from dctutor.estimator import Count, Positive, PretrainedClusterer, Sampling, Trained, Whole
from dctutor.estimator.scaling import Rule
from dctutor.losses import bernoulli_nll, gaussian_nll, mixture_kl
from dctutor.methods._self_training import FirstClusters, SelfTraining
from dctutor.training import Loop, divide_code

__all__ = ["VaDE"]


@dataclass(eq=False, repr=False, kw_only=True)
class VaDE(Sampling, PretrainedClusterer):
    r"""VaDE: a variational autoencoder whose prior is a Gaussian mixture, one component per cluster.

    A sample comes about in three steps: :math:`c \sim \pi`, :math:`z \sim N(\mu_c, \operatorname{diag} \sigma_c^2)`,
    and x by a decoder. An encoder answers with :math:`q(z | x) = N(m, \operatorname{diag} s^2)`. All of them minimise

    .. math:: \frac{1}{n} \sum_i \left[-\mathbb{E}_{q(z | x_i)} \log p(x_i | z)
              + KL\big(q(z | x_i) \gamma_i \,\Vert\, p(z, c)\big)\right],
              \qquad \gamma_i = \mathrm{softmax}_c \, \mathbb{E}_{q(z | x_i)} \log p(z, c)

    which is minus a lower bound of the log-likelihood. Labels are the largest responsibility :math:`\gamma_{ic}`. An
    autoencoder is pre-trained first, and a Gaussian mixture fitted to its codes. ``sample`` draws c and z from the
    prior, and returns the mean of p(x | z).

    Parameters
    ----------
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        :math:`p(x | z)`. With ``"bernoulli"``, the data are not scaled and have to lie in [0, 1]. Pre-training
        then minimises the same cross-entropy.
    variance : float, default=1.0
        Of the Gaussian likelihood, per feature, where the mean square of the data is 1. The smaller, the more the
        reconstruction counts.
    init : {"kmeans", "ward", "ac-pic"}, default="kmeans"
        The first mixture: by EM from k-means on the codes, five times, of which the likeliest counts, as the authors
        do; or from the sizes, means and variances of clusters that Ward's method or `dctutor.classical.path_integral`
        find in them.
    log_variance : float, default=-3.0
        Initial log-variance of the encoder for each sample and dimension. Codes are scaled so that their variance is 1.
    epochs, ramp_epochs : int, default=20 and 5
        Epochs of the bound; over the first ``ramp_epochs``, the weight of the divergence rises from 0 to 1.
    learning_rate : float, default=0.001
        Of Adam, for networks and mixture.
    n_clusters, widths, channels, layerwise_epochs, pretrain_epochs, noise, pretrain_learning_rate
        See `PretrainedClusterer`.
    pretrain_weight_decay, weight_init, augment, autoencoder
        See `PretrainedClusterer`. An ``autoencoder`` has to be trained for the likelihood: the bundled ones, and those
        of other methods, are for the Gaussian one.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Attributes
    ----------
    initial_labels_ : ndarray of shape (n,)
        Clusters of the mixture that training started from.

    Notes
    -----
    =========================================================  ======================================
    paper                                                      argument, attribute, column of history
    =========================================================  ======================================
    K                                                          ``n_clusters``
    :math:`\pi`                                                ``head_.weights()``
    :math:`\mu_c`                                              ``head_.centers``
    :math:`\sigma_c^2`                                         ``head_.variances()``
    :math:`\tilde\mu`, :math:`\log \tilde\sigma^2`             ``network_.posterior(x)``
    :math:`\gamma_c`                                           ``predict_proba``
    minus the bound :math:`L_{ELBO}`                           ``"loss"``, after the ramp
    :math:`-E \log p(x | z)`                                   ``"reconstruction"``
    the other four terms of the bound                          ``"divergence"``
    =========================================================  ======================================

    =================================================  ==================================  ============================
    paper, or its code                                 here                                why
    =================================================  ==================================  ============================
    :math:`\gamma = p(c | z)` at one draw of z         closed form, no draw                it minimises the bound
    Bernoulli likelihood for MNIST                     Gaussian, with ``variance``         one start for all methods
    3,000 epochs                                       ``epochs``                          time
    batches of 100, learning rate 0.002, which falls   256, ``learning_rate``              fewer epochs
    log-variances start from random weights            zero weights, bias                  codes of the start survive
                                                       ``log_variance``
    the divergence counts fully at once                after ``ramp_epochs``               decoder gets used to noise
    weights start at 1 / K                             at those of the first mixture       it is known
    weights and variances without bounds               softmax; log-variances in [-6, 4]   they stay what they are
    prior to the power of the code's width in the      once                                a slip
    code's responsibilities
    =================================================  ==================================  ============================

    Defaults were set with one seed on ``mnist-5k``, labels seen. From the bundled start, three values of ``variance``
    and 20 or 60 epochs differ by less than two seeds do. With ``init="ac-pic"``, EM from its clusters led away from
    them before training began, so that they are taken as they are.

    References
    ----------
    Jiang, Zheng, Tan, Tang & Zhou (2017). Variational deep embedding: an unsupervised and generative approach to
    clustering. IJCAI.

    Examples
    --------
    >>> from dctutor import VaDE, load_dataset
    >>> settings = {"widths": (100, 100, 10), "layerwise_epochs": 0, "pretrain_epochs": 20, "epochs": 5}
    >>> vade = VaDE(**settings, random_state=0, verbose=False).fit(load_dataset("digits").X)
    >>> vade.sample(3, cluster=0, random_state=0).shape
    (3, 64)
    """

    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    variance: Positive = 1.0
    init: FirstClusters = "kmeans"
    log_variance: float = -3.0
    epochs: Count = 20
    ramp_epochs: Whole = 5
    learning_rate: Positive = 1e-3

    def _check_params(self) -> None:
        super()._check_params()
        if self.likelihood == "bernoulli" and isinstance(self.autoencoder, str):
            raise ValueError(
                f"autoencoder: expected None or one trained with a Bernoulli likelihood, got {self.autoencoder!r},"
                " which was trained with squared errors; likelihood='gaussian' can start from it"
            )

    def _scaling_rule(self) -> Rule:
        return "none" if self.likelihood == "bernoulli" else self.input_scaling

    def _build_network(self, n_features: int) -> "Variational":
        return Variational(self._build_autoencoder(n_features), bernoulli=self.likelihood == "bernoulli")

    def _build_head(self, embedding_dim: int) -> DiagonalMixture:
        return DiagonalMixture(self.n_clusters, embedding_dim)

    def _reconstruction(self, x: Tensor, x_hat: Tensor) -> Tensor:
        bernoulli = self.likelihood == "bernoulli"
        return bernoulli_nll(x, x_hat) if bernoulli else super()._reconstruction(x, x_hat)

    def _nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        bernoulli = self.likelihood == "bernoulli"
        return bernoulli_nll(x, decoded) if bernoulli else gaussian_nll(x, decoded, float(self.variance))

    def _train(self, loop: Loop) -> Trained:
        if self.likelihood == "bernoulli" and (loop.x.min() < 0 or loop.x.max() > 1):
            found = f"{loop.x.min().item():g} to {loop.x.max().item():g}"
            raise ValueError(f"X: expected values in [0, 1] for likelihood='bernoulli', got {found}")
        autoencoder = self._pretrained(loop, self._build_autoencoder)
        network = loop.build(lambda: Variational(autoencoder, bernoulli=self.likelihood == "bernoulli"))
        head = loop.build(lambda: self._build_head(network.embedding_dim))
        loop.register(spread=network.spread, head=head)
        loop.watch(network.encode, head.centers)
        optimizer = loop.adam([*network.parameters(), *head.parameters()], self.learning_rate, eps=1e-4)
        first = loop.once("mixture", lambda: self._first_mixture(loop, network, head))

        def start() -> None:
            scale = first["scale"]
            divide_code(autoencoder, scale)
            head.start_from(first["weights"], first["means"] / scale, first["variances"] / scale.square())
            nn.init.zeros_(network.spread.weight)
            nn.init.constant_(network.spread.bias, float(self.log_variance))

        ramp = self.ramp_epochs * loop.steps_per_epoch(self.batch_size)

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index]
            mean, log_variance = network.posterior(x)
            z = VAE.sample(mean, log_variance, loop.noise_generator)
            reconstruction = self._nll(x, autoencoder.decode(z))
            divergence = mixture_kl(head.costs(mean, log_variance), log_variance)
            weight = min(loop.steps / ramp, 1.0) if ramp else 1.0
            loss = reconstruction + weight * divergence
            loop.minimize(loss, optimizer)
            return {"loss": loss, "reconstruction": reconstruction, "divergence": divergence}

        loop.run("bound", step, optimizers=[optimizer], epochs=self.epochs, batch_size=self.batch_size, start=start)
        return Trained(network, head, arrays={"initial_labels_": first["labels"]})

    def _first_mixture(self, loop: Loop, network: "Variational", head: DiagonalMixture) -> dict[str, Tensor]:
        """Fit a mixture to the codes of the start; ``"scale"`` is the root of their mean variance."""
        labels = None
        if self.init == "kmeans":
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
        else:
            z, labels, _ = SelfTraining(loop, network, head, tol=0.0).first_clusters(self.init)
        scale = z.var(0, correction=0).mean().sqrt()
        if scale <= 1e-6 * z.abs().mean():  # constant data: what is left is rounding
            scale = torch.ones_like(scale)
        return {**diagonal_mixture(z, self.n_clusters, loop.generator, labels=labels), "scale": scale}

    def _assign(self, x: Tensor) -> Tensor:
        return self.head_.assign(*self.network_.posterior(x))

    def _cluster_weights(self) -> Tensor:
        return self.head_.weights()

    def _draw(self, clusters: Tensor, generator: torch.Generator) -> Tensor:
        head = self.head_
        z = VAE.sample(head.centers[clusters], head.variances().log()[clusters], generator)
        return self.network_.decode(z)


class Variational(nn.Module):
    """An autoencoder whose code is the mean of a normal distribution, with a layer for the log-variance beside it.

    Parameters
    ----------
    autoencoder : Autoencoder or ConvolutionalAutoencoder
        Its last hidden layer is what the log-variance is computed from.
    bernoulli : bool
        Whether the decoder's output are logits.
    """

    def __init__(self, autoencoder: Autoencoder | ConvolutionalAutoencoder, *, bernoulli: bool) -> None:
        super().__init__()
        self.autoencoder, self.bernoulli = autoencoder, bernoulli
        self.embedding_dim = autoencoder.embedding_dim
        encoder = autoencoder.encoder
        last = encoder.head if isinstance(encoder, CNN) else encoder[-1]
        self.spread = nn.Linear(cast(nn.Linear, last).in_features, self.embedding_dim)

    def encode(self, x: Tensor) -> Tensor:
        """Mean of q(z | x)."""
        return self.autoencoder.encode(x)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), in float32 even under autocast; log-variances are in [-10, 4]."""
        *hidden, mean = self.autoencoder.layer_outputs(x)
        features = hidden[-1].flatten(1) if hidden else x
        with torch.autocast(x.device.type, enabled=False):
            return mean.float(), self.spread(features.float()).clamp(-10, 4)

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x | z)."""
        decoded = self.autoencoder.decode(z)
        return decoded.sigmoid() if self.bernoulli else decoded
