"""DCN: its objective, and the centres that follow their samples."""

import numpy as np
import pytest
import torch
from small_fits import blobs, small

from dctutor import DCN, AutoencoderKMeans
from dctutor.classical.kmeans import nearest
from dctutor.methods.autoencoder.dcn import move

X, TRUTH = blobs()


@pytest.fixture(scope="module")
def pretrained():
    return small(AutoencoderKMeans, pretrain_epochs=10, precision="float32").fit(X)


def test_centres_move_as_if_the_samples_came_one_by_one():
    rng = np.random.default_rng(0)
    centers, z, labels = rng.normal(size=(3, 2)), rng.normal(size=(40, 2)), rng.integers(0, 2, 40)
    counts, expected = np.array([100.0, 7.0, 5.0]), centers.copy()
    after = counts.copy()
    for point, k in zip(z, labels, strict=True):  # the paper's eq. 9
        after[k] += 1
        expected[k] -= (expected[k] - point) / after[k]
    moved, held = torch.tensor(centers), torch.tensor(counts)
    move(moved, held, torch.tensor(z), torch.tensor(labels))
    np.testing.assert_allclose(moved, expected)
    np.testing.assert_array_equal(held, after)
    np.testing.assert_array_equal(moved[2], centers[2])  # nobody came


def test_nearest_centre():
    z, centers = torch.tensor([[0.0, 0.1], [3.0, 4.0]]), torch.tensor([[3.0, 3.0], [0.0, 0.0]])
    assert nearest(z, centers).tolist() == [1, 0]


def test_history_adds_up_to_the_paper_s_objective(pretrained):
    rows = small(DCN, autoencoder=pretrained.network_, lam=3.0, precision="float32").fit(X).history_["cluster"]
    expected = np.add(rows["reconstruction"], 1.5 * np.array(rows["k_means"]))
    np.testing.assert_allclose(rows["loss"], expected, rtol=1e-5)


def test_first_step_sees_the_loss_of_the_k_means_start(pretrained):
    whole = {"batch_size": len(X), "epochs": 1, "noise": 0.0}
    settings = {"autoencoder": pretrained.network_, "precision": "float32", **whole}
    rows = small(DCN, **settings).fit(X).history_["cluster"]
    z, scale = pretrained.transform(X), pretrained.scaling_.factor
    start = small(AutoencoderKMeans, autoencoder=pretrained.network_, precision="float32").fit(X)
    rebuilt = pretrained.inverse_transform(z) * scale
    assert rows["reconstruction"][0] == pytest.approx(np.square(X * scale - rebuilt).sum(1).mean(), rel=1e-4)
    distance = np.square(z[:, None] - start.cluster_centers_).sum(2).min(1)
    assert rows["k_means"][0] == pytest.approx(distance.mean(), rel=1e-3)


def test_tells_how_many_samples_changed_cluster(pretrained):
    settings = {"autoencoder": pretrained.network_, "n_clusters": 12, "precision": "float32"}
    before = small(AutoencoderKMeans, **settings).fit(X)
    # One step on all samples at once; one cycle begins at a 25th of its peak.
    fitted = small(DCN, **settings, batch_size=len(X), epochs=1, learning_rate=1.0).fit(X)
    distance = np.square(fitted.transform(X)[:, None] - before.cluster_centers_).sum(2)
    changed = (distance.argmin(1) != before.labels_).mean()
    assert 0.1 < changed < 1
    assert fitted.history_["cluster"]["changed"] == [pytest.approx(changed)]


def test_the_encoder_trains_on_a_corrupted_copy(pretrained):
    settings = {"autoencoder": pretrained.network_, "batch_size": len(X), "epochs": 1, "precision": "float32"}
    errors = [small(DCN, **settings, noise=n).fit(X).history_["cluster"]["reconstruction"][0] for n in (0.0, 0.5)]
    assert errors[1] > 1.5 * errors[0]


def test_a_larger_weight_draws_clusters_closer_together(pretrained):
    spread = {}
    for lam in (0.0, 20.0):
        fitted = small(DCN, autoencoder=pretrained.network_, lam=lam, epochs=20, noise=0.0).fit(X)
        z = fitted.transform(X)
        within = np.square(z - fitted.cluster_centers_[fitted.labels_]).sum(1).mean()
        spread[lam] = within / z.var(0).sum()
        # A cluster is the nearest centre, for samples that were in the fit and for others.
        distance = np.square(z[:, None] - fitted.cluster_centers_).sum(2)
        np.testing.assert_array_equal(fitted.labels_, distance.argmin(1))
    assert spread[20.0] < spread[0.0]


def test_centres_that_are_never_renewed_are_left_behind_by_codes_that_shrink(pretrained):
    settings = {"autoencoder": pretrained.network_, "lam": 20.0, "epochs": 20, "learning_rate": 0.01}
    behind = {}
    for recenter in (1, None):
        fitted = small(DCN, **settings, recenter=recenter).fit(X)
        z = fitted.transform(X)
        off = np.square(z - fitted.cluster_centers_[fitted.labels_]).sum(1).mean()
        behind[recenter] = off / z.var(0).sum()
    assert 5 * behind[1] < behind[None]


def test_nearest_centre_of_codes_far_from_the_origin():
    z = 100 + 0.01 * torch.randn(300, 10, generator=torch.Generator().manual_seed(0))
    expected = np.square(z[:, None].double() - z[:5].double()).sum(2).argmin(1)
    assert torch.equal(nearest(z, z[:5]), expected)
