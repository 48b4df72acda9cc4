import io
import json
import os
import pickle
import random
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_fits import METHODS, blobs, small
from torch import nn

from dctutor import DEC, DEPICT, DMC, IDEC, AutoencoderKMeans, ClusteringModule, DeepAutoencoderClustering, DSCNet
from dctutor.architectures import Autoencoder, Fuzzy, StudentT
from dctutor.devices import peak_memory_mb
from dctutor.estimator import DeepClusterer, Trained, persistence, restoring
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
def test_round_trip(method, tmp_path):
    before = small(method, snapshot_every=1).fit(X)
    before.save(tmp_path / "model")
    after = method.load(str(tmp_path / "model"))
    assert type(after) is method and after.get_params() == before.get_params()
    for ask in ("predict", "predict_proba", "transform"):
        assert np.array_equal(getattr(after, ask)(X), getattr(before, ask)(X)), ask
    assert hasattr(after, "inverse_transform") == hasattr(before, "inverse_transform")
    if hasattr(before, "inverse_transform"):
        centers = before.cluster_centers_
        assert np.array_equal(after.inverse_transform(centers), before.inverse_transform(centers))
    assert (after.scaling_.factor, after.scaling_.clipped) == (before.scaling_.factor, before.scaling_.clipped)
    assert np.array_equal(after.scaling_.shift, before.scaling_.shift)
    assert after._arrays == before._arrays
    for name in ("labels_", "cluster_centers_", "snapshot_index_", *before._arrays):
        assert getattr(after, name).dtype == getattr(before, name).dtype, name
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
    for name in ("history_", "n_iter_", "seconds_", "n_features_in_", "image_shape_"):
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
    for other in (IDEC, AutoencoderKMeans, DeepClusterer):
        expected = (
            rf"^path: expected a saved {other.__name__}, got one of 'DEC'; load it with DEC\.load\(path\),"
            r" or a method of the book with dctutor\.load\(path\)$"
        )
        with pytest.raises(FileFormatError, match=expected):
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
    for cls in (DEC, DeepClusterer):
        with pytest.raises(FileFormatError):
            cls.load(tmp_path / "model")
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
    for cls in (DEC, DeepClusterer):
        kind = cls.__name__ if isinstance(method, str) else "model"
        with pytest.raises(FileFormatError, match=f"^path: expected a saved {kind}, got"):
            cls.load(path)


PARTS = ("method", "parameters", "arrays", "factor", "clipped", "n_features_in_", "feature_names_in_", "image_shape_")
PARTS += ("n_iter_", "seconds_", "history_", "snapshots")


def argument(**changes):
    return lambda facts: facts | {"parameters": facts["parameters"] | changes}


def fact(**changes):
    return lambda facts: facts | changes


