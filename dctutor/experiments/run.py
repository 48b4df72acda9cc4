"""Measured runs, one JSON file each: what the book's tables are made from."""

import json
import os
import platform
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from dctutor import methods
from dctutor._validation import check_integer
from dctutor.datasets import Dataset, available_datasets, load_dataset
from dctutor.datasets._catalog import ENTRIES, Entry
from dctutor.devices import peak_memory_mb, processor, reset_peak_memory
from dctutor.estimator._identity import parameters, plain
from dctutor.experiments.baselines import BASELINES
from dctutor.experiments.profiles import profile as arguments_of
from dctutor.experiments.results import IDENTITY, canonical, read_result, result_name
from dctutor.metrics import scores
from dctutor.storage import write_text

__all__ = ["run"]

_SPLITS = ("all", "train", "test")
#: Arguments that are the run's own, and change no result.
_OF_THE_RUN = {"random_state", "checkpoint", "checkpoint_seconds", "verbose", "on_epoch"}


def run(
    method: str,
    dataset: str,
    *,
    seed: int,
    split: str = "all",
    fit_on: str | None = None,
    labels: int = 0,
    profile: str = "full",
    folder: str | os.PathLike[str] = "book/results",
    settings: Mapping[str, Any] | None = None,
) -> tuple[Path, bool]:
    """Fit a method once and record what came of it, unless that was done before.

    A run that was interrupted goes on from its checkpoint, which lies beside the result until there is one. Several
    processes can share a folder: each run is claimed by one of them.

    Parameters
    ----------
    method : str
        A name in ``dctutor.methods.__all__``, or ``"KMeans"``: scikit-learn's with 20 starts, on the features as
        `load_dataset` gives them. It has no checkpoint.
    dataset, split : str
        As `load_dataset` takes them.
    seed : int
        The fit's ``random_state``; it also draws the samples whose labels the fit sees.
    fit_on : str, optional
        The split that is fitted, where it is not the one that is scored. The clusters of the latter are then those of
        the method's ``cluster``, or of ``predict`` where it has none.
    labels : int, default=0
        How many samples the fit is told the class of, for methods that take labels.
    profile : {"smoke", "book", "full"}, default="full"
        A set of arguments; see `dctutor.experiments.profile`.
    folder : path-like, default="book/results"
        Where the result goes; made if need be.
    settings : mapping, optional
        Further arguments of the method, over those of the profile.

    Returns
    -------
    path : Path
        The result: method, dataset, split, fit_on, labels, profile, settings (those that change something), seed,
        metrics (acc, nmi, ari), seconds, n_iter, peak memory in MiB (on a GPU that of the fit, on a CPU that of the
        process so far), config, versions, processor, command. The file's name tells all that distinguishes the run.
    fresh : bool
        Whether this call made it.

    Raises
    ------
    BlockingIOError
        If another process is at work on the same run.
    TypeError, ValueError
        If the method, the data set or the profile is unknown, or the method does not take a setting or labels; if JSON
        cannot hold a setting; or if the result is there and is another run's, or damaged.
    """
    chosen = arguments_of(method, profile)
    if dataset not in available_datasets():
        raise ValueError(f"dataset: expected one of {', '.join(available_datasets())}, got {dataset!r}")
    fit_on = split if fit_on is None else fit_on
    for name, value in (("split", split), ("fit_on", fit_on)):
        if value not in _SPLITS:
            raise ValueError(f"{name}: expected one of {', '.join(_SPLITS)}, got {value!r}")
    seed = check_integer("seed", seed, minimum=0)
    labels = check_integer("labels", labels, minimum=0)
    settings = _recordable(settings or {})
    made = BASELINES[method] if method in BASELINES else getattr(methods, method)
    known = made().get_params()
    unknown = sorted(settings.keys() - known.keys())
    if unknown:
        raise ValueError(f"settings: {method} does not take {', '.join(unknown)}")
    if labels and not getattr(made, "takes_labels", False):
        raise ValueError(f"labels: {method} learns without labels; expected 0, got {labels}")
    usual = known | _of_the_data(ENTRIES[dataset], known) | chosen
    # What only spells out the usual value does not make another run, nor does what changes no result.
    telling = {key: value for key, value in settings.items() if key not in _OF_THE_RUN}
    differing = {key: canonical(value) for key, value in telling.items() if not _same(value, plain(key, usual[key]))}
    asked = {
        "method": method,
        "dataset": dataset,
        "split": split,
        "fit_on": fit_on,
        "labels": labels,
        "profile": profile,
        "settings": differing,
        "seed": seed,
    }
    folder, name = Path(folder), result_name(asked)
    path, checkpoint, claim = folder / f"{name}.json", folder / f".{name}.checkpoint", folder / f".{name}.claim"
    wanted = {key: plain(key, value) for key, value in (usual | settings).items() if key not in _OF_THE_RUN}
    told = chosen.keys() | telling.keys()
    if path.exists():
        _check_same(path, asked, wanted, told)
        for left in (checkpoint, claim):  # by a process that was killed when it had just written the result
            with suppress(PermissionError):
                left.unlink(missing_ok=True)
        return path, False
    data = load_dataset(dataset, split)
    fitted = data if fit_on == split else load_dataset(dataset, fit_on)
    y = _some_labels(fitted.y, labels, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with _claimed(claim, path):
        if path.exists():  # another process has just written it
            _check_same(path, asked, wanted, told)
            return path, False
        of_data = _of_the_data(data, known)
        of_run = {"random_state": seed, "checkpoint": checkpoint}
        of_run = {key: value for key, value in of_run.items() if key in known}
        estimator = made(**{**of_data, **chosen, **settings, **of_run})
        reset_peak_memory()
        begin = time.perf_counter()
        try:
            estimator.fit(fitted.X, y)
        except FloatingPointError:
            checkpoint.unlink(missing_ok=True)  # it would only lead there again
            raise
        # A method's own count of seconds goes on where its checkpoint left off; a baseline has none, and no network.
        seconds = getattr(estimator, "seconds_", time.perf_counter() - begin)
        device = getattr(estimator, "_network_device", torch.device("cpu"))
        memory = peak_memory_mb(device)
        found = estimator.labels_
        if fit_on != split:
            found = getattr(estimator, "cluster", estimator.predict)(data.X)
        config = parameters(estimator.get_params(deep=False))
        result = {
            **asked,
            "metrics": scores(data.y, found),
            "seconds": round(seconds, 1),
            "n_iter": estimator.n_iter_,
            "peak_memory_mb": None if memory is None else round(memory),
            "config": {key: value for key, value in config.items() if not key.startswith("checkpoint")},
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("dctutor", "torch", "scikit-learn", "numpy")},
            },
            "processor": processor(device),
            "command": _command(asked, settings),
        }
        write_text(path, json.dumps(result, indent=2) + "\n")
        checkpoint.unlink(missing_ok=True)
    return path, True


