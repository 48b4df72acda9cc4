"""A fit killed with SIGKILL and resumed ends where one never interrupted does, bit for bit."""

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from small_fits import FORKS, METHODS, UNLIKE, blobs, small

from dctutor import DCN, DEC, DEPICT, AutoencoderKMeans
from dctutor.storage import FileFormatError, read_file, write_file
from dctutor.training.checkpoint import Checkpoint

X, _ = blobs()
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
each_unlike_method = pytest.mark.parametrize("method", UNLIKE, ids=lambda method: method.__name__)
SETTINGS = {"snapshot_every": 1, "checkpoint_seconds": 0, "momentum": 0.5}


def make(method, **changes):
    known = method().get_params()
    return small(method, **{name: value for name, value in SETTINGS.items() if name in known} | changes)


def result(fitted):
    arrays = {"labels": fitted.labels_, "centers": fitted.cluster_centers_, "embedding": fitted.transform(X)}
    for i, shot in enumerate(fitted.snapshots_):
        arrays[f"{i} {shot.phase} {shot.epoch}"] = shot.embedding
        if shot.centers is not None:
            arrays[f"{i} centers"] = shot.centers
    for table, columns in fitted.history_.items():
        for name, column in columns.items():
            arrays[f"{table} {name}"] = np.array(column, dtype=float)
    return arrays | {"n_iter": np.array(fitted.n_iter_)}


def fit_in_child(method, changes, out, die_after):
    """Fit, and store what came of it; or die like one that is killed, right after so many checkpoints.

    With -1 it dies before the first has its name.
    """
    if die_after == -1:
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    elif die_after:
        write, written = Checkpoint.write, []

        def write_and_die(*arguments):
            write(*arguments)
            written.append(1)
            if len(written) == die_after:
                os.kill(os.getpid(), signal.SIGKILL)

        Checkpoint.write = write_and_die
    np.savez(out, **result(make(method, **changes).fit(X)))


def start(method, changes, out, die_after=0):
    child = FORKS.Process(target=fit_in_child, args=(method, changes, out, die_after))
    child.start()
    return child


def finish(method, changes, out):
    child = start(method, changes, out)
    child.join()
    assert child.exitcode == 0
    with np.load(out) as stored:
        return dict(stored)


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name


def killed_again_and_again(method, changes, folder, every):
    """Fit in processes that each live for so many epochs; return where they died, and what the last one found."""
    changes = changes | {"checkpoint": folder / "checkpoint"}
    places = []
    while True:
        child = start(method, changes, folder / "found.npz", die_after=every)
        child.join()
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL and not (folder / "found.npz").exists()
        facts = read_file(changes["checkpoint"])[1]
        places.append((facts["phase"], facts["epoch"]))
    with np.load(folder / "found.npz") as found:
        return places, dict(found)


def epochs_of(history):
    """Phase and number of every epoch of a fit."""
    return [(phase, epoch) for phase in history if "/" not in phase for epoch in history[phase]["epoch"]]


def short(method, **changes):
    """Settings of a fit of few epochs."""
    changes |= {"pretrain_epochs": 2, "epochs": 3}
    return {name: value for name, value in changes.items() if name in method().get_params()}


@pytest.mark.slow
@each_unlike_method
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_killed_at_the_end_of_every_epoch(method, precision, tmp_path):
    changes = short(method, precision=precision)
    places, found = killed_again_and_again(method, changes, tmp_path, every=1)
    expected = make(method, **changes).fit(X)
    epochs = epochs_of(expected.history_)
    assert places == epochs and len(epochs) > 2
    assert_equal(found, result(expected))


@pytest.mark.slow
@pytest.mark.parametrize("method", [method for method in METHODS if method not in UNLIKE], ids=lambda m: m.__name__)
def test_killed_at_the_end_of_every_third_epoch(method, tmp_path):
    changes = short(method)
    places, found = killed_again_and_again(method, changes, tmp_path, every=3)
    expected = make(method, **changes).fit(X)
    assert places == epochs_of(expected.history_)[2::3] and places
    assert_equal(found, result(expected))


def test_killed_where_weights_have_a_memory_format_of_their_own(tmp_path):
    changes = {"image_shape": (2, 2, 2), "channels": (4,), "pretrain_epochs": 3}
    expected = finish(DEPICT, changes, tmp_path / "expected.npz")
    changes["checkpoint"] = tmp_path / "checkpoint"
    child = start(DEPICT, changes, tmp_path / "found.npz", die_after=2)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert_equal(finish(DEPICT, changes, tmp_path / "found.npz"), expected)


