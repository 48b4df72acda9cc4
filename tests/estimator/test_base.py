"""A fit: what it tells while it runs, and what it promises a method whose network is not like the book's."""

import numpy as np
import pytest
from own_method import ShallowAutoencoder
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from small_fits import (
    METHODS,
    UNLIKE,
    blobs,
    draw_from_global_generators,
    seed_global_generators,
    small,
)
from torch import nn
from torch.nn import functional

from dctutor import AECM, DCN, DEC, ClusteringModule, DeepClusterer
from dctutor.architectures import Softmax
from dctutor.estimator import Count, Trained
from dctutor.storage import read_file
from dctutor.training import Loop

X, TRUTH = blobs(65)
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)


def epochs_of(fitted):
    return [
        (phase, epoch) for phase in fitted.history_ if "/" not in phase for epoch in fitted.history_[phase]["epoch"]
    ]


def same(first, second):
    assert first.history_ == second.history_
    assert np.array_equal(first.labels_, second.labels_)
    assert np.array_equal(first.cluster_centers_, second.cluster_centers_)
    assert np.array_equal(first.predict_proba(X), second.predict_proba(X))
    for shot, other in zip(first.snapshots_, second.snapshots_, strict=True):
        assert np.array_equal(shot.embedding, other.embedding) and (shot.phase, shot.epoch) == (
            other.phase,
            other.epoch,
        )


# on_epoch


@each_method
def test_on_epoch_sees_every_epoch_and_changes_nothing(method):
    seen, losses = [], []

    def look(loop):
        assert isinstance(loop, Loop) and loop.steps > 0 and 0 <= loop.progress <= 1
        seen.append((loop.phase, loop.epoch))
        losses.append(loop.history[loop.phase]["loss"][-1])
        assert loop.history[loop.phase]["epoch"][-1] == loop.epoch
        return "neither True nor None"

    fitted = small(method, on_epoch=look).fit(X)
    same(fitted, small(method).fit(X))
    assert seen == epochs_of(fitted) and fitted.n_iter_ == seen[-1][1]
    phases = [phase for phase in fitted.history_ if "/" not in phase]
    assert losses == [loss for phase in phases for loss in fitted.history_[phase]["loss"]]


@each_method
@pytest.mark.parametrize("answer", [True, np.True_])
def test_true_ends_each_phase_after_its_epoch(method, answer):
    fitted = small(method, snapshot_every=1, on_epoch=lambda loop: answer).fit(X)
    assert {epoch for _, epoch in epochs_of(fitted)} == {1} == {fitted.n_iter_}
    assert list(fitted.history_)[-1].split("/")[0] == epochs_of(fitted)[-1][0]
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_only_the_phase_that_it_answers_in_ends():
    fitted = small(DEC, on_epoch=lambda loop: loop.phase == "pretrain" and loop.epoch == 2).fit(X)
    epochs = {phase: columns["epoch"] for phase, columns in fitted.history_.items() if "/" not in phase}
    assert epochs == {"layer_1": [1], "layer_2": [1], "pretrain": [1, 2], "cluster": [1, 2, 3]}


@pytest.mark.parametrize("method", [AECM, ClusteringModule])
def test_a_phase_that_ends_before_its_averaged_epoch_keeps_what_it_learnt(method):
    """Its weights are those of the last epoch, and not those from before the phase."""
    settings = {"epochs": 40, "learning_rate": 0.05, "precision": "float32", "alpha": 1.05}
    stopped = small(method, **settings, on_epoch=lambda loop: loop.phase == "cluster" and loop.epoch == 40).fit(X)
    whole = small(method, **settings).fit(X)
    assert (stopped.n_iter_, whole.n_iter_) == (40, 41)
    first = small(method, **settings, on_epoch=lambda loop: loop.phase == "cluster").fit(X)
    learnt = np.abs(whole.cluster_centers_ - first.cluster_centers_).max()
    assert np.abs(whole.cluster_centers_ - stopped.cluster_centers_).max() < 0.1 * learnt


class Stop(Exception):
    """What a pruned trial raises."""


def stop_in(phase, epoch):
    def look(loop):
        if (loop.phase, loop.epoch) == (phase, epoch):
            raise Stop

    return look


