"""Figures as pieces of a page: vectors in the page's own text colour, whose panels stack on a phone."""

import functools
import html
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import LayoutEngine
from matplotlib.transforms import Bbox

from dctutor.plots._svg import svg

CLASS = "dct-figure"
_PHONE = 336  # CSS pixels: the narrowest column of a page that is 390 pixels wide
_DESKTOP = 740  # CSS pixels: the column of a page that is 1280 pixels wide
_LEGIBLE = 10  # CSS pixels: the smallest text on a phone
_LARGEST = 1.5  # CSS pixels per point: beyond this the text is larger than the page's
_GAP = 6  # CSS pixels between panels
_MANY = 500  # points or other shapes in a figure; more are smaller as an image
# The page's ground under the book's theme, JupyterLab, Colab and VS Code; names and centres stand out against it.
_GROUND = "Canvas"
for _variable in (
    "vscode-editor-background",
    "colab-primary-surface-color",
    "jp-layout-color0",
    "pst-color-background",
):
    _GROUND = f"var(--{_variable}, {_GROUND})"


def show_as_page(figure: Figure, ink: str) -> None:
    """Make IPython show `figure` by `figure_html`; `ink` is its colour of text. Nothing else changes."""
    # Not a local function: figures can be pickled.
    vars(figure)["_ipython_display_"] = functools.partial(_display, figure, ink)


def _display(figure: Figure, ink: str) -> None:
    from IPython.display import display  # only IPython calls this

    said = description(figure)
    display({"text/html": figure_html(figure, said, ink=ink), "text/plain": said}, raw=True)


def description(figure: Figure) -> str:
    """Say what the panels of `figure` are, from their titles and axes: for figures that nobody has described."""
    said = []
    for panel in _panels(figure):
        ax = panel[0]
        axes = " against ".join(filter(None, (ax.get_ylabel(), ax.get_xlabel())))
        said.append(": ".join(filter(None, (ax.get_title(), axes))))
    names = [text.get_text() for part in (figure, *figure.subfigs) for text in part.texts]
    names += [text for text in said if text]
    kind = f"Figure of {len(said)} panels" if len(said) > 1 else "Figure"
    return (f"{kind}: " + "; ".join(names) if names else kind).replace(r"\$", "$") + "."


def figure_html(figure: Figure, alt: str, *, ink: str) -> str:
    """Write `figure` as a piece of a page, in which no text is smaller than 10 pixels on a phone.

    The panels are inline SVG on a transparent ground. Text and lines in black or in `ink` take the page's text colour,
    what is white takes the colour of the page's ground. Panels that do not fit beside each other stand one below the
    other. A figure that is too wide for a phone and cannot be taken apart is drawn smaller, with the same size of text.

    Parameters
    ----------
    figure : Figure
        It is left as it is.
    alt : str
        Text alternative.
    ink : str
        Colour of the text.

    Returns
    -------
    str
    """
    with _ready(figure) as engine:
        panels, boxes = _laid_out(figure, engine)
        smallest = min(_sizes(figure), default=_LEGIBLE)
        widest = _PHONE * smallest / _LEGIBLE
        for _ in range(3):  # margins keep their size, so that one step does not reach the aim
            width = max(box.width for box in boxes)
            if width <= widest:
                break
            figure.set_size_inches(*(0.99 * widest / width * figure.get_size_inches()).tolist())
            panels, boxes = _laid_out(figure, engine)
        columns = max(sum(box.y0 == other.y0 for other in boxes) for box in boxes)
        drawn = [svg(figure, panel, box, ink) for panel, box in zip(panels, boxes, strict=True)]
    width = max(box.width for box in boxes)
    narrowest = _even(columns, min(np.ceil(width * _LEGIBLE / smallest), _PHONE))
    spaced = (columns - 1) * _GAP
    track = f"max(min(100%,{narrowest:.0f}px),calc((100% - {spaced}px)/{columns}))" if columns > 1 else "0"
    repeated = "auto-fit" if columns > 1 else "1"
    style = f"display:grid;gap:{_GAP}px;grid-template-columns:repeat({repeated},minmax({track},1fr));"
    style += f"max-width:{columns * width * _LARGEST + spaced:.0f}px;--dct-ground:{_GROUND}"
    head = f'<div class="{CLASS}">\n<div role="img" aria-label="{html.escape(alt)}" style="{style}">'
    return "\n".join([head, *drawn, "</div>\n</div>"])


