"""JULE: triplets of a batch, mergers in periods, first run and re-run."""

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from small_fits import blobs, small

from dctutor import JULE, load_dataset
from dctutor.classical import merge_clusters, nearest_chains
from dctutor.metrics import clustering_accuracy

X, TRUTH = blobs()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_triplets_are_of_one_cluster_and_another():
    labels = torch.tensor([0, 1, 0, 2, 1, 1, 3])
    anchor, positive, negative = JULE(negatives=200)._triplets(labels, seeded())
    assert torch.equal(labels[anchor], labels[positive]) and (anchor != positive).all()
    assert (labels[anchor] != labels[negative]).all()
    assert torch.equal(anchor.bincount(minlength=7), torch.tensor([200, 200, 200, 0, 200, 200, 0]))
    # every choice, each about as often as any other
    drawn = negative[anchor == 0].bincount(minlength=7)
    assert drawn[[0, 2]].sum() == 0 and drawn[[1, 3, 4, 5, 6]].min() > 20


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0, 0, 0, 0]])
def test_a_batch_without_triplets_has_none(labels):
    assert all(len(part) == 0 for part in JULE()._triplets(torch.tensor(labels), seeded()))


def test_periods_merge_the_fraction_of_the_clusters_that_the_paper_gives():
    assert JULE(unroll=0.9)._counts(1762) == [1762, 176, 17, 10]
    assert JULE(unroll=0.2, n_clusters=3)._counts(10) == [10, 8, 6, 4, 3]
    assert JULE()._counts(10) == [10]


def test_history_has_the_number_of_clusters_of_each_period():
    model = small(JULE, epochs=2).fit(X)
    start = int(nearest_chains(torch.from_numpy(model.scaling_.apply(X.astype(np.float32)))).max()) + 1
    assert model.history_["cluster/refresh"]["clusters"] == model._counts(start)
    assert model.n_iter_ == 2 * len(model._counts(start))


def test_mergers_are_never_undone_within_a_run():
    seen = []

    def note(loop):
        seen.append(loop.state["labels"].clone().numpy())

    model = small(JULE, rerun=False, unroll=0.5, on_epoch=note, random_state=3).fit(X)
    for before, after in zip(seen, [*seen[1:], model.merged_labels_], strict=True):
        assert all(len(set(after[before == k])) == 1 for k in np.unique(before))


def test_a_rerun_starts_from_chains_in_the_final_features():
    first, again = (small(JULE, rerun=rerun, epochs=3, precision="float32").fit(X) for rerun in (False, True))
    z = first.transform(X)
    assert np.array_equal(z, again.transform(X))
    z = torch.from_numpy(z)
    assert adjusted_rand_score(merge_clusters(z, nearest_chains(z), 3), again.merged_labels_) == 1


def test_centers_are_means_of_the_merged_clusters():
    model = small(JULE, epochs=3, precision="float32").fit(X)
    z = model.transform(X)
    means = np.stack([z[model.merged_labels_ == k].mean(0) for k in range(3)])
    np.testing.assert_allclose(model.cluster_centers_, means, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-5)


def test_finds_groups_of_images():
    digits = load_dataset("digits")
    few = digits.y < 3
    images, y = digits.X[few], digits.y[few]
    model = JULE(
        3, image_shape=digits.image_shape, channels=(8,), embedding_dim=32, epochs=5, random_state=0, verbose=False
    ).fit(images)
    assert clustering_accuracy(y, model.labels_) > 0.9
    assert clustering_accuracy(y, model.merged_labels_) > 0.9


def test_fewer_chains_than_clusters_start_from_samples():
    model = small(JULE, n_clusters=60).fit(X)
    assert len(set(model.merged_labels_)) == 60
    assert model.history_["cluster/refresh"]["clusters"][0] == len(X)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unroll": 1.5}, "unroll: expected"),
        ({"gamma": 0.0}, "gamma: expected"),
        ({"negatives": 0}, "negatives: expected"),
        ({"width": 0.0}, "width: expected"),
    ],
)
def test_bad_arguments_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        small(JULE, **settings).fit(X)
