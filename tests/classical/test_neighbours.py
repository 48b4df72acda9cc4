"""The graph of neighbours, against scikit-learn."""

import numpy as np
import pytest
import torch
from sizes import Sizes
from sklearn.neighbors import NearestNeighbors

from dctutor.classical import neighbour_graph


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neighbour_graph(torch.ones(5), 2), r"x: expected shape \(n, d\), got \(5,\)"),
        (lambda: neighbour_graph(torch.ones(5, 2), 5), "n_neighbors: expected fewer than the 5 samples, got 5"),
        (lambda: neighbour_graph(torch.ones(5, 2), 0), "n_neighbors: expected an integer of at least 1, got 0"),
        (lambda: neighbour_graph(torch.ones(5, 2), 2, weights="cosine"), "weights: .*, got 'cosine'"),
        (lambda: neighbour_graph(torch.ones(5, 2), 2, t=0), "t: expected a number in"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_memory_is_one_copy_of_the_data_and_one_block(dtype):
    n, d, k, block_size = 300, 400, 200, 10
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    before = x.clone()
    with Sizes() as sizes:
        neighbour_graph(x, k, block_size=block_size)
    assert torch.equal(x, before)
    # All differences of a block would be block_size k d = 800,000 numbers, the data are 120,000.
    assert sum(size >= 8 * n * d for size in sizes.bytes) == 1 and max(sizes.bytes) == 8 * n * d
