"""Serve everything that a page loads from the book itself, so that it works with the network off."""

from importlib.util import find_spec
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset

# Glyphs as paths inside the script: a browser that opens the book from a folder may refuse font files.
SCRIPT = "tex-svg.js"
PACKAGE = "sphinx-mathjax-offline"


def mathjax_script() -> Path:
    """Find MathJax in the package that carries it."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ExtensionError(f"{PACKAGE} is not installed: pip install -e '.[book]' -c constraints.txt")
    return Path(spec.origin).parent / "static" / "mathjax" / SCRIPT


def point_at_copy(app: Sphinx, config) -> None:
    """Replace the address of MathJax, and switch off what would be loaded from elsewhere."""
    config.mathjax_path = f"mathjax/{SCRIPT}"
    config.mathjax3_config = {
        **(config.mathjax3_config or {}),
        # The right-click menu offers parts that are not copied.
        "options": {"enableMenu": False},
    }


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax beside the pages."""
    if error is None and app.builder.format == "html":
        copy_asset(mathjax_script(), Path(app.outdir) / "_static" / "mathjax")


def drop_thebe(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Leave out Thebe's scripts: pages do not run code, and Thebe comes from a network."""
    context["script_files"] = [script for script in context["script_files"] if "thebe" not in str(script).lower()]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("config-inited", point_at_copy)
    app.connect("html-page-context", drop_thebe)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
