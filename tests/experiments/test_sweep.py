"""Sweeps: what a file asks for, and that each run is made once, however often it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dctutor.__main__ import main
from dctutor.experiments import read_sweep, sweep, table

SWEEP = """
methods = ["DEC"]
datasets = ["digits"]
seeds = [0, 1]
profile = "smoke"

[settings]
widths = [[8, 3]]
nu = [1.0, 2.0]
"""


@pytest.fixture
def written(tmp_path):
    def write(text=SWEEP):
        path = tmp_path / "sweep.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_combination_is_a_run(written):
    runs = read_sweep(written())
    assert [(run["seed"], run["settings"]["nu"]) for run in runs] == [(0, 1.0), (0, 2.0), (1, 1.0), (1, 2.0)]
    assert all(run["settings"]["widths"] == [8, 3] and run["profile"] == "smoke" for run in runs)


def test_tables_of_runs_take_what_stands_above(written):
    text = SWEEP + '\n[[runs]]\n\n[[runs]]\nmethods = ["IDEC"]\nseeds = [5]\n[runs.settings]\nnu = 1\ngamma = 0.2\n'
    runs = read_sweep(written(text))
    assert len(runs) == 5
    assert runs[4] == {
        "method": "IDEC",
        "dataset": "digits",
        "seed": 5,
        "profile": "smoke",
        "settings": {"widths": [8, 3], "nu": 1, "gamma": 0.2},
    }


def test_no_run_is_asked_for_twice(written):
    assert len(read_sweep(written(SWEEP.replace("[0, 1]", "[0, 0]").replace("[1.0, 2.0]", "[1.0, 1]")))) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("methods = [", "is no TOML"),
        (SWEEP.replace("seeds", "seed"), "expected .*seeds.*, got seed"),
        (SWEEP.replace('["DEC"]', '"DEC"'), "methods: expected a list that is not empty, got 'DEC'"),
        (SWEEP.replace('["digits"]', "[]"), "datasets: expected a list"),
        (SWEEP.replace("[settings]\nwidths = [[8, 3]]\nnu = [1.0, 2.0]", "settings = 3"), "settings: expected a table"),
        ("runs = 3\n" + SWEEP, "runs: expected tables"),
    ],
)
def test_bad_files_are_named(written, text, message):
    path = written(text)
    with pytest.raises(ValueError, match=f"path: {path}.*{message}"):
        read_sweep(path)


def test_a_run_that_fails_stops_no_other(tmp_path):
    runs = [{"method": name, "dataset": "digits", "seed": 0, "profile": "smoke"} for name in ("DECK", "KMeans")]
    failed, made = sweep(runs, folder=tmp_path, progress=False)
    assert failed.state == "failed" and "method: expected one of" in failed.told
    assert made.state == "recorded" and Path(made.told).exists()
    assert [result.state for result in sweep(runs, folder=tmp_path, progress=False)] == ["failed", "there"]


def test_jobs_have_to_be_a_number(tmp_path):
    with pytest.raises(ValueError, match="jobs: expected an integer of at least 1, got 0"):
        sweep([], jobs=0, folder=tmp_path)


def test_a_table_has_means_over_seeds(tmp_path, written, capsys):
    assert main(["show", str(tmp_path / "nowhere")]) == 1
    assert "folder: expected a folder with recorded runs" in capsys.readouterr().err
    assert table(tmp_path) == "no recorded runs"
    runs = [{"method": "KMeans", "dataset": "digits", "seed": seed, "profile": "smoke"} for seed in (0, 1)]
    found = sweep([*runs, {**runs[0], "settings": {"n_init": 1}}], folder=tmp_path, progress=False)
    scores = [json.loads(Path(result.told).read_text(encoding="utf-8"))["metrics"]["acc"] for result in found]
    assert main(["show", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].split() == ["seeds", "acc", "nmi", "ari", "seconds"]
    assert lines[1].startswith("kmeans digits all smoke ") and f"2   {sum(scores[:2]) / 2:.3f} ± " in lines[1]
    assert "n_init=1" in lines[2] and f"{scores[2]:.3f}" in lines[2] and "±" not in lines[2]


@pytest.mark.slow
def test_killed_and_started_again_it_repeats_nothing(tmp_path, written):
    folder = tmp_path / "runs"
    command = [sys.executable, "-m", "dctutor", "sweep", str(written()), "--jobs", "2", "--folder", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(folder.glob("*.json")) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert before
    second = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    after = {path: path.stat().st_mtime_ns for path in folder.glob("*.json")}
    assert len(after) == 4 and before.items() <= after.items()
    counts = {"recorded": 4 - len(before), "already there": len(before)}
    assert second.stdout.strip() == ", ".join(f"{n} {word}" for word, n in counts.items() if n)
    assert not list(folder.glob(".*"))  # no checkpoint, no claim, whenever the first was killed
    assert len({json.loads(path.read_text(encoding="utf-8"))["seed"] for path in after}) == 2
