"""Two processes on one machine (gloo) train one model: what they hold agrees bit for bit."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from dctutor import AECM, DEC, IDEC
from dctutor.training import Processes

CODE = """
import sys
import numpy as np, torch
from torch import distributed
rank, group, name, out = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
torch.set_num_threads(1)
distributed.init_process_group("gloo", init_method=group, rank=rank, world_size=2)
from small_fits import blobs, small
import dctutor
settings = {"random_state": None, "precision": "float32", "checkpoint": out + ".checkpoint"}
fitted = small(getattr(dctutor, name), **settings).fit(blobs(121)[0])
weights = [value.numpy().ravel() for part in (fitted.network_, fitted.head_) for value in part.state_dict().values()]
losses = [value for table in fitted.history_.values() for column in table.values() for value in column]
arrays = {"labels": fitted.labels_, "weights": np.concatenate(weights), "losses": np.array(losses)}
np.savez(f"{out}-{rank}.npz", **arrays, centers=fitted.cluster_centers_)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", [DEC, IDEC, AECM], ids=lambda method: method.__name__)
def test_both_processes_end_with_the_same_model(method, tmp_path):
    group, out = (tmp_path / "group").as_uri(), str(tmp_path / "out")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", CODE, str(rank), group, method.__name__, out],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for child in children:
        _, errors = child.communicate(timeout=300)
        assert child.returncode == 0, errors
    first, second = (dict(np.load(f"{out}-{rank}.npz")) for rank in range(2))
    for name in first:
        assert np.array_equal(first[name], second[name]), name
    assert np.isfinite(first["losses"]).all() and len(first["labels"]) == 121


def test_one_process_is_the_trivial_case():
    processes, rows = Processes.current(), torch.arange(7)
    assert (processes.rank, processes.size) == (0, 1)
    assert processes.share(rows) is rows and processes.gather(rows, 7) is rows and processes.first("a") == "a"


def test_shares_of_a_batch_make_up_the_batch():
    rows = torch.arange(7)
    shares = [Processes(rank, 3).share(rows) for rank in range(3)]
    assert torch.equal(torch.cat(shares), rows) and {len(share) for share in shares} == {2, 3}


STEP = """
import sys
import numpy as np, torch
from torch import distributed, nn
rank, group, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.set_num_threads(1)
if rank >= 0:
    distributed.init_process_group("gloo", init_method=group, rank=rank, world_size=2)
from dctutor.training import Loop
x = np.random.default_rng(0).normal(size=(23, 6)).astype(np.float32)
loop = Loop(x, seed=0, device="cpu", precision="float32")
network = loop.build(lambda: nn.Linear(6, 2))
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
def step(index):
    loss = (network(loop.x[index]) - 1).square().mean()
    loop.minimize(loss, optimizer)
    return {"loss": loss}
loop.run("p", step, optimizers=[optimizer], epochs=3, batch_size=9)
np.savez(f"{out}-{rank}.npz", weights=network.weight.detach(), loss=loop.history["p"]["loss"], map=loop.map(network))
"""


def test_two_processes_take_the_steps_of_one(tmp_path):
    """Shares of a batch are unlike in length; the gradient is still that of the batch's mean."""
    group, out = (tmp_path / "group").as_uri(), str(tmp_path / "out")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", STEP]
    children = [subprocess.Popen([*words, str(rank), group, out], env=environment) for rank in (-1, 0, 1)]
    assert [child.wait(timeout=300) for child in children] == [0, 0, 0]
    alone, first, second = (dict(np.load(f"{out}-{rank}.npz")) for rank in (-1, 0, 1))
    for name, value in alone.items():
        assert np.array_equal(first[name], second[name]), name
        np.testing.assert_allclose(first[name], value, rtol=1e-5, atol=1e-6)
