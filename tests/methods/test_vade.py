"""VaDE: its bound written out, its start, what it assigns and draws."""

import math

import numpy as np
import pytest
import torch
from small_fits import blobs, small, trained
from torch import distributions

from dctutor import VaDE
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs()


@pytest.fixture(scope="module")
def fitted():
    return trained(VaDE, epochs=20).fit(X)


def started(**changes):
    """A fit that stays where training starts."""
    return small(VaDE, epochs=1, learning_rate=1e-30, pretrain_epochs=10, **changes).fit(X)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_the_history_is_the_bound_written_out(likelihood):
    """One step over all samples at learning rate (nearly) 0: every term by PyTorch's distributions."""
    settings = {"epochs": 1, "batch_size": 120, "ramp_epochs": 0, "learning_rate": 1e-30, "precision": "float32"}
    vade = small(VaDE, likelihood=likelihood, **settings).fit(X)
    x = torch.from_numpy(vade.scaling_.apply(X.astype(np.float32)))
    with torch.no_grad():
        mean, log_variance = vade.network_.posterior(x)
        posterior = distributions.Independent(distributions.Normal(mean, (log_variance / 2).exp()), 1)
        head = vade.head_
        prior = distributions.Independent(distributions.Normal(head.centers, head.variances().sqrt()), 1)
        gamma = vade._assign(x)
        divergence = torch.stack(
            [
                distributions.kl_divergence(posterior, distributions.Independent(distributions.Normal(m, s.sqrt()), 1))
                for m, s in zip(head.centers, head.variances(), strict=True)
            ],
            dim=1,
        )
        divergence = gamma * (divergence - head.weights().log()) + torch.xlogy(gamma, gamma)
        divergence = divergence.sum(1).mean()
        # The same bound without the closed form: log q(z) - log p(z) is an upper estimate at draws of z.
        z = posterior.sample((20_000,))
        mixture = distributions.MixtureSameFamily(distributions.Categorical(head.weights()), prior)
        drawn = (posterior.log_prob(z) - mixture.log_prob(z)).mean()
        decoded = vade.network_.autoencoder.decode(z[:200].flatten(0, 1))
        target = x.repeat(200, 1)
        if likelihood == "gaussian":
            log_p = distributions.Normal(decoded, 1.0).log_prob(target)
        else:
            log_p = -torch.nn.functional.binary_cross_entropy_with_logits(decoded, target, reduction="none")
    history = vade.history_["bound"]
    assert history["divergence"] == [pytest.approx(divergence.item(), rel=1e-4)]
    assert drawn.item() <= divergence.item() + 0.02  # sorted apart, the two are one
    assert drawn.item() == pytest.approx(divergence.item(), abs=0.1)
    assert history["reconstruction"] == [pytest.approx(-log_p.sum(1).mean().item(), rel=0.02)]
    assert history["loss"] == [pytest.approx(history["reconstruction"][0] + divergence.item(), rel=1e-4)]


def test_the_start_is_a_mixture_of_codes_with_small_variances():
    vade = started(log_variance=-4.0)
    x = torch.from_numpy(vade.scaling_.apply(X.astype(np.float32)))
    with torch.no_grad():
        mean, log_variance = vade.network_.posterior(x)
    assert mean.var(0, correction=0).mean().item() == pytest.approx(1, rel=0.01)
    np.testing.assert_allclose(log_variance, -4.0, atol=1e-4)
    np.testing.assert_array_equal(vade.labels_, vade.initial_labels_)
    for k in range(3):
        codes = mean[torch.from_numpy(vade.initial_labels_ == k)]
        torch.testing.assert_close(vade.head_.centers[k].detach(), codes.mean(0), atol=0.1, rtol=0.1)
    assert vade.head_.weights().sum().item() == pytest.approx(1)


def test_codes_scaled_by_the_start_decode_to_the_same():
    vade = started()
    plain = vade.inverse_transform(vade.transform(X))
    assert np.square(plain - X).mean() < np.square(X - X.mean(0)).mean()


@pytest.mark.parametrize("init", ["kmeans", "ward", "ac-pic"])
def test_each_start_finds_the_groups(init):
    vade = trained(VaDE, epochs=5, init=init).fit(X)
    assert clustering_accuracy(TRUTH, vade.initial_labels_) > 0.98
    assert clustering_accuracy(TRUTH, vade.labels_) > 0.98


def test_the_divergence_counts_fully_only_after_the_ramp():
    vade = small(VaDE, epochs=4, ramp_epochs=3, batch_size=120).fit(X)
    history = {name: np.array(column) for name, column in vade.history_["bound"].items()}
    weights = (history["loss"] - history["reconstruction"]) / history["divergence"]
    np.testing.assert_allclose(weights, [0, 1 / 3, 2 / 3, 1], atol=0.01)


def test_variances_and_mixture_are_trained(fitted):
    before = started()
    assert not torch.allclose(before.head_.variances(), fitted.head_.variances())
    assert not torch.allclose(fitted.network_.spread.weight, torch.zeros(()))


def test_labels_take_the_variance_of_codes_into_account(fitted):
    x = torch.from_numpy(fitted.scaling_.apply(X.astype(np.float32)))
    with torch.no_grad():
        expected = (-fitted.head_.costs(*fitted.network_.posterior(x))).softmax(1)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-4, atol=1e-6)


def test_samples_of_a_cluster_lie_in_it(fitted):
    for cluster in range(3):
        made = fitted.sample(50, cluster=cluster, random_state=0)
        assert made.shape == (50, 8) and (fitted.predict(made) == cluster).mean() > 0.9
        group = TRUTH[fitted.labels_ == cluster][0] == TRUTH
        assert np.abs(made.mean(0) - X[group].mean(0)).max() < 0.15
    np.testing.assert_array_equal(fitted.sample(7, random_state=3), fitted.sample(7, random_state=3))


def test_bernoulli_takes_values_from_0_to_1_alone():
    vade = trained(VaDE, likelihood="bernoulli", epochs=5).fit(X)
    assert vade.scaling_.apply(X.astype(np.float32)) == pytest.approx(X, abs=1e-6)
    made = vade.sample(50, random_state=0)
    assert made.min() >= 0 and made.max() <= 1 and clustering_accuracy(TRUTH, vade.labels_) > 0.98
    with pytest.raises(ValueError, match=r"X: expected values in \[0, 1\].*got 0"):
        small(VaDE, likelihood="bernoulli").fit(2 * X)


def test_a_bernoulli_likelihood_needs_a_start_of_its_own():
    with pytest.raises(ValueError, match="autoencoder: expected None or one trained with a Bernoulli likelihood"):
        small(VaDE, likelihood="bernoulli", autoencoder="mnist").fit(X)


@pytest.mark.parametrize(("argument", "value"), [("variance", 0.0), ("likelihood", "poisson"), ("ramp_epochs", -1)])
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        small(VaDE, **{argument: value}).fit(X)


def test_smaller_variance_asks_for_better_reconstructions():
    errors = []
    for variance in (0.01, 10.0):
        vade = trained(VaDE, epochs=20, variance=variance).fit(X)
        errors.append(np.square(vade.inverse_transform(vade.transform(X)) - X).mean())
    assert errors[0] < errors[1] and math.isfinite(errors[1])
