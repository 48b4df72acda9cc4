"""VAEs and the players of a GAN, alone and in the training loop."""

import numpy as np
import pytest
import torch
from torch import nn

from dctutor.architectures import (
    VAE,
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
    ConvolutionalVAE,
    Discriminator,
    Generator,
)
from dctutor.losses import bernoulli_nll, discriminator_loss, gaussian_kl, generator_loss
from dctutor.training import Loop
from dctutor.training.checkpoint import Checkpoint

X = np.zeros((50, 1, 7, 6), dtype=np.float32)
X[np.arange(50), 0, :, np.arange(50) % 6] = 1  # bars
VAES = {
    "dense": (lambda: VAE(42, (9, 3)), (-1, 42)),
    "convolutional": (lambda: ConvolutionalVAE((1, 7, 6), (4, 6), 3), (-1, 1, 7, 6)),
}
each_vae = pytest.mark.parametrize(("make", "shape"), VAES.values(), ids=VAES)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@each_vae
def test_vae_shapes_and_halves(make, shape):
    network, x = make(), torch.from_numpy(X).reshape(shape)
    mean, log_variance = network.posterior(x)
    assert mean.shape == log_variance.shape == (50, 3) and network.embedding_dim == 3
    assert torch.equal(torch.cat([mean, log_variance], 1), network.encoder(x))
    assert torch.equal(network.encode(x), mean)
    logits, *encoded = network(x, seeded())
    assert logits.shape == x.shape
    assert torch.equal(logits.flatten(1), network.decode(network.sample(mean, log_variance, seeded())))
    assert torch.equal(encoded[0], mean) and torch.equal(encoded[1], log_variance)
    assert not torch.equal(logits, network(x, seeded(1))[0])


def test_samples_follow_the_distribution_that_they_are_drawn_from():
    mean = torch.tensor([2.0, -1.0]).expand(40_000, 2)
    variance = torch.tensor([0.25, 4.0]).expand(40_000, 2)
    z = VAE.sample(mean, variance.log(), seeded())
    torch.testing.assert_close(z.mean(0), mean[0], rtol=0, atol=0.05)
    torch.testing.assert_close(z.var(0), variance[0], rtol=0.05, atol=0)
    assert abs(torch.corrcoef(z.T)[0, 1]) < 0.02


def test_gradients_reach_mean_and_variance_through_a_sample():
    mean, log_variance = torch.zeros(5, 2, requires_grad=True), torch.zeros(5, 2, requires_grad=True)
    VAE.sample(mean, log_variance, seeded()).sum().backward()
    noise = torch.randn(5, 2, generator=seeded())
    torch.testing.assert_close(mean.grad, torch.ones(5, 2))
    torch.testing.assert_close(log_variance.grad, noise / 2)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 9, 14)])
def test_convolutional_players(shape):
    maker, judge = ConvolutionalGenerator(5, shape, (4, 8)), ConvolutionalDiscriminator(shape, (4, 8), n_outputs=2)
    made = maker(torch.randn(6, 5))
    assert made.shape == (6, *shape) and made.min() > 0 and made.max() < 1 and maker.latent_dim == 5
    assert judge(made).shape == (6, 2)
    assert [tuple(out.shape[:2]) for out in judge.body.layer_outputs(made)] == [(6, 4), (6, 8), (6, 2)]
    # Normalised: everything in the generator, all but the first layer in the discriminator.
    assert [type(norm) for norm in maker.body.norms] == [nn.BatchNorm2d, nn.BatchNorm2d]
    assert [type(norm) for norm in judge.body.norms] == [nn.Identity, nn.BatchNorm2d]


def test_dcgan_weights_have_the_papers_spread():
    for network in (ConvolutionalGenerator(64, (1, 28, 28)), ConvolutionalDiscriminator((1, 28, 28))):
        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_dense_players_written_out():
    maker, judge, noise = Generator(3, 6, (5,)), Discriminator(6, (5,)), torch.randn(9, 3)
    (a, b), (c, d) = maker.body.layers, judge.body.layers
    made = maker(noise)
    torch.testing.assert_close(made, b(a(noise).relu()).sigmoid())
    hidden = c(made)
    torch.testing.assert_close(judge(made), d(torch.where(hidden > 0, hidden, 0.2 * hidden)))
    assert Generator(3, 6, ())(noise).shape == (9, 6) and Discriminator(6, ())(made).shape == (9, 1)


