import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from small_fits import draw_from_global_generators, seed_global_generators
from torch import nn

from dctutor.architectures import Autoencoder
from dctutor.losses import reconstruction
from dctutor.schedules import one_cycle
from dctutor.training import Loop
from dctutor.training import loop as training

X = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)


def make_loop(**settings):
    return Loop(X, **{"seed": 0, "device": "cpu", "precision": "float32", **settings})


def idle(index):
    return {"loss": torch.zeros(())}


def weights(*modules):
    return [value.clone() for module in modules for value in module.state_dict().values()]


def equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("batch_size", [16, 50, 1000])
def test_same_weights_as_bare_pytorch(batch_size):
    loop = make_loop(seed=7)
    network = loop.build(lambda: Autoencoder(6, (5, 2)))
    optimizer = loop.adam(network.parameters(), 1e-2)

    def step(index):
        x = loop.x[index]
        loss = reconstruction(x, network(x))
        loop.minimize(loss, optimizer)
        return {"loss": loss}

    schedule = one_cycle()
    done = loop.run(
        "train", step, optimizers=[optimizer], epochs=3, batch_size=batch_size, learning_rate_schedule=schedule
    )

    with torch.random.fork_rng():
        torch.manual_seed(7)
        bare = Autoencoder(6, (5, 2))
    generator, x, losses, taken = torch.Generator().manual_seed(7), torch.from_numpy(X), [], 0
    optimizer = torch.optim.Adam(bare.parameters(), lr=1e-2, fused=True)
    total = 3 * -(-50 // min(batch_size, 50))
    for _ in range(3):
        sum_of_losses = 0.0
        for index in torch.randperm(50, generator=generator).split(batch_size):
            optimizer.param_groups[0]["lr"] = 1e-2 * schedule(taken / (total - 1))
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(bare(x[index]), x[index])
            loss.backward()
            optimizer.step()
            taken += 1
            sum_of_losses += loss.item() * len(index)
        losses.append(sum_of_losses / 50)
    assert equal(weights(network), weights(bare))
    assert done == loop.epoch == 3 and loop.steps == total
    assert loop.history["train"]["epoch"] == [1, 2, 3]
    assert loop.history["train"]["loss"] == pytest.approx(losses, rel=1e-5)


def test_two_players_in_turn():
    loop = make_loop()
    maker, judge = loop.build(lambda: nn.Linear(2, 6)), loop.build(lambda: nn.Linear(6, 1))
    first_judge = {name: value.clone() for name, value in judge.state_dict().items()}
    players = [loop.adam(maker.parameters(), 1e-2), torch.optim.SGD(judge.parameters(), lr=1e-1, momentum=0.5)]

    def losses(generator, x, made_by, judged_by):
        noise = torch.randn(len(x), 2, generator=generator)
        judged = nn.functional.softplus(judged_by(made_by(noise).detach())) + nn.functional.softplus(-judged_by(x))
        yield judged.mean()
        yield nn.functional.softplus(-judged_by(made_by(noise))).mean()

    def step(index):
        found = {}
        both = losses(loop.generator, loop.x[index], maker, judge)
        for (name, optimizer), loss in zip([("judge", players[1]), ("maker", players[0])], both, strict=True):
            loop.minimize(loss, optimizer)
            found[name] = loss
        return found

    loop.run("play", step, optimizers=players, epochs=2, batch_size=20)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        bare_maker = nn.Linear(2, 6)
    bare_judge = make_loop().build(lambda: nn.Linear(6, 1))
    bare_judge.load_state_dict(first_judge)
    optimizers = [
        torch.optim.SGD(bare_judge.parameters(), lr=1e-1, momentum=0.5),
        torch.optim.Adam(bare_maker.parameters(), lr=1e-2, fused=True),
    ]
    generator, x = torch.Generator().manual_seed(0), torch.from_numpy(X)
    for _ in range(2):
        for index in torch.randperm(50, generator=generator).split(20):
            both = losses(generator, x[index], bare_maker, bare_judge)
            for optimizer, loss in zip(optimizers, both, strict=True):
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    assert equal(weights(maker, judge), weights(bare_maker, bare_judge))
    assert list(loop.history["play"]) == ["epoch", "judge", "maker"]


def test_a_step_without_gradients():
    loop = make_loop()
    loop.state["sizes"] = torch.zeros(2)

    def step(index):
        loop.state["sizes"] += torch.bincount((loop.x[index, 0] > 0).long(), minlength=2)
        return {}

    assert loop.run("count", step, epochs=2, batch_size=7) == 2
    positive = (X[:, 0] > 0).sum()
    assert loop.state["sizes"].tolist() == [2 * (50 - positive), 2 * positive]
    assert loop.history == {"count": {"epoch": [1, 2]}}


def test_every_epoch_sees_every_sample_once_in_a_new_order():
    loop, batches = make_loop(), []

    def step(index):
        batches.append(index)
        return {}

    loop.run("see", step, epochs=3, batch_size=16)
    assert [len(batch) for batch in batches] == [16, 16, 16, 2] * 3
    orders = [torch.cat(batches[i : i + 4]).tolist() for i in (0, 4, 8)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != list(range(50))


def test_history_is_the_mean_over_samples_not_over_batches():
    loop = make_loop()
    loop.run("p", lambda index: {"loss": loop.x[index].mean()}, epochs=1, batch_size=16)
    assert loop.history["p"]["loss"] == [pytest.approx(X.mean(), rel=1e-5)]


@pytest.mark.parametrize(("every", "expected"), [(1, list(range(12))), (3, [0, 3, 6, 9]), (5, [0, 5, 10]), (99, [0])])
def test_refresh_comes_before_every_nth_step(every, expected):
    loop, called, order = make_loop(), [], []

    def refresh():
        called.append(loop.steps)
        order.append("refresh")
        return False

    def step(index):
        order.append("step")
        return {}

    loop.run("p", step, epochs=3, batch_size=16, refresh=refresh, refresh_steps=every)
    assert called == expected and order[0] == "refresh" and order.count("step") == 12


def test_refresh_is_once_a_pass_unless_told():
    loop, called = make_loop(), []
    loop.run("p", idle, epochs=3, batch_size=16, refresh=lambda: called.append(loop.steps) or False)
    assert called == [0, 4, 8]


@pytest.mark.parametrize(("stop_at", "epochs"), [(0, 0), (2, 1), (4, 1), (6, 2), (8, 2)])
def test_refresh_ends_the_phase(stop_at, epochs):
    loop, taken = make_loop(), []

    def step(index):
        taken.append(index)
        return {"loss": torch.ones(())}

    done = loop.run("p", step, epochs=10, batch_size=16, refresh=lambda: loop.steps == stop_at, refresh_steps=2)
    assert done == loop.epoch == epochs and len(taken) == loop.steps == stop_at
    assert loop.history.get("p", {}).get("loss", []) == [1] * epochs


def test_start_comes_first_and_once():
    loop, order = make_loop(), []
    loop.run(
        "p",
        lambda index: order.append("step") or {},
        epochs=1,
        batch_size=25,
        start=lambda: order.append("start"),
        refresh=lambda: order.append("refresh") or False,
    )
    assert order == ["start", "refresh", "step", "step"]


def test_schedule_drives_every_learning_rate_from_its_own_start():
    loop = make_loop()
    network = nn.Linear(6, 1)
    first = torch.optim.SGD([{"params": [network.weight], "lr": 2.0}, {"params": [network.bias]}], lr=1.0)
    second = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    rates, progress = [], []

    def step(index):
        rates.append([group["lr"] for optimizer in (first, second) for group in optimizer.param_groups])
        progress.append(loop.progress)
        return {}

    loop.run(
        "p",
        step,
        optimizers=[first, second],
        epochs=2,
        batch_size=25,
        learning_rate_schedule=lambda share: 1 - share / 2,
    )
    assert progress == pytest.approx([0, 1 / 3, 2 / 3, 1])
    factors = [1 - share / 2 for share in progress]
    assert np.allclose(rates, [[2 * f, f, f / 2] for f in factors])


def test_one_step_is_the_start_of_the_schedule():
    loop, progress = make_loop(), []
    loop.run("p", lambda index: progress.append(loop.progress) or {}, epochs=1, batch_size=50)
    assert progress == [0]


def test_phases_have_their_own_steps_and_tables():
    loop = make_loop()
    loop.run("a", idle, epochs=2, batch_size=25)
    loop.note("a/extra", step=3, changed=0.5)
    loop.note("a/extra", step=4, changed=0.25)
    loop.run("b", idle, epochs=1, batch_size=50)
    assert loop.steps == 1 and loop.epoch == 1
    assert loop.history == {
        "a": {"epoch": [1, 2], "loss": [0, 0]},
        "a/extra": {"step": [3, 4], "changed": [0.5, 0.25]},
        "b": {"epoch": [1], "loss": [0]},
    }


def test_no_epochs():
    loop = make_loop()
    assert loop.run("p", idle, epochs=0, batch_size=5) == 0 and loop.steps == 0 and loop.history == {}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_names_the_phase(bad):
    loop = make_loop()

    def step(index):
        return {"fine": torch.zeros(()), "gone": torch.tensor(bad if loop.steps == 5 else 0.0)}

    with pytest.raises(FloatingPointError, match=rf"^cluster: gone became {bad} in epoch 2"):
        loop.run("cluster", step, epochs=3, batch_size=16)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_snapshots(precision):
    index = np.array([4, 0, 49])
    loop = make_loop(snapshot_every=2, snapshot_index=index, precision=precision)
    network = loop.build(lambda: nn.Linear(6, 2))
    centers = nn.Parameter(torch.zeros(3, 2))

    def step(batch):
        with torch.no_grad():
            centers.add_(1)
        return {}

    loop.run("unseen", step, epochs=2, batch_size=50)
    loop.watch(network)
    loop.run("a", idle, epochs=5, batch_size=50)
    loop.watch(network, centers)
    loop.run("b", step, epochs=2, batch_size=50)
    assert [(shot.phase, shot.epoch) for shot in loop.snapshots] == [
        ("a", 0),
        ("a", 2),
        ("a", 4),
        ("a", 5),
        ("b", 0),
        ("b", 2),
    ]
    assert all(shot.embedding.shape == (3, 2) and shot.embedding.dtype == np.float32 for shot in loop.snapshots)
    np.testing.assert_allclose(
        loop.snapshots[0].embedding, network(loop.x[index]).detach().numpy(), rtol=0.05, atol=0.05
    )
    assert loop.snapshots[0].centers is None
    assert [shot.centers[0, 0] for shot in loop.snapshots[4:]] == [2, 4]


@pytest.mark.parametrize("stop_at", [4, 6, 8])
def test_the_last_state_of_a_phase_that_stops_early_is_recorded(stop_at):
    loop = make_loop(snapshot_every=5, snapshot_index=np.arange(50))
    network = loop.build(lambda: nn.Linear(6, 2))
    loop.watch(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    def step(index):
        loss = network(loop.x[index]).square().mean()
        loop.minimize(loss, optimizer)
        return {"loss": loss}

    loop.run(
        "p",
        step,
        optimizers=[optimizer],
        epochs=9,
        batch_size=16,
        refresh=lambda: loop.steps == stop_at,
        refresh_steps=2,
    )
    np.testing.assert_array_equal(loop.snapshots[-1].embedding, loop.map(network).numpy())


def test_snapshots_of_all_samples_unless_told_which():
    loop = make_loop(snapshot_every=1)
    loop.watch(lambda x: x)
    loop.run("p", idle, epochs=1, batch_size=50)
    assert [shot.embedding.shape for shot in loop.snapshots] == [(50, 6)] * 2


def test_map_sees_every_sample_in_order_without_gradients():
    loop = make_loop()
    network = nn.Linear(6, 3)
    found = loop.map(network, batch_size=7)
    assert not found.requires_grad
    torch.testing.assert_close(found, network(torch.from_numpy(X)))
    assert torch.equal(loop.map(lambda x: x * 2, torch.arange(9.0), batch_size=2), torch.arange(9.0) * 2)


def test_bfloat16_reaches_step_and_map_only_when_asked_for():
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        loop, seen = make_loop(precision=precision), []
        network = loop.build(lambda: nn.Linear(6, 2))

        def step(index, loop=loop, seen=seen, network=network):
            seen.append(network(loop.x[index]).dtype)
            return {}

        loop.run("p", step, epochs=1, batch_size=50)
        assert seen == [dtype]

        def embed(x, seen=seen, network=network):
            seen.append(network(x).dtype)
            return network(x)

        assert loop.map(embed).dtype == torch.float32 and set(seen) == {dtype}
        assert network(loop.x).dtype == torch.float32 == network.weight.dtype


def test_a_step_in_bfloat16_sees_its_own_update():
    loop = make_loop(precision="bfloat16")
    network = loop.build(lambda: nn.Linear(6, 4))
    optimizer = loop.adam(network.parameters(), 0.1)
    seen = []

    def step(index):
        loss = network(loop.x).square().mean()
        loop.minimize(loss, optimizer)
        seen.append(network(loop.x))
        return {"loss": loss}

    loop.run("train", step, optimizers=[optimizer], epochs=1, batch_size=50)
    assert torch.equal(seen[-1], loop.map(network))


def test_global_random_state_is_neither_used_nor_moved():
    def run():
        loop = make_loop(seed=3)
        network = loop.build(lambda: nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 1)))
        order = []
        loop.run("p", lambda index: order.append(index.clone()) or {}, epochs=2, batch_size=16)
        return weights(network) + order + [torch.rand(3, generator=loop.noise_generator)]

    seed_global_generators(1)
    first = run()
    drawn = draw_from_global_generators()
    seed_global_generators(1)
    assert draw_from_global_generators() == drawn
    seed_global_generators(2)
    assert equal(first, run())


def test_threads_draw_their_initial_weights_one_at_a_time():
    def make():
        first = nn.Linear(5, 5)
        time.sleep(0.01)  # time for another thread to come between
        return nn.Sequential(first, nn.Linear(5, 5))

    def build(seed):
        return weights(make_loop(seed=seed).build(make))

    seeds, before = range(8), torch.get_rng_state()
    with ThreadPoolExecutor(8) as pool:
        for first, second in zip(pool.map(build, seeds), map(build, seeds), strict=True):
            assert equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_progress_bar_only_for_those_who_want_it_and_wait(capsys, monkeypatch):
    for verbose in (False, True):
        make_loop(verbose=verbose).run("p", idle, epochs=1, batch_size=5)
        assert capsys.readouterr().err.strip() == ""  # under a second: no bar even then
    delays = []
    original = training.tqdm

    def bar(*arguments, **settings):
        delays.append(settings["delay"])
        return original(*arguments, **{**settings, "delay": 0})

    monkeypatch.setattr(training, "tqdm", bar)
    make_loop(verbose=True).run("a phase", idle, epochs=1, batch_size=5)
    assert "a phase" in capsys.readouterr().err and delays == [1]
    make_loop(verbose=False).run("a phase", idle, epochs=1, batch_size=5)
    assert capsys.readouterr().err == ""
