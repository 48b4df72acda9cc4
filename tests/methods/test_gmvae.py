"""GMVAE: its bound written out, Bayes' rule for the clusters, the constraint, and samples."""

import math

import numpy as np
import pytest
import torch
from small_fits import blobs, small, trained
from torch import distributions

from dctutor import GMVAE
from dctutor.methods.variational.gmvae import StyledMixture
from dctutor.metrics import clustering_accuracy
from dctutor.training import Loop

X, TRUTH = blobs()


@pytest.fixture(scope="module")
def fitted():
    return trained(GMVAE).fit(X)


def normal(mean, log_variance):
    return distributions.Normal(mean, (log_variance / 2).exp())


@pytest.mark.parametrize("variance", [None, 0.03])
@pytest.mark.parametrize("draws", [1, 3])
def test_one_step_is_the_bound_written_out(draws, variance):
    """With PyTorch's distributions, one draw and one cluster at a time, from what the same seed builds and draws."""
    seeds = []
    settings = {"epochs": 1, "batch_size": 120, "precision": "float32", "device": "cpu"}
    settings |= {"draws": draws, "variance": variance, "learning_rate": 0.01}
    fitted = small(GMVAE, on_epoch=lambda loop: seeds.append(loop.seed), **settings).fit(X)
    loop = Loop(fitted.scaling_.apply(X.astype(np.float32)), seed=seeds[0], device="cpu", precision="float32")
    network = loop.build(lambda: fitted._build_network(8))
    prior = loop.build(lambda: fitted._build_head(2))
    adam = torch.optim.Adam([*network.parameters(), *prior.parameters()], lr=0.01)
    x = loop.x[torch.randperm(120, generator=loop.generator)]
    numbers = network.encoder(x)
    q_z, q_w = normal(numbers[:, :2], numbers[:, 2:4]), normal(numbers[:, 4:5], numbers[:, 5:])
    z, w = (q.mean + q.stddev * torch.randn(draws, *q.mean.shape, generator=loop.noise_generator) for q in (q_z, q_w))
    decoded = network.decoder(z.flatten(0, 1)).unflatten(0, (draws, 120))  # one batch for batch normalisation
    likelihood = (
        distributions.Normal(decoded, variance**0.5) if variance else distributions.ContinuousBernoulli(logits=decoded)
    )
    log_p = likelihood.log_prob(x)
    if not variance:
        log_p = log_p - likelihood._cont_bern_log_norm()  # grey values in a Bernoulli likelihood
    parts = {"reconstruction": -log_p.sum(2).mean(), "code": 0, "information": 0}
    for m in range(draws):
        out = prior.out(torch.tanh(prior.hidden(w[m])))
        p_z = [normal(out[:, 2 * k : 2 * k + 2], out[:, 6 + 2 * k : 8 + 2 * k]) for k in range(3)]
        density = torch.stack([p.log_prob(z[m]).sum(1).exp() for p in p_z], 1)
        gamma = density / density.sum(1, keepdim=True)
        divergence = torch.stack([distributions.kl_divergence(q_z, p).sum(1) for p in p_z], 1)
        parts["code"] += (gamma * divergence).sum(1).mean() / draws
        parts["information"] += (math.log(3) - distributions.Categorical(gamma).entropy()).mean() / draws
    parts["style"] = distributions.kl_divergence(q_w, distributions.Normal(0.0, 1.0)).sum(1).mean()
    bound = parts["reconstruction"] + parts["code"] + parts["style"]
    parts["loss"] = bound + torch.maximum(parts["information"], torch.tensor(fitted.free_bits))
    parts["loss"].backward()
    adam.step()

    for name, value in parts.items():
        assert fitted.history_["train"][name] == [pytest.approx(value.item(), rel=1e-4)], name
    for part, other in ((network, fitted.network_), (prior, fitted.head_)):
        expected = dict(part.named_parameters())
        for name, value in other.named_parameters():
            if not name.endswith("layers.0.bias"):  # batch norm takes it away, and Adam steps along rounding
                torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-4)


