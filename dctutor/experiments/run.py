"""Measured runs, one JSON file each: what the book's tables are made from."""

import json
import os
import platform
import shlex
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dctutor import methods
from dctutor._validation import check_integer
from dctutor.datasets import Dataset, load_dataset
from dctutor.datasets._catalog import ENTRIES, Entry
from dctutor.devices import peak_memory_mb, processor, reset_peak_memory
from dctutor.estimator.persistence import parameters, plain
from dctutor.metrics import scores

__all__ = ["PROFILES", "run"]

#: What a profile changes from a method's defaults. "full" is for the papers' own data, of which one epoch has
#: 14 times the steps of one on a bundled sample, so that the same number would be needlessly long. How its autoencoders
#: start was found on all of MNIST, labels seen: see "What decides each result" on the page of measured runs. DEPICT's
#: weight decay is a tenth of its default, as an epoch has 14 times the steps.
PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {"layerwise_epochs": 1, "pretrain_epochs": 1, "start_epochs": 1, "epochs": 1},
    "book": {},
    "full": {
        "layerwise_epochs": 0,
        "pretrain_epochs": 60,
        "pretrain_weight_decay": 0.03,
        "weight_decay": 0.03,
        "weight_init": "pytorch",
        "epochs": 20,
    },
}

_OF_THE_RUN = {"random_state", "checkpoint", "checkpoint_seconds", "verbose"}


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

    A run that was interrupted goes on from its checkpoint, which lies beside the result until there
    is one.

    Parameters
    ----------
    method : str
        A name in ``dctutor.methods.__all__``.
    dataset, split : str
        As `load_dataset` takes them.
    seed : int
        The fit's ``random_state``; it also draws the samples whose labels the fit sees.
    fit_on : str, optional
        The split that is fitted, where it is not the one that is scored. The clusters of the latter are then those of
        the method's ``cluster``.
    labels : int, default 0
        How many samples the fit is told the class of, for methods that take labels.
    profile : {"smoke", "book", "full"}
        A set of arguments.
    folder : path-like
        Where the result goes; made if need be.
    settings : mapping, optional
        Further arguments of the method, over those of the profile.

    Returns
    -------
    path : Path
        The result: method, dataset, split, fit_on, labels, profile, seed, metrics (acc, nmi, ari), seconds, peak
        memory in MiB (on a GPU that of the fit, on a CPU that of the process so far), config, versions, processor,
        command.
    fresh : bool
        Whether this call made it.

    Raises
    ------
    TypeError, ValueError
        If the method or the profile is unknown, or does not take a setting or labels; if JSON cannot hold a setting; or
        if the result is there and is another run's, or damaged.
    """
    if method not in methods.__all__:
        raise ValueError(f"method: expected one of {', '.join(methods.__all__)}, got {method!r}")
    if profile not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}, got {profile!r}")
    folder, seed = Path(folder), check_integer("seed", seed, minimum=0)
    labels = check_integer("labels", labels, minimum=0)
    settings = _recordable(settings or {})
    where = split if fit_on is None else f"{fit_on}-{split}"
    told = f"-labels{labels}" if labels else ""
    name = f"{method}-{dataset}-{where}{told}-{profile}-{seed}".lower()
    path, checkpoint = folder / f"{name}.json", folder / f".{name}.checkpoint"
    made = getattr(methods, method)
    known = made().get_params()
    chosen = {key: value for key, value in PROFILES[profile].items() if key in known} | settings
    unknown = sorted(chosen.keys() - known.keys())
    if unknown:
        raise ValueError(f"settings: {method} does not take {', '.join(unknown)}")
    if path.exists() and dataset in ENTRIES:
        _check_same(path, known | _of_the_data(ENTRIES[dataset]) | chosen, known.keys() - _OF_THE_RUN)
        return path, False
    data = load_dataset(dataset, split)
    fitted = data if fit_on is None else load_dataset(dataset, fit_on)
    folder.mkdir(parents=True, exist_ok=True)
    y = _some_labels(method, fitted.y, labels, seed)
    of_data = {key: value for key, value in _of_the_data(data).items() if key in known}
    estimator = made(**{**of_data, **chosen, "random_state": seed, "checkpoint": checkpoint})
    reset_peak_memory()
    try:
        estimator.fit(fitted.X, y)
    except FloatingPointError:
        checkpoint.unlink(missing_ok=True)  # it would only lead there again
        raise
    device = estimator._network_device
    memory = peak_memory_mb(device)
    config = {k: v for k, v in parameters(estimator.get_params(deep=False)).items() if not k.startswith("checkpoint")}
    words = ["python", "-m", "dctutor", "run", method, dataset, "--split", split, "--profile", profile]
    words += [] if fit_on is None else ["--fit-on", fit_on]
    words += ["--labels", str(labels)] if labels else []
    extra = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    result = {
        "method": method,
        "dataset": dataset,
        "split": split,
        "fit_on": fit_on or split,
        "labels": labels,
        "profile": profile,
        "seed": seed,
        "metrics": scores(data.y, estimator.labels_ if fit_on is None else estimator.cluster(data.X)),
        "seconds": round(estimator.seconds_, 1),
        "n_iter": estimator.n_iter_,
        "peak_memory_mb": None if memory is None else round(memory),
        "config": config,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("dctutor", "torch", "scikit-learn", "numpy")},
        },
        "processor": processor(device),
        "command": shlex.join([*words, "--seeds", str(seed), *extra]),
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=2) + "\n")
    partial.replace(path)
    checkpoint.unlink(missing_ok=True)
    return path, True


def _of_the_data(data: Dataset | Entry) -> dict[str, Any]:
    """Arguments that follow from a data set."""
    return {"n_clusters": len(data.label_names), "image_shape": data.image_shape}


def _check_same(path: Path, wanted: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Raise ValueError if the run that ``path`` holds has other arguments, or if it holds none."""
    try:
        there = dict(json.loads(path.read_text())["config"])
        summary([path])  # fails if a score or the time is missing
        if "n_clusters" not in there:  # which every method has
            raise KeyError("n_clusters")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"folder: {path} does not hold a whole run; delete it") from error
    for key in sorted(keys):
        value = plain(key, wanted[key])
        if there.get(key, value) != value:
            raise ValueError(
                f"settings: {path} holds a run with {key}={there[key]!r}, not {value!r};"
                " ask for it with --set, name another folder, or delete it"
            )


