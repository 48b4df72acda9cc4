"""The clustering losses beyond assignment hardening, against NumPy, SciPy and sums by hand."""

import numpy as np
import pytest
import scipy.special
import torch
from sklearn.cluster import KMeans

from dctutor.losses import (
    balanced_assignments,
    cluster_affinity,
    cluster_classification,
    group_sparsity,
    k_means,
    merging,
    triplet,
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LABELS = torch.tensor([0, 2, 1, 0, 2, 2])


def test_k_means_is_what_scikit_learn_minimises():
    z = draw(40, 3)
    fitted = KMeans(4, n_init=1, random_state=0).fit(z.numpy())
    centers, labels = torch.from_numpy(fitted.cluster_centers_), torch.from_numpy(fitted.labels_).long()
    assert k_means(z, centers, labels, reduction="sum").item() == pytest.approx(fitted.inertia_, rel=1e-9)
    assert k_means(z, centers, labels).item() == pytest.approx(fitted.inertia_ / 40, rel=1e-9)


def test_k_means_pulls_towards_the_own_centre_alone():
    z, centers = draw(6, 2).requires_grad_(), draw(3, 2, seed=1)
    k_means(z, centers, LABELS, reduction="sum").backward()
    torch.testing.assert_close(z.grad, 2 * (z.detach() - centers[LABELS]))


def test_balanced_assignments_is_the_divergence_of_the_shares():
    q, prior = draw(20, 4).softmax(1), draw(4, seed=1).softmax(0)
    shares = q.numpy().sum(0) / 20
    uniform = scipy.special.rel_entr(shares, np.full(4, 0.25)).sum()
    assert balanced_assignments(q).item() == pytest.approx(uniform, rel=1e-9)
    other = scipy.special.rel_entr(shares, prior.numpy()).sum()
    assert balanced_assignments(q, prior).item() == pytest.approx(other, rel=1e-9)
    assert balanced_assignments(q, q.mean(0)).item() == pytest.approx(0, abs=1e-12)


def test_balanced_assignments_by_hand():
    # Everything in one of four clusters: log 4. Each sample is sure, and the shares are even: 0.
    one = torch.tensor([[1.0, 0.0, 0.0, 0.0]] * 3, requires_grad=True)
    loss = balanced_assignments(one)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(4)) and torch.isfinite(one.grad).all()
    assert balanced_assignments(torch.eye(4)).item() == pytest.approx(0, abs=1e-7)


def test_group_sparsity_is_the_group_lasso():
    z = draw(5, 6)
    expected = np.mean(
        [np.linalg.norm(row[:1]) + 2**0.5 * np.linalg.norm(row[1:3]) + 3**0.5 * np.linalg.norm(row[3:]) for row in z]
    )
    assert group_sparsity(z, [1, 2, 3]).item() == pytest.approx(expected, rel=1e-12)


def test_group_sparsity_reaches_zero_and_stays_there():
    z = torch.tensor([[0.0, 0.0, 3.0, 4.0]], requires_grad=True)
    group_sparsity(z, (2, 2)).backward()
    # A unit pull on the group that is there, none on the one that is gone.
    torch.testing.assert_close(z.grad, 2**0.5 * torch.tensor([[0.0, 0.0, 0.6, 0.8]]))


def test_cluster_classification_is_the_cross_entropy():
    logits = draw(6, 3)
    chosen = scipy.special.log_softmax(logits.numpy(), axis=1)[range(6), LABELS]
    assert cluster_classification(logits, LABELS).item() == pytest.approx(-chosen.mean(), rel=1e-12)


def test_cluster_affinity_is_the_definition():
    w, labels = draw(6, 6).abs().numpy(), LABELS.numpy()
    found = cluster_affinity(torch.from_numpy(w), LABELS, 4).numpy()
    for i in range(3):
        for j in range(3):
            a, b = np.flatnonzero(labels == i), np.flatnonzero(labels == j)
            there, back = w[np.ix_(a, b)], w[np.ix_(b, a)]
            expected = (there @ back).sum() / len(a) ** 2 + (back @ there).sum() / len(b) ** 2
            assert found[i, j] == pytest.approx(expected, rel=1e-12)
    assert not found[3].any() and not found[:, 3].any()  # no member


def test_merging_by_hand():
    affinity = torch.tensor([[9.0, 4.0, 1.0, 3.0], [4, 9, 0, 0], [1, 0, 9, 0], [3, 0, 0, 9]])
    # Neighbours of cluster 0: 4, 3, 1. -4 - weight / 2 * (1 + 3), and with two neighbours -4 - weight * 1.
    assert merging(affinity, 0).item() == pytest.approx(-6)
    assert merging(affinity, 0, n_neighbors=2, weight=0.5).item() == pytest.approx(-4.5)
    assert merging(affinity[:2, :2], 1).item() == pytest.approx(-4)


def test_triplet_by_hand():
    anchor, positive = torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    negative = torch.tensor([[0.0, 1.5], [5.0, 0.0]])
    # Row 1: 2 * 1 - 2.25 + 0.5; row 2 is far past its margin.
    assert triplet(anchor, positive, negative, gamma=2, margin=0.5).item() == pytest.approx(0.25 / 2)


