"""Deep Subspace Clustering Networks (Ji, Zhang, Li, Salzmann & Reid 2017)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from dctutor.architectures import Autoencoder, FullyConvolutionalAutoencoder, SelfExpression, Subspaces
from dctutor.classical import cluster_subspaces, keep_largest, spectral_labels, subspace_affinity, weighted_means
from dctutor.estimator import (
    Count,
    NonNegative,
    Positive,
    PositiveFraction,
    PretrainedClusterer,
    ProperFraction,
    Sizes,
    Trained,
    Whole,
)
from dctutor.losses import coefficient_norm, reconstruction, self_expression
from dctutor.training import Loop, scale_code

__all__ = ["DSCNet"]


@dataclass(eq=False, repr=False, kw_only=True)
class DSCNet(PretrainedClusterer):
    r"""Deep subspace clustering: an autoencoder in which each code is a combination of the other codes.

    Between encoder and decoder lies a linear layer over the samples, :math:`\hat Z = C Z` with :math:`c_{ii} = 0`.
    Codes of one subspace express each other, so that C links samples of one cluster. After pre-training all minimise

    .. math:: L = \tfrac{1}{2} \lVert X - \hat X \rVert_F^2 + \lambda_1 \lVert C \rVert_p
              + \tfrac{\lambda_2}{2} \lVert Z - C Z \rVert_F^2

    Spectral clustering of the affinity made from C gives the labels. **Memory:** training takes about :math:`32 n^2`
    bytes, and the clustering after it :math:`70 n^2`, 1.8 GB for 5,000 samples. A step's time grows as :math:`n^2`.

    Parameters
    ----------
    norm : {"l2", "l1"}, default="l2"
        DSC-Net-L2 or DSC-Net-L1: the sum of squares of C, or of absolute values.
    lambda1, lambda2 : float, default=0.0001 and 1.0
        Weights of the size of C and of the self-expression.
    epochs, learning_rate : int and float, default=50 and 0.001
        Steps of joint training, each of which sees all samples, and its learning rate (Adam).
    rho, subspace_dim, alpha : float, int and float, default=0.2, 3 and 1.0
        Fraction of each column of C that is kept, dimension of the subspaces, power of the affinity: see
        `dctutor.classical`.
    unit_diagonal : bool, default=False
        Whether the affinity is made from coefficients with ones on the diagonal, as in the authors' code for COIL-20.
    max_samples : int, default=5000
        More samples than this are refused.
    channels, kernel_sizes : sequence of int, default=(15,) and (3,)
        Feature maps and kernels of the encoder's convolutions, each of which halves height and width; the code is the
        last feature maps. Data that are not images get dense layers, see ``widths``.
    layerwise_epochs, pretrain_epochs, noise : int, int and float, default=0, 50 and 0.0
        Of pre-training, see `PretrainedClusterer`, whose own defaults differ.
    n_clusters, widths, pretrain_learning_rate, pretrain_weight_decay, weight_init, augment, autoencoder
        See `PretrainedClusterer`.
    image_shape, batch_size, device, precision, random_state, verbose
        See `DeepClusterer`. ``batch_size`` is that of pre-training.
    checkpoint, checkpoint_seconds, snapshot_every, on_epoch
        See `DeepClusterer`.

    Attributes
    ----------
    coefficients_, affinity_matrix_ : ndarray of shape (n, n)
        C, and what spectral clustering saw.
    subspaces_ : ndarray of shape (n_clusters, d, p)
        A basis for the codes of each cluster. ``predict`` takes the subspace at the smallest angle to a sample's code,
        ``predict_proba`` the `dctutor.losses.subspace_memberships`. On training data both may differ from ``labels_``.

    Notes
    -----
    =============================================  ==================================================
    paper, or its authors' code                    argument
    =============================================  ==================================================
    :math:`p, \lambda_1, \lambda_2`                ``norm``, ``lambda1``, ``lambda2``
    layers of ORL in the code                      ``channels=(3, 3, 5), kernel_sizes=(3, 3, 3)``
    ``thrC``; ``post_proC`` (code)                 ``rho``; ``subspace_dim``, ``alpha``
    =============================================  ==================================================

    Here the mean squares of the data and, when joint training starts, of the codes are 1 (the decoder makes up for it).
    The paper's :math:`\lambda_1` is to be divided by the pixels' mean square, on COIL-20 by twice that (its code does
    not halve the reconstruction): 5.2e-5 for ORL, whose pixels run to 255, and 2.6 for COIL-20, whose run to 1.
    Its :math:`\lambda_2` is to be multiplied by the codes' mean square and divided by the pixels'. For ORL, the weights
    that the authors release have codes of a mean square of 103,117 and pixels of 19,396: their 0.2 is 1.06 here.

    ==================================  ==================================  ===========================================
    paper, or its authors' code         here                                why
    ==================================  ==================================  ===========================================
    L2: diagonal of C free              0 under both norms                  no sample expresses itself
    ORL: ReLU output                    linear output                       as in the other methods
    padding at the right and below      on all sides                        maps stay centred
    first biases 0                      `center` of the autoencoder         so that no map is dark for all images
    spectral clustering without a seed  seeded; identical samples count     repeatable; same input, same cluster
                                        once
    ==================================  ==================================  ===========================================

    References
    ----------
    Ji, Zhang, Li, Salzmann & Reid (2017). Deep subspace clustering networks. NIPS 30.
    """

    norm: Literal["l1", "l2"] = "l2"
    lambda1: NonNegative = 1e-4
    lambda2: NonNegative = 1.0
    epochs: Count = 50
    learning_rate: Positive = 1e-3
    rho: PositiveFraction = 0.2
    subspace_dim: Count = 3
    alpha: Positive = 1.0
    unit_diagonal: bool = False
    max_samples: Count = 5000
    channels: Sizes = (15,)
    kernel_sizes: Sizes = (3,)
    layerwise_epochs: Whole = 0
    pretrain_epochs: Whole = 50
    noise: ProperFraction = 0.0

    def _build_network(self, n_features: int) -> nn.Module:
        if self.image_shape_ is None:
            return Autoencoder(n_features, self.widths, self.weight_init)
        return FullyConvolutionalAutoencoder(self.image_shape_, self.channels, self.kernel_sizes)

    def _build_head(self, embedding_dim: int) -> Subspaces:
        return Subspaces(self.n_clusters, embedding_dim, self.subspace_dim)

    def _train(self, loop: Loop) -> Trained:
        n = len(loop.x)
        if n > self.max_samples:
            raise ValueError(
                f"X: expected at most max_samples={self.max_samples} samples, got {n}, for which the fit would take"
                f" about {70 * n**2 / 1e9:.1f} GB; fit a part of them, and predict the rest"
            )
        network = self._pretrained(loop)
        layer = loop.build(lambda: SelfExpression(n))
        loop.register(self_expression=layer)
        optimizer = loop.adam([*network.parameters(), *layer.parameters()], self.learning_rate)

        def step(index: Tensor) -> dict[str, Tensor]:  # the batch is the whole data: its order does not matter
            z = network.encode(loop.x)
            z_hat = layer(z)
            l_r = reconstruction(loop.x, network.decode(z_hat), reduction="sum") / 2
            l_c = coefficient_norm(layer.coefficients, self.norm)
            l_s = self_expression(z, z_hat)
            loss = l_r + self.lambda1 * l_c + self.lambda2 * l_s
            loop.minimize(loss, optimizer)
            return {"loss": loss, "reconstruction": l_r, "size_of_c": l_c, "self_expression": l_s}

        loop.run(
            "cluster",
            step,
            optimizers=[optimizer],
            epochs=self.epochs,
            batch_size=n,
            start=lambda: scale_code(loop, network, lambda z: z.square().mean().sqrt()),
        )
        z = loop.map(network.encode)
        loop.check_finite(embedding=z, coefficients=layer.weight)
        return self._cluster(loop, network, layer.coefficients.detach().cpu().numpy(), z.cpu())

    def _cluster(self, loop: Loop, network: nn.Module, c: np.ndarray, z: Tensor) -> Trained:
        """Cluster the samples by their coefficients, and fit a subspace to each cluster."""
        kept, ones = keep_largest(c, self.rho), bool(self.unit_diagonal)
        affinity = subspace_affinity(kept, self.n_clusters, self.subspace_dim, self.alpha, unit_diagonal=ones)
        seed = int(torch.randint(2**31 - 1, (), generator=loop.generator))
        _, first, copies = np.unique(loop.x.cpu().numpy(), axis=0, return_index=True, return_inverse=True)
        labels = spectral_labels(affinity[np.ix_(first, first)], self.n_clusters, seed)[copies.ravel()]
        bases = torch.from_numpy(cluster_subspaces(z.numpy(), labels, self.n_clusters, self.subspace_dim))
        head = loop.build(lambda: self._build_head(z.shape[1]))
        head.bases.copy_(bases)
        members = nn.functional.one_hot(torch.from_numpy(labels), self.n_clusters).to(z)
        arrays = {"coefficients_": c, "affinity_matrix_": affinity, "subspaces_": bases}
        return Trained(network, head, centers=weighted_means(z, members), labels=labels, arrays=arrays)
