import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import torch

from dctutor import storage
from dctutor.storage import FileFormatError, check_writable, read_file, write_file, write_text

TENSORS = {
    "weights": torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),
    "half/precision": torch.arange(6).bfloat16(),
    "counts": torch.arange(4),
    "flags": torch.tensor([True, False]),
    "scalar": torch.tensor(2.5, dtype=torch.float64),
    "none": torch.empty(0, 3),
    "bytes": torch.arange(5, dtype=torch.uint8),
}
FACTS = {"name": "é ü 😀", "numbers": [1, 2.5, 1e-300], "nothing": None, "deep": {"yes": True, "list": [[], {}]}}


@pytest.fixture
def path(tmp_path):
    write_file(tmp_path / "file", TENSORS, FACTS)
    return tmp_path / "file"


def test_round_trip(path):
    tensors, facts = read_file(path)
    assert facts == FACTS and tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype and torch.equal(tensors[name], tensor)


def test_views_and_gradients_are_stored_as_values(tmp_path):
    base = torch.arange(12.0).view(3, 4).requires_grad_()
    write_file(tmp_path / "file", {"whole": base, "turned": base.T, "part": base[1:, ::2]}, {})
    tensors, _ = read_file(tmp_path / "file")
    assert torch.equal(tensors["turned"], base.T) and torch.equal(tensors["part"], base[1:, ::2])


def test_file_has_the_permissions_of_any_new_file(path, tmp_path):
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_cut_short_at_every_position(path, tmp_path):
    whole = path.read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match="cut"):
            read_file(tmp_path / "cut")


