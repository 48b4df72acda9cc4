"""IMSAT: one step written out, radii by neighbours, sizes by a prior."""

import warnings

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import entropy
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from small_fits import blobs, small

from dctutor import IMSAT
from dctutor.augmentation import affine, random_perturbation, virtual_adversarial
from dctutor.metrics import clustering_accuracy
from dctutor.training import Loop

X, TRUTH = blobs()
WHOLE = {"epochs": 1, "batch_size": 120, "precision": "float32", "device": "cpu"}


def first_step(**settings):
    """A fit of one step; its loop, network and batch as they were before it."""
    seeds = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # clusters are still empty after one step
        fitted = small(IMSAT, on_epoch=lambda loop: seeds.append(loop.seed), **WHOLE | settings).fit(X)
    loop = Loop(fitted.scaling_.apply(X.astype(np.float32)), seed=seeds[0], device="cpu", precision="float32")
    network = loop.build(lambda: fitted._build_network(8))
    return fitted, loop, network, torch.randperm(120, generator=loop.generator)


def tenth_distance(x):
    found = NearestNeighbors(n_neighbors=11).fit(x.double().numpy()).kneighbors(x.double().numpy())[0][:, 10]
    return torch.from_numpy(found).float()


@pytest.mark.parametrize("perturbation", ["vat", "rpt"])
@pytest.mark.parametrize("prior", [None, [0.6, 0.3, 0.1]])
def test_one_step_is_equation_7(perturbation, prior):
    fitted, loop, network, order = first_step(perturbation=perturbation, prior=prior, learning_rate=0.002)
    radius = {"vat": 0.4, "rpt": 2.5}[perturbation] * tenth_distance(loop.x)[order]
    optimizer = torch.optim.Adam(network.parameters(), 0.002)
    x = loop.x[order]
    log_p = network(x).log_softmax(1)
    running = {name: value.clone() for name, value in network.named_buffers()}
    if perturbation == "vat":
        moved = virtual_adversarial(x, network, radius, loop.noise_generator, probe=4.0)
    else:
        moved = random_perturbation(x, radius, loop.noise_generator)
    log_q = network(moved).log_softmax(1)

    p = log_p.exp()
    even = torch.full((3,), 1 / 3) if prior is None else torch.tensor(prior)
    terms = {
        "augmentation": -(p.detach() * log_q).sum(1).mean(),
        "conditional": -(p * log_p).sum(1).mean(),
        "sizes": (p.mean(0) * (p.mean(0) / even).log()).sum(),
    }
    terms["loss"] = terms["augmentation"] + 0.1 * (terms["conditional"] + 4 * terms["sizes"])
    terms["loss"].backward()
    optimizer.step()

    for name, value in terms.items():
        assert fitted.history_["cluster"][name] == [pytest.approx(value.item(), abs=1e-5)], name
    expected = dict(network.named_parameters())
    for name, trained in fitted.network_.named_parameters():
        seen = expected[name].grad.abs() > 1e-7  # below, Adam follows rounding
        torch.testing.assert_close(trained[seen], expected[name][seen], rtol=0.05, atol=5e-4)
    assert (network.layers[-1].weight.grad.abs() > 1e-7).float().mean() > 0.5
    for name, value in fitted.network_.named_buffers():
        torch.testing.assert_close(value, running[name])  # only the samples themselves left a trace


def test_radii_are_those_of_the_tenth_neighbour_or_of_the_last():
    fitted, loop, _, _ = first_step()
    torch.testing.assert_close(fitted._radii(loop.x), 0.4 * tenth_distance(loop.x), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(small(IMSAT, alpha=2.0)._radii(loop.x), 2 * tenth_distance(loop.x), rtol=1e-4, atol=1e-6)
    few = loop.x[:4]
    torch.testing.assert_close(small(IMSAT)._radii(few), 0.4 * torch.cdist(few, few).amax(1))


def test_mutual_information_is_that_of_the_labels_in_the_end():
    fitted = small(IMSAT, epochs=60).fit(X)
    table = fitted.history_["cluster"]
    assert table["conditional"][-1] < 0.05 and table["sizes"][-1] < 0.05
    assert clustering_accuracy(TRUTH, fitted.labels_) > 0.98


def test_sizes_follow_the_prior():
    prior = [0.1, 0.6, 0.3]
    told, even = (small(IMSAT, prior=q, lam=1.0, epochs=60, batch_size=60).fit(X) for q in (prior, None))
    np.testing.assert_allclose(told.predict_proba(X).mean(0), prior, atol=0.1)
    np.testing.assert_allclose(even.predict_proba(X).mean(0), 1 / 3, atol=0.1)


@pytest.mark.filterwarnings("ignore:n_clusters. only")
def test_without_a_term_for_sizes_samples_share_a_cluster():
    used = [len(np.unique(small(IMSAT, balance=0.0, epochs=100, random_state=i).fit(X).labels_)) for i in range(3)]
    assert min(used) < 3


def test_embedding_is_the_logits():
    fitted = small(IMSAT).fit(X)
    z = fitted.transform(X).astype(float)
    assert z.shape == (120, 3)
    log_p = z - logsumexp(z, axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(X), np.exp(log_p), rtol=1e-4, atol=1e-6)
    p = fitted.predict_proba(X)
    assert 0 <= entropy(p.mean(0)) - entropy(p, axis=1).mean() <= np.log(3)


def test_images_can_be_changed_instead_or_as_well():
    amounts = {"rotation": 10, "shift": 0.1}
    settings = {"image_shape": (1, 2, 4), "augment": amounts}
    fitted, loop, network, order = first_step(perturbation=None, **settings)
    x = loop.x[order]
    p, log_q = network(x).softmax(1), network(affine(x, (1, 2, 4), loop.noise_generator, **amounts)).log_softmax(1)
    found = fitted.history_["cluster"]["augmentation"]
    assert found == [pytest.approx(-(p * log_q).sum(1).mean().item(), abs=1e-5)]
    assert not np.array_equal(small(IMSAT, **settings).fit(X).transform(X), fitted.transform(X))
    with pytest.raises(ValueError, match="augment: expected None for samples that are not images"):
        small(IMSAT, augment=amounts).fit(X)


def test_mutual_information_alone():
    fitted = small(IMSAT, perturbation=None).fit(X)
    table = fitted.history_["cluster"]
    assert set(table["augmentation"]) == {0.0}
    expected = 0.1 * (np.array(table["conditional"]) + 4 * np.array(table["sizes"]))
    np.testing.assert_allclose(table["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prior": [0.5, 0.5]}, "prior: expected 3 positive fractions that sum to 1"),
        ({"prior": [0.5, 0.5, 0.5]}, "prior: expected 3 positive fractions that sum to 1"),
        ({"prior": [0.5, 0.5, 0.0]}, "prior"),
        ({"perturbation": "noise"}, "perturbation: expected 'vat' or 'rpt'"),
        ({"augment": {"spin": 1.0}}, "augment: expected some of"),
    ],
)
def test_bad_arguments_are_named(settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        small(IMSAT, **settings).fit(X)
