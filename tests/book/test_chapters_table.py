"""The table of chapters shows what the chapters say of themselves."""

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.cmd.build import main as sphinx

TIMES = "*20 minutes to read · about two minutes to run on one processor core · builds on k-means*"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
CONF = """
extensions = ["myst_nb", "sphinx_multitoc_numbering", "chapters_table"]
nb_execution_mode = "off"
# Sphinx adds to what it finds here, and to its own default for all later builds of the process otherwise.
source_suffix = {".rst": "restructuredtext"}
"""
INDEX = """# Home

```{chapters-table}
---
introductory: >-
  one
advanced: >-
  three
---
```

```{toctree}
:caption: First part
:numbered:

one
two
```

```{toctree}
:caption: Second part
:numbered:

three
```

```{toctree}
:caption: Reference

four
```
"""


def notebook(text: str) -> str:
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": text}
    return json.dumps({"cells": [cell], "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def render(tmp_path: Path):
    def build(three: str) -> tuple[int, BeautifulSoup]:
        source = tmp_path / "source"
        source.mkdir()
        one = "# One\n\nSome *words* before · it.\n\n*Reading time 1 hour · 90 seconds to run on two\nprocessor cores*"
        files = {"one.ipynb": notebook(one), "three.ipynb": notebook(f"# Three\n\n{three}")}
        files |= {"conf.py": CONF, "index.md": INDEX, "two.md": "# Two\n", "four.md": "# Four\n"}
        for name, text in files.items():
            (source / name).write_text(text, encoding="utf-8")
        status = sphinx(["-Wq", "--keep-going", str(source), str(tmp_path / "out")])
        return status, BeautifulSoup((tmp_path / "out" / "index.html").read_text(encoding="utf-8"), "html.parser")

    return build


def test_times_and_levels_stand_in_the_order_of_the_book(render) -> None:
    status, soup = render(TIMES)
    assert status == 0
    rows = soup.select("div.dc-table tbody tr")
    assert [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in rows] == [
        ["First part"],
        ["1. One", "1 hour", "90 s", "introductory"],
        ["2. Two", "overview"],
        ["Second part"],
        ["3. Three", "20 min", "two minutes", "advanced"],
    ]
    assert [link["href"] for link in soup.select("div.dc-table a")] == ["one.html", "two.html", "three.html"]


def test_a_chapter_without_its_times_is_a_warning(render, capsys) -> None:
    status, _ = render("*Twenty minutes.*")
    assert status == 1 and "says how long the chapter takes" in capsys.readouterr().err
