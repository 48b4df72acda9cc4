"""Checkpoints that cannot be written or read: found before training, told by name, and no reason to lose a fit."""

import os
import warnings

import numpy as np
import pytest
import torch
from small_fits import blobs, small

from dctutor import DEC
from dctutor.storage import FileFormatError, read_file, write_file
from dctutor.training.checkpoint import Checkpoint

X, _ = blobs()


def full(descriptor):
    raise OSError(28, "No space left on device")


def fails_after(count, monkeypatch):
    """Let a disk be full after so many files."""
    fsync, written = os.fsync, []

    def sync(descriptor):
        written.append(1)
        (fsync if len(written) <= count else full)(descriptor)

    monkeypatch.setattr(os, "fsync", sync)


def test_what_was_written_is_there_again(tmp_path):
    first = Checkpoint(tmp_path / "checkpoint", ["fit", 1], 3600)
    assert not first.facts and not first.tensors and not first.due
    first.write({"a": torch.arange(3)}, {"epoch": 2})
    again = Checkpoint(tmp_path / "checkpoint", ["fit", 1], 0)
    assert again.due and again.facts["epoch"] == 2 and again.tensors["a"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"^checkpoint: .*checkpoint' was written by a fit with other parameters"):
        Checkpoint(tmp_path / "checkpoint", ["fit", 2], 0)


def test_to_open_one_writes_nothing_that_stays(tmp_path):
    Checkpoint(tmp_path / "checkpoint", "fit", 0)
    assert not list(tmp_path.iterdir())
    Checkpoint(tmp_path / "checkpoint", "fit", 0).write({}, {})
    before = (tmp_path / "checkpoint").stat().st_mtime_ns
    Checkpoint(tmp_path / "checkpoint", "fit", 0)
    assert (tmp_path / "checkpoint").stat().st_mtime_ns == before and len(list(tmp_path.iterdir())) == 1


PLACES = ["", ".", "nowhere/file", "folder", "pipe", "loop", "loop/file", "a" * 300, "a\0b"]


@pytest.mark.parametrize("place", PLACES)
def test_a_place_where_no_file_can_be(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo("pipe")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((OSError, ValueError), match=r"^checkpoint: "):
        small(DEC, checkpoint=place).fit(X)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(30, "Read-only file system")])
def test_a_disk_that_takes_nothing_is_found_before_training(tmp_path, monkeypatch, error):
    def refuse(descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(DEC, "_train", lambda *_: pytest.fail("training began"))
    with pytest.raises(OSError, match=rf"^checkpoint: '.*checkpoint' cannot be written \({error.strerror}\)$"):
        small(DEC, checkpoint=tmp_path / "checkpoint").fit(X)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("written", [0, 2])
def test_a_disk_that_fills_up_loses_no_fit(tmp_path, monkeypatch, written):
    expected = small(DEC).fit(X)
    settings = {"checkpoint": tmp_path / "checkpoint", "checkpoint_seconds": 0}
    with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fails_after(1 + written, patch)  # the trial is the first
        fitted = small(DEC, **settings).fit(X)
    told = [str(warning.message) for warning in told if "checkpoint" in str(warning.message)]
    assert told == [
        f"checkpoint: {str(tmp_path / 'checkpoint')!r} cannot be written (No space left on device);"
        " training goes on without keeping its newest state"
    ]
    assert np.array_equal(fitted.cluster_centers_, expected.cluster_centers_)
    left = [entry.name for entry in tmp_path.iterdir()]
    assert left == (["checkpoint"] if written else [])
    if written:
        history = read_file(tmp_path / "checkpoint")[1]["history"]
        assert sum(len(table["epoch"]) for name, table in history.items() if "/" not in name) == written
    resumed = small(DEC, **settings).fit(X)
    assert np.array_equal(resumed.cluster_centers_, expected.cluster_centers_)


def test_one_to_go_on_from_where_nothing_can_be_written(tmp_path, monkeypatch):
    """A finished fit gives its result from a disk that may only be read."""
    path = tmp_path / "checkpoint"
    expected = small(DEC, checkpoint=path).fit(X)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match=r"^checkpoint: '.*checkpoint' cannot be written"):
        found = small(DEC, checkpoint=path).fit(X)
    assert np.array_equal(found.cluster_centers_, expected.cluster_centers_)


@pytest.mark.parametrize("facts", [{"version": "0"}, {"fingerprint": None}, {"fingerprint": "fit", "version": [1]}])
def test_files_that_only_look_like_one(tmp_path, facts):
    write_file(tmp_path / "checkpoint", {}, facts)
    with pytest.raises(ValueError, match=r"^checkpoint: "):
        Checkpoint(tmp_path / "checkpoint", "fit", 0)


def test_a_damaged_one_is_named_as_the_checkpoint(tmp_path):
    Checkpoint(tmp_path / "checkpoint", "fit", 0).write({"a": torch.ones(3)}, {})
    os.truncate(tmp_path / "checkpoint", 50)
    with pytest.raises(FileFormatError, match=r"^checkpoint: '.*checkpoint' is cut short"):
        Checkpoint(tmp_path / "checkpoint", "fit", 0)


def test_numbers_that_json_cannot_hold_are_an_error_and_no_warning(tmp_path):
    with pytest.raises(TypeError):
        Checkpoint(tmp_path / "checkpoint", "fit", 0).write({}, {"rate": {1, 2}})