FORGERIES = {
    "facts are a list": lambda facts: [facts],
    "facts are a number": lambda facts: 1,
    **{f"no {part}": lambda facts, part=part: {k: v for k, v in facts.items() if k != part} for part in PARTS},
    "unknown argument": argument(hook="os.system"),
    "arguments are a list": fact(parameters=[1]),
    "other widths": argument(widths=[16, 4]),
    "widths are a number": argument(widths=7),
    "widths are huge": argument(widths=[10**15, 3]),
    "clusters are a word": argument(n_clusters="x"),
    "more clusters": argument(n_clusters=4),
    "no degrees of freedom": argument(nu=-1.0),
    "noise is not a number": argument(noise=float("nan")),
    "a start of no method": argument(init="kmedoids"),
    "a verbose word": argument(verbose="yes"),
    "other input width": fact(n_features_in_=9),
    "input width is a word": fact(n_features_in_="8"),
    "input width is true": fact(n_features_in_=True),
    "an image of another width": fact(image_shape_=[1, 3, 3]),
    "an image of negative sizes": fact(image_shape_=[1, -2, -4]),
    "factor is a word": fact(factor="large"),
    **{f"factor is {value}": fact(factor=value) for value in (0.0, -1.0, float("nan"), float("inf"), None)},
    "epochs are a word": fact(n_iter_="many"),
    "epochs are no number": fact(n_iter_=float("nan")),
    "history is a list": fact(history_=[[1.0]]),
    "history of words": fact(history_={"pretrain": {"loss": ["small"]}}),
    "names of columns for others": fact(feature_names_in_=["a", "b"]),
    "a method for an array": fact(arrays=["predict"]),
    "a private array": fact(arrays=["_arrays"]),
    "the network for an array": fact(arrays=["network_"]),
    "an array that is not there": fact(arrays=["affinity_matrix_"]),
    "snapshots that are not there": fact(snapshots=[["pretrain", 1]] * 99),
    "snapshots of no form": fact(snapshots=[5]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_file(path, name):
    forge(path, FORGERIES[name])
    with pytest.raises(FileFormatError, match=r"^path: "):
        DEC.load(path)


def with_nan(tensor):
    tensor = tensor.clone()
    tensor.flatten()[-1] = float("nan")
    return tensor


OTHER_TENSORS = {
    "cluster_centers_": [with_nan, lambda t: t[:2], lambda t: t[0], lambda t: t[:, :2], lambda t: t.long()],
    "labels_": [lambda t: t - 1, lambda t: t + 1, lambda t: t.float(), lambda t: t[:, None], lambda t: t[:0]],
    "snapshot_index_": [lambda t: t + 1, lambda t: t - 1, lambda t: t.float(), lambda t: t[:9]],
    "shift": [with_nan, lambda t: t.double(), lambda t: t.expand(8).clone(), lambda t: t.expand(7).clone()],
    "network/encoder.0.weight": [with_nan, lambda t: t / 0, lambda t: t[:, :7], lambda t: t.T],
    "network/decoder.1.bias": [with_nan],
    "head/centers": [with_nan, lambda t: t[:2]],
    "snapshot/0/embedding": [lambda t: t[:9], lambda t: t[0]],
}


@pytest.mark.parametrize("name", OTHER_TENSORS)
def test_forged_tensors(path, name):
    tensors, facts = read_file(path)
    changed = [tensors | {name: change(tensors[name]).contiguous()} for change in OTHER_TENSORS[name]]
    changed.append({other: tensor for other, tensor in tensors.items() if other != name})
    changed.append(tensors | {name: torch.zeros(2, 7)})
    for forged in changed:
        write_file(path, forged, facts)
        with pytest.raises(FileFormatError, match=r"^path: "):
            DEC.load(path)
            pytest.fail(f"{name}={forged.get(name)} was taken")


def test_a_weight_that_no_argument_asks_for(path):
    tensors, facts = read_file(path)
    write_file(path, tensors | {"network/encoder.2.weight": torch.zeros(3, 3)}, facts)
    with pytest.raises(FileFormatError, match=r"^path: .* the network that its arguments describe has other weights"):
        DEC.load(path)


HUGE = [
    (DEC, argument(widths=[16_000, 16_000])),
    (DEC, fact(n_features_in_=2**31)),
    (DEPICT, fact(n_features_in_=2**31)),
    (DEPICT, argument(widths=[16_000, 16_000])),
    (DSCNet, fact(n_features_in_=2**29)),
    (DSCNet, lambda facts: argument(kernel_sizes=[16_001])(facts)),
    (DSCNet, fact(n_features_in_=2**29, image_shape_=[1, 2**14, 2**15])),
    (ClusteringModule, fact(n_features_in_=2**29)),
    (ClusteringModule, argument(n_clusters=2**29)),
    (DeepAutoencoderClustering, fact(n_features_in_=2**29)),
]


@pytest.mark.parametrize(("method", "change"), HUGE)
def test_a_file_that_names_a_huge_network_takes_no_memory(method, change, tmp_path):
    data = X.reshape(-1, 2, 4) if method is DSCNet else X
    small(method).fit(data).save(tmp_path / "model")
    forge(tmp_path / "model", change)
    before = peak_memory_mb(torch.device("cpu"))
    with pytest.raises(FileFormatError, match=r"^path: "):
        method.load(tmp_path / "model")
    assert before is None or peak_memory_mb(torch.device("cpu")) - before < 500  # it would take 2 GB


@pytest.mark.parametrize("part", ["network_", "head_"])
def test_weights_that_would_not_be_read_are_not_written(part, tmp_path):
    fitted = small(DEC).fit(X)
    with torch.no_grad():
        next(getattr(fitted, part).parameters())[0, 0] = float("nan")
    with pytest.raises(ValueError, match=rf"^{part[:-1]}/.*: expected finite numbers, got NaN or infinity"):
        fitted.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_file_keeps_neither_the_checkpoint_nor_on_epoch_and_is_believed_neither(tmp_path):
    fitted = small(DEC, checkpoint=tmp_path / "secret", on_epoch=lambda loop: None).fit(X)
    fitted.save(tmp_path / "model")
    assert b"secret" not in (tmp_path / "model").read_bytes()
    loaded = DEC.load(tmp_path / "model")
    assert loaded.checkpoint is None and loaded.on_epoch is None and fitted.checkpoint == tmp_path / "secret"
    forge(tmp_path / "model", argument(checkpoint=str(tmp_path / "chosen by the file"), on_epoch="os.system"))
    loaded = DEC.load(tmp_path / "model")
    assert loaded.checkpoint is None and loaded.on_epoch is None
    loaded.fit(X)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model", "secret"]
    loaded.save(tmp_path / "model")
    assert b"chosen by the file" not in (tmp_path / "model").read_bytes()


def test_a_checkpoint_is_not_a_model(tmp_path):
    small(DEC, checkpoint=tmp_path / "checkpoint").fit(X)
    with pytest.raises(FileFormatError, match=r"^path: expected a saved model, got the checkpoint of a fit"):
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
        arrays = {"gaps_": np.array([np.nan, np.inf, 1.0])}
        return Trained(network, centers=loop.map(network.encode)[: self.n_clusters], arrays=arrays)


def test_a_network_without_parameters_that_does_not_reconstruct(tmp_path):
    assert hasattr(Projected(3), "inverse_transform")  # before a fit nobody knows
    fitted = Projected(3, random_state=0).fit(X)
    fitted.save(tmp_path / "model")
    loaded = Projected.load(tmp_path / "model")
    assert np.array_equal(loaded.predict(X), fitted.labels_)
    assert not hasattr(fitted, "inverse_transform") and not hasattr(loaded, "inverse_transform")
    np.testing.assert_array_equal(loaded.gaps_, fitted.gaps_)  # what a method keeps beside its weights may be missing


class OwnHead(Projected):
    """A method whose head is not the one that `_build_head` makes."""

    head = Fuzzy

    def _train(self, loop):
        trained = super()._train(loop)
        trained.head = loop.build(lambda: self.head(self.n_clusters, 2))
        with torch.no_grad():
            trained.head.centers.copy_(trained.centers)
        return trained


def test_a_head_that_no_file_brings_back_is_not_saved(tmp_path):
    with pytest.raises(TypeError, match=r"^head_: expected layers that OwnHead can make again .* got Fuzzy"):
        OwnHead(3).fit(X).save(tmp_path / "model")
    assert not list(tmp_path.iterdir())
    OwnHead.head = StudentT
    OwnHead(3).fit(X).save(tmp_path / "model")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(59, int)}, r"_train: expected labels of shape \(60,\) from 0 to 2"),
        ({"labels": np.full(60, 3)}, "_train: expected labels"),
        ({"labels": np.full(60, -1)}, "_train: expected labels"),
        ({"arrays": {"gaps": np.zeros(3)}}, "_train: expected names of arrays that end in an underscore"),
        ({"centers": None}, "_train: expected a head or centres, got neither"),
    ],
)
def test_what_no_file_could_hold_is_an_error_of_the_fit(changes, message):
    class Wrong(Projected):
        def _train(self, loop):
            return Trained(**vars(super()._train(loop)) | changes)

    with pytest.raises(ValueError, match=message):
        Wrong(3).fit(X)


