import numpy as np
import pytest
import torch

from dctutor.architectures import Autoencoder
from dctutor.augmentation import mask
from dctutor.losses import reconstruction
from dctutor.training import Loop
from dctutor.training.pretraining import pretrain


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def low_rank(n=300, d=20):
    source = np.random.default_rng(0)
    x = source.normal(size=(n, 3)) @ source.normal(size=(3, d))
    return (x / x.std()).astype(np.float32)


def trained(x, *, layerwise_epochs, epochs, noise=0.0, precision="float32", widths=(32, 3)):
    loop = Loop(x, seed=0, device="cpu", precision=precision)
    network = loop.build(lambda: Autoencoder(x.shape[1], widths))
    loop.register(network=network)
    pretrain(
        loop,
        network,
        layerwise_epochs=layerwise_epochs,
        epochs=epochs,
        noise=noise,
        learning_rate=1e-2,
        batch_size=32,
    )
    return network, loop


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("stages", [{"layerwise_epochs": 0, "epochs": 25}, {"layerwise_epochs": 12, "epochs": 12}])
def test_pretraining_learns_low_rank_data(stages, precision):
    x = low_rank()
    untrained, _ = trained(x, layerwise_epochs=0, epochs=0)
    network, loop = trained(x, **stages, precision=precision)
    with torch.no_grad():
        before, after = (reconstruction(loop.x, net(loop.x)).item() for net in (untrained, network))
    assert after < 0.1 < 0.5 < before
    for table in loop.history.values():
        assert table["loss"][-1] < table["loss"][0]


def test_noise_is_undone():
    x = low_rank()
    network, loop = trained(x, layerwise_epochs=0, epochs=25, noise=0.2)
    with torch.no_grad():
        masked = mask(loop.x, 0.2, seeded())
        assert reconstruction(loop.x, network(masked)) < 0.7 * reconstruction(loop.x, masked)


def test_stages_and_their_epochs():
    _, loop = trained(low_rank(), layerwise_epochs=2, epochs=3, widths=(8, 6, 2))
    assert {phase: table["epoch"] for phase, table in loop.history.items()} == {
        "layer_1": [1, 2],
        "layer_2": [1, 2],
        "layer_3": [1, 2],
        "pretrain": [1, 2, 3],
    }
    assert list(trained(low_rank(), layerwise_epochs=1, epochs=0)[1].history) == ["layer_1", "layer_2"]
    assert list(trained(low_rank(), layerwise_epochs=0, epochs=0)[1].history) == []


def test_layerwise_stage_trains_one_pair_at_a_time(monkeypatch):
    x, seen = low_rank(), {}
    loop = Loop(x, seed=0, device="cpu", precision="float32")
    network = loop.build(lambda: Autoencoder(x.shape[1], (8, 6, 2)))
    inner = loop.run

    def run(phase, *arguments, **settings):
        before = {name: value.clone() for name, value in network.state_dict().items()}
        inner(phase, *arguments, **settings)
        after = network.state_dict()
        seen[phase] = {name for name in before if not torch.equal(before[name], after[name])}

    monkeypatch.setattr(loop, "run", run)
    pretrain(loop, network, layerwise_epochs=1, epochs=1, noise=0.2, learning_rate=1e-2, batch_size=32)
    for i in range(3):
        pair = {f"encoder.{i}.weight", f"encoder.{i}.bias", f"decoder.{2 - i}.weight", f"decoder.{2 - i}.bias"}
        assert seen[f"layer_{i + 1}"] == pair
    assert seen["pretrain"] == set(network.state_dict())


def test_layerwise_stage_makes_a_good_start():
    x = low_rank()
    network, loop = trained(x, layerwise_epochs=15, epochs=0)
    with torch.no_grad():
        assert reconstruction(loop.x, network(loop.x)) < 0.5


def test_weights_decay_beside_the_gradient_step():
    rate, decay = 0.01, 0.5
    for layerwise, phase in ((1, "layer_1"), (0, "pretrain")):
        after = []
        for weight_decay in (0.0, decay):
            loop = Loop(np.ones((8, 4), dtype=np.float32), seed=0, device="cpu", precision="float32")
            network = loop.build(lambda: Autoencoder(4, (3,), weight_init="pytorch"))
            loop.register(network=network)
            before = network.encoder[0].weight.detach().clone()
            pretrain(
                loop,
                network,
                layerwise_epochs=layerwise,
                epochs=1 - layerwise,
                noise=0.0,
                learning_rate=rate,
                batch_size=8,
                weight_decay=weight_decay,
            )
            assert list(loop.history) == [phase]
            after.append(network.encoder[0].weight.detach())
        # One step, at one_cycle's first factor: the same step of Adam from weights that were a little smaller.
        torch.testing.assert_close(after[1], after[0] - 0.04 * rate * decay * before, rtol=1e-5, atol=1e-8)
