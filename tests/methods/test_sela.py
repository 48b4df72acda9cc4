"""SeLa: labels of given sizes, merged to clusters."""

import numpy as np
import pytest
import torch
from small_fits import blobs, small

from dctutor import SeLa, load_dataset
from dctutor.classical import sinkhorn
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs()


def test_finds_easy_groups_of_a_table():
    model = small(SeLa, epochs=60, n_labels=3, widths=(32,), embedding_dim=8).fit(X)
    assert clustering_accuracy(TRUTH, model.labels_) > 0.9


def test_sizes_of_its_labels_are_the_prior():
    prior = [0.5, 0.3, 0.2]
    model = small(SeLa, epochs=40, n_labels=3, prior=prior, learning_rate=0.05, random_state=1).fit(X)
    log_p = model.head_.logits(torch.from_numpy(model.transform(X))).log_softmax(1).detach()
    labels = sinkhorn(log_p, model.lam, columns=torch.tensor(prior)).argmax(1)
    np.testing.assert_allclose(np.bincount(labels, minlength=3) / len(X), prior, atol=0.1)


def test_probability_of_a_cluster_is_the_sum_over_its_labels():
    model = small(SeLa, n_labels=7).fit(X)
    assert sorted(np.unique(model.head_.groups)) == [0, 1, 2]
    of_labels = model.head_.label_probabilities(torch.from_numpy(model.transform(X))).detach().numpy()
    for k in range(3):
        members = model.head_.groups.numpy() == k
        np.testing.assert_allclose(model.predict_proba(X)[:, k], of_labels[:, members].sum(1), rtol=1e-5, atol=1e-7)


def test_more_heads_train_the_same_features():
    one, two = (small(SeLa, heads=heads, epochs=2).fit(X) for heads in (1, 2))
    assert not np.array_equal(one.transform(X), two.transform(X))
    assert two.predict_proba(X).shape == (len(X), 3)


def test_first_labels_are_found_before_the_first_step():
    model = small(SeLa, epochs=1, n_labels=3, learning_rate=1e-12, momentum=0.0, weight_decay=0.0, batch_size=len(X))
    model.fit(X)
    log_p = model.head_.logits(torch.from_numpy(model.transform(X))).log_softmax(1).detach()
    labels = sinkhorn(log_p, model.lam).argmax(1)
    expected = -log_p[torch.arange(len(X)), labels].mean()  # the network has hardly moved
    assert model.history_["cluster"]["loss"][0] == pytest.approx(expected.item(), rel=1e-3)


def test_images_are_changed_and_tables_are_not():
    digits = load_dataset("digits")
    images = digits.X[:64]
    settings = {"n_clusters": 10, "n_labels": 10, "epochs": 1, "channels": (4,), "verbose": False, "random_state": 0}
    settings |= {"image_shape": digits.image_shape, "batch_size": 64}
    changed, plain = (SeLa(**settings, augment=augment).fit(images) for augment in ("auto", None))
    assert changed.history_["cluster"]["loss"] != plain.history_["cluster"]["loss"]
    with pytest.raises(ValueError, match="augment: expected None for samples that are not images"):
        small(SeLa, augment={"rotation": 5.0}).fit(X)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_labels": 2}, "n_labels: expected at least n_clusters=3, got 2"),
        ({"n_labels": 3, "prior": [0.5, 0.5]}, "prior: expected 3 positive fractions that sum to 1"),
        ({"n_labels": 3, "prior": [0.5, 0.5, 0.5]}, "prior: expected 3 positive fractions that sum to 1"),
        ({"n_labels": 3, "prior": [0.5, 0.5, 0.0]}, "prior"),
        ({"augment": {"spin": 1.0}}, "augment: expected some of"),
    ],
)
def test_bad_arguments_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        small(SeLa, **settings).fit(X)
