"""CCNN: mini-batch k-means, drift compensation, and a network that was trained elsewhere."""

import copy

import numpy as np
import pytest
import torch
from small_fits import blobs, small
from torch import nn

from dctutor import CCNN
from dctutor.classical import mean_of_members, move_centers, nearest_members


def test_a_centre_is_the_mean_of_all_samples_it_was_given():
    z, labels = torch.randn(300, 4), torch.randint(3, (300,))
    centers, counts = torch.randn(3, 4), torch.zeros(3)
    for part, own in zip(z.split(50), labels.split(50), strict=True):
        member = nn.functional.one_hot(own, 3).float()
        centers, counts = move_centers(centers, counts, member.T @ part, member.sum(0))
    torch.testing.assert_close(centers, torch.stack([z[labels == k].mean(0) for k in range(3)]), atol=1e-5, rtol=1e-4)
    assert counts.tolist() == torch.bincount(labels).tolist()
    still, _ = move_centers(centers, counts, torch.zeros(3, 4), torch.zeros(3))
    assert torch.equal(still, centers)


def test_the_nearest_members_are_those_of_a_loop_over_clusters():
    z, labels, centers = torch.randn(60, 5), torch.randint(4, (60,)), torch.randn(6, 5)
    expected = []
    for k in range(6):
        members = torch.nonzero(labels == k).ravel()
        distances = torch.linalg.norm(z[members] - centers[k], dim=1)
        expected += members[distances.argsort()[:3]].tolist()
    assert nearest_members(z, centers, labels, 3).tolist() == sorted(expected)


def test_a_cluster_without_members_takes_the_mean_of_all():
    sums, sizes = torch.tensor([[4.0], [0.0], [2.0]]), torch.tensor([2.0, 0.0, 1.0])
    assert mean_of_members(sums, sizes).ravel().tolist() == [2.0, 2.0, 2.0]
    assert mean_of_members(sums * 0 + torch.tensor([[4.0], [0], [-1]]), sizes).ravel().tolist() == [2.0, 1.0, -1.0]


def network(d=8):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, 6))


def test_compensation_keeps_the_centres_with_the_features():
    X = np.random.default_rng(0).normal(size=(300, 8))  # without groups: the network has much to learn
    gaps = {}
    for compensate in (True, False):
        settings = {"epochs": 30, "learning_rate": 0.01, "compensate": compensate}
        model = small(CCNN, network=network(), **settings).fit(X)
        z = model.transform(X)
        means = np.stack([z[model.labels_ == k].mean(0) for k in range(3)])
        spread = np.linalg.norm(means - means.mean(0))
        gaps[compensate] = np.linalg.norm(means - model.cluster_centers_) / spread
    assert gaps[True] < 0.5 * gaps[False]


def test_a_given_network_is_copied_and_sees_rows_as_they_are():
    X, truth = blobs()
    given = network()
    before = copy.deepcopy(given.state_dict())
    model = small(CCNN, network=given, epochs=20, learning_rate=0.01).fit(100 * X)
    assert all(torch.equal(before[name], value) for name, value in given.state_dict().items())
    assert model.scaling_.factor == 1 and not model.scaling_.shift.any()
    assert all(len(set(model.labels_[truth == k])) == 1 for k in range(3)) and len(set(model.labels_)) == 3
    assert not hasattr(model, "inverse_transform")


def test_what_is_frozen_stays():
    X = np.random.default_rng(0).normal(size=(100, 8))
    given = network()
    given[0].requires_grad_(False)
    model = small(CCNN, network=given).fit(X)
    assert torch.equal(model.network_.module[0].weight, given[0].weight)
    assert not torch.equal(model.network_.module[2].weight, given[2].weight)
    given.requires_grad_(False)
    model = small(CCNN, network=given).fit(X)  # the head alone learns
    assert torch.equal(model.network_.module[2].weight, given[2].weight)
    assert max(model.history_["cluster"]["drift"]) == 0


def test_batch_normalisation_keeps_what_it_learnt_elsewhere():
    X, _ = blobs()
    given = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.Dropout(0.5))
    model = small(CCNN, network=given).fit(X)
    assert torch.equal(model.network_.module[1].running_mean, torch.zeros(6))


def test_random_centres_are_features_of_samples():
    X, _ = blobs()
    settings = {"init": "random", "snapshot_every": 1, "epochs": 1, "precision": "float32"}
    model = small(CCNN, network=network().requires_grad_(False), **settings).fit(X)
    z, start = model.transform(X), model.snapshots_[0].centers
    assert all(np.abs(z - center).sum(1).min() < 1e-5 for center in start)


def test_a_model_with_a_network_of_its_own_is_pickled_but_not_saved(tmp_path):
    import pickle

    X, _ = blobs()
    model = small(CCNN, network=network()).fit(X)
    with pytest.raises(TypeError, match=r"network: .* pickle"):
        model.save(tmp_path / "model.safetensors")
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.labels_)


def test_a_checkpoint_of_a_given_network_resumes_bit_for_bit(tmp_path):
    X, _ = blobs()

    def fit(**changes):
        return small(CCNN, network=network(), epochs=4, **changes).fit(X)

    def stop(loop):
        if loop.epoch == 3:
            raise KeyboardInterrupt

    path = {"checkpoint": tmp_path / "fit.safetensors", "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        fit(**path, on_epoch=stop)
    whole, resumed = fit(), fit(**path)
    assert np.array_equal(whole.transform(X), resumed.transform(X))
    assert np.array_equal(whole.cluster_centers_, resumed.cluster_centers_)


def test_features_that_are_maps_are_refused():
    X, _ = blobs()
    with pytest.raises(ValueError, match=r"network: expected features of shape \(n, p\), got \(16, 2, 4\)"):
        small(CCNN, network=nn.Unflatten(1, (2, 4))).fit(X)
