"""Heads: what turns a code into soft assignments to clusters."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dctutor._validation import check_integer, check_number
from dctutor.architectures._layers import full_precision, glorot
from dctutor.losses import expected_mixture_nll, fuzzy_memberships, student_t, subspace_memberships

__all__ = [
    "DiagonalMixture",
    "Directions",
    "Fuzzy",
    "Head",
    "Logits",
    "MergedSoftmax",
    "Mixture",
    "Softmax",
    "StudentT",
    "Subspaces",
]


class Head(nn.Module, ABC):
    """Base of the heads: from codes to soft assignments.

    Parameters
    ----------
    n_clusters : int
        Number of clusters, K.
    embedding_dim : int
        Width p of the code.

    Attributes
    ----------
    n_clusters, embedding_dim : int
        The same.

    Raises
    ------
    TypeError, ValueError
        If one is not a positive integer.
    """

    def __init__(self, n_clusters: int, embedding_dim: int) -> None:
        super().__init__()
        self.n_clusters = check_integer("n_clusters", n_clusters, minimum=1)
        self.embedding_dim = check_integer("embedding_dim", embedding_dim, minimum=1)

    @abstractmethod
    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Soft assignments of codes, in float32 even under autocast; rows sum to 1."""

    def forward(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Soft assignments of codes."""
        return self.assign(z)


class StudentT(Head):
    """Student's t kernel around trainable centres (Xie et al. 2016; survey eq. 5).

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`.
    nu : float, default 1.0
        Degrees of freedom, positive.

    Attributes
    ----------
    centers : nn.Parameter of shape (K, p)
        The centres; zero until they are set.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range.
    """

    def __init__(self, n_clusters: int, embedding_dim: int, nu: float = 1.0) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.nu = check_number("nu", nu, open_at_minimum=True)
        self.centers = nn.Parameter(torch.zeros(n_clusters, embedding_dim))

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Soft assignments q (survey eq. 5)."""
        return student_t(z, self.centers, self.nu)


class Fuzzy(Head):
    """Memberships of fuzzy k-means (Bezdek 1981); see `dctutor.losses.fuzzy_memberships`.

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`.
    m : float, default 1.5
        Fuzziness, above 1.

    Attributes
    ----------
    centers : Tensor of shape (K, p)
        The centres; zero until they are set.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range.
    """

    centers: Tensor

    def __init__(self, n_clusters: int, embedding_dim: int, m: float = 1.5) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.m = check_number("m", m, minimum=1, open_at_minimum=True)
        self.register_buffer("centers", torch.zeros(n_clusters, embedding_dim))

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Memberships q."""
        return fuzzy_memberships(z, self.centers, self.m)


def _finite(layer: nn.Linear, z: Tensor) -> Tensor:
    """Logits in float32, finite: otherwise a sample that lies absurdly far away would turn into NaN."""
    return full_precision(lambda z: layer(z.clamp(-1e30, 1e30)).clamp(-1e30, 1e30), z)


class Softmax(Head):
    """A dense layer with a softmax.

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`.

    Attributes
    ----------
    layer : nn.Linear
        From codes to logits; initial weights by Glorot & Bengio (2010).
    """

    def __init__(self, n_clusters: int, embedding_dim: int) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.layer = nn.Linear(embedding_dim, n_clusters)
        glorot(self)

    def logits(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """What the softmax takes, in float32 even under autocast."""
        return _finite(self.layer, z)

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Softmax of the logits."""
        return self.logits(z).softmax(1)

    @torch.no_grad()
    def start_from(self, z: Float[Tensor, "n p"], labels: Int[Tensor, " n"]) -> None:
        """Set the layer to tell given clusters apart, as if each were a spherical Gaussian of one common width.

        Parameters
        ----------
        z : Tensor of shape (n, p)
            Codes of the data.
        labels : Tensor of shape (n,)
            The cluster of each, 0 to K - 1. The centre of a cluster without samples lies at 0.
        """
        member = functional.one_hot(labels, self.n_clusters).to(z.dtype)
        centers = member.T @ z / member.sum(0).clamp_min(1).unsqueeze(1)
        # The log of a Gaussian is its centre's product with z over the variance, minus a constant. Where all
        # codes of a cluster agree, the floor keeps the layer soft enough to be trained.
        variance = (z - centers[labels]).square().mean().clamp_min(0.01)
        self.layer.weight.copy_(centers / variance)
        self.layer.bias.copy_(-centers.square().sum(1) / (2 * variance))


class Directions(Head):
    r"""Directions around a mean, each with a size: the clusters of `dctutor.classical.maximum_margin`.

    .. math:: p_k \propto n_k \exp\left(C \, w_k^\top a (z - m) - \tfrac{1}{2} \lVert w_k \rVert^2\right)

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`.
    sharpness : float, default 4.25
        C, positive.

    Attributes
    ----------
    mean, factor : Tensor of shape (p,) and ()
        m and a.
    weights : Tensor of shape (K, p)
        The directions w.
    counts : Tensor of shape (K,)
        The sizes n. A cluster of size 0 has no probability, unless all have.
    """

    mean: Tensor
    factor: Tensor
    weights: Tensor
    counts: Tensor

    def __init__(self, n_clusters: int, embedding_dim: int, sharpness: float = 4.25) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.sharpness = check_number("sharpness", sharpness, open_at_minimum=True)
        self.register_buffer("mean", torch.zeros(embedding_dim))
        self.register_buffer("factor", torch.ones(()))
        self.register_buffer("weights", torch.zeros(n_clusters, embedding_dim))
        self.register_buffer("counts", torch.ones(n_clusters))

    def place(self, **values: Tensor) -> None:
        """Set attributes by their names."""
        for name, value in values.items():
            self.get_buffer(name).copy_(value)

    def along(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """How far codes lie in each direction; minus infinity for clusters of size 0."""
        found = self.factor * (z.float() - self.mean) @ self.weights.T
        return found.masked_fill(self.counts == 0, -torch.inf)

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Posterior of each cluster."""
        score = self.counts.log() + self.sharpness * self.along(z) - self.weights.square().sum(1) / 2
        return score.softmax(1)


class Logits(Head):
    """A softmax of codes whose first K entries are logits already; it has no parameters.

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`. Codes may be wider than K: what else they hold says nothing of the cluster.
    """

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Softmax of the logits."""
        return full_precision(lambda z: z[:, : self.n_clusters].softmax(1), z)


class MergedSoftmax(Head):
    """A dense layer with a softmax over more labels than there are clusters; each label belongs to one cluster.

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`.
    n_labels : int
        Number of labels L, at least K.

    Attributes
    ----------
    layer : nn.Linear
        From codes to logits of the labels; initial weights by Glorot & Bengio (2010).
    groups : Tensor of shape (L,)
        The cluster of each label; label l is of cluster l modulo K until they are set.

    Raises
    ------
    TypeError, ValueError
        If a number is not a positive integer, or there are fewer labels than clusters.
    """

    groups: Tensor

    def __init__(self, n_clusters: int, embedding_dim: int, n_labels: int) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.layer = nn.Linear(embedding_dim, check_integer("n_labels", n_labels, minimum=n_clusters))
        self.register_buffer("groups", torch.arange(n_labels) % n_clusters)
        glorot(self)

    def logits(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n l"]:
        """What the softmax takes, one per label, in float32 even under autocast."""
        return _finite(self.layer, z)

    def label_probabilities(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n l"]:
        """Softmax of the logits."""
        return self.logits(z).softmax(1)

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Probability of each cluster: the sum over its labels."""
        member = functional.one_hot(self.groups, self.n_clusters).to(z.device, torch.float32)
        found = self.label_probabilities(z) @ member
        return found / found.sum(1, keepdim=True)  # rounding: a single cluster has a probability of exactly 1


class Mixture(Head):
    r"""The clustering module: an autoencoder of one hidden layer whose units are clusters (Boubekki et al. 2021).

    .. math:: \gamma_i = \mathrm{softmax}(W x_i + b), \qquad \bar{x}_i = \sum_k \gamma_{ik} \mu_k

    The hidden layer is the posterior of a Gaussian mixture whose components share one spherical covariance; the
    decoder's weights are the centroids. Put it on any encoder's output and minimise `dctutor.losses.clustering_module`.

    Parameters
    ----------
    n_clusters : int
        Number of hidden units, K.
    embedding_dim : int
        Width of what is clustered: samples or their codes.

    Attributes
    ----------
    encoder : nn.Linear
        W and b.
    centers : nn.Parameter of shape (K, p)
        The centroids :math:`\mu_k`. The authors' decoder has a bias as well; rows of ``gamma`` sum to 1, so that it
        would only be added to every centroid.

    Raises
    ------
    TypeError, ValueError
        If a number is not a positive integer.

    Examples
    --------
    >>> import torch
    >>> from dctutor.architectures import Mixture
    >>> from dctutor.losses import clustering_module
    >>> module, z = Mixture(3, 2), torch.randn(8, 2)
    >>> gamma = module.assign(z)
    >>> clustering_module(z, gamma, module.centers).shape
    torch.Size([4])
    """

    def __init__(self, n_clusters: int, embedding_dim: int) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.encoder = nn.Linear(embedding_dim, n_clusters)
        self.centers = nn.Parameter(torch.empty(n_clusters, embedding_dim))
        glorot(self)
        nn.init.xavier_uniform_(self.centers)

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Soft assignments gamma."""
        return _finite(self.encoder, z).softmax(1)

    def mix(self, gamma: Float[Tensor, "n k"]) -> Float[Tensor, "n p"]:
        """Reconstructions: means of the centroids, weighted by soft assignments; in float32 even under autocast."""
        with torch.autocast(gamma.device.type, enabled=False):
            return gamma @ self.centers

    @torch.no_grad()
    def start_from(self, centers: Float[Tensor, "k p"]) -> None:
        """Start at given centroids, as the paper does with those of k-means.

        The encoder's weights become the pseudo-inverse of the centroids and its bias 0. If the centroids are linearly
        independent, centroid k then has the logits of unit k alone. Means of all clusters of centred samples are not.

        Parameters
        ----------
        centers : Tensor of shape (K, p)
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


class DiagonalMixture(Head):
    r"""A Gaussian mixture whose components have a variance per dimension: the prior of VaDE (Jiang et al. 2017).

    .. math:: p(z) = \sum_k \pi_k N(z; \mu_k, \operatorname{diag} \sigma_k^2)

    Weights are the softmax of ``logits``. Log-variances are kept between -6 and 4, which suits codes whose variance is
    near 1.

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`.

    Attributes
    ----------
    centers, log_variances : nn.Parameter of shape (K, p)
        Means, and logarithms of variances before they are clamped; zero until they are set.
    logits : nn.Parameter of shape (K,)
        Logarithms of the weights, up to a constant; zero until they are set.
    """

    def __init__(self, n_clusters: int, embedding_dim: int) -> None:
        super().__init__(n_clusters, embedding_dim)
        self.centers = nn.Parameter(torch.zeros(n_clusters, embedding_dim))
        self.log_variances = nn.Parameter(torch.zeros(n_clusters, embedding_dim))
        self.logits = nn.Parameter(torch.zeros(n_clusters))

    def variances(self) -> Float[Tensor, "k p"]:
        """Variances of the components."""
        return self._clamped().exp()

    def weights(self) -> Float[Tensor, " k"]:
        """Weights of the components, which sum to 1."""
        return self.logits.softmax(0)

    def costs(self, z: Float[Tensor, "n p"], log_variance: Float[Tensor, "n p"] | None = None) -> Float[Tensor, "n k"]:
        """Negative log density of code and component, or its mean over codes of this mean and log-variance."""
        z = z.clamp(-1e15, 1e15)  # the square of a code that lies absurdly far away would overflow
        return expected_mixture_nll(z, log_variance, self.centers, self._clamped(), self.logits.log_softmax(0))

    def assign(self, z: Float[Tensor, "n p"], log_variance: Float[Tensor, "n p"] | None = None) -> Float[Tensor, "n k"]:
        """Responsibilities of codes, or of normal distributions of codes if their log-variances are given."""
        return (-self.costs(z, log_variance)).softmax(1)

    @torch.no_grad()
    def start_from(
        self, weights: Float[Tensor, " k"], means: Float[Tensor, "k p"], variances: Float[Tensor, "k p"]
    ) -> None:
        """Start at a given mixture, such as that of `dctutor.classical.diagonal_mixture`."""
        self.logits.copy_(weights.clamp_min(1e-6).log())
        self.centers.copy_(means)
        self.log_variances.copy_(variances.clamp_min(1e-6).log())

    def _clamped(self) -> Tensor:
        return self.log_variances.clamp(-6, 4)


class Subspaces(Head):
    """Memberships by the angle to linear subspaces; see `dctutor.losses.subspace_memberships`.

    Parameters
    ----------
    n_clusters, embedding_dim : int
        See `Head`.
    subspace_dim : int
        Dimension of each subspace; at most p - 1 of it is used, as the whole space holds every code.

    Attributes
    ----------
    bases : Tensor of shape (K, min(subspace_dim, p - 1), p)
        Orthonormal rows for each cluster; zero until they are set.

    Raises
    ------
    TypeError, ValueError
        If a number is not a positive integer.
    """

    bases: Tensor

    def __init__(self, n_clusters: int, embedding_dim: int, subspace_dim: int) -> None:
        super().__init__(n_clusters, embedding_dim)
        dim = min(check_integer("subspace_dim", subspace_dim, minimum=1), max(embedding_dim - 1, 1))
        self.register_buffer("bases", torch.zeros(n_clusters, dim, embedding_dim))

    def assign(self, z: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """Memberships q."""
        return subspace_memberships(z, self.bases)
