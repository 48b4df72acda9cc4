"""Deep clustering, taught by running it.

Names load on first use: ``import dctutor`` costs no more than the libraries it stands on. The methods' names come from
their registry.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dctutor.methods._registry import homes as _homes

if TYPE_CHECKING:
    from dctutor._load import load as load
    from dctutor.architectures import load_pretrained as load_pretrained
    from dctutor.datasets import Dataset as Dataset
    from dctutor.datasets import load_dataset as load_dataset
    from dctutor.estimator import DeepClusterer as DeepClusterer
    from dctutor.methods import *

__version__ = version("dctutor")

_HOMES = {
    "Dataset": "dctutor.datasets",
    "DeepClusterer": "dctutor.estimator",
    "load": "dctutor._load",
    "load_dataset": "dctutor.datasets",
    "load_pretrained": "dctutor.architectures",
    **_homes(),
}
_MODULES = (
    "architectures",
    "augmentation",
    "classical",
    "datasets",
    "estimator",
    "exercises",
    "experiments",
    "features",
    "losses",
    "methods",
    "metrics",
    "plots",
    "schedules",
    "training",
)

if not TYPE_CHECKING:
    __all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"dctutor.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'dctutor' has no attribute {name!r}", name=name, obj=import_module(__name__))
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    # What is offered at a prompt: neither what this file imports nor the private modules that have been loaded.
    special = {name for name in globals() if name.startswith("__")}
    return sorted({*special, *_MODULES, *_HOMES})
