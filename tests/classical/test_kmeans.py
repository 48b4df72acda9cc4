"""k-means, Ward's clusters and weighted means of an embedding, against scikit-learn and NumPy."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from small_fits import blobs

from dctutor.classical import kmeans, kmeans_labels, nearest, ward, weighted_means
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs(120)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_centers_are_those_that_scikit_learn_finds():
    found = kmeans(torch.tensor(X), 3, seeded())
    expected = KMeans(3, n_init=20, random_state=1).fit(X).cluster_centers_
    order, reference = (np.lexsort(centers.round(3).T) for centers in (found, expected))
    np.testing.assert_allclose(found[order], expected[reference], rtol=1e-4, atol=1e-4)
    assert np.array_equal(found, kmeans(torch.tensor(X), 3, seeded()))


def test_given_centers_are_where_it_starts():
    start = torch.tensor(X[[0, 1, 2]])
    found = kmeans(torch.tensor(X), 3, seeded(), init=start, max_iter=1)
    labels = ((X[:, None] - X[:3]) ** 2).sum(2).argmin(1)
    np.testing.assert_allclose(found, [X[labels == k].mean(0) for k in range(3)], rtol=1e-4, atol=1e-5)


def test_labels_are_the_nearest_centers():
    centers, labels = kmeans_labels(torch.tensor(X), 3, seeded())
    distances = np.square(X[:, None] - centers.numpy()).sum(2)
    assert np.array_equal(labels, distances.argmin(1))
    assert clustering_accuracy(TRUTH, labels.numpy()) == 1


def test_nearest_by_hand_and_far_from_the_origin():
    z, centers = torch.tensor([[0.0, 0.1], [3.0, 4.0]]), torch.tensor([[3.0, 3.0], [0.0, 0.0]])
    assert nearest(z, centers).tolist() == [1, 0]
    assert nearest(z + 2**14, centers + 2**14).tolist() == [1, 0]  # squares of 2e4 have no digits left for 0.1


def test_ward_labels_the_rest_as_the_nearest_of_its_sample():
    for sample in (40, 5000):
        labels = ward(torch.tensor(X), 3, seeded(), sample=sample)
        assert labels.shape == (120,) and clustering_accuracy(TRUTH, labels) == 1


def test_weighted_means_are_numpys_averages():
    z = torch.randn(9, 4, generator=seeded())
    weights = torch.rand(9, 3, generator=seeded(1))
    expected = [np.average(z.numpy(), axis=0, weights=column) for column in weights.numpy().T]
    np.testing.assert_allclose(weighted_means(z, weights), expected, rtol=1e-5, atol=1e-6)
    assert not weighted_means(z, torch.zeros(9, 3)).any()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(weighted_means(z, weights), weighted_means(z, weights).float())


@pytest.mark.parametrize(
    ("z", "weights", "message"),
    [
        (torch.ones(4), torch.ones(4, 2), r"z: expected shape \(n, p\), got \(4,\)"),
        (torch.ones(4, 2), torch.ones(3, 2), r"weights: expected shape \(4, k\), one row per sample, got \(3, 2\)"),
    ],
)
def test_shapes_of_weighted_means_are_checked(z, weights, message):
    with pytest.raises(ValueError, match=message):
        weighted_means(z, weights)
