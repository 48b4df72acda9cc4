"""Arguments that a recorded run takes in place of a method's defaults."""

from typing import Any

from dctutor import methods
from dctutor.experiments.baselines import DEPARTURES
from dctutor.methods._registry import PROFILE_NAMES

__all__ = ["profile"]


def profile(method: str, name: str) -> dict[str, Any]:
    """Arguments that a profile gives one method, from its entry in the registry.

    Parameters
    ----------
    method : str
        A name in ``dctutor.methods.__all__``, or ``"KMeans"`` for scikit-learn's.
    name : {"smoke", "book", "full"}
        ``"smoke"`` only shows that the method runs. ``"book"`` is the method's defaults (DNC: up to 30 clusters).
        ``"full"`` is for the papers' own data, of which one epoch has many times the steps of one on a bundled sample.
        ``"KMeans"`` has 20 starts (``n_init``) in each profile, and otherwise scikit-learn's defaults.

    Returns
    -------
    dict
        Values by the names of the method's arguments.

    Raises
    ------
    ValueError
        If there is no such method or profile.

    Examples
    --------
    >>> from dctutor.experiments import profile
    >>> profile("ClusteringModule", "full"), profile("DEC", "book")
    ({'epochs': 20}, {})
    """
    known = [*methods.__all__, *DEPARTURES]
    if method not in known:
        raise ValueError(f"method: expected one of {', '.join(known)}, got {method!r}")
    if name not in PROFILE_NAMES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILE_NAMES)}, got {name!r}")
    if method in DEPARTURES:
        return dict(DEPARTURES[method])
    return dict(methods.registry()[method].profiles.get(name, {}))
