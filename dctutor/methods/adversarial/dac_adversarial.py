"""DAC, deep adversarial clustering: an adversarial autoencoder with a learnt mixture (Harchaoui et al. 2017)."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dctutor.architectures import Discriminator, Head
from dctutor.classical import kmeans_labels
from dctutor.estimator import Count, NonNegative, Positive, PretrainedClusterer, Sampling, Sizes, Trained
from dctutor.losses import discriminator_loss, generator_loss
from dctutor.training import Loop

__all__ = ["DeepAdversarialClustering"]


@dataclass(eq=False, repr=False, kw_only=True)
class DeepAdversarialClustering(Sampling, PretrainedClusterer):
    r"""DAC: codes play against draws of a Gaussian mixture, which is fitted to the codes again and again.

    An autoencoder (E, G) is pre-trained, and a mixture
    :math:`p(z) = \sum_k \pi_k N(z; \mu_k, \Sigma_k)` is fitted to its codes by expectation and maximisation (EM).
    Then the discriminator D and the autoencoder take turns. With :math:`\tilde{z} \sim p`, they minimise

    .. math:: L_D &= -E_{\tilde{z}} \log D(\tilde{z}) - E_x \log (1 - D(E(x))) \\
              L_{E, G} &= \beta \, \frac{1}{nd} \sum_i \lVert x_i - G(E(x_i)) \rVert^2 - \lambda E_x \log D(E(x))

    and EM goes on after each epoch, from the mixture of the epoch before. Labels are the mixture's most probable
    components. ``sample`` draws codes from a component and decodes them.

    Parameters
    ----------
    reconstruction_weight : float, default=1.0
        :math:`\beta`. With 0, nothing keeps the codes apart.
    adversarial_weight : float, default=0.1
        :math:`\lambda`.
    discriminator_widths : sequence of int, default=(256, 256)
        Widths of the hidden layers of D.
    first_em_steps, em_steps : int, default=50 and 5
        Steps of EM before the game, and after each epoch of it.
    covariance_floor : float, default=0.01
        Added to each variance of the mixture, as a fraction of the mean variance of the codes.
    epochs : int, default=30
        Epochs of the game.
    learning_rate, discriminator_learning_rate : float, default=0.001 and 0.001
        Of the autoencoder and of D in the game (Adam, :math:`\beta_1` = 0.5).
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
    ========================================  ==================================================================
    symbol                                    argument, or column of history
    ========================================  ==================================================================
    K                                         ``n_clusters``
    :math:`\pi, \mu, \Sigma`                  ``head_.weights``, ``head_.centers``, ``head_.covariances()``
    :math:`L_D`, :math:`L_{E, G}`             ``"discriminator"``, ``"loss"``
    the two terms of :math:`L_{E, G}`         ``"reconstruction"``, ``"fooling"``, both without weights
    ========================================  ==================================================================

    Neither the paper's text nor code of the authors was at hand, only slides. They say what the four parts are and what
    each minimises. All else is a reconstruction.

    =========================================  =========================================  ==========================
    paper                                      here                                       why
    =========================================  =========================================  ==========================
    reconstruction, game and EM in turn        reconstruction and fooling in one step;    one optimiser fewer
                                               EM after each epoch
    learning rates, weights, batches: unknown  see the arguments                          values usual for the game
    D on codes                                 D on codes over their standard deviation   one learning rate for
                                               at the first EM                            codes of any scale
    a consensus over several runs, too         single runs                                comparable with others
    =========================================  =========================================  ==========================

    Defaults are first guesses and were not tuned. From the bundled start, with one seed on ``mnist-5k``, a mixture on
    the codes of the start, without the game, is as accurate.

    References
    ----------
    Harchaoui, Mattei & Bouveyron (2017). Deep adversarial Gaussian mixture auto-encoder for clustering. ICLR workshop.

    Examples
    --------
    >>> from dctutor import DeepAdversarialClustering, load_dataset
    >>> X = load_dataset("digits").X
    >>> dac = DeepAdversarialClustering(widths=(64, 10), layerwise_epochs=0, pretrain_epochs=5, epochs=2, verbose=False)
    >>> dac.fit(X).sample(3, cluster=0).shape
    (3, 64)
    """

    reconstruction_weight: NonNegative = 1.0
    adversarial_weight: NonNegative = 0.1
    discriminator_widths: Sizes = (256, 256)
    first_em_steps: Count = 50
    em_steps: Count = 5
    covariance_floor: Positive = 0.01
    epochs: Count = 30
    learning_rate: Positive = 1e-3
    discriminator_learning_rate: Positive = 1e-3

    def _build_head(self, embedding_dim: int) -> "Gaussians":
        return Gaussians(self.n_clusters, embedding_dim)

    def _train(self, loop: Loop) -> Trained:
        network = self._pretrained(loop)
        head = loop.build(lambda: self._build_head(network.embedding_dim))
        D = loop.build(lambda: Discriminator(network.embedding_dim, self.discriminator_widths))
        loop.register(head=head, discriminator=D)
        loop.watch(network.encode, head.centers)
        player = loop.adam(network.parameters(), self.learning_rate, betas=(0.5, 0.999))
        player_d = loop.adam(D.parameters(), self.discriminator_learning_rate, betas=(0.5, 0.999))

        def start() -> None:
            z = loop.map(network.encode)
            loop.check_finite(embedding=z)
            head.scale.copy_(z.std().clamp_min(1e-6))
            _, labels = kmeans_labels(z, self.n_clusters, loop.generator)
            head.maximize(z, functional.one_hot(labels, self.n_clusters), self.covariance_floor)
            head.em(z, self.first_em_steps, self.covariance_floor)

        def refit() -> None:
            if loop.steps:
                z = loop.map(network.encode)
                loop.check_finite(embedding=z)
                head.em(z, self.em_steps, self.covariance_floor)

        def step(index: Tensor) -> dict[str, Tensor]:
            x, z = loop.x[index], network.encode(loop.x[index])
            clusters = head.weights.multinomial(len(x), True, generator=loop.noise_generator)
            drawn = head.draw(clusters, loop.noise_generator)
            against = discriminator_loss(D(drawn / head.scale), D(z.detach() / head.scale))
            loop.minimize(against, player_d)
            reconstruction = functional.mse_loss(network.decode(z).float(), x)
            fooling = generator_loss(D(z / head.scale))
            loss = self.reconstruction_weight * reconstruction + self.adversarial_weight * fooling
            loop.minimize(loss, player)
            return {"loss": loss, "reconstruction": reconstruction, "fooling": fooling, "discriminator": against}

        loop.run(
            "game",
            step,
            optimizers=[player, player_d],
            epochs=self.epochs,
            batch_size=self.batch_size,
            start=start,
            refresh=refit,
            end=refit,
        )
        return Trained(network, head)

    def _cluster_weights(self) -> Tensor:
        return self.head_.weights

    def _draw(self, clusters: Tensor, generator: torch.Generator) -> Tensor:
        return self.network_.decode(self.head_.draw(clusters, generator))


class Gaussians(Head):
    """A Gaussian mixture with full covariances, fitted by EM.

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`.

    Attributes
    ----------
    weights, centers : Tensor of shape (K,) and (K, p)
        Probabilities and means of the components.
    factors : Tensor of shape (K, p, p)
        Cholesky factors of the covariances.
    scale : Tensor of shape ()
        Standard deviation of the codes that the first mixture was fitted to.
    """

    weights: Tensor
    centers: Tensor
    factors: Tensor
    scale: Tensor

    def __init__(self, n_clusters: int, embedding_dim: int) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.register_buffer("weights", torch.full((n_clusters,), 1 / n_clusters))
        self.register_buffer("centers", torch.zeros(n_clusters, embedding_dim))
        self.register_buffer("factors", torch.eye(embedding_dim).repeat(n_clusters, 1, 1))
        self.register_buffer("scale", torch.ones(()))

    def covariances(self) -> Float[Tensor, "k p p"]:
        """Covariances of the components."""
        return self.factors @ self.factors.mT

    def log_joint(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Logarithm of weight times density of each component, in float32."""
        # Clamped, because the squares of absurdly distant codes would overflow.
        off = (z.float().clamp(-1e12, 1e12) - self.centers[:, None]).mT  # (K, p, n)
        white = torch.linalg.solve_triangular(self.factors, off, upper=False)
        half_log_det = self.factors.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = self.weights.log() - half_log_det - self.embedding_dim / 2 * math.log(2 * math.pi)
        return constant - white.square().sum(1).T / 2

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Responsibilities of the components."""
        return self.log_joint(z).softmax(1)

    def draw(self, clusters: Tensor, generator: torch.Generator) -> Float[Tensor, "n p"]:
        """One code from each of the components given."""
        noise = torch.randn(len(clusters), self.embedding_dim, generator=generator, device=self.centers.device)
        # Elementwise, and so in float32 even under autocast.
        return self.centers[clusters] + (self.factors[clusters] * noise[:, None]).sum(2)

    @torch.no_grad()
    def em(self, z: Float[Tensor, "n p"], steps: int, floor: float) -> None:
        """Go through so many steps of EM, from the mixture as it is."""
        for _ in range(steps):
            self.maximize(z, self.assign(z), floor)

    @torch.no_grad()
    def maximize(self, z: Float[Tensor, "n p"], responsibilities: Tensor, floor: float) -> None:
        """Set the mixture to the most likely one for codes of these responsibilities, shape (n, K)."""
        # In float64; `floor` is a fraction of the mean variance. A component that holds nothing keeps its mean.
        z, r = z.double(), responsibilities.double()
        held = r.sum(0).clamp_min(1e-6)
        means = torch.where(held[:, None] > 1e-6, r.T @ z / held[:, None], self.centers.double())
        off = z - means[:, None]  # (K, n, p)
        spread = off.mT @ (off * r.T[:, :, None]) / held[:, None, None]
        least = floor * z.var(0, correction=0).mean().clamp_min(1e-9)
        factors = torch.linalg.cholesky(spread + least * torch.eye(z.shape[1], dtype=z.dtype, device=z.device))
        for own, new in ((self.weights, held / held.sum()), (self.centers, means), (self.factors, factors)):
            own.copy_(new)