@pytest.mark.parametrize(("phase", "epoch"), [("layer_1", 1), ("cluster", 2), ("cluster", 3)])
def test_what_it_raises_ends_the_fit_and_leaves_the_estimator_unfitted(phase, epoch):
    estimator = small(DEC, on_epoch=stop_in(phase, epoch))
    with pytest.raises(Stop):
        estimator.fit(X)
    with pytest.raises(NotFittedError):
        estimator.predict(X)
    assert not [name for name in vars(estimator) if name.endswith("_")]
    fitted = small(DEC).fit(X)
    expected = fitted.predict_proba(X)
    with pytest.raises(Stop):
        fitted.set_params(on_epoch=stop_in(phase, epoch)).fit(X[:30])
    assert np.array_equal(fitted.predict_proba(X), expected)


@pytest.mark.parametrize("method", UNLIKE, ids=lambda method: method.__name__)
def test_a_fit_that_it_ended_goes_on_from_its_checkpoint(method, tmp_path):
    settings = {"checkpoint": tmp_path / "checkpoint", "checkpoint_seconds": 0}
    with pytest.raises(Stop):
        small(method, **settings, on_epoch=stop_in("cluster", 2)).fit(X)
    facts = read_file(tmp_path / "checkpoint")[1]
    assert (facts["phase"], facts["epoch"]) == ("cluster", 1)
    same(small(method, **settings).fit(X), small(method).fit(X))  # on_epoch is no part of what names a fit


def test_a_phase_that_it_ended_stays_ended_in_the_checkpoint(tmp_path):
    settings = {"checkpoint": tmp_path / "checkpoint", "checkpoint_seconds": 0}
    stopped = small(DCN, **settings, on_epoch=lambda loop: loop.phase == "cluster").fit(X)
    assert stopped.n_iter_ == 1
    same(small(DCN, **settings).fit(X), stopped)


def test_it_is_an_argument_like_others():
    def look(loop):
        return None

    estimator = small(DEC, on_epoch=look)
    assert estimator.get_params()["on_epoch"] is look and clone(estimator).on_epoch is look


# A network with batch normalisation and dropout


class Normalising(nn.Module):
    """An autoencoder whose layers see other numbers in training than afterwards."""

    def __init__(self, n_features):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_features, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 4)
        )
        self.decoder = nn.Linear(4, n_features)

    def encode(self, x):
        return self.encoder(x).float()

    def decode(self, z):
        return self.decoder(z)


class Own(DeepClusterer):
    """A method in two phases: reconstruct, then agree with the head's own assignments, refreshed each epoch."""

    def _build_network(self, n_features):
        return Normalising(n_features)

    def _build_head(self, embedding_dim):
        return Softmax(self.n_clusters, embedding_dim)

    def _train(self, loop):
        network = loop.build(lambda: self._build_network(loop.x.shape[1]))
        head = loop.build(lambda: self._build_head(4))
        loop.register(network=network, head=head)
        loop.watch(network.encode)
        optimizer = loop.adam([*network.parameters(), *head.parameters()], 1e-2)

        def reconstruct(index):
            x = loop.x[index]
            loss = (network.decode(network.encode(x)) - x).square().mean()
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        def start():
            labels = loop.map(network.encode).argmax(1) % self.n_clusters
            head.layer.weight.data.add_(functional.one_hot(labels, self.n_clusters).float().mean(0)[:, None])

        def refresh():
            loop.state["target"] = loop.map(lambda x: head.assign(network.encode(x))) ** 2

        def agree(index):
            q = head.assign(network.encode(loop.x[index]))
            loss = functional.cross_entropy(q, loop.state["target"][index])
            loop.minimize(loss, optimizer)
            return {"loss": loss}

        run = {"optimizers": [optimizer], "batch_size": self.batch_size}
        loop.run("reconstruct", reconstruct, epochs=3, **run)
        loop.run("agree", agree, epochs=3, start=start, refresh=refresh, **run)
        return Trained(network, head)


def own(**changes):
    settings = {"n_clusters": 3, "batch_size": 16, "random_state": 0, "verbose": False, "checkpoint_seconds": 0}
    return Own(**settings | changes)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_snapshots_change_nothing(precision):
    plain, watched = (own(precision=precision, snapshot_every=every).fit(X) for every in (None, 1))
    assert len(watched.snapshots_) == 8 and not plain.snapshots_
    watched.snapshots_ = []
    same(plain, watched)
    weights = zip(plain.network_.state_dict().values(), watched.network_.state_dict().values(), strict=True)
    assert all((a == b).all() for a, b in weights)


