"""MLP, CNN and its mirror, and the convolutional autoencoder."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
import torch
from torch import nn

from dctutor.architectures import (
    CNN,
    MLP,
    Autoencoder,
    ConvolutionalAutoencoder,
    ConvolutionalDiscriminator,
    ConvolutionalVAE,
    FullyConvolutionalAutoencoder,
    TransposedCNN,
)
from dctutor.training import Loop, pretrain

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 16, 16), (3, 27, 18), (2, 5, 1)]


def images(shape=(1, 28, 28), n=3, dtype=torch.float32):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_mlp_is_the_stack_written_out():
    network, x = MLP(6, (5, 4, 2), torch.tanh), torch.randn(7, 6)
    a, b, c = network.layers
    hidden = [a(x).tanh(), b(a(x).tanh()).tanh()]
    outputs = network.layer_outputs(x)
    for found, expected in zip(outputs, [*hidden, c(hidden[-1])], strict=True):
        torch.testing.assert_close(found, expected)
    assert torch.equal(network(x), outputs[-1]) and network.embedding_dim == 2
    assert [(layer.in_features, layer.out_features) for layer in network.layers] == list(pairwise((6, 5, 4, 2)))


def test_mlp_normalises_between_layer_and_activation():
    plain, network, x = MLP(6, (5, 4, 2), torch.tanh), MLP(6, (5, 4, 2), torch.tanh, batch_norm=True), torch.randn(7, 6)
    assert set(plain.state_dict()) == {f"layers.{i}.{name}" for i in range(3) for name in ("weight", "bias")}
    outputs, (a, b, c) = network.layer_outputs(x), network.layers
    for layer, found in zip((a, b), outputs, strict=False):
        y = layer(x)
        x = ((y - y.mean(0)) / (y.var(0, correction=0) + 1e-5).sqrt()).tanh()
        torch.testing.assert_close(found, x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(outputs[-1], c(x), rtol=1e-4, atol=1e-5)
    assert len(network.norms) == 2  # the output is not normalised


def test_mlp_corrupts_the_input_of_every_layer():
    network, x = MLP(6, (5, 4, 2), torch.tanh), torch.randn(7, 6)
    seen = []

    def corrupt(inputs):
        seen.append(inputs)
        return inputs + 1

    a, b, c = network.layers
    expected = c(b(a(x + 1).tanh() + 1).tanh() + 1)
    torch.testing.assert_close(network(x, corrupt), expected)
    assert [inputs.shape[1] for inputs in seen] == [6, 5, 4]


def test_a_convolution_is_scipys_at_every_second_place():
    network, x = CNN((2, 9, 12), channels=(3,), embedding_dim=4), images((2, 9, 12), dtype=torch.float64)
    network = network.double()
    convolution = network.convolutions[0]
    maps, z = network.layer_outputs(x)
    for image, found in zip(x.numpy(), maps.detach().numpy(), strict=True):
        for kernel, bias, each in zip(*(p.detach().numpy() for p in convolution.parameters()), found, strict=True):
            whole = sum(scipy.signal.correlate2d(image[c], kernel[c], mode="same") for c in range(2)) + bias
            np.testing.assert_allclose(each, whole[::2, ::2].clip(0), atol=1e-12)
    torch.testing.assert_close(z, network.head(maps.flatten(1)))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mirror_returns_to_the_size_of_the_image(shape):
    network, x = ConvolutionalAutoencoder(shape, channels=(4, 6, 8), embedding_dim=7), images(shape)
    outputs = network.layer_outputs(x)
    sizes = [shape[1:]]
    for maps, output in zip((4, 6, 8), outputs[:-1], strict=True):
        sizes.append(tuple((size + 1) // 2 for size in sizes[-1]))
        assert output.shape == (3, maps, *sizes[-1])
    assert outputs[-1].shape == (3, 7) and network.embedding_dim == 7
    assert torch.equal(network.encode(x), outputs[-1])
    assert network(x).shape == x.shape
    assert torch.equal(network(x).flatten(1), network.decode(network.encode(x)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConvolutionalAutoencoder((2, 7, 6), (3, 4), 5),
        lambda: FullyConvolutionalAutoencoder((2, 7, 6), (3, 4), (3, 3)),
        lambda: ConvolutionalVAE((2, 7, 6), (3, 4), 5),
    ],
    ids=["autoencoder", "fully_convolutional", "vae"],
)
def test_image_networks_take_flat_rows_and_give_back_the_shape_of_their_input(make):
    network, x = make(), images((2, 7, 6), n=4)
    z = network.encode(x)
    assert z.shape == (4, network.embedding_dim)
    torch.testing.assert_close(network.encode(x.flatten(1)), z)
    assert network.decode(z).shape == (4, 84)
    generators = [[torch.Generator().manual_seed(0)] if isinstance(network, ConvolutionalVAE) else [] for _ in range(2)]
    as_images, flat = (network(given, *more) for given, more in zip((x, x.flatten(1)), generators, strict=True))
    if generators[0]:
        as_images, flat = as_images[0], flat[0]
    assert as_images.shape == x.shape and flat.shape == (4, 84)
    torch.testing.assert_close(as_images.flatten(1), flat)


@pytest.mark.parametrize("make", [lambda: CNN((2, 7, 6), (3, 4), 5), lambda: ConvolutionalDiscriminator((2, 7, 6))])
def test_networks_that_end_in_numbers_take_flat_rows_too(make):
    network, x = make().eval(), images((2, 7, 6), n=4)
    torch.testing.assert_close(network(x.flatten(1)), network(x))


def test_a_transposed_convolution_is_the_adjoint_of_the_convolution():
    # <A x, y> = <x, B y> for every x and y, where B has A's kernel and no bias.
    forward = CNN((2, 7, 6), channels=(3,), embedding_dim=1).convolutions[0].double()
    back = TransposedCNN(1, (2, 7, 6), channels=(3,)).convolutions[0].double()
    with torch.no_grad():
        back.weight.copy_(forward.weight)
    x, y = images((2, 7, 6), dtype=torch.float64), images((3, 4, 3), dtype=torch.float64)
    torch.testing.assert_close((forward(x) * y).sum(), (x * back(y)).sum())


def test_embedding_and_output_are_linear_and_the_embedding_is_float32():
    network, x = ConvolutionalAutoencoder((1, 16, 16), embedding_dim=20), images((1, 16, 16), n=50)
    *maps, z = network.layer_outputs(x)
    assert all(m.min() == 0 for m in maps) and z.min() < 0 < z.max() and network(x).min() < 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        *maps, reduced = network.layer_outputs(x)
    assert maps[0].dtype == torch.bfloat16 and reduced.dtype == torch.float32
    torch.testing.assert_close(reduced, z, rtol=0.05, atol=0.05)


# For flat images of 2 x 5 x 4.
AUTOENCODERS = {
    "dense": lambda **more: Autoencoder(40, (9, 6, 3), **more),
    "convolutional": lambda **more: ConvolutionalAutoencoder((2, 5, 4), (4, 6), 3, **more),
}
each_autoencoder = pytest.mark.parametrize("make", AUTOENCODERS.values(), ids=AUTOENCODERS)


@each_autoencoder
def test_decoder_outputs_mirror_the_encoders(make):
    network, x = make(), images((40,), n=7)
    *hidden, z = network.layer_outputs(x)
    *mirrored, x_hat = network.decoder_outputs(z)
    assert [h.shape for h in hidden] == [h.shape for h in reversed(mirrored)] and x_hat.shape == x.shape
    assert all(h.min() == 0 for h in mirrored) and torch.equal(network.decode(z), x_hat)
    assert torch.equal(network.encode(x), z) and network.embedding_dim == 3


@each_autoencoder
def test_the_codes_activation_reaches_codes_alone(make):
    linear, bounded, x = make(), make(code_activation=torch.tanh), images((40,), n=7)
    bounded.load_state_dict(linear.state_dict())
    *hidden, z = linear.layer_outputs(x)
    *same, tanh = bounded.layer_outputs(x)
    assert all(torch.equal(a, b) for a, b in zip(hidden, same, strict=True))
    torch.testing.assert_close(tanh, z.tanh())
    assert torch.equal(bounded.encode(x), tanh)
    assert torch.equal(bounded.decode(z), linear.decode(z))


@each_autoencoder
def test_corruption_meets_the_input_of_every_layer_but_the_last(make):
    network, x, met = make(code_activation=torch.tanh), images((40,), n=7), []

    def halve(value):
        met.append(value)
        return value / 2

    first, second, z = network.layer_outputs(x, halve)
    assert len(met) == 2 and torch.equal(met[0].flatten(1), x) and met[1] is first
    # Biases are zero, so ReLU networks scale with their input: half, a quarter, and a quarter in the code before tanh.
    clean = network.layer_outputs(x)
    torch.testing.assert_close(first, clean[0] / 2)
    torch.testing.assert_close(second, clean[1] / 4)
    torch.testing.assert_close(z.atanh(), clean[2].atanh() / 4)


def test_weights_are_glorots_and_biases_zero():
    network = ConvolutionalAutoencoder((1, 28, 28), channels=(32, 64))
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            area = layer.weight[0, 0].numel()
            bound = (6 / (area * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
            assert bound * 0.95 < layer.weight.abs().max() <= bound
            assert not layer.bias.any()


def test_denoising_reconstructs_the_clean_image_better_after_training():
    x = np.zeros((60, 1, 8, 8), dtype=np.float32)
    x[np.arange(60), 0, np.arange(60) % 8] = 1  # bars
    loop = Loop(x, seed=0, device="cpu", precision="float32")
    network = loop.build(lambda: ConvolutionalAutoencoder((1, 8, 8), (4, 8), 3, kernel_size=3))
    settings = {"noise": 0.3, "learning_rate": 1e-2, "batch_size": 20}
    pretrain(loop, network, layerwise_epochs=2, epochs=60, **settings)
    assert list(loop.history) == ["pretrain"]  # it has no pairs of layers
    losses = loop.history["pretrain"]["loss"]
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP(4, ()), "widths: expected at least one layer"),
        (lambda: MLP(0, (3,)), "n_features: expected an integer of at least 1, got 0"),
        (lambda: CNN((28, 28)), r"image_shape: expected \(channels, height, width\).*got \(28, 28\)"),
        (lambda: CNN((1, 0, 28)), "image_shape: "),
        (lambda: CNN((1, 28, 28), channels=()), "channels: expected at least one layer"),
        (lambda: CNN((1, 28, 28), channels=(4, 0)), "channels: expected an integer of at least 1, got 0"),
        (lambda: CNN((1, 28, 28), embedding_dim=0), "embedding_dim: "),
        (lambda: CNN((1, 28, 28), kernel_size=4), "kernel_size: expected an odd positive number, got 4"),
        (lambda: TransposedCNN(0, (1, 28, 28)), "embedding_dim: "),
        (lambda: TransposedCNN(2, (1, 28, 28), channels=(-1,)), "channels: "),
        (lambda: ConvolutionalAutoencoder((1, 28, 28), kernel_size=0), "kernel_size: "),
    ],
)
def test_bad_sizes(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Autoencoder(8, 5), "widths: expected a sequence of sizes, got 5"),
        (lambda: CNN((1, 8, 8), kernel_size=3.0), "kernel_size: expected an integer, got 3.0"),
        (lambda: CNN((1, 8, 8.0)), "image_shape: expected an integer, got 8.0"),
    ],
)
def test_sizes_of_another_type(make, message):
    with pytest.raises(TypeError, match=message):
        make()
