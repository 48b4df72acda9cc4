"""InfoGAN, the information maximising generative adversarial network (Chen et al. 2016)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from dctutor.architectures import (
    MLP,
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
    Discriminator,
    Generator,
    Logits,
)
from dctutor.estimator import Count, DeepClusterer, NonNegative, Positive, Sampling, Sizes, Trained, Whole
from dctutor.estimator.scaling import Rule
from dctutor.losses import discriminator_loss, generator_loss, information_bound
from dctutor.training import Loop, measure_batch_norm

__all__ = ["InfoGAN"]

_SLOPE = 0.1  # of the leaky ReLU below 0, as in the paper


@dataclass(eq=False, repr=False, kw_only=True)
class InfoGAN(Sampling, DeepClusterer):
    r"""InfoGAN: a generator that is told a category, and a network that reads the category back from what it made.

    G makes a sample from a category c, continuous codes and noise z. Beside the game of D and G, the category has to
    be readable: with Q(c|x) from a network that shares all of D except the last layers, the players solve
    (paper eq. 5 and 6, survey eq. 13)

    .. math:: \min_{G, Q} \max_D \; V(D, G) - \lambda L_I(G, Q), \qquad
              L_I = \mathbb{E}_{c, \; x = G(z, c)} \log Q(c | x) + H(c) \le I(c; G(z, c))

    Labels are the category that Q reads in a real sample. Q never sees one in training. The embedding of ``transform``
    is what Q says of a sample: K logits, then the continuous codes.
    ``sample`` gives G the category asked for; all are equally likely.

    Parameters
    ----------
    n_continuous : int, default=2
        Number of continuous codes, uniform in (-1, 1).
    noise_dim : int, default=62
        Width of the noise that no one reads, likewise uniform.
    info_weight : float, default=1.0
        :math:`\lambda`, the weight of information in G's turn. With 0, G is that of a plain GAN, and Q is fitted to it
        on the side.
    widths, generator_widths : sequence of int, default=(512, 256) and (256, 512)
        Widths of the hidden layers of D, which Q shares, and of G. They have batch normalisation and leaky ReLU.
    reader_width : int, default=128
        Width of the hidden layer that only Q has.
    channels : sequence of int or None, default=None
        Feature maps of convolutions, for images: D is these and one dense layer, as wide as the last of ``widths``;
        G is the same backwards. None is dense networks.
    epochs : int, default=40
        Epochs of the game.
    learning_rate : float, default=0.001
        Learning rate of both players (Adam, :math:`\beta_1` = 0.5).
    batch_size : int, default=64
        Real samples per step, and generated ones.
    n_clusters, image_shape, device, precision, random_state, verbose
        See `DeepClusterer`.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`, which also lists the attributes.

    Notes
    -----
    ======================================  ======================================================================
    paper                                   argument or column of history
    ======================================  ======================================================================
    c                                       a category, ``n_clusters``, and ``n_continuous`` continuous codes
    z                                       ``noise_dim``
    :math:`\lambda` (eq. 6)                 ``info_weight``
    :math:`L_I` of the category (eq. 5)     ``"information"``, in nats; at most log K
    :math:`L_I` of the continuous codes     ``"squared"``, their squared error: a constant minus half of it
    :math:`-V`                              ``"discriminator"``
    what G minimises, without :math:`L_I`   ``"generator"``
    what D and Q minimise                   ``"loss"``: ``"discriminator"``, minus both :math:`L_I`
    ======================================  ======================================================================

    :math:`L_I` does not tell whether categories are classes, nor when to stop: it is near log K long before the labels
    are good. Differences from the paper and from its authors' program:

    ============================================  ===============================  ===================================
    paper                                         here                             why
    ============================================  ===============================  ===================================
    convolutions of 64 and 128 maps               dense layers; see ``channels``   time
    batches of 128; learning rates 0.0002, 0.001  64; 0.001 for both players       more and larger steps in less time
    no batch normalisation at D's input           after every hidden layer         without, D won on ``mnist-5k``
    biases start at 0                             G's last at the data's mean      batch normalisation hides constants
                                                                                   from D: they stay as they start
    :math:`\lambda` in both turns                 in G's turn; 1 in D's            0 is a plain GAN with Q on the side
    running statistics of batch normalisation     of real samples for D and Q, of  what Q is asked about are not
    as training leaves them                       generated ones for G             generated samples
    ============================================  ===============================  ===================================

    Defaults were set with labels seen. Learning rate and batch size are the best of seven settings on 8 x 8 digits.
    Which layers are normalised, and G's first biases, were chosen in four trials on ``mnist-5k`` with two seeds.

    References
    ----------
    Chen, Duan, Houthooft, Schulman, Sutskever & Abbeel (2016). InfoGAN: interpretable representation learning by
    information maximizing generative adversarial nets. NeurIPS.

    Examples
    --------
    >>> from dctutor import InfoGAN, load_dataset
    >>> infogan = InfoGAN(widths=(64, 32), generator_widths=(32, 64), epochs=3, random_state=0, verbose=False)
    >>> infogan.fit(load_dataset("digits").X).transform(load_dataset("digits").X[:5]).shape
    (5, 12)
    >>> infogan.sample(4, cluster=2).shape
    (4, 64)
    """

    input_scaling: ClassVar[Rule] = "unit_range"

    n_continuous: Whole = 2
    noise_dim: Count = 62
    info_weight: NonNegative = 1.0
    widths: Sizes = (512, 256)
    generator_widths: Sizes = (256, 512)
    reader_width: Count = 128
    channels: Sizes | None = None
    epochs: Count = 40
    learning_rate: Positive = 1e-3
    batch_size: Count = 64

    def _build_network(self, n_features: int) -> "Players":
        inputs, top = self.n_clusters + self.n_continuous + self.noise_dim, self.widths[-1]
        generator: nn.Module
        if self.channels is None:
            generator = Generator(inputs, n_features, self.generator_widths, batch_norm=True, slope=_SLOPE)
            trunk: nn.Module = Discriminator(n_features, self.widths[:-1], top, batch_norm=True, slope=_SLOPE)
        elif self.image_shape_ is None:
            raise ValueError("channels: expected None for samples that are not images; give image_shape if they are")
        else:
            generator = ConvolutionalGenerator(inputs, self.image_shape_, self.channels)
            trunk = ConvolutionalDiscriminator(self.image_shape_, self.channels, top)
        return Players(generator, TwoAnswers(trunk, top, self.reader_width, self.n_clusters + self.n_continuous))

    def _build_head(self, embedding_dim: int) -> Logits:
        return Logits(self.n_clusters, embedding_dim)

    def _train(self, loop: Loop) -> Trained:
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        G, D = network.generator, network.discriminator
        if isinstance(G, Generator):
            with torch.no_grad():  # batch norm behind the first layer hides from D what all samples have in common
                G.body.layers[-1].get_parameter("bias").copy_(loop.x.mean(0).clamp(0.01, 0.99).logit())
        loop.register(network=network)
        player_d, player_g = (loop.adam(p.parameters(), self.learning_rate, betas=(0.5, 0.999)) for p in (D, G))

        def step(index: Tensor) -> dict[str, Tensor]:
            categories, inputs = self._inputs(len(index), loop.noise_generator)
            made = network.make(inputs)
            real, fake = D.features(loop.x[index]), D.features(made.detach())  # apart: batch norm must not mix them
            bound, squared = self._information(D.reader(fake), categories, inputs)
            game = discriminator_loss(D.judge(real), D.judge(fake))
            loss = game - bound + squared / 2
            loop.minimize(loss, player_d)
            fake = D.features(made)
            again, squared_again = self._information(D.reader(fake), categories, inputs)
            fooled = generator_loss(D.judge(fake))
            loop.minimize(fooled - self.info_weight * (again - squared_again / 2), player_g)
            return {"loss": loss, "discriminator": game, "generator": fooled, "information": bound, "squared": squared}

        def embed(x: Tensor) -> Tensor:
            measure_batch_norm(D, loop.x, D.read)
            return network.encode(x)

        def end() -> None:
            measure_batch_norm(D, loop.x, D.read)
            measure_batch_norm(G, self._inputs(2000, loop.generator)[1].to(loop.device))

        loop.watch(embed)
        loop.run("game", step, optimizers=[player_d, player_g], epochs=self.epochs, batch_size=self.batch_size, end=end)
        return Trained(network, self._build_head(self.n_clusters + self.n_continuous))

    def _inputs(self, n: int, generator: torch.Generator, categories: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Categories, and inputs of G: categories as one-hot rows, then continuous codes, then noise."""
        device = generator.device
        if categories is None:
            categories = torch.randint(self.n_clusters, (n,), generator=generator, device=device)
        rest = 2 * torch.rand(n, self.n_continuous + self.noise_dim, generator=generator, device=device) - 1
        return categories, torch.cat([functional.one_hot(categories, self.n_clusters).to(rest.dtype), rest], 1)

    def _information(self, read: Tensor, categories: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """L_I of the categories, and the squared error of the continuous codes, which are read as N(mean, 1)."""
        k, end = self.n_clusters, self.n_clusters + self.n_continuous
        squared = (read[:, k:] - inputs[:, k:end]).square().sum(1).mean()
        return information_bound(read[:, :k], categories), squared

    def _draw(self, clusters: Tensor, generator: torch.Generator) -> Tensor:
        return self.network_.make(self._inputs(len(clusters), generator, clusters)[1])


class TwoAnswers(nn.Module):
    """D and Q: one trunk, and on it the logit of "this sample is real" and the codes that are read."""

    def __init__(self, trunk: nn.Module, width: int, reader_width: int, n_codes: int) -> None:
        super().__init__()
        self.trunk, self.norm = trunk, nn.BatchNorm1d(width)
        self.judge = MLP(width, (1,))
        leaky = partial(functional.leaky_relu, negative_slope=_SLOPE)
        self.reader = MLP(width, (reader_width, n_codes), leaky, batch_norm=True)

    def features(self, x: Tensor) -> Tensor:
        """What both answers are made from."""
        return functional.leaky_relu(self.norm(self.trunk(x)), _SLOPE)

    def read(self, x: Tensor) -> Tensor:
        """Q's answer: logits of the categories, then continuous codes."""
        return self.reader(self.features(x))


class Players(nn.Module):
    """Generator and discriminator as one network, whose embedding is what Q reads."""

    def __init__(self, generator: nn.Module, discriminator: TwoAnswers) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    def make(self, inputs: Tensor) -> Tensor:
        """Samples, flat."""
        return self.generator(inputs).flatten(1)

    def encode(self, x: Tensor) -> Tensor:
        """Logits of the categories, then continuous codes."""
        return self.discriminator.read(x)
