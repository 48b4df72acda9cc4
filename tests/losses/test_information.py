"""Entropies of assignments, against SciPy's."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from dctutor.losses import (
    balanced_assignments,
    conditional_entropy,
    information_bound,
    marginal_divergence,
    marginal_entropy,
    mutual_information,
)

ENTROPIES = [conditional_entropy, marginal_divergence, marginal_entropy, mutual_information]
each = pytest.mark.parametrize("entropy", ENTROPIES, ids=lambda entropy: entropy.__name__)


def draw(n=30, k=4, spread=2.0, seed=0):
    return spread * torch.randn(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("spread", [0.1, 2.0, 50.0])
def test_entropies_are_scipys(spread):
    logits = draw(spread=spread) + torch.tensor([3.0, 0.0, 0.0, -2.0])
    p = scipy.special.softmax(logits.numpy(), axis=1)
    conditional, marginal = scipy.stats.entropy(p, axis=1).mean(), scipy.stats.entropy(p.mean(0))
    assert conditional_entropy(logits).item() == pytest.approx(conditional, rel=1e-10)
    assert marginal_entropy(logits).item() == pytest.approx(marginal, rel=1e-10)
    # The mutual information once more, as a divergence from independence.
    divergence = scipy.special.rel_entr(p, p.mean(0)).sum(1).mean()
    assert mutual_information(logits).item() == pytest.approx(divergence, rel=1e-8)


def test_marginal_entropy_is_what_balanced_assignments_lack():
    logits = draw()
    expected = np.log(4) - balanced_assignments(logits.softmax(1))
    torch.testing.assert_close(marginal_entropy(logits), expected)


@pytest.mark.parametrize("prior", [None, [0.4, 0.3, 0.2, 0.1], [0.97, 0.01, 0.01, 0.01]])
@pytest.mark.parametrize("spread", [0.1, 2.0, 50.0])
def test_divergence_from_a_prior_is_scipys(prior, spread):
    logits = draw(spread=spread) + torch.tensor([3.0, 0.0, 0.0, -2.0])
    p, q = (
        scipy.special.softmax(logits.numpy(), axis=1),
        None if prior is None else torch.tensor(prior, dtype=torch.float64),
    )
    expected = scipy.stats.entropy(p.mean(0), np.full(4, 0.25) if prior is None else prior)
    assert marginal_divergence(logits, q).item() == pytest.approx(expected, rel=1e-7)
    torch.testing.assert_close(marginal_divergence(logits, q), balanced_assignments(logits.softmax(1), q))
    assert torch.autograd.gradcheck(lambda z: marginal_divergence(z, q), logits.requires_grad_())


def test_divergence_is_0_where_sizes_are_those_of_the_prior():
    sure = 1000 * torch.eye(3)[[0, 0, 0, 1, 2]]
    assert marginal_divergence(sure, torch.tensor([0.6, 0.2, 0.2])).item() == pytest.approx(0, abs=1e-6)
    assert marginal_divergence(sure).item() > 0.1


@pytest.mark.parametrize("prior", [[0.5, 0.5], [0.5, 0.5, 0.5], [1.0, 0.0, 0.0]])
def test_a_prior_is_k_positive_fractions(prior):
    with pytest.raises(ValueError, match="prior: expected 3 positive fractions that sum to 1, got"):
        marginal_divergence(torch.zeros(5, 3), torch.tensor(prior))


def test_the_ends_of_the_scale():
    sure_and_even = 1000 * torch.eye(5).repeat(3, 1)
    assert mutual_information(sure_and_even).item() == pytest.approx(np.log(5))
    assert conditional_entropy(sure_and_even).item() == 0
    unsure = torch.zeros(7, 5)
    assert conditional_entropy(unsure).item() == pytest.approx(np.log(5))
    assert mutual_information(unsure).item() == pytest.approx(0, abs=1e-6)
    one_cluster = 1000 * torch.eye(5)[:1].repeat(7, 1)
    assert marginal_entropy(one_cluster).item() == pytest.approx(0, abs=1e-6)


def test_one_row_has_no_information_and_few_rows_have_at_most_log_n():
    assert mutual_information(draw(1)).item() == pytest.approx(0, abs=1e-12)
    assert mutual_information(1000 * torch.eye(10)[:3]).item() == pytest.approx(np.log(3))


@each
@pytest.mark.parametrize("size", [0.0, 1e2, 1e10, 1e30, 3e38])
def test_value_and_gradient_are_finite_at_extreme_logits(entropy, size):
    logits = torch.tensor([[size, -size, 0.0], [size, 0.0, -size], [-size, 0.0, 0.0]], requires_grad=True)
    found = entropy(logits)
    found.backward()
    assert torch.isfinite(found) and torch.isfinite(logits.grad).all()


@each
def test_gradients(entropy):
    assert torch.autograd.gradcheck(entropy, draw(6, 3).requires_grad_())


@each
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_entropies_leave_reduced_precision(entropy, dtype):
    logits = draw(300, 4).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = entropy(logits)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), entropy(logits.double()), rtol=1e-5, atol=1e-6)


@each
@pytest.mark.parametrize("shape", [(4,), (0, 3), (3, 0), (2, 3, 4)])
def test_other_shapes_are_errors(entropy, shape):
    with pytest.raises(ValueError, match=r"logits: expected shape \(n, K\), got"):
        entropy(torch.zeros(shape))


def test_the_bound_is_torchs_log_probability():
    logits, categories = draw(), torch.arange(30) % 4
    expected = torch.distributions.Categorical(logits=logits).log_prob(categories).mean() + np.log(4)
    torch.testing.assert_close(information_bound(logits, categories), expected)
    assert torch.autograd.gradcheck(lambda a: information_bound(a, categories), logits.requires_grad_())


def test_the_bound_is_the_information_for_the_posterior_and_less_for_any_other():
    """A sample is one of six signs: all pairs of category and sign, as often as their joint probability says."""
    counts = torch.tensor([[8, 1, 1, 0, 1, 1], [1, 9, 0, 1, 1, 0], [2, 2, 2, 2, 2, 2]])
    category, sign = (counts > 0).nonzero().T.repeat_interleave(counts[counts > 0], dim=1)
    joint = counts.double() / counts.sum()
    information = scipy.special.rel_entr(joint.numpy(), np.outer(joint.sum(1), joint.sum(0))).sum()
    posterior = (joint / joint.sum(0)).T
    assert information_bound(posterior.log()[sign], category).item() == pytest.approx(information.item())
    for seed in range(5):
        other = posterior.log().clamp_min(-9) + draw(6, 3, spread=0.3, seed=seed)
        assert information_bound(other[sign], category) < information


def test_ends_of_the_bound():
    right = 1000 * torch.eye(5)
    assert information_bound(right, torch.arange(5)).item() == pytest.approx(np.log(5))
    assert information_bound(torch.zeros(7, 5), torch.arange(7) % 5).item() == pytest.approx(0, abs=1e-6)
    assert information_bound(right, torch.arange(5).roll(1)) < -900
    half = information_bound(right.to(torch.bfloat16), torch.arange(5))
    assert half.dtype == torch.float32


def test_one_category_per_row():
    with pytest.raises(ValueError, match=r"categories: expected shape \(3,\), got \(2,\)"):
        information_bound(torch.zeros(3, 4), torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match=r"logits: expected shape \(n, K\), got"):
        information_bound(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
