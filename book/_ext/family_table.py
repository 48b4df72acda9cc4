"""The directive ``family-table``: recorded runs of one family on one data set, method beside method."""

from functools import partial
from html import escape
from typing import ClassVar

from citations import method_link
from docutils import nodes
from docutils.parsers.rst import directives
from late import LateNode
from results_table import METRICS, RunsDirective, duration, variant, whole_fits
from sphinx.application import Sphinx
from tables import framed_table, rounded

from dctutor.methods import MethodFacts, registry, taxonomy


class FamilyTable(RunsDirective):
    """Runs in the folder of the argument, relative to the page, of ``:family:`` on ``:dataset:``.

    With ``:profile:`` only those of it; without, a method that has runs of several shows the one that sorts last.
    """

    option_spec: ClassVar = dict.fromkeys(("family", "dataset", "profile", "caption"), directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Read the runs."""
        rows = [row for row in self.rows() if row["dataset"] == self.options["dataset"]]
        rows = [row for row in rows if self.options.get("profile") in (None, row["profile"])]
        family, caption = self.options["family"], self.options["caption"]
        return [LateNode(write=partial(family_html, rows=whole_fits(rows), family=family, caption=caption))]


def family_html(app: Sphinx, docname: str, rows: list[dict], family: str, caption: str) -> str:
    """Write the table: the baselines first, then the family's methods as the taxonomy orders them, with variants."""
    members = {key: facts for key, facts in taxonomy().items() if facts.family == family}
    baselines = [key for key in registry() if key not in taxonomy()]
    # By variant, so that the last profile stands for each.
    found = {key: {variant(row): row for row in rows if row["method"] == key} for key in (*baselines, *members)}
    bodies = [_rows(app, docname, key, members.get(key), row) for key, fits in found.items() for row in fits.values()]
    if not bodies:
        return "<p>No run is recorded yet.</p>"
    heads = [*(name.upper() for name in METRICS), "Time", "Memory"]
    return framed_table(caption, heads, bodies)


def _rows(app: Sphinx, docname: str, key: str, facts: MethodFacts | None, row: dict) -> str:
    # A row that names the method, then one of figures: five narrow columns, so that a phone shows all of them.
    told = escape(" ".join(filter(None, [f"({variant(row)})" if variant(row) else "", facts.assumes if facts else ""])))
    head = f'{method_link(app, docname, key)} <span class="dc-none">{told}</span>'
    cells = "".join(f'<td class="dc-figure">{rounded(row["mean"][metric])}</td>' for metric in METRICS)
    memory = "" if row["memory_mb"] is None else f"{rounded(row['memory_mb'] / 1024, 1)} GB"
    return (
        f'<tr><th scope="rowgroup" colspan="5">{head}</th></tr>'
        f"<tr>{cells}<td>{duration(row['seconds'])}</td><td>{memory}</td></tr>"
    )


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.add_directive("family-table", FamilyTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