def test_responsibilities_are_bayes_rule_for_each_style():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior, z, w = StyledMixture(4, 3, 2, 5, 1.0), torch.randn(6, 3), torch.randn(6, 2)
    mean, log_variance = prior.components(w)
    assert mean.shape == log_variance.shape == (6, 4, 3)
    assert not torch.allclose(mean[0], mean[1])
    density = normal(mean, log_variance).log_prob(z.unsqueeze(1)).sum(2).exp()
    torch.testing.assert_close(prior.assign(z, w), density / density.sum(1, keepdim=True))
    torch.testing.assert_close(prior.assign(z), prior.assign(z, torch.zeros(6, 2)))


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_spread_is_that_of_the_means_before_training(spread):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mean, log_variance = StyledMixture(100, 20, 2, 5, spread).components(torch.zeros(1, 2))
    assert mean.std().item() == pytest.approx(spread, rel=0.1) and (log_variance == 0).all()


def test_labels_come_from_both_codes(fitted):
    x = torch.from_numpy(fitted.scaling_.apply(X.astype(np.float32)))
    with torch.no_grad():
        (z, _), (w, _) = fitted.network_.posteriors(x)
        expected = fitted.head_.assign(z, w)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fitted.transform(X), z, rtol=1e-4, atol=1e-5)
    assert fitted.transform(X).shape == (120, 2)


def test_above_the_most_that_there_is_the_constraint_lets_the_last_term_go():
    """The divergence from K equal weights is at most log K: with more for free, its value changes no weight."""
    settings = {"epochs": 5, "batch_size": 120, "learning_rate": 0.01}
    free, freer, bound = (small(GMVAE, free_bits=least, **settings).fit(X) for least in (math.log(3), 9.0, 0.0))
    np.testing.assert_array_equal(free.transform(X), freer.transform(X))
    assert not np.array_equal(free.transform(X), bound.transform(X))
    for fitted, least in ((freer, 9.0), (bound, 0.0)):
        table = {name: np.array(column) for name, column in fitted.history_["train"].items()}
        total = table["reconstruction"] + table["code"] + table["style"] + np.maximum(table["information"], least)
        np.testing.assert_allclose(table["loss"], total, rtol=1e-4)
        assert (table["information"] >= 0).all() and (table["information"] <= math.log(3) + 1e-5).all()


def test_samples_of_a_cluster_lie_in_it(fitted):
    groups = fitted.labels_[np.argsort(TRUTH, kind="stable")].reshape(3, 40)
    for cluster in range(3):
        made = fitted.sample(50, cluster=cluster, random_state=0)
        assert made.shape == (50, 8) and (fitted.predict(made) == cluster).mean() > 0.9
        group = next(g for g in range(3) if (groups[g] == cluster).all())
        assert np.abs(made.mean(0) - X[group == TRUTH].mean(0)).max() < 0.15
    np.testing.assert_array_equal(fitted.sample(7, random_state=3), fitted.sample(7, random_state=3))
    of_all = fitted.predict(fitted.sample(600, random_state=0))
    assert np.bincount(of_all, minlength=3).min() > 120


def test_bernoulli_samples_stay_in_the_range_of_the_data():
    fitted = trained(GMVAE, variance=None).fit(X * 100 - 20)
    made = fitted.sample(100, random_state=0)
    assert made.min() >= -20.001 and made.max() <= 80
    assert clustering_accuracy(TRUTH, fitted.labels_) > 0.98
    rebuilt = fitted.inverse_transform(fitted.transform(X * 100 - 20))
    assert np.abs(rebuilt - (X * 100 - 20)).mean() < 10


@pytest.mark.parametrize(
    ("argument", "value"), [("free_bits", -0.1), ("draws", 0), ("variance", 0.0), ("style_dim", 0), ("prior_width", 0)]
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        small(GMVAE, **{argument: value}).fit(X)
