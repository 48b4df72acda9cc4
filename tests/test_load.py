"""`dctutor.load` reads the file of any method of the book, and of nothing else."""

import numpy as np
import pytest
import torch
from own_method import ShallowAutoencoder
from small_fits import METHODS, blobs, small

import dctutor
from dctutor import DEC, IDEC, DeepClusterer
from dctutor.storage import FileFormatError, read_file, write_file

X, _ = blobs(60)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    small(DEC).fit(X).save(path)
    return path


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_every_method_is_read(method, tmp_path):
    before = small(method, snapshot_every=1).fit(X)
    before.save(tmp_path / "model")
    for path in (tmp_path / "model", str(tmp_path / "model")):
        after = dctutor.load(path)
        assert type(after) is method and isinstance(after, DeepClusterer)
        assert after.get_params() == before.get_params()
        assert np.array_equal(after.labels_, before.labels_)
        assert np.array_equal(after.predict_proba(X), before.predict_proba(X))
        assert np.array_equal(after.transform(X), before.transform(X))
    after.save(tmp_path / "again")
    assert read_file(tmp_path / "again")[1] == read_file(tmp_path / "model")[1]


class Mine(DEC):
    """A method of a reader's own."""


@pytest.mark.parametrize("method", [ShallowAutoencoder, Mine])
def test_a_method_of_ones_own_is_read_by_its_class(method, tmp_path):
    fitted = small(method).fit(X)
    fitted.save(tmp_path / "model")
    name = method.__name__
    advice = rf"^path: .* got one of '{name}'; load it with that class: {name}\.load\(path\)$"
    with pytest.raises(FileFormatError, match=advice):
        dctutor.load(tmp_path / "model")
    assert np.array_equal(method.load(tmp_path / "model").predict(X), fitted.predict(X))


@pytest.mark.parametrize("name", ["__class__", "load", "DeepClusterer", "taxonomy", "registry", "dec", "", None, 5, {}])
def test_a_file_that_names_no_method(path, tmp_path, name):
    tensors, facts = read_file(path)
    write_file(tmp_path / "forged", tensors, facts | {"method": name})
    with pytest.raises(FileFormatError, match="path: expected a saved m"):
        dctutor.load(tmp_path / "forged")


def test_a_file_that_names_another_method(path, tmp_path):
    tensors, facts = read_file(path)
    write_file(tmp_path / "forged", tensors, facts | {"method": "DMC"})
    with pytest.raises(FileFormatError, match=r"path: .*forged' does not hold a whole DMC: "):
        dctutor.load(tmp_path / "forged")


def test_what_is_no_model(path, tmp_path):
    small(IDEC, checkpoint=tmp_path / "checkpoint").fit(X)
    with pytest.raises(FileFormatError, match="path: expected a saved model, got the checkpoint of a fit"):
        dctutor.load(tmp_path / "checkpoint")
    (tmp_path / "cut").write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FileFormatError, match=r"path: .* is cut short"):
        dctutor.load(tmp_path / "cut")
    with pytest.raises(FileNotFoundError, match="path: there is no file"):
        dctutor.load(tmp_path / "nowhere")
    with pytest.raises(TypeError, match="path: expected the path of a file, got 5"):
        dctutor.load(5)


def test_a_device_that_this_machine_lacks(path, tmp_path):
    tensors, facts = read_file(path)
    write_file(tmp_path / "moved", tensors, facts | {"parameters": facts["parameters"] | {"device": "cuda:99"}})
    with pytest.warns(UserWarning, match="device: this machine has no 'cuda:99'; loaded on") as told:
        loaded = dctutor.load(tmp_path / "moved")
    assert told[0].filename == __file__  # it points at the reader's own line
    assert np.array_equal(loaded.predict(X), dctutor.load(path).predict(X))
    with pytest.warns(UserWarning, match="device: this machine has no") as told:
        DEC.load(tmp_path / "moved")
    assert told[0].filename == __file__


def test_loading_leaves_the_global_random_state(path):
    before = torch.get_rng_state()
    dctutor.load(path)
    assert torch.equal(torch.get_rng_state(), before)
