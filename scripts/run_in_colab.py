"""Run chapters as Colab does: alone, in an empty folder, with the versions that it ships.

The environment (``.venv-colab``) has no ``dctutor``: the chapter's own set-up cell installs it, by the very line that
runs in Colab. Git takes a clone of the last commit here for the repository that the line names, and pip can find
nothing besides but what builds a wheel. Changes that are not committed reach the chapters, not the package.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from setup_cell import chapters, local_clone

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-colab"
# What builds dctutor's wheel. Pip has it in an environment of its own, as in Colab, but has no network here.
BUILDERS = ENVIRONMENT / "builders"
PINS = ROOT / "constraints-oldest.txt"
# What Colab has besides the pinned ones, and what runs a notebook there.
PROVIDED = ["ipykernel", "papermill", "tqdm", "pooch", "safetensors", "threadpoolctl"]


def environment(base: str) -> Path:
    """Make the environment if it is not there, and return its Python."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / ".installed"
    if not done.exists() or done.stat().st_mtime < PINS.stat().st_mtime:
        subprocess.run([base, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        pinned = [line for line in PINS.read_text().splitlines() if line and not line.startswith("#")]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *pinned, *PROVIDED, "jaxtyping"], check=True)
        needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
        subprocess.run([python, "-m", "pip", "download", "--quiet", "--dest", BUILDERS, *needed], check=True)
        done.touch()
    return python


def versions(python: Path) -> str:
    """Return what pip has installed, without dctutor itself."""
    listed = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True).stdout
    return "\n".join(line for line in listed.splitlines() if not line.startswith("dctutor"))


def run(chapter: Path, python: Path, git: dict[str, str]) -> float:
    """Run one chapter from top to bottom, with the variables ``git`` set; return its seconds."""
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "dctutor"], check=True)
    before = versions(python)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(BUILDERS), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(chapter, folder / "chapter.ipynb")
        command = [str(python), "-m", "papermill", "--no-progress-bar", "-k", "python3", "chapter.ipynb", "out.ipynb"]
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, env={**os.environ, **offline, **git})
        seconds = time.perf_counter() - begun
    if versions(python) != before:
        raise SystemExit(f"{chapter.name}: its set-up cell changed versions that Colab ships")
    subprocess.run([python, "-c", "import dctutor"], cwd=tempfile.gettempdir(), check=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every chapter")
    parser.add_argument("--python", default=sys.executable, help="Colab's is 3.13 (default: the one that runs this)")
    options = parser.parse_args()
    python = environment(options.python)
    with tempfile.TemporaryDirectory() as name:
        git = local_clone(Path(name) / "clone")
        for chapter in map(Path.resolve, options.notebooks or chapters()):
            print(f"{chapter.relative_to(ROOT)}: {run(chapter, python, git):.0f} s", flush=True)


if __name__ == "__main__":
    main()
