"""The autoencoder without dense layers: against SciPy's convolution, and sizes worked out by hand."""

import numpy as np
import pytest
import scipy.signal
import torch

from dctutor.architectures import FullyConvolutionalAutoencoder


def images(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_code_is_every_second_place_of_scipys_convolution():
    network, x = FullyConvolutionalAutoencoder((2, 9, 12), (3,), (5,)).double(), images(4, 2, 9, 12)
    (layer,) = network.encoder
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
    for image, code in zip(x.numpy(), network.encode(x.flatten(1)).detach().numpy(), strict=True):
        expected = []
        for kernel, bias in zip(layer.weight.detach().numpy(), layer.bias.detach().numpy(), strict=True):
            whole = sum(scipy.signal.correlate2d(image[c], kernel[c], mode="same") for c in range(2)) + bias
            expected.append(whole[::2, ::2].clip(0).ravel())
        np.testing.assert_allclose(code, np.concatenate(expected), atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 27, 18), (2, 5, 1), (1, 1, 1)])
def test_images_come_back_in_their_size_flat_or_not(shape):
    network = FullyConvolutionalAutoencoder(shape, (4, 6, 2), (5, 3, 3)).double()
    x = images(3, *shape)
    outputs = network.layer_outputs(x.flatten(1))
    assert len(outputs) == 3 and outputs[-1].shape == (3, network.embedding_dim) and outputs[-1].min() >= 0
    assert torch.equal(network.encode(x), outputs[-1])
    assert torch.equal(network(x).flatten(1), network.decode(outputs[-1])) and network(x).shape == x.shape
    assert torch.equal(network(x.flatten(1)), network.decode(outputs[-1]))


def test_center_gives_every_map_a_mean_of_zero_and_the_output_that_of_the_pixels():
    network, x = FullyConvolutionalAutoencoder((2, 9, 12), (3, 4), (5, 3)).double(), 0.5 + images(6, 2, 9, 12)
    network.center(x.flatten(1))
    maps = x
    for layer in [*network.encoder, network.decoder[0]]:
        maps = layer(maps)
        np.testing.assert_allclose(maps.mean((0, 2, 3)).detach().numpy(), 0, atol=1e-12)
        maps = maps.relu()
    output = network(x).reshape(x.shape)
    np.testing.assert_allclose(output.mean((0, 2, 3)).detach().numpy(), x.mean((0, 2, 3)).numpy())


def test_the_papers_sizes():
    # Ji et al. (2017), ORL and COIL-20. Weights and biases by hand, such as 5 x 5 x 1 x 5 + 5; 4 x 4 maps remain.
    network = FullyConvolutionalAutoencoder((1, 32, 32), (5, 3, 3), (5, 3, 3))
    sizes = [sum(p.numel() for p in layer.parameters()) for layer in (*network.encoder, *network.decoder)]
    assert sizes == [130, 138, 84, 84, 140, 126] and network.embedding_dim == 3 * 4 * 4
    assert FullyConvolutionalAutoencoder((1, 32, 32), (15,), (3,)).embedding_dim == 15 * 16 * 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (32, 32)}, "image_shape: expected"),
        ({"channels": ()}, "channels: expected at least one layer, got"),
        ({"channels": (0,)}, "channels: expected"),
        ({"channels": (3, 3)}, "kernel_sizes: expected 2, one per convolution"),
        ({"kernel_sizes": (4,)}, "kernel_sizes: expected an odd positive number, got 4"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        FullyConvolutionalAutoencoder(**{"image_shape": (1, 32, 32), **arguments})
