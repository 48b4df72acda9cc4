"""The directives ``methods-map`` and ``methods-table``: the package's taxonomy as a tree and as a table of links."""

from html import escape

from citations import citation_address
from docutils import nodes
from drawings import drawings
from late import LateNode
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from tables import framed_table

from dctutor.methods import Family, MethodFacts, families

logger = logging.getLogger(__name__)

BARS = '<rect x="{x}" y="{y}" width="9" height="{h}" rx="2"/>'


def _bars(*columns: tuple[int, int]) -> str:
    return "".join(BARS.format(x=x, y=28 - h // 2, h=h) for x, h in columns)


def _dots(*centres: tuple[int, int]) -> str:
    return "".join(f'<circle cx="{x}" cy="{y}" r="3.2"/>' for x, y in centres)


# One sketch a family: what its network looks like from the side.
SKETCHES = {
    "autoencoder": _bars((8, 46), (26, 30), (44, 12), (62, 30), (80, 46)),
    "cdnn": _bars((6, 46), (22, 30), (38, 12))
    + '<path class="dc-line" d="M52 28h12m-5-5 5 5-5 5"/>'
    + _dots((74, 12), (82, 9), (80, 17), (74, 30), (84, 27), (76, 44), (84, 48), (85, 40)),
    "variational": _bars((4, 46), (18, 30), (72, 30), (86, 46))
    + '<path class="dc-line" d="M31 42c7 0 6-26 12-26s5 26 9 26 2-26 8-26 5 26 9 26"/>',
    "adversarial": '<rect class="dc-line" x="6" y="14" width="28" height="28" rx="4"/>'
    '<rect class="dc-line" x="66" y="14" width="28" height="28" rx="4"/>'
    '<path class="dc-line" d="M38 22h24m-5-4 5 4-5 4M62 34H38m5-4-5 4 5 4"/>'
    '<text x="20" y="33">G</text><text x="80" y="33">D</text>',
    "mixture": '<ellipse class="dc-line" cx="30" cy="30" rx="24" ry="12" transform="rotate(-25 30 30)"/>'
    '<ellipse class="dc-line" cx="66" cy="24" rx="24" ry="12" transform="rotate(30 66 24)"/>'
    + _dots((22, 34), (30, 28), (38, 27), (58, 18), (66, 25), (75, 30)),
}


COLUMNS = ("Method", "Architecture", "Non-clustering loss", "Clustering loss", "Schedule", "Features clustered")


class MethodsMap(SphinxDirective):
    """Put the map here."""

    kind = "map"

    def run(self) -> list[nodes.Node]:
        """Leave a place for it."""
        # The facts are the package's: no file of the book shows that they have changed.
        self.env.note_reread()
        return [LateNode(write=map_html if self.kind == "map" else table_html)]


class MethodsTable(MethodsMap):
    """Put the table here."""

    kind = "table"


def _page(app: Sphinx, docname: str, target: str) -> str:
    if target not in app.env.found_docs:
        logger.warning("the taxonomy links to %r, which is no page of the book", target, location=docname)
    return app.builder.get_relative_uri(docname, target)


def _address(app: Sphinx, docname: str, method: MethodFacts) -> str:
    if method.chapter:
        return escape(_page(app, docname, method.chapter))
    return escape(citation_address(app, docname, method.cite))


def _node(app: Sphinx, docname: str, key: str, method: MethodFacts) -> str:
    detail = f'<span class="dc-detail">{escape(method.detail)}</span>' if method.detail else ""
    state = "chapter" if method.chapter else "planned"
    picture = drawings()[key].miniature() if key in drawings() else ""
    return (
        f'<li><a class="dc-node {"dc-ready" if method.chapter else "dc-planned"}" '
        f'href="{_address(app, docname, method)}">'
        f'<span class="dc-name">{escape(method.name)}</span>{detail}{picture}'
        f'<span class="dc-state">{state}</span><span class="dc-year">{method.year}</span></a></li>'
    )


def _family(app: Sphinx, docname: str, family: Family) -> str:
    name = escape(family.name)
    if family.page:
        name = f'<a href="{escape(_page(app, docname, family.page))}">{name}</a>'
    where = f"survey section {family.section}" if family.section[0].isdigit() else family.section
    methods = "".join(_node(app, docname, key, method) for key, method in family.methods.items())
    return (
        f'<li class="dc-family dc-{family.id}"><div class="dc-head">'
        f'<svg viewBox="0 0 100 56" aria-hidden="true" focusable="false">{SKETCHES[family.id]}</svg>'
        f'<p class="dc-title">{name}</p><p class="dc-summary">{escape(family.summary)}</p>'
        f'<p class="dc-section">{escape(where)}</p></div><ul class="dc-nodes">{methods}</ul></li>'
    )


def map_html(app: Sphinx, docname: str) -> str:
    """Write the tree."""
    parts = "".join(_family(app, docname, family) for family in families())
    return (
        '<nav class="dc-map" aria-label="Map of deep clustering methods">'
        f'<p class="dc-root">Deep clustering</p><ul class="dc-families">{parts}</ul></nav>'
    )


def _row(app: Sphinx, docname: str, method: MethodFacts) -> str:
    detail = f", {escape(method.detail)}" if method.detail else ""
    notes = [str(method.year), "chapter" if method.chapter else "planned"]
    notes += [] if method.in_survey else ["not in the survey"]
    cells = (method.architecture, method.nonclustering, method.clustering, method.schedule, method.features)
    return (
        f'<tr><th scope="row"><a href="{_address(app, docname, method)}">{escape(method.name)}{detail}</a>'
        f'<br><span class="dc-none">{", ".join(notes)}</span></th>'
        + "".join(
            f'<td class="dc-none">{cell}</td>' if cell == "none" else f"<td>{escape(cell)}</td>" for cell in cells
        )
        + "</tr>"
    )


def table_html(app: Sphinx, docname: str) -> str:
    """Write a row for each method, under the name of its family."""
    bodies = []
    for family in families():
        rows = "".join(_row(app, docname, method) for method in family.methods.values())
        # The name has a frame of its own, which stays in sight while the table scrolls sideways.
        head = f'<th scope="rowgroup" colspan="{len(COLUMNS)}"><span>{escape(family.name)}</span></th>'
        bodies.append(f"<tr>{head}</tr>{rows}")
    return framed_table("Methods by family", COLUMNS, bodies, kind="dc-methods")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.setup_extension("drawings")
    app.add_directive("methods-map", MethodsMap)
    app.add_directive("methods-table", MethodsTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