def test_gradients():
    check = torch.autograd.gradcheck
    z, centers, logits = draw(6, 4).requires_grad_(), draw(3, 4, seed=1).requires_grad_(), draw(6, 3).requires_grad_()
    for reduction in ("mean", "sum"):
        assert check(lambda a, b, how=reduction: k_means(a, b, LABELS, reduction=how), (z, centers))
    prior = draw(3, seed=2).softmax(0)
    assert check(lambda a: balanced_assignments(a.softmax(1), prior), (logits,))
    assert check(lambda a: group_sparsity(a, [1, 3]), (z,))
    assert check(lambda a: cluster_classification(a, LABELS), (logits,))
    assert check(lambda a: triplet(a, a.roll(1, 0), a.roll(2, 0), gamma=1.5, margin=3), (z,))
    assert check(lambda a: merging(cluster_affinity((-torch.cdist(a, a)).exp(), LABELS, 3), 1), (z,))


def test_reduced_precision_is_left():
    z, centers, labels = draw(300, 4), draw(3, 4, seed=1), torch.arange(300) % 3
    prior = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    narrow = torch.bfloat16
    z, centers, q = z.to(narrow), centers.to(narrow), draw(300, 3).softmax(1).to(narrow)
    w = draw(300, 300).abs().to(narrow)
    calls = [
        (k_means, (z, centers, labels)),
        (balanced_assignments, (q, prior.to(narrow))),
        (group_sparsity, (z, (2, 2))),
        (cluster_classification, (z, labels)),
        (cluster_affinity, (w, labels, 3)),
        (triplet, (z, z.flip(0), -z)),
    ]
    for loss, arguments in calls:
        with torch.autocast("cpu", dtype=narrow):
            found = loss(*arguments)
        wide = (a.double() if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in arguments)
        assert found.dtype == torch.float32, loss.__name__
        torch.testing.assert_close(found.double(), loss(*wide), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: k_means(torch.zeros(6, 3), torch.zeros(3, 1), LABELS), "centers: expected width 3, that of z, got 1"),
        (lambda: k_means(torch.zeros(5, 3), torch.zeros(3, 3), LABELS), r"labels: expected shape \(5,\).*\(6,\)"),
        (lambda: balanced_assignments(torch.ones(2, 3), torch.ones(2)), r"prior: expected shape \(3,\).*\(2,\)"),
        (lambda: balanced_assignments(torch.ones(2, 2), torch.tensor([1.0, 0.0])), "prior: expected positive"),
        (lambda: balanced_assignments(torch.ones(2, 2), torch.ones(2)), r"prior: .* sum to 1, got \[1.0, 1.0\]"),
        (lambda: group_sparsity(torch.ones(2, 5), [2, 2]), r"group_sizes: .* sum to 5.*, got \[2, 2\]"),
        (lambda: group_sparsity(torch.ones(2, 5), [6, -1]), r"group_sizes: expected positive .*, got \[6, -1\]"),
        (lambda: cluster_classification(torch.ones(2, 5), LABELS), r"labels: expected shape \(2,\).*\(6,\)"),
        (lambda: cluster_affinity(torch.ones(6, 5), LABELS, 3), r"w: expected shape \(n, n\), got \(6, 5\)"),
        (lambda: cluster_affinity(torch.ones(5, 5), LABELS, 3), r"labels: expected shape \(5,\).*\(6,\)"),
        (lambda: merging(torch.ones(1, 1), 0), r"affinity: .* at least 2, got \(1, 1\)"),
        (lambda: merging(torch.ones(3, 3), 3), "cluster: expected an index from 0 to 2, got 3"),
        (lambda: merging(torch.ones(3, 3), 0, n_neighbors=1), "n_neighbors: expected an integer of at least 2, got 1"),
        (lambda: merging(torch.ones(3, 3), 0, weight=-1), "weight: expected a number in"),
        (lambda: triplet(torch.ones(2, 3), torch.ones(2, 3), torch.ones(1, 3)), r"negative: .*\(2, 3\), got \(1, 3\)"),
        (lambda: triplet(*torch.ones(3, 2, 3), gamma=0), "gamma: expected a number in"),
        (lambda: triplet(*torch.ones(3, 2, 3), margin=-0.1), "margin: expected a number in"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


OF_LABELS = {
    "k_means": lambda labels: k_means(torch.randn(6, 2), torch.randn(3, 2), labels),
    "cluster_classification": lambda labels: cluster_classification(torch.randn(6, 3), labels),
    "cluster_affinity": lambda labels: cluster_affinity(torch.rand(6, 6), labels, 3),
}


@pytest.mark.parametrize("name", OF_LABELS)
def test_labels_are_integers_of_any_kind_and_in_range(name):
    def loss(labels):
        torch.manual_seed(0)
        return OF_LABELS[name](labels)

    labels = torch.tensor([0, 1, 2, 2, 1, 1])
    for dtype in (torch.int32, torch.uint8):
        assert torch.equal(loss(labels.to(dtype)), loss(labels))
    for wrong in (3, -100, -1):
        with pytest.raises(ValueError, match=f"labels: expected indices from 0 to 2, got {wrong}"):
            loss(torch.tensor([0, 1, 2, wrong, 1, 1]))
    with pytest.raises(TypeError, match="labels: expected integers, got torch"):
        loss(labels.float())
