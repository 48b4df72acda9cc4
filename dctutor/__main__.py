"""Command line: ``python -m dctutor run METHOD DATASET --seeds 0 1 2``, ``sweep FILE --jobs 2`` and ``show FOLDER``."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import dctutor
from dctutor.methods._registry import PROFILE_NAMES


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    python = {"None": None, "True": True, "False": False}
    if value in python:
        return name, python[value]
    try:
        return name, json.loads(value)
    except (json.JSONDecodeError, RecursionError):
        return name, value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dctutor", description="Measured runs of the book's methods.")
    parser.add_argument("--version", action="version", version=f"dctutor {dctutor.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="fit a method on a data set and record the result as JSON")
    run.add_argument("method", help=f"one of {', '.join(dctutor.methods.__all__)}, or KMeans, the baseline")
    run.add_argument("dataset", help=f"one of {', '.join(dctutor.datasets.available_datasets())}")
    run.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="one run each (default: 0)")
    run.add_argument("--split", default="all", choices=["all", "train", "test"], help="default: %(default)s")
    run.add_argument("--fit-on", choices=["all", "train", "test"], help="the split to fit, if not the one to score")
    run.add_argument(
        "--labels", type=int, default=0, metavar="N", help="tell a method that takes labels those of N samples"
    )
    run.add_argument("--profile", default="full", choices=PROFILE_NAMES, help="default: %(default)s")
    run.add_argument("--folder", default="book/results", help="where the JSON files go (default: %(default)s)")
    run.add_argument(
        "--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="an argument of the method"
    )
    sweep = commands.add_parser("sweep", help="make all runs that a TOML file asks for and that are not there yet")
    sweep.add_argument("file", help="methods, datasets, seeds and settings; see dctutor.experiments.read_sweep")
    sweep.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at a time (default: %(default)s)")
    sweep.add_argument("--folder", default="runs", help="where the JSON files go (default: %(default)s)")
    show = commands.add_parser("show", help="print means over the seeds of the runs in a folder")
    show.add_argument("folder", nargs="?", default="runs", help="default: %(default)s")
    options = parser.parse_args(arguments)
    return {"run": _run, "sweep": _sweep, "show": _show}[options.command](options)


def _show(options: argparse.Namespace) -> int:
    from dctutor import experiments

    try:
        print(experiments.table(options.folder))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from dctutor import experiments

    try:
        found = experiments.sweep(experiments.read_sweep(options.file), jobs=options.jobs, folder=options.folder)
    except (OSError, TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on; runs that are recorded are not repeated", file=sys.stderr)
        return 130
    states = [result.state for result in found]
    words = {"recorded": "recorded", "there": "already there", "claimed": "claimed by others", "failed": "failed"}
    print(", ".join(f"{states.count(state)} {word}" for state, word in words.items() if state in states))
    for result in found:
        if result.state == "failed":
            asked = " ".join(str(result.run[name]) for name in ("method", "dataset", "seed"))
            print(f"failed: {asked}: {result.told}", file=sys.stderr)
    return int("failed" in states or "claimed" in states)


def _run(options: argparse.Namespace) -> int:
    from dctutor import experiments  # late: --help should not wait for torch

    status = 0
    for seed in options.seeds:
        try:
            path, fresh = experiments.run(
                options.method,
                options.dataset,
                seed=seed,
                split=options.split,
                fit_on=options.fit_on,
                labels=options.labels,
                profile=options.profile,
                folder=options.folder,
                settings=dict(options.set),
            )
        except BlockingIOError as error:  # another worker has it: this one goes on with the next
            print(f"skipped: seed {seed}: {error}", file=sys.stderr, flush=True)
            status = 1
            continue
        except (ArithmeticError, OSError, TypeError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            words = "is not recorded; the same command goes on from its checkpoint, if there is one"
            print(f"interrupted: seed {seed} {words}", file=sys.stderr)
            return 130
        print(("" if fresh else "already there: ") + experiments.summary([path]), flush=True)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
