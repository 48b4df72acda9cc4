"""The audits of the repository, where their tools are installed; `make audit` is the same."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def tool(name):
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    return found or pytest.skip(f"{name} is not installed")


def test_the_workflows_have_no_finding_above_low():
    command = [tool("zizmor"), "--offline", "--persona", "pedantic", "--min-severity", "medium", ".github"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_repository_review_fails_nowhere():
    done = subprocess.run([tool("sp-repo-review"), "."], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_is_left_out_of_the_review_has_an_argument():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["repo-review"]["ignore"]
    assert settings and all(len(reason) > 8 for reason in settings.values())