@contextmanager
def _claimed(claim: Path, path: Path) -> Iterator[None]:
    """Hold the claim on a run, or raise BlockingIOError where another process holds it.

    The system lets go of a dead process' lock, so that its claim is free for the next, whatever file it left.
    """
    lock = FileLock(claim)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BlockingIOError(
            f"folder: another process is at work on {path}, as {claim.name} beside it says; wait for it, or name"
            " another folder"
        ) from error
    try:
        yield
    finally:
        with suppress(PermissionError):  # Windows removes no open file, and the lock does it there on release
            claim.unlink(missing_ok=True)  # before the release: whoever waits for this file finds that it is gone
        lock.release()


def _of_the_data(data: Dataset | Entry, known: Iterable[str]) -> dict[str, Any]:
    """Arguments that follow from a data set, of those that a method knows."""
    found = {"n_clusters": len(data.label_names), "image_shape": data.image_shape}
    return {key: value for key, value in found.items() if key in known}


def _same(one: Any, other: Any) -> bool:
    """Whether JSON would show two settings alike, but for ``1.0`` and ``1``."""
    return json.dumps(canonical(one), sort_keys=True) == json.dumps(canonical(other), sort_keys=True)


def _command(asked: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The command line that repeats a run."""
    words = ["python", "-m", "dctutor", "run", asked["method"], asked["dataset"]]
    words += ["--split", asked["split"], "--profile", asked["profile"]]
    words += ["--fit-on", asked["fit_on"]] if asked["fit_on"] != asked["split"] else []
    words += ["--labels", str(asked["labels"])] if asked["labels"] else []
    extra = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    return shlex.join([*words, "--seeds", str(asked["seed"]), *extra])


def _check_same(path: Path, asked: Mapping[str, Any], wanted: Mapping[str, Any], told: Iterable[str]) -> None:
    """Raise ValueError if the file holds another run than the one that is asked for, or no whole one.

    An argument that the file does not name is one that the method did not have then. It is let pass, unless the profile
    or the settings ask for a value.
    """
    try:
        there = read_result(path)
    except ValueError as error:
        raise ValueError(f"folder: {str(error).removeprefix('path: ')}; delete it") from error
    pairs = [(key, there[key], asked[key]) for key in IDENTITY]
    config = there["config"]
    pairs.append(("random_state", config.get("random_state"), asked["seed"]))
    needed = {"n_clusters", *told}
    pairs += [(key, config.get(key), wanted[key]) for key in sorted(wanted) if key in config or key in needed]
    for key, found, value in pairs:
        if not _same(found, value):
            raise ValueError(
                f"folder: {path} holds a run with {key}={found!r}, where {value!r} is asked for; name another folder,"
                " or delete it"
            )


def _recordable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON will hold them, or an error before anything is trained."""
    recorded = {}
    for key, value in settings.items():
        if key == "random_state" or key.startswith("checkpoint"):
            raise ValueError(f"settings: a run sets {key} itself, got {value!r}")
        try:
            recorded[key] = plain(key, value)
            json.dumps(recorded[key], allow_nan=False)
        except (RecursionError, TypeError, ValueError) as error:
            raise ValueError(f"settings: expected what JSON can hold for {key}, got {value!r}") from error
    return recorded


def _some_labels(y: NDArray[np.int64], labels: int, seed: int) -> NDArray[np.int64] | None:
    """Keep so many of the labels, drawn at random, and replace the others by -1; None where none is asked for."""
    if not labels:
        return None
    if labels > len(y):
        raise ValueError(f"labels: expected at most {len(y)}, one per sample, got {labels}")
    some = np.full(len(y), -1)
    chosen = np.random.default_rng(seed).permutation(len(y))[:labels]
    some[chosen] = y[chosen]
    return some
