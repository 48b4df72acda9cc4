"""Names with their addresses in the book, for the directives that write HTML."""

from html import escape

from sphinx.application import Sphinx
from sphinx.util import logging

from dctutor.methods import MethodFacts, registry

#: Baselines that runs are recorded of and that are no class of dctutor, for readers.
BASELINE_NAMES = {"KMeans": "k-means on the inputs"}
logger = logging.getLogger(__name__)


def citation_address(app: Sphinx, docname: str, key: str) -> str:
    """Give the address of a work in the bibliography, relative to a page.

    A key that no bibliography holds is a warning, which ends a build with warnings as errors.
    """
    for citation in app.env.get_domain("cite").citations:
        if citation.key == key:
            page = app.builder.get_relative_uri(docname, citation.bibliography_key.docname)
            return f"{page}#{citation.citation_id}"
    logger.warning("no bibliography holds %r", key, location=docname)
    return ""


def method_link(app: Sphinx, docname: str, key: str) -> str:
    """Write a method's own name, linked to its chapter, or else to its paper; a baseline has neither."""
    facts = registry().get(key)
    if not isinstance(facts, MethodFacts):
        return escape(BASELINE_NAMES.get(key, key) if facts is None else facts.name)
    if facts.chapter in app.env.found_docs:
        address = app.builder.get_relative_uri(docname, str(facts.chapter))
    else:
        address = citation_address(app, docname, facts.cite)
    return f'<a href="{escape(address)}">{escape(facts.name)}</a>'
