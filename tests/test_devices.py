import os
import subprocess
import sys

import pytest
import torch

from dctutor.devices import plain_modes, resolve_device, resolve_precision


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu"), (True, False, "cuda")],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto").type == expected


def test_names_of_pytorch():
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "", "cuda:x", "cuda:99", "meta", None, 3.5, ["cpu"]])
def test_bad_device(device):
    with pytest.raises(ValueError, match="device: expected"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["cuda", "mps", "xpu"])
def test_device_that_this_machine_lacks(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"device: .*'{device}'"):
        resolve_device(device)


def test_named_precision():
    cpu = torch.device("cpu")
    assert resolve_precision("float32", cpu) == torch.float32
    assert resolve_precision("bfloat16", cpu) == torch.bfloat16


@pytest.mark.parametrize(("avx512", "amx"), [(True, False), (False, True), (False, False)])
def test_auto_precision_on_a_cpu_follows_its_instructions(monkeypatch, avx512, amx):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    expected = torch.bfloat16 if avx512 or amx else torch.float32
    assert resolve_precision("auto", torch.device("cpu")) == expected


def test_auto_precision_without_the_probes(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert resolve_precision("auto", torch.device("cpu")) == torch.float32


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16)])
def test_auto_precision_on_cuda_starts_with_ampere(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_precision("auto", torch.device("cuda")) == expected


def test_auto_precision_on_mps():
    assert resolve_precision("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize("precision", ["float16", "", None, 32, ["float32"]])
def test_bad_precision(precision):
    with pytest.raises(ValueError, match="precision: expected 'auto', 'float32' or 'bfloat16', got"):
        resolve_precision(precision, torch.device("cpu"))


def test_tensors_are_made_on_the_cpu_whatever_the_default_device():
    with torch.device("cuda"), plain_modes():
        assert torch.zeros(1).device.type == "cpu"


FORK = """
import os, signal
import numpy as np, torch
from dctutor import DEC

torch.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(1000, 40))
settings = dict(n_clusters=3, widths=(100, 3), layerwise_epochs=0, pretrain_epochs=1, epochs=1, device="cpu")
model = DEC(**settings, verbose=False, random_state=0).fit(X)
torch.randn(300, 300) @ torch.randn(300, 300)
assert torch.get_num_threads() == 2
read, write = os.pipe()
child = os.fork()
if not child:
    signal.alarm(200)  # instead of waiting for ever
    again = DEC(**settings, verbose=False, random_state=0).fit(X)
    os.write(write, model.predict(X).astype(np.uint8).tobytes() + bytes([len(set(again.labels_))]))
    os._exit(0)
os.close(write)
with os.fdopen(read, "rb") as answer:
    found = answer.read()
assert os.waitpid(child, 0)[1] == 0, "the child did not answer"
assert (np.frombuffer(found[:-1], np.uint8) == model.predict(X)).all() and 0 < found[-1] <= 3
assert torch.get_num_threads() == 2
"""


def test_a_forked_child_predicts_and_fits_after_its_parent_used_several_threads():
    code = "import warnings; warnings.simplefilter('ignore')\n" + FORK
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