@pytest.mark.slow
@each_unlike_method
def test_killed_at_random_moments(method, tmp_path):
    source = random.Random(0)
    changes = {"random_state": 3, "batch_size": 8}
    expected = finish(method, changes, tmp_path / "expected.npz")
    changes["checkpoint"] = tmp_path / "checkpoint"
    kills = 0
    for _ in range(8):
        before = changes["checkpoint"].stat().st_mtime_ns if changes["checkpoint"].exists() else None
        child = start(method, changes, tmp_path / "found.npz")
        while child.is_alive() and before == (
            changes["checkpoint"].stat().st_mtime_ns if changes["checkpoint"].exists() else None
        ):
            time.sleep(0.001)
        child.join(source.uniform(0, 0.02))
        child.kill()
        child.join()
        kills += child.exitcode == -signal.SIGKILL
        read_file(changes["checkpoint"])
    assert kills > 0
    assert_equal(finish(method, changes, tmp_path / "found.npz"), expected)


@each_unlike_method
def test_killed_before_the_first_checkpoint(method, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    child = start(method, {"checkpoint": checkpoint}, tmp_path / "found.npz", die_after=-1)
    child.join()
    assert child.exitcode == -signal.SIGKILL and not (tmp_path / "found.npz").exists()
    assert not checkpoint.exists() and len(list(tmp_path.iterdir())) == 1  # what was to become it
    assert_equal(result(make(method, checkpoint=checkpoint).fit(X)), result(make(method).fit(X)))


def write_for_ever(path):
    for i in range(10**9):
        write_file(path, {"numbers": torch.full((300_000,), float(i))}, {"number": i})


@pytest.mark.slow
def test_killed_while_writing(tmp_path):
    source, numbers = random.Random(0), []
    path = tmp_path / "file"
    for _ in range(10):
        child = FORKS.Process(target=write_for_ever, args=(path,))
        seen, at_least = {path.stat().st_mtime_ns if path.exists() else None}, source.randint(2, 4)
        child.start()
        while len(seen) <= at_least:
            assert child.is_alive()
            time.sleep(0.001)
            seen.add(path.stat().st_mtime_ns if path.exists() else None)
        time.sleep(source.uniform(0, 0.01))
        child.kill()
        child.join()
        tensors, facts = read_file(path)
        assert (tensors["numbers"] == facts["number"]).all()
        numbers.append(facts["number"])
    assert min(numbers) > 0 and len(set(numbers)) > 1


@each_method
def test_a_finished_checkpoint_returns_at_once(method, tmp_path):
    changes = {"checkpoint": tmp_path / "checkpoint"}
    expected = result(make(method, **changes).fit(X))
    written = (tmp_path / "checkpoint").stat().st_mtime_ns
    found = make(method, **changes).fit(X)
    assert_equal(result(found), expected)
    assert (tmp_path / "checkpoint").stat().st_mtime_ns == written
    assert_equal(expected, result(make(method).fit(X)))


def test_a_phase_that_stopped_early_stays_stopped(tmp_path):
    changes = {"tol": 1.0, "update_interval": 3, "epochs": 40}
    expected = result(make(DEC, **changes).fit(X))
    changes["checkpoint"] = tmp_path / "checkpoint"
    assert_equal(result(make(DEC, **changes).fit(X)), expected)
    assert_equal(result(make(DEC, **changes).fit(X)), expected)
    assert expected["n_iter"] == 1


def test_starting_from_a_trained_autoencoder(tmp_path):
    given = small(AutoencoderKMeans).fit(X).network_
    changes = {"autoencoder": given, "checkpoint": tmp_path / "checkpoint"}
    child = start(DEC, changes, tmp_path / "found.npz", die_after=2)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    found = finish(DEC, changes, tmp_path / "found.npz")
    assert_equal(found, finish(DEC, {"autoencoder": given}, tmp_path / "expected.npz"))
    with torch.no_grad():
        given.encoder[0].bias.add_(1)
    with pytest.raises(ValueError, match="checkpoint: "):
        make(DEC, **changes).fit(X)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_clusters": 2},
        {"random_state": 1},
        {"tol": 0.5},
        {"widths": (16, 4)},
        {"precision": "bfloat16"},
        {"snapshot_every": 2},
    ],
)
def test_other_parameters(tmp_path, changes):
    settings = {"checkpoint": tmp_path / "checkpoint", "precision": "float32"}
    make(DEC, **settings).fit(X)
    before = (tmp_path / "checkpoint").read_bytes()
    with pytest.raises(ValueError, match=r"checkpoint: .*checkpoint' was written by a fit with other parameters"):
        make(DEC, **settings | changes).fit(X)
    assert (tmp_path / "checkpoint").read_bytes() == before


def test_other_seeds_in_random_state_instances(tmp_path):
    settings = {"checkpoint": tmp_path / "checkpoint"}
    first = make(DEC, **settings, random_state=np.random.RandomState(0)).fit(X)
    again = make(DEC, **settings, random_state=np.random.RandomState(0)).fit(X)
    assert_equal(result(again), result(first))
    with pytest.raises(ValueError, match="checkpoint: "):
        make(DEC, **settings, random_state=np.random.RandomState(1)).fit(X)


