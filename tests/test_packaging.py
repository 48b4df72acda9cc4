"""What a user installs: built, installed and run as the user does, away from the checkout."""

import email
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel_names(built):
    with zipfile.ZipFile(built[0]) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="module")
def sdist_names(built):
    with tarfile.open(built[1]) as sdist:
        return {name.partition("/")[2] for name in sdist.getnames()}


def package_files():
    found = {path for path in (ROOT / "dctutor").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_wheel_holds_the_package_and_nothing_else(wheel_names):
    assert {name for name in wheel_names if not name.partition("/")[0].endswith(".dist-info")} == package_files()
    assert {
        "dctutor/plots/animation.html",
        "dctutor/py.typed",
        "dctutor/plots/animation.js",
        "dctutor/datasets/samples/LICENSES.md",
    } <= wheel_names
    samples = {name for name in wheel_names if name.startswith("dctutor/datasets/samples/")}
    assert any("mnist" in name for name in samples) and any("fashion" in name for name in samples)
    assert any("cifar10-features" in name for name in samples)
    assert not any("test" in name for name in wheel_names)


def test_wheel_is_small(built):
    # The samples (4.6 MiB) and two trained autoencoders of 6.4 MiB each are nearly all of it.
    assert built[0].stat().st_size < 18 * 2**20


def test_sdist_holds_the_whole_source(built, sdist_names, tmp_path):
    # Most of it is the stored outputs of the chapters, about 0.7 MB each.
    assert package_files() <= sdist_names and built[1].stat().st_size < 36 * 2**20
    assert not any(part in name.split("/") for name in sdist_names for part in ("__pycache__", ".venv", "_build"))
    wanted = {"LICENSE", "Makefile", "constraints.txt", "constraints-oldest.txt", "scripts/run_notebooks.py"}
    assert wanted | {"_config.yml", "_toc.yml", "book/datasets.toml", "notebooks/cdnn/dec.ipynb"} <= sdist_names
    shutil.unpack_archive(built[1], tmp_path)
    (source,) = tmp_path.iterdir()
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    done = subprocess.run(collect, cwd=source, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


def test_metadata(built):
    with zipfile.ZipFile(built[0]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["Name"] == "dctutor" and metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT AND CC-BY-4.0 AND CC-BY-SA-3.0"
    text = metadata.get_payload()
    assert len(text) > 500 and "](dctutor/" not in text, "PyPI cannot follow a relative link"
    runtime = {line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line}
    assert {line.split(">=")[0] for line in runtime} == {
        "filelock",
        "jaxtyping",
        "joblib",
        "matplotlib",
        "numpy",
        "pillow",
        "pooch",
        "safetensors",
        "scikit-learn",
        "scipy",
        "threadpoolctl",
        "torch",
        "torchvision",
        "tqdm",
    }


def test_citations_name_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version = {{{version}}}" in (ROOT / "book" / "intro.md").read_text(encoding="utf-8")


def test_installed_wheel_works_in_an_empty_folder(built, installed_wheel, tmp_path):
    code = """
import json, dctutor
from dctutor import DEC, load_dataset
data = load_dataset("mnist-5k", "test", download=False)
dec = DEC(widths=(8, 3), layerwise_epochs=1, pretrain_epochs=1, epochs=1, snapshot_every=1, verbose=False)
labels = dec.fit_predict(data.X)
dec.save("model")
again = dctutor.load("model").predict(data.X)
print(json.dumps([dctutor.__file__, dctutor.__version__, data.X.shape, bool((labels == again).all())]))
"""
    environment = {**os.environ, "PYTHONPATH": str(installed_wheel)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file, version, shape, same = json.loads(done.stdout.splitlines()[-1])
    assert Path(file).is_relative_to(installed_wheel) and shape == [1000, 784] and same
    assert f"-{version}-" in built[0].name
