"""The clustering module's losses, against loops over samples and the mixture that they are derived from."""

import numpy as np
import pytest
import torch
from scipy.stats import dirichlet
from torch.testing import assert_close

from dctutor.architectures import Mixture
from dctutor.losses import centroid_correlation, clustering_module, dirichlet_prior, gini_impurity, orthonormality


@pytest.fixture
def mixture():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    gamma = torch.randn(7, 4, generator=generator, dtype=torch.float64).softmax(1)
    return x, gamma, torch.randn(4, 3, generator=generator, dtype=torch.float64)


def test_terms_are_those_of_the_paper(mixture):
    x, gamma, mu = (tensor.numpy() for tensor in mixture)
    e1 = e2 = e3 = 0.0
    for i in range(7):
        e1 += np.sum((x[i] - gamma[i] @ mu) ** 2)
        for k in range(4):
            e2 += mu[k] @ mu[k] * gamma[i, k] * (1 - gamma[i, k])
            e3 -= sum(mu[k] @ mu[j] * gamma[i, k] * gamma[i, j] for j in range(4) if j != k)
    e4 = -2 * np.log(gamma.mean(0)).sum()
    assert_close(clustering_module(*mixture, alpha=3.0).numpy(), np.array([e1, e2, e3, e4]), rtol=1e-7, atol=1e-7)


def test_first_three_terms_are_the_weighted_distances_of_a_mixture(mixture):
    x, gamma, mu = mixture
    assert_close(clustering_module(x, gamma, mu)[:3].sum(), (gamma * torch.cdist(x, mu).square()).sum())


def test_prior_differs_from_the_dirichlet_log_density_by_a_constant(mixture):
    _, gamma, _ = mixture
    alpha = [1.5, 2.0, 3.0, 0.5]
    other = gamma.roll(1, dims=1)
    found = dirichlet_prior(gamma, alpha) - dirichlet_prior(other, alpha)
    densities = [dirichlet(alpha).logpdf(shares.mean(0).numpy()) for shares in (gamma, other)]
    assert float(found) == pytest.approx(densities[1] - densities[0], rel=1e-6)


def test_sure_assignments_have_no_impurity_and_share_nothing(mixture):
    *_, mu = mixture
    sure = torch.eye(4, dtype=torch.float64)
    assert gini_impurity(sure) == 0
    assert centroid_correlation(sure, mu) == 0
    assert gini_impurity(torch.full((2, 4), 0.25)).item() == pytest.approx(2 * 0.75)


def test_orthonormality_vanishes_for_a_rotation_alone():
    rotation, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    assert orthonormality(rotation[:3]).item() == pytest.approx(0, abs=1e-12)
    # By hand: (2, 0) and (1, 1) have the products 4, 2 and 2, 2.
    assert orthonormality(torch.tensor([[2.0, 0.0], [1.0, 1.0]])).item() == 3 + 2 + 2 + 1


def test_gradients(mixture):
    inputs = [tensor.requires_grad_() for tensor in mixture]
    assert torch.autograd.gradcheck(lambda *args: clustering_module(*args, alpha=2.0), inputs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, g, mu: clustering_module(x, g, mu[:2]), "centers: expected 4 rows"),
        (lambda x, g, mu: gini_impurity(g, mu[0]), r"weight: expected shape \(4,\)"),
        (lambda x, g, mu: dirichlet_prior(g, [1.0, 2.0]), "alpha: expected a positive number, or 4"),
        (lambda x, g, mu: dirichlet_prior(g, 0.0), "alpha: expected a positive number"),
        (lambda x, g, mu: Mixture(4, 3).start_from(mu[:2]), r"centers: expected shape \(4, 3\)"),
    ],
)
def test_bad_input_is_named(mixture, call, message):
    with pytest.raises(ValueError, match=message):
        call(*mixture)


def test_the_head_mixes_its_centroids_and_starts_from_given_ones(mixture):
    x, _, mu = (tensor.float() for tensor in mixture)
    module = Mixture(3, 3)
    module.start_from(mu[:3])
    logits = (mu[:3] @ torch.linalg.inv(mu[:3])).softmax(1)  # a square matrix has a plain inverse
    assert_close(module.assign(mu[:3]), logits, rtol=1e-4, atol=1e-4)
    assert_close(module.mix(module.assign(x)), module.assign(x) @ mu[:3])
    assert torch.isfinite(module.assign(torch.full((1, 3), 3e38))).all()


@pytest.mark.parametrize("by_name", [False, True])
def test_terms_leave_reduced_precision(by_name):
    generator = torch.Generator().manual_seed(2)
    x, mu = torch.randn(300, 3, generator=generator).bfloat16(), torch.randn(4, 3, generator=generator).bfloat16()
    gamma = torch.randn(300, 4, generator=generator).softmax(1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        if by_name:
            found = [clustering_module(x=x, gamma=gamma, centers=mu, alpha=2.0), orthonormality(centers=mu)]
        else:
            found = [clustering_module(x, gamma, mu, 2.0), orthonormality(mu)]
    exact = [clustering_module(x.double(), gamma.double(), mu.double(), 2.0), orthonormality(mu.double())]
    for narrow, wide in zip(found, exact, strict=True):
        assert narrow.dtype == torch.float32
        assert_close(narrow.double(), wide, rtol=1e-5, atol=1e-5)


def test_autocast_of_the_arguments_device_is_left_even_by_name(monkeypatch):
    seen, autocast = [], torch.autocast
    monkeypatch.setattr(torch, "autocast", lambda device, **rest: (seen.append(device), autocast("cpu", **rest))[1])
    for call in (lambda m: orthonormality(m), lambda m: orthonormality(centers=m)):
        call(torch.eye(2, device="meta"))
    assert seen == ["meta", "meta"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_head_on_codes_in_reduced_precision(dtype):
    module, z = Mixture(4, 3), torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=dtype):
        gamma = module.assign(z.to(dtype))
    assert gamma.dtype == torch.float32
    torch.testing.assert_close(gamma, module.assign(z.to(dtype).float()))