def test_the_last_snapshot_and_predictions_are_in_evaluation_mode():
    fitted = own(snapshot_every=1, precision="float32").fit(X)
    np.testing.assert_allclose(fitted.snapshots_[-1].embedding, fitted.transform(X), rtol=1e-5, atol=1e-6)
    one_by_one = np.concatenate([fitted.predict_proba(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(one_by_one, fitted.predict_proba(X), rtol=1e-5, atol=1e-6)
    assert not any(module.training for part in (fitted.network_, fitted.head_) for module in part.modules())
    q, z = fitted.predict_proba(X), fitted.transform(X)
    np.testing.assert_allclose(fitted.cluster_centers_, q.T @ z / q.sum(0)[:, None], rtol=1e-4)
    np.testing.assert_array_equal(fitted.labels_, q.argmax(1))


@pytest.mark.parametrize("random_state", [None, 0])
def test_the_global_random_state_is_left_alone(random_state):
    seed_global_generators(3)
    expected = draw_from_global_generators()
    seed_global_generators(3)
    own(random_state=random_state, snapshot_every=1).fit(X)
    assert draw_from_global_generators() == expected


def test_the_seed_decides_even_what_dropout_draws():
    fits = []
    for seed in (1, 2):
        seed_global_generators(seed)  # of no concern
        fits.append(own().fit(X))
    same(*fits)
    other = own(random_state=1).fit(X)
    assert not np.array_equal(other.cluster_centers_, fits[0].cluster_centers_)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fit_stopped_in_every_epoch_resumes_bit_for_bit(precision, tmp_path):
    settings = {"precision": precision, "snapshot_every": 1}
    expected, found, attempts = own(**settings).fit(X), None, 0
    while found is None:
        seen = []

        def look(loop, seen=seen):
            seen.append(loop.epoch)
            if len(seen) == 2:  # each attempt lives for one epoch, and dies in the next
                raise Stop

        attempts += 1
        try:
            found = own(**settings, checkpoint=tmp_path / "checkpoint", on_epoch=look).fit(X)
        except Stop:
            continue
    assert attempts == 6
    same(found, expected)
    weights = zip(found.network_.state_dict().values(), expected.network_.state_dict().values(), strict=True)
    assert all((a == b).all() for a, b in weights)


@pytest.mark.parametrize(("n", "batch_size"), [(65, 16), (65, 64), (33, 32), (3, 2)])
def test_a_last_batch_of_one_sample_joins_the_batch_before(n, batch_size):
    steps = []
    fitted = own(batch_size=batch_size, on_epoch=lambda loop: steps.append(loop.steps)).fit(X[:n])
    per_epoch = n // batch_size
    assert steps == [per_epoch, 2 * per_epoch, 3 * per_epoch] * 2
    assert np.isfinite(fitted.transform(X[:n])).all() and len(fitted.labels_) == n


def test_it_is_saved_with_its_running_statistics(tmp_path):
    fitted = own().fit(X)
    fitted.save(tmp_path / "model")
    loaded = Own.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert fitted.network_.encoder[1].running_var.ne(1).all()


# What a method may hand over


class Sized(ShallowAutoencoder):
    """A method that leaves its centres to the base."""

    width: Count = 4

    def _build_head(self, embedding_dim):
        return Softmax(self.n_clusters, embedding_dim)

    def _train(self, loop):
        trained = super()._train(loop)
        head = loop.build(lambda: self._build_head(trained.centers.shape[1]))
        head.start_from(loop.map(trained.network.encode), loop.map(lambda x: x)[:, 0].argsort().argsort() % 3)
        return Trained(trained.network, head)


def test_without_centres_they_are_means_weighted_by_assignments():
    fitted = Sized(3, width=4, random_state=0, verbose=False).fit(X)
    q, z = fitted.predict_proba(X), fitted.transform(X)
    np.testing.assert_allclose(fitted.cluster_centers_, q.T @ z / q.sum(0)[:, None], rtol=1e-4)
    centers = fitted.cluster_centers_
    centers += 1  # an array of the user's own
    assert not np.array_equal(Sized(3, width=4, random_state=0, verbose=False).fit(X).cluster_centers_, centers)
