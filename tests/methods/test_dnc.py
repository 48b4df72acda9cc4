"""DNC: machines in turn, clusters whose number is found, a top layer tuned to margins."""

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from small_fits import blobs, small

from dctutor import DNC
from dctutor.losses import margin
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs()


def test_finds_easy_groups_of_a_table():
    model = small(DNC).fit(X)
    assert clustering_accuracy(TRUTH, model.labels_) > 0.9


def test_fewer_clusters_than_allowed_may_be_found():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = small(DNC, n_clusters=12, pretrain_epochs=60, alpha=0.1).fit(X)
    assert len(np.unique(model.labels_)) < 12 and model.predict_proba(X).shape == (120, 12)


def test_only_the_top_layer_is_tuned():
    before, after = (small(DNC, epochs=epochs, learning_rate=0.1).fit(X).network_.machines for epochs in (0, 3))
    assert torch.equal(before[0].weight, after[0].weight)
    assert not torch.equal(before[1].weight, after[1].weight)
    assert torch.equal(before[1].visible_bias, after[1].visible_bias)


def test_margin_is_that_of_a_loop():
    scores, labels = torch.randn(7, 4), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    total = 0.0
    for row, own in zip(scores.tolist(), labels.tolist(), strict=True):
        total += max(0.0, 1 + max(value for k, value in enumerate(row) if k != own) - row[own])
    torch.testing.assert_close(margin(scores, labels), torch.tensor(total / 7))
    assert margin(torch.randn(3, 1), torch.zeros(3, dtype=torch.long)) == 0
