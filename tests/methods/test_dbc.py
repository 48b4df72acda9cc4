"""DBC: the boosted target, the pooled autoencoder, and what the power and the balance do."""

import numpy as np
import pytest
import torch
from torch import nn

from dctutor import DBC, load_dataset
from dctutor.architectures import Autoencoder, PooledAutoencoder
from dctutor.losses import boosted_target, student_t, target_distribution


@pytest.fixture
def s():
    return torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(4), size=50)).float()


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("balance", ["boosted", "soft", None])
def test_boosted_target_is_the_equation(s, power, balance):
    raised = s.double().numpy() ** power
    sizes = {"boosted": raised.sum(0), "soft": s.double().numpy().sum(0), None: 1}[balance]
    expected = raised / sizes / (raised / sizes).sum(1, keepdims=True)
    np.testing.assert_allclose(boosted_target(s, power=power, balance=balance), expected, rtol=1e-5)


def test_squares_over_soft_sizes_are_the_target_of_dec(s):
    torch.testing.assert_close(boosted_target(s, balance="soft"), target_distribution(s))


def test_a_power_of_one_without_balance_changes_nothing(s):
    torch.testing.assert_close(boosted_target(s, power=1, balance=None), s)


def test_iterated_target_keeps_ties_and_ends_in_ones():
    r = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.4, 0.3, 0.2, 0.1]])
    for _ in range(20):
        r = boosted_target(r, balance=None)
    torch.testing.assert_close(r, torch.tensor([[0.25, 0.25, 0.25, 0.25], [1.0, 0, 0, 0]]))


@pytest.mark.parametrize("balance", ["boosted", "soft", None])
def test_an_empty_cluster_stays_empty_and_small_shares_do_not_vanish(balance):
    r = boosted_target(torch.tensor([[1 - 1e-20, 1e-20, 0], [0.5, 1e-20, 0]]), power=4, balance=balance)
    assert r.isfinite().all() and (r[:, 2] == 0).all()


def test_no_gradient_flows_through_the_target(s):
    assert not boosted_target(s.requires_grad_()).requires_grad


@pytest.mark.parametrize(("argument", "value"), [("power", 0), ("power", -1), ("balance", "hard")])
def test_boosted_target_names_the_argument(s, argument, value):
    with pytest.raises(ValueError, match=f"{argument}: expected"):
        boosted_target(s, **{argument: value})


def test_the_network_is_that_of_table_2():
    network = PooledAutoencoder((1, 28, 28))
    shapes = [tuple(layer.weight.shape) for layer in network.encoder if isinstance(layer, nn.Conv2d)]
    assert shapes == [(6, 1, 5, 5), (16, 6, 5, 5), (120, 16, 4, 4)]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) == 5
    assert network.encode(torch.rand(3, 784)).shape == (3, 120)


def test_unpooling_agrees_with_torch():
    network = PooledAutoencoder((1, 28, 28)).eval()
    x = torch.rand(3, 1, 28, 28)
    a, b, c = network.encoder[::2]
    na, nb, nc = network.encoder[1::2]
    first, i = nn.functional.max_pool2d(na(a(x)).relu(), 2, return_indices=True)
    second, j = nn.functional.max_pool2d(nb(b(first)).relu(), 2, return_indices=True)
    z = nc(c(second))
    a, b, c = network.decoder[::2]
    na, nb, _ = network.decoder[1::2]
    up = nn.functional.max_unpool2d(na(a(z)).relu(), j, 2)
    up = nn.functional.max_unpool2d(nb(b(up)).relu(), i, 2)
    torch.testing.assert_close(network.encode(x), z.flatten(1))
    torch.testing.assert_close(network(x), c(up))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (1, 1, 5), (1, 16, 16), (2, 27, 11)])
def test_images_of_any_size_come_back_in_their_shape(shape):
    network = PooledAutoencoder(shape, (4, 5, 6))
    x = torch.rand(2, *shape)
    assert network(x).shape == x.shape
    assert network(x.flatten(1)).shape == x.flatten(1).shape
    assert network(x[:1]).isfinite().all()  # one sample has no variance to divide by


def test_without_batch_norm_nothing_normalises():
    assert not any(
        isinstance(layer, nn.BatchNorm2d) for layer in PooledAutoencoder((1, 8, 8), batch_norm=False).modules()
    )


def test_flat_rows_train_dense_layers():
    x = np.random.default_rng(0).random((40, 5))
    assert isinstance(DBC(n_clusters=2, widths=(8, 2), pretrain_epochs=1, epochs=1).fit(x).network_, Autoencoder)


@pytest.fixture(scope="module")
def start():
    digits = load_dataset("digits")
    short = {"n_clusters": 10, "channels": (8, 16, 32), "kernel_size": 3, "image_shape": digits.image_shape}
    first = DBC(**short, pretrain_epochs=10, epochs=1, learning_rate=1e-9, random_state=0).fit(digits.X)
    return digits.X, short | {"autoencoder": first.network_, "tol": 0.0, "random_state": 0}


def test_boosting_makes_assignments_surer_and_a_power_of_one_does_not(start):
    x, short = start

    def sureness(power):
        model = DBC(**short, epochs=10, power=power, verbose=False).fit(x)
        inputs, centers = torch.from_numpy(model.scaling_.apply(x)), torch.tensor(model.cluster_centers_)
        with torch.no_grad():
            return student_t(model.network_.eval().encode(inputs), centers).amax(1).mean()

    assert sureness(2.0) > sureness(1.0) + 0.1
