"""Self-augmentation, locality and the reconstruction of layers, against NumPy and SciPy."""

import numpy as np
import pytest
import torch
from scipy.spatial import distance

from dctutor.classical import neighbour_graph
from dctutor.losses import layerwise_reconstruction, locality_preserving, self_augmentation


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_layerwise_reconstruction_is_the_sum_of_mean_squares():
    clean, reconstructed = ([draw(5, *shape, seed=seed) for shape in ((7,), (3, 4, 4), (6,))] for seed in (0, 1))
    first, *hidden = (((a - b) ** 2).mean() for a, b in zip(clean, reconstructed, strict=True))
    first, *hidden = (float(square) for square in (first, *hidden))
    assert layerwise_reconstruction(clean, reconstructed).item() == pytest.approx(first + sum(hidden), rel=1e-12)
    found = layerwise_reconstruction(clean, reconstructed, hidden_weight=0.1).item()
    assert found == pytest.approx(first + 0.1 * sum(hidden), rel=1e-12)
    assert layerwise_reconstruction(clean[:1], reconstructed[:1]).item() == pytest.approx(first, rel=1e-12)


def test_self_augmentation_is_the_equation():
    a, b = draw(6, 4), draw(6, 4, seed=1)
    cosine = np.mean([distance.cosine(u, v) for u, v in zip(a.numpy(), b.numpy(), strict=True)]) - 1
    squared = np.mean([distance.sqeuclidean(u, v) for u, v in zip(a.numpy(), b.numpy(), strict=True)])
    assert self_augmentation(a, b, similarity="cosine").item() == pytest.approx(cosine, rel=1e-12)
    assert self_augmentation(a, b, similarity="squared").item() == pytest.approx(squared, rel=1e-12)
    p, q = a.softmax(1), b.softmax(1)
    crossed = -np.mean(np.sum(p.numpy() * np.log(q.numpy()), axis=1))
    assert self_augmentation(p, q).item() == pytest.approx(crossed, rel=1e-12)


def test_self_augmentation_by_hand():
    original, augmented = torch.tensor([[1.0, 0.0], [0.5, 0.5]]), torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    assert self_augmentation(original, augmented).item() == pytest.approx(np.log(2))
    impossible = torch.tensor([[0.0, 1.0], [0.5, 0.5]], requires_grad=True)
    loss = self_augmentation(original, impossible)
    loss.backward()
    assert torch.isfinite(loss) and loss > 10 and torch.isfinite(impossible.grad).all()


@pytest.mark.parametrize("similarity", ["cross_entropy", "cosine", "squared"])
def test_self_augmentation_gradients(similarity):
    def loss(a, b):
        return self_augmentation(a.softmax(1), b.softmax(1), similarity=similarity)

    assert torch.autograd.gradcheck(loss, (draw(5, 3).requires_grad_(), draw(5, 3, seed=1).requires_grad_()))


def test_locality_preserving_is_the_equation():
    x, z = draw(12, 4), draw(12, 2, seed=1)
    neighbors, similarity = graph = neighbour_graph(x, 3)
    expected = 0.0
    for i in range(12):
        for j, s in zip(neighbors[i], similarity[i], strict=True):
            expected += s.item() * ((z[i] - z[j]) ** 2).sum().item()
    samples, pairs, weights = graph.edges(torch.arange(12))
    assert torch.equal(samples, torch.arange(12))
    found = locality_preserving(z[samples], pairs, weights, reduction="sum")
    assert found.item() == pytest.approx(expected, rel=1e-12)
    assert locality_preserving(z, pairs, weights).item() == pytest.approx(expected / 36, rel=1e-12)


def test_locality_of_mini_batches_adds_up_to_that_of_the_data():
    x, z = draw(50, 4), draw(50, 2, seed=1)
    graph = neighbour_graph(x, 4)

    def total(batch):
        samples, pairs, weights = graph.edges(batch)
        assert len(samples) == len(set(samples.tolist())) and set(batch.tolist()) <= set(samples.tolist())
        return locality_preserving(z[samples], pairs, weights, reduction="sum")

    batches = torch.randperm(50, generator=torch.Generator().manual_seed(0)).split(8)
    assert sum(map(total, batches)).item() == pytest.approx(total(torch.arange(50)).item(), rel=1e-12)


def test_locality_gradients():
    samples, pairs, weights = neighbour_graph(draw(10, 3), 3).edges(torch.arange(4))
    z = draw(len(samples), 2).requires_grad_()
    for reduction in ("mean", "sum"):
        assert torch.autograd.gradcheck(
            lambda a, how=reduction: locality_preserving(a, pairs, weights, reduction=how), z
        )


def test_reduced_precision_is_left():
    x, z = draw(60, 8).to(torch.bfloat16), draw(60, 2, seed=1).to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        graph = neighbour_graph(x, 5)
        found = locality_preserving(z, *graph.edges(torch.arange(60))[1:])
        augmented = self_augmentation(z, -z, similarity="squared")
    exact = neighbour_graph(x.double(), 5)
    assert torch.equal(graph.neighbors, exact.neighbors) and graph.similarity.dtype == torch.float32
    expected = locality_preserving(z.double(), *exact.edges(torch.arange(60))[1:])
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(augmented.double(), 4 * z.double().square().sum(1).mean(), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: layerwise_reconstruction([torch.ones(2, 3)], []),
            "reconstructed: expected .* each of 1 layers, got 0",
        ),
        (lambda: layerwise_reconstruction([torch.ones(2, 3)], [torch.ones(2, 4)]), r"x_hat: .*\(2, 3\), got \(2, 4\)"),
        (lambda: layerwise_reconstruction([torch.ones(1)], [torch.ones(1)], hidden_weight=-1), "hidden_weight: "),
        (lambda: self_augmentation(torch.ones(2, 3), torch.ones(1, 3)), r"augmented: .*\(2, 3\), got \(1, 3\)"),
        (lambda: self_augmentation(torch.ones(2, 3), torch.ones(2, 3), similarity="l2"), "similarity: .*, got 'l2'"),
        (
            lambda: locality_preserving(torch.ones(5, 2), torch.ones(3, dtype=torch.long), torch.ones(3)),
            r"pairs: expected shape \(e, 2\) with at least one pair, got \(3,\)",
        ),
        (
            lambda: locality_preserving(torch.ones(5, 2), torch.ones(3, 2, dtype=torch.long), torch.ones(1)),
            r"similarity: expected shape \(3,\), one per pair, got \(1,\)",
        ),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
