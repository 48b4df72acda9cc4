"""What the loop promises a method whose network normalises batches, or whose phases depend on its data."""

import contextlib

import numpy as np
import pytest
import torch
from small_fits import draw_from_global_generators, seed_global_generators
from torch import nn

from dctutor.schedules import constant, linear
from dctutor.training import AveragedEpoch, Loop
from dctutor.training.checkpoint import Checkpoint

X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)


def make_loop(x=X, **settings):
    return Loop(x, **{"seed": 0, "device": "cpu", "precision": "float32", **settings})


def normalising(dropout=0.0):
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))


def train(loop, network, **run):
    optimizer = loop.adam(network.parameters(), 1e-2)

    def step(index):
        loss = network(loop.x[index]).square().mean()
        loop.minimize(loss, optimizer)
        return {"loss": loss}

    loop.run("p", step, **{"optimizers": [optimizer], "epochs": 3, "batch_size": 16, **run})
    return [value.clone() for value in network.state_dict().values()]


def equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# Training and evaluation mode


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_snapshots_and_maps_leave_training_as_it_is(dropout):
    found = []
    for snapshot_every in (None, 1):
        loop = make_loop(snapshot_every=snapshot_every)
        network = loop.build(lambda: normalising(dropout))
        loop.watch(network)
        refresh = None if snapshot_every is None else lambda loop=loop, network=network: loop.map(network) is None
        found.append(train(loop, network, refresh=refresh))
    assert equal(*found)


@pytest.mark.parametrize("registered", [True, False])
def test_map_does_not_depend_on_its_batch_size(registered):
    loop = make_loop()
    network = loop.build(normalising) if registered else normalising(0.5)
    expected = network.eval()(loop.x).detach()
    network.train()
    for batch_size in (60, 7, 1):
        torch.testing.assert_close(loop.map(network, batch_size=batch_size), expected)
    assert all(module.training for module in network.modules())


def test_only_steps_see_training_mode_and_modes_are_given_back():
    loop, seen = make_loop(), {}
    network, frozen = loop.build(normalising), loop.build(lambda: nn.BatchNorm1d(6).eval())

    def look(where):
        seen.setdefault(where, []).append((network.training, frozen.training))

    loop.once("decision", lambda: (look("once"), torch.zeros(()))[1])
    functions = {name: (lambda name=name: look(name)) for name in ("start", "refresh", "end")}
    loop.run("p", lambda index: look("step") or {}, epochs=2, batch_size=30, **functions)
    assert seen == {
        "once": [(False, False)],
        "start": [(False, False)],
        "refresh": [(False, False)] * 2,
        "step": [(True, False)] * 4,
        "end": [(False, False)],
    }
    assert network.training and not frozen.training


def test_a_map_within_a_step_gives_training_mode_back():
    loop = make_loop()
    network = loop.build(normalising)

    def step(index):
        loop.map(network)
        assert network.training and network[1].training
        return {}

    loop.run("p", step, epochs=1, batch_size=60)


def test_dropout_leaves_the_global_random_state_and_follows_the_seed():
    def run(seed):
        loop = make_loop(seed=seed)
        return train(loop, loop.build(lambda: normalising(0.5)))

    seed_global_generators(1)
    first = run(3)
    drawn = draw_from_global_generators()
    seed_global_generators(1)
    assert draw_from_global_generators() == drawn
    seed_global_generators(2)
    assert equal(run(3), first) and not equal(run(4), first)


# Batches


@pytest.mark.parametrize(
    ("n", "batch_size", "expected"),
    [(60, 16, [16, 16, 16, 12]), (49, 16, [16, 16, 17]), (50, 16, [16, 16, 16, 2]), (3, 2, [3]), (60, 100, [60])],
)
def test_a_last_batch_of_one_joins_the_batch_before(n, batch_size, expected):
    loop, sizes = make_loop(X[:n]), []
    network = loop.build(normalising)

    def step(index):
        network(loop.x[index])
        sizes.append(len(index))
        return {}

    loop.run("p", step, epochs=1, batch_size=batch_size)
    assert sizes == expected and loop.steps_per_epoch(batch_size) == len(expected)


def test_a_phase_of_more_or_fewer_samples_than_the_data():
    loop, seen = make_loop(), []
    loop.run("p", lambda index: seen.append(index) or {}, epochs=1, batch_size=50, samples=130)
    assert sorted(torch.cat(seen).tolist()) == list(range(130)) and [len(batch) for batch in seen] == [50, 50, 30]


