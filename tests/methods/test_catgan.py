"""CatGAN: the game of three entropies, and what its generator and its discriminator are good for."""

import numpy as np
import pytest
import torch
from small_fits import blobs, small

from dctutor import CatGAN
from dctutor.training import Loop

X, TRUTH = blobs()


@pytest.fixture(scope="module")
def fitted():
    return small(CatGAN, epochs=60).fit(X)


def entropy(p):
    return -(p * p.log()).sum(-1)


def test_one_step_is_the_two_turns_of_equation_7():
    """Written out with probabilities and PyTorch's own Adam, from what the same seed builds and draws."""
    seeds = []
    settings = {"epochs": 1, "batch_size": 120, "noise": 0.0, "precision": "float32", "device": "cpu"}
    fitted = small(CatGAN, on_epoch=lambda loop: seeds.append(loop.seed), **settings).fit(X)
    loop = Loop(fitted.scaling_.apply(X.astype(np.float32)), seed=seeds[0], device="cpu", precision="float32")
    network = loop.build(lambda: fitted._build_network(8))
    g, d = network.generator, network.discriminator
    step_d, step_g = (torch.optim.Adam(player.parameters(), lr=0.01, betas=(0.5, 0.999)) for player in (d, g))
    x = loop.x[torch.randperm(120, generator=loop.generator)]
    made = g(torch.rand(120, 4, generator=loop.noise_generator))

    real, fake = d(x).softmax(1), d(made.detach()).softmax(1)
    first = {"marginal": entropy(real.mean(0)), "real": entropy(real).mean(), "fake": entropy(fake).mean()}
    first["loss"] = first["real"] - first["marginal"] - first["fake"]
    first["loss"].backward()
    step_d.step()
    fake = d(made).softmax(1)
    gain = entropy(fake.mean(0)) - entropy(fake).mean()
    (-gain).backward()
    step_g.step()

    for name, value in {**first, "generator": gain}.items():
        assert fitted.history_["game"][name] == [pytest.approx(value.item(), abs=1e-5)], name
    expected = dict(network.named_parameters())
    for name, trained in fitted.network_.named_parameters():
        if not name.endswith("layers.0.bias"):  # batch norm takes it away, and Adam steps along rounding
            torch.testing.assert_close(trained, expected[name], rtol=1e-3, atol=1e-4)


def test_predictions_use_the_statistics_of_clean_real_samples(fitted):
    body = fitted.network_.discriminator.body
    x = torch.from_numpy(fitted.scaling_.apply(X.astype(np.float32)))
    first = body.layers[0](x)
    torch.testing.assert_close(body.norms[0].running_mean, first.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(body.norms[0].running_var, first.var(0), rtol=1e-4, atol=1e-5)
    alone = np.concatenate([fitted.predict_proba(row[None]) for row in X[:5]])
    np.testing.assert_allclose(alone, fitted.predict_proba(X)[:5], rtol=1e-4, atol=1e-6)


def test_embedding_is_the_logits(fitted):
    z = fitted.transform(X)
    assert z.shape == (120, 3)
    np.testing.assert_allclose(fitted.predict_proba(X), np.exp(z) / np.exp(z).sum(1, keepdims=True), rtol=1e-4)


def test_samples_of_a_cluster_are_those_that_the_discriminator_puts_there(fitted):
    for cluster in range(3):
        made = fitted.sample(20, cluster=cluster, random_state=0)
        assert made.shape == (20, 8) and (fitted.predict(made) == cluster).all()
        assert made.min() >= X.min() - 1e-6 and made.max() <= X.max() + 1e-6
        assert len(np.unique(made, axis=0)) == 20
    np.testing.assert_array_equal(fitted.sample(7, random_state=3), fitted.sample(7, random_state=3))


def test_a_cluster_that_is_never_made_is_an_error_and_not_an_endless_search():
    fitted = small(CatGAN, epochs=1).fit(X)
    with torch.no_grad():
        fitted.network_.discriminator.body.layers[-1].bias[1] = -1e6
    with pytest.raises(ValueError, match=r"cluster: .* put 0 into cluster 1, and 2 are needed"):
        fitted.sample(2, cluster=1)
    others = fitted.predict(fitted.sample(50, random_state=0))
    assert 1 not in others and len(fitted.sample(2, cluster=others[0])) == 2


def test_augment_is_for_images():
    amounts = {"rotation": 10, "shift": 0.1}
    with pytest.raises(ValueError, match="augment: expected None for samples that are not images"):
        small(CatGAN, augment=amounts).fit(X)
    with pytest.raises(ValueError, match=r"augment: expected some of .*, got 'turn'"):
        small(CatGAN, augment={"turn": 10}, image_shape=(1, 2, 4)).fit(X)
    plain, changed = (small(CatGAN, augment=how, image_shape=(1, 2, 4)).fit(X) for how in (None, amounts))
    assert not np.array_equal(plain.transform(X), changed.transform(X))


def test_weight_of_generated_samples():
    """With it, D is less sure of them; that is all it does in the first step."""
    unsure = {}
    for weight in (0.0, 5.0):
        history = small(CatGAN, fake_weight=weight, epochs=10).fit(X).history_["game"]
        unsure[weight] = history["fake"]
    assert unsure[5.0][-1] > unsure[0.0][-1] + 0.1
