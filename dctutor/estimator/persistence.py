"""A fitted estimator as one file, and back; and in a pickle, whatever device it was fitted on."""

import copy
import inspect
import itertools
import os
from importlib.metadata import version
from typing import Any, Self

import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from dctutor.estimator._identity import given, parameters
from dctutor.estimator.restoring import ARRAYS, blank, check_finite, method_of, place, restored
from dctutor.snapshots import to_tensors
from dctutor.storage import FileFormatError, read_file, write_file

__all__ = ["Saved"]


class Saved(BaseEstimator):
    """Files of a fitted `DeepClusterer`."""

    _fitted_with: dict[str, Any] | str  # the arguments of the fit, or why no file can hold them
    _arrays: tuple[str, ...]  # names of the fitted arrays that this method has beside those of all

    def _keep_arguments(self) -> None:
        # `set_params` may prepare the next fit while this one is used and saved.
        try:
            self._fitted_with = parameters(given(self))
        except TypeError as error:
            self._fitted_with = str(error)  # the error itself would keep the data of its frames; `save` raises it

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file: safetensors and JSON, no pickle.

        Arguments that are networks, such as ``autoencoder``, are not kept, nor are a RandomState, ``checkpoint`` and
        ``on_epoch``: what `load` returns has None there, and fitting it again is another fit.

        Parameters
        ----------
        path : path-like
            The file; an existing one is replaced in one step.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        FileNotFoundError
            If its folder does not exist.
        FileExistsError
            If ``path`` is a folder or another thing that is not a file.
        OSError
            If the file cannot be written.
        TypeError
            If an argument, as a class of your own may have, is neither a network nor what JSON can hold; or if
            ``autoencoder`` was of a class of your own, which the file could not bring back.
        ValueError
            If a weight is NaN or infinite.
        """
        check_is_fitted(self)
        _save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator of this class that `save` wrote; `dctutor.load` takes the file of any method of the book.

        The file's digest finds damage, not malice: a file that was written by hand may hold any weights. Reading one
        never runs code from it.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        DeepClusterer
            Fitted, on the device that its ``device`` argument names. If the machine lacks it, a warning says so
            and the network is on the one that ``"auto"`` would take.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        FileFormatError
            If it is cut short, was altered, or holds another kind of thing or method.
        """
        tensors, facts = read_file(path)
        name = method_of(path, facts)
        if name != cls.__name__ or inspect.isabstract(cls):
            raise FileFormatError(
                f"path: expected a saved {cls.__name__}, got one of {name!r};"
                f" load it with {name}.load(path), or a method of the book with dctutor.load(path)"
            )
        return restored(cls, path, tensors, facts)

    def __getstate__(self) -> dict[str, Any]:
        # A machine without the device of a tensor could not read it.
        return {name: _on_cpu(value) for name, value in super().__getstate__().items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state and self.device != "cpu":
            place(self, stacklevel=2)


def _on_cpu(value: Any) -> Any:
    """A network or a tensor that is on another device, copied; anything else as it is."""
    if isinstance(value, nn.Module):
        held = itertools.chain(value.parameters(), value.buffers())
        return copy.deepcopy(value).cpu() if any(map(_elsewhere, held)) else value
    return value.cpu() if isinstance(value, Tensor) and _elsewhere(value) else value


def _elsewhere(tensor: Tensor) -> bool:
    return tensor.device.type != "cpu"


def _save(estimator: Any, path: str | os.PathLike[str]) -> None:
    if isinstance(estimator._fitted_with, str):
        raise TypeError(estimator._fitted_with)
    tensors = {
        f"{part}/{name}": value
        for part in ("network", "head")
        for name, value in getattr(estimator, f"{part}_").state_dict().items()
    }
    for name in (*ARRAYS, *estimator._arrays):
        tensors[name] = torch.tensor(getattr(estimator, name), device="cpu")
    tensors["shift"] = torch.tensor(estimator.scaling_.shift, device="cpu")
    check_finite(tensors, estimator._arrays)
    shots, shot_facts = to_tensors(estimator.snapshots_)
    facts = {
        "method": type(estimator).__name__,
        "version": version("dctutor"),
        "parameters": estimator._fitted_with,
        "arrays": list(estimator._arrays),
        "factor": estimator.scaling_.factor,
        "clipped": estimator.scaling_.clipped,
        "n_features_in_": estimator.n_features_in_,
        "feature_names_in_": list(getattr(estimator, "feature_names_in_", ())),
        "image_shape_": estimator.image_shape_,
        "n_iter_": estimator.n_iter_,
        "seconds_": estimator.seconds_,
        "history_": estimator.history_,
        "snapshots": shot_facts,
    }
    again = blank(type(estimator), facts)
    with torch.device("meta"):
        rebuilt = {
            "network_": again._build_network(facts["n_features_in_"]),
            "head_": again._build_head(estimator.cluster_centers_.shape[1]),
        }
    for name, made in rebuilt.items():
        own = getattr(estimator, name)
        if [*map(type, made.modules())] != [*map(type, own.modules())]:
            raise TypeError(
                f"{name}: expected layers that {type(estimator).__name__} can make again when the file is loaded, got"
                f" {type(own).__name__}, a class of its own or with such layers; save its state_dict instead"
            )
    write_file(path, tensors | shots, facts)
