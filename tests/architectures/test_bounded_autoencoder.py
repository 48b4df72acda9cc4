"""The bounded autoencoder: its layers against NumPy, and the biases that it takes from the training data."""

import numpy as np
import pytest
import torch

from dctutor.architectures import BoundedAutoencoder


def make(**changes):
    torch.manual_seed(0)
    return BoundedAutoencoder(**{"n_features": 6, "widths": (5, 4, 2)} | changes)


def dense(layer, x):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def test_the_layers_are_those_of_the_paper():
    network = BoundedAutoencoder(784)
    widths = [784, *(layer.out_features for layer in network.encoder)]
    assert len(widths) == 8 and widths[-1] == 10 and widths == sorted(widths, reverse=True)
    back = [10, *(layer.out_features for layer in network.decoder)]
    assert len(back) == 9 and back[-1] == 784 and back == sorted(back)


def test_layer_by_layer():
    network, x = make(), np.random.default_rng(0).random((7, 6)).astype(np.float32)
    z = x
    for layer in network.encoder[:-1]:
        z = np.tanh(np.maximum(dense(layer, z), 0))
    z = np.tanh(dense(network.encoder[-1], z))
    np.testing.assert_allclose(network.encode(torch.tensor(x)).detach(), z, rtol=1e-5, atol=1e-6)
    for layer in network.decoder[:-1]:
        z = np.tanh(dense(layer, z))
    reconstructed = 1 / (1 + np.exp(-dense(network.decoder[-1], z)))
    np.testing.assert_allclose(network(torch.tensor(x)).detach(), reconstructed, rtol=1e-5, atol=1e-6)
    assert len(network.layer_outputs(torch.tensor(x))) == 3


def test_codes_and_reconstructions_stay_within_their_bounds():
    network = make()
    extremes = torch.cat([torch.zeros(1, 6), torch.ones(1, 6), torch.eye(6)])
    z, x_hat = network.encode(extremes), network(extremes)
    assert -1 < z.min() < 0 < z.max() < 1 and x_hat.min() > 0 and x_hat.max() < 1
    far = network.decode(torch.full((1, 2), 1e3))
    assert far.min() >= 0 and far.max() <= 1


def test_initial_biases_centre_each_unit():
    network, x = make(widths=(40, 30, 20)), torch.rand(200, 6, generator=torch.Generator().manual_seed(2))
    network.adapt(x)
    for layer, before in zip(network.encoder, [x, *network.layer_outputs(x)[:-1]], strict=True):
        assert layer(before).mean(0).abs().max() < 1e-5
    on = (network.encode(x) > 0).float().mean(0)
    assert on.min() > 0.1 and on.max() < 0.9


def test_a_unit_of_the_code_that_is_negative_for_all_samples_still_learns():
    network, x = make(), torch.rand(30, 6, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        network.encoder[-1].bias.fill_(-2)
    assert network.encode(x).max() < 0
    ((network(x) - x) ** 2).mean().backward()
    assert (network.encoder[-1].weight.grad.abs().sum(1) > 0).all()


def test_other_networks():
    assert [layer.out_features for layer in make(widths=(2,)).decoder] == [4, 6]
    for widths in ((), (4, 0)):
        with pytest.raises(ValueError, match="widths: expected"):
            make(widths=widths)
    with pytest.raises(ValueError, match="n_features: expected"):
        make(n_features=0)