def _even(columns: int, narrowest: float) -> float:
    """Return the smallest width of a panel, larger if the rows on a phone are then equally long."""
    side_by_side = max(int((_PHONE + _GAP) // (narrowest + _GAP)), 1)
    rows = -(-columns // side_by_side)
    larger = (_PHONE + _GAP) // -(-columns // rows) - _GAP
    return larger if columns * (larger + _GAP) <= _DESKTOP else narrowest


def described(page: str, alt: str) -> str:
    """Give the figures in a notebook's output another text alternative.

    Parameters
    ----------
    page : str
        HTML of the output of a cell. Without a figure of `dctutor.plots`, it stays as it is.
    alt : str
        What the figure shows, for those who do not see it.

    Returns
    -------
    str
    """
    begin = re.escape(f'<div class="{CLASS}">\n<div role="img" aria-label="')
    return re.sub(begin + '[^"]*', lambda found: found[0][: found[0].rindex('"') + 1] + html.escape(alt), page)


@contextmanager
def _ready(figure: Figure) -> Iterator[LayoutEngine | None]:
    """Context in which points are units and large drawings are images; at its end, `figure` is as before.

    Gives the engine of the layout, as `_laid_out` stops it.
    """
    engine, dpi = figure.get_layout_engine(), figure.dpi
    with ExitStack() as stack:
        shapes = {
            artist: max(len(artist.get_paths()), np.shape(artist.get_offsets())[0])
            for ax in figure.axes
            for artist in ax.collections
        }
        for artist, count in shapes.items():
            # Single large marks stay sharp.
            if count > 20 and sum(shapes.values()) > _MANY and not artist.get_rasterized():
                stack.callback(artist.set_rasterized, artist.get_rasterized())
                artist.set_rasterized(True)
        for image in (image for ax in figure.axes for image in ax.images if isinstance(image, AxesImage)):
            if image.get_interpolation() in ("auto", "antialiased") and np.prod(image.get_size()) < 50_000:
                stack.callback(image.set_interpolation, image.get_interpolation())
                image.set_interpolation("none")  # the browser enlarges the pixels; they stay as few as they are
        stack.callback(figure.set_size_inches, *figure.get_size_inches())
        if engine is not None:  # None would mean "as the settings say"
            stack.callback(figure.set_layout_engine, engine)
        stack.callback(setattr, figure, "dpi", dpi)
        figure.dpi = 72
        yield engine


def _laid_out(figure: Figure, engine: LayoutEngine | None) -> tuple[list[list[Axes]], list[Bbox]]:
    """Settle the layout, and return the panels and their boxes in points; panels of a row share its height."""
    if engine is not None:
        figure.set_layout_engine(engine)
    figure.draw_without_rendering()
    if engine is not None:
        figure.set_layout_engine("none")
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else None
    panels = _panels(figure)
    whole = figure.get_tightbbox(renderer)
    if len(panels) < 2 or not _can_be_split(figure) or whole.width * 72 <= _PHONE:
        return [[]], [Bbox(72 * whole.get_points()).padded(1)]
    boxes = [Bbox.union([box for ax in panel if (box := ax.get_tightbbox(renderer))]).padded(1) for panel in panels]
    order = sorted(range(len(panels)), key=lambda i: -boxes[i].y1)
    rows: list[list[int]] = []
    for i in order:
        inner = Bbox.union([ax.get_window_extent() for ax in panels[i]])
        if rows and inner.y1 > max(min(ax.get_window_extent().y0 for ax in panels[j]) for j in rows[-1]):
            rows[-1].append(i)
        else:
            rows.append([i])
    width = max(box.width for box in boxes)
    placed = []
    for row in rows:
        low, high = min(boxes[i].y0 for i in row), max(boxes[i].y1 for i in row)
        for i in sorted(row, key=lambda i: boxes[i].x0):
            middle = (boxes[i].x0 + boxes[i].x1) / 2  # one width for all, so that all are shown at one scale
            placed.append((panels[i], Bbox.from_extents(middle - width / 2, low, middle + width / 2, high)))
    return [panel for panel, _ in placed], [box for _, box in placed]


def _can_be_split(figure: Figure) -> bool:
    """Whether all that is drawn lies in axes."""
    return not (figure.subfigs or figure.legends or figure.lines or figure.images or figure.artists or figure.texts)


def _panels(figure: Figure) -> list[list[Axes]]:
    """Group the axes: those of one gid, those over each other, and a colour bar with the axes that it explains."""
    axes = [ax for ax in figure.axes if ax.get_visible() and (ax.axison or ax.has_data() or ax.texts)]
    parent = list(range(len(axes)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    place = {ax: i for i, ax in enumerate(axes)}
    extents = [ax.get_window_extent() for ax in axes]
    for i, ax in enumerate(axes):
        for j in range(i):
            shared = Bbox.intersection(extents[i], extents[j])
            over = shared is not None and shared.width > 1 and shared.height > 1
            if over or (ax.get_gid() is not None and ax.get_gid() == axes[j].get_gid()):
                parent[root(i)] = root(j)
        # Matplotlib notes here, and nowhere else, all axes that a colour bar explains.
        for explained in getattr(ax, "_colorbar_info", {}).get("parents", ()):
            if explained in place:
                parent[root(i)] = root(place[explained])
    groups: dict[int, list[Axes]] = {}
    for i, ax in enumerate(axes):
        groups.setdefault(root(i), []).append(ax)
    # The axes that a colour bar explains come first.
    return [sorted(group, key=lambda ax: ax.get_label() == "<colorbar>") for group in groups.values()]


def _sizes(figure: Figure) -> Iterator[float]:
    """Yield the sizes of the text that is shown, in points."""
    texts = [text for part in (figure, *figure.subfigs) for text in part.texts]
    legends = [legend for part in (figure, *figure.subfigs) for legend in part.legends]
    for ax in filter(Axes.get_visible, figure.axes):
        texts += [*ax.texts, ax.title]
        legends += [legend] if (legend := ax.get_legend()) else []
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            texts.append(axis.label)
            texts += [tick.label1 for tick in axis.get_major_ticks()]
    texts += [text for legend in legends for text in legend.get_texts()]
    yield from (float(text.get_fontsize()) for text in texts if text.get_visible() and text.get_text().strip())
