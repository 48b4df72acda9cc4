"""What is ready for a release is told from what is not."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from check_release import example, faults  # noqa: E402

from dctutor import methods  # noqa: E402

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


@pytest.fixture
def ready(tmp_path):
    for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    changes = tmp_path / "CHANGELOG.md"
    dated = changes.read_text(encoding="utf-8").replace(f"## [{VERSION}]\n", f"## [{VERSION}] - 2027-01-01\n")
    changes.write_text(dated, encoding="utf-8")
    shutil.copytree(ROOT / "tests" / "models", tmp_path / "tests" / "models")
    return tmp_path


def test_a_version_that_is_ready(ready):
    assert faults(f"v{VERSION}", ready) == []


def test_another_tag(ready):
    assert len(faults("v9.9.9", ready)) == 1 and "pyproject.toml has version" in faults("v9.9.9", ready)[0]


@pytest.mark.parametrize("name", ["CITATION.cff", "CHANGELOG.md", f"tests/models/dec-{VERSION}.safetensors"])
def test_what_lacks_is_named(ready, name):
    path = ready / name
    if path.suffix == ".safetensors":
        path.unlink()
    else:
        path.write_text(path.read_text(encoding="utf-8").replace(VERSION, "9.9.9"), encoding="utf-8")
    (fault,) = faults(f"v{VERSION}", ready)
    assert name.rpartition("/")[0] in fault and VERSION in fault


def test_the_changelog_tells_what_is_to_come_and_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.index("## [Unreleased]") < text.index(f"## [{VERSION}]")
    assert f"\n[{VERSION}]: https://" in text


def test_the_example_is_the_one_of_the_readme():
    done = subprocess.run(
        [sys.executable, "check_release.py", "--example"], cwd=ROOT / "scripts", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    compile(done.stdout, "example", "exec")
    assert "from dctutor import" in done.stdout and ".fit(" in done.stdout
    with pytest.raises(SystemExit, match="expected one Python example, got 0"):
        example("no code")


def test_the_readme_names_every_method():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = (part for part in text.split("\n\n") if part.startswith("The methods: "))
    told = line.removeprefix("The methods: ").removesuffix(".").replace("\n", " ").split(", ")
    assert sorted(told) == sorted(f"`{name}`" for name in methods.__all__)
