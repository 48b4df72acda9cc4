from itertools import pairwise

import pytest
import torch
from torch import nn

from dctutor.architectures import Autoencoder


@pytest.mark.parametrize("widths", [(4,), (8, 3), (500, 500, 2000, 10), [6, 5, 7, 2]])
def test_shapes(widths):
    network, x = Autoencoder(12, widths), torch.randn(5, 12)
    outputs = network.layer_outputs(x)
    assert [tuple(output.shape) for output in outputs] == [(5, width) for width in widths]
    assert torch.equal(outputs[-1], network.encode(x))
    assert torch.equal(network(x), network.decode(network.encode(x)))
    assert network(x).shape == x.shape and network.embedding_dim == widths[-1]
    encoder = [12, *widths]
    for layers, sizes in ((network.encoder, encoder), (network.decoder, encoder[::-1])):
        assert [(layer.in_features, layer.out_features) for layer in layers] == list(pairwise(sizes))


def test_forward_is_the_stack_written_out():
    network, x = Autoencoder(6, (5, 4, 2)), torch.randn(7, 6)
    (a, b, c), (d, e, f) = network.encoder, network.decoder
    z = c(b(a(x).relu()).relu())
    torch.testing.assert_close(network.encode(x), z)
    torch.testing.assert_close(network(x), f(e(d(z).relu()).relu()))


def test_hidden_layers_are_rectified_and_both_ends_linear():
    network, x = Autoencoder(6, (30, 20)), torch.randn(200, 6)
    hidden, z = network.layer_outputs(x)
    assert hidden.min() == 0 and z.min() < 0 < z.max() and network(x).min() < 0


def test_weights_are_glorots_and_biases_zero():
    network = Autoencoder(300, (200, 10))
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert bound * 0.98 < layer.weight.abs().max() <= bound
            assert not layer.bias.any()


def test_pytorchs_own_initial_weights():
    network = Autoencoder(300, (200, 10), weight_init="pytorch")
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            assert bound * 0.98 < layer.weight.abs().max() <= bound
            assert 0 < layer.bias.abs().max() <= bound
    with pytest.raises(ValueError, match="weight_init: expected 'glorot' or 'pytorch', got 'he'"):
        Autoencoder(300, weight_init="he")


def test_embedding_is_float32_under_autocast():
    network, x = Autoencoder(6, (5, 2)), torch.randn(7, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, z = network.layer_outputs(x)
    assert hidden.dtype == torch.bfloat16 and z.dtype == torch.float32
    torch.testing.assert_close(z, network.encode(x), rtol=0.05, atol=0.05)


def test_float64():
    network, x = Autoencoder(6, (5, 2)).double(), torch.randn(7, 6, dtype=torch.float64)
    assert network(x).dtype == torch.float64


@pytest.mark.parametrize("widths", [(), (0,), (5, -1)])
def test_bad_widths(widths):
    with pytest.raises(ValueError, match="widths: expected"):
        Autoencoder(4, widths)
