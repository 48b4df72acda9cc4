"""What a fit warns of; ``stacklevel`` counts as in `warnings.warn`, from here."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

__all__ = ["warn_of_empty", "warn_of_means"]


def warn_of_means(x: NDArray[np.float32], share: float, *, stacklevel: int) -> None:
    """Warn where more than ``share`` of the mean square of ``x``, which is 1, is that of its features' means."""
    constant = float(np.mean(np.square(x.mean(0, dtype=np.float64))))
    if constant > share:
        warnings.warn(
            f"X: {constant:.0%} of its mean square is that of its features' means, which can hide the clusters;"
            " subtract the means first, the same ones from new samples: mean = X.mean(0); X - mean",
            stacklevel=stacklevel,
        )


def warn_of_empty(labels: NDArray[np.int64], n_clusters: int, *, stacklevel: int) -> None:
    """Warn where clusters have no sample."""
    filled = len(np.unique(labels))
    if filled < n_clusters:
        warnings.warn(
            f"n_clusters: only {filled} of {n_clusters} clusters have samples; the others are empty",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
