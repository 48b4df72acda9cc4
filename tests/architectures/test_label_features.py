"""Label features: rows of length 1, of a network that starts with identities."""

import math

import pytest
import torch

from dctutor.architectures import ConstraintLayer, LabelNetwork
from dctutor.training import measure_batch_norm


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_constraint_layer_by_hand():
    layer, z = ConstraintLayer(3), draw(40, 3)
    found = layer(z)
    for _ in range(2):  # the dense layers start as the identity
        z = ((z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt()).relu()
    z = z * 3 / 2**0.5
    expected = z.exp() / z.exp().norm(dim=1, keepdim=True)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("k", [2, 3, 10, 40])
def test_perfect_clusters_are_as_unlike_for_every_k(k):
    features = ConstraintLayer(k)(torch.eye(k).repeat(50, 1))
    e = math.exp(3)
    similarity = (2 * e + k - 2) / (e**2 + k - 1)  # of two rows with one entry of 3, in different places
    assert (features[0] @ features[1]).item() == pytest.approx(similarity, rel=0.01)


def test_rows_have_length_one_and_no_negative_entry():
    found = ConstraintLayer(5)(100 * draw(30, 5))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(30))
    assert found.min() >= 0


def test_normalisation_keeps_an_entry_from_being_large_for_all():
    z = draw(60, 4)
    z[:, 0] += 1000
    torch.testing.assert_close(ConstraintLayer(4)(z), ConstraintLayer(4)(z - z.mean(0)), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 4, 4), (1, 1, 1), (1, 2, 9), None])
def test_shapes(image_shape):
    width = 6 if image_shape is None else image_shape[0] * image_shape[1] * image_shape[2]
    network = LabelNetwork(width, 5, (4, 6), image_shape)
    found = network(draw(7, width))
    assert found.shape == (7, 5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(7))


def test_convolutions_are_those_of_the_paper_on_mnist():
    network = LabelNetwork(784, 10, (16, 32), (1, 28, 28))
    sizes = []
    for layer in network.body:
        if isinstance(layer, torch.nn.Conv2d | torch.nn.MaxPool2d):
            layer.register_forward_hook(lambda layer, x, out: sizes.append(tuple(out.shape[1:])))
    network(draw(3, 784))
    convolved = [(16, 26, 26), (16, 24, 24), (16, 22, 22), (16, 11, 11), (32, 9, 9), (32, 7, 7), (32, 5, 5)]
    assert sizes == [*convolved, (32, 3, 3), (10, 3, 3)]


def test_predictions_of_one_sample_do_not_depend_on_others_once_measured():
    network, x = LabelNetwork(64, 3, (4,), (1, 8, 8)), draw(800, 64)
    measure_batch_norm(network, x)
    network.eval()
    torch.testing.assert_close(network(x)[:5], network(x[:5]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network(x), network.train()(x), rtol=1e-2, atol=1e-2)  # variances: n - 1 for n


@pytest.mark.parametrize("image_shape", [(1, 8, 8), None])
def test_samples_far_away_have_label_features(image_shape):
    network = LabelNetwork(64, 3, (4, 6), image_shape)
    measure_batch_norm(network, draw(200, 64))
    found = network.eval()(torch.full((2, 64), 3e38))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_bad_arguments():
    with pytest.raises(ValueError, match="widths: expected at least one layer"):
        LabelNetwork(8, 3, ())
    with pytest.raises(ValueError, match="n_clusters: expected an integer of at least 1"):
        ConstraintLayer(0)
