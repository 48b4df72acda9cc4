"""DEC and IDEC: their objectives, their targets, their stopping rule."""

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from small_fits import blobs, small

from dctutor import DEC, IDEC, AutoencoderKMeans
from dctutor.architectures import Autoencoder, StudentT
from dctutor.classical import path_integral
from dctutor.losses import student_t, target_distribution
from dctutor.methods._self_training import SelfTraining
from dctutor.training import Loop

X, _ = blobs()
both = pytest.mark.parametrize("method", [DEC, IDEC], ids=lambda method: method.__name__)


@pytest.fixture(scope="module")
def pretrained():
    return small(AutoencoderKMeans, pretrain_epochs=10, precision="float32").fit(X)


def parts(network):
    return {
        name: np.concatenate([p.detach().numpy().ravel() for p in getattr(network, name).parameters()])
        for name in ("encoder", "decoder")
    }


def test_dec_sets_the_decoder_aside_and_idec_does_not(pretrained):
    before = parts(pretrained.network_)
    for method, decoder_moves in ((DEC, False), (IDEC, True)):
        after = parts(small(method, autoencoder=pretrained.network_).fit(X).network_)
        assert not np.array_equal(before["encoder"], after["encoder"])
        assert np.array_equal(before["decoder"], after["decoder"]) != decoder_moves


@both
def test_centres_start_from_k_means_and_move(method, pretrained):
    fitted = small(method, autoencoder=pretrained.network_, snapshot_every=1, precision="float32").fit(X)
    first, *_, last = [shot for shot in fitted.snapshots_ if shot.phase == "cluster"]
    z = pretrained.transform(X)
    nearest = ((z[:, None] - first.centers) ** 2).sum(2).argmin(1)
    np.testing.assert_allclose(first.centers, [z[nearest == k].mean(0) for k in range(3)], rtol=1e-4, atol=1e-5)
    assert np.array_equal(last.centers, fitted.cluster_centers_) and not np.array_equal(first.centers, last.centers)


@both
def test_centres_start_from_the_means_of_wards_clusters_where_asked(method, pretrained):
    fitted = small(method, autoencoder=pretrained.network_, snapshot_every=1, precision="float32", init="ward").fit(X)
    first = next(shot for shot in fitted.snapshots_ if shot.phase == "cluster")
    z = pretrained.transform(X)
    labels = fcluster(linkage(z, "ward"), 3, criterion="maxclust")
    means = np.array([z[labels == k].mean(0) for k in (1, 2, 3)])
    for found, expected in ((first.centers, means), (means, first.centers)):
        distance = np.linalg.norm(found[:, None] - expected, axis=2).min(1)
        np.testing.assert_allclose(distance, 0, atol=1e-4)


@both
def test_centres_start_from_the_means_of_ac_pics_clusters_where_asked(method, pretrained):
    fitted = small(method, autoencoder=pretrained.network_, snapshot_every=1, precision="float32", init="ac-pic").fit(X)
    first = next(shot for shot in fitted.snapshots_ if shot.phase == "cluster")
    z = pretrained.transform(X)
    labels = path_integral(torch.from_numpy(z), 3, torch.Generator())
    means = np.array([z[labels == k].mean(0) for k in range(3)])
    distance = np.linalg.norm(first.centers[:, None] - means, axis=2)
    np.testing.assert_allclose(np.sort(distance.min(1)), 0, atol=1e-4)
    assert sorted(distance.argmin(1)) == [0, 1, 2]


def test_target_is_that_of_the_whole_data_at_the_last_refresh():
    loop = Loop(X.astype(np.float32), seed=0, device="cpu", precision="float32")
    network, head = loop.build(lambda: Autoencoder(8, (2,))), loop.build(lambda: StudentT(3, 2, 2.0))
    clusters = SelfTraining(loop, network, head, tol=0.5)
    clusters.place_centers("kmeans")
    with torch.no_grad():
        expected = target_distribution(student_t(network.encode(loop.x), head.centers, 2.0))
    assert clusters.refresh() is False
    torch.testing.assert_close(loop.state["target"], expected)
    index = torch.tensor([5, 0, 77])
    assert torch.equal(clusters.target(index), loop.state["target"][index])
    with torch.no_grad():
        head.centers.copy_(head.centers[[1, 2, 0]])
    assert torch.equal(clusters.target(index), expected[index])  # until the next refresh
    loop.steps = 9
    assert clusters.refresh() is False  # every label changed
    assert clusters.refresh() is True  # none did
    assert loop.history["cluster/refresh"] == {"step": [9, 9], "changed": [1, 0]}


