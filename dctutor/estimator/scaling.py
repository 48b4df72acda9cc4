"""How a method's input is scaled: one shift and one factor, learnt in `fit` and undone by whatever leaves the model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rule", "Scaling"]

Rule = Literal["unit_power", "unit_range", "centred", "none"]
_ROWS = 4096  # rows whose squares are summed at a time, in double precision


@dataclass(frozen=True)
class Scaling:
    """Scaled inputs are ``(X - shift) * factor``.

    Attributes
    ----------
    shift : ndarray of shape () or (d,)
        What is subtracted.
    factor : float
        What the difference is multiplied by; positive.
    clipped : bool
        Whether scaled inputs beyond [0, 1] are moved to its ends.
    """

    shift: NDArray[np.float32]
    factor: float
    clipped: bool = False

    @classmethod
    def learn(cls, rule: Rule, x: NDArray[np.float32]) -> "Scaling":
        """Learn a scaling from data.

        Parameters
        ----------
        rule : {"unit_power", "unit_range", "centred", "none"}
            ``"unit_power"`` brings the mean square to 1 (Xie et al. 2016, section 4.2), ``"unit_range"`` the smallest
            value to 0 and the largest to 1, where new data are clipped, ``"centred"`` the mean of each feature to 0 and
            the mean variance of a feature to 1. ``"none"`` changes nothing. A factor that is not finite counts as 1.
        x : ndarray of shape (n, d)
            The data.

        Returns
        -------
        Scaling
            What was learnt.
        """
        zero = np.zeros((), np.float32)
        if rule == "none":
            return cls(zero, 1.0)
        if rule == "unit_range":
            low, high = x.min(), x.max()
            return cls(np.asarray(low), _inverse(float(high) - float(low)), clipped=True)
        if rule == "unit_power":
            return cls(zero, _inverse(_mean_square(x, zero) ** 0.5))
        if (x == x[0]).all():  # mean and variance would be rounding
            return cls(x[0].copy(), 1.0)
        mean = x.mean(0, dtype=np.float64).astype(np.float32)
        return cls(mean, _inverse(_mean_square(x, mean) ** 0.5))

    def apply(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale inputs; the result is an array of its own, float32 and finite."""

        def scale(x: NDArray[Any], factor: Any) -> NDArray[Any]:
            return (x - self.shift if self.shift.any() else x) * factor

        scaled = _computed(scale, x, self.factor)
        return np.clip(scaled, 0, 1, out=scaled) if self.clipped else scaled

    def undo(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring scaled inputs, or their reconstructions, back to the units of the data."""
        return _computed(lambda x, factor: x / factor + self.shift, x, self.factor)


def _computed(
    formula: Callable[[NDArray[Any], Any], NDArray[Any]], x: NDArray[np.float32], factor: float
) -> NDArray[np.float32]:
    """Compute in float32, or in float64 if that overflows; what no float32 can hold becomes the largest that can."""
    x = np.asarray(x, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        found = formula(x, np.float32(factor))
        if np.isfinite(found.sum(dtype=np.float64)):
            return found
    most = np.finfo(np.float32).max
    return formula(x.astype(np.float64), factor).clip(-most, most).astype(np.float32)


def _inverse(size: float) -> float:
    # Below the smallest normal float32, the factor would overflow: such data is constant.
    return 1 / size if size > float(np.finfo(np.float32).tiny) else 1.0


def _mean_square(x: NDArray[np.float32], shift: NDArray[np.float32]) -> float:
    blocks = (np.subtract(x[start : start + _ROWS], shift, dtype=np.float64) for start in range(0, len(x), _ROWS))
    return float(sum(np.square(block).sum() for block in blocks) / x.size)
