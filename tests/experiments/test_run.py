import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from small_fits import FORKS

import dctutor
from dctutor import experiments, load_dataset, methods
from dctutor.__main__ import main
from dctutor.architectures import Autoencoder
from dctutor.datasets import _fetch, available_datasets
from dctutor.methods import DEC
from dctutor.metrics import scores
from dctutor.training.checkpoint import Checkpoint

RESULTS = Path(__file__).parents[2] / "book" / "results"
MODULE = sys.modules["dctutor.experiments.run"]  # the function has the same name
TINY = "widths=16x3"


def tiny(method):
    """Settings that make a method's network small; the clustering module has no layers to narrow."""
    return {} if method == "ClusteringModule" else {"widths": [16, 3]}


def run(method, dataset, folder, *more):
    words = [word for name, value in tiny(method).items() for word in ("--set", f"{name}={value}")]
    return main(["run", method, dataset, "--profile", "smoke", "--folder", str(folder), *words, *more])


@pytest.mark.slow
def test_the_command_that_the_book_prints(tmp_path):
    command = [sys.executable, "-m", "dctutor", "run", "DEC", "digits", "--profile", "smoke", "--seeds", "0", "1"]
    done = subprocess.run([*command, "--folder", "results"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".json: acc 0.") == 2
    files = sorted((tmp_path / "results").iterdir())
    assert [file.name for file in files] == ["dec-digits-all-smoke-0.json", "dec-digits-all-smoke-1.json"]
    result = json.loads(files[1].read_text())
    keys = "method dataset split profile settings seed metrics seconds peak_memory_mb config versions processor command"
    assert set(keys.split()) <= result.keys()
    assert {name: result[name] for name in ("method", "dataset", "split", "profile", "seed")} == {
        "method": "DEC",
        "dataset": "digits",
        "split": "all",
        "profile": "smoke",
        "seed": 1,
    }
    assert set(result["metrics"]) == {"acc", "nmi", "ari"}
    assert all(0 < value < 1 for value in result["metrics"].values())
    assert 0 < result["seconds"] < 600 and 50 < result["peak_memory_mb"] < 20_000
    assert result["config"]["n_clusters"] == 10 and result["config"]["random_state"] == 1
    assert result["config"]["epochs"] == 1 and result["config"]["widths"] == [500, 500, 2000, 10]
    assert {"python", "dctutor", "torch", "scikit-learn", "numpy"} <= result["versions"].keys()
    assert result["processor"]
    assert result["command"].split()[:6] == ["python", "-m", "dctutor", "run", "DEC", "digits"]


@pytest.mark.parametrize("method", methods.__all__)
def test_result_is_that_of_the_method(method, tmp_path):
    assert run(method, "digits", tmp_path, "--split", "test", "--seeds", "4") == 0
    (file,) = tmp_path.iterdir()
    result = json.loads(file.read_text())
    fitted = getattr(methods, method)(**result["config"] | tiny(method)).fit(load_dataset("digits", "test").X)
    assert result["metrics"] == scores(load_dataset("digits", "test").y, fitted.labels_)


@pytest.mark.parametrize(("more", "n_init"), [((), 20), (("--set", "n_init=2"), 2)])
def test_the_baseline_is_k_means_on_the_features(tmp_path, capsys, more, n_init):
    asked = ["run", "KMeans", "digits", "--split", "test", "--seeds", "0", "3", "--folder", str(tmp_path), *more]
    assert main(asked) == 0
    data = load_dataset("digits", "test")
    for seed, file in zip((0, 3), sorted(tmp_path.iterdir()), strict=True):
        result = experiments.read_result(file)
        found = KMeans(10, n_init=n_init, random_state=seed).fit(data.X)
        assert result["metrics"] == scores(data.y, found.labels_) and result["n_iter"] == found.n_iter_
        assert (result["method"], result["config"]["n_init"]) == ("KMeans", n_init)
        assert result["settings"] == ({"n_init": n_init} if more else {})
    capsys.readouterr()
    assert main(asked) == 0 and capsys.readouterr().out.count("already there") == 2
    assert main([*shlex.split(result["command"])[3:], "--folder", str(tmp_path / "again")]) == 0
    assert experiments.read_result(tmp_path / "again" / file.name)["metrics"] == result["metrics"]


def test_the_baseline_scores_a_split_that_it_was_not_fitted_on(tmp_path):
    asked = {"fit_on": "train", "split": "test", "folder": tmp_path, "settings": {"n_init": 1}}
    path, _ = experiments.run("KMeans", "digits", seed=0, **asked)
    train, test = (load_dataset("digits", split) for split in ("train", "test"))
    found = KMeans(10, n_init=1, random_state=0).fit(train.X).predict(test.X)
    assert experiments.read_result(path)["metrics"] == scores(test.y, found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "widths=[16, 3]"), "settings: KMeans does not take widths"),
        (("--set", "n_init=0"), "n_init"),
        (("--set", "random_state=1"), "settings: a run sets random_state itself, got 1"),
        (("--labels", "10"), "labels: KMeans learns without labels; expected 0, got 10"),
    ],
)
def test_what_the_baseline_does_not_take(tmp_path, capsys, arguments, message):
    assert main(["run", "KMeans", "digits", "--folder", str(tmp_path), *arguments]) == 1
    assert re.search(f"error: .*{message}", capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"random_state": 5}, "settings: a run sets random_state itself, got 5"),
        ({"checkpoint_seconds": 5}, "settings: a run sets checkpoint_seconds itself, got 5"),
        ({"widths": len}, "settings: expected what JSON can hold for widths, got <built-in"),
        ({"autoencoder": Autoencoder(64, (16, 3))}, "settings: expected what JSON can hold for autoencoder, got Auto"),
    ],
)
def test_settings_that_cannot_be_recorded_are_refused_before_training(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        experiments.run("DEC", "digits", seed=0, profile="smoke", folder=tmp_path, settings=settings)
    assert not list(tmp_path.iterdir())


def test_fit_on_one_split_and_score_another(tmp_path):
    told = ("--fit-on", "train", "--split", "test", "--labels", "50")
    assert run("DeepAutoencoderClustering", "digits", tmp_path, *told, "--seeds", "3") == 0
    (file,) = tmp_path.iterdir()
    assert file.name == "deepautoencoderclustering-digits-train-test-labels50-smoke-widths=16x3-3.json"
    result = json.loads(file.read_text())
    assert (result["split"], result["fit_on"], result["labels"]) == ("test", "train", 50)
    train, test = (load_dataset("digits", split) for split in ("train", "test"))
    y, told = np.full(len(train.y), -1), np.random.default_rng(3).permutation(len(train.y))[:50]
    y[told] = train.y[told]
    settings = {name: value for name, value in result["config"].items() if name != "widths"}
    fitted = methods.DeepAutoencoderClustering(**settings, widths=(16, 3)).fit(train.X, y)
    assert result["metrics"] == scores(test.y, fitted.cluster(test.X))
    assert main([*shlex.split(result["command"])[3:], "--folder", str(tmp_path / "again")]) == 0
    assert json.loads((tmp_path / "again" / file.name).read_text())["metrics"] == result["metrics"]


def test_the_recorded_command_repeats_the_run(tmp_path):
    run("DEC", "digits", tmp_path / "first", "--set", "tol=0.5", "--set", "device=cpu")
    (first,) = (tmp_path / "first").iterdir()
    result = json.loads(first.read_text())
    words = shlex.split(result["command"])
    assert main([*words[3:], "--folder", str(tmp_path / "second")]) == 0
    again = json.loads((tmp_path / "second" / first.name).read_text())
    assert again["metrics"] == result["metrics"] and again["config"] == result["config"]
    assert again["command"] == result["command"] and again["config"]["tol"] == 0.5


def test_what_is_there_is_not_run_again(tmp_path, capsys):
    run("DEC", "digits", tmp_path)
    (file,) = tmp_path.iterdir()
    before = file.read_bytes(), file.stat().st_mtime_ns
    capsys.readouterr()
    assert run("DEC", "digits", tmp_path, "--seeds", "0", "1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("already there: dec-digits-all-smoke-widths=16x3-0.json: acc")
    assert lines[1].startswith("dec-digits-all-smoke-widths=16x3-1.json: acc")
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("tol=0.5",), ("tol=0.25",)),
        (("tol=0.5",), ()),
        (("n_clusters=5",), ()),
        (("tol=0.5", "nu=2"), ("tol=0.5", "nu=3")),
    ],
)
def test_runs_with_different_settings_stand_side_by_side(one, other, tmp_path):
    asked = [[word for setting in settings for word in ("--set", setting)] for settings in (one, other)]
    for words in asked:
        assert run("DEC", "digits", tmp_path, *words) == 0
    results = [json.loads(file.read_text()) for file in tmp_path.iterdir()]
    assert len(results) == 2
    names = [setting.partition("=")[0] for setting in one]
    assert len({json.dumps([result["config"][name] for name in names]) for result in results}) == 2
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for words in asked:  # each is found again
        assert run("DEC", "digits", tmp_path, *words) == 0
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def die_in_the_middle(folder):
    write, written = Checkpoint.write, []

    def write_and_die(*arguments):
        write(*arguments)
        written.append(1)
        if len(written) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    Checkpoint.write = write_and_die
    run("IDEC", "digits", folder)


