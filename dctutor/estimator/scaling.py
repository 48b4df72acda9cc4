"""How a method's input is scaled: one shift and one factor, learnt in `fit` and undone by whatever leaves the model."""

from dataclasses import dataclass
from typing import Literal

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
        """Scale inputs; the result is an array of its own, float32."""
        x = np.asarray(x, np.float32)
        scaled = (x - self.shift if self.shift.any() else x) * np.float32(self.factor)
        return np.clip(scaled, 0, 1, out=scaled) if self.clipped else scaled

    def undo(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring scaled inputs, or their reconstructions, back to the units of the data."""
        return np.asarray(x, np.float32) / np.float32(self.factor) + self.shift


def _inverse(size: float) -> float:
    # Below the smallest normal float32, the factor would overflow: such data is constant.
    return 1 / size if size > np.finfo(np.float32).tiny else 1.0


def _mean_square(x: NDArray[np.float32], shift: NDArray[np.float32]) -> float:
    blocks = (x[start : start + _ROWS] - shift for start in range(0, len(x), _ROWS))
    return float(sum(np.square(block, dtype=np.float64).sum() for block in blocks) / x.size)
