"""Heads: soft assignments by other means, their precision, and where their weights start."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from torch import nn

from dctutor.architectures import DiagonalMixture, Fuzzy, Head, Logits, Mixture, Softmax, StudentT, Subspaces

K, P = 4, 3
RNG = np.random.default_rng(0)
CENTERS, Z = RNG.normal(size=(K, P)), RNG.normal(size=(50, P))
WEIGHT, BIAS = RNG.normal(size=(K, P)), RNG.normal(size=K)
LOG_VARIANCES = RNG.normal(scale=0.5, size=(K, P))
BASES = np.stack([np.linalg.qr(RNG.normal(size=(P, 2)))[0].T for _ in range(K)])


def filled(head, **values):
    """Give a head the values of NumPy arrays, by the names of its state, dots written as ``__``."""
    head.load_state_dict({name.replace("__", "."): torch.tensor(value) for name, value in values.items()})
    return head


def student(z):
    q = (1 + cdist(z, CENTERS, "sqeuclidean") / 2.5) ** (-(2.5 + 1) / 2)
    return q / q.sum(1, keepdims=True)


def fuzzy(z):
    q = cdist(z, CENTERS) ** (-2 / (1.7 - 1))
    return q / q.sum(1, keepdims=True)


def subspaces(z):
    sines = np.array([[np.sin(subspace_angles(code[:, None], basis.T)[0]) for basis in BASES] for code in z])
    return sines**-2 / (sines**-2).sum(1, keepdims=True)


def diagonal(z):
    density = [
        multivariate_normal.logpdf(z, center, np.diag(np.exp(spread)))
        for center, spread in zip(CENTERS, LOG_VARIANCES, strict=True)
    ]
    return softmax(np.transpose(density) + BIAS, axis=1)


HEADS = {
    "student": (lambda: filled(StudentT(K, P, 2.5), centers=CENTERS), student),
    "fuzzy": (lambda: filled(Fuzzy(K, P, 1.7), centers=CENTERS), fuzzy),
    "softmax": (
        lambda: filled(Softmax(K, P), layer__weight=WEIGHT, layer__bias=BIAS),
        lambda z: softmax(z @ WEIGHT.T + BIAS, axis=1),
    ),
    "mixture": (
        lambda: filled(Mixture(K, P), encoder__weight=WEIGHT, encoder__bias=BIAS, centers=CENTERS),
        lambda z: softmax(z @ WEIGHT.T + BIAS, axis=1),
    ),
    "diagonal": (
        lambda: filled(DiagonalMixture(K, P), centers=CENTERS, log_variances=LOG_VARIANCES, logits=BIAS),
        diagonal,
    ),
    "subspaces": (lambda: filled(Subspaces(K, P, 2), bases=BASES), subspaces),
}
each_head = pytest.mark.parametrize(("make", "expected"), HEADS.values(), ids=HEADS.keys())


@each_head
def test_assignments_are_those_of_numpy(make, expected):
    head = make()
    q = head.assign(torch.tensor(Z, dtype=torch.float32))
    assert isinstance(head, Head) and (head.n_clusters, head.embedding_dim) == (K, P)
    np.testing.assert_allclose(q.detach(), expected(Z), rtol=1e-3, atol=1e-5)
    assert torch.equal(head(torch.tensor(Z, dtype=torch.float32)), q)
    twice = head.double().assign(torch.tensor(Z))
    assert twice.dtype == torch.float64
    np.testing.assert_allclose(twice.detach(), expected(Z.astype(float)), rtol=1e-4, atol=1e-6)


@each_head
@pytest.mark.parametrize("size", [0.0, 1e-30, 1.0, 1e20, 3e38])
def test_rows_sum_to_one_wherever_codes_lie(make, expected, size):
    z = torch.tensor(np.sign(Z) * size, dtype=torch.float32)
    q = make().assign(z)
    assert q.dtype == torch.float32 and q.shape == (50, K) and (q >= 0).all()
    np.testing.assert_allclose(q.detach().sum(1), 1, rtol=1e-5)


@each_head
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_autocast_does_not_reach_heads(make, expected, dtype):
    head, z = make(), torch.tensor(Z, dtype=torch.float32).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        q = head.assign(z)
    assert q.dtype == torch.float32
    torch.testing.assert_close(q, head.assign(z.float()))
    np.testing.assert_allclose(q.detach(), expected(z.double().numpy()), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("head", "trained", "kept"),
    [
        (StudentT(K, P), {"centers"}, {"centers"}),
        (Fuzzy(K, P), set(), {"centers"}),
        (Softmax(K, P), {"layer.weight", "layer.bias"}, {"layer.weight", "layer.bias"}),
        (Mixture(K, P), *[{"encoder.weight", "encoder.bias", "centers"}] * 2),
        (DiagonalMixture(K, P), *[{"centers", "log_variances", "logits"}] * 2),
        (Subspaces(K, P, 2), set(), {"bases"}),
    ],
    ids=HEADS.keys(),
)
def test_what_is_trained_and_what_a_file_keeps(head, trained, kept):
    assert {name for name, _ in head.named_parameters()} == trained and set(head.state_dict()) == kept
    if trained:
        head.assign(torch.tensor(Z, dtype=torch.float32))[:, 0].sum().backward()
        moved = {name for name, value in head.named_parameters() if value.grad is not None}
        assert moved == trained - ({"centers"} if isinstance(head, Mixture) else set())  # those are for `mix`


def test_initial_weights():
    for head in (StudentT(K, P), Fuzzy(K, P)):
        assert not head.centers.any()
    assert not Subspaces(K, P, 2).bases.any()
    for layer in (Softmax(60, 40).layer, Mixture(60, 40).encoder):
        bound = (6 / 100) ** 0.5  # Glorot & Bengio (2010)
        assert 0.95 * bound < layer.weight.abs().max() <= bound and not layer.bias.any()
    assert 0.95 * (6 / 100) ** 0.5 < Mixture(60, 40).centers.abs().max() <= (6 / 100) ** 0.5


def test_softmax_starts_as_the_posterior_of_round_gaussians():
    labels = cdist(Z, CENTERS).argmin(1)
    means = np.stack([Z[labels == k].mean(0) for k in range(K)])
    variance = ((Z - means[labels]) ** 2).mean()
    density = np.stack([multivariate_normal(mean, variance).logpdf(Z) for mean in means], axis=1)
    head, z = Softmax(K, P), torch.tensor(Z, dtype=torch.float32)
    head.start_from(z, torch.from_numpy(labels))
    np.testing.assert_allclose(head.assign(z).detach(), softmax(density, axis=1), rtol=1e-3, atol=1e-5)
    assert head.layer.weight.requires_grad and head.layer.weight.grad is None


def test_softmax_starts_soft_where_all_codes_of_a_cluster_agree():
    z, labels = torch.tensor([[0.0, 0, 0], [0.1, 0, 0]]).repeat(5, 1), torch.tensor([0, 1]).repeat(5)
    head = Softmax(2, P)
    head.start_from(z, labels)
    q = head.assign(z)
    assert (q.argmax(1) == labels).all() and q.max() < 0.7  # the odds are exp(0.1^2 / (2 * 0.01))
    np.testing.assert_allclose((q[0, 0] / q[0, 1]).item(), np.exp(0.5), rtol=1e-4)


def test_softmax_starts_with_a_cluster_without_samples_at_0():
    z, labels = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).repeat(5, 1), torch.tensor([0, 2]).repeat(5)
    head = Softmax(3, P)
    head.start_from(z, labels)
    assert not head.layer.weight[1].any() and head.layer.bias[1] == 0
    assert (head.assign(z).argmax(1) == labels).all()


def test_mixture_starts_at_given_centroids_with_their_pseudo_inverse():
    wide, centers = Mixture(3, 8), RNG.normal(size=(3, 8)).astype(np.float32)
    wide.start_from(torch.from_numpy(centers))
    assert np.array_equal(wide.centers.detach(), centers) and not wide.encoder.bias.any()
    np.testing.assert_allclose(wide.encoder.weight.detach(), np.linalg.pinv(centers).T, rtol=1e-3, atol=1e-4)
    # Independent centroids have the logits of one unit each.
    np.testing.assert_allclose(wide.assign(torch.from_numpy(centers)).detach(), softmax(np.eye(3), axis=1), atol=1e-4)
    with pytest.raises(ValueError, match=r"^centers: expected shape \(3, 8\), got \(8, 3\)"):
        wide.start_from(torch.zeros(8, 3))


def test_mixture_ignores_directions_that_its_centroids_span_by_rounding_alone():
    centers = RNG.normal(size=(3, 8)).astype(np.float32)
    centers -= centers.mean(0)  # of rank two
    centers[0] += np.float32(1e-7)
    head = Mixture(3, 8)
    head.start_from(torch.from_numpy(centers))
    np.testing.assert_allclose(head.encoder.weight.detach(), np.linalg.pinv(centers, rcond=1e-4).T, atol=1e-3)
    assert head.encoder.weight.abs().max() < 10


def test_mixture_is_the_posterior_of_equal_round_components():
    variance = 0.7
    mixture = GaussianMixture(K, covariance_type="spherical")
    mixture.means_, mixture.weights_ = CENTERS, np.full(K, 1 / K)
    mixture.precisions_cholesky_ = np.full(K, variance**-0.5)
    head = filled(
        Mixture(K, P).double(),
        encoder__weight=CENTERS / variance,
        encoder__bias=-(CENTERS**2).sum(1) / 2 / variance,
        centers=CENTERS,
    )
    np.testing.assert_allclose(head.assign(torch.from_numpy(Z)).detach(), mixture.predict_proba(Z), atol=1e-9)


def test_mixed_centroids_keep_their_digits():
    head, gamma = Mixture(10, 10), torch.rand(50, 10).softmax(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = head.mix(gamma)
    assert mixed.dtype == torch.float32
    np.testing.assert_allclose(mixed.detach(), gamma.numpy() @ head.centers.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("subspace_dim", "expected"), [(1, 1), (2, 2), (3, 2), (9, 2)])
def test_subspaces_never_hold_every_code(subspace_dim, expected):
    assert Subspaces(K, P, subspace_dim).bases.shape == (K, expected, P)
    assert Subspaces(K, 1, subspace_dim).bases.shape == (K, 1, 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: StudentT(0, P), ValueError, "n_clusters: expected an integer of at least 1, got 0"),
        (lambda: Softmax(K, 2.0), TypeError, "embedding_dim: expected an integer, got 2.0"),
        (lambda: Mixture(K, 0), ValueError, "embedding_dim: expected an integer of at least 1, got 0"),
        (lambda: StudentT(K, P, 0.0), ValueError, "nu: expected a number in "),
        (lambda: Fuzzy(K, P, 1.0), ValueError, "m: expected a number in "),
        (lambda: Fuzzy(K, P, "2"), TypeError, "m: expected a number, got '2'"),
        (lambda: Subspaces(K, P, 0), ValueError, "subspace_dim: expected an integer of at least 1, got 0"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=f"^{message}"):
        make()


def test_the_base_assigns_nothing():
    with pytest.raises(TypeError, match=r"abstract method '?assign"):
        Head(K, P)
    assert issubclass(Head, nn.Module)


def test_logits_are_the_first_entries_of_a_code():
    head, z = Logits(2, P), torch.tensor(Z, dtype=torch.float32)
    np.testing.assert_allclose(head.assign(z), softmax(Z[:, :2], axis=1), rtol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert head.assign(z.bfloat16()).dtype == torch.float32
    assert not head.state_dict()


def test_a_diagonal_mixture_starts_at_a_given_one():
    head = DiagonalMixture(2, 2)
    weights, means = torch.tensor([0.25, 0.75]), torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    variances = torch.tensor([[0.5, 1.0], [2.0, 0.1]])
    head.start_from(weights, means, variances)
    for found, expected in ((head.weights(), weights), (head.centers, means), (head.variances(), variances)):
        torch.testing.assert_close(found.detach(), expected)
    head.start_from(torch.tensor([0.0, 1.0]), means, variances * 1e-9)  # an empty cluster, and one of equal codes
    assert head.weights()[0] > 0 and head.variances().min().item() == pytest.approx(np.exp(-6))


def test_a_diagonal_mixture_knows_how_sure_codes_are():
    head = filled(DiagonalMixture(K, P), centers=CENTERS, log_variances=LOG_VARIANCES, logits=BIAS)
    z = torch.tensor(Z, dtype=torch.float32)
    point, vague = head.assign(z), head.assign(z, torch.full_like(z, 3.0))
    torch.testing.assert_close(head.assign(z, torch.full_like(z, -40.0)), point)
    widest = int(head.variances().log().sum(1).argmax())
    assert (vague[:, widest] > point[:, widest]).float().mean() > 0.8  # vague codes go where variances are large
