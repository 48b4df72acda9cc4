"""Sinkhorn-Knopp against linear programming, and against what its solution has to look like."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, linprog

from dctutor.classical import sinkhorn

RNG = np.random.default_rng(0)
P = torch.from_numpy(RNG.dirichlet(np.ones(4), size=60))


@pytest.mark.parametrize("lam", [0.5, 5.0])
def test_plan_has_the_marginals_and_the_form_of_the_solution(lam):
    rows = torch.from_numpy(RNG.dirichlet(np.full(60, 50.0)))
    columns = torch.tensor([0.1, 0.2, 0.3, 0.4])
    plan = sinkhorn(P.log(), lam, rows=rows, columns=columns, tol=1e-8, max_iter=3000)
    np.testing.assert_allclose(plan.sum(1), rows, rtol=1e-8)
    np.testing.assert_allclose(plan.sum(0), columns, atol=1e-7)
    # diag(alpha) P^lam diag(beta): what is left of the logarithm is one number per row plus one per column.
    rest = plan.log() - lam * P.log()
    np.testing.assert_allclose(rest - rest[:1] - rest[:, :1] + rest[:1, :1], np.zeros(rest.shape), atol=1e-7)


def test_sharp_plan_is_that_of_an_exact_assignment():
    plan = sinkhorn(P.log(), 100.0, tol=1e-3, max_iter=3000)
    cost = np.repeat(-P.log().numpy(), 15, axis=1)  # 15 places in each of the four clusters
    row, place = linear_sum_assignment(cost)
    exact = (place // 15)[np.argsort(row)]
    assert (plan.argmax(1).numpy() == exact).mean() > 0.95  # ties within 1 / lam are rounded at will


def test_uneven_sizes_cost_as_little_as_in_linear_programming():
    columns = np.array([0.55, 0.25, 0.15, 0.05])
    plan = sinkhorn(P.log(), 60.0, columns=torch.from_numpy(columns), tol=1e-3, max_iter=3000).numpy()
    cost = -P.log().numpy()
    sums = np.concatenate([np.kron(np.eye(60), np.ones((1, 4))), np.kron(np.ones((1, 60)), np.eye(4))])
    best = linprog(cost.ravel(), A_eq=sums, b_eq=np.concatenate([np.full(60, 1 / 60), columns]))
    assert (plan * cost).sum() == pytest.approx(best.fun, rel=0.02)


def test_small_probabilities_do_not_underflow():
    logits = torch.tensor([[0.0, -400.0], [-400.0, 0.0], [-500.0, -500.0], [0.0, 0.0]])
    plan = sinkhorn(logits.log_softmax(1), 25.0, tol=1e-9)
    assert torch.isfinite(plan).all() and plan[:2].argmax(1).tolist() == [0, 1]
    np.testing.assert_allclose(plan.sum(0), [0.5, 0.5], atol=1e-9)


def test_stops_at_the_limit_with_exact_rows():
    plan = sinkhorn(P.log(), 1000.0, tol=1e-12, max_iter=3)
    np.testing.assert_allclose(plan.sum(1), np.full(60, 1 / 60), rtol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lam": 0}, "lam: expected"),
        ({"lam": 1.0, "tol": 0}, "tol: expected"),
        ({"lam": 1.0, "max_iter": 0}, "max_iter: expected"),
        ({"lam": 1.0, "columns": torch.tensor([0.5, 0.5])}, "columns: expected 4 positive masses that sum to 1"),
        ({"lam": 1.0, "columns": torch.tensor([0.5, 0.5, 0.5, 0.5])}, "columns: expected"),
        ({"lam": 1.0, "columns": torch.tensor([1.0, 0.0, 0.0, 0.0])}, "columns: expected"),
        ({"lam": 1.0, "rows": torch.ones(3) / 3}, "rows: expected 60 positive masses"),
    ],
)
def test_bad_arguments_are_named(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        sinkhorn(P.log(), **settings)


def test_scores_must_be_finite():
    with pytest.raises(ValueError, match="log_p: expected finite scores"):
        sinkhorn(torch.tensor([[0.0, -torch.inf]]), 1.0)
