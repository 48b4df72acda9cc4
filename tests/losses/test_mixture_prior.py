"""VaDE's divergence from a mixture: against draws, PyTorch's distributions, and other responsibilities."""

import math

import pytest
import torch
from torch import distributions

from dctutor.losses import expected_mixture_nll, gaussian_kl, mixture_kl


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


MEAN, LOG_VARIANCE = draw(5, 3), 0.5 * draw(5, 3, seed=1) - 1
CENTERS, LOG_VARIANCES = draw(4, 3, seed=2), 0.5 * draw(4, 3, seed=3)
LOG_WEIGHTS = draw(4, seed=4).log_softmax(0)
PRIOR = (CENTERS, LOG_VARIANCES, LOG_WEIGHTS)


def joint_log_density(z):
    """log pi_c N(z; mu_c, sigma_c^2) of codes of any shape (..., p), by PyTorch's distributions."""
    components = distributions.Independent(distributions.Normal(CENTERS, (LOG_VARIANCES / 2).exp()), 1)
    return components.log_prob(z.unsqueeze(-2)) + LOG_WEIGHTS


def test_costs_are_means_over_draws():
    found = expected_mixture_nll(MEAN, LOG_VARIANCE, *PRIOR)
    noise = draw(100_000, 5, 3, seed=5)
    values = -joint_log_density(MEAN + (LOG_VARIANCE / 2).exp() * noise)
    error = values.std(0) / math.sqrt(len(noise))
    assert ((found - values.mean(0)).abs() < 4 * error).all()


def test_costs_of_points():
    torch.testing.assert_close(expected_mixture_nll(MEAN, None, *PRIOR), -joint_log_density(MEAN))


def divergence_at(gamma):
    """KL(q(z) gamma || p(z, c)), averaged over samples: component by component, as in the paper's eq. 12."""
    posterior = distributions.Independent(distributions.Normal(MEAN, (LOG_VARIANCE / 2).exp()), 1)
    total = 0
    for c in range(4):
        prior = distributions.Independent(distributions.Normal(CENTERS[c], (LOG_VARIANCES[c] / 2).exp()), 1)
        share = gamma[:, c]
        total += share * (distributions.kl_divergence(posterior, prior) + share.log() - LOG_WEIGHTS[c])
    return total.mean()


def test_divergence_is_the_sum_over_components_at_its_least():
    costs = expected_mixture_nll(MEAN, LOG_VARIANCE, *PRIOR)
    gamma = (-costs).softmax(1)
    found = mixture_kl(costs, LOG_VARIANCE)
    torch.testing.assert_close(found, divergence_at(gamma))
    assert found > 0
    for seed in range(20):
        other = (gamma.log() + 0.3 * draw(5, 4, seed=seed)).softmax(1)
        assert divergence_at(other) > found


def test_with_one_standard_component_it_is_that_of_a_plain_vae():
    standard = (torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1))
    costs = expected_mixture_nll(MEAN, LOG_VARIANCE, *(part.double() for part in standard))
    torch.testing.assert_close(mixture_kl(costs, LOG_VARIANCE), gaussian_kl(MEAN, LOG_VARIANCE))


def test_far_centres_keep_their_digits():
    near = expected_mixture_nll(MEAN.float(), None, *(part.float() for part in PRIOR))
    far = expected_mixture_nll(MEAN.float() + 4096, None, (CENTERS + 4096).float(), *(p.float() for p in PRIOR[1:]))
    torch.testing.assert_close(near, far, rtol=1e-2, atol=1e-2)


def test_gradients():
    inputs = [part.clone().requires_grad_() for part in (MEAN, LOG_VARIANCE, *PRIOR)]
    assert torch.autograd.gradcheck(lambda m, s, *prior: mixture_kl(expected_mixture_nll(m, s, *prior), s), inputs)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((MEAN, None, CENTERS, LOG_VARIANCES[:2], LOG_WEIGHTS), "log_variances: expected"),
        ((MEAN, None, CENTERS, LOG_VARIANCES, LOG_WEIGHTS[:2]), r"log_weights: expected shape \(4,\)"),
        ((MEAN[:, :2], None, *PRIOR), "expected"),
        ((MEAN, LOG_VARIANCE[:2], *PRIOR), "log_variance: expected"),
    ],
)
def test_shapes_that_do_not_fit(inputs, message):
    with pytest.raises(ValueError, match=message):
        expected_mixture_nll(*inputs)
