import os
import random

import pytest
import safetensors.torch
import torch

from dctutor.storage import FileFormatError, read_file, write_file

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
    with pytest.raises(PermissionError):
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
