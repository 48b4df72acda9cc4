r"""Weights that change over training (survey 3.3).

A schedule is a function of progress in [0, 1]. It gives the weight :math:`\alpha` of the clustering
loss in

.. math:: L(\theta) = \alpha L_c(\theta) + (1 - \alpha) L_{nc}(\theta) \qquad \text{(survey eq. 10)}

or a factor on the learning rate. It keeps no state, so a resumed fit finds it where it was.
"""

import math
from collections.abc import Callable

__all__ = ["Schedule", "constant", "one_cycle", "pretrain_then_finetune"]

Schedule = Callable[[float], float]


def _unit(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: expected a number in [0, 1], got {value!r}")
    return float(value)


def constant(alpha: float) -> Schedule:
    """Simultaneous training: one weight throughout.

    Parameters
    ----------
    alpha : float
        In [0, 1].

    Returns
    -------
    Schedule
        Maps progress to ``alpha``.

    Raises
    ------
    ValueError
        If ``alpha`` lies outside [0, 1].
    """
    value = _unit("alpha", alpha)
    return lambda progress: value


def pretrain_then_finetune(switch: float) -> Schedule:
    """Pre-training (weight 0) up to ``switch``, then fine-tuning (weight 1).

    Parameters
    ----------
    switch : float
        The share of training spent on pre-training, in [0, 1].

    Returns
    -------
    Schedule
        0 before ``switch``, 1 from there on.

    Raises
    ------
    ValueError
        If ``switch`` lies outside [0, 1].
    """
    at = _unit("switch", switch)
    return lambda progress: float(progress >= at)


def one_cycle(warmup: float = 0.3, start: float = 0.04, end: float = 1e-4) -> Schedule:
    """A learning-rate factor that rises to 1 and falls again, along half cosines (Smith & Topin 2019).

    Parameters
    ----------
    warmup : float
        The share of training spent rising, in [0, 1].
    start, end : float
        The factor at progress 0 and at progress 1, in [0, 1].

    Returns
    -------
    Schedule
        Maps progress to a factor in [min(start, end), 1].

    Raises
    ------
    ValueError
        If an argument lies outside [0, 1].
    """
    peak = _unit("warmup", warmup)
    low, last = _unit("start", start), _unit("end", end)

    def factor(progress: float) -> float:
        if progress < peak:
            return low + (1 - low) * (1 - math.cos(math.pi * progress / peak)) / 2
        share = (progress - peak) / (1 - peak) if peak < 1 else 1.0
        return last + (1 - last) * (1 + math.cos(math.pi * share)) / 2

    return factor
