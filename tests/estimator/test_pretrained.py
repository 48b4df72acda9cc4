"""Starts that methods share: a trained autoencoder, given or by its name, and augmented pre-training."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from small_fits import blobs, small

from dctutor import AECM, DCN, DEC, AutoencoderKMeans, load, load_dataset, load_pretrained
from dctutor.architectures import available_pretrained, pretrained
from dctutor.storage import FileFormatError

DIGITS = load_dataset("mnist-5k").X[::50]
WHOLE = {"n_clusters": 10, "epochs": 1, "random_state": 0, "verbose": False}


@pytest.mark.parametrize("name", ["fashion", "mnist"])
def test_a_bundled_autoencoder_reconstructs_better_than_the_mean_image(name):
    X = load_dataset("fashion-5k" if name == "fashion" else "mnist-5k").X[::10]
    scaled = torch.from_numpy(AutoencoderKMeans(10, autoencoder=name, verbose=False).fit(X).scaling_.apply(X))
    network = load_pretrained(name)
    with torch.no_grad():
        error = (network(scaled) - scaled).square().mean()
    assert error < 0.35 * (scaled - scaled.mean(0)).square().mean()


def test_each_call_loads_a_network_of_its_own_in_float32():
    one, other = load_pretrained("mnist"), load_pretrained("mnist")
    assert not one.training
    assert {parameter.dtype for parameter in one.parameters()} == {torch.float32}
    with torch.no_grad():
        one.encoder[0].weight.zero_()
    assert other.encoder[0].weight.abs().sum() > 0


def test_the_names_are_those_of_the_files():
    assert available_pretrained() == ("fashion", "mnist")
    with pytest.raises(ValueError, match="name: expected one of fashion, mnist, got 'cifar'"):
        load_pretrained("cifar")


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    whole = (pretrained._WEIGHTS / "mnist.safetensors").read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    (tmp_path / "mnist.safetensors").write_bytes(damaged)
    monkeypatch.setattr(pretrained, "_WEIGHTS", tmp_path)
    with pytest.raises(FileFormatError, match="checksum"):
        load_pretrained("mnist")


@pytest.mark.parametrize("method", [DEC, DCN, AECM])
def test_the_name_and_the_network_make_the_same_fit(method):
    named = method(**WHOLE, autoencoder="mnist").fit(DIGITS)
    given = method(**WHOLE, autoencoder=load_pretrained("mnist")).fit(DIGITS)
    assert "pretrain" not in named.history_
    np.testing.assert_array_equal(named.labels_, given.labels_)
    np.testing.assert_array_equal(named.cluster_centers_, given.cluster_centers_)


def test_the_name_is_saved_with_the_model(tmp_path):
    DEC(**WHOLE, autoencoder="mnist").fit(DIGITS).save(tmp_path / "dec.safetensors")
    assert load(tmp_path / "dec.safetensors").autoencoder == "mnist"


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match="autoencoder: expected one of fashion, mnist, got 'cifar'"):
        DEC(**WHOLE, autoencoder="cifar").fit(DIGITS)


def test_a_bundled_autoencoder_of_other_layers_is_refused():
    with pytest.raises(ValueError, match="autoencoder: expected layers"):
        small(DEC, autoencoder="mnist").fit(blobs()[0])


AUGMENT = {"rotation": 10, "shift": 0.1}


def test_augmented_pretraining_is_another_one_and_repeats():
    images = DIGITS.reshape(-1, 28, 28)
    plain, turned, again = (
        clone(small(AutoencoderKMeans, augment=augment)).fit(images) for augment in (None, AUGMENT, AUGMENT)
    )
    assert np.isfinite(turned.history_["pretrain"]["loss"]).all()
    assert not np.allclose(plain.cluster_centers_, turned.cluster_centers_)
    np.testing.assert_array_equal(turned.cluster_centers_, again.cluster_centers_)


@pytest.mark.parametrize(
    ("augment", "error", "message"),
    [
        ({"turn": 10}, ValueError, "augment: expected some of rotation, shift, zoom, shear, flip, got 'turn'"),
        ({"zoom": 2}, ValueError, r"augment\['zoom'\]: expected a number in \[0, 1\), got 2"),
        ({"shift": None}, TypeError, r"augment\['shift'\]: expected a number, got None"),
        (10, TypeError, "augment: expected a Mapping, got 10"),
    ],
)
@pytest.mark.parametrize("method", [AutoencoderKMeans, AECM])
def test_bad_changes_are_named(method, augment, error, message):
    with pytest.raises(error, match=message):
        small(method, augment=augment).fit(DIGITS.reshape(-1, 28, 28))


def test_augmentation_needs_images():
    with pytest.raises(ValueError, match="augment: expected None for samples that are not images"):
        small(AutoencoderKMeans, augment=AUGMENT).fit(blobs()[0])
