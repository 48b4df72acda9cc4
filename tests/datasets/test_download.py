import gzip
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from dctutor.datasets import DatasetUnavailableError, _sources, load_dataset

FOLDERS = {"mnist": "MNIST", "fashion": "FashionMNIST", "hapt": "HAPT", "orl": "ORL", "coil-20": "COIL20"}
DOWNLOADED = tuple(FOLDERS)
ROWS = {"mnist": 30, "fashion": 30, "hapt": 36, "orl": 400, "coil-20": 1440}


def refuse(mirror, monkeypatch, name):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/hapt.zip"
    monkeypatch.setitem(_sources.SOURCES, name, (address,))


@pytest.mark.parametrize("name", DOWNLOADED)
def test_download_once_in_the_official_layout(mirror, tmp_path, name):
    data = load_dataset(name, data_home=tmp_path)
    train, test = (
        load_dataset(name, "train", data_home=tmp_path),
        load_dataset(name, "test", data_home=tmp_path),
    )
    assert np.array_equal(data.X, np.concatenate([train.X, test.X]))
    assert [p.name for p in tmp_path.iterdir()] == [FOLDERS[name]]
    found = {p.relative_to(tmp_path / FOLDERS[name]).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == _stored_files(name)
    before = len(mirror.requests)
    mirror.spoil = "missing"
    load_dataset(name, data_home=tmp_path)
    assert len(mirror.requests) == before


def _stored_files(name):
    if name == "hapt":
        return {f"{p}/{t}_{p.lower()}.txt" for p in ("Train", "Test") for t in ("X", "y")}
    matlab = {"orl": {"ORL_32x32.mat"}, "coil-20": {"COIL20.mat"}}
    images = {f"raw/{p}-{k}-ubyte" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")}
    return matlab.get(name, images)


@pytest.mark.parametrize("name", DOWNLOADED)
@pytest.mark.parametrize("fault", ["truncated", "corrupted", "missing", "refused"])
def test_bad_download_is_one_clear_error_and_leaves_nothing(mirror, monkeypatch, tmp_path, name, fault):
    good = _sources.SOURCES[name]
    mirror.spoil = fault
    if fault == "refused":
        refuse(mirror, monkeypatch, name)
    with pytest.raises(DatasetUnavailableError) as caught:
        load_dataset(name, data_home=tmp_path)
    message = str(caught.value)
    assert repr(name) in message and "127.0.0.1" in message  # what failed, and which address
    assert str(tmp_path / FOLDERS[name]) in message  # where it was looked for
    assert "DCTUTOR_DATA" in message and "Without a network" in message  # what to do
    assert list(tmp_path.iterdir()) == []
    mirror.spoil = None
    monkeypatch.setitem(_sources.SOURCES, name, good)
    assert len(load_dataset(name, data_home=tmp_path).X) == ROWS[name]


@pytest.mark.parametrize("name", DOWNLOADED)
def test_second_address_is_tried(mirror, monkeypatch, tmp_path, name):
    refused = f"http://127.0.0.1:1/{name}/"
    monkeypatch.setitem(_sources.SOURCES, name, (refused, *_sources.SOURCES[name]))
    assert len(load_dataset(name, data_home=tmp_path).X) == ROWS[name]


def test_download_false_asks_nothing(mirror, tmp_path):
    with pytest.raises(DatasetUnavailableError, match="download=False"):
        load_dataset("mnist", data_home=tmp_path / "new", download=False)
    assert mirror.requests == [] and not (tmp_path / "new").exists()


def test_environment_variable_names_the_folder(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("DCTUTOR_DATA", str(tmp_path / "shared"))
    load_dataset("hapt")
    assert (tmp_path / "shared/HAPT/Test/y_test.txt").is_file()
    load_dataset("hapt", data_home=tmp_path / "own")
    assert (tmp_path / "own/HAPT/Test/y_test.txt").is_file()


def test_cache_folder_without_the_variable(mirror, monkeypatch, tmp_path):
    monkeypatch.delenv("DCTUTOR_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    load_dataset("hapt")
    assert (tmp_path / "dctutor/HAPT/Train/X_train.txt").is_file()


def test_missing_file_is_added_and_the_others_are_kept(mirror, tmp_path):
    load_dataset("mnist", data_home=tmp_path)
    raw = tmp_path / "MNIST/raw"
    (raw / "train-labels-idx1-ubyte").unlink()
    kept = (raw / "train-images-idx3-ubyte").stat().st_mtime_ns
    load_dataset("mnist", data_home=tmp_path)
    assert (raw / "train-images-idx3-ubyte").stat().st_mtime_ns == kept
    assert [p.name for p in tmp_path.iterdir()] == ["MNIST"]


def test_two_downloads_at_once_never_meet_half_a_set(mirror, tmp_path):
    both_asked = threading.Barrier(2, timeout=20)
    results = []

    def wait_for_the_other():
        both_asked.wait()
        assert not (tmp_path / "HAPT").exists()

    mirror.before_answer = wait_for_the_other
    threads = [
        threading.Thread(target=lambda: results.append(load_dataset("hapt", data_home=tmp_path))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2 and np.array_equal(results[0].X, results[1].X)
    assert len(mirror.requests) == 2 and [p.name for p in tmp_path.iterdir()] == ["HAPT"]


def test_interrupt_leaves_nothing(mirror, monkeypatch, tmp_path):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_sources, "_unpack", stop)
    with pytest.raises(KeyboardInterrupt):
        load_dataset("hapt", data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written(mirror, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetUnavailableError, match="DCTUTOR_DATA"):
        load_dataset("mnist", data_home=tmp_path / "file")


def test_one_that_hangs_holds_up_no_other(mirror, monkeypatch, tmp_path):
    asked, release = threading.Event(), threading.Event()
    mirror.before_answer = lambda: (asked.set(), release.wait(60))
    slow = threading.Thread(target=load_dataset, args=("mnist",), kwargs={"data_home": tmp_path / "mnist"})
    slow.start()
    assert asked.wait(20)
    refuse(mirror, monkeypatch, "fashion")
    with pytest.raises(DatasetUnavailableError, match="'fashion'"):
        load_dataset("fashion", data_home=tmp_path / "fashion")
    assert slow.is_alive()
    release.set()
    slow.join()
    assert (tmp_path / "mnist/MNIST/raw/t10k-labels-idx1-ubyte").is_file()


def test_silent_server_is_given_up(mirror, monkeypatch, tmp_path):
    monkeypatch.setattr(_sources, "TIMEOUT", 0.2)
    release = threading.Event()
    mirror.before_answer = lambda: release.wait(20)
    with pytest.raises(DatasetUnavailableError, match="timed out"):
        load_dataset("mnist", data_home=tmp_path)
    release.set()


@pytest.mark.parametrize("name", ["mnist", "hapt"])
@pytest.mark.parametrize("fault", ["slow body", "slow header"])
def test_slow_server_is_given_up_though_bytes_keep_coming(mirror, monkeypatch, tmp_path, name, fault):
    monkeypatch.setattr(_sources, "DEADLINE", 0.3)
    mirror.spoil = fault
    with pytest.raises(DatasetUnavailableError, match=r"not complete after 0.3 s"):
        load_dataset(name, data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", DOWNLOADED)
def test_more_bytes_than_the_file_has_are_refused(mirror, monkeypatch, tmp_path, name):
    monkeypatch.setitem(_sources.MOST_BYTES, name, dict.fromkeys(_sources.MOST_BYTES[name], 100_000))
    mirror.spoil = "endless"
    with pytest.raises(DatasetUnavailableError, match="expected at most 100000 bytes, got more"):
        load_dataset(name, data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_small_file_that_unpacks_to_a_large_one_is_refused(mirror, tmp_path, make_zip, hapt_originals):
    labels = "train-labels-idx1-ubyte"
    mirror.files[f"{labels}.gz"] = gzip.compress(bytes(10_000_000))
    with pytest.raises(DatasetUnavailableError, match="expected at most 60008 bytes, got more"):
        load_dataset("mnist", data_home=tmp_path)
    mirror.files["hapt.zip"] = make_zip({**hapt_originals, "Test/y_test.txt": bytes(100_000_001)})
    with pytest.raises(DatasetUnavailableError, match=r"y_test.txt of at most 100000000 bytes, got 100000001"):
        load_dataset("hapt", data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_read_is_not_unpacked(mirror, monkeypatch, tmp_path, make_zip, hapt_originals):
    most = max(map(len, hapt_originals.values()))
    monkeypatch.setitem(_sources.MOST_BYTES, "hapt", {"archive": 10**7, "member": most})
    mirror.files["hapt.zip"] = make_zip({**hapt_originals, "Train/subject_id_train.txt": bytes(most + 1)})
    assert len(load_dataset("hapt", data_home=tmp_path).X) == ROWS["hapt"]


def test_zips_are_not_opened_deeper_than_one_inside_another(mirror, tmp_path, make_zip, hapt_originals):
    mirror.files["hapt.zip"] = make_zip({"a.zip": make_zip({"b.zip": make_zip(hapt_originals)})})
    with pytest.raises(DatasetUnavailableError, match=r"the archive holds no Train/X_train.txt"):
        load_dataset("hapt", data_home=tmp_path)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 128 128\n%%EndComments\n(x) print\n%%EOF\n"


@pytest.mark.parametrize("kind", ["eps", "gif", "tiff", "ppm"])
def test_coil_archive_of_another_image_format_is_refused(mirror, monkeypatch, tmp_path, objects, make_zip, kind):
    gs = tmp_path / "bin/gs"  # stands for an installed Ghostscript, and records that it was run
    gs.parent.mkdir()
    gs.write_text(f"#!/bin/sh\necho run >> {tmp_path}/ran\nexit 1\n")
    gs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gs.parent}{os.pathsep}{os.environ['PATH']}")
    buffer = io.BytesIO(EPS)
    if kind != "eps":
        Image.new("L", (128, 128)).save(buffer, kind)
    images, files_of = objects
    mirror.files["coil.zip"] = make_zip({**files_of(images), "obj1__0.png": buffer.getvalue()})
    with pytest.raises(DatasetUnavailableError, match=r"cannot identify image file .*obj1__0\.png"):
        load_dataset("coil-20", data_home=tmp_path / "home")
    assert not (tmp_path / "ran").exists() and list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (np.zeros((1024, 1024), np.uint8), r"got \(1024, 1024\) of mode L"),
        (np.zeros((128, 64), np.uint8), r"got \(64, 128\) of mode L"),
        (np.zeros((128, 128), np.uint16), r"got \(128, 128\) of mode I;16"),
    ],
)
def test_coil_image_of_another_kind_is_refused_before_it_is_decoded(
    mirror, monkeypatch, tmp_path, objects, make_zip, make_png, image, why
):
    images, files_of = objects
    mirror.files["coil.zip"] = make_zip({**files_of(images), "obj1__1.png": make_png(image)})
    decoded = []
    load = PngImageFile.load
    monkeypatch.setattr(PngImageFile, "load", lambda self: decoded.append(self.size) or load(self))
    with pytest.raises(DatasetUnavailableError, match=f"expected obj1__1.png of 128x128 pixels.* {why}"):
        load_dataset("coil-20", data_home=tmp_path)
    assert set(decoded) == {(128, 128)}  # of the image before it


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (np.zeros_like, "expected images of 'object .*' with a mean of 0.*, found 0.000"),
        (lambda images: np.random.default_rng(0).permutation(images.reshape(-1, 8, 8)), "expected images of"),
        (lambda images: np.concatenate([images[:, :1], images[:, :71]], 1), "two of its images are equal"),
    ],
    ids=["black", "shuffled", "one twice"],
)
def test_coil_archive_of_other_images_is_refused(mirror, tmp_path, objects, make_zip, change, why):
    images, files_of = objects
    mirror.files["coil.zip"] = make_zip(files_of(change(images).reshape(images.shape)))
    with pytest.raises(DatasetUnavailableError, match=why):
        load_dataset("coil-20", data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_hapt_archive_of_other_labels_is_refused(mirror, tmp_path, make_zip, hapt_originals):
    labels = hapt_originals["Train/y_train.txt"].splitlines(keepends=True)
    for changed, why in (
        (np.random.default_rng(0).permutation(labels).tolist(), "its labels fit the features in only"),
        ([b"1\n", *labels[:1], *labels[2:]], r"expected \(2, 2, 2, 2, 2, 2\) windows .* found \(3, 1, 2, 2, 2, 2\)"),
    ):
        mirror.files["hapt.zip"] = make_zip({**hapt_originals, "Train/y_train.txt": b"".join(changed)})
        with pytest.raises(DatasetUnavailableError, match=why):
            load_dataset("hapt", data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_hapt_archive_of_other_length_is_refused(mirror, tmp_path, make_zip, hapt_originals):
    for table in ("X", "y"):  # without the last window, a transition
        hapt_originals[f"Test/{table}_test.txt"] = hapt_originals[f"Test/{table}_test.txt"].rsplit(b"\n", 2)[0] + b"\n"
    mirror.files["hapt.zip"] = make_zip(hapt_originals)
    with pytest.raises(DatasetUnavailableError, match="expected 12 rows in the split 'test', got 11"):
        load_dataset("hapt", data_home=tmp_path)


def test_next_download_removes_what_a_killed_one_left(mirror, tmp_path):
    code = (
        "import os, signal; from dctutor.datasets import _sources, load_dataset\n"
        f"_sources.SOURCES['hapt'] = {_sources.SOURCES['hapt']!r}\n"
        "_sources._unpack = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"load_dataset('hapt', data_home={str(tmp_path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    (left,) = tmp_path.iterdir()
    assert done.returncode == -signal.SIGKILL and left.name.startswith(".hapt-")
    elsewhere = tmp_path / left.name.replace("@", "@another-")
    running = tmp_path / f".coil-20-{os.getpid()}@{left.name.split('@')[1]}"
    for folder in (elsewhere, running, tmp_path / ".hapt-mine", tmp_path / ".other-1@host-a"):
        folder.mkdir()
    load_dataset("mnist", data_home=tmp_path)
    kept = {elsewhere.name, running.name, ".hapt-mine", ".other-1@host-a"}
    assert {p.name for p in tmp_path.iterdir()} == {"MNIST", *kept}
    two_days_ago = time.time() - 2 * 86_400
    for folder in (elsewhere, running, tmp_path / ".hapt-mine"):
        os.utime(folder, (two_days_ago, two_days_ago))
    load_dataset("hapt", data_home=tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"MNIST", "HAPT", ".hapt-mine", ".other-1@host-a"}


def test_download_without_stderr(mirror, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stderr", None)
    assert len(load_dataset("mnist", data_home=tmp_path).X) == ROWS["mnist"]


@pytest.mark.parametrize("layout", ["flat", "folder", "zip in zip"])
def test_hapt_archive_layouts(mirror, tmp_path, make_zip, hapt_originals, layout):
    prefix = "" if layout == "flat" else "HAPT Data Set/"
    archive = make_zip({**hapt_originals, "RawData/labels.txt": b"1 1 5"}, prefix)
    mirror.files["hapt.zip"] = make_zip({"HAPT Data Set.zip": archive}) if layout == "zip in zip" else archive
    data = load_dataset("hapt", data_home=tmp_path)
    assert data.X.shape == (36, 561) and data.y[:3].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("name", "block"), [("orl", 2), ("coil-20", 4)])
def test_pixels_are_means_of_blocks_and_stand_where_they_stood(mirror, tmp_path, small_images, name, block):
    data, originals = load_dataset(name, data_home=tmp_path), small_images[name]
    if name == "coil-20":
        originals = originals.repeat(16, 1).repeat(16, 2)
    per_class = len(originals) // len(data.label_names)
    for row, label, place in ((0, 0, 0), (1, 0, 1), (len(data.y) - 1, len(data.label_names) - 1, per_class - 1)):
        image = originals[label * per_class + place]
        expected = [
            [image[i : i + block, j : j + block].mean() for j in range(0, len(image), block)] for i in (0, block)
        ]
        assert data.y[row] == label
        np.testing.assert_allclose(data.images[row, 0, :2] * 255, expected, atol=0.51)  # ORL is stored in bytes


def test_archive_cannot_write_outside(mirror, tmp_path, make_zip, hapt_originals):
    home = tmp_path / "deep/home"
    mirror.files["hapt.zip"] = make_zip({**hapt_originals, "../../../evil.txt": b"x", "/evil.txt": b"x"})
    load_dataset("hapt", data_home=home)
    assert [p for p in tmp_path.rglob("*") if "evil" in p.name] == [] and not Path("/evil.txt").exists()


def test_whole_archive_with_wrong_content_is_refused(mirror, tmp_path, make_zip, hapt_originals):
    hapt_originals["Test/y_test.txt"] = b"1\n"
    mirror.files["hapt.zip"] = make_zip(hapt_originals)
    with pytest.raises(DatasetUnavailableError, match=r"y_test.txt do not fit together: 12 rows, 1 labels"):
        load_dataset("hapt", data_home=tmp_path)
    del hapt_originals["Test/y_test.txt"]
    mirror.files["hapt.zip"] = make_zip(hapt_originals)
    with pytest.raises(DatasetUnavailableError, match=r"the archive holds no Test/y_test.txt"):
        load_dataset("hapt", data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []
