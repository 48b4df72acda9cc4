import contextlib
import hashlib
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

import dctutor.datasets
from dctutor.datasets import DatasetUnavailableError, _sources, available_datasets, load_dataset
from dctutor.datasets._catalog import ENTRIES
from dctutor.datasets._fetch import locate

BUNDLED = {"digits": (1797, (1, 8, 8)), "mnist-5k": (5000, (1, 28, 28)), "fashion-5k": (5000, (1, 28, 28))}


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_need_no_folder_and_no_network(name, monkeypatch, tmp_path):
    monkeypatch.setenv("DCTUTOR_DATA", str(tmp_path / "nowhere"))
    data = load_dataset(name, download=False)
    n, shape = BUNDLED[name]
    assert data.X.shape == (n, int(np.prod(shape))) and data.X.dtype == np.float32
    assert data.X.min() == 0 and data.X.max() == 1
    assert data.y.dtype == np.int64 and set(data.y) == set(range(10)) and len(data.label_names) == 10
    assert data.images.shape == (n, *shape)
    assert np.array_equal(data.images[7].ravel(), data.X[7])
    assert data.licence and data.source.startswith("http") and len(data.citation) > 60
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", BUNDLED)
def test_split_is_stratified_and_all_is_train_then_test(name):
    whole, train, test = (load_dataset(name, split) for split in ("all", "train", "test"))
    assert np.array_equal(whole.X, np.concatenate([train.X, test.X]))
    assert np.array_equal(whole.y, np.concatenate([train.y, test.y]))
    counts = np.bincount(whole.y)
    assert np.array_equal(np.bincount(train.y), counts * 4 // 5)


def test_bundled_features_are_those_of_ten_equal_classes(monkeypatch, tmp_path):
    monkeypatch.setenv("DCTUTOR_DATA", str(tmp_path / "nowhere"))
    data = load_dataset("cifar10-features", download=False)
    assert data.X.shape == (3000, 320) and data.X.dtype == np.float32 and np.isfinite(data.X).all()
    assert data.image_shape is None and data.label_names[3] == "cat"
    assert np.bincount(data.y).tolist() == [300] * 10 and "re-encoded" in data.description
    train, test = (load_dataset("cifar10-features", split) for split in ("train", "test"))
    assert np.bincount(train.y).tolist() == [240] * 10 and np.array_equal(data.X, np.concatenate([train.X, test.X]))
    # Classes are told apart by the nearest mean, so that features and labels belong together.
    means = np.stack([train.X[train.y == k].mean(0) for k in range(10)])
    found = np.square(test.X[:, None] - means).sum(2).argmin(1)
    assert (found == test.y).mean() > 0.6


def test_samples_start_like_the_originals():
    assert load_dataset("mnist-5k", "train").y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert load_dataset("fashion-5k", "train").y[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]


def test_calls_do_not_share_memory():
    first = load_dataset("mnist-5k", "test")
    first.X[:] = -1
    assert load_dataset("mnist-5k", "test").X.min() == 0


def test_repr_is_one_short_line():
    text = repr(load_dataset("digits"))
    assert "digits" in text and "n=1797" in text and "\n" not in text and len(text) < 150


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("minst",), "name must be one of .*'mnist'"),
        ((["digits"],), r"name must be .*\["),
        (("digits", ["all"]), r"split must .*\["),
        (("digits", "dev"), "split must be"),
    ],
)
def test_unknown_name_or_split(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        load_dataset(*arguments)


def test_available_datasets():
    bundled = ("digits", "mnist-5k", "fashion-5k", "cifar10-features")
    assert available_datasets() == (*bundled, "mnist", "fashion", "hapt", "orl", "coil-20")


def test_import_loads_no_heavy_library():
    package = Path(dctutor.datasets.__file__).parents[1]
    # A stand-in for the parent package, so that the imports seen are those of dctutor.datasets alone.
    code = (
        f"import sys, types; parent = types.ModuleType('dctutor'); parent.__path__ = [{str(package)!r}]\n"
        "sys.modules['dctutor'] = parent; import dctutor.datasets\n"
        "dctutor.datasets.load_dataset('mnist-5k')\n"
        "print(sorted({'torch', 'torchvision', 'matplotlib', 'pooch', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_hapt_has_no_images(mirror, tmp_path):
    data = load_dataset("hapt", data_home=tmp_path)
    with pytest.raises(AttributeError, match="feature vectors"):
        _ = data.images


def test_truncated_file_in_the_users_folder_is_named(mirror, tmp_path):
    load_dataset("mnist", data_home=tmp_path)
    broken = tmp_path / "MNIST/raw/t10k-images-idx3-ubyte"
    broken.write_bytes(broken.read_bytes()[:-100])
    with pytest.raises(DatasetUnavailableError, match="t10k-images-idx3-ubyte is damaged: expected 7856 bytes"):
        load_dataset("mnist", data_home=tmp_path)
    load_dataset("mnist", "train", data_home=tmp_path)  # the other split is whole
    broken.unlink()
    assert len(load_dataset("mnist", data_home=tmp_path).y) == 30


@pytest.mark.parametrize(
    ("file", "change", "why"),
    [
        ("Train/X_train.txt", lambda b: b[: len(b) // 2], "X_train.txt is damaged"),
        ("Train/X_train.txt", lambda b: b"", "it is empty"),
        ("Train/X_train.txt", lambda b: b.replace(b"0.", b"7.", 1), "outside"),
        ("Train/X_train.txt", lambda b: b"nan" + b[b.index(b" ") :], "outside"),
        ("Train/X_train.txt", lambda b: b.split(b"\n", 1)[1], "together: 23 rows, 24 labels. Delete both"),
        ("Test/y_test.txt", lambda b: b.replace(b"12", b"13"), "y_test.txt is damaged: a label"),
    ],
)
def test_damaged_hapt_file_is_named(mirror, tmp_path, file, change, why):
    load_dataset("hapt", data_home=tmp_path)
    path = tmp_path / "HAPT" / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DatasetUnavailableError, match=why):
        load_dataset("hapt", data_home=tmp_path)


def test_labels_outside_the_classes_are_found(mirror, tmp_path):
    load_dataset("fashion", data_home=tmp_path)
    path = tmp_path / "FashionMNIST/raw/train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\x63")
    with pytest.raises(DatasetUnavailableError, match="train-labels-idx1-ubyte is damaged: its labels"):
        load_dataset("fashion", data_home=tmp_path)


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        (
            {"fea": np.zeros((399, 1024)), "gnd": np.zeros((399, 1))},
            r"expected numbers fea \(400, 1024\) .* found .*fea \(399, 1024\) double",
        ),
        ({"fea": np.full((400, 1024), np.nan)}, r"a pixel is outside \[0, 255\]"),
        ({"fea": np.full((400, 1024), 256.0)}, r"a pixel is outside \[0, 255\]"),
        ({"gnd": np.ones((400, 1))}, "its labels are not the numbers 1 to 40"),
        ({"gnd": np.arange(400)[:, None] // 11 + 1.0}, "its labels are not the numbers 1 to 40"),
        ({"gnd": np.minimum(np.arange(400)[:, None] // 9, 39) + 1}, "expected 10 images per class, found 9 to 49"),
        ({"gnd": None}, r"expected numbers fea .* found fea \(400, 1024\) double"),
        ({"gnd": csc_matrix(np.ones((400, 1)))}, r"expected numbers .* gnd \(400, 1\) sparse"),
        ({"gnd": np.full((400, 1), "a", object)}, r"expected numbers .* gnd \(400, 1\) cell"),
        ({"fea": csc_matrix((400, 1024))}, r"expected numbers .* fea \(400, 1024\) sparse"),
        ({"fea": np.full((400, 1024), "a")}, r"expected numbers .* fea \(400, 1024\) char"),
        ({"fea": np.ones((400, 1024), complex)}, r"a pixel is outside \[0, 255\]"),
    ],
)
def test_damaged_matlab_file_is_named(tmp_path, tables, why):
    whole = {"fea": np.zeros((400, 1024)), "gnd": np.arange(400)[:, None] % 40 + 1} | tables
    (tmp_path / "ORL").mkdir()
    savemat(tmp_path / "ORL/ORL_32x32.mat", {name: value for name, value in whole.items() if value is not None})
    with pytest.raises(DatasetUnavailableError, match=f"ORL_32x32.mat is damaged: {why}"):
        load_dataset("orl", data_home=tmp_path)


@pytest.mark.parametrize("content", [b"", b"MATLAB", b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + bytes(400)])
def test_file_that_is_no_matlab_file_is_named(tmp_path, content):
    (tmp_path / "ORL").mkdir()
    (tmp_path / "ORL/ORL_32x32.mat").write_bytes(content)
    with pytest.raises(DatasetUnavailableError, match=r"ORL_32x32.mat is damaged"):
        load_dataset("orl", data_home=tmp_path)


@pytest.mark.parametrize("variables", [{"fea": np.zeros((4000, 1024))}, {"more": np.zeros((4000, 1024))}])
def test_large_variable_of_a_matlab_file_is_not_loaded(tmp_path, variables):
    labels = np.arange(400)[:, None] // 10 + 1
    whole = {"fea": np.full((400, 1024), 7, np.uint8), "gnd": labels}
    (tmp_path / "ORL").mkdir()
    savemat(tmp_path / "ORL/ORL_32x32.mat", whole | variables)
    load_dataset("digits")  # not to count what the first call imports
    tracemalloc.start()
    with pytest.raises(DatasetUnavailableError, match="fea") if "fea" in variables else contextlib.nullcontext():
        load_dataset("orl", data_home=tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16_000_000  # the large one takes 32,768,000 bytes


@pytest.mark.full_data("orl", "coil-20")
@pytest.mark.parametrize(("name", "each", "classes"), [("orl", 10, 40), ("coil-20", 72, 20)])
def test_full_small_images(name, each, classes):
    data = load_dataset(name)
    assert data.X.dtype == np.float32 and data.images.shape == (each * classes, 1, 32, 32)
    assert np.bincount(data.y).tolist() == [each] * classes and data.X.min() >= 0 and data.X.max() <= 1
    if name == "orl":  # a face is more like its mirror image than like itself upside down
        faces = data.images[:, 0]
        assert np.abs(faces - faces[:, :, ::-1]).mean() < 0.9 * np.abs(faces - faces[:, ::-1]).mean()


@pytest.mark.full_data("mnist")
def test_full_mnist():
    data = load_dataset("mnist")
    assert data.X.shape == (70_000, 784) and data.y[:5].tolist() == [5, 0, 4, 1, 9]
    # The usual normalisation constant 0.1307 is this mean over 255.
    assert load_dataset("mnist", "train").X.mean(dtype=np.float64) * 255 == pytest.approx(33.3184, abs=1e-4)
    assert data.y[60_000:60_005].tolist() == [7, 2, 1, 0, 4]


@pytest.mark.full_data("fashion")
def test_full_fashion():
    train, test = load_dataset("fashion", "train"), load_dataset("fashion", "test")
    assert np.bincount(train.y).tolist() == [6000] * 10 and np.bincount(test.y).tolist() == [1000] * 10
    assert train.X.mean(dtype=np.float64) * 255 == pytest.approx(72.9404, abs=1e-4)
    assert train.label_names[train.y[0]] == "Ankle boot"


@pytest.mark.full_data("mnist", "fashion")
@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_full_files_have_the_checksums_that_a_download_must_have(name):
    folder = locate(ENTRIES[name], None, download=False)
    for file, expected in _sources.SHA256[name].items():
        content = (folder / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == expected and len(content) == _sources.MOST_BYTES[name][file]


@pytest.mark.full_data("hapt")
def test_full_hapt():
    data = load_dataset("hapt")
    assert data.X.shape[1] == 561 and len(data.y) in (10_929, 10_969)
    assert data.image_shape is None and set(data.y) == set(range(12))
    assert data.label_names[0] == "walking" and data.label_names[11] == "lie to stand"
    assert ("re-extracted" in data.description) == (len(data.y) != 10_929)
