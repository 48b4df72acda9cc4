r"""Weights that change over training (survey 3.3).

A schedule is a function of progress in [0, 1]. It gives the weight :math:`\alpha` of the clustering
loss in

.. math:: L(\theta) = \alpha L_c(\theta) + (1 - \alpha) L_{nc}(\theta) \qquad \text{(survey eq. 10)}

or a factor on the learning rate. It keeps no state, so that a resumed fit continues it.
"""

import math
from collections.abc import Callable

from dctutor._validation import check_number

__all__ = ["Schedule", "closing", "constant", "cosine", "linear", "one_cycle", "pretrain_then_finetune", "sigmoid"]

#: A function from progress in [0, 1] to a weight or a factor.
Schedule = Callable[[float], float]


def _unit(name: str, value: float) -> float:
    return check_number(name, value, maximum=1)


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
    TypeError, ValueError
        If ``alpha`` is no number or lies outside [0, 1].
    """
    value = _unit("alpha", alpha)
    return lambda progress: value


def pretrain_then_finetune(switch: float) -> Schedule:
    """Pre-training (weight 0) up to ``switch``, then fine-tuning (weight 1).

    Parameters
    ----------
    switch : float
        The fraction of training spent on pre-training, in [0, 1].

    Returns
    -------
    Schedule
        0 before ``switch``, 1 from there on.

    Raises
    ------
    TypeError, ValueError
        If ``switch`` is no number or lies outside [0, 1].
    """
    at = _unit("switch", switch)
    return lambda progress: float(progress >= at)


def _ramp(
    start: float, end: float, ramp: tuple[float, float], shape: Callable[[float], float] = lambda u: u
) -> Schedule:
    """Move from ``start`` to ``end`` along ``shape``, which maps (0, 1) to itself."""
    low, high = _unit("start", start), _unit("end", end)
    try:
        begin, stop = (_unit("ramp", edge) for edge in ramp)
    except (TypeError, ValueError):
        raise ValueError(f"ramp: expected two numbers in [0, 1], got {ramp!r}") from None
    if begin > stop:
        raise ValueError(f"ramp: expected its start before its end, got {ramp!r}")

    def alpha(progress: float) -> float:
        if progress >= stop:
            return high
        if progress <= begin:
            return low
        way = shape((progress - begin) / (stop - begin))
        return (1 - way) * low + way * high

    return alpha


def linear(start: float = 0.0, end: float = 1.0, *, ramp: tuple[float, float] = (0.0, 1.0)) -> Schedule:
    """Dynamic schedule: a straight line from one weight to another.

    Parameters
    ----------
    start, end : float
        The weight before and after the ramp, in [0, 1]; it may fall as well as rise.
    ramp : tuple of two float
        The progress at which the ramp starts and ends, in [0, 1]. If both are equal, the weight jumps
        there, as in `pretrain_then_finetune`.

    Returns
    -------
    Schedule
        Maps progress to a weight; exactly ``start`` up to the ramp and ``end`` from its end on.

    Raises
    ------
    TypeError, ValueError
        If a weight or an edge of the ramp is no number or lies outside [0, 1], or the ramp ends before it starts.
    """
    return _ramp(start, end, ramp)


def cosine(start: float = 0.0, end: float = 1.0, *, ramp: tuple[float, float] = (0.0, 1.0)) -> Schedule:
    r"""Dynamic schedule: half a cosine from one weight to another, level at both ends.

    If the fraction :math:`u` of the ramp is done, the fraction :math:`(1 - \cos \pi u) / 2` of the way is.

    Parameters
    ----------
    start, end, ramp
        See `linear`.

    Returns
    -------
    Schedule
        Maps progress to a weight; exactly ``start`` up to the ramp and ``end`` from its end on.

    Raises
    ------
    TypeError, ValueError
        As `linear`.
    """
    return _ramp(start, end, ramp, lambda u: (1 - math.cos(math.pi * u)) / 2)


def sigmoid(
    start: float = 0.0, end: float = 1.0, *, ramp: tuple[float, float] = (0.0, 1.0), steepness: float = 10.0
) -> Schedule:
    r"""Dynamic schedule: a logistic curve from one weight to another, stretched so that it reaches both.

    With :math:`k` the steepness and :math:`\sigma` the logistic function, if the fraction :math:`u` of the ramp is
    done, the fraction of the way that is done is

    .. math:: \frac{\sigma(k (u - \frac{1}{2})) - \sigma(-\frac{k}{2})}
                   {\sigma(\frac{k}{2}) - \sigma(-\frac{k}{2})}

    The plain logistic curve would start above 0 and end below 1, so that both losses would be mixed throughout.

    Parameters
    ----------
    start, end, ramp
        See `linear`.
    steepness : float
        Positive. Near 0 the curve is a straight line; the larger the value, the closer it is to a jump in the middle.

    Returns
    -------
    Schedule
        Maps progress to a weight; exactly ``start`` up to the ramp and ``end`` from its end on.

    Raises
    ------
    TypeError, ValueError
        As `linear`, or if ``steepness`` is not positive and finite.
    """
    check_number("steepness", steepness, open_at_minimum=True)
    # The logistic function is a tanh, shifted and halved; the shift cancels.
    half = math.tanh(steepness / 4)
    return _ramp(start, end, ramp, lambda u: (1 + math.tanh(steepness * (u - 0.5) / 2) / half) / 2)


def closing(upper: float, lower: float, meet: float = 0.5, *, closed: float = 1.0) -> tuple[Schedule, Schedule]:
    """Two thresholds that move towards each other along straight lines (Chang et al. 2017).

    Parameters
    ----------
    upper, lower : float
        Where they start, in [0, 1].
    meet : float
        Where they would meet at progress 1, from ``lower`` to ``upper``.
    closed : float
        The fraction of the way that is done at progress 1, in [0, 1]. With 1 they meet, with 0 they stay.

    Returns
    -------
    tuple of two Schedule
        The upper and the lower threshold.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number or out of its range.
    """
    high, way = _unit("upper", upper), _unit("closed", closed)
    low = check_number("lower", lower, maximum=high)
    goal = check_number("meet", meet, minimum=low, maximum=high)
    return linear(high, high + way * (goal - high)), linear(low, low + way * (goal - low))


def one_cycle(warmup: float = 0.3, start: float = 0.04, end: float = 1e-4) -> Schedule:
    """A learning-rate factor that rises to 1 and falls again, along half cosines (Smith & Topin 2019).

    Parameters
    ----------
    warmup : float
        The fraction of training spent rising, in [0, 1].
    start, end : float
        The factor at progress 0 and at progress 1, in [0, 1]. Without a warm-up it is 1 at progress 0.

    Returns
    -------
    Schedule
        Maps progress to a factor in [min(start, end), 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is no number or lies outside [0, 1].
    """
    peak = _unit("warmup", warmup)
    low, last = _unit("start", start), _unit("end", end)

    def factor(progress: float) -> float:
        if progress < peak:
            return low + (1 - low) * (1 - math.cos(math.pi * progress / peak)) / 2
        done = (progress - peak) / (1 - peak) if peak < 1 else 1.0
        return last + (1 - last) * (1 + math.cos(math.pi * done)) / 2

    return factor
