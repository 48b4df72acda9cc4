"""Measured runs, one JSON file each: what the book's tables are made from."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from dctutor import methods
from dctutor.datasets import load_dataset
from dctutor.metrics import scores
from dctutor.saving import plain

__all__ = ["PROFILES", "run"]

# What a profile changes from a method's defaults. "full" is for the papers' own data: one epoch of it has
# 14 times the steps of one on a bundled sample, so the same number would be needlessly long.
PROFILES: dict[str, dict[str, Any]] = {
    "smoke": {"layerwise_epochs": 1, "pretrain_epochs": 1, "start_epochs": 1, "epochs": 1},
    "book": {},
    "full": {"layerwise_epochs": 5, "pretrain_epochs": 60, "epochs": 20},
}


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    return f"{name}, {torch.get_num_threads()} threads"


def _peak_memory_mb(device: torch.device) -> float | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return None  # its Python has no module that tells
    import resource

    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def run(
    method: str,
    dataset: str,
    *,
    seed: int,
    split: str = "all",
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
        The fit's ``random_state``.
    profile : {"smoke", "book", "full"}
        A set of arguments.
    folder : path-like
        Where the result goes; made if need be.
    settings : mapping, optional
        Further arguments of the method, over those of the profile.

    Returns
    -------
    path : Path
        The result: method, dataset, split, profile, seed, metrics (acc, nmi, ari), seconds, peak memory in
        MiB, config, versions, processor, command.
    fresh : bool
        Whether this call made it.

    Raises
    ------
    ValueError
        If the method or the profile is unknown, or does not take a setting.
    """
    if method not in methods.__all__:
        raise ValueError(f"method: expected one of {', '.join(methods.__all__)}, got {method!r}")
    if profile not in PROFILES:
        raise ValueError(f"profile: expected one of {', '.join(PROFILES)}, got {profile!r}")
    folder = Path(folder)
    name = f"{method}-{dataset}-{split}-{profile}-{seed}".lower()
    path, checkpoint = folder / f"{name}.json", folder / f".{name}.checkpoint"
    if path.exists():
        there = json.loads(path.read_text())["config"]
        for key, value in (settings or {}).items():
            if key not in there or there[key] != plain(value):
                raise ValueError(
                    f"settings: {path} holds a run with {key}={there.get(key)!r}, not {value!r};"
                    " name another folder, or delete it"
                )
        return path, False
    data = load_dataset(dataset, split)
    folder.mkdir(parents=True, exist_ok=True)
    made = getattr(methods, method)
    known = made().get_params()
    of_data = {"n_clusters": len(data.label_names), "image_shape": data.image_shape}
    of_data = {key: value for key, value in of_data.items() if key in known}
    chosen = {key: value for key, value in PROFILES[profile].items() if key in known} | dict(settings or {})
    unknown = sorted(chosen.keys() - known.keys())
    if unknown:
        raise ValueError(f"settings: {method} does not take {', '.join(unknown)}")
    estimator = made(**{**of_data, **chosen, "random_state": seed, "checkpoint": checkpoint})
    try:
        estimator.fit(data.X)
    except FloatingPointError:
        checkpoint.unlink(missing_ok=True)  # it would only lead there again
        raise
    device = next(estimator.network_.parameters()).device
    memory = _peak_memory_mb(device)
    config = {k: plain(v) for k, v in estimator.get_params(deep=False).items() if not k.startswith("checkpoint")}
    words = ["python", "-m", "dctutor", "run", method, dataset, "--split", split, "--profile", profile]
    extra = [word for key, value in (settings or {}).items() for word in ("--set", f"{key}={json.dumps(value)}")]
    result = {
        "method": method,
        "dataset": dataset,
        "split": split,
        "profile": profile,
        "seed": seed,
        "metrics": scores(data.y, estimator.labels_),
        "seconds": round(estimator.seconds_, 1),
        "n_iter": estimator.n_iter_,
        "peak_memory_mb": None if memory is None else round(memory),
        "config": config,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("dctutor", "torch", "scikit-learn", "numpy")},
        },
        "processor": _processor(device),
        "command": shlex.join([*words, "--seeds", str(seed), *extra]),
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=2) + "\n")
    partial.replace(path)
    checkpoint.unlink(missing_ok=True)
    return path, True


def summary(paths: Sequence[Path]) -> str:
    """One line a result, for the terminal."""
    lines = []
    for path in paths:
        result = json.loads(path.read_text())
        measured = "  ".join(f"{name} {value:.4f}" for name, value in result["metrics"].items())
        lines.append(f"{path.name}: {measured}  {result['seconds']:.0f} s")
    return "\n".join(lines)
