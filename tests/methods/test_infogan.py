"""InfoGAN: the game with a bound on information, and what its generator and its reader are good for."""

import math

import numpy as np
import pytest
import torch
from small_fits import blobs, small, trained
from torch import distributions
from torch.nn import functional

from dctutor import InfoGAN
from dctutor.metrics import clustering_accuracy
from dctutor.training import Loop

X, TRUTH = blobs()
IMAGES = np.random.default_rng(0).random((24, 1, 6, 4))


@pytest.fixture(scope="module")
def fitted():
    return trained(InfoGAN).fit(X)


@pytest.mark.parametrize("info_weight", [1.0, 0.3, 0.0])
def test_one_step_is_the_two_turns_of_equation_6(info_weight):
    """Written out with PyTorch's distributions and Adam, from what the same seed builds and draws."""
    seeds = []
    settings = {"epochs": 1, "batch_size": 120, "precision": "float32", "device": "cpu", "info_weight": info_weight}
    fitted = small(InfoGAN, on_epoch=lambda loop: seeds.append(loop.seed), **settings).fit(X)
    loop = Loop(fitted.scaling_.apply(X.astype(np.float32)), seed=seeds[0], device="cpu", precision="float32")
    network = loop.build(lambda: fitted._build_network(8))
    g, d = network.generator, network.discriminator
    with torch.no_grad():
        mean = loop.x.mean(0)
        g.body.layers[-1].bias.copy_((mean / (1 - mean)).log())
    step_d, step_g = (torch.optim.Adam(player.parameters(), lr=1e-3, betas=(0.5, 0.999)) for player in (d, g))
    x = loop.x[torch.randperm(120, generator=loop.generator)]
    c = torch.randint(3, (120,), generator=loop.noise_generator)
    rest = 2 * torch.rand(120, 5, generator=loop.noise_generator) - 1
    made = g(torch.cat([torch.eye(3)[c], rest], 1))

    def information(read):
        categorical = distributions.Categorical(logits=read[:, :3]).log_prob(c).mean() + math.log(3)
        continuous = distributions.Normal(read[:, 3], 1.0).log_prob(rest[:, 0]).mean()
        return categorical, continuous + math.log(2 * math.pi) / 2

    def answers(samples):
        features = functional.leaky_relu(d.norm(d.trunk(samples)), 0.1)
        return d.judge(features).sigmoid(), d.reader(features)

    real, (fake, read) = answers(x)[0], answers(made.detach())
    first = {"discriminator": -real.log().mean() - (1 - fake).log().mean()}
    first["information"], continuous = information(read)
    first["squared"] = -2 * continuous
    first["loss"] = first["discriminator"] - first["information"] - continuous
    first["loss"].backward()
    step_d.step()
    fake, read = answers(made)
    first["generator"] = -fake.log().mean()
    step_g.zero_grad()
    (first["generator"] - info_weight * sum(information(read))).backward()
    step_g.step()

    assert fitted.history_["game"].keys() == first.keys() | {"epoch"}
    for name, value in first.items():
        assert fitted.history_["game"][name] == [pytest.approx(value.item(), abs=1e-5)], name
    expected = dict(network.named_parameters())
    # Batch norm takes away the bias before it, and Adam steps along rounding.
    hidden = {"generator.body.layers.0.bias", "discriminator.reader.layers.0.bias"}
    hidden |= {f"discriminator.trunk.body.layers.{i}.bias" for i in (0, 1)}
    for name, value in fitted.network_.named_parameters():
        if name not in hidden:
            torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-4, msg=name)