# Initial weights


def test_every_network_draws_weights_of_its_own():
    loop = make_loop(seed=5)
    first, second, wide = (loop.build(lambda d=d: nn.Linear(d, 50)) for d in (10, 10, 20))
    assert not torch.equal(first.weight, second.weight)
    pair = torch.stack([first.weight.flatten()[:500] * 10**0.5, wide.weight.flatten()[:500] * 20**0.5])
    assert abs(torch.corrcoef(pair)[0, 1]) < 0.15
    again = make_loop(seed=5)
    assert torch.equal(again.build(lambda: nn.Linear(10, 50)).weight, first.weight)
    with torch.random.fork_rng():
        torch.manual_seed(5)  # the first is that of a bare loop
        assert torch.equal(nn.Linear(10, 50).weight, first.weight)


def test_noise_and_order_have_generators_of_their_own():
    orders = []
    for noisy in (False, True):
        loop, order = make_loop(), []

        def step(index, loop=loop, order=order, noisy=noisy):
            order.append(index)
            if noisy:
                torch.rand(5, generator=loop.noise_generator)
            return {}

        loop.run("p", step, epochs=2, batch_size=16)
        orders.append(order)
    assert equal(*orders)


# Optimisers


def test_minimize_fills_gradients_of_its_own_player_only():
    loop = make_loop()
    maker, judge = loop.build(lambda: nn.Linear(6, 6)), loop.build(lambda: nn.Linear(6, 1))
    players = [loop.adam(network.parameters(), 1e-3) for network in (maker, judge)]

    def step(index):
        loss = judge(maker(loop.x[index])).mean()
        loop.minimize(loss, players[0])
        assert maker.weight.grad is not None and judge.weight.grad is None
        return {"loss": loss}

    loop.run("p", step, optimizers=players, epochs=1, batch_size=60)


def test_minimize_refuses_an_optimiser_that_no_checkpoint_would_keep():
    loop = make_loop()
    network = loop.build(lambda: nn.Linear(6, 1))
    known, stranger = (loop.adam(network.parameters(), 1e-3) for _ in range(2))

    def step(index):
        loop.minimize(network(loop.x[index]).mean(), stranger)
        return {}

    with pytest.raises(ValueError, match=r"optimizer: expected one of the 1 in run\(optimizers=\.\.\.\), got another"):
        loop.run("p", step, optimizers=[known], epochs=1, batch_size=60)


def test_gradients_are_clipped_to_a_norm():
    norms = []
    for max_norm in (None, 0.5):
        loop = make_loop(1000 * X)
        network = loop.build(lambda: nn.Linear(6, 1))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.0)

        def step(index, loop=loop, network=network, optimizer=optimizer, max_norm=max_norm):
            loop.minimize(network(loop.x[index]).square().mean(), optimizer, max_norm=max_norm)
            norms.append(torch.cat([p.grad.flatten() for p in network.parameters()]).norm().item())
            return {}

        loop.run("p", step, optimizers=[optimizer], epochs=1, batch_size=60)
    assert norms[0] > 100 and norms[1] == pytest.approx(0.5, rel=1e-4)


def test_each_optimiser_may_have_a_schedule_of_its_own():
    loop, rates = make_loop(), []
    optimizers = [torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0) for _ in range(3)]

    def step(index):
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in optimizers])
        return {}

    schedules = [linear(1, 0), None, constant(0.5)]
    loop.run("p", step, optimizers=optimizers, epochs=1, batch_size=30, learning_rate_schedule=schedules)
    assert rates == [[1, 1, 0.5], [0, 1, 0.5]]
    with pytest.raises(ValueError, match="learning_rate_schedule: expected one per optimiser, 3, got 2"):
        loop.run("q", step, optimizers=optimizers, epochs=1, batch_size=30, learning_rate_schedule=schedules[:2])


# Hooks


def test_refresh_may_return_nothing_and_counts_in_epochs_or_steps():
    for settings, expected in (({}, [0, 2, 4, 6]), ({"refresh_epochs": 2}, [0, 4]), ({"refresh_steps": 3}, [0, 3, 6])):
        loop, called = make_loop(), []

        def refresh(loop=loop, called=called):
            called.append(loop.steps)

        loop.run("p", lambda index: {}, epochs=4, batch_size=30, refresh=refresh, **settings)
        assert called == expected


