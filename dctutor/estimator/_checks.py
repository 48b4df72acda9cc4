"""What a fit checks of its data beside its arguments, and what it warns of."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

__all__ = ["known_labels", "seed_of", "warn_of_empty", "warn_of_means"]


def known_labels(y: Any, n_samples: int) -> NDArray[np.int64] | None:
    """Return ``y`` as integers, -1 where it is -1, or None where it knows nothing; raise naming the argument."""
    if y is None:
        return None
    try:
        labels = column_or_1d(y)
        if labels.dtype.kind == "O" and all(isinstance(label, str) or label == -1 for label in labels):
            labels = labels.astype(str)  # as NumPy makes of ["a", "b", -1], and pandas does not
        kind = type_of_target(labels, input_name="y")
    except (TypeError, ValueError) as error:
        raise type(error)(f"y: expected one label per sample, -1 where it is unknown; {error}") from error
    if kind not in ("binary", "multiclass"):
        # "Unknown label type" is what scikit-learn's own classifiers say.
        raise ValueError(f"y: expected classes, such as integers, -1 where unknown. Unknown label type: {kind}")
    if len(labels) != n_samples:
        raise ValueError(f"y: expected a label, or -1, for each of {n_samples} samples, got {len(labels)}")
    numbers = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    # NumPy makes strings of ["a", "b", -1].
    unknown = labels == -1 if labels.dtype.kind in "biuf" else labels.astype(str) == "-1"
    numbers[unknown] = -1
    return None if unknown.all() else numbers


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Turn what scikit-learn takes for a random state into a seed; raise naming the argument."""
    # Not check_random_state(None), which would draw from the caller's global generator.
    if random_state is None:
        return int(np.random.default_rng().integers(2**31 - 1))
    try:
        source = check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            "random_state: expected an integer from 0 to 2**32 - 1, a RandomState instance or None,"
            f" got {random_state!r}"
        ) from error
    return int(source.randint(2**31 - 1))


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