def test_an_interrupted_run_goes_on_in_whichever_process_is_next(tmp_path):
    child = FORKS.Process(target=die_in_the_middle, args=(tmp_path / "killed",))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    left = {file.suffix for file in (tmp_path / "killed").iterdir()}
    assert ".checkpoint" in left and left <= {".checkpoint", ".claim"}
    assert run("IDEC", "digits", tmp_path / "killed") == 0
    assert run("IDEC", "digits", tmp_path / "whole") == 0
    (found,), (expected,) = (tmp_path / "killed").iterdir(), (tmp_path / "whole").iterdir()
    assert json.loads(found.read_text())["metrics"] == json.loads(expected.read_text())["metrics"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("DECK", "digits"), "method: expected one of .*DEC.*got 'DECK'"),
        (("DeepClusterer", "digits"), "method: expected one of"),
        (("DEC", "minst"), "dataset: expected one of .*mnist.*got 'minst'"),
        (("DEC", "../digits"), "dataset: expected one of"),
        (("DEC", "digits", "--set", "gama=1"), "settings: DEC does not take gama"),
        (("DEC", "digits", "--set", "tol=NaN"), "settings: expected what JSON can hold for tol, got nan"),
        (("DEC", "digits", "--set", "tol=" + "[" * 100_000), "tol: expected a number"),
        (("DEC", "digits", "--set", "tol=high"), "tol: expected a number, got 'high'"),
        (("DEC", "digits", "--set", "n_clusters=0"), "n_clusters: expected an integer"),
        (("DEC", "digits", "--set", "learning_rate=1e30"), "cluster: loss became"),
        (("DEC", "digits", "--seeds", "-1"), "random_state|(?i:seed)"),
        (("DEC", "digits", "--labels", "10"), "labels: DEC learns without labels; expected 0, got 10"),
        (("DeepAutoencoderClustering", "digits", "--labels", "9999"), "labels: expected at most 1797"),
        (("DeepAutoencoderClustering", "digits", "--labels", "-1"), "labels: expected an integer of at least 0"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_no_file(tmp_path, capsys, arguments, message):
    assert run(*arguments[:2], tmp_path / "results", *arguments[2:]) == 1
    error = capsys.readouterr().err
    assert len([line for line in error.splitlines() if line.startswith("error: ")]) == 1 and "Traceback" not in error
    assert re.search(message, error)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_settings_may_be_written_as_python_writes_them(tmp_path):
    settings = ("--set", "verbose=False", "--set", "update_interval=None", "--set", "widths=[16, 3]")
    assert run("DEC", "digits", tmp_path, *settings) == 0
    config = json.loads(next(tmp_path.glob("*.json")).read_text())["config"]
    assert config["verbose"] is False and config["update_interval"] is None


def test_an_interrupt_is_told_in_one_line(tmp_path, capsys, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments, "run", interrupted)
    assert run("DEC", "digits", tmp_path) == 130
    assert (
        capsys.readouterr().err
        == "interrupted: seed 0 is not recorded; the same command goes on from its checkpoint, if there is one\n"
    )


@pytest.mark.parametrize(
    "arguments", [[], ["run"], ["run", "DEC"], ["run", "DEC", "digits", "--profile", "tiny"], ["run", "--set", "tol"]]
)
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage: python -m dctutor" in capsys.readouterr().err


def test_help_lists_the_choices_and_the_defaults(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["run", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0
    for name in (*methods.__all__, "KMeans", *available_datasets(), "(default: 0)", "default: all", "default: full"):
        assert name in text.replace("- ", "-"), name  # argparse breaks lines at hyphens


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"dctutor {dctutor.__version__}\n"


def test_a_set_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DCTUTOR_DATA", str(tmp_path / "none"))
    monkeypatch.setitem(_fetch.SOURCES, "mnist", ("http://127.0.0.1:9/",))
    assert run("DEC", "mnist", tmp_path / "results") == 1
    assert "error: " in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_numbers_of_numpy(tmp_path):
    settings = {"epochs": np.int64(1), "tol": np.float32(0.5), "widths": np.array([16, 3])}
    asked = {"seed": np.int64(1), "profile": "smoke", "folder": tmp_path, "settings": settings}
    path, fresh = experiments.run("DEC", "digits", **asked)
    assert fresh and path.name == f"dec-digits-all-smoke-tol=0.5,{TINY}-1.json"
    assert "--set epochs=1 --set tol=0.5" in json.loads(path.read_text())["command"]


def test_a_run_with_defaults_is_the_same_as_one_that_spells_them_out(tmp_path, capsys):
    run("DEC", "digits", tmp_path, "--set", "tol=0.001")
    assert run("DEC", "digits", tmp_path) == 0
    assert run("DEC", "digits", tmp_path, "--set", "nu=1.0") == 0
    assert "already there" in capsys.readouterr().out


def test_a_mistyped_setting_is_not_blamed_on_the_run_that_is_there(tmp_path, capsys):
    run("DEC", "digits", tmp_path)
    assert run("DEC", "digits", tmp_path, "--set", "gama=1") == 1
    assert "settings: DEC does not take gama" in capsys.readouterr().err


def recorded(tmp_path):
    """A run's file, and what it holds."""
    assert run("DEC", "digits", tmp_path, "--set", "verbose=false") == 0
    (file,) = tmp_path.iterdir()
    return file, json.loads(file.read_text())


DAMAGED = {
    "no JSON": lambda whole: "{",
    "another encoding": lambda whole: "\x00",
    "deep JSON": lambda whole: "[" * 10**5,
    "a list": lambda whole: "[]",
    "nothing": lambda whole: "{}",
    "a score missing": lambda whole: whole | {"metrics": {"acc": 0.5, "nmi": 0.5}},
    "a score of another kind": lambda whole: whole | {"metrics": whole["metrics"] | {"acc": "0.5"}},
    "a truth value for a score": lambda whole: whole | {"metrics": whole["metrics"] | {"acc": True}},
    "a score that is not finite": lambda whole: whole | {"metrics": whole["metrics"] | {"ari": float("nan")}},
    "a score out of range": lambda whole: whole | {"metrics": whole["metrics"] | {"acc": 7}},
    "no scores": lambda whole: whole | {"metrics": None},
    "endless time": lambda whole: whole | {"seconds": float("inf")},
    "time of another kind": lambda whole: whole | {"seconds": "1"},
    "a config of another kind": lambda whole: whole | {"config": []},
    "no version": lambda whole: whole | {"versions": {}},
    "labels of another kind": lambda whole: whole | {"labels": -1},
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_result_is_named(tmp_path, capsys, damage):
    file, whole = recorded(tmp_path)
    content = damage(whole)
    content = content if isinstance(content, str) else json.dumps(content)
    file.write_text(content)
    assert run("DEC", "digits", tmp_path) == 1
    error = capsys.readouterr().err
    assert f"error: folder: {file} does not hold a whole run" in error and "Traceback" not in error
    assert file.read_text() == content


def test_a_result_that_lacks_a_field_is_named(tmp_path, capsys):
    file, whole = recorded(tmp_path)
    for name in whole:
        file.write_text(json.dumps({key: value for key, value in whole.items() if key != name}))
        assert run("DEC", "digits", tmp_path) == 1
        assert f"{file} does not hold a whole run: it has no {name!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "config"),
    [
        ({"method": "IDEC"}, {}),
        ({"dataset": "mnist"}, {}),
        ({"split": "test"}, {}),
        ({"fit_on": "train"}, {}),
        ({"labels": 7}, {}),
        ({"profile": "book"}, {}),
        ({"seed": 99}, {}),
        ({"settings": {"nu": 2}}, {}),
        ({}, {"random_state": 99}),
        ({}, {"n_clusters": 9}),
        ({}, {"nu": 2.0}),
        ({}, {"epochs": None}),
        ({}, {"widths": [16, 4]}),
    ],
)
def test_a_result_of_another_run_does_not_pass_for_the_one_asked_for(tmp_path, capsys, changes, config):
    file, whole = recorded(tmp_path)
    content = json.dumps(whole | changes | {"config": whole["config"] | config})
    file.write_text(content)
    assert run("DEC", "digits", tmp_path) == 1
    ((key, value),) = (changes | config).items()
    assert f"error: folder: {file} holds a run with {key}={value!r}, where" in capsys.readouterr().err
    assert file.read_text() == content


def test_a_config_of_one_entry_tells_too_little(tmp_path, capsys):
    file, whole = recorded(tmp_path)
    file.write_text(json.dumps(whole | {"config": {"n_clusters": 10, "random_state": 0}}))
    assert run("DEC", "digits", tmp_path) == 1
    assert f"{file} holds a run with epochs=None, where 1 is asked for" in capsys.readouterr().err


def test_an_argument_that_an_older_version_did_not_have_is_no_fault(tmp_path, capsys):
    file, whole = recorded(tmp_path)
    file.write_text(json.dumps(whole | {"config": {k: v for k, v in whole["config"].items() if k != "momentum"}}))
    assert run("DEC", "digits", tmp_path) == 0
    assert "already there" in capsys.readouterr().out


@pytest.mark.parametrize("seed", [0.9, True, -1])
def test_seeds_are_integers(tmp_path, seed):
    with pytest.raises((TypeError, ValueError), match="seed: expected an integer"):
        experiments.run("DEC", "digits", seed=seed, profile="smoke", folder=tmp_path)


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.stem)
def test_a_recorded_run_is_what_its_command_asks_of_this_version(file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(MODULE, "load_dataset", None)  # nothing is to be trained
    words = shlex.split(json.loads(file.read_text())["command"])
    assert words[:3] == ["python", "-m", "dctutor"]
    shutil.copy(file, tmp_path)
    assert main([*words[3:], "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"already there: {file.name}")


def test_runs_are_recorded():
    assert len(list(RESULTS.glob("*.json"))) > 50


def test_the_split_that_is_scored_may_be_named_as_the_one_to_fit(tmp_path, capsys):
    assert run("DEC", "digits", tmp_path, "--split", "test") == 0
    assert run("DEC", "digits", tmp_path, "--split", "test", "--fit-on", "test") == 0
    assert "already there" in capsys.readouterr().out
    (file,) = tmp_path.iterdir()
    assert file.name == f"dec-digits-test-smoke-{TINY}-0.json"


def test_what_changes_no_result_makes_no_other_run(tmp_path, capsys):
    run("DEC", "digits", tmp_path, "--set", "verbose=false")
    assert run("DEC", "digits", tmp_path, "--set", "verbose=true") == 0
    assert "already there" in capsys.readouterr().out
    assert json.loads(next(tmp_path.iterdir()).read_text())["settings"] == {"widths": [16, 3]}


@pytest.mark.parametrize("changes", [{"split": "../x"}, {"fit_on": "some"}, {"profile": "tiny"}])
def test_unknown_choices_are_named(changes, tmp_path):
    ((name, value),) = changes.items()
    with pytest.raises(ValueError, match=rf"^{name}: expected one of .*, got {re.escape(repr(value))}"):
        experiments.run("DEC", "digits", **{"seed": 0, "profile": "smoke", "folder": tmp_path} | changes)
    assert not list(tmp_path.iterdir())


def hold(folder, held, let_go):
    """Be at work on a run until told to stop."""

    def wait(*arguments):
        held.set()
        let_go.wait(60)
        raise ValueError("seed 0 was given up")

    DEC.fit = wait
    run("DEC", "digits", folder)


def test_a_run_that_another_process_is_at_work_on_is_left_to_it(tmp_path, capsys):
    held, let_go = FORKS.Event(), FORKS.Event()
    other = FORKS.Process(target=hold, args=(tmp_path, held, let_go))
    other.start()
    assert held.wait(60)
    try:
        with pytest.raises(BlockingIOError, match=r"folder: another process is at work on .*widths=16x3-0\.json"):
            settings = {"widths": (16, 3)}
            experiments.run("DEC", "digits", seed=0, profile="smoke", folder=tmp_path, settings=settings)
        assert run("DEC", "digits", tmp_path, "--seeds", "0", "1") == 1
        told = capsys.readouterr()
        assert told.err.startswith("skipped: seed 0: folder: another process is at work on")
        assert told.out.startswith(f"dec-digits-all-smoke-{TINY}-1.json: acc")
    finally:
        let_go.set()
        other.join()
    assert run("DEC", "digits", tmp_path) == 0  # it gave up, and so the claim is free
    assert {file.name for file in tmp_path.iterdir()} == {f"dec-digits-all-smoke-{TINY}-{seed}.json" for seed in (0, 1)}


def race(folder, start, codes):
    start.wait(60)
    codes.put(run("DEC", "digits", folder, "--seeds", "0", "1", "2"))


def test_processes_that_share_a_folder_make_each_run_once(tmp_path, monkeypatch):
    start, codes = FORKS.Barrier(2), FORKS.Queue()
    workers = [FORKS.Process(target=race, args=(tmp_path, start, codes)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # 1: one that found a run claimed went on with the others
    assert {codes.get(timeout=60) for _ in workers} <= {0, 1}
    assert {file.name for file in tmp_path.iterdir()} == {
        f"dec-digits-all-smoke-{TINY}-{seed}.json" for seed in range(3)
    }


def test_a_result_is_written_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MODULE, "write_text", full)
    assert run("DEC", "digits", tmp_path) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.json"))
    monkeypatch.undo()
    assert run("DEC", "digits", tmp_path) == 0  # from the checkpoint, which is kept until then
    assert [file.suffix for file in tmp_path.iterdir()] == [".json"]
