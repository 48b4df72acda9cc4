"""A model that an earlier version saved is loaded, or refused with the reason.

``tests/models/`` has one per version that changed the file, and one of the present version: three groups of five
samples in three dimensions, fitted by DEC. A new version adds its own (RELEASING.md) and moves none.
"""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import dctutor
from dctutor.storage import FileFormatError

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "tests" / "models"
CENTERS = np.array([[0.1, 0.5, 0.9], [0.5, 0.9, 0.1], [0.9, 0.1, 0.5]])
LOADS = ["dec-0.1.0-last", "dec-0.2.0"]
REFUSED = {"dec-0.1.0-first": "image_shape_", "dec-0.1.0-middle": "arrays"}


def test_every_stored_model_is_tried_and_this_version_has_one():
    assert {path.stem for path in MODELS.iterdir()} == {*LOADS, *REFUSED}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"dec-{version}" in LOADS


@pytest.mark.parametrize("name", LOADS)
def test_it_loads_and_knows_its_groups(name):
    model = dctutor.load(MODELS / f"{name}.safetensors")
    assert model.labels_.tolist() == [2] * 5 + [0] * 5 + [1] * 5
    assert model.predict(CENTERS).tolist() == [2, 0, 1]
    assert np.allclose(model.predict_proba(CENTERS).sum(1), 1)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_what_it_lacks_and_who_wrote_it(name):
    reason = (
        rf"does not hold a whole DEC: it lacks '{REFUSED[name]}'; dctutor 0\.1\.0 saved it, and this is .*fit again"
    )
    with pytest.raises(FileFormatError, match=reason):
        dctutor.load(MODELS / f"{name}.safetensors")
