"""The directive ``playground``: something to drag, type or slide, in the page itself, without a network.

Each playground is three files in the folder ``playgrounds``, named after it: HTML, CSS and JavaScript. What they share
is in ``shared.css`` and ``shared.js``. A page that has no playground loads none of it.
"""

from collections.abc import Collection
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from dctutor.plots import COLOURS

FOLDER = Path(__file__).with_name("playgrounds")
SHARED = "shared"


def names() -> list[str]:
    """Name all playgrounds, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.html"))


def files(name: str) -> list[Path]:
    """List the files that a playground is made of, the shared ones first.

    Raises
    ------
    ValueError
        If there is no such playground.
    """
    if name not in names():
        raise ValueError(f"name: expected one of {', '.join(names())}, got {name!r}")
    return [FOLDER / f"{stem}{ending}" for stem in (SHARED, name) for ending in (".html", ".css", ".js")][1:]


def _colours() -> str:
    """Write the book's colours as variables. A quarter of white keeps the dark ones visible on a dark page."""
    light = " ".join(f"--dc-{i}: {colour};" for i, colour in enumerate(COLOURS, start=1))
    dark = " ".join(f"--dc-{i}: color-mix(in srgb, {c} 75%, white);" for i, c in enumerate(COLOURS, start=1))
    return f'.dc-playground {{ {light} }}\nhtml[data-theme="dark"] .dc-playground {{ {dark} }}'


def fragment(name: str, present: Collection[str] = ()) -> str:
    """Write the HTML of a playground, with its style and its script.

    Parameters
    ----------
    name : str
        One of `names`.
    present : collection of str
        Names whose style and script the page has already, ``"shared"`` among them. A script starts every playground
        that stands before it and has not started, so a second copy of a playground needs it again.

    Returns
    -------
    str
        HTML for any place in a page that can hold a ``div``.

    Raises
    ------
    ValueError
        If there is no such playground.
    """
    texts = {path.name: path.read_text(encoding="utf-8").strip() for path in files(name)}
    styles = [texts[f"{stem}.css"] for stem in (SHARED, name) if stem not in present]
    if SHARED not in present:
        styles.insert(0, _colours())
    scripts = [texts[f"{stem}.js"] for stem in (SHARED, name) if stem == name or stem not in present]
    return "\n".join(
        [
            f'<div class="dc-playground dc-playground-{name}" data-playground="{name}">',
            texts[f"{name}.html"],
            "</div>",
            *(f"<style>\n{style}\n</style>" for style in styles),
            *(f"<script>\n{script}\n</script>" for script in scripts),
        ]
    )


def standalone(*wanted: str, theme: str = "light") -> str:
    """Write a page of its own that holds the playgrounds `wanted`, in the colours of ``"light"`` or ``"dark"``."""
    present: set[str] = set()
    parts = []
    for name in wanted:
        parts.append(fragment(name, present))
        present |= {SHARED, name}
    ink, ground = ("#ced6dd", "#14181e") if theme == "dark" else ("#323232", "#ffffff")
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-theme="{theme}">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Playground</title>'
        f'<link rel="icon" href="data:,"><style>body {{ color: {ink}; background: {ground}; margin: 1rem; '
        "font: 1rem/1.5 sans-serif; } main { max-width: 45rem; margin: auto; }</style></head>\n"
        "<body><main><h1>Playground</h1>\n" + "\n".join(parts) + "\n</main></body>\n</html>\n"
    )


class Playground(SphinxDirective):
    """The playground that the argument names. The directive has no body."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Put the files into the page, those that playgrounds share once."""
        name = self.arguments[0]
        try:
            for path in files(name):
                self.env.note_dependency(str(path))
        except ValueError as error:
            raise self.error(f"playground: {error}") from error
        present = self.env.temp_data.setdefault("playgrounds", set())
        html = fragment(name, present)
        present |= {SHARED, name}
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("playground", Playground)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
