import math

import pytest
import torch
from torch import distributions

from dctutor.losses import (
    bernoulli_nll,
    discriminator_loss,
    free_bits,
    gaussian_divergences,
    gaussian_kl,
    gaussian_nll,
    generator_loss,
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gaussian_kl_is_torchs_divergence():
    mean, log_variance = draw(7, 3), draw(7, 3, seed=1)
    codes = distributions.Normal(mean, (log_variance / 2).exp())
    prior = distributions.Normal(torch.zeros(3, dtype=torch.float64), 1.0)
    expected = distributions.kl_divergence(codes, prior).sum()
    torch.testing.assert_close(gaussian_kl(mean, log_variance, reduction="sum"), expected)
    torch.testing.assert_close(gaussian_kl(mean, log_variance), expected / 7)


def test_gaussian_kl_by_hand_and_near_the_prior():
    # One dimension: (1 + 4 - log 4 - 1) / 2.
    found = gaussian_kl(torch.tensor([[1.0]]), torch.tensor([[math.log(4)]]))
    assert found.item() == pytest.approx(2 - math.log(2))
    assert gaussian_kl(torch.zeros(4, 2), torch.zeros(4, 2)).item() == 0
    # exp(v) - 1 - v is v^2 / 2 here; float32 has no room for it next to 1.
    near = gaussian_kl(torch.zeros(1, 1), torch.full((1, 1), 1e-4))
    assert near.item() == pytest.approx(1e-8 / 4, rel=1e-3)


def test_divergences_from_several_priors_are_torchs():
    mean, log_variance = draw(7, 1, 3), draw(7, 1, 3, seed=1)
    for shape in ((4, 3), (7, 4, 3)):  # shared by all codes, or each code's own
        prior_mean, prior_log_variance = draw(*shape, seed=2), draw(*shape, seed=3)
        codes = distributions.Normal(mean, (log_variance / 2).exp())
        prior = distributions.Normal(prior_mean, (prior_log_variance / 2).exp())
        found = gaussian_divergences(mean, log_variance, prior_mean, prior_log_variance)
        assert found.shape == (7, 4)
        torch.testing.assert_close(found, distributions.kl_divergence(codes, prior).sum(-1))
    standard = gaussian_divergences(mean, log_variance).sum()
    torch.testing.assert_close(standard, gaussian_kl(mean[:, 0], log_variance[:, 0], reduction="sum"))


def test_divergence_from_a_prior_by_monte_carlo():
    mean, log_variance, prior_mean, prior_log_variance = (draw(5, 3, seed=seed) for seed in range(4))
    codes = distributions.Normal(mean, (log_variance / 2).exp())
    prior = distributions.Normal(prior_mean, (prior_log_variance / 2).exp())
    z = mean + codes.stddev * draw(200_000, 5, 3, seed=4)
    expected = (codes.log_prob(z) - prior.log_prob(z)).mean(0).sum(1)
    found = gaussian_divergences(mean, log_variance, prior_mean, prior_log_variance)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)
    total = gaussian_kl(mean, log_variance, prior_mean, prior_log_variance)
    torch.testing.assert_close(total, found.mean())
    one = gaussian_kl(mean, log_variance, prior_mean[:1], reduction="sum")  # one prior for all codes
    torch.testing.assert_close(one, gaussian_divergences(mean, log_variance, prior_mean[:1]).sum())


def test_a_code_that_agrees_with_its_prior_diverges_by_nothing():
    mean, log_variance = draw(5, 3).float(), 3 * draw(5, 3, seed=1).float()
    assert (gaussian_divergences(mean, log_variance, mean, log_variance) == 0).all()


def test_free_bits_count_what_exceeds_them():
    divergences = torch.tensor([[0.0, 3.0], [1.0, 5.0]], requires_grad=True)
    found = free_bits(divergences, 2.0)  # the first column's mean is 0.5, the second one's 4
    assert found.item() == 2.0 + 4.0
    found.backward()
    assert divergences.grad.tolist() == [[0, 0.5], [0, 0.5]]
    row = torch.tensor([0.0, 6.0])
    assert free_bits(row, 2.0) == 3.0  # the mean of the batch counts, not each sample
    assert free_bits(row, 4.0) == 4.0 and free_bits(row, 0.0) == row.mean()


@pytest.mark.parametrize("shape", [(5, 3), (2, 1, 4, 4)])
def test_reconstruction_terms_are_torchs_likelihoods(shape):
    x, decoded = draw(*shape).sigmoid(), draw(*shape, seed=1)
    ones = (x > 0.5).double()
    expected = -distributions.Bernoulli(logits=decoded).log_prob(ones).sum()
    torch.testing.assert_close(bernoulli_nll(ones, decoded, reduction="sum"), expected)
    torch.testing.assert_close(bernoulli_nll(ones, decoded), expected / shape[0])
    by_hand = -(x * decoded.sigmoid().log() + (1 - x) * (1 - decoded.sigmoid()).log()).sum()
    torch.testing.assert_close(bernoulli_nll(x, decoded, reduction="sum"), by_hand)
    for variance in (1.0, 0.1):
        expected = -distributions.Normal(decoded, variance**0.5).log_prob(x).sum()
        torch.testing.assert_close(gaussian_nll(x, decoded, variance, reduction="sum"), expected)
        torch.testing.assert_close(gaussian_nll(x, decoded, variance), expected / shape[0])


