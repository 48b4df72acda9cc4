"""Every chapter installs dctutor by one and the same line, and that line works."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from setup_cell import BEGINNING, INSTALL, chapters, local_clone, rewrite

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_a_chapter_begins_with_the_line(path):
    first = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    assert first.source.startswith(BEGINNING), "run scripts/setup_cell.py"
    assert path.read_text(encoding="utf-8").count("%pip") == 1


def test_nothing_sends_a_reader_to_an_index_that_does_not_have_the_package():
    told = [ROOT / "README.md", *(ROOT / "book").rglob("*.md"), *(ROOT / "dctutor").rglob("*.py"), *chapters()]
    assert [path for path in told if re.search(r"pip install (-q )?dctutor", path.read_text(encoding="utf-8"))] == []
    address = INSTALL.removeprefix("%pip install -q ")
    for name in ("README.md", "book/intro.md"):
        assert f"pip install {address}" in (ROOT / name).read_text(encoding="utf-8"), name


def test_rewriting_changes_the_line_alone(tmp_path):
    path = tmp_path / "chapter.ipynb"
    original = chapters()[0].read_text(encoding="utf-8")
    old = original.replace(INSTALL.replace('"', r"\""), "%pip install -q other")
    assert old != original
    path.write_text(old, encoding="utf-8")
    assert rewrite(path) and path.read_text(encoding="utf-8") == original
    assert not rewrite(path)


def test_a_chapter_without_the_line_is_refused(tmp_path):
    path = tmp_path / "chapter.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import dctutor")]), path)
    with pytest.raises(ValueError, match="expected one line that begins with %pip, got 0"):
        rewrite(path)


@pytest.mark.slow
def test_the_line_installs_the_last_commit(tmp_path):
    site = tmp_path / "site"
    command = [sys.executable, "-m", *shlex.split(INSTALL.removeprefix("%"))]
    # hatchling is here; dctutor's own dependencies are not to be copied.
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    environment = {**os.environ, **local_clone(tmp_path / "clone")}
    done = subprocess.run([*command, *offline], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = subprocess.run(["git", "ls-tree", "-r", "--name-only", "HEAD", "dctutor"], cwd=ROOT, capture_output=True)
    names = listed.stdout.decode().splitlines()
    assert "dctutor/__init__.py" in names
    assert [name for name in names if not (site / name).is_file()] == []
    found = subprocess.run(
        [sys.executable, "-c", "import dctutor; print(dctutor.__file__)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == str(site / "dctutor" / "__init__.py"), found.stderr
