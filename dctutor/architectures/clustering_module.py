"""A Gaussian mixture as a network: the clustering module, alone and on the code of an autoencoder."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dctutor._validation import check_integer
from dctutor.architectures._layers import full_precision, glorot
from dctutor.architectures.autoencoder import Autoencoder

__all__ = ["CentredMixtureModule", "MixtureAutoencoder", "MixtureModule"]


class MixtureModule(nn.Module):
    r"""An autoencoder of one hidden layer whose units are clusters (Boubekki et al. 2021).

    .. math:: \gamma_i = \mathrm{softmax}(W x_i + b), \qquad \bar{x}_i = \sum_k \gamma_{ik} \mu_k

    The hidden layer is the posterior of a Gaussian mixture whose components share one round covariance; the decoder's
    weights are the centroids. Put it on any encoder's output and minimise `dctutor.losses.clustering_module`.

    Parameters
    ----------
    n_features : int
        Width d of what is clustered: samples or their codes.
    n_clusters : int
        Number of hidden units, K.

    Attributes
    ----------
    encoder : nn.Linear
        W and b.
    centers : nn.Parameter of shape (K, d)
        The centroids :math:`\mu_k`. The authors' decoder has a bias too; rows of ``gamma`` sum to 1, so that it
        would only be added to every centroid.

    Raises
    ------
    TypeError, ValueError
        If a number is not a positive integer.

    Examples
    --------
    >>> import torch
    >>> from dctutor.architectures import MixtureModule
    >>> from dctutor.losses import clustering_module
    >>> module, z = MixtureModule(2, 3), torch.randn(8, 2)
    >>> gamma = module.assign(z)
    >>> clustering_module(z, gamma, module.centers).shape
    torch.Size([4])
    """

    def __init__(self, n_features: int, n_clusters: int) -> None:
        super().__init__()
        n_features = check_integer("n_features", n_features, minimum=1)
        n_clusters = check_integer("n_clusters", n_clusters, minimum=1)
        self.encoder = nn.Linear(n_features, n_clusters)
        self.centers = nn.Parameter(torch.empty(n_clusters, n_features))
        glorot(self)
        nn.init.xavier_uniform_(self.centers)

    def assign(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Soft assignments gamma, in float32 also under autocast; rows sum to 1."""
        # Logits must stay finite, or a sample that lies absurdly far away turns into NaN.
        logits = full_precision(lambda x: self.encoder(x.clamp(-1e30, 1e30)).clamp(-1e30, 1e30), x)
        return torch.softmax(logits, dim=1)

    def mix(self, gamma: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
        """Means of the centroids, weighted by soft assignments; in float32 also under autocast."""
        with torch.autocast(gamma.device.type, enabled=False):
            return gamma @ self.centers

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs as weighted means of the centroids."""
        return self.mix(self.assign(x))

    @torch.no_grad()
    def start_from(self, centers: Float[Tensor, "k d"]) -> None:
        """Start at given centroids, as the paper does with those of k-means.

        The encoder's weights become the pseudo-inverse of the centroids and its bias 0: where these are linearly
        independent, centroid k has the logits of unit k alone. Means of all clusters of centred samples are not.

        Parameters
        ----------
        centers : Tensor of shape (K, d)
            The centroids.

        Raises
        ------
        ValueError
            If the shape is another one.
        """
        if centers.shape != self.centers.shape:
            raise ValueError(f"centers: expected shape {tuple(self.centers.shape)}, got {tuple(centers.shape)}")
        self.centers.copy_(centers)
        # Rounding would decide how large the weights are along a direction that the centroids do not span.
        self.encoder.weight.copy_(torch.linalg.pinv(centers, rtol=1e-4).T)
        self.encoder.bias.zero_()


class CentredMixtureModule(MixtureModule):
    """A clustering module for inputs as they come: it centres them and divides them by one number.

    A shift moves the centroids with the samples, so that no optimum changes; one learning rate serves all data, though.

    Parameters
    ----------
    n_features, n_clusters : int
        See `MixtureModule`.

    Attributes
    ----------
    mean : Tensor of shape (d,)
        Centre of the inputs; 0 until it is set.
    spread : Tensor of shape ()
        Root of the mean variance of a feature; 1 until it is set.
    encoder, centers
        See `MixtureModule`; ``assign`` takes, and ``centers`` are, centred inputs.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, n_features: int, n_clusters: int) -> None:
        super().__init__(n_features, n_clusters)
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("spread", torch.ones(()))

    @torch.no_grad()
    def measure(self, x: Float[Tensor, "n d"]) -> None:
        """Set ``mean`` and ``spread`` to those of data; a spread of 0 counts as 1."""
        varies = (x != x[0]).any()  # where nothing does, mean and spread would be rounding
        self.mean.copy_(torch.where(varies, x.mean(0), x[0]))
        spread = (x - self.mean).square().mean().sqrt()
        self.spread.copy_(torch.where(varies & (spread > 0), spread, 1.0))

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Centre inputs and divide them by ``spread``."""
        return (x - self.mean) / self.spread

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Undo `encode`."""
        return z * self.spread + self.mean

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs as weighted means of the centroids."""
        return self.decode(super().forward(self.encode(x)))


class MixtureAutoencoder(nn.Module):
    """An autoencoder with a clustering module on its code (AE-CM).

    Parameters
    ----------
    autoencoder : Autoencoder
        The network around the module; it is used, not copied.
    n_clusters : int
        Number of clusters, K.

    Attributes
    ----------
    autoencoder : Autoencoder
    module : MixtureModule
        From codes to clusters, and back.
    embedding_dim : int
        Width p of the code.

    Raises
    ------
    TypeError, ValueError
        If ``n_clusters`` is not a positive integer.
    """

    def __init__(self, autoencoder: Autoencoder, n_clusters: int) -> None:
        super().__init__()
        self.autoencoder, self.embedding_dim = autoencoder, autoencoder.embedding_dim
        self.module = MixtureModule(self.embedding_dim, n_clusters)

    def encode(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Embed inputs: z = f(x)."""
        return self.autoencoder.encode(x)

    def decode(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n d"]:
        """Reconstruct inputs from codes, or draw centroids: g(z)."""
        return self.autoencoder.decode(z)

    def layer_outputs(self, x: Float[Tensor, "n d"]) -> list[Float[Tensor, "n width"]]:
        """Activations of every layer of the encoder, the last is the code; see `Autoencoder`."""
        return self.autoencoder.layer_outputs(x)

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Soft assignments gamma of codes; rows sum to 1."""
        return self.module.assign(z)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Soft assignments of inputs."""
        return self.assign(self.encode(x))

    @torch.no_grad()
    def normalize(self, temperature: float = 1.0) -> None:
        """Give the centroids a mean length of 1, and divide the logits by a temperature.

        Codes follow the centroids and the decoder undoes it: reconstructions stay as they are, and with a temperature
        of 1 assignments do, too.

        Parameters
        ----------
        temperature : float
            Positive; above 1, assignments become softer, and none changes its largest entry.
        """
        length = self.module.centers.norm(dim=1).mean()
        factor = torch.where(length > 0, length, 1.0)  # constant data
        for parameter in self.autoencoder.encoder[-1].parameters():
            parameter.div_(factor)
        self.autoencoder.decoder[0].get_parameter("weight").mul_(factor)
        self.module.centers.div_(factor)
        self.module.encoder.weight.mul_(factor / temperature)
        self.module.encoder.bias.div_(temperature)