def test_a_device_object_is_stored_as_its_name(tmp_path):
    fitted = small(AutoencoderKMeans, device=torch.device("cpu")).fit(X)
    fitted.save(tmp_path / "model")
    assert AutoencoderKMeans.load(tmp_path / "model").device == "cpu"


@each_method
def test_the_fit_is_saved_though_the_next_one_is_prepared(method, tmp_path):
    fitted = small(method).fit(X)
    fitted.set_params(n_clusters=5).save(tmp_path / "model")
    loaded = method.load(tmp_path / "model")
    assert loaded.n_clusters == 3 and np.array_equal(loaded.predict(X), fitted.predict(X))
    loaded.set_params(n_clusters=4).save(tmp_path / "again")
    assert method.load(tmp_path / "again").n_clusters == 3


def test_any_sequence_of_widths_is_stored(tmp_path):
    for widths in (range(6, 2, -2), np.array([6, 4])):
        fitted = small(DEC, widths=widths, checkpoint=tmp_path / "checkpoint").fit(X)
        assert fitted.get_params()["widths"] is widths
        fitted.save(tmp_path / "model")
        assert DEC.load(tmp_path / "model").widths == (6, 4)


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


@pytest.mark.parametrize("method", [DEC, DSCNet])
def test_a_network_that_no_file_brings_back_is_not_saved(method, tmp_path):
    own = small(method, autoencoder=Tanh(8, (16, 4)), widths=(16, 4)).fit(X)
    assert type(own.network_) is Tanh
    with pytest.raises(TypeError, match=rf"^network_: expected layers that {method.__name__} can make again"):
        own.save(tmp_path / "own")
    assert not list(tmp_path.iterdir())


