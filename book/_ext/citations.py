"""Addresses of bibliography entries, for the directives that write HTML."""

from sphinx.application import Sphinx
from sphinx.util import logging

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