@pytest.mark.parametrize("stop", [None, 3])
def test_end_comes_before_the_last_snapshot_and_checkpoint(stop, tmp_path):
    path = tmp_path / "checkpoint"
    loop = make_loop(snapshot_every=5, checkpoint=Checkpoint(path, "f", 3600))
    value = nn.Parameter(torch.zeros(1, 1))
    loop.register(value=value)
    loop.watch(lambda x: x[:, :1], value)

    def end():
        with torch.no_grad():
            value.fill_(7)

    refresh = (lambda: loop.steps == stop) if stop else None
    loop.run("p", lambda index: {}, epochs=4, batch_size=60, refresh=refresh, end=end)
    assert loop.snapshots[-1].centers == 7 and Checkpoint(path, "f", 0).tensors["module/value/"] == 7


@pytest.mark.parametrize("answer", [None, False, 1, True])
def test_on_epoch_sees_each_epoch_and_may_end_the_phase(answer):
    seen = []

    def on_epoch(loop):
        seen.append((loop.phase, loop.epoch, loop.history[loop.phase]["loss"][-1]))
        return answer if loop.epoch == 2 else None

    loop = make_loop(on_epoch=on_epoch)
    for phase in ("a", "b"):
        loop.run(phase, lambda index: {"loss": torch.ones(())}, epochs=3, batch_size=60)
    last = 2 if answer is True else 3
    assert seen == [(phase, epoch, 1.0) for phase in ("a", "b") for epoch in range(1, last + 1)]


# Decisions between two phases


class Killed(Exception):
    pass


def rounds(path=None, die_at=None):
    """Clusters merge between the phases, by what the network says: fewer, or many fewer, as the data would have it."""
    loop = make_loop(checkpoint=Checkpoint(path, "f", 0) if path else None)
    network = loop.build(lambda: nn.Linear(6, 2))
    loop.register(network=network)
    optimizer = loop.adam(network.parameters(), 0.1)
    clusters, number = loop.once("begin", lambda: {"k": torch.tensor(20), "drawn": torch.rand(3)}), 0

    def merge():
        noise = torch.randint(3, (), generator=loop.generator)
        return {"k": clusters["k"] - (2 if loop.map(network).mean() < 6 else 9) - noise, "drawn": clusters["drawn"]}

    def step(index):
        if (loop.phase, loop.epoch) == die_at:
            raise Killed
        loss = (network(loop.x[index]) - clusters["k"]).square().mean()
        loop.minimize(loss, optimizer)
        return {"loss": loss}

    while clusters["k"] > 3:
        clusters = loop.once(f"merge {number}", merge)
        loop.run(f"round {number}", step, optimizers=[optimizer], epochs=4, batch_size=32)
        number += 1
    return [network.weight.detach().clone(), clusters["k"]], loop.history


def test_phases_that_depend_on_the_data_resume_bit_for_bit(tmp_path):
    torch.manual_seed(0)
    expected, history = rounds()
    assert len(history) > 3
    for number, phase in enumerate(history):
        for epoch in range(4):
            path = tmp_path / f"{number}-{epoch}"
            with contextlib.suppress(Killed):
                rounds(path, die_at=(phase, epoch))
                raise AssertionError("it lived")
            found, again = rounds(path)
            assert equal(found, expected) and again == history


# The averaged epoch


def test_weights_are_the_mean_over_the_last_epochs_steps(tmp_path):
    loop = make_loop()
    network = loop.build(lambda: nn.Linear(6, 2))
    optimizer = loop.adam(network.parameters(), 0.1)
    averaged, seen, rates = AveragedEpoch(loop, 2, network=network), [], []

    def step(index):
        loss = network(loop.x[index]).square().mean()
        loop.minimize(loss, optimizer)
        averaged.update()
        seen.append(network.weight.detach().clone())
        rates.append(optimizer.param_groups[0]["lr"])
        return {"loss": loss}

    schedule = averaged.schedule(linear(1, 0.1))
    run = {"optimizers": [optimizer], "epochs": averaged.total, "batch_size": 20}
    loop.run("p", step, learning_rate_schedule=schedule, end=averaged.finish, **run)
    torch.testing.assert_close(network.weight.detach(), torch.stack(seen[-3:]).mean(0))
    assert loop.epoch == 3 and rates[-3:] == pytest.approx([0.01] * 3) and rates[0] == pytest.approx(0.1)