def test_a_network_of_the_same_weights_but_another_activation_is_refused():
    given = Autoencoder(8, (16, 3), code_activation=torch.tanh)
    with pytest.raises(ValueError, match=r"^autoencoder: expected one whose codes go through unchanged, .* got tanh"):
        small(DEC, autoencoder=given).fit(X)


# Constructors of one's own


class HandedOn(DEC):
    """A constructor that hands the parent's arguments on, as scikit-learn's users write it."""

    def __init__(self, extra=1, **parent):
        super().__init__(**parent)
        self.extra = extra


class Some(DMC):
    """A constructor that names some of the parent's arguments."""

    def __init__(self, n_clusters=3, fuzziness=1.5, checkpoint=None):
        settings = {"widths": (16, 3), "layerwise_epochs": 0, "pretrain_epochs": 2, "epochs": 2, "locality_epochs": 1}
        super().__init__(
            n_clusters, fuzziness=fuzziness, checkpoint=checkpoint, random_state=0, verbose=False, **settings
        )


def handed_on(**changes):
    settings = {"n_clusters": 3, "widths": (16, 3), "layerwise_epochs": 0, "pretrain_epochs": 2, "epochs": 2}
    return HandedOn(5, **settings | {"random_state": 0, "verbose": False} | changes)


def test_a_constructor_that_hands_arguments_on(tmp_path):
    fitted = handed_on(nu=2.0).fit(X)
    fitted.save(tmp_path / "model")
    loaded = HandedOn.load(tmp_path / "model")
    assert (loaded.extra, loaded.nu, loaded.widths) == (5, 2.0, (16, 3))
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


def test_a_constructor_that_names_some_arguments(tmp_path):
    fitted = Some(fuzziness=2.0).fit(X)
    fitted.save(tmp_path / "model")
    loaded = Some.load(tmp_path / "model")
    assert loaded.get_params() == fitted.get_params() and loaded.pretrain_epochs == 2
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert np.array_equal(loaded.fit(X).labels_, clone(fitted).fit(X).labels_)
    forge(tmp_path / "model", argument(hook="os.system"))
    with pytest.raises(FileFormatError, match="hook"):
        Some.load(tmp_path / "model")


