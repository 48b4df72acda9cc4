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
    # Not a variance above 0: rounding gives a constant feature some.
    return joined.max(axis=0) > joined.min(axis=0)


class _Layers(TransformerMixin, BaseEstimator):
    """Base of transformers of one table or a list of them, one a layer."""

    def _joined(self, X: Layers, *, reset: bool) -> NDArray:
        """Validate; the tables side by side, their widths in ``widths_``."""
        tables: Any = X
        if isinstance(X, list | tuple) and len(X) and np.ndim(X[0]) > 1:
            kinds = [np.float64, np.float32]
            tables = [check_array(table, dtype=kinds, input_name=f"X[{i}]") for i, table in enumerate(X)]
            check_consistent_length(*tables)
            widths, tables = [table.shape[1] for table in tables], np.hstack(tables)
        else:
            widths = None
        joined = validate_data(self, tables, dtype=[np.float64, np.float32], reset=reset)
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

    Saito and Tan (2017) concatenate the layers of an autoencoder; the survey adds PCA against the many features.
    Giving each layer the same variance is this package's own addition: without it, distances belong to the layer
    with the most and the largest activations.

    Parameters
    ----------
    n_components : int, float or None, default=None
        Number of components, or a share of variance in (0, 1); None keeps all. See `sklearn.decomposition.PCA`.
    scale_layers : bool, default=True
        Divide each layer by the square root of the sum of its features' variances, which then is 1.
    random_state : int, RandomState instance or None, default=None
        For PCA's randomised solver.

    Attributes
    ----------
    widths_ : list of int
        Number of features of each layer.
    scales_ : ndarray of shape (n_layers,)
        What each layer is divided by; 1 for a layer that never changes.
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
            One layer, or several, such as `activations` returns.
        y : ignored
            Present because scikit-learn's interface asks for it.

        Returns
        -------
        self
            The fitted transformer.

        Raises
        ------
        TypeError, ValueError
            If the layers are not finite tables of equal length, ``n_components`` exceeds what they allow, or
            ``scale_layers`` is neither True nor False.
        """
        if not isinstance(self.scale_layers, bool | np.bool_):
            raise TypeError(f"scale_layers: expected True or False, got {self.scale_layers!r}")
        with unchanged_on_error(self):
            joined = self._joined(X, reset=True)
            spread = np.where(_varies(joined), joined.var(axis=0, dtype=np.float64), 0)
            totals = np.array([part.sum() for part in np.split(spread, np.cumsum(self.widths_)[:-1])])
            self.scales_ = np.where((totals > 0) & self.scale_layers, np.sqrt(totals), 1.0)
            # Arrays, whatever scikit-learn is set to: what becomes of them is this transformer's own setting.
            pca = PCA(self.n_components, random_state=self.random_state).set_output(transform="default")
            self.pca_ = pca.fit(self._scaled(joined))
        return self

    def transform(self, X: Layers) -> NDArray:
        """Components of the layers ``X``, given as to `fit`; shape (n, n_components)."""
        check_is_fitted(self)
        return self.pca_.transform(self._scaled(self._joined(X, reset=False)))

    def _scaled(self, joined: NDArray) -> NDArray:
        return joined / np.repeat(self.scales_, self.widths_).astype(joined.dtype)

    @property
    def _n_features_out(self) -> int:
        return self.pca_.n_components_


class FullNetworkEmbedding(OneToOneFeatureMixin, _Layers):
    r"""All layers of a network, each activation reduced to -1, 0 or 1 (Garcia-Gasulla et al. 2017).

    A feature :math:`a_i` of sample :math:`i` is standardised with the mean :math:`m` and the standard deviation
    :math:`s` that it had in `fit`, :math:`(a_i - m) / s`. Above ``upper`` it becomes 1, below ``lower`` -1, and
    0 between. A feature that was constant in `fit` is always 0, as in the authors' code. Convolutional layers enter
    averaged over their positions, as `activations` gives them with ``maps="mean"``.

    Parameters
    ----------
    lower, upper : float, default=-0.25, 0.15
        The paper's :math:`ft^-` and :math:`ft^+`, in standard deviations.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation of each feature; 0 for the latter where the feature is constant.
    widths_ : list of int
        Number of features of each layer.
    n_features_in_ : int
        Sum of the widths.
    """

    def __init__(self, lower: float = -0.25, upper: float = 0.15) -> None:
        self.lower = lower
        self.upper = upper

    def fit(self, X: Layers, y: Any = None) -> Self:
        """Learn mean and standard deviation of each feature.

        Parameters
        ----------
        X : array-like of shape (n, d), or list of arrays of shape (n, width)
            One layer, or several, such as `activations` returns.
        y : ignored
            Present because scikit-learn's interface asks for it.

        Returns
        -------
        self
            The fitted transformer.

        Raises
        ------
        TypeError, ValueError
            If a threshold is not a number, ``lower`` exceeds ``upper``, or the layers are not finite tables of equal
            length.
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
        """Values -1, 0 and 1 for the layers ``X``, given as to `fit`; shape (n, n_features), floats."""
        check_is_fitted(self)
        joined, varies = self._joined(X, reset=False), self.scale_ > 0
        high = (joined > self.mean_ + self.upper * self.scale_) & varies
        low = (joined < self.mean_ + self.lower * self.scale_) & varies
        return high.astype(joined.dtype) - low
