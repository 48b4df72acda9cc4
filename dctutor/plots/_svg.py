"""The axes of a figure as an SVG element in the page's colours and font."""

import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

__all__ = ["svg"]

_IMAGE_DPI = 160


class _Renderer(RendererSVG):
    """Formulas are drawn, as their parts have fixed places. Other text is text, in the page's font."""

    def draw_text(
        self, gc: Any, x: Any, y: Any, s: Any, prop: Any, angle: Any, ismath: Any = False, mtext: Any = None
    ) -> None:
        with plt.rc_context({"svg.fonttype": "path" if ismath else "none"}):
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)


def svg(figure: Figure, panel: Sequence[Axes], box: Bbox, ink: str) -> str:
    """Draw the axes in `panel`, or all if it is empty, as an SVG element that shows `box` (points)."""
    hidden: list[Any] = [figure.patch] + [ax for ax in figure.axes if panel and ax not in panel]
    hidden += [ax.patch for ax in figure.axes if to_hex(ax.get_facecolor()) == "#ffffff"]
    hidden += [part.patch for part in figure.subfigs]
    hidden = [artist for artist in hidden if artist.get_visible()]
    width, height = figure.get_size_inches() * 72
    written = io.StringIO()
    with plt.rc_context({"svg.hashsalt": "dctutor", "svg.image_inline": True}):
        for artist in hidden:
            artist.set_visible(False)
        try:
            vector = _Renderer(width, height, written, image_dpi=_IMAGE_DPI)
            renderer: Any = MixedModeRenderer(figure, width / 72, height / 72, _IMAGE_DPI, vector)
            figure.draw(renderer)
            renderer.finalize()
        finally:
            for artist in hidden:
                artist.set_visible(True)
    text = written.getvalue()
    inside = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    inside = inside[inside.index(">") + 1 : inside.rindex("</svg>")]
    inside = re.sub(r"<defs>\s*<style.*?</defs>", "", inside, flags=re.DOTALL)
    inside = _in_the_pages_colours(inside, to_hex(ink))
    inside = re.sub(r'(?<= (?:d|x|y)=")[^"]+', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), inside)
    inside = _with_own_ids(inside)
    inside = re.sub(r"\n\s*", "\n", inside).strip()
    view = f"{box.x0:.1f} {height - box.y1:.1f} {box.width:.1f} {box.height:.1f}"
    style = "display:block;width:100%;height:auto;fill:currentColor;stroke-linejoin:round;stroke-linecap:butt"
    return f'<svg viewBox="{view}" style="{style}" aria-hidden="true">\n{inside}\n</svg>'


def _in_the_pages_colours(drawn: str, ink: str) -> str:
    drawn = re.sub(f"(fill|stroke): (?:{ink}|#000000)\\b", r"\1: currentColor", drawn)
    drawn = re.sub(r"(fill|stroke): #ffffff\b", r"\1: var(--dct-ground)", drawn)
    # The page's font; some versions of Matplotlib write all in one "font".
    drawn = re.sub(r" ?font-family: [^;\"]*;?", "", drawn)
    return re.sub(r"font: ((?:[a-z0-9]+ )*?)([\d.]+px) [^;\"]*", _font, drawn)


def _font(found: re.Match[str]) -> str:
    weight = " font-weight: bold;" if re.search(r"bold|[6-9]00", found[1]) else ""
    slant = " font-style: italic;" if re.search("italic|oblique", found[1]) else ""
    return f"font-size: {found[2]};{weight}{slant}".rstrip(";")


def _with_own_ids(drawn: str) -> str:
    """Keep the ids that something refers to, and make them differ from those of other figures on a page."""
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', drawn))
    used = {name for pair in used for name in pair if name}
    salt = hashlib.sha256(drawn.encode()).hexdigest()[:8]
    new = {name: f"dct-{salt}-{i}" for i, name in enumerate(sorted(used))}
    drawn = re.sub(r' id="([^"]+)"', lambda found: f' id="{new[found[1]]}"' if found[1] in new else "", drawn)
    return re.sub(r'(href="#|url\(#)([^")]+)', lambda found: found[1] + new[found[2]], drawn)
