"""Deep Subspace Clustering Networks (Ji, Zhang, Li, Salzmann & Reid 2017)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from dctutor._validation import check_integer, check_number
from dctutor.architectures import SelfExpression
from dctutor.classical.spectral import cluster_subspaces, keep_largest, memberships, spectral_labels, subspace_affinity
from dctutor.estimator.prediction import Floats
from dctutor.losses import coefficient_norm, reconstruction, self_expression
from dctutor.methods._convolutional import ConvolutionalClusterer, Network
from dctutor.training import Loop
from dctutor.training.pretraining import scale_code

__all__ = ["DSCNet"]


@dataclass(eq=False, repr=False, kw_only=True)
class DSCNet(ConvolutionalClusterer):
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
        Share of each row of C that is kept, dimension of the subspaces, power of the affinity: see `dctutor.classical`.
    max_samples : int, default=5000
        More samples than this are refused.
    channels, kernel_sizes, image_shape, widths, pretrain_epochs, pretrain_learning_rate, autoencoder
        See `ConvolutionalClusterer`.
    n_clusters, batch_size, device, precision, random_state, verbose, checkpoint, checkpoint_seconds, snapshot_every
        See `DeepClusterer`. ``batch_size`` is that of pre-training.

    Attributes
    ----------
    coefficients_, affinity_matrix_ : ndarray of shape (n, n)
        C, and what spectral clustering saw.
    subspaces_ : ndarray of shape (n_clusters, d, p)
        A basis for the codes of each cluster. ``predict`` takes the subspace at the smallest angle to a sample's code,
        ``predict_proba`` the `dctutor.classical.memberships`. On training data both may differ from ``labels_``.

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

    Departures: zero diagonal under both norms (the authors' code for L2 leaves it free); rows of C, not columns, are
    thresholded, since row i expresses sample i; linear output; biases start by `FullyConvolutionalAutoencoder.center`,
    so that no map is dark for all images; identical samples count once in spectral clustering.

    References
    ----------
    Ji, Zhang, Li, Salzmann & Reid (2017). Deep subspace clustering networks. NIPS 30.
    """

    _arrays: ClassVar[tuple[str, ...]] = ("coefficients_", "affinity_matrix_", "subspaces_")

    norm: Literal["l1", "l2"] = "l2"
    lambda1: float = 1e-4
    lambda2: float = 1.0
    epochs: int = 50
    learning_rate: float = 1e-3
    rho: float = 0.2
    subspace_dim: int = 3
    alpha: float = 1.0
    max_samples: int = 5000

    def _check_params(self) -> None:
        super()._check_params()
        if self.norm not in ("l1", "l2"):
            raise ValueError(f'norm: expected "l1" or "l2", got {self.norm!r}')
        for name in ("lambda1", "lambda2", "rho", "alpha", "learning_rate"):
            limit = 1 if name == "rho" else None
            check_number(name, getattr(self, name), maximum=limit, open_at_minimum=not name.startswith("lambda"))
        for name in ("epochs", "subspace_dim", "max_samples"):
            check_integer(name, getattr(self, name), minimum=1)

    def _train(self, loop: Loop) -> tuple[Network, Tensor]:
        n = len(loop.x)
        if n > self.max_samples:
            raise ValueError(
                f"X: expected at most max_samples={self.max_samples} samples, got {n}, for which the fit would take"
                f" about {70 * n**2 / 1e9:.1f} GB; fit a part of them, and predict the rest"
            )
        autoencoder = self._pretrained(loop)
        layer = SelfExpression(n).to(loop.device)
        loop.register(self_expression=layer)
        optimizer = loop.adam([*autoencoder.parameters(), *layer.parameters()], self.learning_rate)

        def step(index: Tensor) -> dict[str, Tensor]:  # the batch is the whole data: its order does not matter
            z = autoencoder.encode(loop.x)
            z_hat = layer(z)
            l_r = reconstruction(loop.x, autoencoder.decode(z_hat), reduction="sum") / 2
            l_c = coefficient_norm(layer.coefficients, self.norm)
            l_s = self_expression(z, z_hat)
            loss = l_r + self.lambda1 * l_c + self.lambda2 * l_s
            loop.minimize(loss, optimizer)
            return {"loss": loss, "reconstruction": l_r, "size_of_c": l_c, "self_expression": l_s}

        start = partial(scale_code, loop, autoencoder, lambda z: z.square().mean().sqrt())
        loop.run("cluster", step, optimizers=[optimizer], epochs=self.epochs, batch_size=n, start=start)
        z = loop.map(autoencoder.encode)
        loop.check_finite(embedding=z, coefficients=layer.weight)
        self._cluster(loop, layer.coefficients.detach().cpu().numpy(), z.cpu().numpy())
        members = one_hot(torch.from_numpy(self.labels_), self.n_clusters).to(z)
        return autoencoder, members.T @ z / members.sum(0).clamp_min(1)[:, None]

    def _cluster(self, loop: Loop, c: Floats, z: Floats) -> None:
        affinity = subspace_affinity(keep_largest(c, self.rho), self.n_clusters, self.subspace_dim, self.alpha)
        seed = int(torch.randint(2**31 - 1, (), generator=loop.generator))
        _, first, copies = np.unique(loop.x.cpu().numpy(), axis=0, return_index=True, return_inverse=True)
        self.labels_ = spectral_labels(affinity[np.ix_(first, first)], self.n_clusters, seed)[copies.ravel()]
        self.coefficients_, self.affinity_matrix_ = c, affinity
        self.subspaces_ = cluster_subspaces(z, self.labels_, self.n_clusters, self.subspace_dim)

    def _assign(self, z: Tensor, centers: Tensor) -> Tensor:
        return memberships(z, torch.tensor(self.subspaces_, device=z.device))

    def _label(self, x: Floats) -> NDArray[np.int64]:
        return self.labels_
