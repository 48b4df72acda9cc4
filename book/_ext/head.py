"""What a search engine and a browser's tab show of a page."""

from html import escape
from textwrap import shorten

from docutils import nodes
from sphinx.application import Sphinx


def describe(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Describe a page by its first paragraph that says something, and name the home page once."""
    if pagename == app.config.root_doc:
        context["title"], context["docstitle"] = context["docstitle"], ""
    if doctree is not None:
        texts = (" ".join(paragraph.astext().split()) for paragraph in doctree.findall(nodes.paragraph))
        text = next((text for text in texts if len(text) > 60), "")
        context["metatags"] += f'\n<meta name="description" content="{escape(shorten(text, 200, placeholder=" …"))}" />'


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("html-page-context", describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
