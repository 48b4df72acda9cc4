"""GMVAE, the Gaussian mixture variational autoencoder (Dilokthanakul et al. 2017)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dctutor.architectures import MLP, VAE, Head
from dctutor.architectures._layers import full_precision, glorot
from dctutor.estimator import Count, DeepClusterer, NonNegative, Positive, Sampling, Sizes, Trained
from dctutor.estimator.scaling import Rule
from dctutor.losses import bernoulli_nll, free_bits, gaussian_divergences, gaussian_kl, gaussian_nll
from dctutor.training import Loop

__all__ = ["GMVAE"]


@dataclass(eq=False, repr=False, kw_only=True)
class GMVAE(Sampling, DeepClusterer):
    r"""GMVAE.

    TODO
    """

    input_scaling: ClassVar[Rule] = "unit_range"

    embedding_dim: Count = 10
    style_dim: Count = 10
    widths: Sizes = (500, 500)
    prior_width: Count = 100
    free_bits: NonNegative = 1.5
    draws: Count = 1
    variance: Positive | None = None
    epochs: Count = 80
    learning_rate: Positive = 1e-3
    batch_size: Count = 128

    def _build_network(self, n_features: int) -> "TwoCodes":
        bernoulli = self.variance is None
        return TwoCodes(n_features, self.widths, self.embedding_dim, self.style_dim, bernoulli=bernoulli)

    def _build_head(self, embedding_dim: int) -> "StyledMixture":
        return StyledMixture(self.n_clusters, embedding_dim, self.style_dim, self.prior_width)

    def _train(self, loop: Loop) -> Trained:
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        prior = loop.build(lambda: self._build_head(self.embedding_dim))
        loop.register(network=network, prior=prior)
        optimizer = loop.adam([*network.parameters(), *prior.parameters()], self.learning_rate)

        def step(index: Tensor) -> dict[str, Tensor]:
            x = loop.x[index].repeat(self.draws, 1)  # each draw is a row of its own
            codes, styles = ([part.repeat(self.draws, 1) for part in q] for q in network.posteriors(loop.x[index]))
            z, w = (VAE.sample(*q, loop.noise_generator) for q in (codes, styles))
            components = prior.components(w)
            log_gamma = prior.log_responsibilities(z, *components)
            gamma = log_gamma.exp()

            nll = self._nll(x, network.logits(z))
            code = (gamma * gaussian_divergences(*(part.unsqueeze(1) for part in codes), *components)).sum(1).mean()
            style = gaussian_kl(*styles)
            information = (gamma * log_gamma).sum(1) + math.log(self.n_clusters)
            loss = nll + code + style + free_bits(information, self.free_bits)
            loop.minimize(loss, optimizer)
            found = {"loss": loss, "reconstruction": nll, "code": code, "style": style}
            return found | {"information": information.mean()}

        loop.watch(network.encode)
        loop.run("train", step, optimizers=[optimizer], epochs=self.epochs, batch_size=self.batch_size)
        return Trained(network, prior)

    def _nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        return bernoulli_nll(x, decoded) if self.variance is None else gaussian_nll(x, decoded, float(self.variance))

    def _assign(self, x: Tensor) -> Tensor:
        (z, _), (w, _) = self.network_.posteriors(x)
        return self.head_.assign(z, w)

    def _draw(self, clusters: Tensor, generator: torch.Generator) -> Tensor:
        w = torch.randn(len(clusters), self.style_dim, generator=generator, device=clusters.device)
        rows = torch.arange(len(clusters), device=clusters.device)
        mean, log_variance = (part[rows, clusters] for part in self.head_.components(w))
        return self.network_.decode(VAE.sample(mean, log_variance, generator))


class TwoCodes(nn.Module):
    """Encoder with a normal distribution for each of two codes, and a decoder of the first."""

    def __init__(self, n_features: int, widths: Sizes, embedding_dim: int, style_dim: int, *, bernoulli: bool) -> None:
        super().__init__()
        self.sizes = [embedding_dim, embedding_dim, style_dim, style_dim]
        self.bernoulli = bernoulli
        self.encoder = MLP(n_features, [*widths, sum(self.sizes)], batch_norm=True)
        self.decoder = MLP(embedding_dim, [*reversed(widths), n_features], batch_norm=True)

    def posteriors(self, x: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Means and log-variances of q(z | x) and of q(w | x)."""
        z_mean, z_log_variance, w_mean, w_log_variance = self.encoder(x).split(self.sizes, dim=1)
        return (z_mean, z_log_variance), (w_mean, w_log_variance)

    def encode(self, x: Tensor) -> Tensor:
        """Mean of q(z | x)."""
        return self.posteriors(x)[0][0]

    def logits(self, z: Tensor) -> Tensor:
        """What the likelihood takes: logits if it is Bernoulli, means if it is normal."""
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Means of p(x | z)."""
        return self.decoder(z).sigmoid() if self.bernoulli else self.decoder(z)


class StyledMixture(Head):
    """The prior p(z | w, c): K Gaussians, whose means and variances a network makes from the style w."""

    def __init__(self, n_clusters: int, embedding_dim: int, style_dim: int, width: int) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.style_dim = style_dim
        self.hidden = nn.Linear(style_dim, width)
        self.out = nn.Linear(width, 2 * n_clusters * embedding_dim)
        glorot(self)
        nn.init.normal_(self.out.bias[: n_clusters * embedding_dim])  # means of different clusters start apart

    def components(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances of the K Gaussians of each style, each of shape (n, K, p)."""
        both = full_precision(lambda w: self.out(self.hidden(w).tanh()), w)
        mean, log_variance = both.unflatten(1, (2, self.n_clusters, self.embedding_dim)).unbind(1)
        return mean, log_variance.clamp(-6, 4)

    @staticmethod
    def log_responsibilities(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Logarithms of p(c | z, w), by Bayes' rule with equal weights."""
        squared = (z.float().unsqueeze(1) - mean).square() * (-log_variance).exp()
        return (-(squared + log_variance).sum(2) / 2).log_softmax(1)

    def assign(self, z: Tensor, w: Tensor | None = None) -> Tensor:
        """Responsibilities p(c | z, w); by default for the mean style, w = 0."""
        w = z.new_zeros(len(z), self.style_dim) if w is None else w
        return self.log_responsibilities(z, *self.components(w)).exp()
