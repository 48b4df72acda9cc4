"""What a fitted method can be asked, whatever trained it."""

import itertools
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from dctutor._inputs import as_array, image_shape, shape_of
from dctutor.devices import evaluation_rows, plain_modes
from dctutor.estimator.scaling import Scaling

__all__ = ["Fitted", "Floats"]

Floats = NDArray[np.float32]


def _decodes(estimator: "Fitted") -> bool:
    """Whether the network reconstructs; before a fit nobody knows."""
    network = getattr(estimator, "network_", None)
    return network is None or hasattr(network, "decode")


class Fitted(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Predictions and embeddings of a fitted `DeepClusterer`.

    Attributes
    ----------
    network_, head_, cluster_centers_, scaling_
        See `DeepClusterer`.
    """

    network_: Any  # nn.Module would hide `encode` from the type checker
    head_: Any
    cluster_centers_: Floats
    scaling_: Scaling
    n_features_in_: int
    image_shape_: tuple[int, ...] | None

    def _assign(self, x: Tensor) -> Tensor:
        """Soft assignments of scaled inputs: (n, d) to (n, K)."""
        return self.head_.assign(self.network_.encode(x))

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Most probable cluster of each sample, shape (n,).

        Parameters
        ----------
        X : array-like of shape (n, d), (n, H, W) or (n, C, H, W)
            Samples, as wide as those that `fit` saw; they need not be among them.
        """
        return self.predict_proba(X).argmax(1)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Soft assignments, shape (n, K); rows sum to 1. ``X`` as in `predict`."""
        check_is_fitted(self)
        return self._batched(self._assign, self._scaled(X))

    def transform(self, X: ArrayLike) -> Floats:
        """Embedding, shape (n, p). ``X`` as in `predict`."""
        return self._codes(X)

    @available_if(_decodes)
    def inverse_transform(self, Z: ArrayLike) -> Floats:
        """Decode embedded points to inputs, in the units of ``X``. Only for networks that reconstruct.

        Parameters
        ----------
        Z : array-like of shape (m, p)
            Points of the embedding, such as ``cluster_centers_``.

        Returns
        -------
        ndarray of shape (m, d)
            Their reconstructions.
        """
        check_is_fitted(self)
        z = check_array(as_array(Z), dtype=np.float32, order="C", copy=True, input_name="Z")
        width = self.cluster_centers_.shape[1]
        if z.shape[1] != width:
            raise ValueError(f"Z: expected width {width}, got {z.shape[1]}")
        return self.scaling_.undo(self._batched(self.network_.decode, z))

    # What these have in common

    def _validate(self, X: ArrayLike, *, reset: bool) -> Floats:
        try:
            X = as_array(X)
            shape = shape_of(X)
            known, seen = None if reset else self.image_shape_, image_shape(None, shape, 0)
            if known is not None and seen not in (None, known):
                raise ValueError(f"expected images of shape {known}, as those of fit, or flat ones, got {seen}")
            if len(shape) in (3, 4):
                X = np.asarray(X).reshape(shape[0], -1) if shape[0] else np.empty((0, math.prod(shape[1:])))
            least = 2 if reset else 1
            return validate_data(self, X, reset=reset, dtype=np.float32, order="C", ensure_min_samples=least)
        except (TypeError, ValueError) as error:
            if "X" in str(error):
                raise
            raise type(error)(f"X: {error}") from error

    def _scaled(self, X: ArrayLike) -> Floats:
        return self.scaling_.apply(self._validate(X, reset=False))

    def _codes(self, X: ArrayLike) -> Floats:
        # `transform`, which scikit-learn wraps, may return a data frame.
        check_is_fitted(self)
        return self._batched(self.network_.encode, self._scaled(X))

    @property
    def _network_device(self) -> torch.device:
        held = itertools.chain(
            *(tensors() for part in (self.network_, self.head_) for tensors in (part.parameters, part.buffers))
        )
        return next((tensor.device for tensor in held), torch.device("cpu"))

    def _batched(self, function: Any, x: Floats) -> Floats:
        # In float32, whatever training used: what a user gets does not depend on the processor's formats.
        with plain_modes(), torch.no_grad():
            rows = evaluation_rows(max(x.shape[1], self.n_features_in_))  # decoded codes are as wide as inputs
            parts = torch.from_numpy(x).split(rows)
            return torch.cat([function(part.to(self._network_device)).cpu() for part in parts]).numpy()

    @property
    def _n_features_out(self) -> int:
        return self.cluster_centers_.shape[1]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