def _recordable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON will hold them, or an error before anything is trained."""
    recorded = {}
    for key, value in settings.items():
        if key == "random_state" or key.startswith("checkpoint"):
            raise ValueError(f"settings: a run sets {key} itself, got {value!r}")
        try:
            recorded[key] = plain(key, value)
        except TypeError as error:
            raise ValueError(f"settings: expected what JSON can hold for {key}, got {value!r}") from error
    return recorded


def _some_labels(method: str, y: NDArray[np.int64], labels: int, seed: int) -> NDArray[np.int64] | None:
    """Keep so many of the labels, drawn at random, and replace the others by -1; None where none is asked for."""
    if not labels:
        return None
    if not getattr(methods, method).takes_labels:
        raise ValueError(f"labels: {method} learns without labels; expected 0, got {labels}")
    if labels > len(y):
        raise ValueError(f"labels: expected at most {len(y)}, one a sample, got {labels}")
    some = np.full(len(y), -1)
    chosen = np.random.default_rng(seed).permutation(len(y))[:labels]
    some[chosen] = y[chosen]
    return some


def summary(paths: Sequence[Path]) -> str:
    """One line a result, for the terminal."""
    lines = []
    for path in paths:
        result = json.loads(path.read_text())
        measured = "  ".join(f"{name} {value:.4f}" for name, value in result["metrics"].items())
        lines.append(f"{path.name}: {measured}  {result['seconds']:.0f} s")
    return "\n".join(lines)