def test_dense_players_with_batch_norm_and_a_slope():
    settings = {"batch_norm": True, "slope": 0.1}
    maker, judge, noise = Generator(3, 6, (5,), **settings), Discriminator(6, (5,), 2, **settings), torch.randn(9, 3)
    for player, x in ((maker, noise), (judge, torch.rand(9, 6))):
        first, last = player.body.layers
        hidden = (first(x) - first(x).mean(0)) / (first(x).var(0, correction=0) + 1e-5).sqrt()
        expected = last(torch.where(hidden > 0, hidden, 0.1 * hidden))
        torch.testing.assert_close(player(x), expected.sigmoid() if player is maker else expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(judge(x, lambda inputs: 0 * inputs), judge.body.layers[1].bias.expand(9, 2))


def train_vae(make, shape, checkpoint=None, epochs=3):
    loop = Loop(X.reshape(shape), seed=3, device="cpu", precision="float32", checkpoint=checkpoint)
    network = loop.build(make)
    loop.register(network=network)
    optimizer = loop.adam(network.parameters(), 1e-2)

    def step(index):
        x = loop.x[index]
        logits, mean, log_variance = network(x, loop.noise_generator)
        loss = bernoulli_nll(x, logits) + gaussian_kl(mean, log_variance)
        loop.minimize(loss, optimizer)
        return {"loss": loss}

    loop.run("vae", step, optimizers=[optimizer], epochs=epochs, batch_size=16)
    return [network], loop.history


def train_gan(checkpoint=None, epochs=3):
    loop = Loop(X, seed=3, device="cpu", precision="float32", checkpoint=checkpoint)
    maker = loop.build(lambda: ConvolutionalGenerator(4, (1, 7, 6), (4, 6)))
    judge = loop.build(lambda: ConvolutionalDiscriminator((1, 7, 6), (4, 6)))
    loop.register(maker=maker, judge=judge)
    players = [loop.adam(player.parameters(), 1e-3, betas=(0.5, 0.999)) for player in (judge, maker)]

    def step(index):
        made = maker(torch.randn(len(index), 4, generator=loop.noise_generator))
        judged = discriminator_loss(judge(loop.x[index]), judge(made.detach()))
        loop.minimize(judged, players[0])
        fooled = generator_loss(judge(made))
        loop.minimize(fooled, players[1])
        return {"judge": judged, "maker": fooled}

    loop.run("gan", step, optimizers=players, epochs=epochs, batch_size=16)
    return [maker, judge], loop.history


def state(networks):
    return [value.clone() for network in networks for value in network.state_dict().values()]


TRAININGS = {name: lambda vae=vae, **more: train_vae(*vae, **more) for name, vae in VAES.items()} | {"gan": train_gan}


@pytest.mark.parametrize("train", TRAININGS.values(), ids=TRAININGS)
def test_same_seed_same_weights_and_a_resumed_training_ends_there_too(train, tmp_path):
    """Batch normalisation's running means and both optimisers included; nobody draws from the global generator."""
    before = torch.get_rng_state()
    networks, history = train()
    expected = state(networks)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    file = tmp_path / "training"

    class Killed(Exception):
        pass

    class KilledAfterTheFirstEpoch(Checkpoint):
        def write(self, tensors, facts):
            super().write(tensors, facts)
            raise Killed

    with pytest.raises(Killed):
        train(checkpoint=KilledAfterTheFirstEpoch(file, "test", 0))
    networks, resumed = train(checkpoint=Checkpoint(file, "test", 0))
    assert all(torch.equal(a, b) for a, b in zip(state(networks), expected, strict=True))
    assert resumed == history


@each_vae
def test_a_vae_learns(make, shape):
    _, history = train_vae(make, shape, epochs=40)
    losses = history["vae"]["loss"]
    # Best possible without the code: each pixel is ink in one image of six.
    ignorant = 42 * (np.log(6) / 6 + np.log(6 / 5) * 5 / 6)
    assert losses[-1] < 0.8 * ignorant < losses[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VAE(4, ()), "widths: expected at least one layer"),
        (lambda: VAE(4, (3, 0)), "widths: expected an integer of at least 1, got 0"),
        (lambda: ConvolutionalVAE((1, 8, 8), kernel_size=2), "kernel_size: expected an odd positive number, got 2"),
        (lambda: Generator(2, 4, (0,)), "widths: expected an integer of at least 1, got 0"),
        (lambda: Generator(0, 4), "latent_dim: expected an integer of at least 1, got 0"),
        (lambda: Discriminator(4, (-1,)), "widths: expected an integer of at least 1, got -1"),
        (lambda: Discriminator(4, n_outputs=0), "n_outputs: expected an integer of at least 1, got 0"),
        (lambda: Generator(2, 0), "n_features: expected an integer of at least 1, got 0"),
        (lambda: ConvolutionalDiscriminator((1, 8, 8), n_outputs=0), "n_outputs: expected an integer of at least 1"),
        (lambda: ConvolutionalVAE((1, 8, 8), embedding_dim=-1), "embedding_dim: .* at least 1, got -1"),
        (lambda: Generator(2, 4, slope=-0.1), r"slope: expected a number in \[0, inf\), got -0.1"),
        (lambda: Discriminator(4, slope=-0.1), r"slope: expected a number in \[0, inf\), got -0.1"),
        (lambda: ConvolutionalGenerator(2, (8, 8)), "image_shape: "),
        (lambda: ConvolutionalDiscriminator((1, 8, 8), ()), "channels: "),
    ],
)
def test_bad_sizes(make, message):
    with pytest.raises(ValueError, match=message):
        make()
