"""Repairs to the theme's pages that a screen reader needs."""

from sphinx.application import Sphinx


def repair(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Name the buttons that unfold the contents, and give bibliography entries the role of list items."""
    contents = context.get("generate_toctree_html")
    if contents:
        context["generate_toctree_html"] = lambda *args, **options: str(contents(*args, **options)).replace(
            "<summary>", '<summary aria-label="Show the pages inside">'
        )
    if "body" in context:
        # The role that docutils writes was removed from the standard, so the list has no items.
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    # After the theme, which puts these entries there.
    app.connect("html-page-context", repair, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
