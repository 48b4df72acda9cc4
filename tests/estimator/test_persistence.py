import json
import os
import pickle
import random
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from small_fits import METHODS, blobs, small
from torch import nn

from dctutor import DEC, IDEC, AutoencoderKMeans, DeepClusterer, DSCNet
from dctutor.architectures import Autoencoder
from dctutor.storage import FileFormatError, read_file, write_file

X, _ = blobs(60)
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)


@pytest.fixture(scope="module")
def fitted():
    return small(DEC, snapshot_every=2).fit(X)


@pytest.fixture
def path(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


def forge(path, change):
    """Rewrite the facts of a saved file, checksum and all."""
    tensors, facts = read_file(path)
    write_file(path, tensors, change(facts))


@each_method
@pytest.mark.parametrize("loader", ["own class", "base class"])
def test_round_trip(method, loader, tmp_path):
    before = small(method, snapshot_every=1).fit(X)
    before.save(tmp_path / "model")
    after = (method if loader == "own class" else DeepClusterer).load(str(tmp_path / "model"))
    assert type(after) is method and after.get_params() == before.get_params()
    for ask in ("predict", "predict_proba", "transform"):
        assert np.array_equal(getattr(after, ask)(X), getattr(before, ask)(X)), ask
    centers = before.cluster_centers_
    assert np.array_equal(after.inverse_transform(centers), before.inverse_transform(centers))
    for name in ("labels_", "cluster_centers_", "snapshot_index_", *method._arrays):
        assert getattr(after, name).dtype == getattr(before, name).dtype, name
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
    for name in ("history_", "n_iter_", "scale_", "seconds_", "n_features_in_", "image_shape_"):
        assert getattr(after, name) == getattr(before, name), name
    for shot, other in zip(after.snapshots_, before.snapshots_, strict=True):
        assert (shot.phase, shot.epoch) == (other.phase, other.epoch)
        assert np.array_equal(shot.embedding, other.embedding)
        assert (shot.centers is None) == (other.centers is None)
        assert shot.centers is None or np.array_equal(shot.centers, other.centers)
    missing = {name for name in vars(before) if name.endswith("_")} - set(vars(after))
    assert missing == set() and not after.network_.training
    assert np.array_equal(after.fit(X).labels_, before.labels_)  # it can be fitted again


def test_everything_survives_a_second_round(path, fitted, tmp_path):
    DEC.load(path).save(tmp_path / "again")
    assert read_file(tmp_path / "again")[1] == read_file(path)[1]
    assert np.array_equal(DEC.load(tmp_path / "again").predict_proba(X), fitted.predict_proba(X))


def test_names_of_columns_survive(tmp_path):
    table = pd.DataFrame(X, columns=[f"c{i}" for i in range(8)])
    small(DEC).fit(table).save(tmp_path / "model")
    loaded = DEC.load(tmp_path / "model")
    assert list(loaded.feature_names_in_) == list(table.columns)
    assert loaded.predict(table).shape == (60,)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(table.rename(columns={"c0": "other"}))


def test_arguments_that_json_cannot_hold(fitted, tmp_path):
    settings = {"autoencoder": fitted.network_, "random_state": np.random.RandomState(0), "n_clusters": np.int64(3)}
    before = small(IDEC, **settings, checkpoint=tmp_path / "checkpoint", widths=[16, 3]).fit(X)
    before.save(tmp_path / "model")
    after = IDEC.load(tmp_path / "model")
    assert np.array_equal(after.predict_proba(X), before.predict_proba(X))
    assert after.autoencoder is None and after.random_state is None and after.n_clusters == 3


def test_the_wrong_class(path):
    for other in (IDEC, AutoencoderKMeans):
        with pytest.raises(FileFormatError, match=rf"path: expected a saved {other.__name__}, got one of 'DEC'"):
            other.load(path)


def test_missing_file_and_missing_folder(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match="path: there is no file"):
        DEC.load(tmp_path / "model")
    with pytest.raises(FileNotFoundError, match=r"path: .*nowhere"):
        fitted.save(tmp_path / "nowhere/model")
    with pytest.raises(OSError, match=r"path|directory"):
        DEC.load(tmp_path)


def test_cut_short(path):
    whole = path.read_bytes()
    for length in {0, 1, 7, 8, 9, 100, *range(200, len(whole), 997), len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match="cut short"):
            DEC.load(path)


def test_tampered(path):
    whole, source = path.read_bytes(), random.Random(0)
    for position in source.sample(range(len(whole)), 200):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        with pytest.raises(FileFormatError, match="model'"):
            DEC.load(path)


class Payload:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_is_refused_and_its_code_not_run(tmp_path, writer):
    target = tmp_path / "run"
    with (tmp_path / "model").open("wb") as file:
        (pickle.dump if writer == "pickle" else torch.save)(Payload(target), file)
    with pytest.raises(FileFormatError):
        DeepClusterer.load(tmp_path / "model")
    assert not target.exists()
    pickle.loads(pickle.dumps(Payload(target)))
    assert target.exists()  # the payload works, so the refusal is what stopped it


def test_no_pickle_inside(path):
    tensors, facts = read_file(path)
    json.dumps(facts)
    assert facts["method"] == "DEC" and all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())


