"""The directive ``methods-map``: the taxonomy as a tree whose parts are links, from ``methods.yml``."""

from html import escape
from pathlib import Path

import yaml
from citations import citation_address
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

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


class MapNode(nodes.General, nodes.Element):
    """Stands where the map goes until all addresses are known."""


class MethodsMap(SphinxDirective):
    """Put the map here; the argument is the data file, relative to the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read the data file."""
        relative, absolute = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        return [MapNode(families=yaml.safe_load(Path(absolute).read_text(encoding="utf-8")))]


def _page(app: Sphinx, docname: str, target: str) -> str:
    if target not in app.env.found_docs:
        logger.warning("the map links to %r, which is no page of the book", target, location=docname)
    return app.builder.get_relative_uri(docname, target)


def _method(app: Sphinx, docname: str, method: dict) -> str:
    ready = "chapter" in method
    address = _page(app, docname, method["chapter"]) if ready else citation_address(app, docname, method["cite"])
    detail = f'<span class="dc-detail">{escape(method["detail"])}</span>' if "detail" in method else ""
    state = "chapter" if ready else "planned"
    return (
        f'<li><a class="dc-node {"dc-ready" if ready else "dc-planned"}" href="{escape(address)}">'
        f'<span class="dc-name">{escape(method["name"])}</span>{detail}'
        f'<span class="dc-state">{state}</span><span class="dc-year">{method["year"]}</span></a></li>'
    )


def _family(app: Sphinx, docname: str, family: dict) -> str:
    name = escape(family["name"])
    if "page" in family:
        name = f'<a href="{escape(_page(app, docname, family["page"]))}">{name}</a>'
    section = family["section"]
    where = f"survey section {section}" if section[0].isdigit() else section
    methods = "".join(_method(app, docname, method) for method in family["methods"])
    return (
        f'<li class="dc-family dc-{family["id"]}"><div class="dc-head">'
        f'<svg viewBox="0 0 100 56" aria-hidden="true" focusable="false">{SKETCHES[family["id"]]}</svg>'
        f'<p class="dc-title">{name}</p><p class="dc-summary">{escape(family["summary"])}</p>'
        f'<p class="dc-section">{escape(where)}</p></div><ul class="dc-nodes">{methods}</ul></li>'
    )


def fill_maps(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write each map, now that every page and reference has its address."""
    for node in list(doctree.findall(MapNode)):
        families = "".join(_family(app, docname, family) for family in node["families"])
        page = (
            '<nav class="dc-map" aria-label="Map of deep clustering methods">'
            f'<p class="dc-root">Deep clustering</p><ul class="dc-families">{families}</ul></nav>'
        )
        node.replace_self(nodes.raw("", page, format="html"))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_node(MapNode)
    app.add_directive("methods-map", MethodsMap)
    app.connect("doctree-resolved", fill_maps)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
