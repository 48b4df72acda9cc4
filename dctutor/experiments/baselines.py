"""What recorded runs compare the methods with, and is no method of the package."""

from typing import Any

from sklearn.cluster import KMeans

__all__ = ["BASELINES", "DEPARTURES"]

#: Estimators of other libraries that `run` records under these names.
BASELINES: dict[str, Any] = {"KMeans": KMeans}
#: Arguments that differ from the library's defaults, whatever the profile.
DEPARTURES: dict[str, dict[str, Any]] = {"KMeans": {"n_init": 20}}