def test_another_target_may_be_asked_for():
    loop = Loop(X.astype(np.float32), seed=0, device="cpu", precision="float32")
    network, head = loop.build(lambda: Autoencoder(8, (2,))), loop.build(lambda: StudentT(3, 2))
    clusters = SelfTraining(loop, network, head, tol=0.5, target=lambda q: 1 - q)
    clusters.place_centers("ward")
    clusters.refresh()
    with torch.no_grad():
        torch.testing.assert_close(loop.state["target"], 1 - head.assign(network.encode(loop.x)))


@both
@pytest.mark.parametrize(("interval", "expected"), [(None, [4, 8]), (5, [5, 10]), (1, list(range(1, 12)))])
def test_target_is_refreshed_every_interval(method, interval, expected):
    fitted = small(method, update_interval=interval).fit(X)  # 3 epochs of 4 steps
    assert fitted.history_["cluster/refresh"]["step"] == expected


@both
def test_stops_when_fewer_than_tol_change(method):
    fitted = small(method, epochs=50, tol=1.0, update_interval=6).fit(X)
    assert fitted.history_["cluster/refresh"]["step"] == [6] and fitted.n_iter_ == 2
    endless = small(method, epochs=5, tol=0.0, update_interval=1).fit(X)  # "fewer than 0" never holds
    assert endless.n_iter_ == 5 and 0 in endless.history_["cluster/refresh"]["changed"]


def test_idec_records_both_terms_of_its_loss():
    table = small(IDEC, gamma=0.3, precision="float32").fit(X).history_["cluster"]
    expected = np.array(table["reconstruction"]) + 0.3 * np.array(table["clustering"])
    np.testing.assert_allclose(table["loss"], expected, rtol=1e-5)


def test_idec_without_clustering_loss_is_the_autoencoder(pretrained):
    fitted = small(IDEC, autoencoder=pretrained.network_, gamma=0.0, snapshot_every=1).fit(X)
    centers = [shot.centers for shot in fitted.snapshots_ if shot.centers is not None]
    assert all(np.array_equal(centers[0], later) for later in centers)


def test_idec_keeps_a_better_reconstruction_than_dec(pretrained):
    errors = {}
    for method in (DEC, IDEC):
        fitted = small(method, autoencoder=pretrained.network_, epochs=20, learning_rate=0.1).fit(X)
        errors[method] = ((fitted.inverse_transform(fitted.transform(X)) - X) ** 2).mean()
    assert errors[IDEC] < errors[DEC]


@both
def test_clustering_sharpens_the_assignments(method, pretrained):
    before = pretrained.predict_proba(X).max(1).mean()
    fitted = small(method, autoencoder=pretrained.network_, epochs=20, learning_rate=0.1, momentum=0.9).fit(X)
    assert fitted.predict_proba(X).max(1).mean() > before


def test_the_baseline_is_k_means_on_the_embedding(pretrained):
    z = pretrained.transform(X)
    means = [z[pretrained.labels_ == k].mean(0) for k in range(3)]
    np.testing.assert_allclose(pretrained.cluster_centers_, means, rtol=1e-2, atol=1e-2)


@both
def test_nu_reaches_predictions(method, pretrained):
    fitted = small(method, autoencoder=pretrained.network_, nu=3.0).fit(X)
    q = student_t(torch.from_numpy(fitted.transform(X)), torch.from_numpy(fitted.cluster_centers_), 3.0)
    np.testing.assert_allclose(fitted.predict_proba(X), q, rtol=1e-5)
