"""DEPICT's target in closed form, against what it is meant to minimise."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch

from dctutor.losses import assignment_hardening, balanced_assignments, balanced_target, target_distribution


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uneven(n=30):
    """Assignments whose first cluster is much larger than the other two."""
    return (draw(n, 3) + torch.tensor([2.0, 0.0, -0.5])).softmax(1)


def objective(p, q):
    """Equation 4 of the paper, in NumPy."""
    shares = p.mean(0)
    return (scipy.special.rel_entr(p, q).sum() / len(p)) + scipy.special.rel_entr(shares, 1 / len(shares)).sum()


def test_target_is_the_formula():
    q = uneven().numpy()
    weight = q / np.sqrt(q.sum(0))
    np.testing.assert_allclose(balanced_target(torch.from_numpy(q)), weight / weight.sum(1, keepdims=True), rtol=1e-12)


def test_target_comes_close_to_the_minimum_of_equation_4():
    q = uneven().numpy()

    def of_logits(flat):
        return objective(scipy.special.softmax(flat.reshape(q.shape), axis=1), q)

    least = scipy.optimize.minimize(of_logits, np.log(q).ravel()).fun
    closed, started = objective(balanced_target(torch.from_numpy(q)).numpy(), q), objective(q, q)
    assert least <= closed < least + 0.1 * (started - least)


@pytest.mark.parametrize("name", ["even clusters", "rows all alike"])
def test_target_is_the_minimum_where_all_rows_have_one_normaliser(name):
    if name == "even clusters":
        q = torch.stack([uneven().roll(k, 1) for k in range(3)]).flatten(0, 1)
        expected = q
    else:
        q = torch.tensor([[0.64, 0.32, 0.04]], dtype=torch.float64).repeat(5, 1)
        expected = q.sqrt() / q.sqrt().sum(1, keepdim=True)  # the minimiser of KL(p || q) + KL(p || u)
    torch.testing.assert_close(balanced_target(q), expected)


def test_target_evens_the_clusters_out_and_the_sharp_one_is_decs():
    q = uneven().requires_grad_()
    p = balanced_target(q)
    assert balanced_assignments(p) < balanced_assignments(q) / 2 and not p.requires_grad
    torch.testing.assert_close(balanced_target(q, sharpness=2), target_distribution(q))
    torch.testing.assert_close(balanced_target(q, balance=0), q.detach())
    assert p.max(1).values.mean() < balanced_target(q, sharpness=3).max(1).values.mean()


def test_target_where_assignments_are_certain_or_clusters_empty():
    q = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(balanced_target(q), q)
    loss = assignment_hardening(balanced_target(q), q)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_target_leaves_reduced_precision():
    q = uneven(3000).to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = balanced_target(q)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), balanced_target(q.double()), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("sharpness", [0, -1.0, float("nan")])
def test_bad_sharpness(sharpness):
    with pytest.raises(ValueError, match=r"balance: expected a number in \[0, inf\)"):
        balanced_target(uneven(), balance=-0.5)
    with pytest.raises(ValueError, match=r"sharpness: expected a number in \(0, inf\)"):
        balanced_target(uneven(), sharpness=sharpness)
