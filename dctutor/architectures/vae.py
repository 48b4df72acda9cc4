"""The variational autoencoder, dense and convolutional (survey 2.4)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer, check_sizes
from dctutor.architectures.cnn import CNN, TransposedCNN
from dctutor.architectures.mlp import MLP

__all__ = ["VAE", "ConvolutionalVAE"]


class _Variational(nn.Module):
    """What the two bodies share: an encoder that answers with a distribution, and a way to sample from it."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, embedding_dim: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.embedding_dim = encoder, decoder, embedding_dim

    def posterior(self, x: Float[Tensor, "n ..."]) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n p"]]:
        """Mean and log-variance of the normal distribution q(z | x), independent in each dimension."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def encode(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n p"]:
        """Embed inputs: the mean of q(z | x)."""
        return self.posterior(x)[0]

    @staticmethod
    def sample(
        mean: Float[Tensor, "n p"], log_variance: Float[Tensor, "n p"], generator: torch.Generator
    ) -> Float[Tensor, "n p"]:
        """Draw one code per sample, so that gradients reach mean and variance (Kingma & Welling 2014, 2.4).

        Parameters
        ----------
        mean, log_variance : Tensor of shape (n, p)
            What `posterior` returned.
        generator : torch.Generator
            Source of the randomness, on the device of ``mean``.

        Returns
        -------
        Tensor of shape (n, p)
            mean + standard deviation * noise, the noise standard normal.
        """
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        return mean + (log_variance / 2).exp() * noise

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Parameters of p(x | z), flat, one per entry of x: means if it is normal, logits if it is Bernoulli."""
        return self.decoder(z).flatten(1)

    def forward(
        self, x: Float[Tensor, "n ..."], generator: torch.Generator
    ) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "n p"], Float[Tensor, "n p"]]:
        """What the two terms of the bound need: the decoded draw, and the mean and log-variance that it came from."""
        mean, log_variance = self.posterior(x)
        decoded = self.decode(self.sample(mean, log_variance, generator))
        return decoded.reshape(x.shape), mean, log_variance


class VAE(_Variational):
    """A variational autoencoder of dense layers: d - widths - d, ReLU between them (Kingma & Welling 2014).

    Train it with `dctutor.losses.gaussian_kl` plus `bernoulli_nll` or `gaussian_nll`.

    Parameters
    ----------
    n_features : int
        Input width d.
    widths : sequence of int
        Widths of the encoder's layers; the last is p, that of the code. The decoder mirrors them. The default is that
        of VaDE (Jiang et al. 2017).

    Attributes
    ----------
    embedding_dim : int
        Width p of the code.
    encoder : MLP
        Ends in 2 p numbers: the means, then the log-variances.
    decoder : MLP

    Raises
    ------
    ValueError
        If a width is not positive, or there is none.
    """

    def __init__(self, n_features: int, widths: Sequence[int] = (500, 500, 2000, 10)) -> None:
        *hidden, p = check_sizes("widths", widths)
        super().__init__(MLP(n_features, [*hidden, 2 * p]), MLP(p, [*reversed(hidden), n_features]), p)


class ConvolutionalVAE(_Variational):
    """A variational autoencoder for images: a `CNN`, and its mirror.

    Train it with `dctutor.losses.gaussian_kl` plus `bernoulli_nll` or `gaussian_nll`.

    Parameters
    ----------
    image_shape : (C, H, W)
        Shape of an input. Height and width may be odd.
    channels : sequence of int
        Feature maps of the encoder's convolutions, each of which halves height and width.
    embedding_dim : int
        Width p of the code.
    kernel_size : int, default 5
        Height and width of the kernels; odd.

    Attributes
    ----------
    embedding_dim : int
        Width p of the code.
    encoder : CNN
        Ends in 2 p numbers: the means, then the log-variances.
    decoder : TransposedCNN

    Raises
    ------
    ValueError
        If a size is not positive, there is no convolution, or the kernel is even.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channels: Sequence[int] = (16, 32),
        embedding_dim: int = 10,
        *,
        kernel_size: int = 5,
    ) -> None:
        embedding_dim = check_integer("embedding_dim", embedding_dim, minimum=1)
        encoder = CNN(image_shape, channels, 2 * embedding_dim, kernel_size=kernel_size)
        decoder = TransposedCNN(embedding_dim, image_shape, channels, kernel_size=kernel_size)
        super().__init__(encoder, decoder, embedding_dim)
