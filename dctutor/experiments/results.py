"""Files of recorded runs: how they are named, and what makes one whole."""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

__all__ = ["read_result", "result_name", "summary", "table"]

#: What tells one run from another: the file's name is made from it.
IDENTITY = ("method", "dataset", "split", "fit_on", "labels", "profile", "settings", "seed")
#: Scores, and the range of each.
METRICS = {"acc": (0, 1), "nmi": (0, 1), "ari": (-1, 1)}
_LONGEST = 64  # characters of settings that a name spells out


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_amount(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _are_versions(value: Any) -> bool:
    return isinstance(value, dict) and _is_text(value.get("dctutor"))


def _are_scores(value: Any) -> bool:
    if not isinstance(value, dict) or value.keys() != METRICS.keys():
        return False
    return all(_is_number(value[name]) and low <= value[name] <= high for name, (low, high) in METRICS.items())


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "method": (_is_text, "a name"),
    "dataset": (_is_text, "a name"),
    "split": (_is_text, "a name"),
    "fit_on": (_is_text, "a name"),
    "labels": (_is_count, "a number of labels"),
    "profile": (_is_text, "a name"),
    "settings": (_is_mapping, "arguments by name"),
    "seed": (_is_count, "an integer of at least 0"),
    "metrics": (_are_scores, "acc and nmi in [0, 1] and ari in [-1, 1]"),
    "seconds": (_is_amount, "a finite number of at least 0"),
    "n_iter": (_is_count, "a number of epochs"),
    "peak_memory_mb": (lambda value: value is None or _is_amount(value), "None or a finite number of at least 0"),
    "config": (_is_mapping, "arguments by name"),
    "versions": (_are_versions, "versions by name, dctutor's too"),
    "processor": (_is_text, "a name"),
    "command": (_is_text, "a command"),
}


def read_result(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a recorded run.

    Parameters
    ----------
    path : path-like
        A file that `run` wrote.

    Returns
    -------
    dict
        Its content; see `run`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it does not hold a whole run: a field is missing or of another kind, or a score is not finite or not in its
        range.
    """
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # a wrong encoding is a ValueError, too
        raise ValueError(f"path: {path} does not hold a whole run: it is no JSON") from error
    if not isinstance(result, dict):
        raise ValueError(f"path: {path} does not hold a whole run: expected an object, got {_short(result)}")
    for name, (fits, expected) in _FIELDS.items():
        if name not in result:
            raise ValueError(f"path: {path} does not hold a whole run: it has no {name!r}")
        if not fits(result[name]):
            got = _short(result[name])
            raise ValueError(f"path: {path} does not hold a whole run: {name}: expected {expected}, got {got}")
    return result


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def summary(paths: Sequence[str | os.PathLike[str]]) -> str:
    """Scores and time of recorded runs, for the terminal.

    Parameters
    ----------
    paths : sequence of path-like
        Files that `run` wrote.

    Returns
    -------
    str
        One line per file.

    Raises
    ------
    OSError, ValueError
        As `read_result`.
    """
    lines = []
    for path in paths:
        result = read_result(path)
        measured = "  ".join(f"{name} {value:.4f}" for name, value in result["metrics"].items())
        lines.append(f"{Path(path).name}: {measured}  {result['seconds']:.0f} s")
    return "\n".join(lines)


def table(folder: str | os.PathLike[str]) -> str:
    """Means over the seeds of all runs in a folder, for the terminal.

    Parameters
    ----------
    folder : path-like
        Where `run` or `sweep` wrote.

    Returns
    -------
    str
        One line per method, data and settings: number of seeds, mean and sample standard deviation of each score,
        median of the seconds. Lines are sorted by name.

    Raises
    ------
    OSError, ValueError
        If there is no such folder, or as `read_result`.
    """
    if not Path(folder).is_dir():
        raise ValueError(f"folder: expected a folder with recorded runs, got {os.fspath(folder)!r}")
    groups: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(Path(folder).glob("*.json")):
        result = read_result(path)
        name = " ".join(result_name({**result, "settings": {}}).split("-")[:-1])
        settings = " ".join(f"{key}={json.dumps(value)}" for key, value in result["settings"].items())
        groups.setdefault(f"{name} {settings}".strip(), []).append(result)
    if not groups:
        return "no recorded runs"
    width = max(map(len, groups))
    lines = [f"{'':{width}}  seeds" + "".join(f"{name:>16}" for name in METRICS) + f"{'seconds':>9}"]
    for name, results in sorted(groups.items()):
        cells = []
        for metric in METRICS:
            values = [result["metrics"][metric] for result in results]
            spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{f'{fmean(values):.3f}{spread}':>16}")
        seconds = median(result["seconds"] for result in results)
        lines.append(f"{name:{width}}  {len(results):5}{''.join(cells)}{seconds:9.0f}")
    return "\n".join(lines)


def canonical(value: Any) -> Any:
    """One form for settings that are equal: whole numbers are integers, sequences are lists.

    Parameters
    ----------
    value : what JSON can hold
        A setting, or several by name.

    Returns
    -------
    value
        Equal to what was given.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return value


def result_name(run: Mapping[str, Any]) -> str:
    """The file's name for a run, without its ending.

    Two runs that differ have two names, even on a file system that does not tell capitals from small letters. Settings
    are spelt out where that is short and plain; otherwise a digest stands for them.

    Parameters
    ----------
    run : mapping
        At least method, dataset, split, fit_on, labels, profile, settings and seed, as in a recorded run.

    Returns
    -------
    str
        Of letters, digits and ``-_=,.+``.

    Examples
    --------
    >>> from dctutor.experiments.results import result_name
    >>> asked = {"method": "IDEC", "dataset": "mnist", "split": "all", "fit_on": "all", "labels": 0, "profile": "full"}
    >>> result_name({**asked, "settings": {"noise": 0, "init": "ward"}, "seed": 3})
    'idec-mnist-all-full-init=ward,noise=0-3'
    """
    where = run["split"] if run["fit_on"] == run["split"] else f"{run['fit_on']}-{run['split']}"
    parts = [run["method"].lower(), run["dataset"].lower(), where]
    parts += [f"labels{run['labels']}"] if run["labels"] else []
    parts.append(run["profile"])
    parts += [_told(canonical(run["settings"]))] if run["settings"] else []
    return "-".join([*parts, str(run["seed"])])


def _told(settings: Mapping[str, Any]) -> str:
    words = {name: _word(value) for name, value in settings.items()}
    if all(words.values()) and all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in words):
        text = ",".join(f"{name}={word}" for name, word in words.items())
        if len(text) <= _LONGEST:
            return text
    # JSON tells 0 from "0" and true from 1, and the digest keeps that; it needs to be no secret, only long enough.
    return f"set={hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]}"


def _word(value: Any) -> str:
    """A value as a part of a file's name, or nothing where it is not plain enough; no two values have one word."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # Small letters only, as some file systems do not tell them from capitals. A number starts with none of them.
        taken = {"none", "true", "false"}
        return value if re.fullmatch("[a-z][a-z0-9_]*", value) and value not in taken else ""
    if isinstance(value, list) and value and all(_is_count(item) for item in value):
        return "x".join(map(str, value)) + ("x" if len(value) == 1 else "")
    return ""