def test_without_a_seed_the_checkpoint_says_how_to_go_on(tmp_path):
    changes = {"checkpoint": tmp_path / "checkpoint", "random_state": None}
    child = start(DEC, changes, tmp_path / "found.npz", die_after=3)
    child.join()
    first = read_file(tmp_path / "checkpoint")[1]["history"]
    history = make(DEC, **changes).fit(X).history_
    assert first["layer_1"] == history["layer_1"] and first["layer_2"] == history["layer_2"]


def test_other_data_or_method(tmp_path):
    settings = {"checkpoint": tmp_path / "checkpoint"}
    make(DEC, **settings).fit(X)
    moved = X.copy()
    moved[0, 0] += 0.001
    for data in (moved, X[::-1], X[:-1], X[:, :-1]):
        with pytest.raises(ValueError, match=r"checkpoint: .*other data"):
            make(DEC, **settings).fit(data)
    with pytest.raises(ValueError, match="checkpoint: "):
        make(AutoencoderKMeans, **settings).fit(X)
    with pytest.raises(ValueError, match="checkpoint: "):
        small(DEC).fit(X).save(tmp_path / "model")
        make(DEC, checkpoint=tmp_path / "model").fit(X)


def test_what_does_not_change_the_result_may_change(tmp_path):
    make(DEC, checkpoint=tmp_path / "checkpoint").fit(X)
    (tmp_path / "checkpoint").rename(tmp_path / "moved")
    fitted = make(DEC, checkpoint=str(tmp_path / "moved"), checkpoint_seconds=9, verbose=True).fit(X)
    assert_equal(result(fitted), result(make(DEC).fit(X)))


@pytest.mark.parametrize("damage", [lambda b: b[:-10], lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[::-1]])
def test_damaged_checkpoint(tmp_path, damage):
    path = tmp_path / "checkpoint"
    make(AutoencoderKMeans, checkpoint=path).fit(X)
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(FileFormatError, match=r"checkpoint: .*checkpoint'"):
        make(AutoencoderKMeans, checkpoint=path).fit(X)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("seconds", "expected"), [(0, 9), (3600, 4)])
def test_time_between_writes(tmp_path, monkeypatch, seconds, expected):
    """Every epoch at 0 seconds; else only where a phase ends, which costs nothing to keep."""
    writes, write = [], Checkpoint.write
    monkeypatch.setattr(Checkpoint, "write", lambda *arguments: writes.append(1) or write(*arguments))
    changes = {"checkpoint": tmp_path / "checkpoint", "checkpoint_seconds": seconds, "pretrain_epochs": 4}
    make(DEC, **changes).fit(X)
    assert len(writes) == expected


def test_a_fit_leaves_only_its_checkpoint_behind(tmp_path):
    make(DEC, checkpoint=tmp_path / "checkpoint").fit(X)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_checkpoint_of_another_kind_of_processor(tmp_path, monkeypatch):
    settings = {"checkpoint": tmp_path / "checkpoint", "precision": "float32"}
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("dctutor.estimator._identity.resolve_device", lambda device: torch.device("cuda"))
        make(DEC, **settings).fit(X)
    with pytest.raises(ValueError, match="or on another kind of processor; name another file"):
        make(DEC, **settings).fit(X)


def test_numbers_that_are_equal_are_the_same_parameter(tmp_path):
    first = make(DCN, lam=1.0, checkpoint=tmp_path / "checkpoint").fit(X)
    again = make(DCN, lam=1, checkpoint=tmp_path / "checkpoint").fit(X)
    assert np.array_equal(first.cluster_centers_, again.cluster_centers_)


@pytest.mark.parametrize(("change", "named"), [({"version": "0.0.1"}, "0.0.1"), ({}, "unknown")])
def test_a_checkpoint_of_another_version(tmp_path, change, named):
    path = tmp_path / "checkpoint"
    make(AutoencoderKMeans, checkpoint=path).fit(X)
    tensors, facts = read_file(path)
    write_file(path, tensors, {key: value for key, value in facts.items() if key != "version"} | change)
    with pytest.raises(ValueError, match=f"checkpoint: .*was written by version {named} of dctutor, this is"):
        make(AutoencoderKMeans, checkpoint=path).fit(X)


def test_a_saved_model_is_no_checkpoint(tmp_path):
    small(DEC).fit(X).save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    with pytest.raises(FileFormatError, match=r"^checkpoint: expected a checkpoint, got another file"):
        small(DEC, checkpoint=tmp_path / "model").fit(X)
    assert (tmp_path / "model").read_bytes() == before
