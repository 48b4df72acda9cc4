"""Many recorded runs, shared out over processes by joblib."""

import itertools
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from joblib import Parallel, cpu_count, delayed, parallel_config
from tqdm.auto import tqdm

from dctutor._validation import check_integer
from dctutor.experiments.results import canonical
from dctutor.experiments.run import run

__all__ = ["SweepResult", "read_sweep", "sweep"]

_LISTS = {"methods": "method", "datasets": "dataset", "seeds": "seed"}
_SINGLE = ("profile", "split", "fit_on", "labels")
_KNOWN = {*_LISTS, *_SINGLE, "settings", "runs"}


class SweepResult(NamedTuple):
    """What became of one run of a sweep.

    Attributes
    ----------
    run : dict
        The arguments of `dctutor.experiments.run`.
    state : {"recorded", "there", "claimed", "failed"}
        Whether it was made now, was there before, is another process' work, or raised an error.
    told : str
        Path of the result, or the error.
    """

    run: dict[str, Any]
    state: str
    told: str


def read_sweep(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read which runs a TOML file asks for.

    ``methods``, ``datasets`` and ``seeds`` are lists, and ``[settings]`` is a table of arguments; of each, a list holds
    alternatives, and every combination is a run. An argument that is itself a list stands in a list:
    ``widths = [[64, 10], [500, 10]]``. ``profile``, ``split``, ``fit_on`` and ``labels`` are those of `run`. Each table
    ``[[runs]]`` is a sweep of its own, for which the lines above it are the defaults.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    list of dict
        Arguments of `run`, one dict per run, none of them twice.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no TOML, names something unknown, or lacks methods or data sets.
    """
    try:
        asked = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"path: {path} is no TOML: {error}") from error
    tables = asked.pop("runs", [{}])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"path: {path}: runs: expected tables, [[runs]], got {tables!r}")
    found: list[dict[str, Any]] = []
    for table in tables:
        merged = {**asked, **table, "settings": {**_table(path, asked), **_table(path, table)}}
        found += _combinations(path, merged)
    return [one for i, one in enumerate(found) if canonical(one) not in map(canonical, found[:i])]


def _table(path: str | os.PathLike[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    settings = asked.get("settings", {})
    if not isinstance(settings, dict):
        raise ValueError(f"path: {path}: settings: expected a table, got {settings!r}")
    return settings


def _combinations(path: str | os.PathLike[str], asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    unknown = sorted(asked.keys() - _KNOWN)
    if unknown:
        raise ValueError(f"path: {path}: expected {', '.join(sorted(_KNOWN))}, got {', '.join(unknown)}")
    lists = {"seeds": [0], **asked}
    for name in _LISTS:
        if not isinstance(lists.get(name), list) or not lists[name]:
            raise ValueError(f"path: {path}: {name}: expected a list that is not empty, got {lists.get(name)!r}")
    grid = {name: value if isinstance(value, list) else [value] for name, value in asked["settings"].items()}
    single = {name: asked[name] for name in _SINGLE if name in asked}
    for values in itertools.product(*(lists[name] for name in _LISTS), *grid.values()):
        yield {
            **dict(zip(_LISTS.values(), values[: len(_LISTS)], strict=True)),
            **single,
            "settings": dict(zip(grid, values[len(_LISTS) :], strict=True)),
        }


def sweep(
    runs: Sequence[Mapping[str, Any]],
    *,
    jobs: int | None = None,
    folder: str | os.PathLike[str] = "runs",
    progress: bool = True,
) -> list[SweepResult]:
    """Make all runs that are not there yet.

    Runs are shared out over processes, and the processor's cores over the processes. A run that fails does not stop the
    others. After an interruption, the same call goes on: recorded runs are not repeated, and one that was at work goes
    on from its checkpoint. Several sweeps, on several machines, can share a folder.

    Parameters
    ----------
    runs : sequence of mapping
        Arguments of `run`, such as `read_sweep` returns; without ``folder``.
    jobs : int, optional
        Processes at a time. By default those of `joblib.parallel_config`, with the backend that it names, such as
        ``"dask"`` or ``"ray"``; without one, one after the other in this process.
    folder : path-like, default="runs"
        Where the results go.
    progress : bool, default=True
        Whether to draw a bar over the runs.

    Returns
    -------
    list of SweepResult
        One per run, in their order.

    Raises
    ------
    TypeError, ValueError
        If ``jobs`` is not an integer of at least 1.
    """
    if jobs is not None:
        jobs = check_integer("jobs", jobs, minimum=1)
    calls = [delayed(_one)(i, dict(asked), os.fspath(folder)) for i, asked in enumerate(runs)]
    found: list[SweepResult] = [SweepResult({}, "", "")] * len(calls)
    if jobs is None:
        work = Parallel(return_as="generator_unordered")
        for i, result in tqdm(work(calls), total=len(calls), unit="run", disable=not progress):
            found[i] = result
    else:
        threads = max(1, cpu_count() // jobs)
        with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=threads):
            work = Parallel(return_as="generator_unordered", batch_size=1)
            for i, result in tqdm(work(calls), total=len(calls), unit="run", disable=not progress):
                found[i] = result
    return found


def _one(place: int, asked: dict[str, Any], folder: str) -> tuple[int, SweepResult]:
    asked["settings"] = {"verbose": False, **asked.get("settings", {})}
    try:
        path, fresh = run(**asked, folder=folder)
    except BlockingIOError as error:
        return place, SweepResult(asked, "claimed", str(error))
    except (ArithmeticError, OSError, TypeError, ValueError) as error:
        return place, SweepResult(asked, "failed", f"{type(error).__name__}: {error}")
    return place, SweepResult(asked, "recorded" if fresh else "there", str(path))
