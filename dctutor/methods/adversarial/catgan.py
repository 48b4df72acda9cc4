"""CatGAN, the categorical generative adversarial network (Springenberg 2016)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dctutor.architectures import Discriminator, Generator, Logits
from dctutor.augmentation import augmenter, check_affine
from dctutor.estimator import Count, DeepClusterer, NonNegative, Positive, Sampling, Sizes, Trained
from dctutor.estimator.scaling import Rule
from dctutor.losses import conditional_entropy, marginal_entropy, mutual_information
from dctutor.training import Loop, measure_batch_norm

__all__ = ["CatGAN"]

_ROUNDS, _ROWS = 100, 256  # samples of one cluster are looked for among at most their product


@dataclass(eq=False, repr=False, kw_only=True)
class CatGAN(Sampling, DeepClusterer):
    r"""CatGAN: a discriminator that sorts real samples into K categories and cannot sort generated ones.

    D answers a sample with K probabilities, and there is no category for "generated". With x from the data,
    :math:`\hat{x} = G(z)` and :math:`z \sim U(0, 1)`, D and G maximise in turn (paper eq. 7):

    .. math:: L_D &= H(\bar{p}) - \frac{1}{n} \sum_i H(p(y | x_i)) + \lambda \frac{1}{n} \sum_i H(p(y | \hat{x}_i)) \\
              L_G &= H(\bar{p}) - \frac{1}{n} \sum_i H(p(y | \hat{x}_i))

    where :math:`\bar{p}` is the mean of the batch's probabilities: of real samples for D, of generated ones for G.
    Labels are the largest probability. The embedding of ``transform`` is what D's softmax takes, K logits.
    ``sample`` draws from G and keeps what D puts into the cluster asked for; it is an error to ask for one that G does
    not make. Without ``cluster``, all that G makes are equally likely.

    Parameters
    ----------
    latent_dim : int, default=128
        Width of the noise z.
    widths, generator_widths : sequence of int, default=(500, 250, 125, 125) and (250, 250, 500)
        Widths of the hidden layers of D and of G, which have batch normalisation and leaky ReLU.
    noise : float, default=0.3
        Standard deviation of the Gaussian noise on the input of each layer of D, in training only. Inputs are scaled
        to [0, 1].
    fake_weight : float, default=1.0
        :math:`\lambda`, the weight of generated samples in D's turn. With 0, D learns as if there were no G.
    augment : mapping of str to float or None, default=None
        Random changes of each real image in training, as arguments of `dctutor.augmentation.affine`.
    epochs, learning_rate : int and float, default=20 and 0.001
        Epochs of the game, and the learning rate of both players (Adam, :math:`\beta_1` = 0.5).
    batch_size : int, default=500
        Marginal entropies are those of a batch: it should have at least ten samples per cluster.
    n_clusters, image_shape, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ==============================================  ==============================
    paper                                           argument or column of history
    ==============================================  ==============================
    K                                               ``n_clusters``
    :math:`H[p(y | D)]` of real samples (eq. 6)     ``"marginal"``
    :math:`E[H[p(y | x, D)]]` (eq. 4)               ``"real"``
    :math:`E[H[p(y | G(z), D)]]` (eq. 5)            ``"fake"``
    :math:`-L_D`, :math:`L_G` (eq. 7)               ``"loss"``, ``"generator"``
    ==============================================  ==============================

    The paper's own settings were not at hand; those of others who follow it stand for them.

    ==========================================  ==================================  ====================================
    paper, or those who follow it               here                                why
    ==========================================  ==================================  ====================================
    D 1000-500-250-250-250, G 500-500-1000      half as wide, one layer fewer in D  time
    batches of 100, learning rate 0.0002, 200   500, 0.001, ``epochs``              time; few samples per category make
    epochs of 600 steps                                                             the marginal entropy too low
    fresh noise for each player's turn          the same samples in both turns      time
    running statistics of batch normalisation   measured on all real samples,       noise and generated samples are not
    as training leaves them                     without noise, at the end           what D is asked about
    K = 20, categories named by their majority  K = 10, one-to-one matching         comparable with other methods
    weight decay 0.00001                        none                                one setting fewer; not compared
    ==========================================  ==================================  ====================================

    Defaults were set in six trials on ``mnist-5k`` with one seed, with labels seen. There, noise of 0, 0.1 or 0.5,
    batches of 250 and augmented images did worse (0 and 0.1 after 10 epochs); on 8 x 8 digits, no noise does better.

    References
    ----------
    Springenberg (2016). Unsupervised and semi-supervised learning with categorical generative adversarial networks.
    ICLR.

    Examples
    --------
    >>> from dctutor import CatGAN, load_dataset
    >>> catgan = CatGAN(widths=(64, 32), generator_widths=(32, 64), epochs=3, random_state=0, verbose=False)
    >>> catgan.fit(load_dataset("digits").X).transform(load_dataset("digits").X[:5]).shape
    (5, 10)
    """

    input_scaling: ClassVar[Rule] = "unit_range"

    latent_dim: Count = 128
    widths: Sizes = (500, 250, 125, 125)
    generator_widths: Sizes = (250, 250, 500)
    noise: NonNegative = 0.3
    fake_weight: NonNegative = 1.0
    augment: Mapping[str, float] | None = None
    epochs: Count = 20
    learning_rate: Positive = 1e-3
    batch_size: Count = 500

    def _check_params(self) -> None:
        if self.augment is not None:
            check_affine(self.augment, "augment")

    def _build_network(self, n_features: int) -> "Players":
        return Players(
            Generator(self.latent_dim, n_features, self.generator_widths, batch_norm=True, slope=0.1),
            Discriminator(n_features, self.widths, self.n_clusters, batch_norm=True, slope=0.1),
        )

    def _build_head(self, embedding_dim: int) -> Logits:
        return Logits(self.n_clusters, embedding_dim)

    def _train(self, loop: Loop) -> Trained:
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        loop.register(network=network)
        G, D = network.generator, network.discriminator
        player_d, player_g = (loop.adam(p.parameters(), self.learning_rate, betas=(0.5, 0.999)) for p in (D, G))

        changed = augmenter(self.augment, self.image_shape_, loop.noise_generator)

        def noisy(x: Tensor) -> Tensor:
            return x + self.noise * torch.randn(x.shape, generator=loop.noise_generator, dtype=x.dtype, device=x.device)

        def step(index: Tensor) -> dict[str, Tensor]:
            x, made = changed(loop.x[index]), G(network.noise(len(index), loop.noise_generator))
            real, fake = D(x, noisy), D(made.detach(), noisy)  # apart, so that batch norm does not mix them
            marginal, sure, unsure = marginal_entropy(real), conditional_entropy(real), conditional_entropy(fake)
            loss = sure - marginal - self.fake_weight * unsure
            loop.minimize(loss, player_d)
            gain = mutual_information(D(made, noisy))
            loop.minimize(-gain, player_g)
            return {"loss": loss, "marginal": marginal, "real": sure, "fake": unsure, "generator": gain}

        def embed(x: Tensor) -> Tensor:
            measure_batch_norm(D, loop.x)
            return network.encode(x)

        def end() -> None:
            measure_batch_norm(D, loop.x)
            measure_batch_norm(G, network.noise(1000, loop.generator).to(loop.device))

        loop.watch(embed)
        loop.run("game", step, optimizers=[player_d, player_g], epochs=self.epochs, batch_size=self.batch_size, end=end)
        return Trained(network, self._build_head(self.n_clusters))

    def _made(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        made = self.network_.generator(self.network_.noise(n, generator))
        return made, self._assign(made).argmax(1)

    def _cluster_weights(self) -> Tensor:
        # Equal, but none for a cluster that the generator hardly makes: less than a fifth of an even part.
        found = self._made(2048, torch.Generator(self._network_device).manual_seed(0))[1]
        counts = found.bincount(minlength=len(self.cluster_centers_)).float()
        return (counts > 0.2 * counts.mean()).float()

    def _draw(self, clusters: Tensor, generator: torch.Generator) -> Tensor:
        samples = torch.empty(len(clusters), self.n_features_in_, device=clusters.device)
        for k in clusters.unique().tolist():
            places, found, rounds = (clusters == k).nonzero()[:, 0], samples[:0], 0
            rows = max(_ROWS, len(places))
            while len(found) < len(places):
                if rounds == _ROUNDS:
                    raise ValueError(
                        f"cluster: expected one of those that the generator makes; of {rounds * rows} samples, the"
                        f" discriminator put {len(found)} into cluster {k}, and {len(places)} are needed"
                    )
                made, of = self._made(rows, generator)
                found, rounds = torch.cat([found, made[of == k]]), rounds + 1
            samples[places] = found[: len(places)]
        return samples


class Players(nn.Module):
    """Generator and discriminator as one network, whose embedding is the discriminator's logits."""

    def __init__(self, generator: Generator, discriminator: Discriminator) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    def noise(self, n: int, generator: torch.Generator) -> Tensor:
        """Inputs of the generator, uniform in [0, 1), on the device of the source of randomness."""
        return torch.rand(n, self.generator.latent_dim, generator=generator, device=generator.device)

    def encode(self, x: Tensor) -> Tensor:
        """Logits of the K categories."""
        return self.discriminator(x)
