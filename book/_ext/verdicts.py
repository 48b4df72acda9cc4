"""The directives ``papers-table`` and ``aims-table``: recorded runs beside what was asked of them, one figure a line.

What is asked is a paper's figure, or an aim of the book's own where a paper has none, or a lower one. Both stand in the
registry of methods.
"""

from html import escape

from citations import citation_address, method_link
from results_table import (
    METRICS,
    ResultsTable,
    data_name,
    difference,
    has_other_files,
    shared_start,
    variant,
    whole_fits,
)
from sphinx.application import Sphinx
from tables import framed_table, rounded

from dctutor.methods import registry

#: A recorded mean that is further below its paper's figure needs a written search for the cause.
GAP = 0.02


def judge(here: float, aim: float, *, strict: bool) -> str:
    """Say whether a figure meets its aim, and by how many points it does not."""
    if here == aim:
        return "level, missed" if strict else "met"
    return "met" if here > aim else difference(here, aim)


def papers_html(app: Sphinx, docname: str, rows: list[dict]) -> str:
    """Write the table, in the order of the registry; a variant has a line of its own.

    Runs from the shared start are left out: the paper's figure belongs to its own pre-training.
    """
    rows = [row for row in rows if shared_start(row) is None]
    lines = []
    for key, figure in ((key, figure) for key, entry in registry().items() for figure in entry.published):
        address = escape(citation_address(app, docname, figure.cite))
        other_files = " (other files)" if has_other_files(figure.dataset) else ""
        for row in rows:
            if (row["method"], row["dataset"], row["split"]) != (key, figure.dataset, figure.split):
                continue
            data = data_name(row["dataset"], row["split"]) + (f", {row['labels']:,} labels" if row["labels"] else "")
            data = "; ".join(filter(None, [data, variant(row)]))
            for metric in (name for name in METRICS if name in figure.metrics):
                here, paper = row["mean"][metric], figure.metrics[metric]
                told = f'{metric.upper()} <a href="{address}">{rounded(paper)}</a>'
                verdict = difference(here, paper) + other_files
                if paper - here > GAP and (why := registry()[key].why):
                    verdict += f' (<a href="#{why}">why</a>)'
                lines.append(_line(method_link(app, docname, key), data, told, here, verdict))
    return framed_table("Papers and runs", ["Method", "Paper", "Here", "Difference"], ["".join(lines)])


def _line(method: str, data: str, told: str, here: float | None, verdict: str) -> str:
    missed = ' class="dc-missed"' if "missed" in verdict else ""
    return (
        f'<tr><th scope="row">{method} <span class="dc-none">{escape(data)}</span></th><td>{told}</td>'
        f'<td class="dc-figure">{"not recorded" if here is None else rounded(here)}</td><td{missed}>{verdict}</td></tr>'
    )


def aims_html(app: Sphinx, docname: str, rows: list[dict]) -> str:
    """Write the table: a line for each aim and each variant that was run; an aim without runs says so.

    What is to be above other methods is compared with the best of their variants. Only runs from the start that the aim
    names count, or with their own pre-training where it names none.
    """
    rows = whole_fits(rows)
    lines = []
    for method, aim in ((key, aim) for key, entry in registry().items() for aim in entry.aims):
        asked = aim.dataset, aim.profile, aim.start
        fits = [row for row in rows if (row["dataset"], row["profile"], shared_start(row)) == asked]
        found = [(row["method"], row["mean"][aim.metric]) for row in fits]
        others = {key: max(here for name, here in found if name == key) for key, _ in found if key in aim.above}
        if aim.above:
            key = max(others, key=lambda name: others[name], default=aim.above[0])
            least = others[key] if len(others) == len(aim.above) else None  # otherwise a rival is not recorded
            told = f"{aim.metric.upper()} above {method_link(app, docname, key)}"
            told += f", {rounded(others[key])}" if others else ""
        else:
            least, told = aim.least, f"{aim.metric.upper()} {rounded(aim.least)}"
        link = method_link(app, docname, method)
        for row in [row for row in fits if row["method"] == method] or [None]:
            here = row and row["mean"][aim.metric]
            data = "; ".join(
                filter(None, [aim.dataset, variant(row) if row else aim.start and "from the shared start"])
            )
            verdict = "" if here is None or least is None else judge(here, least, strict=bool(aim.above))
            lines.append(_line(link, data, told, here, verdict))
    return framed_table("Aims and runs", ["Method", "Aim", "Here", "Verdict"], ["".join(lines)])


class PapersTable(ResultsTable):
    """Those runs that a paper has a figure for, one figure a line."""

    write = staticmethod(papers_html)


class AimsTable(ResultsTable):
    """The registry's aims beside the runs."""

    write = staticmethod(aims_html)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.add_directive("papers-table", PapersTable)
    app.add_directive("aims-table", AimsTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
