"""Deep clustering, taught by running it.

Names load on first use: ``import dctutor`` costs no more than the libraries it stands on.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dctutor.datasets import Dataset, load_dataset
    from dctutor.estimator import DeepClusterer
    from dctutor.methods import (
        AECM,
        DCN,
        DEC,
        DEN,
        DEPICT,
        DMC,
        IDEC,
        AutoencoderKMeans,
        ClusteringModule,
        DeepAutoencoderClustering,
        DSCNet,
    )

__version__ = version("dctutor")

_HOMES = {
    "AECM": "methods",
    "AutoencoderKMeans": "methods",
    "ClusteringModule": "methods",
    "DCN": "methods",
    "DEC": "methods",
    "DEN": "methods",
    "DEPICT": "methods",
    "DSCNet": "methods",
    "DMC": "methods",
    "Dataset": "datasets",
    "DeepAutoencoderClustering": "methods",
    "DeepClusterer": "estimator",
    "IDEC": "methods",
    "load_dataset": "datasets",
}
_MODULES = (
    "architectures",
    "augmentation",
    "classical",
    "datasets",
    "estimator",
    "experiments",
    "features",
    "losses",
    "methods",
    "metrics",
    "plots",
    "schedules",
    "training",
)

__all__ = [
    "AECM",
    "DCN",
    "DEC",
    "DEN",
    "DEPICT",
    "DMC",
    "IDEC",
    "AutoencoderKMeans",
    "ClusteringModule",
    "DSCNet",
    "Dataset",
    "DeepAutoencoderClustering",
    "DeepClusterer",
    "load_dataset",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"dctutor.{name}")
    if name in _HOMES:
        return getattr(import_module(f"dctutor.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'dctutor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *__all__])
