"""ASPC-DA: fixed centres, labels and weights of unchanged samples, changed samples in training."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from small_fits import blobs, small

from dctutor import ASPCDA, AutoencoderKMeans
from dctutor.augmentation import affine
from dctutor.classical import path_integral

X, TRUTH = blobs()
# Images of 4 x 4 pixels: one bright corner each, and noise.
CORNERS = np.random.default_rng(0).random((120, 4, 4)) / 4
CORNERS[TRUTH == 0, :2, :2] += 0.7
CORNERS[TRUTH == 1, 2:, 2:] += 0.7
CORNERS[TRUTH == 2, :2, 2:] += 0.7
AUGMENT = {"rotation": 10, "shift": 0.1}
WHOLE = {"batch_size": len(X), "epochs": 1, "precision": "float32"}


@pytest.fixture(scope="module")
def pretrained():
    return small(AutoencoderKMeans, pretrain_epochs=10, precision="float32").fit(X)


@pytest.fixture(scope="module")
def of_corners():
    return small(AutoencoderKMeans, pretrain_epochs=10, precision="float32").fit(CORNERS)


def watched(**settings):
    """A fit from a given autoencoder, and the labels and weights of each of its epochs."""
    seen = []

    def watch(loop):
        if loop.phase == "cluster":
            seen.append({name: value.numpy().copy() for name, value in loop.state.items()})

    model = small(ASPCDA, **{"on_epoch": watch, "snapshot_every": 1, "precision": "float32"} | settings)
    return model.fit(X), seen


def test_labels_and_weights_are_those_of_the_codes_before_the_epoch(pretrained):
    # Six clusters for three groups, so that labels move.
    model, seen = watched(autoencoder=pretrained.network_, n_clusters=6, epochs=5, learning_rate=0.01)
    shots = [shot for shot in model.snapshots_ if shot.phase == "cluster"]
    assert len(shots) == len(seen) + 1 == 6
    for epoch, (shot, state) in enumerate(zip(shots, seen, strict=False)):
        squared = np.square(shot.embedding[:, None].astype(np.float64) - model.cluster_centers_).sum(2)
        np.testing.assert_array_equal(state["labels"], squared.argmin(1))
        losses = squared.min(1)
        # Paper eq. 10; all count in the first epoch, t is 0 in the second.
        expected = losses < losses.mean() + (epoch - 1) / 5 * losses.std() if epoch else np.ones(120)
        np.testing.assert_array_equal(state["weights"], expected)
    counted = model.history_["cluster"]["weight"]
    np.testing.assert_allclose(counted, [state["weights"].mean() for state in seen], rtol=1e-6)
    moved = [(a["labels"] != b["labels"]).mean() for a, b in pairwise(seen)]
    np.testing.assert_allclose(model.history_["cluster/refresh"]["changed"], moved, rtol=1e-6)
    assert sum(moved) > 0 and 0 < min(counted) < 1


def test_all_count_without_self_pace(pretrained):
    _, seen = watched(autoencoder=pretrained.network_, self_paced=False)
    assert all((state["weights"] == 1).all() for state in seen)


def test_first_step_sees_the_loss_of_k_means(pretrained):
    model = small(ASPCDA, autoencoder=pretrained.network_, **WHOLE).fit(X)
    z = pretrained.transform(X)
    distance = np.square(z[:, None] - pretrained.cluster_centers_).sum(2).min(1)
    assert model.history_["cluster"]["loss"][0] == pytest.approx(distance.mean(), rel=1e-3)


def test_a_sample_that_waits_moves_nothing(pretrained):
    """Two epochs of one step each: the second loss is the mean over all samples, of which only the near ones count."""
    model, seen = watched(autoencoder=pretrained.network_, batch_size=len(X), epochs=2)
    z, weights = model.snapshots_[1].embedding, seen[1]["weights"]
    distance = np.square(z[:, None] - model.cluster_centers_).sum(2).min(1)
    assert 0 < weights.mean() < 1
    assert model.history_["cluster"]["loss"][1] == pytest.approx((weights * distance).mean(), rel=1e-4)


def test_centres_and_decoder_stay(pretrained):
    model = small(ASPCDA, autoencoder=pretrained.network_, epochs=10, learning_rate=0.01).fit(X)
    start = small(AutoencoderKMeans, autoencoder=pretrained.network_, precision=model.precision).fit(X)
    np.testing.assert_array_equal(model.cluster_centers_, start.cluster_centers_)
    for name, value in model.network_.state_dict().items():
        assert torch.equal(value, pretrained.network_.state_dict()[name]) == name.startswith("decoder"), name


def test_centres_are_those_of_path_integrals(pretrained):
    model = small(ASPCDA, autoencoder=pretrained.network_, init="ac-pic", precision="float32").fit(X)
    z = pretrained.transform(X)
    labels = path_integral(torch.from_numpy(z), 3, torch.Generator())
    expected = [z[labels == k].mean(0) for k in range(3)]
    np.testing.assert_allclose(model.cluster_centers_, expected, rtol=1e-3, atol=1e-4)


def test_training_stops_when_few_labels_change(pretrained):
    settings = {"autoencoder": pretrained.network_, "epochs": 4}
    assert small(ASPCDA, **settings | {"tol": 1.0}).fit(X).n_iter_ == 1
    assert small(ASPCDA, **settings | {"tol": 0.0}).fit(X).n_iter_ == 4


def equal(first, second):
    return first.history_ == second.history_ and np.array_equal(first.transform(CORNERS), second.transform(CORNERS))


def test_images_are_changed_by_default_and_rows_are_not():
    images, rows = CORNERS, CORNERS.reshape(120, 16)
    by_default = small(ASPCDA).fit(images)
    plain = small(ASPCDA, augment=None).fit(images)
    assert equal(by_default, small(ASPCDA, augment=AUGMENT).fit(images))
    assert equal(by_default, small(ASPCDA, image_shape=(1, 4, 4)).fit(rows))
    assert not equal(by_default, plain)
    assert equal(plain, small(ASPCDA).fit(rows))
    with pytest.raises(ValueError, match="augment: expected None for samples that are not images"):
        small(ASPCDA, augment=AUGMENT).fit(rows)


def test_clustering_sees_changed_images_and_labels_do_not(of_corners):
    """Turned images lie further from the centres than the images that the labels come from."""
    losses = []
    for augment in (None, "auto", {"rotation": 90}):
        model = small(ASPCDA, autoencoder=of_corners.network_, augment=augment, snapshot_every=1, **WHOLE)
        model.fit(CORNERS)
        losses.append(model.history_["cluster"]["loss"][0])
        z = model.snapshots_[0].embedding
        squared = np.square(z[:, None] - of_corners.cluster_centers_).sum(2)
        assert np.array_equal(squared.argmin(1), of_corners.labels_)
    assert losses[0] < losses[1] < losses[2]


def test_clustering_with_changes_makes_codes_hold_still(of_corners):
    """What the chapter shows: after training with shifted images, a shift moves a code less."""
    rows = torch.from_numpy(CORNERS.reshape(120, 16)).float()
    shifted = affine(rows, (1, 4, 4), torch.Generator().manual_seed(1), shift=0.3).numpy().reshape(CORNERS.shape)
    moved = {}
    for augment in (None, {"shift": 0.3}):
        settings = {"autoencoder": of_corners.network_, "epochs": 60, "learning_rate": 1e-3}
        model = small(ASPCDA, augment=augment, **settings).fit(CORNERS)
        z = model.transform(CORNERS)
        moved[augment is None] = np.square(model.transform(shifted) - z).sum(1).mean() / z.var(0).sum()
    assert moved[False] < 0.8 * moved[True]


@pytest.mark.parametrize(
    ("augment", "error", "message"),
    [
        ({"turn": 10}, ValueError, "augment: expected some of rotation, shift, zoom, shear, flip, got 'turn'"),
        ("all", TypeError, "augment: expected a Mapping or 'auto', got 'all'"),
        (10, TypeError, "augment: expected a Mapping or 'auto', got 10"),
    ],
)
def test_bad_changes_are_named(augment, error, message):
    with pytest.raises(error, match=message):
        small(ASPCDA, augment=augment).fit(CORNERS)
