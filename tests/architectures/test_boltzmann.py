"""Boltzmann machines against sums over all states."""

import itertools

import pytest
import torch

from dctutor.architectures import DeepBelief, Directions, RestrictedBoltzmann
from dctutor.losses import contrastive_divergence


def machine(linear=False):
    torch.manual_seed(0)
    found = RestrictedBoltzmann(4, 3, linear=linear)
    with torch.no_grad():
        for weights in found.parameters():
            weights.normal_()
    return found.double()


def states(n):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=torch.float64)


def test_free_energy_sums_over_the_hidden_states():
    rbm, v, h = machine(), states(4), states(3)
    energy = -(v @ rbm.visible_bias)[:, None] - h @ rbm.hidden_bias - v @ rbm.weight.T @ h.T
    torch.testing.assert_close(rbm.free_energy(v), -torch.logsumexp(-energy, 1))
    posterior = torch.softmax(-energy, 1) @ h
    torch.testing.assert_close(rbm.encode(v), posterior)


def test_free_energy_of_linear_units_is_a_gaussian_integral():
    rbm, v = machine(linear=True), states(4)
    mean = v @ rbm.weight.T + rbm.hidden_bias
    h = torch.linspace(-30, 30, 6001, dtype=torch.float64)
    one = torch.trapezoid(torch.exp(mean[..., None] * h - h.square() / 2), h, dim=-1).log()
    constant = 1.5 * torch.log(torch.tensor(2 * torch.pi, dtype=torch.float64))
    torch.testing.assert_close(rbm.free_energy(v), -(v @ rbm.visible_bias) - one.sum(1) + constant)


def test_gradient_of_contrastive_divergence_is_a_difference_of_statistics():
    rbm, v = machine(), states(4)[:8]
    contrastive_divergence(rbm, v, torch.Generator().manual_seed(0)).backward()
    with torch.no_grad():
        made = rbm.decode(rbm.sample_hidden(v, torch.Generator().manual_seed(0)))
        expected = -(rbm.encode(v).T @ v - rbm.encode(made).T @ made) / len(v)
    torch.testing.assert_close(rbm.weight.grad, expected)
    torch.testing.assert_close(rbm.visible_bias.grad, (made - v).mean(0))


def test_hidden_units_are_drawn_with_their_means():
    rbm, v = machine(), torch.rand(1, 4, dtype=torch.float64).repeat(20_000, 1)
    drawn = rbm.sample_hidden(v, torch.Generator().manual_seed(0))
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(drawn.mean(0), rbm.encode(v[:1])[0], atol=0.02, rtol=0)


def test_a_stack_encodes_layer_by_layer():
    network = DeepBelief(4, (3, 2))
    x = torch.rand(5, 4)
    assert [m.linear for m in network.machines] == [False, True]
    torch.testing.assert_close(network.encode(x), network.machines[1].encode(network.below(x, 1)))
    assert network.decode(network.encode(x)).shape == (5, 4)


def test_directions_weigh_by_size_and_leave_out_empty_ones():
    head = Directions(3, 2, sharpness=2.0)
    weights = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    head.place(mean=torch.tensor([1.0, 0.0]), weights=weights, counts=torch.tensor([3, 1, 0]))
    z = torch.tensor([[2.0, 0.5]])
    a, b = 3 * torch.exp(torch.tensor(2.0 - 0.5)), torch.exp(torch.tensor(2.0 - 2.0))
    torch.testing.assert_close(head.assign(z), torch.stack([a / (a + b), b / (a + b), torch.tensor(0.0)])[None])
    with pytest.raises(ValueError, match="sharpness"):
        Directions(3, 2, sharpness=0.0)