def test_reader_reads_what_the_generator_was_told(fitted):
    made = np.concatenate([fitted.sample(30, cluster=k, random_state=k) for k in range(3)])
    assert np.mean(fitted.predict(made) == np.repeat(range(3), 30)) > 0.9
    assert made.min() >= X.min() - 1e-6 and made.max() <= X.max() + 1e-6
    # Samples of a cluster lie near the real ones of that cluster, and nearer than those of others.
    means = np.stack([X[fitted.labels_ == k].mean(0) for k in range(3)])
    distance = np.linalg.norm(made[:, None] - means, axis=2)
    assert np.mean(distance.argmin(1) == np.repeat(range(3), 30)) > 0.9
    np.testing.assert_array_equal(fitted.sample(7, random_state=3), fitted.sample(7, random_state=3))


def test_predictions_use_the_statistics_of_real_samples(fitted):
    body = fitted.network_.discriminator.trunk.body
    x = torch.from_numpy(fitted.scaling_.apply(X.astype(np.float32)))
    first = body.layers[0](x)
    torch.testing.assert_close(body.norms[0].running_mean, first.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(body.norms[0].running_var, first.var(0), rtol=1e-4, atol=1e-5)
    alone = np.concatenate([fitted.predict_proba(row[None]) for row in X[:5]])
    np.testing.assert_allclose(alone, fitted.predict_proba(X)[:5], rtol=1e-4, atol=1e-6)


def test_embedding_is_the_logits_and_then_the_continuous_codes(fitted):
    z = fitted.transform(X)
    assert z.shape == (120, 4)
    power = np.exp(z[:, :3])
    np.testing.assert_allclose(fitted.predict_proba(X), power / power.sum(1, keepdims=True), rtol=1e-4, atol=1e-6)
    # The code that a sample is made with is the one that is read from it.
    inputs = fitted._inputs(200, torch.Generator().manual_seed(0))[1]
    with torch.no_grad():
        made = fitted.scaling_.undo(fitted.network_.make(inputs).numpy())
    assert np.corrcoef(fitted.transform(made)[:, 3], inputs[:, 3])[0, 1] > 0.6


def test_without_its_weight_the_generator_does_not_hear_of_information():
    """Whatever Q says, G then gets the gradient of a plain GAN; Q itself goes on learning."""
    bounds = {}
    for weight in (0.0, 1.0):
        history = trained(InfoGAN, info_weight=weight, noise_dim=40).fit(X).history_["game"]
        bounds[weight] = np.mean(history["information"][-10:])
    assert bounds[1.0] > 0.9 > bounds[0.0] + 0.3


def test_codes_are_one_hot_rows_and_even_noise():
    model = small(InfoGAN, n_continuous=2, noise_dim=3)
    categories, inputs = model._inputs(20_000, torch.Generator().manual_seed(0))
    assert inputs.shape == (20_000, 8)
    assert torch.equal(inputs[:, :3].argmax(1), categories) and torch.equal(inputs[:, :3].sum(1), torch.ones(20_000))
    torch.testing.assert_close(categories.bincount() / 20_000, torch.full((3,), 1 / 3), atol=0.02, rtol=0)
    rest = inputs[:, 3:]
    assert -1 <= rest.min() < -0.999 and 0.999 < rest.max() < 1
    torch.testing.assert_close(rest.var(0), torch.full((5,), 1 / 3), atol=0.02, rtol=0)


def test_no_continuous_code():
    fitted = trained(InfoGAN, n_continuous=0).fit(X)
    assert fitted.transform(X).shape == (120, 3) and clustering_accuracy(TRUTH, fitted.labels_) > 0.98
    assert set(fitted.history_["game"]["squared"]) == {0.0}


def test_convolutions_are_for_images():
    with pytest.raises(ValueError, match="channels: expected None for samples that are not images"):
        small(InfoGAN, channels=(2, 3)).fit(X)
    settings = {"channels": (2, 3), "epochs": 2}
    fitted = small(InfoGAN, **settings).fit(IMAGES)
    flat = small(InfoGAN, image_shape=(1, 6, 4), **settings).fit(IMAGES.reshape(24, -1))
    assert fitted.sample(5, cluster=1).shape == (5, 24) and fitted.transform(IMAGES).shape == (24, 4)
    np.testing.assert_array_equal(fitted.labels_, flat.labels_)
