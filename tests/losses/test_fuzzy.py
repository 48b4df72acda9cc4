"""Fuzzy k-means, against its closed form, its two limits, and a case done by hand."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from dctutor.losses import fuzzy_k_means, fuzzy_memberships, k_means


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_memberships_by_hand():
    z, centers = torch.tensor([[0.0]]), torch.tensor([[1.0], [-3.0]])
    torch.testing.assert_close(fuzzy_memberships(z, centers, 2.0), torch.tensor([[0.9, 0.1]]))
    torch.testing.assert_close(fuzzy_memberships(z, centers, 1.5), torch.tensor([[81 / 82, 1 / 82]]))
    assert fuzzy_k_means(z, centers, 2.0).item() == pytest.approx(0.81 * 1 + 0.01 * 9)


def test_memberships_do_not_depend_on_the_unit():
    z, centers = draw(20, 3), draw(4, 3, seed=1)
    torch.testing.assert_close(fuzzy_memberships(1000 * z, 1000 * centers), fuzzy_memberships(z, centers))


@pytest.mark.parametrize("m", [1.2, 1.5, 2.0, 3.0])
def test_loss_and_gradient_are_those_of_the_minimum_over_all_memberships(m):
    z, centers = draw(20, 3).requires_grad_(), draw(4, 3, seed=1).requires_grad_()
    squared = cdist(z.detach().numpy(), centers.detach().numpy()) ** 2
    expected = np.mean(np.sum(squared ** (-1 / (m - 1)), axis=1) ** (1 - m))  # Bezdek's memberships, put in
    loss = fuzzy_k_means(z, centers, m)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    closed = (torch.cdist(z, centers) ** (-2 / (m - 1))).sum(1).pow(1 - m).mean()
    for got, wanted in zip(*(torch.autograd.grad(value, (z, centers)) for value in (loss, closed)), strict=True):
        torch.testing.assert_close(got, wanted)


def test_small_m_is_k_means():
    z, centers = draw(50, 3), draw(4, 3, seed=1)
    labels = torch.cdist(z, centers).argmin(1)
    assert fuzzy_k_means(z, centers, 1.001).item() == pytest.approx(k_means(z, centers, labels).item(), rel=1e-3)
    assert torch.equal(fuzzy_memberships(z, centers, 1.0001).argmax(1), labels)


def test_on_a_centre_and_far_out():
    z = torch.tensor([[2.0, 0.0], [1e30, 1e30]], requires_grad=True)
    centers = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    q = fuzzy_memberships(z, centers)
    assert q[0].tolist() == [1, 0] and torch.isfinite(q).all()
    torch.testing.assert_close(q.sum(1), torch.ones(2))
    fuzzy_k_means(z[:1], centers).backward()
    assert (z.grad[0] == 0).all()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="centers: expected width 2, that of z, got 3"):
        fuzzy_k_means(torch.zeros(4, 2), torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"m: expected a number above 1, got 1\.0"):
        fuzzy_memberships(torch.zeros(4, 2), torch.zeros(2, 2), 1.0)