def test_the_bound_stays_below_the_evidence_and_touches_it_at_the_posterior():
    """A linear normal model, whose evidence is known: x | z ~ N(2 z, 0.5) makes x ~ N(0, 4 + 0.5)."""
    x, variance, slope = draw(6, 1), 0.5, 2.0
    evidence = distributions.Normal(0.0, (slope**2 + variance) ** 0.5).log_prob(x).mean()
    posterior_variance = 1 / (1 + slope**2 / variance)
    posterior_mean = posterior_variance * slope / variance * x
    noise = draw(4000, 1, 1, seed=1)
    noise = (noise - noise.mean()) / noise.std(correction=0)  # mean 0 and variance 1 make the average exact

    def bound(mean, log_variance):
        z = mean + (log_variance / 2).exp() * noise
        nll = gaussian_nll(x.expand(4000, 6, 1).flatten(0, 1), slope * z.flatten(0, 1), variance)
        return -nll - gaussian_kl(mean, log_variance)

    log_variance = torch.full_like(x, math.log(posterior_variance))
    torch.testing.assert_close(bound(posterior_mean, log_variance), evidence)
    assert bound(posterior_mean + 0.1, log_variance) < evidence - 0.01
    assert bound(posterior_mean, log_variance + 0.5) < evidence - 0.01


def test_gan_losses_by_hand():
    real, fake = draw(5, 1), draw(4, 1, seed=1)
    judged = -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()
    torch.testing.assert_close(discriminator_loss(real, fake), judged)
    torch.testing.assert_close(generator_loss(fake), -fake.sigmoid().log().mean())
    undecided = torch.zeros(3, 1)
    assert discriminator_loss(undecided, undecided).item() == pytest.approx(2 * math.log(2))


def test_a_sure_discriminator_leaves_the_generator_a_gradient():
    fake = torch.tensor([[-200.0]], requires_grad=True)
    generator_loss(fake).backward()
    assert fake.grad.item() == pytest.approx(-1)
    assert torch.isfinite(discriminator_loss(-fake, fake)) and torch.isfinite(discriminator_loss(fake, -fake))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients(reduction):
    a, b = draw(4, 3).requires_grad_(), draw(4, 3, seed=1).requires_grad_()
    x = draw(4, 3, seed=2).sigmoid()
    check = torch.autograd.gradcheck
    assert check(lambda m, v: gaussian_kl(m, v, reduction=reduction), (a, b))
    c, d = draw(2, 4, 3, seed=3).requires_grad_(), draw(2, 4, 3, seed=4).requires_grad_()
    assert check(gaussian_divergences, (a, b, c, d))
    assert check(lambda decoded: bernoulli_nll(x, decoded, reduction=reduction), (a,))
    assert check(lambda decoded: gaussian_nll(x, decoded, 0.3, reduction=reduction), (a,))
    assert check(discriminator_loss, (a, b)) and check(generator_loss, (a,))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_leave_reduced_precision(dtype):
    a, b = draw(300, 40).to(dtype), draw(300, 40, seed=1).to(dtype)
    calls = {
        gaussian_kl: (a, b),
        gaussian_divergences: (a, b, b, a),
        bernoulli_nll: (b.sigmoid(), a),
        gaussian_nll: (a, b),
        discriminator_loss: (a, b),
        generator_loss: (a,),
    }
    for loss, arguments in calls.items():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = loss(*arguments)
        assert found.dtype == torch.float32, loss.__name__
        torch.testing.assert_close(found.double(), loss(*(value.double() for value in arguments)), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_kl(torch.ones(2, 3), torch.ones(1, 3)), r"log_variance: .*\(2, 3\), got \(1, 3\)"),
        (lambda: gaussian_kl(*torch.ones(2, 2, 3), torch.ones(5, 2, 3)), r"prior_mean: .*\(2, 3\), got \(5, 2, 3\)"),
        (lambda: gaussian_divergences(*torch.ones(2, 2, 3), torch.ones(1)), r"prior_mean: expected width 3, .*\(1,\)"),
        (lambda: gaussian_divergences(torch.ones(2, 3), torch.ones(1, 3)), r"log_variance: .*\(2, 3\), got \(1, 3\)"),
        (lambda: free_bits(torch.ones(2), -1.0), "least: expected a number of at least 0, got -1.0"),
        (lambda: bernoulli_nll(torch.ones(2, 3), torch.ones(2, 1)), r"logits: .*\(2, 3\), got \(2, 1\)"),
        (lambda: gaussian_nll(torch.ones(2, 3), torch.ones(3)), r"x_hat: .*\(2, 3\), got \(3,\)"),
        (lambda: gaussian_nll(torch.ones(2), torch.ones(2), 0.0), "variance: expected a positive number, got 0.0"),
        (lambda: gaussian_nll(torch.ones(2), torch.ones(2), float("nan")), "variance: expected a positive number"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
