"""AE-CM: its loss against NumPy, what its terms do, and where it starts."""

import numpy as np
import pytest
import torch
from small_fits import blobs, small

from dctutor import AECM, AutoencoderKMeans
from dctutor.architectures import Autoencoder, Mixture
from dctutor.methods.mixture.aecm import normalize

X, TRUTH = blobs()
# The prior that suits these data; `small` has one for a method that means something else by alpha.
EVEN = {"alpha": 1.1, "precision": "float32"}


@pytest.fixture(scope="module")
def pretrained():
    return small(AutoencoderKMeans, pretrain_epochs=40, precision="float32").fit(X)


def softmax(logits):
    power = np.exp(logits - logits.max(1, keepdims=True))
    return power / power.sum(1, keepdims=True)


def test_first_step_sees_the_paper_s_loss_from_the_k_means_start(pretrained):
    weights = {"alpha": 3.0, "beta": 7.0, "lam": 0.3, "temperature": 2.0}
    whole = {"batch_size": len(X), "epochs": 1, "joint_noise": 0.0, "module_epochs": 0}
    settings = {"autoencoder": pretrained.network_, "precision": "float32", **weights, **whole}
    row = {name: column[0] for name, column in small(AECM, **settings).fit(X).history_["cluster"].items()}
    start = small(AutoencoderKMeans, autoencoder=pretrained.network_, precision="float32").fit(X)
    z, mu = start.transform(X).astype(float), start.cluster_centers_.astype(float)
    gamma = softmax(z @ np.linalg.pinv(mu) / 2.0)
    length = np.sqrt(np.square(mu).sum(1)).mean()
    z, mu = z / length, mu / length
    rebuilt = pretrained.inverse_transform(pretrained.transform(X))
    assert row["E1"] == pytest.approx(np.square(z - gamma @ mu).sum(1).mean(), rel=1e-3)
    assert row["E2"] == pytest.approx((1 - np.square(gamma).sum(1)).mean(), rel=1e-3)
    assert row["orthonormality"] == pytest.approx(0.3 * np.abs(mu @ mu.T - np.eye(3)).sum(), rel=1e-3)
    assert row["prior"] == pytest.approx(-2 * np.log(gamma.mean(0)).sum(), rel=1e-3)
    error = np.square((X - rebuilt) * pretrained.scaling_.factor).mean()
    assert row["reconstruction"] == pytest.approx(7 * error, rel=1e-3)
    assert row["loss"] == pytest.approx(sum(row[name] for name in row if name not in ("loss", "epoch")), rel=1e-5)


def test_unit_centroids_change_neither_assignments_nor_reconstructions():
    torch.manual_seed(0)
    network, module, x = Autoencoder(8, (16, 3)), Mixture(3, 3), torch.rand(20, 8)
    with torch.no_grad():
        module.centers.mul_(9)
        module.encoder.bias.copy_(torch.tensor([0.3, 0.0, -0.2]))
        z, mu = network.encode(x), module.centers.clone()
        gamma, rebuilt, drawn = module.assign(z), network.decode(z), network.decode(mu)
        normalize(network, module, 1.0)
        assert module.centers.norm(dim=1).mean().item() == pytest.approx(1)
        torch.testing.assert_close(network.encode(x) / z, torch.ones_like(z) / mu.norm(dim=1).mean())
        torch.testing.assert_close(module.assign(network.encode(x)), gamma)
        torch.testing.assert_close(network.decode(network.encode(x)), rebuilt)
        torch.testing.assert_close(network.decode(module.centers), drawn)
        normalize(network, module, 2.0)
        root = gamma.sqrt()
        torch.testing.assert_close(module.assign(network.encode(x)), root / root.sum(1, keepdim=True))


def test_the_weight_of_orthonormality_makes_centroids_orthonormal(pretrained):
    off = {}
    for lam in (0.0, 1.0):
        settings = {"autoencoder": pretrained.network_, "lam": lam, "epochs": 80, "learning_rate": 0.01}
        mu = small(AECM, **EVEN, **settings).fit(X).cluster_centers_
        off[lam] = np.abs(mu @ mu.T - np.eye(3)).sum()
    assert off[1.0] < 0.2 and off[0.0] > 5 * off[1.0]


def test_the_prior_evens_out_the_shares(pretrained):
    few = X[(TRUTH == 0) | (np.arange(len(X)) < 30)]  # 40 of one group, 10 of each other
    shares = {}
    for alpha in (1.0, 3.0):
        settings = {"autoencoder": pretrained.network_, "joint_noise": 0.0, "epochs": 100, "learning_rate": 0.01}
        fitted = small(AECM, **EVEN | {"alpha": alpha}, **settings).fit(few)
        shares[alpha] = fitted.predict_proba(few).mean(0).max()
    assert shares[3.0] < 0.45 and shares[1.0] > 0.55


def test_labels_are_the_largest_gamma_and_centroids_are_drawn_as_images(pretrained):
    fitted = small(AECM, **EVEN, autoencoder=pretrained.network_).fit(X)
    with torch.no_grad():
        gamma = fitted.head_.assign(fitted.network_.encode(torch.from_numpy(fitted.scaling_.apply(X))))
    np.testing.assert_allclose(fitted.predict_proba(X), gamma, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(fitted.labels_, gamma.argmax(1))
    np.testing.assert_array_equal(fitted.cluster_centers_, fitted.head_.centers.detach())
    drawn = fitted.inverse_transform(fitted.cluster_centers_)
    nearest = np.square(X[:, None] - drawn).sum(2).argmin(1)
    assert (nearest == fitted.labels_).mean() > 0.95


def test_starts():
    rand = small(AECM, init="rand", snapshot_every=1).fit(X)
    assert list(rand.history_) == ["cluster"]
    pre = small(AECM).fit(X)
    assert list(pre.history_) == ["layer_1", "layer_2", "pretrain", "module", "cluster"]
    given = small(AutoencoderKMeans).fit(X).network_
    with pytest.raises(ValueError, match=r"^autoencoder: expected None with init='rand'"):
        small(AECM, init="rand", autoencoder=given).fit(X)


def test_the_module_alone_comes_before_the_whole(pretrained):
    settings = {"autoencoder": pretrained.network_, "module_epochs": 30, "temperature": 1.0}
    fitted = small(AECM, **EVEN, **settings, learning_rate=1e-8).fit(X)
    table = fitted.history_["module"]["loss"]
    assert len(table) == 30 and table[-1] < table[0]
    # Next to no joint training: the codes are those of the autoencoder, in units of the centroids' length.
    ratio = fitted.transform(X) / pretrained.transform(X)
    assert np.ptp(ratio) < 1e-2 * ratio.mean()
    assert np.linalg.norm(fitted.cluster_centers_, axis=1).mean() == pytest.approx(1, abs=1e-3)


def test_joint_training_sees_damaged_inputs(pretrained):
    settings = {"autoencoder": pretrained.network_, "precision": "float32", "epochs": 1, "module_epochs": 0}
    losses = [
        small(AECM, **settings, joint_noise=noise).fit(X).history_["cluster"]["reconstruction"][0]
        for noise in (0.0, 0.5)
    ]
    assert losses[1] > 1.05 * losses[0]
