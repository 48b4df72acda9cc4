import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from dctutor import DEC
from dctutor.architectures import Autoencoder, FullyConvolutionalAutoencoder
from dctutor.features import activations

rng = np.random.default_rng(0)


class Convolutional(nn.Module):
    """Stands for any network with maps: a convolution, then a dense layer."""

    def __init__(self):
        super().__init__()
        self.convolution, self.dense = nn.Conv2d(1, 3, 2), nn.Linear(3 * 5 * 4, 2)

    def layer_outputs(self, x):
        maps = self.convolution(x).relu()
        return [maps, self.dense(maps.flatten(1))]

    def forward(self, x):
        return self.layer_outputs(x)[-1]


def test_dense_layers_by_hand():
    network = Autoencoder(5, (4, 3, 2))
    X = rng.normal(size=(7, 5)).astype(np.float32)
    expected, x = [], X
    for i, layer in enumerate(network.encoder):
        x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        x = np.maximum(x, 0) if i < 2 else x
        expected.append(x)
    # batches of 3, 3 and 1
    for found, by_hand in zip(activations(network, X, batch_size=3), expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, by_hand, rtol=1e-4, atol=1e-6)
    last, first = activations(network, torch.from_numpy(X), [-1, 0])
    np.testing.assert_allclose(last, expected[2], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(first, expected[0], rtol=1e-4, atol=1e-6)


def test_maps_are_averaged_or_flattened():
    network = Convolutional()
    X = rng.normal(size=(4, 1, 6, 5))
    with torch.no_grad():
        maps = network.layer_outputs(torch.from_numpy(X).float())[0].numpy()
    assert maps.shape == (4, 3, 5, 4)
    pooled, code = activations(network, X)
    np.testing.assert_allclose(pooled, maps.sum((2, 3)) / 20, rtol=1e-5, atol=1e-6)
    assert code.shape == (4, 2)
    flat, _ = activations(network, X, maps="flatten", batch_size=3)
    np.testing.assert_allclose(flat, maps.reshape(4, 60), rtol=1e-5, atol=1e-6)


def test_layers_by_name_are_those_before_an_in_place_relu():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(4, 2)).double()
    X = rng.normal(size=(6, 3))
    before, last = activations(network, X, ["0", "3"], batch_size=4)
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    by_hand = X @ weights["0.weight"].T + weights["0.bias"]
    assert by_hand.min() < 0
    np.testing.assert_allclose(before, by_hand, rtol=1e-5, atol=1e-6)
    # in evaluation mode, dropout drops nothing
    np.testing.assert_allclose(
        last, np.maximum(by_hand, 0) @ weights["3.weight"].T + weights["3.bias"], rtol=1e-5, atol=1e-6
    )


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.Dropout(), nn.Linear(4, 2)))
    network[2].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    X = np.ones((5, 3), np.float32)
    activations(network, X, ["2"])
    with pytest.raises(RuntimeError, match="shape"):
        activations(network, np.ones((5, 4)), ["1"])
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_of_torchvision():
    network = resnet18(weights=None)
    X = rng.normal(size=(3, 3, 32, 32)).astype(np.float32)
    found = activations(network, X, ["layer1", "layer4", "avgpool", "fc"], batch_size=2)
    assert [table.shape for table in found] == [(3, 64), (3, 512), (3, 512), (3, 1000)]
    network.eval()
    with torch.no_grad():
        np.testing.assert_allclose(found[3], network(torch.from_numpy(X)), rtol=1e-3, atol=1e-5)
    # resnet18 ends with exactly this average over positions
    np.testing.assert_allclose(found[1], found[2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"maps": "max"}, ValueError, "maps: expected 'mean' or 'flatten', got 'max'"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"X": np.ones(3)}, ValueError, r"X: expected shape \(n, ...\) with n >= 1, got \(3,\)"),
        ({"X": np.ones((0, 3))}, ValueError, "X: expected shape"),
        ({"layers": [3]}, ValueError, "layers: expected indices of the 3 layers, got 3"),
        ({"layers": ["encoder.7"]}, ValueError, "layers: expected names such as .*'encoder.0'.*, got 'encoder.7'"),
        ({"layers": "encoder"}, TypeError, "layers: expected a sequence"),
        ({"layers": []}, TypeError, "layers: expected a sequence"),
        ({"layers": [True]}, TypeError, "layers: expected a sequence"),
        ({"layers": [0, "encoder.0"]}, TypeError, "layers: expected a sequence"),
        ({"network": nn.Linear(3, 2)}, ValueError, "layers: this network has no layer_outputs"),
        # a ModuleList is never called
        ({"layers": ["encoder"]}, ValueError, "'encoder' ran 0 times"),
        ({"network": nn.LSTM(3, 2), "layers": [""]}, ValueError, "layers: expected layer '' to give a tensor.*tuple"),
    ],
)
def test_bad_arguments(settings, error, message):
    given = {"network": Autoencoder(3, (4, 3, 2)), "X": np.ones((5, 3))} | settings
    with pytest.raises(error, match=message):
        activations(**given)


