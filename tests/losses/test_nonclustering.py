"""Self-augmentation, locality, and the graph of neighbours, against NumPy, SciPy and scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.spatial import distance
from sklearn.neighbors import NearestNeighbors

from dctutor.classical import neighbour_graph
from dctutor.losses import layerwise_reconstruction, locality_preserving, self_augmentation


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_layerwise_reconstruction_is_the_sum_of_mean_squares():
    clean, rebuilt = ([draw(5, *shape, seed=seed) for shape in ((7,), (3, 4, 4), (6,))] for seed in (0, 1))
    first, *hidden = (((a - b) ** 2).mean() for a, b in zip(clean, rebuilt, strict=True))
    first, *hidden = (float(square) for square in (first, *hidden))
    assert layerwise_reconstruction(clean, rebuilt).item() == pytest.approx(first + sum(hidden), rel=1e-12)
    found = layerwise_reconstruction(clean, rebuilt, hidden_weight=0.1).item()
    assert found == pytest.approx(first + 0.1 * sum(hidden), rel=1e-12)
    assert layerwise_reconstruction(clean[:1], rebuilt[:1]).item() == pytest.approx(first, rel=1e-12)


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


@pytest.mark.parametrize("block_size", [7, 64, 1000])
def test_neighbour_graph_is_scikit_learns(block_size):
    x = draw(100, 5) + 50
    graph = neighbour_graph(x, 6, t=2.0, block_size=block_size)
    distances, index = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(x).kneighbors()
    np.testing.assert_array_equal(graph.neighbors, index)
    np.testing.assert_allclose(graph.similarity, np.exp(-(distances**2) / 2), rtol=1e-9)
    by_scale = neighbour_graph(x, 6).similarity
    np.testing.assert_allclose(by_scale, np.exp(-(distances**2) / np.mean(distances**2)), rtol=1e-9)
    binary = neighbour_graph(x, 6, weights="binary")
    assert torch.equal(binary.neighbors, graph.neighbors) and (binary.similarity == 1).all()


def test_neighbour_graph_refuses_integers():
    with pytest.raises(TypeError, match=r"x: expected floating-point samples, got torch\.uint8"):
        neighbour_graph(torch.eye(4, dtype=torch.uint8), 2)


def test_neighbour_graph_leaves_out_the_sample_but_not_its_twin():
    x = torch.tensor([[0.0], [0.0], [0.0], [9.0]])
    graph = neighbour_graph(x, 2, t=1.0)
    assert [set(row) for row in graph.neighbors[:3].tolist()] == [{1, 2}, {0, 2}, {0, 1}]
    assert (graph.similarity[:3] == 1).all()
    assert torch.isfinite(neighbour_graph(torch.zeros(4, 2), 2).similarity).all()


def test_neighbour_graph_in_float32_far_from_the_origin():
    # Two rows of points, 1,000 away: there the square of a float32 is good to 0.06.
    x = torch.stack([torch.arange(20.0) * 0.1, torch.full((20,), 1000.0)], dim=1)
    graph = neighbour_graph(x, 1)
    assert ((graph.neighbors[:, 0] - torch.arange(20)).abs() == 1).all()


def test_neighbour_graph_of_far_off_groups_is_scikit_learns():
    x = torch.cat([draw(50, 10), draw(50, 10, seed=1) + 20_000]).float()
    _, expected = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(x.double().numpy()).kneighbors()
    assert np.array_equal(neighbour_graph(x, 5).neighbors.numpy(), expected)


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
        (lambda: layerwise_reconstruction([torch.ones(2, 3)], []), "rebuilt: expected .* each of 1 layers, got 0"),
        (lambda: layerwise_reconstruction([torch.ones(2, 3)], [torch.ones(2, 4)]), r"x_hat: .*\(2, 3\), got \(2, 4\)"),
        (lambda: layerwise_reconstruction([torch.ones(1)], [torch.ones(1)], hidden_weight=-1), "hidden_weight: "),
        (lambda: self_augmentation(torch.ones(2, 3), torch.ones(1, 3)), r"augmented: .*\(2, 3\), got \(1, 3\)"),
        (lambda: self_augmentation(torch.ones(2, 3), torch.ones(2, 3), similarity="l2"), "similarity: .*, got 'l2'"),
        (lambda: neighbour_graph(torch.ones(5), 2), r"x: expected shape \(n, d\), got \(5,\)"),
        (lambda: neighbour_graph(torch.ones(5, 2), 5), "n_neighbors: expected fewer than the 5 samples, got 5"),
        (lambda: neighbour_graph(torch.ones(5, 2), 0), "n_neighbors: expected an integer of at least 1, got 0"),
        (lambda: neighbour_graph(torch.ones(5, 2), 2, weights="cosine"), "weights: .*, got 'cosine'"),
        (lambda: neighbour_graph(torch.ones(5, 2), 2, t=0), "t: expected a number in"),
        (
            lambda: locality_preserving(torch.ones(5, 2), torch.ones(3, dtype=torch.long), torch.ones(3)),
            r"pairs: expected shape \(e, 2\) with at least one pair, got \(3,\)",
        ),
        (
            lambda: locality_preserving(torch.ones(5, 2), torch.ones(3, 2, dtype=torch.long), torch.ones(1)),
            r"similarity: expected shape \(3,\), one a pair, got \(1,\)",
        ),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
