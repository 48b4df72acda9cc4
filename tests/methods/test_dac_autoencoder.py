"""DAC, autoencoder-based: its objective against NumPy, and what labels and pseudo-labels do to the weights."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from small_fits import blobs, small

from dctutor import DEC, DeepAutoencoderClustering
from dctutor.losses import feature_weights
from dctutor.training import Loop

X, TRUTH = blobs()
NOISE = np.random.default_rng(1).random((120, 4))
MIXED = np.hstack([X, NOISE])  # eight features that tell the groups apart, four that do not


def fit(data=MIXED, y=None, **changes):
    return small(DeepAutoencoderClustering, **changes).fit(data, y)


def expected_weights(data, labels, chosen=slice(None)):
    unit = (data - data.min()) / (data.max() - data.min())
    weights = feature_weights(torch.tensor(unit[chosen]), torch.as_tensor(labels[chosen])).numpy()
    return weights / weights.mean()


@pytest.mark.parametrize("labelled", [0, 120])
def test_the_objective_is_the_equation(labelled):
    y = TRUTH if labelled else None
    still = {"epochs": 1, "learning_rate": 1e-12, "precision": "float32", "beta": 0.01}
    fitted = fit(y=y, **still)
    network, unit = fitted.network_, (MIXED - MIXED.min()) / (MIXED.max() - MIXED.min())
    rebuilt = network.decode(torch.from_numpy(fitted.transform(MIXED))).detach().numpy()
    weights = expected_weights(MIXED, TRUTH) if labelled else np.ones(12)
    squared = (unit - rebuilt) ** 2
    size = sum((value.detach().numpy() ** 2).sum() for value in network.parameters())
    got = {name: column[0] for name, column in fitted.history_["train"].items()}
    assert got["reconstruction"] == pytest.approx((squared * weights).mean(), rel=1e-3)
    assert got["parameters"] == pytest.approx(size, rel=1e-4)
    assert got["loss"] == pytest.approx(got["reconstruction"] + 0.01 * got["parameters"], rel=1e-5)
    np.testing.assert_allclose(network(torch.tensor(unit).float()).detach(), rebuilt, rtol=1e-4, atol=1e-5)
    drawn = MIXED.min() + rebuilt * (MIXED.max() - MIXED.min())
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(MIXED)), drawn, rtol=1e-4, atol=1e-5)


def test_labels_make_the_weights():
    labelled = fit(y=TRUTH)
    np.testing.assert_allclose(labelled.feature_weights_, expected_weights(MIXED, TRUTH), rtol=1e-4)
    assert labelled.feature_weights_[:8].min() > labelled.feature_weights_[8:].max()
    assert (fit().feature_weights_ == 1).all() and (fit(y=np.full(120, -1)).feature_weights_ == 1).all()
    some = np.where(np.arange(120) < 30, TRUTH, -1)
    np.testing.assert_allclose(fit(y=some).feature_weights_, expected_weights(MIXED, TRUTH, slice(30)), rtol=1e-4)
    names = np.array(["ant", "bee", "cow"])[TRUTH]
    assert np.array_equal(fit(y=names).feature_weights_, labelled.feature_weights_)
    assert not np.array_equal(fit(y=TRUTH, m=20).feature_weights_, labelled.feature_weights_)


def test_labels_change_the_fit_only_through_the_weights():
    assert np.array_equal(fit(y=(TRUTH + 1) % 3).labels_, fit(y=TRUTH).labels_)
    assert not np.array_equal(fit(y=TRUTH).transform(MIXED), fit().transform(MIXED))
    assert np.array_equal(small(DEC).fit(X, TRUTH).labels_, small(DEC).fit(X).labels_)  # it takes none


def test_pseudo_labels():
    fitted = fit(X, pseudo_every=2, epochs=30)
    weights = fitted.feature_weights_
    assert adjusted_rand_score(TRUTH, fitted.labels_) == 1
    np.testing.assert_allclose(weights, expected_weights(X, TRUTH), rtol=1e-4)  # the clusters are the groups
    assert (fit(X, pseudo_every=5, epochs=5).feature_weights_ == 1).all()  # none before the first five epochs are over


def test_equal_data_have_equal_weights():
    for changes in ({"y": TRUTH}, {"pseudo_every": 1}):
        with pytest.warns(match="distinct clusters"):
            assert (fit(np.full((120, 3), 2.0), **changes).feature_weights_ == 1).all()


def test_clusters_of_new_samples_are_those_of_k_means_on_their_codes():
    fitted = fit(epochs=30)
    new = np.hstack([blobs(90, seed=3)[0] + 0.3, np.random.default_rng(2).random((90, 4))])
    found = fitted.cluster(new)
    expected = KMeans(3, n_init=20, random_state=5).fit_predict(fitted.transform(new))
    assert adjusted_rand_score(found, expected) == 1 and np.array_equal(fitted.cluster(new), found)
    with pytest.raises(ValueError, match="n_samples=2 should be >= n_clusters=3"):
        fitted.cluster(new[:2])
    assert not hasattr(DEC, "cluster")  # others have no second step


@pytest.mark.parametrize("container", [list, pd.Series, lambda y: np.array(y, dtype=object)])
def test_names_of_which_some_are_unknown(container):
    names = [-1 if i % 4 else "abc"[TRUTH[i]] for i in range(120)]
    same = fit(y=np.where(np.arange(120) % 4, -1, TRUTH))
    assert np.array_equal(fit(y=container(names)).feature_weights_, same.feature_weights_)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (TRUTH[:50], "y: expected a label, or -1, for each of 120 samples, got 50"),
        (X, "y: expected one label per sample"),
        (X[:, 0], "y: expected classes, .* Unknown label type: continuous"),
        (
            np.where(np.arange(120) == 3, np.nan, 1.0),
            "y: expected one label per sample, -1 where it is unknown; Input y contains NaN",
        ),
        (np.zeros(120), "y: expected 2 classes, one twice, in m=1000; got 1 in 120"),
        (np.where(np.arange(120) < 10, np.arange(120), -1), "y: expected 2 classes, .* got 10 in 10"),
    ],
)
def test_labels_that_will_not_do(y, message):
    with pytest.raises(ValueError, match=message):
        fit(y=y)


def test_labels_and_pseudo_labels_exclude_each_other():
    with pytest.raises(ValueError, match="pseudo_every: expected None, as y has labels, got 2"):
        fit(y=TRUTH, pseudo_every=2)
    with pytest.raises(ValueError, match="m: expected an integer of at least 3, got 2"):
        fit(pseudo_every=2, m=2)


def test_a_checkpoint_of_other_labels_is_refused(tmp_path):
    fit(y=TRUTH, checkpoint=tmp_path / "state")
    with pytest.raises(ValueError, match=r"checkpoint: .* other data"):
        fit(y=np.roll(TRUTH, 1) * (np.arange(120) > 60), checkpoint=tmp_path / "state")


def test_weights_are_saved(tmp_path):
    fitted = fit(y=TRUTH)
    fitted.save(tmp_path / "model")
    loaded = DeepAutoencoderClustering.load(tmp_path / "model")
    assert np.array_equal(loaded.feature_weights_, fitted.feature_weights_)
    assert np.array_equal(loaded.cluster(MIXED), fitted.cluster(MIXED))


def test_the_learning_rate_falls_to_nothing(monkeypatch):
    seen, minimize = [], Loop.minimize
    monkeypatch.setattr(
        Loop, "minimize", lambda self, loss, opt: (seen.append(opt.param_groups[0]["lr"]), minimize(self, loss, opt))
    )
    small(DeepAutoencoderClustering, epochs=4, learning_rate=0.01, batch_size=40).fit(X)
    np.testing.assert_allclose(seen, 0.01 * np.linspace(1, 0, 12), atol=1e-9)


def test_classes_may_be_words():
    words = np.array(["a", "b", -1] * 40)
    numbers = np.array([0, 1, -1] * 40)
    np.testing.assert_array_equal(fit(X, words).feature_weights_, fit(X, numbers).feature_weights_)


def test_clusters_of_an_estimator_that_returns_tables():
    fitted = fit()
    expected = fitted.cluster(MIXED)
    assert np.array_equal(fitted.set_output(transform="pandas").cluster(MIXED), expected)
