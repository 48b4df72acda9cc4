import numpy as np
import pytest
import scipy.special
import torch

from dctutor import losses
from dctutor.losses import assignment_hardening, reconstruction, student_t, target_distribution


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def assignments(n=7, k=4, seed=0):
    return draw(n, k, seed=seed).softmax(1)


Z = draw(6, 3)


@pytest.mark.parametrize("nu", [0.3, 1.0, 5.0])
def test_student_t_is_the_equation(nu):
    z, centers = draw(6, 3).numpy(), draw(4, 3, seed=1).numpy()
    kernel = np.empty((6, 4))
    for i in range(6):
        for j in range(4):
            kernel[i, j] = (1 + ((z[i] - centers[j]) ** 2).sum() / nu) ** (-(nu + 1) / 2)
    found = student_t(torch.from_numpy(z), torch.from_numpy(centers), nu)
    np.testing.assert_allclose(found, kernel / kernel.sum(1, keepdims=True), rtol=1e-12)


def test_student_t_by_hand():
    # Kernels 1 and 1 / (1 + 1): shares 2/3 and 1/3.
    found = student_t(torch.tensor([[0.0]]), torch.tensor([[0.0], [1.0]]))
    torch.testing.assert_close(found, torch.tensor([[2 / 3, 1 / 3]]))


@pytest.mark.parametrize("distance", [1e4, 1e10, 1e18, 1e25, 3e38])
def test_student_t_of_far_away_points(distance):
    z = torch.tensor([[distance, 0.0]], requires_grad=True)
    q = student_t(z, torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]))
    torch.testing.assert_close(q, torch.full((1, 3), 1 / 3), rtol=1e-3, atol=0)
    q[0, 0].backward()
    assert torch.isfinite(z.grad).all()


def test_student_t_tells_far_away_centres_apart():
    # The expanded square |z|^2 - 2 z.c + |c|^2 would lose the difference of 1 in 1e4 squared.
    q = student_t(torch.tensor([[10_000.0]]), torch.tensor([[9_999.0], [10_002.0]]))
    torch.testing.assert_close(q, torch.tensor([[5 / 7, 2 / 7]]))


def test_target_distribution_is_the_equation():
    q = assignments().numpy()
    weight = q**2 / q.sum(0)
    found = target_distribution(torch.from_numpy(q)).numpy()
    np.testing.assert_allclose(found, weight / weight.sum(1, keepdims=True), rtol=1e-12)


def test_target_distribution_by_hand():
    # Sizes 1.4 and 0.6; row 1: 0.64/1.4 to 0.04/0.6; row 2: 0.36/1.4 to 0.16/0.6.
    found = target_distribution(torch.tensor([[0.8, 0.2], [0.6, 0.4]]))
    torch.testing.assert_close(found, torch.tensor([[48 / 55, 7 / 55], [27 / 55, 28 / 55]]))


def test_target_distribution_of_an_empty_cluster():
    q = torch.tensor([[0.7, 0.3, 0.0], [0.1, 0.9, 0.0]])
    p = target_distribution(q)
    assert torch.equal(p[:, 2], torch.zeros(2))
    torch.testing.assert_close(p[:, :2], target_distribution(q[:, :2]))


def test_target_distribution_stops_the_gradient():
    z = draw(5, 2).requires_grad_()
    assert not target_distribution(student_t(z, draw(3, 2, seed=1))).requires_grad


def test_assignment_hardening_is_the_divergence():
    p, q = assignments(seed=1), assignments(seed=2)
    expected = scipy.special.rel_entr(p.numpy(), q.numpy()).sum()
    assert assignment_hardening(p, q, reduction="sum").item() == pytest.approx(expected, rel=1e-12)
    assert assignment_hardening(p, q).item() == pytest.approx(expected / 7, rel=1e-12)


def test_assignment_hardening_of_equals_is_zero():
    p = assignments()
    assert assignment_hardening(p, p).item() == pytest.approx(0, abs=1e-15)


def test_assignment_hardening_with_zeros():
    p = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    q = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    assert assignment_hardening(p, q, reduction="sum").item() == pytest.approx(np.log(2))
    impossible = torch.tensor([[0.0, 1.0], [0.5, 0.5]], requires_grad=True)
    loss = assignment_hardening(p, impossible)
    loss.backward()
    assert torch.isfinite(loss) and loss > 10 and torch.isfinite(impossible.grad).all()


