"""Agglomeration by path integrals, against the definition with matrix inverses."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score

from dctutor.classical import path_integral
from dctutor.classical.agglomerative import _walk
from dctutor.losses import cluster_affinity


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def by_definition(points, n_clusters, n_neighbors, s=0.01):
    """Merge the pair whose path integrals gain most by the union, each from the inverse of I - s P."""
    walk, labels = _walk(points, n_neighbors)
    steps = walk.toarray()
    clusters = [np.flatnonzero(labels == k) for k in range(labels.max() + 1)]

    def paths(members, ends):
        """Sum over the paths within `members` that start and end in `ends`, per squared size of `ends`."""
        inside = np.eye(len(members)) - s * steps[np.ix_(members, members)]
        at = np.isin(members, ends)
        return np.linalg.inv(inside)[np.ix_(at, at)].sum() / len(ends) ** 2

    def gain(a, b):
        if not (steps[np.ix_(a, b)].any() and steps[np.ix_(b, a)].any()):
            return 0.0  # no path goes there and comes back
        union = np.concatenate([a, b])
        return paths(union, a) - paths(a, a) + paths(union, b) - paths(b, b)

    gains = {(i, j): gain(clusters[i], clusters[j]) for i in range(len(clusters)) for j in range(i)}
    alive = set(range(len(clusters)))
    while len(alive) > n_clusters:
        i, j = max(gains, key=gains.get)
        clusters[j] = np.concatenate([clusters[j], clusters[i]])
        alive.remove(i)
        gains = {pair: value for pair, value in gains.items() if not {i, j} & set(pair)}
        gains |= {(max(j, k), min(j, k)): gain(clusters[j], clusters[k]) for k in alive - {j}}
    found = np.empty(len(points), dtype=int)
    for k, i in enumerate(alive):
        found[clusters[i]] = k
    return found


@pytest.mark.parametrize(("n", "p", "k", "seed"), [(120, 2, 4, 0), (200, 5, 6, 1), (500, 3, 5, 2)])
def test_labels_are_those_of_the_exact_path_integral(n, p, k, seed):
    points = make_blobs(n, p, centers=k, cluster_std=1.6, random_state=seed)[0]
    found = path_integral(torch.from_numpy(points), k, seeded(), n_neighbors=10, least=0)
    assert adjusted_rand_score(by_definition(points, k, 10), found) == 1


def test_first_merger_is_that_of_the_largest_cluster_affinity():
    points = make_blobs(60, 2, centers=3, random_state=0)[0]
    walk, first = _walk(points, 8)
    ties = cluster_affinity(
        torch.from_numpy(walk.toarray()), torch.from_numpy(first), int(first.max()) + 1
    ).fill_diagonal_(-1)
    a, b = divmod(int(ties.argmax()), len(ties))
    merged = np.where(first == b, a, first)
    found = path_integral(torch.from_numpy(points), int(first.max()), seeded(), n_neighbors=8, least=0)
    assert adjusted_rand_score(merged, found) == 1


def test_it_follows_moons_where_k_means_cuts_them():
    points, moon = make_moons(400, noise=0.06, random_state=0)
    assert adjusted_rand_score(moon, path_integral(torch.from_numpy(points), 2, seeded())) == 1


def test_outliers_do_not_take_a_cluster_from_the_others():
    points, group = make_blobs([100] * 3, 2, centers=[[0, 0], [4, 0], [0, 4]], cluster_std=0.6, random_state=0)
    outliers = np.array([[30.0, 30.0], [30.5, 30.0], [30.0, 30.5]])
    z = torch.from_numpy(np.concatenate([points, outliers]))
    plain, mended = (path_integral(z, 3, seeded(), least=least) for least in (0, 0.1))
    assert np.bincount(plain).min() == len(outliers)
    assert adjusted_rand_score(group, plain[:300]) < 0.7
    assert adjusted_rand_score(group, mended[:300]) > 0.95
    assert len(set(mended)) == 3


def test_small_clusters_that_are_asked_for_stay():
    points, group = make_blobs([200, 200, 15], 2, centers=[[0, 0], [20, 0], [0, 20]], random_state=0)
    found = path_integral(torch.from_numpy(points), 3, seeded())
    assert adjusted_rand_score(group, found) == 1


def test_a_sample_stands_for_all():
    points, group = make_blobs(600, 3, centers=4, cluster_std=0.5, random_state=3)
    z = torch.from_numpy(points)
    one, again = (path_integral(z, 4, seeded(1), sample=200) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert adjusted_rand_score(group, one) == 1


@pytest.mark.parametrize("n", [1, 2, 5, 21])
def test_few_samples(n):
    z = torch.randn(n, 2, generator=seeded())
    found = path_integral(z, 5, seeded())
    assert found.shape == (n,) and found.dtype == np.int64
    assert set(found) == set(range(len(set(found)))) and len(set(found)) <= 5


def test_equal_samples_are_one_cluster():
    assert path_integral(torch.ones(30, 2), 3, seeded()).tolist() == [0] * 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_clusters": 0}, "n_clusters: expected an integer of at least 1, got 0"),
        ({"sample": 0}, "sample: expected an integer of at least 1, got 0"),
        ({"n_neighbors": 0}, "n_neighbors: expected an integer of at least 1, got 0"),
        ({"least": 1.5}, r"least: expected a number in \[0, 1\], got 1.5"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {"z": torch.randn(20, 2), "n_clusters": 2, "generator": seeded()} | changes
    with pytest.raises(ValueError, match=message):
        path_integral(**arguments)