def test_bytes_added(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(FileFormatError):
        read_file(path)


def test_one_byte_altered_at_every_position(path):
    whole, source = path.read_bytes(), random.Random(0)
    for position, byte in enumerate(whole):
        path.write_bytes(whole[:position] + bytes([byte ^ source.randint(1, 255)]) + whole[position + 1 :])
        with pytest.raises(FileFormatError, match="file'"):
            read_file(path)


def test_noise_is_no_file(tmp_path):
    source = random.Random(0)
    for length in (0, 1, 8, 9, 100, 10_000):
        (tmp_path / "noise").write_bytes(source.randbytes(length))
        with pytest.raises(FileFormatError):
            read_file(tmp_path / "noise")


@pytest.mark.parametrize("metadata", [None, {"facts": "{}"}, {"format": "pt"}])
def test_safetensors_files_of_others(tmp_path, metadata):
    safetensors.torch.save_file(TENSORS, tmp_path / "other", metadata=metadata)
    with pytest.raises(FileFormatError, match="dctutor did not write it"):
        read_file(tmp_path / "other")


@pytest.mark.parametrize("change", ["renamed", "dropped", "added", "swapped", "reshaped"])
def test_another_set_of_tensors_does_not_match_the_checksum(path, tmp_path, change):
    with safetensors.safe_open(str(path), "pt") as file:
        metadata = file.metadata()
    tensors = dict(TENSORS)
    if change == "renamed":
        tensors["weight"] = tensors.pop("weights")
    if change == "dropped":
        del tensors["counts"]
    if change == "added":
        tensors["more"] = torch.ones(1)
    if change == "swapped":
        tensors["counts"] = tensors["counts"].flip(0)
    if change == "reshaped":
        tensors["weights"] = tensors["weights"].view(3, 5)
    safetensors.torch.save_file(tensors, tmp_path / "changed", metadata=metadata)
    with pytest.raises(FileFormatError, match="altered"):
        read_file(tmp_path / "changed")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere"):
        read_file(tmp_path / "nowhere")


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        write_file(tmp_path / "nowhere/file", TENSORS, FACTS)


def raise_full(*arguments):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("fault", ["facts", "disk full", "interrupt"])
def test_failing_write_keeps_the_old_file_and_leaves_no_other(path, monkeypatch, fault):
    before = path.read_bytes()

    def interrupt(*arguments):
        raise KeyboardInterrupt

    if fault != "facts":
        monkeypatch.setattr(os, "fsync", raise_full if fault == "disk full" else interrupt)
    with pytest.raises((TypeError, OSError, KeyboardInterrupt)):
        write_file(path, {"other": torch.ones(3)}, {"a set": {1, 2}} if fault == "facts" else {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_write_replaces_in_one_step(path):
    with path.open("rb") as reader:
        old = path.read_bytes()
        write_file(path, {"other": torch.ones(3)}, {})
        assert reader.read() == old  # whoever reads the old file reads it whole
    assert read_file(path)[0].keys() == {"other"}


def test_what_was_read_stays_when_the_file_changes(path):
    tensors, _ = read_file(path)
    path.write_bytes(b"")
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())


def test_a_file_that_may_not_be_read_is_not_called_damaged(path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(PermissionError, match=r"^path: '.*file' cannot be read \(Permission denied\)"):
        read_file(path)


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    write_file(link, TENSORS, {})
    assert link.is_symlink() and read_file(target)[0].keys() == TENSORS.keys()


def test_the_longest_name_that_a_file_may_have(tmp_path):
    write_file(tmp_path / ("a" * 255), TENSORS, {})
    assert [path.name for path in tmp_path.iterdir()] == ["a" * 255]


@pytest.mark.parametrize("place", ["", ".", "folder", "pipe", "link"])
def test_what_is_no_file_is_named_and_stays(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo("pipe")
    (tmp_path / "link").symlink_to("folder")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match=f"path: expected a file, .*got {place!r}"):
        write_file(place, TENSORS, {})
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "pipe").is_fifo()


def test_a_link_that_leads_to_no_folder(tmp_path):
    (tmp_path / "link").symlink_to("nowhere/file")
    with pytest.raises(FileNotFoundError, match=r"path: there is no folder .*nowhere"):
        write_file(tmp_path / "link", TENSORS, {})


# Facts that match their checksum, as someone may write them on purpose.
HOSTILE_FACTS = {
    "no JSON": "{",
    "deep JSON": "[" * 200_000,
    "a long integer": "9" * 10_000,
    "a list": "[1]",
    "a number": "3.0",
    "nothing": "null",
    "empty": "",
}


@pytest.mark.parametrize("name", HOSTILE_FACTS)
def test_hostile_facts(tmp_path, name):
    text = HOSTILE_FACTS[name]
    metadata = {"facts": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    safetensors.torch.save_file({}, tmp_path / "hostile", metadata=metadata)
    with pytest.raises(FileFormatError, match=r"^path: '.*hostile' is "):
        read_file(tmp_path / "hostile")


HOSTILE_HEADERS = {
    "a type without a name in PyTorch": {"a": {"dtype": "F8_E8M0", "shape": [2], "data_offsets": [0, 2]}},
    "half a byte": {"a": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}},
    "no rows of many columns": {"a": {"dtype": "U8", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}},
    "another length": {"a": {"dtype": "U8", "shape": [2**40], "data_offsets": [0, 2**40]}},
    "a negative size": {"a": {"dtype": "U8", "shape": [-2], "data_offsets": [0, 2]}},
    "no tensors": [],
    "metadata of numbers": {"__metadata__": {"facts": 1, "sha256": 2}},
    "metadata of nothing": {"__metadata__": None},
}


@pytest.mark.parametrize("name", HOSTILE_HEADERS)
def test_hostile_headers(tmp_path, name):
    header = json.dumps(HOSTILE_HEADERS[name]).encode()
    (tmp_path / "hostile").write_bytes(len(header).to_bytes(8, "little") + header + b"ab")
    with pytest.raises(FileFormatError, match=r"^path: '.*hostile' is "):
        read_file(tmp_path / "hostile")


def test_a_header_longer_than_its_file(tmp_path):
    (tmp_path / "hostile").write_bytes((2**63).to_bytes(8, "little") + b"{}")
    with pytest.raises(FileFormatError, match="cut short"):
        read_file(tmp_path / "hostile")


def test_the_numbers_are_those_that_the_checksum_is_of(path, monkeypatch):
    """Another process may write into the file, in place, at the moment when the checksum is taken."""
    whole, sha256 = path.read_bytes(), hashlib.sha256

    def overwrite(*arguments):
        with path.open("r+b") as file:
            file.seek(-60, 2)
            file.write(b"\xff" * 60)
        return sha256(*arguments)

    monkeypatch.setattr(storage.hashlib, "sha256", overwrite)
    tensors, facts = read_file(path)
    assert path.read_bytes() != whole and facts == FACTS
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())


def begin_to_write(path, ending):
    """Start a process that does something between writing the temporary file and giving it its name."""
    code = (
        "import os, signal, sys, time; from pathlib import Path; from dctutor.storage import write_text\n"
        f"def end(*_):\n    print('written', flush=True)\n    {ending}\n"
        "Path.replace = end\n"
        "write_text(sys.argv[1], 'the child')"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert child.stdout.read(7) == b"written"
    return child


def test_the_next_write_removes_what_a_killed_process_left(tmp_path):
    path, other = tmp_path / "file", tmp_path / "file2"
    for target in (path, path, other):
        child = begin_to_write(target, "os.kill(os.getpid(), signal.SIGKILL)")
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
    left = sorted(tmp_path.iterdir())
    assert len(left) >= 2 and all(entry.name.startswith(".file") for entry in left)
    write_file(path, TENSORS, {})
    (of_other,) = set(tmp_path.iterdir()) - {path}  # that one is the next write's of the other file
    assert of_other.name.startswith(".file2.tmp-")
    write_text(other, "whole")
    assert set(tmp_path.iterdir()) == {path, other}


def test_what_a_living_process_writes_stays(tmp_path):
    path = tmp_path / "file"
    child = begin_to_write(path, "time.sleep(1000)")
    try:
        write_text(path, "the parent")
        (temporary,) = set(tmp_path.iterdir()) - {path}
        assert temporary.read_text() == "the child" and f"-{child.pid}-" in temporary.name
    finally:
        child.kill()
        child.communicate()
    write_text(path, "again")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_two_writes_of_one_process_do_not_disturb_each_other(tmp_path, monkeypatch):
    path, fsync = tmp_path / "file", os.fsync

    def write_within(descriptor):
        monkeypatch.setattr(os, "fsync", fsync)
        write_text(path, "the second")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", write_within)
    write_text(path, "the first")
    assert path.read_text() == "the first" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o777])