@pytest.mark.parametrize("shape", [(5, 3), (2, 1, 4, 4)])
def test_reconstruction_is_the_squared_error(shape):
    x, x_hat = draw(*shape), draw(*shape, seed=1)
    expected = ((x - x_hat).numpy() ** 2).sum()
    assert reconstruction(x, x_hat, reduction="sum").item() == pytest.approx(expected, rel=1e-12)
    assert reconstruction(x, x_hat).item() == pytest.approx(expected / x.numel(), rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients(reduction):
    z, centers = draw(5, 2).requires_grad_(), draw(3, 2, seed=1).requires_grad_()
    x, x_hat = draw(4, 3), draw(4, 3, seed=2).requires_grad_()
    p, logits = assignments(5, 3), draw(5, 3, seed=3).requires_grad_()
    for nu in (0.5, 1.0, 4.0):
        assert torch.autograd.gradcheck(lambda a, b, nu=nu: student_t(a, b, nu), (z, centers))
    assert torch.autograd.gradcheck(lambda a: assignment_hardening(p, a.softmax(1), reduction=reduction), (logits,))
    assert torch.autograd.gradcheck(lambda a: reconstruction(x, a, reduction=reduction), (x_hat,))


@pytest.mark.parametrize("nu", [1.0, 3.0])
def test_gradients_are_those_that_xie_et_al_print(nu):
    z, centers = draw(6, 2).requires_grad_(), draw(3, 2, seed=1).requires_grad_()
    q = student_t(z, centers, nu)
    p = target_distribution(q)
    assignment_hardening(p, q, reduction="sum").backward()
    away = z.detach().unsqueeze(1) - centers.detach()
    pull = (p - q.detach()) / (1 + away.square().sum(2) / nu)
    each = (nu + 1) / nu * pull.unsqueeze(2) * away
    torch.testing.assert_close(z.grad, each.sum(1))  # eq. 4
    torch.testing.assert_close(centers.grad, -each.sum(0))  # eq. 5


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_leave_reduced_precision(dtype):
    z, centers = draw(300, 3).to(dtype), draw(4, 3, seed=1).to(dtype)
    p, q = assignments(300, 4).to(dtype), assignments(300, 4, seed=1).to(dtype)
    calls = {student_t: (z, centers), target_distribution: (q,), assignment_hardening: (p, q), reconstruction: (p, q)}
    for loss, arguments in calls.items():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = loss(*arguments)
        assert found.dtype == torch.float32, loss.__name__
        exact = loss(*(argument.double() for argument in arguments))
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-7)


def test_autocast_goes_on_after_a_loss():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        reconstruction(draw(2, 2), draw(2, 2))
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: student_t(torch.zeros(4, 3), torch.zeros(2, 5)), "centers: expected width 3, that of z, got 5"),
        (lambda: student_t(torch.zeros(4, 3), torch.zeros(2, 3), 0.0), "nu: expected a positive number, got 0.0"),
        (lambda: student_t(torch.zeros(4, 3), torch.zeros(2, 3), float("nan")), "nu: expected a positive number"),
        (lambda: assignment_hardening(torch.ones(2, 3), torch.ones(3, 2)), r"q: .*\(2, 3\), got \(3, 2\)"),
        (lambda: assignment_hardening(torch.ones(2, 3), torch.ones(1, 3)), r"q: .*\(2, 3\), got \(1, 3\)"),
        (lambda: reconstruction(torch.ones(2, 3), torch.ones(2, 1)), r"x_hat: .*\(2, 3\), got \(2, 1\)"),
    ],
)
def test_shapes_that_would_broadcast_are_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("reduction", ["none", "sums", None])
@pytest.mark.parametrize(
    "loss",
    [
        lambda **how: losses.reconstruction(Z, Z, **how),
        lambda **how: losses.assignment_hardening(Z, Z, **how),
        lambda **how: losses.k_means(Z, Z, torch.arange(len(Z)), **how),
        lambda **how: losses.locality_preserving(Z, torch.tensor([[0, 1]]), torch.ones(1), **how),
        lambda **how: losses.gaussian_kl(Z, Z, **how),
        lambda **how: losses.bernoulli_nll(Z, Z, **how),
        lambda **how: losses.gaussian_nll(Z, Z, **how),
    ],
)
def test_there_are_two_reductions(loss, reduction):
    with pytest.raises(ValueError, match=f"reduction: expected 'mean' or 'sum', got {reduction!r}"):
        loss(reduction=reduction)


def test_rows_are_not_counted_from_the_end():
    with pytest.raises(ValueError, match="labels: expected indices from 0 to 5, got -1"):
        losses.k_means(Z, Z, torch.full((len(Z),), -1))
    with pytest.raises(ValueError, match="pairs: expected indices from 0 to 5, got -1"):
        losses.locality_preserving(Z, torch.tensor([[0, -1]]), torch.ones(1))
