"""Colab's list of versions is read as it is written."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from colab_versions import updated  # noqa: E402

FREEZE = """\
numpy==2.3.0
scikit_learn==1.7.1
torch @ https://download.pytorch.org/whl/cu128/torch-2.12.0%2Bcu128-cp312-cp312-linux_x86_64.whl
torchvision==0.27.0+cu128
"""


def test_pins_get_the_versions_of_the_list():
    pins = "# Colab\ntorch==2.11.0\ntorchvision==0.26.0\nnumpy==2.1.3\nscikit-learn==1.6.1\n"
    expected = "# Colab\ntorch==2.12.0\ntorchvision==0.27.0\nnumpy==2.3.0\nscikit-learn==1.7.1\n"
    assert updated(pins, FREEZE) == expected


def test_a_library_that_colab_dropped_is_named():
    with pytest.raises(ValueError, match="no version of 'pandas'"):
        updated("pandas==2.2.3\n", FREEZE)
