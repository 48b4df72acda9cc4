"""HTML that waits until every page and reference has its address."""

from docutils import nodes
from sphinx.application import Sphinx


class LateNode(nodes.General, nodes.Element):
    """Stands where HTML goes; ``write``, called with the application and the page's name, returns it.

    Doctrees are pickled between builds, so that ``write`` is a function of a module, or a `functools.partial` of one.
    """


def fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write all of it, now that every page and reference has its address."""
    for node in list(doctree.findall(LateNode)):
        node.replace_self(nodes.raw("", node["write"](app, docname), format="html"))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_node(LateNode)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
