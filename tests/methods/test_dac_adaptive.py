"""DAC, the adaptive one: pairs, and thresholds that close."""

import numpy as np
import pytest
import torch
from small_fits import blobs, small

from dctutor import DeepAdaptiveClustering, load_dataset
from dctutor.architectures import LabelNetwork
from dctutor.losses import pairwise, select_pairs
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs()


@pytest.fixture(scope="module")
def fitted():
    return small(DeepAdaptiveClustering, epochs=40, learning_rate=0.01).fit(X)


def test_pairs_alone_find_easy_clusters(fitted):
    assert clustering_accuracy(TRUTH, fitted.labels_) == 1


def test_embedding_is_label_features(fitted):
    features = fitted.transform(X)
    assert features.shape == (120, 3) and features.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(fitted.predict_proba(X), features / features.sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(fitted.predict(X), features.argmax(1))


def test_thresholds_close_and_pairs_join(fitted):
    history = fitted.history_["cluster"]
    assert (np.diff(history["upper"]) < 0).all() and (np.diff(history["lower"]) > 0).all()
    assert history["upper"][-1] == pytest.approx(0.95 - 0.5 * 0.45, abs=0.01)
    assert history["selected"][-1] > history["selected"][0]
    assert history["same"][-1] == pytest.approx(1 / 3, abs=0.05)


def test_first_step_is_the_pairwise_loss_of_the_untrained_network():
    settings = {"epochs": 1, "batch_size": len(X), "learning_rate": 1e-12, "precision": "float32"}
    history = small(DeepAdaptiveClustering, **settings).fit(X).history_["cluster"]
    seeds = []
    model = small(DeepAdaptiveClustering, **settings, on_epoch=lambda loop: seeds.append(loop.seed)).fit(X)
    torch.manual_seed(seeds[0])  # a loop draws its first network from the seed
    features = LabelNetwork(8, 3, [32])(torch.from_numpy(model.scaling_.apply(X.astype("f4"))))
    target, selected = select_pairs(features, 0.95, 0.455)
    assert history["loss"][0] == pytest.approx(pairwise(features, target, selected).item(), rel=1e-4)
    assert history["selected"][0] == pytest.approx(selected.sum().item() / (120 * 119), abs=1e-3)
    assert history["same"][0] == pytest.approx(target.sum().item() / (120 * 119), abs=1e-3)


def test_one_threshold_selects_all_pairs():
    one = small(DeepAdaptiveClustering, upper=0.5, lower=0.5).fit(X).history_["cluster"]
    assert one["selected"] == pytest.approx([1.0] * len(one["epoch"]))
    two = small(DeepAdaptiveClustering, closed=0.0).fit(X).history_["cluster"]
    assert two["upper"] == pytest.approx([0.95] * len(two["epoch"]))


def test_prediction_of_one_sample_does_not_depend_on_the_others(fitted):
    np.testing.assert_allclose(fitted.predict_proba(X[:1]), fitted.predict_proba(X)[:1], rtol=1e-4, atol=1e-6)


def test_images_are_changed_and_other_data_are_not():
    digits = load_dataset("digits")
    settings = {"n_clusters": 10, "epochs": 1, "channels": (4,), "verbose": False, "random_state": 0}
    settings |= {"image_shape": digits.image_shape, "batch_size": 64}
    found = [
        DeepAdaptiveClustering(**settings, augment=augment).fit(digits.X[:128]).history_["cluster"]["loss"]
        for augment in ("auto", None, {})
    ]
    assert found[0] != found[1] == found[2]
    with pytest.raises(ValueError, match="augment: expected None for samples that are not images"):
        small(DeepAdaptiveClustering, augment={"rotation": 5.0}).fit(X)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lower": 0.6}, "meet: expected from lower=0.6 to upper=0.95, got 0.5"),
        ({"upper": 0.48}, "meet: expected from lower=0.455 to upper=0.48, got 0.5"),
        ({"closed": 1.5}, "closed"),
        ({"augment": {"spin": 1.0}}, "augment: expected some of"),
    ],
)
def test_bad_arguments_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        small(DeepAdaptiveClustering, **settings).fit(X)
