"""Self-expression: against sums written out, the closed form of the ridge, and gradients worked out numerically."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from dctutor.architectures import SelfExpression
from dctutor.losses import coefficient_norm, self_expression

GENERATOR = torch.Generator().manual_seed(0)


def normal(*shape):
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def test_values_by_hand():
    z, z_hat = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[0.0, 2.0], [2.0, 0.0]])
    assert self_expression(z, z_hat).item() == (1 + 4 + 1) / 2
    c = torch.tensor([[0.0, -2.0], [3.0, 0.0]])
    assert coefficient_norm(c).item() == coefficient_norm(c, "l2").item() == 13
    assert coefficient_norm(c, "l1").item() == 5
    with pytest.raises(ValueError, match=r'norm: expected "l1" or "l2", got "?\'?l3'):
        coefficient_norm(c, "l3")
    with pytest.raises(ValueError, match=r"z_hat: expected the shape of z, \(2, 2\), got \(2, 1\)"):
        self_expression(z, z_hat[:, :1])


def test_gradients():
    z, c = normal(4, 3).requires_grad_(), normal(4, 4).requires_grad_()
    assert gradcheck(lambda z, c: self_expression(z, c @ z), (z, c))
    assert gradcheck(lambda c: coefficient_norm(c, "l1"), c) and gradcheck(coefficient_norm, c)


def test_the_minimum_over_c_is_the_ridge():
    z, lambda1, lambda2 = normal(7, 3), 0.3, 2.0
    gram = z @ z.T
    c = torch.linalg.solve(gram + 2 * lambda1 / lambda2 * torch.eye(7).double(), gram).T.requires_grad_()
    loss = lambda1 * coefficient_norm(c) + lambda2 * self_expression(z, c @ z)
    np.testing.assert_allclose(torch.autograd.grad(loss, c)[0], 0, atol=1e-12)


def test_reduced_precision_stops_at_the_door():
    z = torch.full((1000, 10), 1 + 2**-6, dtype=torch.bfloat16)
    assert self_expression(z, torch.ones_like(z)).item() == 10_000 / 2 * 2**-12


def test_the_layer_mixes_samples_and_none_with_itself():
    layer = SelfExpression(5).double()
    assert layer.weight.shape == (5, 5) and 0 < layer.weight.max() < 1e-7
    with torch.no_grad():
        layer.weight.copy_(normal(5, 5))
    z = normal(5, 3)
    expected = [sum(layer.weight[i, j] * z[j] for j in range(5) if j != i) for i in range(5)]
    torch.testing.assert_close(layer(z), torch.stack(expected))
    assert not layer.coefficients.diag().any()
    (gradient,) = torch.autograd.grad(layer(z).square().sum(), layer.weight)
    assert not gradient.diag().any() and gradient.abs().sum() > 0


def test_the_layer_is_exact_under_autocast():
    layer, z = SelfExpression(6), torch.randn(6, 4, generator=GENERATOR)
    torch.nn.init.normal_(layer.weight, generator=GENERATOR)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = layer(z)
    assert inside.dtype == torch.float32 and torch.equal(inside, layer(z))


def test_the_number_of_samples_is_checked():
    with pytest.raises(ValueError, match="n_samples: expected an integer of at least 1, got 0"):
        SelfExpression(0)