@pytest.mark.parametrize(
    "change", [lambda a: a[..., ::-1], lambda a: a.astype(">f4"), lambda a: torch.tensor(a, requires_grad=True)]
)
def test_arrays_in_any_layout(change):
    network, x = nn.Sequential(nn.Linear(4, 3)), np.random.default_rng(0).random((5, 4), dtype=np.float32)
    given = change(x)
    plain = given.detach().clone() if isinstance(given, torch.Tensor) else np.array(given, dtype=np.float32)
    np.testing.assert_array_equal(activations(network, given, ["0"])[0], activations(network, plain, ["0"])[0])


def test_an_array_of_objects_is_refused_by_name():
    with pytest.raises(TypeError, match="X: expected an array of numbers, got dtype object"):
        activations(nn.Sequential(nn.Linear(4, 3)), np.full((5, 4), None), ["0"])


def test_a_layer_that_runs_twice_is_refused():
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(3, 3), relu, nn.Linear(3, 3), relu)
    with pytest.raises(ValueError, match="'1' ran 2 times"):
        activations(network, np.ones((5, 3)), ["1"])


def test_modes_that_the_caller_set_change_no_activation():
    network, X = Autoencoder(5, (4, 2)), rng.normal(size=(9, 5))
    expected = activations(network, X)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"):
        found = activations(network, X)
    assert all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_numbers_of_any_type_are_inputs(dtype):
    network, X = Autoencoder(5, (4, 2)), (np.arange(45).reshape(9, 5) % 7).astype(dtype)
    expected = activations(network, X.astype(np.float32))
    for given in (X, torch.from_numpy(X)):
        assert all(map(np.array_equal, activations(network, given), expected))
    words = nn.Sequential(nn.Embedding(7, 3), nn.Flatten())
    if dtype == np.int64:
        assert activations(words, X, ["1"])[0].shape == (9, 15)


class Flat(nn.Sequential):
    """Takes images of any layout, in an order of pixels of its own."""

    def __init__(self, width):
        super().__init__(nn.Flatten(), nn.Linear(width, 2))


@pytest.mark.parametrize("to", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (lambda: resnet18(weights=None), (2, 32, 48, 3)),
        (lambda: resnet18(weights=None), (2, 64, 64, 3)),  # later convolutions take 64 channels
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), (2, 8, 8, 1)),
        (lambda: nn.Sequential(nn.Conv2d(4, 2, 3), nn.Flatten()), (2, 8, 9, 4)),
        (lambda: Flat(8 * 8 * 3), (2, 8, 8, 3)),
    ],
)
def test_channels_that_come_last_are_refused(network, shape, to):
    network, X = network(), np.random.default_rng(0).random(shape, dtype=np.float32)
    name = [name for name, _ in network.named_modules()][-1]
    with pytest.raises(ValueError, match=rf"X: expected images .* got \(2, {shape[1]},.*np\.moveaxis\(X, 3, 1\)"):
        activations(network, to(X), [name])
    assert activations(network, to(np.moveaxis(X, 3, 1)), [name])[0].shape[0] == 2


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (lambda: nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten()), (2, 3, 8, 3)),
        (lambda: nn.Sequential(nn.Conv2d(16, 2, 3), nn.Flatten()), (2, 16, 8, 4)),
        (lambda: Flat(512), (2, 512, 1, 1)),
        (lambda: Flat(64 * 4 * 4), (2, 64, 4, 4)),
    ],
)
def test_narrow_maps_are_no_images_with_channels_last(network, shape):
    assert activations(network(), np.ones(shape), ["1"])[0].shape[0] == 2


@pytest.mark.parametrize("shape", [(3, 4, 5, 1), (3, 6, 6, 4)])
def test_a_network_of_the_package_refuses_channels_that_come_last(shape):
    network = Convolutional() if shape[3] == 1 else FullyConvolutionalAutoencoder((4, 6, 6))
    with pytest.raises(ValueError, match="moveaxis"):
        activations(network, np.ones(shape))


def test_an_estimator_is_no_network():
    with pytest.raises(TypeError, match=r"network: expected .*, such as an estimator's network_, got DEC"):
        activations(DEC(), np.ones((3, 2)))
