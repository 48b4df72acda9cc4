"""Transformers that join the activations of several layers."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OneToOneFeatureMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.utils import Tags, check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from dctutor._validation import check_number, unchanged_on_error

__all__ = ["FullNetworkEmbedding", "MultiLayerPCA"]

Layers = ArrayLike | Sequence[ArrayLike]


def _varies(joined: NDArray) -> NDArray[np.bool_]:
    # Not a variance above 0: because of rounding, a constant feature can have one.
    return joined.max(axis=0) > joined.min(axis=0)


class _Layers(TransformerMixin, BaseEstimator):
    """Base of transformers of one 2-D array or of a list with one 2-D array per layer."""

    def _joined(self, X: Layers, *, reset: bool) -> NDArray:
        """Validate the layers and return them side by side; their widths are in ``widths_``."""
        given: Any = X
        if isinstance(X, list | tuple) and len(X) and np.ndim(X[0]) > 1:
            kinds = [np.float64, np.float32]
            layers = [check_array(layer, dtype=kinds, input_name=f"X[{i}]") for i, layer in enumerate(X)]
            check_consistent_length(*layers)
            widths, given = [layer.shape[1] for layer in layers], np.hstack(layers)
        else:
            widths = None
        joined = validate_data(self, given, dtype=[np.float64, np.float32], reset=reset)
        widths = widths or [joined.shape[1]]
        if reset:
            self.widths_ = widths
        elif widths != self.widths_:
            raise ValueError(f"X: expected layers of widths {self.widths_}, as in fit, got {widths}")
        return joined

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class MultiLayerPCA(ClassNamePrefixFeaturesOutMixin, _Layers):
    """Concatenated layers, projected onto their principal components (survey 5.2).

    Saito and Tan (2017) concatenate the layers of an autoencoder. The survey adds PCA to reduce the number of features.
    Scaling all layers to the same variance is this package's own addition. Without it, the layer with the most and the
    largest activations dominates the distances.

    Parameters
    ----------
    n_components : int, float or None, default=None
        Number of components, or the fraction of variance to keep, in (0, 1). None keeps all components. See
        `sklearn.decomposition.PCA`.
    scale_layers : bool, default=True
        Divide each layer by the square root of the sum of its features' variances. The sum then is 1.
    random_state : int, RandomState instance or None, default=None
        For PCA's randomised solver.

    Attributes
    ----------
    widths_ : list of int
        Number of features of each layer.
    scales_ : ndarray of shape (n_layers,)
        Number that each layer is divided by; 1 for a constant layer.
    pca_ : PCA
        Fitted to the scaled layers.
    n_features_in_ : int
        Sum of the widths.
    """

    def __init__(
        self, n_components: int | float | None = None, *, scale_layers: bool = True, random_state: Any = None
    ) -> None:
        self.n_components = n_components
        self.scale_layers = scale_layers
        self.random_state = random_state

    def fit(self, X: Layers, y: Any = None) -> Self:
        """Learn scales and components.

        Parameters
        ----------
        X : array-like of shape (n, d), or list of arrays of shape (n, width)
            One layer or several, such as `activations` returns.
        y : ignored
            Part of scikit-learn's interface.

        Returns
        -------
        self
            The fitted transformer.

        Raises
        ------
        TypeError, ValueError
            If the layers are not finite 2-D arrays of equal length, ``n_components`` is too large for them, or
            ``scale_layers`` is neither True nor False.
        """
        if not isinstance(self.scale_layers, bool | np.bool_):
            raise TypeError(f"scale_layers: expected True or False, got {self.scale_layers!r}")
        with unchanged_on_error(self):
            joined = self._joined(X, reset=True)
            spread = np.where(_varies(joined), joined.var(axis=0, dtype=np.float64), 0)
            totals = np.array([part.sum() for part in np.split(spread, np.cumsum(self.widths_)[:-1])])
            self.scales_ = np.where((totals > 0) & self.scale_layers, np.sqrt(totals), 1.0)
            # The inner PCA gives arrays under any setting of scikit-learn; `set_output` of this transformer decides.
            pca = PCA(self.n_components, random_state=self.random_state).set_output(transform="default")
            self.pca_ = pca.fit(self._scaled(joined))
        return self

    def transform(self, X: Layers) -> NDArray:
        """Return the components of the layers ``X``, given as to `fit`, as an array of shape (n, n_components)."""
        check_is_fitted(self)
        return self.pca_.transform(self._scaled(self._joined(X, reset=False)))

    def _scaled(self, joined: NDArray) -> NDArray:
        return joined / np.repeat(self.scales_, self.widths_).astype(joined.dtype)

    @property
    def _n_features_out(self) -> int:
        return self.pca_.n_components_


class FullNetworkEmbedding(OneToOneFeatureMixin, _Layers):
    r"""All layers of a network, each activation reduced to -1, 0 or 1 (Garcia-Gasulla et al. 2017).

    A feature :math:`a_i` of sample :math:`i` is standardised to :math:`(a_i - m) / s`, with the mean :math:`m` and the
    standard deviation :math:`s` that the feature had in `fit`. The result is 1 above ``upper``, -1 below ``lower``, and
    0 between the two. A feature that was constant in `fit` is always 0, as in the authors' code. Convolutional layers
    are averaged over their positions first, as `activations` does with ``maps="mean"``.

    Parameters
    ----------
    lower, upper : float, default=-0.25, 0.15
        The paper's :math:`ft^-` and :math:`ft^+`, in standard deviations.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation of each feature. The standard deviation of a constant feature is 0.
    widths_ : list of int
        Number of features of each layer.
    n_features_in_ : int
        Sum of the widths.
    """

    def __init__(self, lower: float = -0.25, upper: float = 0.15) -> None:
        self.lower = lower
        self.upper = upper

    def fit(self, X: Layers, y: Any = None) -> Self:
        """Learn the mean and the standard deviation of each feature.

        Parameters
        ----------
        X : array-like of shape (n, d), or list of arrays of shape (n, width)
            One layer or several, such as `activations` returns.
        y : ignored
            Part of scikit-learn's interface.

        Returns
        -------
        self
            The fitted transformer.

        Raises
        ------
        TypeError, ValueError
            If a threshold is not a number, ``lower`` exceeds ``upper``, or the layers are not finite 2-D arrays of
            equal length.
        """
        for name in ("lower", "upper"):
            check_number(name, getattr(self, name), minimum=-np.inf)
        if self.lower > self.upper:
            raise ValueError(f"lower: expected at most upper={self.upper}, got {self.lower}")
        with unchanged_on_error(self):
            joined = self._joined(X, reset=True)
            self.mean_ = joined.mean(axis=0, dtype=np.float64)
            self.scale_ = np.where(_varies(joined), joined.std(axis=0, dtype=np.float64), 0)
        return self

    def transform(self, X: Layers) -> NDArray:
        """Return -1, 0 or 1 per feature of the layers ``X``, given as to `fit`: floats of shape (n, n_features)."""
        check_is_fitted(self)
        joined, varies = self._joined(X, reset=False), self.scale_ > 0
        high = (joined > self.mean_ + self.upper * self.scale_) & varies
        low = (joined < self.mean_ + self.lower * self.scale_) & varies
        return high.astype(joined.dtype) - low
