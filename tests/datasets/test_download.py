import socket
import threading
from pathlib import Path

import numpy as np
import pytest

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
        return {f"{p}/{t}_{p.lower()}.txt" for p in ("Train", "Test") for t in ("X", "y", "subject_id")}
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


def test_socket_limit_is_restored(mirror, tmp_path):
    load_dataset("mnist", data_home=tmp_path)
    assert socket.getdefaulttimeout() is None


def test_silent_server_is_given_up(mirror, monkeypatch, tmp_path):
    monkeypatch.setattr(_sources, "TIMEOUT", 0.2)
    release = threading.Event()
    mirror.before_answer = lambda: release.wait(20)
    with pytest.raises(DatasetUnavailableError, match="timed out"):
        load_dataset("mnist", data_home=tmp_path)
    release.set()


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