def test_a_file_written_again_keeps_its_mode(path, mode):
    path.chmod(mode)
    write_file(path, TENSORS, {})
    assert path.stat().st_mode & 0o777 == mode
    write_text(path, "text")
    assert path.stat().st_mode & 0o777 == mode and path.read_text() == "text"


def test_text_is_written_as_it_is(tmp_path):
    text = "é 😀\r\nno end"
    write_text(tmp_path / "text", text)
    assert (tmp_path / "text").read_bytes() == text.encode("utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "text", "\ud800")
    assert (tmp_path / "text").read_bytes() == text.encode("utf-8") and len(list(tmp_path.iterdir())) == 1


def test_a_trial_leaves_no_trace(path):
    before = path.read_bytes(), path.stat().st_mtime_ns
    check_writable(path)
    check_writable(path.parent / "new")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before and list(path.parent.iterdir()) == [path]


WRITERS = {
    "file": lambda path, **named: write_file(path, TENSORS, {}, **named),
    "text": lambda path, **named: write_text(path, "text", **named),
    "trial": check_writable,
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("argument", ["path", "checkpoint"])
def test_a_full_disk_is_told_of_the_file_that_was_asked_for(path, monkeypatch, writer, argument):
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", raise_full)
    named = {} if argument == "path" else {"argument": argument}
    expected = re.escape(f"{argument}: {str(path)!r} cannot be written (No space left on device)")
    with pytest.raises(OSError, match=f"^{expected}$") as caught:
        WRITERS[writer](path, **named)
    assert caught.value.errno == 28
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("writer", WRITERS)
def test_what_cannot_be_written_is_named(tmp_path, monkeypatch, writer):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    write = partial(WRITERS[writer], argument="checkpoint")
    for place, error, message in (
        ("loop", OSError, "cannot be written"),
        ("a" * 300, OSError, "cannot be written"),
        ("a\0b", ValueError, "expected the path of a file"),
        (5, TypeError, "expected the path of a file, got 5"),
        (b"bytes", TypeError, "expected the path of a file, got b'bytes'"),
        ("nowhere/file", FileNotFoundError, "there is no folder"),
        ("loop/file", OSError, ""),
    ):
        with pytest.raises(error, match=f"^checkpoint: .*{message}"):
            write(place)
    assert [entry.name for entry in tmp_path.iterdir()] == ["loop"]


@contextmanager
def as_no_superuser():
    """As a user who may not write everywhere."""
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(65534)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)


def test_a_folder_that_may_not_be_written_to():
    # Not below tmp_path, which another user may not even enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        refused = pytest.raises(PermissionError, match=r"^path: '.*file' cannot be written \(Permission denied\)")
        with as_no_superuser(), refused:
            write_file(folder / "file", TENSORS, {})
        assert list(folder.iterdir()) == []
        folder.chmod(0o755)


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for place, error in (
        (tmp_path / "loop", FileNotFoundError),
        (tmp_path, FileNotFoundError),
        (tmp_path / "a\0b", FileNotFoundError),
        (tmp_path / ("a" * 300), OSError),
        (5, TypeError),
    ):
        with pytest.raises(error, match=r"^checkpoint: "):
            read_file(place, argument="checkpoint")
