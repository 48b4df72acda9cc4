import runpy
from pathlib import Path

import numpy as np
import pytest

import dctutor.datasets

SAMPLES = Path(dctutor.datasets.__file__).with_name("samples")
SCRIPT = Path(__file__).parents[2] / "scripts/build_samples.py"


@pytest.mark.full_data("mnist", "fashion")
def test_rebuilding_gives_the_stored_samples(tmp_path):
    runpy.run_path(str(SCRIPT))["main"](["--out", str(tmp_path)])
    for name in ("mnist-5k", "fashion-5k"):
        with np.load(tmp_path / f"{name}.npz") as built, np.load(SAMPLES / f"{name}.npz") as stored:
            assert sorted(built) == sorted(stored) == ["images", "labels"]
            for key in stored:
                assert stored[key].dtype == np.uint8 and np.array_equal(built[key], stored[key])


def test_same_arrays_give_the_same_bytes(tmp_path):
    write_npz = runpy.run_path(str(SCRIPT))["write_npz"]
    arrays = {
        "images": np.arange(48, dtype=np.uint8).reshape(3, 4, 4),
        "labels": np.arange(3, dtype=np.uint8),
    }
    for name in ("a.npz", "b.npz"):
        write_npz(tmp_path / name, arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as stored:
        assert np.array_equal(stored["images"], arrays["images"])


def test_licence_file_names_every_sample():
    text = (SAMPLES / "LICENSES.md").read_text(encoding="utf-8")
    assert all(path.name in text for path in SAMPLES.glob("*.npz"))
    assert "CC BY-SA 3.0" in text and "Copyright © 2017 Zalando SE" in text
