"""What a fitted method can be asked, whatever trained it."""

import itertools
import os
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from dctutor._inputs import as_array, image_shape, shape_of
from dctutor.devices import plain_modes
from dctutor.estimator import persistence as saving
from dctutor.losses import student_t

__all__ = ["Fitted"]

Floats = NDArray[np.float32]


class Fitted(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Predictions, embeddings and files of a fitted `DeepClusterer`.

    Attributes
    ----------
    network_, cluster_centers_, scale_
        See `DeepClusterer`.
    """

    network_: Any  # nn.Module would hide `encode` from the type checker
    cluster_centers_: Floats
    scale_: float
    _fitted_with: dict[str, Any] | str  # the arguments of the fit, or why no file could keep them

    def _embed(self, x: Tensor) -> Tensor:
        """Embed scaled inputs: (n, d) to (n, p)."""
        return self.network_.encode(x)

    def _assign(self, z: Tensor, centers: Tensor) -> Tensor:
        """Soft assignments of embedded samples: (n, p) to (n, n_clusters)."""
        return student_t(z, centers)

    def _of_fit(self, name: str) -> Any:
        """Return an argument as the fit had it: `set_params` may have prepared the next one."""
        return self._fitted_with[name] if isinstance(self._fitted_with, dict) else getattr(self, name)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Most probable cluster of each sample, shape (n,).

        Parameters
        ----------
        X : array-like of shape (n, d), (n, H, W) or (n, C, H, W)
            Samples, as wide as those that `fit` saw; they need not be among them.
        """
        return self.predict_proba(X).argmax(1)

    def cluster(self, X: ArrayLike) -> NDArray[np.int64]:
        """Group samples that `fit` did not see: `predict`, unless the method's paper does it in another way.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, H, W) or (n, C, H, W)
            Samples, as wide as those that `fit` saw.

        Returns
        -------
        ndarray of shape (n,)
            Clusters.
        """
        return self.predict(X)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Soft assignments, shape (n, n_clusters), rows summing to 1. ``X`` as in `predict`."""
        check_is_fitted(self)
        return self._soft_assignments(self._scaled(X))

    def transform(self, X: ArrayLike) -> Floats:
        """Embedding, shape (n, p). ``X`` as in `predict`."""
        return self._codes(X)

    def inverse_transform(self, Z: ArrayLike) -> Floats:
        """Decode embedded points to inputs, in the units of ``X``.

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
        return self._batched(self.network_.decode, z) / np.float32(self.scale_)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file: safetensors and JSON, no pickle.

        Arguments that are networks, such as ``autoencoder``, are not kept, nor is a RandomState: `load` gives None, so
        that to fit what it returns once more is another fit.

        Parameters
        ----------
        path : path-like
            The file; an existing one is replaced in one step.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        FileNotFoundError
            If its folder does not exist.
        FileExistsError
            If ``path`` is a folder or another thing that is no file.
        TypeError
            If an argument, as a class of your own may have, is neither a network nor what JSON can hold; or if
            ``autoencoder`` was of a class of your own, which the file could not bring back.
        """
        check_is_fitted(self)
        saving.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator that `save` wrote. ``DeepClusterer.load`` takes any method's file.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        DeepClusterer
            Fitted, on the device that its ``device`` argument names; where the machine lacks it, a warning says so and
            the network is on the one that ``"auto"`` would take.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        FileFormatError
            If it is cut short, was altered, or holds another kind of thing or method.
        """
        with plain_modes():
            return saving.load(cls, path)

    # What these have in common

    def _validate(self, X: ArrayLike, *, reset: bool) -> Floats:
        try:
            X = as_array(X)
            shape = shape_of(X)
            known, seen = None if reset else self.image_shape_, image_shape(None, shape, 0)
            if known is not None and seen not in (None, known):
                raise ValueError(f"expected images of shape {known}, as those of fit, or flat ones, got {seen}")
            if len(shape) in (3, 4):
                X = np.asarray(X).reshape(shape[0], -1) if shape[0] else np.empty((0, int(np.prod(shape[1:]))))
            least = 2 if reset else 1
            return validate_data(self, X, reset=reset, dtype=np.float32, order="C", ensure_min_samples=least)
        except (TypeError, ValueError) as error:
            if "X" in str(error):
                raise
            raise type(error)(f"X: {error}") from error

    def _scaled(self, X: ArrayLike) -> Floats:
        return self._validate(X, reset=False) * np.float32(self.scale_)

    def _codes(self, X: ArrayLike) -> Floats:
        # `transform`, which scikit-learn wraps, may return a table.
        check_is_fitted(self)
        return self._batched(self._embed, self._scaled(X))

    def _soft_assignments(self, x: Floats) -> Floats:
        def assign(batch: Tensor) -> Tensor:
            return self._assign(self._embed(batch), centers)

        # A copy: after `joblib.load` with a memory map, the array may not be written to.
        centers = torch.tensor(self.cluster_centers_, device=self._network_device)
        return self._batched(assign, x)

    @property
    def _network_device(self) -> torch.device:
        held = itertools.chain(self.network_.parameters(), self.network_.buffers())
        return next((tensor.device for tensor in held), torch.device("cpu"))

    def _batched(self, function: Any, x: Floats) -> Floats:
        # In float32, whatever training used: what a user gets does not depend on the processor's formats.
        with plain_modes(), torch.no_grad():
            parts = torch.from_numpy(x).split(4096)
            return torch.cat([function(part.to(self._network_device)).cpu() for part in parts]).numpy()

    @property
    def _n_features_out(self) -> int:
        return self.cluster_centers_.shape[1]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
