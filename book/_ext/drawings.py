"""The directive ``drawing``: what flows where in a method, as inline SVG made from ``book/drawings.toml``.

The head of that file says how a drawing is described.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

FILE = Path(__file__).parents[1] / "drawings.toml"
# A column of a phone's page: text of 12 units is then nearly 12 pixels high.
WIDTH = 360
UNIT = 30
SIZES = {"dc-t": 14, "dc-s": 12}

KEY = (
    "Blue shapes are trained, in the phases whose numbers they carry; the other shapes are data, or computed from "
    "them. Solid arrows show what is computed from what. Each orange pill is a loss: its dashed arrow points at what "
    "the loss pulls, its dot marks what that is compared with. What has a lock counts as a constant: no gradient "
    "passes through it. A dashed outline marks what the last phase no longer uses."
)


@dataclass(frozen=True)
class Box:
    """Centre and size of a shape, in units of the picture."""

    x: float
    y: float
    w: float
    h: float

    @property
    def left(self) -> float:
        """Least x."""
        return self.x - self.w / 2

    @property
    def right(self) -> float:
        """Largest x."""
        return self.x + self.w / 2

    @property
    def top(self) -> float:
        """Least y."""
        return self.y - self.h / 2

    @property
    def bottom(self) -> float:
        """Largest y."""
        return self.y + self.h / 2

    def edge(self, x: float, y: float) -> tuple[float, float]:
        """Point of the outline where a line from (x, y) arrives: level or upright where it can be."""
        if self.left <= x <= self.right:
            return x, self.top if y < self.y else self.bottom
        if self.top <= y <= self.bottom:
            return self.left if x < self.x else self.right, y
        dx, dy = x - self.x, y - self.y
        t = min(self.w / 2 / abs(dx), self.h / 2 / abs(dy))
        return self.x + t * dx, self.y + t * dy


# Shapes


def n(value: float) -> str:
    """Write a coordinate in few characters."""
    return f"{value:.1f}".removesuffix(".0")


def _path(*points: tuple[float, float], tag: str = "polygon", extra: str = "") -> str:
    return f'<{tag}{extra} points="{" ".join(f"{n(x)},{n(y)}" for x, y in points)}"/>'


def _rect(left: float, top: float, w: float, h: float, r: float = 0, extra: str = "") -> str:
    return f'<rect{extra} x="{n(left)}" y="{n(top)}" width="{n(w)}" height="{n(h)}" rx="{n(r)}"/>'


def _circle(x: float, y: float, r: float, extra: str = "") -> str:
    return f'<circle{extra} cx="{n(x)}" cy="{n(y)}" r="{n(r)}"/>'


INK = ' class="dc-ink"'


def _data(b: Box) -> str:
    return _rect(b.left, b.top, b.w, b.h, 8)


def _copy(b: Box) -> str:
    # Specks along the upper and the lower edge leave the middle to the label.
    specks = ((0.2, 0.12), (0.5, 0.2), (0.78, 0.1), (0.32, 0.86), (0.62, 0.8), (0.84, 0.9))
    return _data(b) + "".join(_circle(b.left + u * b.w, b.top + v * b.h, 1.8, INK) for u, v in specks)


def _trapezoid(b: Box, left: float, right: float) -> str:
    return _path((b.left, b.y - left), (b.right, b.y - right), (b.right, b.y + right), (b.left, b.y + left))


def _encoder(b: Box) -> str:
    return _trapezoid(b, b.h / 2, b.h / 4)


def _decoder(b: Box) -> str:
    return _trapezoid(b, b.h / 4, b.h / 2)


def _network(b: Box) -> str:
    return _rect(b.left, b.top, b.w, b.h)


def _discriminator(b: Box) -> str:
    return _path((b.left, b.top), (b.right - 14, b.top), (b.right, b.y), (b.right - 14, b.bottom), (b.left, b.bottom))


def _generator(b: Box) -> str:
    return _path((b.left, b.y), (b.left + 14, b.top), (b.right, b.top), (b.right, b.bottom), (b.left + 14, b.bottom))


def _code(b: Box) -> str:
    return _rect(b.left, b.top, b.w, b.h, 2)


def _gaussian(b: Box) -> str:
    return _rect(b.left, b.top, b.w, b.h / 2 - 2, 2) + _rect(b.left, b.y + 2, b.w, b.h / 2 - 2, 2)


def _curve(b: Box, *bumps: float) -> str:
    step = (b.w - 12) / len(bumps)
    path = f"M{n(b.left + 6)} {n(b.bottom - 7)}"
    for height in bumps:
        up, half = (b.h - 14) * height, step / 2
        path += f"c{n(half * 0.6)} 0 {n(half * 0.5)} {n(-up)} {n(half)} {n(-up)}"
        path += f"s{n(half * 0.4)} {n(up)} {n(half)} {n(up)}"
    return _rect(b.left, b.top, b.w, b.h, 8) + f'<path class="dc-line" d="{path}"/>'


def _bars(b: Box, *heights: float) -> str:
    step = b.w / len(heights)
    bars = (
        _rect(b.left + i * step + 1.5, b.bottom - v * b.h, step - 3, v * b.h, 0, INK) for i, v in enumerate(heights)
    )
    base = _path((b.left - 2, b.bottom), (b.right + 2, b.bottom), tag="polyline", extra=' class="dc-line"')
    return "".join(bars) + base


def _cross(x: float, y: float) -> str:
    return f'<path class="dc-line" d="M{n(x - 3.5)} {n(y)}h7m-3.5-3.5v7"/>'


def _centres(b: Box) -> str:
    at = [(b.left + 9, b.top + 9), (b.right - 9, b.top + 12), (b.x - 1, b.bottom - 9)]
    return "".join(_circle(x, y, 8.5) + _cross(x, y) for x, y in at)


def _head(b: Box) -> str:
    step = (b.h - 4) / 4
    return _rect(b.left, b.top, b.w, b.h, 8) + "".join(
        _circle(b.x, b.top + 2 + (i + 0.5) * step, 4, INK) for i in range(4)
    )


def _graph(b: Box) -> str:
    at = [(b.left + 5, b.y + 6), (b.x - 3, b.top + 5), (b.x + 2, b.bottom - 5), (b.right - 5, b.y - 4)]
    lines = "".join(_path(at[i], at[j], tag="polyline", extra=' class="dc-line"') for i, j in ((0, 1), (0, 2), (1, 3)))
    return lines + "".join(_circle(x, y, 4.5, INK) for x, y in at)


def _matrix(b: Box) -> str:
    third = b.w / 3
    blocks = (_rect(b.left + i * third + 2, b.top + i * third + 2, third - 4, third - 4, 0, INK) for i in range(3))
    return _rect(b.left, b.top, b.w, b.h) + "".join(blocks)


def _step(b: Box) -> str:
    return _rect(b.left, b.top, b.w, b.h, 3)


@dataclass(frozen=True)
class Kind:
    """How a kind of part looks: its size, its outline, and whether its label stands inside."""

    size: tuple[float, float]
    draw: Callable[[Box], str]
    inside: bool = False


KINDS = {
    "data": Kind((36, 46), _data, True),
    "copy": Kind((36, 46), _copy, True),
    "encoder": Kind((64, 76), _encoder, True),
    "decoder": Kind((64, 76), _decoder, True),
    "network": Kind((64, 52), _network, True),
    "discriminator": Kind((76, 52), _discriminator, True),
    "generator": Kind((76, 52), _generator, True),
    "step": Kind((72, 28), _step, True),
    "code": Kind((14, 50), _code),
    "gaussian": Kind((22, 56), _gaussian),
    "prior": Kind((56, 36), lambda b: _curve(b, 1)),
    "mixture": Kind((68, 36), lambda b: _curve(b, 0.8, 1, 0.7)),
    "assignment": Kind((40, 32), lambda b: _bars(b, 0.35, 0.7, 0.5, 0.25)),
    "target": Kind((40, 32), lambda b: _bars(b, 0.12, 1, 0.25, 0.08)),
    "hard": Kind((40, 32), lambda b: _bars(b, 0.03, 1, 0.03, 0.03)),
    "weights": Kind((46, 32), lambda b: _bars(b, 0.3, 0.9, 0.5, 1, 0.2, 0.6)),
    "centres": Kind((48, 40), _centres),
    "head": Kind((18, 50), _head),
    "graph": Kind((44, 38), _graph),
    "matrix": Kind((42, 42), _matrix, True),
}
SIDES = ("top", "bottom", "left", "right")

# Text: $...$ is maths; _ starts an index, of one character or in braces.

_MATHS = re.compile(r"_\{([^}]*)\}|_(.)|((?:[^\W\d_][\u0300-\u036f]*)+)|([^_])", re.S)


def _pieces(text: str) -> Iterable[tuple[str, bool, bool]]:
    """Split a label into (text, whether italic, whether an index)."""
    for number, part in enumerate(text.split("$")):
        if number % 2 == 0:
            if part:
                yield part, False, False
            continue
        for long, short, letters, other in _MATHS.findall(part):
            if long or short:
                yield long or short, len(long or short) == 1, True
            else:
                # One letter is a symbol, and may carry a hat; several are a name, such as KL.
                yield letters or other, bool(letters) and len(re.sub(r"[\u0300-\u036f]", "", letters)) == 1, False


def plain(text: str) -> str:
    """Write a label without its marks."""
    return "".join(piece for piece, _, _ in _pieces(text))


def width_of(text: str, size: float) -> float:
    """Estimate how wide a label is, on the large side."""
    letters = re.sub(r"[\u0300-\u036f]", "", plain(text))
    return size * sum(0.35 if c in " .,:;()|ijlt1-" else 0.9 if c in "mwMWKNQ‖" else 0.6 for c in letters)


def html_text(text: str) -> str:
    """Write a label as HTML; ``**...**`` is strong."""
    if "**" in text:
        before, strong, after = text.split("**", 2)
        return f"{html_text(before)}<strong>{html_text(strong)}</strong>{html_text(after)}"
    parts = []
    for piece, italic, index in _pieces(text):
        inner = f"<i>{escape(piece)}</i>" if italic else escape(piece)
        parts.append(f"<sub>{inner}</sub>" if index else inner)
    return "".join(parts)


def _text(x: float, y: float, text: str, kind: str = "dc-t", anchor: str = "middle") -> str:
    """Write a label whose middle line is at y."""
    parts, low = [], False
    for piece, italic, index in _pieces(text):
        shift = "" if index == low else f' dy="{3.5 if index else -3.5}"'
        low = index
        names = " ".join(name for name, on in (("dc-m", italic), ("dc-i", index)) if on)
        attributes = (f' class="{names}"' if names else "") + shift
        parts.append(f"<tspan{attributes}>{escape(piece)}</tspan>" if attributes else escape(piece))
    place = "" if anchor == "middle" else f' text-anchor="{anchor}"'
    return f'<text class="{kind}" x="{n(x)}" y="{n(y + SIZES[kind] * 0.34)}"{place}>{"".join(parts)}</text>'


def _lock(x: float, y: float) -> str:
    """Draw a closed lock whose centre is at (x, y)."""
    bow = f'<path class="dc-bow" d="M{n(x - 3)} {n(y)}v-3a3 3 0 0 1 6 0v3"/>'
    return f'<g class="dc-lock">{bow}{_rect(x - 5, y - 1, 10, 8, 1.5)}</g>'


def _chips(x: float, y: float, phases: list[int]) -> str:
    """Draw the numbers of phases in small circles around (x, y)."""
    parts = []
    for number, phase in enumerate(phases):
        at = x + 18 * (number - (len(phases) - 1) / 2)
        parts.append(_circle(at, y, 8) + _text(at, y, str(phase), "dc-s"))
    return f'<g class="dc-chip">{"".join(parts)}</g>'


# A drawing: what its tables may hold, and as what.

WHOLE = {
    "title": str,
    "alt": str,
    "rows": (int, float),
    "phases": list,
    "parts": dict,
    "arrows": list,
    "losses": list,
}
PART = {
    "kind": str,
    "at": list,
    "label": str,
    "note": str,
    "side": str,
    "size": list,
    "phases": list,
    "chips": str,
    "fixed": bool,
    "aside": bool,
    "conv": bool,
}
ARROW = {"from": str, "to": str, "via": list, "label": str, "side": str}
LOSS = {"id": str, "label": str, "at": list, "phases": list, "pulls": list, "against": list, "via": dict}


class Drawing:
    """One checked description, and the pictures that can be made of it.

    Raises
    ------
    ExtensionError
        If the description is not one; the message names the drawing and the entry.
    """

    def __init__(self, name: str, description: Any) -> None:
        self.name = name
        d = self._table("the drawing", description, WHOLE, {"title", "alt", "rows", "parts"})
        self.title, self.alt, self.height = d["title"], d["alt"], UNIT * d["rows"]
        self.phases: list[str] = d.get("phases", [])
        self.parts: dict[str, dict[str, Any]] = {}
        self.boxes: dict[str, Box] = {}
        for key, value in d["parts"].items():
            self._part(f"parts.{key}", key, value)
        self.losses = [self._loss(f"losses[{i}]", value) for i, value in enumerate(d.get("losses", []))]
        self.arrows = [arrow for i, value in enumerate(d.get("arrows", [])) for arrow in self._arrow(i, value)]

    def _fail(self, entry: str, what: str) -> None:
        raise ExtensionError(f"drawings.toml: {self.name}: {entry}: {what}")

    def _table(self, entry: str, value: Any, known: dict[str, Any], needed: set[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._fail(entry, f"expected a table, got {value!r}")
        for key, found in value.items():
            if key not in known:
                self._fail(entry, f"expected only {', '.join(known)}, got {key!r}")
            if not isinstance(found, known[key]):
                self._fail(f"{entry}: {key}", f"got {found!r}, which is of the wrong type")
        for key in sorted(needed - set(value)):
            self._fail(entry, f"expected {key!r}, which is missing")
        return value

    def _place(self, entry: str, value: Any) -> tuple[float, float]:
        if not (isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value)):
            self._fail(entry, f"expected [column, row], got {value!r}")
        x, y = UNIT * value[0], UNIT * value[1]
        if not (0 <= x <= WIDTH and 0 <= y <= self.height):
            self._fail(
                entry, f"expected a place in {WIDTH // UNIT} columns and {self.height / UNIT:g} rows, got {value}"
            )
        return x, y

    def _one_of(self, entry: str, value: Any, known: Iterable[Any]) -> None:
        if value not in (known := list(known)):
            self._fail(entry, f"expected one of {', '.join(map(str, known))}, got {value!r}")

    def _check_phases(self, entry: str, table: dict[str, Any]) -> None:
        for phase in table.get("phases", []):
            self._one_of(f"{entry}: phases", phase, range(1, len(self.phases) + 1))

    def _part(self, entry: str, key: str, value: Any) -> None:
        part = self._table(entry, value, PART, {"kind", "at"})
        self._one_of(f"{entry}: kind", part["kind"], KINDS)
        for side in {"side", "chips"} & set(part):
            self._one_of(f"{entry}: {side}", part[side], SIDES)
        self._check_phases(entry, part)
        size = part.get("size", KINDS[part["kind"]].size)
        if len(size) != 2 or not all(isinstance(v, int | float) and v > 0 for v in size):
            self._fail(f"{entry}: size", f"expected [width, height], both positive, got {size!r}")
        self.parts[key] = part
        self.boxes[key] = Box(*self._place(f"{entry}: at", part["at"]), *size)

    def _via(self, entry: str, value: Any) -> list[tuple[float, float]]:
        if not isinstance(value, list):
            self._fail(entry, f"expected a list of places, got {value!r}")
        return [self._place(entry, place) for place in value]

    def _arrow(self, number: int, value: Any) -> list[dict[str, Any]]:
        entry = f"arrows[{number}]"
        if isinstance(value, str):
            names = [name.strip() for name in value.split(">")]
            if len(names) < 2:
                self._fail(entry, f"expected 'part > part', got {value!r}")
            found: list[dict[str, Any]] = [{"from": a, "to": b} for a, b in pairwise(names)]
        else:
            found = [dict(self._table(entry, value, ARROW, {"from", "to"}))]
        for arrow in found:
            for end in ("from", "to"):
                self._one_of(f"{entry}: {end}", arrow[end], self.boxes)
            if "side" in arrow:
                self._one_of(f"{entry}: side", arrow["side"], SIDES)
            arrow["via"] = self._via(f"{entry}: via", arrow.get("via", []))
        return found

    def _loss(self, entry: str, value: Any) -> dict[str, Any]:
        loss = dict(self._table(entry, value, LOSS, {"label", "at", "pulls"}))
        self._check_phases(entry, loss)
        for end in ("pulls", "against"):
            for name in loss.setdefault(end, []):
                self._one_of(f"{entry}: {end}", name, self.parts)
        for name in loss.get("via", {}):
            self._one_of(f"{entry}: via", name, loss["pulls"] + loss["against"])
        loss["via"] = {name: self._via(f"{entry}: via", places) for name, places in loss.get("via", {}).items()}
        w = width_of(loss["label"], SIZES["dc-t"]) + 20 + 18 * len(self._told(loss))
        loss["box"] = Box(*self._place(f"{entry}: at", loss["at"]), w, 24)
        if "id" in loss:
            if loss["id"] in self.boxes:
                self._fail(f"{entry}: id", f"expected a new name, got {loss['id']!r}, which another entry has")
            self.boxes[loss["id"]] = loss["box"]
        return loss

    def _told(self, table: dict[str, Any]) -> list[int]:
        """Phases to write at an entry: none if there is only one."""
        return table.get("phases", []) if len(self.phases) > 1 else []

    # Lines

    @staticmethod
    def _route(a: Box, b: Box, via: list[tuple[float, float]]) -> list[tuple[float, float]]:
        if via:
            return [a.edge(*via[0]), *via, b.edge(*via[-1])]
        x = (a if a.w <= b.w else b).x
        if max(a.left, b.left) <= x <= min(a.right, b.right):
            return [a.edge(x, b.y), b.edge(x, a.y)]
        y = (a if a.h <= b.h else b).y
        if max(a.top, b.top) <= y <= min(a.bottom, b.bottom):
            return [a.edge(b.x, y), b.edge(a.x, y)]
        return [a.edge(b.x, b.y), b.edge(a.x, a.y)]

    @staticmethod
    def _line(points: list[tuple[float, float]], kind: str, end: str) -> str:
        (px, py), (x, y) = points[-2:]
        length = max(((x - px) ** 2 + (y - py) ** 2) ** 0.5, 1e-6)
        ux, uy = (x - px) / length, (y - py) / length
        if end == "dot":
            x, y = x - 4 * ux, y - 4 * uy
            return _path(*points[:-1], (x, y), tag="polyline", extra=f' class="{kind}"') + _circle(
                x, y, 3, ' class="dc-tip"'
            )
        x, y = x - ux, y - uy
        back = x - 8 * ux, y - 8 * uy
        tip = _path((x, y), (back[0] - 4 * uy, back[1] + 4 * ux), (back[0] + 4 * uy, back[1] - 4 * ux))
        stop = x - 6 * ux, y - 6 * uy
        line = _path(*points[:-1], stop, tag="polyline", extra=f' class="{kind}"')
        return line + tip.replace("<polygon", '<polygon class="dc-tip"')

    def _arrow_svg(self, arrow: dict[str, Any], words: bool) -> str:
        points = self._route(self.boxes[arrow["from"]], self.boxes[arrow["to"]], arrow["via"])
        text = ""
        if words and "label" in arrow:
            # A level stretch has most room for words, and a long one more.
            (ax, ay), (bx, by) = max(
                pairwise(points),
                key=lambda s: (s[0][1] == s[1][1], abs(s[0][0] - s[1][0]) + abs(s[0][1] - s[1][1])),
            )
            x, y = (ax + bx) / 2, (ay + by) / 2
            side = arrow.get("side", "top" if abs(ax - bx) > abs(ay - by) else "right")
            text = self._lines([("dc-s", line) for line in arrow["label"].split("\n")], Box(x, y, 0, 0), side, gap=5)
        return f'<g class="dc-arrow">{self._line(points, "dc-flow", "arrow")}{text}</g>'

    def _loss_svg(self, loss: dict[str, Any], words: bool) -> str:
        b, lines = loss["box"], []
        for names, end in ((loss["pulls"], "arrow"), (loss["against"], "dot")):
            for name in names:
                via = loss["via"].get(name, [])
                lines.append(self._line(self._route(b, self.boxes[name], via), "dc-pull", end))
        pill, chips = _rect(b.left, b.top, b.w, b.h, b.h / 2), self._told(loss)
        if words:
            pill += _text(b.x - 9 * len(chips), b.y, loss["label"])
            pill += _chips(b.right - 5 - 9 * len(chips), b.y, chips) if chips else ""
        return f'<g class="dc-loss">{"".join(lines)}<g class="dc-pill">{pill}</g></g>'

    # Parts

    @staticmethod
    def _lines(lines: list[tuple[str, str]], b: Box, side: str, gap: float = 3) -> str:
        """Write lines of text inside a box, or at one of its sides; an empty one is the lock with its word."""
        high = [SIZES[kind] + 2 for kind, _ in lines]
        y = {"top": b.top - gap - sum(high), "bottom": b.bottom + gap}.get(side, b.y - sum(high) / 2)
        x = {"left": b.left - gap - 2, "right": b.right + gap + 2}.get(side, b.x)
        anchor = {"left": "end", "right": "start"}.get(side, "middle")
        parts = []
        for (kind, text), height in zip(lines, high, strict=True):
            middle = y + height / 2
            if text:
                parts.append(_text(x, middle, text, kind, anchor))
            else:
                start = x + {"start": 0, "end": -44}.get(anchor, -22)
                parts.append(_lock(start + 5, middle - 2) + _text(start + 14, middle, "fixed", "dc-s", "start"))
            y += height
        return "".join(parts)

    def _part_svg(self, key: str, words: bool) -> str:
        part, b = self.parts[key], self.boxes[key]
        kind = KINDS[part["kind"]]
        states = {"dc-trained": part.get("phases"), "dc-aside": part.get("aside")}
        names = " ".join(["dc-part", f"dc-{part['kind']}", *(name for name, on in states.items() if on)])
        behind = ""
        if part.get("conv"):
            behind = "".join(kind.draw(Box(b.x + s, b.y - s, b.w, b.h)) for s in (7, 3.5))
        shape = f'<g class="dc-shape">{behind}{kind.draw(b)}</g>'
        if not words:
            return f'<g class="{names}">{shape}</g>'
        lines = [("dc-t", part["label"])] if "label" in part else []
        lines += [("dc-s", line) for line in part.get("note", "").split("\n") if line]
        lines += [("dc-s", "")] if part.get("fixed") else []
        side = "inside" if kind.inside and "side" not in part else part.get("side", "bottom")
        # The blocks of a matrix leave its upper right corner free.
        corner = part["kind"] == "matrix" and side == "inside"
        text = self._lines(lines, Box(b.x + b.w / 5, b.y - b.h / 5, 0, 0) if corner else b, side)
        if part["kind"] == "gaussian":
            text += _text(b.x, b.y - b.h / 4, "$m$") + _text(b.x, b.y + b.h / 4, "$σ$")
        return f'<g class="{names}">{shape}{text}{self._part_chips(part, b, kind, side)}</g>'

    def _part_chips(self, part: dict[str, Any], b: Box, kind: Kind, side: str) -> str:
        if not (told := self._told(part)):
            return ""
        place = part.get("chips", "top" if side == "bottom" else "bottom")
        # A chip sits on the outline of a shape that has one, and beside the others.
        out = 0 if kind.inside else 10
        sloped = 0.75 if part["kind"] in ("encoder", "decoder") else 1
        across = b.w / 2 + out + (9 * (len(told) - 1) if out else 0)
        x = b.x + {"left": -across, "right": across}.get(place, 0)
        y = b.y + {"top": -1, "bottom": 1}.get(place, 0) * (sloped * b.h / 2 + out)
        return _chips(x, y, told)

    def _body(self, words: bool) -> str:
        return "".join(
            [
                *(self._loss_svg(loss, words) for loss in self.losses),
                *(self._arrow_svg(arrow, words) for arrow in self.arrows),
                *(self._part_svg(key, words) for key in self.parts),
            ]
        )

    def svg(self, identifier: str) -> str:
        """Write the picture; ``identifier`` is to be unique in its page."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {n(self.height)}" role="img" '
            f'aria-labelledby="{identifier}-title {identifier}-desc">'
            f'<title id="{identifier}-title">{escape(self.title)}</title>'
            f'<desc id="{identifier}-desc">{escape(self.alt)}</desc>{self._body(words=True)}</svg>'
        )

    def miniature(self) -> str:
        """Write the shapes alone, as an ornament."""
        return (
            f'<svg class="dc-mini" viewBox="0 0 {WIDTH} {n(self.height)}" aria-hidden="true" focusable="false">'
            f"{self._body(words=False)}</svg>"
        )

    def figure(self, identifier: str) -> str:
        """Write the picture, its phases and how to read it, as the open part of a ``figure``."""
        items = "".join(
            f'<li><span class="dc-number">{i}</span> <span>{html_text(text)}</span></li>'
            for i, text in enumerate(self.phases, 1)
        )
        phases = f'<ul class="dc-phases">{items}</ul>' if len(self.phases) > 1 else ""
        # A network alone needs no words on training.
        key = f"<summary>How to read the drawing</summary><p>{KEY}</p>"
        key = f'<details class="dc-drawing-key">{key}</details>' if self.losses else ""
        return f'<figure class="dc-drawing">{self.svg(identifier)}{phases}{key}'


