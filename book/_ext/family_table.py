"""The directive ``family-table``: recorded runs of one family on one data set, method beside method."""

from functools import partial
from html import escape
from pathlib import Path
from typing import ClassVar

from citations import method_link
from docutils import nodes
from docutils.parsers.rst import directives
from late import LateNode
from results_table import METRICS, duration, read_runs, summarise, whole_fits
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import framed_table

from dctutor.methods import MethodFacts, taxonomy


class FamilyTable(SphinxDirective):
    """Runs in the folder of the argument, relative to the page, of ``:family:`` on ``:dataset:``.

    With ``:profile:`` only those of it; without, a method that has runs of several shows the one that sorts last.
    """

    required_arguments = 1
    option_spec: ClassVar = dict.fromkeys(("family", "dataset", "profile", "caption"), directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Read the runs."""
        _, folder = self.env.relfn2path(self.arguments[0])
        self.env.note_reread()  # files may come and go
        runs = [run for run in read_runs(Path(folder)) if run["dataset"] == self.options["dataset"]]
        profile = self.options.get("profile")
        rows = [row for row in summarise(runs) if profile in (None, row["profile"])]
        family, caption = self.options["family"], self.options["caption"]
        return [LateNode(write=partial(family_html, rows=whole_fits(rows), family=family, caption=caption))]


def family_html(app: Sphinx, docname: str, rows: list[dict], family: str, caption: str) -> str:
    """Write the table: the baseline first, then the family's methods as the taxonomy orders them."""
    found = {row["method"]: row for row in rows}
    members = {key: facts for key, facts in taxonomy().items() if facts.family == family}
    order = [key for key in ("AutoencoderKMeans", *members) if key in found]
    if not order:
        return "<p>No run is recorded yet.</p>"
    bodies = [_rows(app, docname, key, members.get(key), found[key]) for key in order]
    heads = [*(name.upper() for name in METRICS), "Time", "Memory"]
    return framed_table(caption, heads, bodies)


def _rows(app: Sphinx, docname: str, key: str, facts: MethodFacts | None, row: dict) -> str:
    # A row that names the method, then one of figures: five narrow columns, so that a phone shows all of them.
    assumes = escape(facts.assumes) if facts else ""
    head = f'{method_link(app, docname, key)} <span class="dc-none">{assumes}</span>'
    cells = "".join(f'<td class="dc-figure">{row["mean"][metric]:.3f}</td>' for metric in METRICS)
    memory = "" if row["memory_mb"] is None else f"{row['memory_mb'] / 1024:.1f} GB"
    return (
        f'<tr><th scope="rowgroup" colspan="5">{head}</th></tr>'
        f"<tr>{cells}<td>{duration(row['seconds'])}</td><td>{memory}</td></tr>"
    )


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.add_directive("family-table", FamilyTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
