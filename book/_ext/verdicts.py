"""The directives ``papers-table`` and ``aims-table``: recorded runs beside what was asked of them, one figure a line.

What is asked is a paper's figure, or an aim of the book's own where a paper has none, or a lower one.
"""

import json
from functools import partial
from html import escape
from pathlib import Path
from typing import ClassVar

from citations import citation_address, method_link
from docutils import nodes
from docutils.parsers.rst import directives
from late import LateNode
from results_table import METRICS, ResultsTable, data_name, difference, read_runs, summarise, whole_fits
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import framed_table


class AimsTable(SphinxDirective):
    """Aims of the file in the argument beside the runs in the folder ``:results:``, both relative to the page.

    An aim is a least figure (``aim``), or to be above the highest of other methods (``above``).
    """

    required_arguments = 1
    option_spec: ClassVar = {"results": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Read the aims and the runs."""
        relative, absolute = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        _, folder = self.env.relfn2path(self.options["results"])
        self.env.note_reread()  # files may come and go
        aims = json.loads(Path(absolute).read_text(encoding="utf-8"))
        return [LateNode(write=partial(aims_html, aims=aims, rows=whole_fits(summarise(read_runs(Path(folder))))))]


def judge(here: float, aim: float, *, strict: bool) -> str:
    """Say whether a figure meets its aim, and by how many points it does not."""
    if here == aim:
        return "level, missed" if strict else "met"
    return "met" if here > aim else difference(here, aim)


def papers_html(app: Sphinx, docname: str, rows: list[dict], published: dict) -> str:
    """Write the table, in the order of the published figures."""
    lines = []
    for figure in published["figures"]:
        wanted = figure.get("class", figure["method"]), figure["dataset"], figure["split"]
        address = escape(citation_address(app, docname, figure["cite"]))
        other_files = " (other files)" if figure["dataset"] in published["re_extracted"] else ""
        for row in rows:
            if (row["method"], row["dataset"], row["split"]) != wanted:
                continue
            for metric in (name for name in METRICS if name in figure["metrics"]):
                here, paper = row["mean"][metric], figure["metrics"][metric]
                told = f'{metric.upper()} <a href="{address}">{paper:.3f}</a>'
                data = data_name(published["datasets"][row["dataset"]], row["split"])
                data += f", {row['labels']:,} labels" if row["labels"] else ""
                verdict = difference(here, paper) + other_files
                lines.append(_line(method_link(app, docname, row["method"]), data, told, here, verdict))
    return framed_table("Papers and runs", ["Method", "Paper", "Here", "Difference"], ["".join(lines)])


def _line(method: str, data: str, told: str, here: float | None, verdict: str) -> str:
    missed = ' class="dc-missed"' if "missed" in verdict else ""
    return (
        f'<tr><th scope="row">{method} <span class="dc-none">{escape(data)}</span></th><td>{told}</td>'
        f'<td class="dc-figure">{"not recorded" if here is None else f"{here:.3f}"}</td><td{missed}>{verdict}</td></tr>'
    )


def aims_html(app: Sphinx, docname: str, aims: list[dict], rows: list[dict]) -> str:
    """Write the table; an aim whose runs are not recorded says so."""
    found = {(row["method"], row["dataset"], row["profile"]): row["mean"] for row in rows}
    lines = []
    for aim in aims:
        where, metric = (aim["dataset"], aim["profile"]), aim["metric"]
        here = found.get((aim["method"], *where))
        others = {key: found[key, *where][metric] for key in aim.get("above", ()) if (key, *where) in found}
        if "above" in aim:
            key = max(others, key=lambda name: others[name], default=aim["above"][0])
            link = method_link(app, docname, key)
            least = others[key] if len(others) == len(aim["above"]) else None  # else a rival is not recorded
            told = f"{metric.upper()} above {link}" + (f", {others[key]:.3f}" if others else "")
        else:
            least, told = aim["aim"], f"{metric.upper()} {aim['aim']:.2f}"
        verdict = "" if here is None or least is None else judge(here[metric], least, strict="above" in aim)
        method = method_link(app, docname, aim["method"])
        lines.append(_line(method, aim["dataset"], told, here and here[metric], verdict))
    return framed_table("Aims and runs", ["Method", "Aim", "Here", "Verdict"], ["".join(lines)])


class PapersTable(ResultsTable):
    """Those runs that a paper has a figure for, one figure a line."""

    write = staticmethod(papers_html)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.add_directive("papers-table", PapersTable)
    app.add_directive("aims-table", AimsTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
