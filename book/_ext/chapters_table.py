"""The directive ``chapters-table``: the book's numbered pages, with the times that each chapter states and a level."""

import re
from functools import partial
from html import escape
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from late import LateNode
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from tables import framed_table

logger = logging.getLogger(__name__)

TIMES = re.compile(
    r"(?:Reading time )?(?:about )?(?P<read>[^·]+?)(?: to read)? · (?:about )?(?P<run>[^·]+?) to run\b", re.IGNORECASE
)


class ChaptersTable(SphinxDirective):
    """Put the table here.

    ``:introductory:`` and ``:advanced:`` name pages by their paths from the book's root; all other chapters are
    intermediate.
    """

    option_spec: ClassVar = dict.fromkeys(("introductory", "advanced"), directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Leave a place for it."""
        # What it shows is in other pages: no change of this one says that they have changed.
        self.env.note_reread()
        levels = {page: level for level, pages in self.options.items() for page in pages.split()}
        return [LateNode(write=partial(chapters_html, levels=levels))]


def stated_times(page: nodes.document) -> tuple[str, str] | None:
    """Find the line in italics with a chapter's times: to read it, to run it.

    ``*20 minutes to read · 90 seconds to run on two processor cores · builds on k-means*`` gives ``("20 min",
    "90 s")``.
    """
    for line in page.findall(nodes.emphasis):
        if found := TIMES.match(" ".join(line.astext().split())):
            return _shortened(found["read"]), _shortened(found["run"])
    return None


def _shortened(time: str) -> str:
    return re.sub(r"(\d) seconds?$", r"\1 s", re.sub(r"(\d) minutes?$", r"\1 min", time))


def chapters_html(app: Sphinx, docname: str, levels: dict[str, str]) -> str:
    """Write a row for each page of a numbered part, under the part's caption."""
    env = app.env
    parts = [part for part in env.get_doctree(env.config.root_doc).findall(addnodes.toctree) if part["numbered"]]
    unknown = levels.keys() - {name for part in parts for _, name in part["entries"]}
    if unknown:
        logger.warning("chapters-table: no numbered pages: %s", ", ".join(sorted(unknown)), location=docname)
    bodies = []
    for part in parts:
        rows = "".join(_row(app, docname, name, levels.get(name, "intermediate")) for _, name in part["entries"])
        bodies.append(f'<tr><th scope="rowgroup" colspan="4">{escape(part["caption"])}</th></tr>{rows}')
    return framed_table("Chapters", ["Chapter", "To read", "To run", "Level"], bodies)


def _row(app: Sphinx, docname: str, name: str, level: str) -> str:
    env = app.env
    (number,) = env.toc_secnumbers[name][""]
    address = escape(app.builder.get_relative_uri(docname, name))
    link = f'{number}. <a href="{address}">{escape(env.titles[name].astext())}</a>'
    if not env.doc2path(name).endswith(".ipynb"):
        return f'<tr><th scope="row">{link}</th><td class="dc-none" colspan="3">overview</td></tr>'
    times = stated_times(env.get_doctree(name))
    if times is None:
        message = "no line in italics says how long the chapter takes: ... to read · ... to run on ..."
        logger.warning(message, location=name)
        times = "", ""
    return (
        f'<tr><th scope="row">{link}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in (*times, level)) + "</tr>"
    )


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("late")
    app.add_directive("chapters-table", ChaptersTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
