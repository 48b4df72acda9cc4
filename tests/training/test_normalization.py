"""Running statistics are those of the data, whatever passed before."""

import numpy as np
import pytest
import torch
from torch import nn

from dctutor.architectures import CNN, MLP
from dctutor.training.normalization import measure_batch_norm, untracked_batch_norm


def draw(n, d=3, seed=0):
    return 5 + 2 * torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_one_batch_gives_the_exact_moments_of_each_layer():
    network, x = MLP(3, (4, 5, 2), batch_norm=True), draw(200)
    network(100 * draw(50, seed=1))  # what passed in training
    network.eval()
    measure_batch_norm(network, x)
    (a, b, _), (first, second) = network.layers, network.norms
    hidden = a(x).detach().numpy()
    np.testing.assert_allclose(first.running_mean, hidden.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first.running_var, hidden.var(0, ddof=1), rtol=1e-4)
    normalised = torch.from_numpy((hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + first.eps)).relu()
    np.testing.assert_allclose(second.running_mean, b(normalised).detach().numpy().mean(0), rtol=1e-3, atol=1e-5)
    assert not first.training and first.momentum == 0.1


def test_sorted_data_in_many_batches_come_close():
    x = torch.sort(draw(5000), dim=0).values
    layer = nn.BatchNorm1d(3)
    measure_batch_norm(layer, x)
    torch.testing.assert_close(layer.running_mean, x.mean(0), rtol=1e-4, atol=0)
    torch.testing.assert_close(layer.running_var, x.var(0), rtol=0.01, atol=0)
    assert layer.training


def test_a_convolutional_network_and_a_forward_of_its_own():
    network, images = CNN((1, 8, 8), (3, 4), 2, batch_norm=True).eval(), draw(20, 64)
    measure_batch_norm(network, images, network.layer_outputs)
    maps = network.convolutions[1](network.layer_outputs(images)[0])
    torch.testing.assert_close(network.norms[1].running_mean, maps.mean((0, 2, 3)))


def test_without_such_layers_nothing_passes_and_an_error_leaves_the_modes():
    measure_batch_norm(MLP(3, (2,)), draw(4), lambda x: pytest.fail("called"))

    def fail(x):
        raise RuntimeError("stop")

    layer = nn.BatchNorm1d(3).eval()
    with pytest.raises(RuntimeError, match="stop"):
        measure_batch_norm(layer, draw(4), fail)
    assert not layer.training and layer.momentum == 0.1


def test_untracked_samples_are_normalised_among_themselves_and_leave_no_trace():
    network = MLP(3, (4, 5, 2), batch_norm=True)
    network(draw(50))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    other = 100 * draw(40, seed=1)
    with untracked_batch_norm(network):
        found = network(other)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    torch.testing.assert_close(found, network(other))  # which leaves a trace
    assert not torch.equal(network.norms[0].running_mean, before["norms.0.running_mean"])


def test_untracked_layers_in_evaluation_mode_use_the_running_statistics():
    network = MLP(3, (4, 5, 2), batch_norm=True)
    network(draw(50))
    network.eval()
    expected = network(draw(9, seed=1))
    with pytest.raises(RuntimeError, match="stop"), untracked_batch_norm(network):
        assert torch.equal(network(draw(9, seed=1)), expected)
        raise RuntimeError("stop")
    assert all(norm.track_running_stats for norm in network.norms)
