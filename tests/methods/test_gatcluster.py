"""GATCluster: its losses on targets, its attention map, and what it believes of k-means."""

import numpy as np
import pytest
import torch
from small_fits import blobs, small

from dctutor import GATCluster, load_dataset
from dctutor.architectures import AttentionNetwork, gaussian_map
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs()


def test_finds_easy_groups_of_a_table():
    model = small(GATCluster, epochs=60).fit(X)
    assert clustering_accuracy(TRUTH, model.labels_) > 0.9


def test_loss_is_the_weighted_sum_of_its_four_terms():
    weights = {"similarity": 2.0, "entropy": 0.5, "relation": 3.0, "attention": 0.25}
    table = small(GATCluster, epochs=3, **weights).fit(X).history_["cluster"]
    total = sum(weight * np.array(table[name]) for name, weight in weights.items())
    np.testing.assert_allclose(table["loss"], total, rtol=1e-5)


def test_pairs_of_a_lopsided_k_means_are_not_believed():
    model = GATCluster(n_clusters=3)
    index = torch.arange(6)
    even = torch.tensor([0, 0, 1, 1, 2, 2])
    assert torch.equal(model._together(even, index), even[:, None] == even)
    lopsided = torch.tensor([0] * 50 + [1] * 49 + [2])  # a cluster of less than a tenth of an even part
    assert torch.equal(model._together(lopsided, index), torch.eye(6, dtype=torch.bool))


def test_attention_map_is_a_gaussian_around_its_centre():
    center, width = torch.tensor([[0.5, 0.25], [0.0, 1.0]]), torch.tensor([1.0, 0.4])
    found = gaussian_map(center, width, (5, 9))
    assert found.shape == (2, 5, 9)
    assert found[0, 2, 2] == found[1, 0, 8] == 1  # at the centres
    for n in range(2):
        for i in range(5):
            for j in range(9):
                apart = (i / 4 - center[n, 0]) ** 2 + (j / 8 - center[n, 1]) ** 2
                assert found[n, i, j].item() == pytest.approx(np.exp(-apart.item() / (0.1 * width[n].item())), abs=1e-6)


def test_network_looks_at_places_of_images_and_at_features_of_other_samples():
    images = AttentionNetwork(64, 3, (1, 8, 8), (4, 6)).eval()
    maps = images.maps(torch.rand(5, 64))
    assert maps.shape == (5, 3, 2, 2) and images.look(maps).shape == (5, 2, 2)
    whole, part = images.both(torch.rand(5, 64))
    assert whole.shape == part.shape == (5, 3)
    table = AttentionNetwork(8, 3, widths=(6,)).eval()
    assert table.look(table.maps(torch.rand(5, 8))).shape == (5, 3)


def test_images_are_changed_and_tables_are_not():
    digits = load_dataset("digits")
    settings = {"epochs": 1, "channels": (4,), "verbose": False, "random_state": 0, "batch_size": 64}
    settings |= {"image_shape": digits.image_shape}
    changed, plain = (GATCluster(**settings, augment=augment).fit(digits.X[:64]) for augment in ("auto", None))
    assert changed.history_["cluster"]["loss"] != plain.history_["cluster"]["loss"]
    with pytest.raises(ValueError, match="augment: expected None for samples that are not images"):
        small(GATCluster, augment={"rotation": 5.0}).fit(X)
