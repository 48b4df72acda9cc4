"""Every chapter runs alone, and says what a chapter has to say.

nbval, called by ``make test``, runs the same notebooks under their default profile and compares marked outputs.
"""

import html
import re
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from dctutor import methods

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
SMOKE = {"profile": "smoke", "seed": 0}


def chapter_id(path):
    return str(path.relative_to(ROOT / "notebooks").with_suffix(""))


@pytest.fixture(params=CHAPTERS, ids=chapter_id)
def chapter(request):
    return request.param


def test_there_are_chapters():
    assert CHAPTERS


@pytest.mark.slow
def test_runs_alone_with_the_wheel_as_its_only_dctutor(chapter, installed_wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(installed_wheel))
    monkeypatch.setenv("DCTUTOR_DATA", str(tmp_path / "nothing"))
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import dctutor; print(dctutor.__file__)"))
    source, folder = tmp_path / "source.ipynb", tmp_path / "empty"
    folder.mkdir()
    nbformat.write(notebook, source)
    done = papermill.execute_notebook(
        source, tmp_path / "out.ipynb", parameters=SMOKE, cwd=folder, progress_bar=False, kernel_name="python3"
    )
    assert done.cells[-1].outputs[0].text.startswith(str(installed_wheel))
    assert not list(folder.iterdir()), "a chapter leaves nothing behind in the reader's folder"


def test_is_stored_with_its_outputs(chapter):
    notebook = nbformat.read(chapter, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run from top to bottom, once"
    assert not [out for cell in code for out in cell.outputs if out.output_type == "error"]
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert any("nbval-check-output" in cell.metadata.get("tags", []) for cell in code)


def test_code_cells_are_short(chapter):
    for cell in nbformat.read(chapter, as_version=4).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 30, cell.source
            assert max(map(len, cell.source.splitlines())) <= 88, cell.source


def pictures_of(cell):
    """HTML of the figures in the outputs of a cell; for those that are stored as PNG, the empty string."""
    for data in (out.get("data", {}) for out in cell.get("outputs", [])):
        if "image/png" in data:
            yield ""
        elif 'class="dct-figure"' in data.get("text/html", ""):
            yield data["text/html"]


def test_every_stored_picture_has_a_text(chapter):
    for cell in nbformat.read(chapter, as_version=4).cells:
        for picture in pictures_of(cell):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
            assert alt, cell.source
            if picture:
                named = f'role="img" aria-label="{html.escape(alt)}"'
                assert picture.count(named) == picture.count('role="img"') == picture.count('class="dct-figure"')


def test_has_the_parts_of_a_chapter(chapter):
    text = "\n".join(cell.source for cell in nbformat.read(chapter, as_version=4).cells if cell.cell_type == "markdown")
    assert "colab.research.google.com/github/dctutor/dctutor/blob/main/notebooks/" + chapter_id(chapter) in text
    for part in ("min", "{cite", "{exercise", "{solution", "## Summary", "dctutor."):
        assert part in text, part
    assert text.count("{exercise") >= 3


def test_every_method_is_taught_in_a_chapter_of_the_book():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = {entry["file"] for part in toc["parts"] for entry in part["chapters"]}
    assert {"notebooks/" + chapter_id(path) for path in CHAPTERS} <= listed
    taught = "\n".join(path.read_text() for path in CHAPTERS)
    for name in methods.__all__:
        assert f"`dctutor.{name}`" in taught, f"no chapter names `dctutor.{name}`"


def test_a_chapter_stands_behind_those_that_it_builds_on():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    order = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    assert order[0] == "notebooks/foundations/first_clustering"
    checked = 0
    for path in CHAPTERS:
        opening = nbformat.read(path, as_version=4).cells[0].source
        (line,) = re.findall(r"^\*[^*]*·[^*]*\*$", opening, flags=re.MULTILINE)
        needed = line.partition("builds on")[2].partition("compares with")[0]
        for link in re.findall(r"\]\(([^)]+)\.ipynb\)", needed):
            earlier = (path.parent / link).resolve().relative_to(ROOT).as_posix()
            assert order.index(earlier) < order.index("notebooks/" + chapter_id(path)), (path, earlier)
            checked += 1
    assert checked >= len(CHAPTERS) - 1, "all but the first build on another"
