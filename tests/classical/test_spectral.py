"""From coefficients to clusters: against values worked out by hand, by loops, and by another decomposition."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.sparse.linalg import svds

from dctutor.classical import cluster_subspaces, keep_largest, spectral_labels, subspace_affinity
from dctutor.losses import subspace_memberships
from dctutor.metrics import clustering_accuracy

RNG = np.random.default_rng(0)


def planes(n=60, p=12, k=3, dim=2):
    """Samples of k random subspaces, the subspaces, and which one each sample lies in."""
    bases = [np.linalg.qr(RNG.normal(size=(p, dim)))[0].T for _ in range(k)]
    truth = np.arange(n) % k
    return np.array([RNG.normal(size=dim) @ bases[label] for label in truth]), bases, truth


def test_keep_largest_by_hand():
    # The columns, written as rows.
    C = np.array([[5.0, -3.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, -2.0, 0.0]])
    # 5 is half of 10, which does not pass the half; with -3 it does. Of four alike, three pass the half.
    expected = [[5.0, -3.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, -2.0, 0.0]]
    np.testing.assert_array_equal(keep_largest(C.T, 0.5).T, expected)
    np.testing.assert_array_equal(keep_largest(C.T, 0.4).T, [[5, 0, 0, 0], [1, 1, 0, 0], [0, 0, -2, 0]])
    assert np.array_equal(keep_largest(C, 1.0), C) and keep_largest(C, 1.0) is not C
    assert not keep_largest(np.zeros((2, 2)), 0.2).any()


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_keep_largest_is_the_shortest_head_that_passes_the_share(rho):
    C = RNG.normal(size=(9, 9))
    for column, kept in zip(C.T, keep_largest(C, rho).T, strict=True):
        size, total = 0.0, np.abs(column).sum()
        expected = np.zeros(9)
        for i in sorted(range(9), key=lambda i: -abs(column[i])):
            expected[i] = column[i]
            size += abs(column[i])
            if size > rho * total:
                break
        np.testing.assert_array_equal(kept, expected)


@pytest.mark.parametrize("unit_diagonal", [False, True])
def test_the_affinity_is_the_cosine_of_the_rows_of_a_truncated_svd(unit_diagonal):
    C = RNG.normal(size=(20, 20)) * 0.2
    symmetric = (C + C.T) / 2
    if unit_diagonal:
        np.fill_diagonal(symmetric, 1)
    u, s, _ = svds(symmetric, 7)  # d K + 1 = 3 * 2 + 1
    rows = u * np.sqrt(s)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = subspace_affinity(C, 2, 3, 4.0, unit_diagonal=unit_diagonal)
    np.testing.assert_allclose(found, np.clip(rows @ rows.T, 0, None) ** 4, atol=1e-8)


def test_ones_on_the_diagonal_by_hand():
    # Eigenvalues 0.6 and -0.6, so that U |Lambda| U' is 0.6 times the identity; with ones, 1.6 and 0.4, all kept.
    C = [[0.0, 0.9], [0.3, 0.0]]
    np.testing.assert_allclose(subspace_affinity(C, 1, 1, 1.0), np.eye(2), atol=1e-12)
    np.testing.assert_allclose(subspace_affinity(C, 1, 1, 1.0, unit_diagonal=True), [[1, 0.6], [0.6, 1]])
    np.testing.assert_allclose(subspace_affinity(C, 1, 1, 2.0, unit_diagonal=True), [[1, 0.36], [0.36, 1]])
    # Each sample has the weight 1 in the pair of directions that is kept (r = 2 of 4), or in none.
    C = np.zeros((4, 4))
    C[0, 1] = C[1, 0] = 0.5
    C[2, 3] = C[3, 2] = 0.1
    np.testing.assert_allclose(subspace_affinity(C, 1, 1, 1.0, unit_diagonal=False), np.eye(4), atol=1e-12)
    # 1.5 and 1.1 are the two largest of 1.5, 0.5, 1.1 and 0.9: one direction per pair.
    blocks = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    np.testing.assert_allclose(subspace_affinity(C, 1, 1, 1.0, unit_diagonal=True), blocks, atol=1e-12)


def test_an_affinity_is_symmetric_in_the_unit_interval_and_one_on_its_diagonal():
    for C in (RNG.normal(size=(6, 6)), np.zeros((6, 6)), np.ones((6, 6))):
        affinity = subspace_affinity(C, 4, 5, 2.0)  # a rank of 21 is more than there is
        assert np.array_equal(affinity, affinity.T) and affinity.min() >= 0 and affinity.max() <= 1
        np.testing.assert_array_equal(np.diag(affinity), 1)


def test_ridge_coefficients_of_three_planes_give_the_planes():
    z, bases, truth = planes()
    C = np.linalg.solve(z @ z.T + 0.01 * np.eye(len(z)), z @ z.T)
    affinity = subspace_affinity(keep_largest(C, 0.9), 3, 2, 2.0)
    labels = spectral_labels(affinity, 3, seed=0)
    assert clustering_accuracy(truth, labels) == 1
    assert np.array_equal(spectral_labels(affinity, 3, seed=0), labels)
    fitted = cluster_subspaces(z, truth, 3, 2)
    for basis, found in zip(bases, fitted, strict=True):
        assert subspace_angles(basis.T, found.T).max() < 1e-3
        np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-5)


def test_trivial_numbers_of_clusters():
    affinity = np.ones((4, 4))
    assert spectral_labels(affinity, 1, 0).tolist() == [0] * 4
    assert sorted(spectral_labels(affinity, 4, 0)) == sorted(spectral_labels(affinity, 9, 0)) == [0, 1, 2, 3]


def test_small_and_empty_clusters_have_rows_of_zeros_and_no_basis_is_the_whole_space():
    z = np.eye(4)[:3]
    bases = cluster_subspaces(z, np.array([0, 0, 2]), 3, 9)
    assert bases.shape == (3, 3, 4) and bases.dtype == np.float32
    assert [int(np.abs(basis).sum()) for basis in bases] == [2, 0, 1]
    assert subspace_memberships(torch.eye(4), torch.from_numpy(bases)).isfinite().all()


def test_rounding_is_no_direction():
    """Multiples of one code span a line, though a float32 decomposition finds more."""
    z = np.outer([1, 2, 3, 4, 5], [0.3, 0.1, 0.7, 0.2]).astype(np.float32)
    z = np.vstack([z, np.outer([1, 2, 3, 4, 5], [1, 0, 0, 0]).astype(np.float32)])
    bases = cluster_subspaces(z, np.repeat([0, 1], 5), 2, 3)
    assert [int(np.abs(basis).any(1).sum()) for basis in bases] == [1, 1]
    assert subspace_memberships(torch.from_numpy(z), torch.from_numpy(bases)).argmax(1).tolist() == [0] * 5 + [1] * 5


def test_memberships_by_hand():
    bases = torch.eye(3)[:2, None]  # the x axis and the y axis
    q = subspace_memberships(torch.tensor([[3.0, 4.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]), bases)
    # Squared sines of the angles to the axes: 16/25 and 9/25; 0 and 1; 1 and 1; none.
    np.testing.assert_allclose(q, [[9 / 25, 16 / 25], [1, 0], [0.5, 0.5], [0.5, 0.5]], atol=1e-6)
    scaled = subspace_memberships(torch.tensor([[3e30, 4e30, 0.0]]), bases)
    torch.testing.assert_close(scaled, q[:1])


def test_lists_and_integers_are_taken():
    C = RNG.integers(-9, 9, (6, 6))
    affinity, labels = subspace_affinity(C.astype(float), 2, 1, 2.0), [0, 1, 0, 1, 0, 1]
    for given in (C, C.tolist()):
        np.testing.assert_array_equal(keep_largest(given, 0.5), keep_largest(C.astype(float), 0.5))
        np.testing.assert_array_equal(subspace_affinity(given, 2, 1, 2.0), affinity)
        np.testing.assert_array_equal(
            cluster_subspaces(given, labels, 2, 1), cluster_subspaces(C.astype(float), np.array(labels), 2, 1)
        )
    np.testing.assert_array_equal(spectral_labels(affinity.tolist(), 2, 0), spectral_labels(affinity, 2, 0))


@pytest.mark.parametrize(
    ("value", "error"), [([[np.nan, 1], [1, 1]], ValueError), ([1.0, 2.0], ValueError), ([["a"]], TypeError)]
)
def test_what_is_no_2d_array_of_numbers_is_refused(value, error):
    for call in (
        lambda: keep_largest(value, 0.5),
        lambda: subspace_affinity(value, 1, 1, 1.0),
        lambda: spectral_labels(value, 1, 0),
        lambda: cluster_subspaces(value, [0, 0], 1, 1),
    ):
        with pytest.raises(error, match=r"^(C|affinity|z): expected (a 2-D array|finite)"):
            call()
