"""Soft assignments by distance, against the distances taken as all differences at once."""

import pytest
import torch
from sizes import Sizes

from dctutor.losses import fuzzy_k_means, fuzzy_memberships, student_t


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def squared(z, centers):
    return (z.unsqueeze(1) - centers).square().sum(2)


def student_t_of_differences(z, centers, nu=1.0):
    kernel = (1 + squared(z, centers) / nu) ** (-(nu + 1) / 2)
    return kernel / kernel.sum(1, keepdim=True)


def memberships_of_differences(z, centers, m=1.5):
    power = squared(z, centers) ** (-1 / (m - 1))
    return power / power.sum(1, keepdim=True)


PAIRS = {
    "student_t": (student_t, student_t_of_differences, (0.5, 1.0, 10.0)),
    "fuzzy_memberships": (fuzzy_memberships, memberships_of_differences, (1.3, 1.5, 3.0)),
    "fuzzy_k_means": (
        fuzzy_k_means,
        lambda z, centers, m: (
            (memberships_of_differences(z, centers, m).detach() ** m * squared(z, centers)).sum(1).mean()
        ),
        (1.3, 1.5, 3.0),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_values_and_gradients_are_those_of_all_differences(name, dtype, offset):
    function, expected, settings = PAIRS[name]
    for setting in settings:
        z, centers = draw(40, 6) + offset, draw(5, 6, seed=1) + offset
        wide = [z.to(dtype).double().requires_grad_(), centers.to(dtype).double().requires_grad_()]
        narrow = [value.detach().to(dtype).requires_grad_() for value in wide]
        results = function(*narrow, setting), expected(*wide, setting)
        assert results[0].dtype == dtype
        tolerance = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-11}
        torch.testing.assert_close(results[0].double(), results[1], **tolerance)
        weights = draw(*results[1].shape, seed=2)
        gradients = [
            torch.autograd.grad((result.double() * weights).sum(), arguments)
            for result, arguments in zip(results, (narrow, wide), strict=True)
        ]
        for found, right in zip(*gradients, strict=True):
            torch.testing.assert_close(found.double(), right, **tolerance)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_a_sample_on_a_centre_pulls_at_nothing(name, offset):
    """Its gradient is 0, not 0 / 0; so is what the only centre gets from the samples that lie on it."""
    function = PAIRS[name][0]
    centers = (draw(3, 4, dtype=torch.float32) + offset).requires_grad_()
    z = centers.detach()[:1].clone().requires_grad_()
    result = function(z, centers[:1])
    result.sum().backward()
    assert not z.grad.any() and not centers.grad.any()
    # Among several centres, the others may pull; a half of the way between two, nothing does.
    centers.grad = z.grad = None
    result = function(z, centers)
    (result * torch.arange(1.0, 4.0) if result.ndim else result).sum().backward()
    assert torch.isfinite(z.grad).all() and torch.isfinite(centers.grad).all()
    if name != "student_t":  # it belongs to its centre alone, however near the others are
        assert not z.grad.any()


def test_student_t_on_a_centre_by_hand():
    # q = (1, 1/2) / (3/2), and d log q_1 / dz = 2 (1/3) (z - c_2) / (1 + 1) at z = c_1: only the other centre pulls.
    z = torch.tensor([[1.0]], requires_grad=True)
    q = student_t(z, torch.tensor([[1.0], [0.0]]))
    torch.testing.assert_close(q, torch.tensor([[2 / 3, 1 / 3]]))
    q[0, 0].log().backward()
    torch.testing.assert_close(z.grad, torch.tensor([[1 / 3]]))


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("far", [1e18, 1e25, 3e38])
def test_absurdly_far_points_stay_finite(name, far):
    function = PAIRS[name][0]
    z = torch.tensor([[far, 0.0], [far, -far], [0.0, 1.0]], requires_grad=True)
    centers = torch.tensor([[0.0, 0.0], [1.0, 1.0]], requires_grad=True)
    result = function(z, centers)
    result.square().sum().backward() if result.ndim else result.backward()
    assert torch.isfinite(result).all() and torch.isfinite(z.grad).all() and torch.isfinite(centers.grad).all()


@pytest.mark.parametrize("name", PAIRS)
def test_memory_does_not_grow_with_clusters_times_width(name):
    n, k, p = 64, 50, 40
    z, centers = draw(n, p, dtype=torch.float32).requires_grad_(), draw(k, p, seed=1, dtype=torch.float32)
    with Sizes() as sizes:
        PAIRS[name][0](z, centers.requires_grad_()).sum().backward()
    assert max(sizes.bytes) == 4 * n * k
