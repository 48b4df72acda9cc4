"""JULE's agglomeration in a sparse graph, against affinities of dense matrices that are computed anew each time."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score

from dctutor.classical import merge_clusters, nearest_chains
from dctutor.classical.merging import _Clusters, _weights
from dctutor.losses import cluster_affinity


def drawn(n, p, k, seed):
    return torch.from_numpy(make_blobs(n, p, centers=k, cluster_std=1.5, random_state=seed)[0])


def dense(x, labels, n_clusters, n_neighbors):
    """Merge the pair of the largest affinity, in a matrix of all weights."""
    squared = torch.cdist(x, x).square().fill_diagonal_(torch.inf)
    near, index = squared.topk(n_neighbors, largest=False)
    w = torch.zeros_like(squared).scatter_(1, index, torch.exp(-near / near.mean()))
    labels = torch.from_numpy(labels)
    while len(labels.unique()) > n_clusters:
        labels = labels.unique(return_inverse=True)[1]
        k = int(labels.max()) + 1
        affinity = cluster_affinity(w, labels, k).fill_diagonal_(-1)
        a, b = divmod(int(affinity.argmax()), k)
        assert affinity[a, b] > 0
        labels[labels == b] = a
    return labels.numpy()


@pytest.mark.parametrize(("n", "p", "k", "seed"), [(60, 2, 3, 0), (150, 3, 5, 1), (300, 5, 4, 2)])
def test_mergers_are_those_of_the_dense_affinity(n, p, k, seed):
    x = drawn(n, p, k, seed)
    start = nearest_chains(x)
    for left in (start.max(), start.max() // 2, k):  # one merger, half of them, all
        found = merge_clusters(x, start, int(left), n_neighbors=8, least=0)
        assert adjusted_rand_score(dense(x, start, int(left), 8), found) == 1


def test_after_mergers_the_affinities_are_those_of_the_dense_matrix():
    x = drawn(120, 2, 4, 3)
    weights, labels = _weights(x, 6, 1.0), nearest_chains(x)
    clusters = _Clusters(weights, labels, x.numpy())
    for a, b in [(0, 1), (2, 5), (0, 2), (7, 3), (0, 7)]:  # whatever their affinities
        clusters._join(a, b)
    k = len(clusters.size)
    dense_ones = cluster_affinity(torch.from_numpy(weights.toarray()), torch.from_numpy(clusters.labels), k)
    found = torch.zeros_like(dense_ones)
    for a in range(k):
        for b in clusters.paths[a]:
            found[a, b] = clusters.affinity(a, b)
        assert clusters.best[a][0] == pytest.approx(max(found[a].tolist()))
    torch.testing.assert_close(found, dense_ones.fill_diagonal_(0))


def test_chains_join_each_sample_with_its_nearest():
    x = torch.tensor([[0.0], [1.0], [1.9], [10.0], [10.5], [30.0]])
    # 2 is nearest to 1, which is nearest to 2; 0 joins them; 30 joins the pair at 10
    assert nearest_chains(x).tolist() == [0, 0, 0, 1, 1, 1]


def test_it_continues_where_it_stopped():
    x = drawn(200, 3, 4, 4)
    start = nearest_chains(x)
    at_once = merge_clusters(x, start, 4, least=0)
    in_two = merge_clusters(x, merge_clusters(x, start, 15, least=0), 4, least=0)
    assert adjusted_rand_score(at_once, in_two) == 1


def test_no_merger_is_undone():
    x = drawn(200, 3, 4, 5)
    wrong = nearest_chains(x)
    wrong[:20] = wrong[0]
    found = merge_clusters(x, wrong, 4)
    assert len(set(found[:20])) == 1


def test_it_follows_moons_where_k_means_cuts_them():
    points, moon = make_moons(400, noise=0.06, random_state=0)
    x = torch.from_numpy(points)
    assert adjusted_rand_score(moon, merge_clusters(x, nearest_chains(x), 2)) == 1


def test_outliers_join_the_nearest_cluster():
    points, group = make_blobs([100] * 3, 2, centers=[[0, 0], [4, 0], [0, 4]], cluster_std=0.6, random_state=0)
    outliers = np.array([[30.0, 30.0], [30.5, 30.0], [30.0, 30.5]])
    x = torch.from_numpy(np.concatenate([points, outliers]))
    found = merge_clusters(x, nearest_chains(x), 3)
    assert adjusted_rand_score(group, found[:300]) > 0.95 and len(set(found)) == 3


def test_clusters_that_nothing_ties_merge_to_the_number_asked_for():
    x = torch.from_numpy(
        make_blobs([50, 50, 50, 30], 2, centers=[[0, 0], [1, 50], [100, 0], [100, 9]], random_state=0, shuffle=False)[0]
    )
    found = merge_clusters(x, nearest_chains(x), 3, n_neighbors=5)
    assert sorted(np.bincount(found)) == [50, 50, 80] and len(set(found[100:])) == 1


def test_weights_are_the_formula():
    x = drawn(40, 3, 2, 6)
    weights = _weights(x, 5, 2.0).toarray()
    squared = (x[:, None] - x).square().sum(2).numpy()
    assert (np.count_nonzero(weights, axis=1) == 5).all()
    scale = 2 * squared[weights > 0].mean()
    np.testing.assert_allclose(weights[weights > 0], np.exp(-squared[weights > 0] / scale), rtol=1e-5)


def test_memory_is_that_of_the_edges():
    x = drawn(3000, 3, 5, 7)
    clusters = _Clusters(_weights(x, 5, 1.0), nearest_chains(x), x.numpy())
    assert sum(map(len, clusters.paths)) < 3000 * 5 * 2
    assert sparse.issparse(_weights(x, 5, 1.0))


@pytest.mark.parametrize("n", [2, 3, 5, 21])
def test_few_samples(n):
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    found = merge_clusters(x, np.arange(n), 2)
    assert found.shape == (n,) and found.dtype == np.int64 and sorted(set(found)) == [0, 1]


def test_equal_samples():
    x = torch.ones(30, 2)
    assert nearest_chains(x).shape == (30,)
    assert len(set(merge_clusters(x, np.arange(30), 3))) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_clusters": 0}, "n_clusters: expected an integer of at least 1, got 0"),
        ({"n_neighbors": 0}, "n_neighbors: expected an integer of at least 1, got 0"),
        ({"width": 0.0}, r"width: expected a number in \(0, inf\), got 0.0"),
        ({"least": 1.5}, r"least: expected a number in \[0, 1\], got 1.5"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {"x": torch.randn(20, 2), "labels": np.arange(20), "n_clusters": 2} | changes
    with pytest.raises(ValueError, match=message):
        merge_clusters(**arguments)