def test_a_checkpoint_knows_the_arguments_that_a_constructor_hands_on(tmp_path):
    first = handed_on(checkpoint=tmp_path / "checkpoint").fit(X)
    assert np.array_equal(handed_on(checkpoint=tmp_path / "checkpoint").fit(X).labels_, first.labels_)
    with pytest.raises(ValueError, match=r"checkpoint: .* was written by a fit with other parameters"):
        handed_on(checkpoint=tmp_path / "checkpoint", nu=2.0).fit(X)


# Pickles


@pytest.fixture
def on_a_gpu(monkeypatch):
    """Let pickles be written as if all networks were on a GPU: only what was copied to the CPU is marked as there."""
    copied, tag = [], torch.serialization.location_tag

    def cpu(tensor):
        copied.append(tensor.clone())
        return copied[-1]

    def location(storage):
        there = any(storage.data_ptr() == tensor.untyped_storage().data_ptr() for tensor in copied)
        return "cpu" if there else "cuda:0"

    class Machine:
        def __enter__(self):
            monkeypatch.setattr(persistence, "_elsewhere", lambda tensor: True)
            monkeypatch.setattr(torch.Tensor, "cpu", cpu)
            monkeypatch.setattr(torch.serialization, "location_tag", location)

        def __exit__(self, *_):
            monkeypatch.undo()
            assert torch.serialization.location_tag is tag

    return Machine()


def dumped(value, writer):
    file = io.BytesIO()
    (joblib if writer == "joblib" else pickle).dump(value, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("writer", ["pickle", "joblib"])
def test_a_pickle_from_a_gpu_is_read_without_one(writer, on_a_gpu, monkeypatch):
    load = joblib.load if writer == "joblib" else pickle.load
    start = small(AutoencoderKMeans).fit(X)
    own = small(DEC, autoencoder=start.network_).fit(X)
    whole = make_pipeline(StandardScaler(), small(ClusteringModule)).fit(X)
    networks = [own.network_, own.head_, own.autoencoder]
    with on_a_gpu:
        plain, fitted, unfitted = (dumped(value, writer) for value in (start.network_, own, clone(own)))
        pipeline = dumped(whole, writer)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # whatever this machine has
    with pytest.raises(RuntimeError, match="CUDA"):  # so does a network that is not a part of an estimator
        load(plain)
    read = load(fitted)
    assert np.array_equal(read.predict_proba(X), own.predict_proba(X))
    assert np.array_equal(read.fit(X).labels_, load(unfitted).fit(X).labels_)
    assert np.array_equal(load(pipeline).predict(X), whole.predict(X))
    assert all(a is b for a, b in zip(networks, [own.network_, own.head_, own.autoencoder], strict=True))


def test_a_pickle_of_a_device_that_this_machine_lacks(on_a_gpu):
    fitted = small(DEC).fit(X).set_params(device="cuda:99")
    with on_a_gpu:
        file = dumped(fitted, "pickle")
    with pytest.warns(UserWarning, match=r"^device: this machine has no 'cuda:99'; loaded on"):
        read = pickle.load(file)
    assert np.array_equal(read.predict(X), fitted.labels_) and read.device == "cuda:99"


def test_a_pickle_goes_to_the_device_that_it_names(monkeypatch):
    fitted, asked = small(DEC).fit(X), []

    def resolve(device):
        asked.append(device)
        return torch.device("cpu")

    monkeypatch.setattr(restoring, "resolve_device", resolve)
    pickle.loads(pickle.dumps(fitted.set_params(device="cuda")))
    assert asked == ["cuda"]
    pickle.loads(pickle.dumps(small(DEC, device="cuda")))  # not fitted: it has no network to move
    pickle.loads(pickle.dumps(fitted.set_params(device="cpu")))
    assert asked == ["cuda"]