@cache
def drawings() -> dict[str, Drawing]:
    """Read and check all drawings, by name."""
    try:
        found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ExtensionError(f"drawings.toml: {error}") from error
    return {name: Drawing(name, description) for name, description in found.items()}


class DrawingDirective(SphinxDirective):
    """Put the drawing of this name here."""

    required_arguments = 1
    option_spec: ClassVar = {"caption": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Write it."""
        name = self.arguments[0]
        self.env.note_dependency(str(FILE))
        if name not in drawings():
            raise ExtensionError(f"{self.env.docname}: drawing: expected one of {', '.join(drawings())}, got {name!r}")
        html = drawings()[name].figure(f"drawing-{name}-{self.env.new_serialno('drawing')}")
        if "caption" not in self.options:
            return [nodes.raw("", html + "</figure>", format="html")]
        inline, messages = self.parse_inline(self.options["caption"])
        return [
            nodes.raw("", html + "<figcaption>", format="html"),
            nodes.paragraph("", "", *inline),
            *messages,
            nodes.raw("", "</figcaption></figure>", format="html"),
        ]


def check(app: Sphinx) -> None:
    """Read all drawings anew, so that a wrong one fails the build even if no page shows it."""
    drawings.cache_clear()
    drawings()


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("builder-inited", check)
    app.add_directive("drawing", DrawingDirective)
    app.add_css_file("drawings.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