@pytest.mark.parametrize(
    "method",
    ["__class__", "__builtins__", "__getattr__", "import_module", "DeepClusterer", "dec", "", None, 5, ["DEC"], {}],
)
def test_a_file_that_names_no_method(path, method):
    forge(path, lambda facts: facts | {"method": method})
    for loader in (DEC, DeepClusterer):
        with pytest.raises(FileFormatError, match=f"expected a saved {loader.__name__}"):
            loader.load(path)


FORGERIES = {
    "facts are a list": lambda facts: [facts],
    "facts are a number": lambda facts: 1,
    **{
        f"no {name}": lambda facts, name=name: {key: value for key, value in facts.items() if key != name}
        for name in ("method", "parameters", "n_features_in_", "feature_names_in_", "scale_", "n_iter_", "history_")
    },
    "unknown argument": lambda facts: facts | {"parameters": facts["parameters"] | {"hook": "os.system"}},
    "arguments are a list": lambda facts: facts | {"parameters": [1]},
    "other widths": lambda facts: facts | {"parameters": facts["parameters"] | {"widths": [16, 4]}},
    "widths are a number": lambda facts: facts | {"parameters": facts["parameters"] | {"widths": 7}},
    "widths are huge": lambda facts: facts | {"parameters": facts["parameters"] | {"widths": [10**15, 3]}},
    "other input width": lambda facts: facts | {"n_features_in_": 9},
    "input width is a word": lambda facts: facts | {"n_features_in_": "8"},
    "scale is a word": lambda facts: facts | {"scale_": "large"},
    "snapshots that are not there": lambda facts: facts | {"snapshots": [["pretrain", 1]] * 99},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_file(path, name):
    forge(path, FORGERIES[name])
    with pytest.raises(FileFormatError, match="path: "):
        DeepClusterer.load(path)


@pytest.mark.parametrize("name", ["cluster_centers_", "network/encoder.0.weight"])
@pytest.mark.parametrize("change", ["dropped", "another shape"])
def test_forged_tensors(path, name, change):
    tensors, facts = read_file(path)
    tensors[name] = torch.zeros(2, 7)
    if change == "dropped":
        del tensors[name]
    write_file(path, tensors, facts)
    with pytest.raises(FileFormatError, match="path: "):
        DEC.load(path)


def test_a_checkpoint_is_not_a_model(tmp_path):
    small(DEC, checkpoint=tmp_path / "checkpoint").fit(X)
    with pytest.raises(FileFormatError, match="expected a saved DEC"):
        DEC.load(tmp_path / "checkpoint")


def test_a_model_from_a_machine_with_another_device(path, fitted):
    forge(path, lambda facts: facts | {"parameters": facts["parameters"] | {"device": "cuda:99"}})
    with pytest.warns(UserWarning, match="device: this machine has no 'cuda:99'; loaded on"):
        loaded = DEC.load(path)
    np.testing.assert_array_equal(loaded.predict(X), fitted.labels_)
    assert loaded.device == "cuda:99", "an argument is stored as it was given"


def test_saving_over_a_model_replaces_it(path, fitted):
    small(DEC, n_clusters=2).fit(X).save(path)
    assert DEC.load(path).cluster_centers_.shape == (2, 3)
    assert list(path.parent.iterdir()) == [path]


def test_loading_draws_from_no_generator_of_the_caller(path):
    before = torch.get_rng_state()
    DEC.load(path)
    assert torch.equal(torch.get_rng_state(), before)


class Mine(DEC):
    """A method of a reader's own."""


def test_a_subclass_of_ones_own(tmp_path):
    fitted = small(Mine).fit(X)
    fitted.save(tmp_path / "model")
    assert type(Mine.load(tmp_path / "model")) is Mine
    assert np.array_equal(Mine.load(tmp_path / "model").predict(X), fitted.predict(X))
    with pytest.raises(FileFormatError, match="expected a saved IDEC, got one of 'Mine'"):
        IDEC.load(tmp_path / "model")


def test_what_was_fitted_is_saved_though_an_argument_was_changed_in_place(tmp_path):
    widths = [16, 3]
    fitted = small(DEC, widths=widths).fit(X)
    widths.append(9)
    fitted.save(tmp_path / "model")
    assert DEC.load(tmp_path / "model").widths == (16, 3)


@dataclass(eq=False, repr=False, kw_only=True)
class Optioned(AutoencoderKMeans):
    """A method of a reader's own, with an argument that is no number."""

    options: object = None


def test_arguments_of_ones_own_are_kept_or_refused(tmp_path):
    settings = {"random_state": 0, "checkpoint": tmp_path / "checkpoint"}
    fitted = small(Optioned, options={"rates": [0.1, 0.2]}, **settings).fit(X)
    fitted.save(tmp_path / "model")
    assert Optioned.load(tmp_path / "model").options == {"rates": [0.1, 0.2]}
    with pytest.raises(ValueError, match="fit with other parameters"):
        small(Optioned, options={"rates": [0.1, 0.3]}, **settings).fit(X)
    with pytest.raises(TypeError, match="options: expected what a JSON file can hold, got"):
        small(Optioned, options=len, **settings).fit(X)
    for value in (len, np.array([1 + 2j]), [nn.Linear(1, 1)], np.datetime64("2020-01-01")):
        fitted = small(Optioned, options=value).fit(X)
        with pytest.raises(TypeError, match="options: expected what a JSON file can hold"):
            fitted.save(tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "model"]


class Projection(nn.Module):
    """A network without parameters."""

    embedding_dim = 2

    def __init__(self, n_features):
        super().__init__()
        self.register_buffer("matrix", torch.eye(n_features, 2))

    def encode(self, x):
        return x @ self.matrix


class Projected(DeepClusterer):
    """The smallest method there can be."""

    def _build_network(self, n_features):
        return Projection(n_features)

    def _train(self, loop):
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        return network, loop.map(network.encode)[: self.n_clusters]


def test_a_network_without_parameters(tmp_path):
    fitted = Projected(3, random_state=0).fit(X)
    fitted.save(tmp_path / "model")
    assert np.array_equal(Projected.load(tmp_path / "model").predict(X), fitted.labels_)
    with pytest.raises(FileFormatError, match="got one of 'Projected'; load it with that class: Projected"):
        DeepClusterer.load(tmp_path / "model")


def test_a_device_object_is_stored_as_its_name(tmp_path):
    fitted = small(AutoencoderKMeans, device=torch.device("cpu")).fit(X)
    fitted.save(tmp_path / "model")
    assert DeepClusterer.load(tmp_path / "model").device == "cpu"


@each_method
def test_the_fit_is_saved_though_the_next_one_is_prepared(method, tmp_path):
    fitted = small(method).fit(X)
    fitted.set_params(n_clusters=5).save(tmp_path / "model")
    loaded = DeepClusterer.load(tmp_path / "model")
    assert loaded.n_clusters == 3 and np.array_equal(loaded.predict(X), fitted.predict(X))
    loaded.set_params(n_clusters=4).save(tmp_path / "again")
    assert DeepClusterer.load(tmp_path / "again").n_clusters == 3


def test_any_sequence_of_widths_is_stored(tmp_path):
    for widths in (range(6, 2, -2), np.array([6, 4])):
        fitted = small(DEC, widths=widths, checkpoint=tmp_path / "checkpoint").fit(X)
        assert fitted.get_params()["widths"] is widths
        fitted.save(tmp_path / "model")
        assert DeepClusterer.load(tmp_path / "model").widths == (6, 4)


def test_image_shape_as_an_array(tmp_path):
    fitted = small(DSCNet, image_shape=np.array([1, 2, 4])).fit(X)
    fitted.save(tmp_path / "model")
    assert DSCNet.load(tmp_path / "model").image_shape_ == fitted.image_shape_ == (1, 2, 4)


class Tanh(Autoencoder):
    """An autoencoder of one's own, with the weights' names of the package's."""

    def layer_outputs(self, x, corrupt=lambda a: a):
        hidden = []
        for layer in self.encoder[:-1]:
            x = torch.tanh(layer(corrupt(x)))
            hidden.append(x)
        return [*hidden, self.encoder[-1](x)]


def test_a_network_that_no_file_brings_back_is_not_saved(tmp_path):
    own = small(DEC, autoencoder=Tanh(8, (16, 4)), widths=(16, 4)).fit(X)
    with pytest.raises(TypeError, match=r"^network_: expected layers that DEC can make again"):
        own.save(tmp_path / "own")
    assert not list(tmp_path.iterdir())
    with pytest.raises(TypeError, match=r"^autoencoder: expected .*no subclass"):  # only its weights would count
        small(DSCNet, autoencoder=Tanh(8, (16, 4))).fit(X)


def test_a_checkpoint_is_named_as_such(tmp_path):
    small(DEC, checkpoint=tmp_path / "fit").fit(X)
    with pytest.raises(FileFormatError, match=r"^path: expected a saved DEC, got the checkpoint of a fit"):
        DEC.load(tmp_path / "fit")
