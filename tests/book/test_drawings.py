"""The drawings of the methods, without a build of the book."""

import re
from xml.etree import ElementTree

import pytest
from book_pages import ROOT
from drawings import FILE, KINDS, Drawing, drawings, plain
from playwright.sync_api import Browser, Page
from sphinx.cmd.build import main as sphinx
from sphinx.errors import ExtensionError

import dctutor.methods

NAMES = sorted(drawings())
CSS = (ROOT / "book" / "_static" / "drawings.css").read_text(encoding="utf-8")
SIMPLE = {
    "title": "A sketch",
    "alt": "A sample goes through an encoder to a code, which a loss pulls towards a prior.",
    "rows": 6,
    "phases": ["first", "second"],
    "parts": {
        "x": {"kind": "data", "label": "$x$", "at": [1, 2]},
        "f": {"kind": "encoder", "label": "$f$", "at": [4, 2], "phases": [1, 2]},
        "z": {"kind": "code", "label": "$z_i$", "at": [7, 2], "side": "top"},
        "prior": {"kind": "prior", "at": [10, 4], "fixed": True},
    },
    "arrows": ["x > f > z"],
    "losses": [{"label": "$L$", "at": [7, 5], "phases": [2], "pulls": ["z"], "against": ["prior"]}],
}


def changed(path: str, value: object) -> dict:
    """Copy the simple description with the entry at a dotted path replaced, or removed if the value is None."""
    *way, last = path.split(".")

    def walk(found, rest):
        if not rest:
            if value is None:
                return {key: entry for key, entry in found.items() if key != last}
            return found | {last: value}
        if isinstance(found, list):
            return [walk(entry, rest[1:]) if str(i) == rest[0] else entry for i, entry in enumerate(found)]
        return found | {rest[0]: walk(found[rest[0]], rest[1:])}

    return walk(SIMPLE, way)


def test_every_method_has_a_drawing() -> None:
    assert set(dctutor.methods.__all__) <= set(NAMES)


def test_every_drawing_has_words_of_its_own() -> None:
    texts = [drawing.alt for drawing in drawings().values()]
    assert min(map(len, texts)) >= 40 and len(set(texts)) == len(texts)


@pytest.mark.parametrize("name", NAMES)
def test_picture_is_xml_that_says_what_it_shows(name: str) -> None:
    svg = ElementTree.fromstring(drawings()[name].svg("one"))
    title, desc = svg[0], svg[1]
    assert svg.get("role") == "img" and svg.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert (title.text, desc.text) == (drawings()[name].title, drawings()[name].alt)
    texts = ["".join(element.itertext()) for element in svg.iter() if element.tag.endswith("}text")]
    assert set(texts) >= {plain(loss["label"]) for loss in drawings()[name].losses}


def test_only_drawings_with_losses_are_explained() -> None:
    told = {name for name, drawing in drawings().items() if "How to read the drawing" in drawing.figure("one")}
    assert set(NAMES) - told == {"MLP", "CNN"}


@pytest.mark.parametrize("name", NAMES)
def test_what_trains_in_a_phase_has_its_number(name: str) -> None:
    drawing = drawings()[name]
    for entry in [*drawing.parts.values(), *drawing.losses]:
        assert set(entry.get("phases", [])) <= set(range(1, len(drawing.phases) + 1))
        assert not (entry.get("fixed") and entry.get("phases"))
    trained = {phase for part in drawing.parts.values() for phase in part.get("phases", [])}
    pulled = {phase for loss in drawing.losses for phase in loss.get("phases", [])}
    # A phase with a loss trains something, and nothing trains without a loss.
    assert len(drawing.phases) < 2 or trained == pulled


def test_miniature_has_shapes_and_no_words() -> None:
    for drawing in drawings().values():
        svg = ElementTree.fromstring(drawing.miniature())
        tags = {element.tag for element in svg.iter()}
        assert svg.get("aria-hidden") == "true" and "text" not in tags and not any(e.get("id") for e in svg.iter())
        assert len(drawing.miniature()) < 8000


def test_colours_are_the_themes() -> None:
    pictures = "".join(drawing.figure("one") + drawing.miniature() for drawing in drawings().values())
    assert not re.search(r"(fill|stroke|color)=|style=|#[0-9a-f]{3}|black|white", pictures)
    rules = re.sub(r"--dc-\w+: #[0-9a-f]{6};", "", CSS)
    assert not re.search(r"#[0-9a-f]{3}|black|white|rgb\(", rules)
    assert all("," in found for found in re.findall(r"var\(--pst[^)]*\)", CSS)), "a variable without a fallback"


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("theme", "ground"), [("light", "#ffffff"), ("dark", "#14181e")])
def test_accents_stand_out_from_the_page(theme: str, ground: str) -> None:
    block = re.search(rf'html\[data-theme="{theme}"\] {{(.*?)}}', CSS, re.S)
    assert block
    accents = re.findall(r"#[0-9a-f]{6}", block[1])
    assert len(accents) == 2
    for accent in accents:
        low, high = sorted((luminance(accent), luminance(ground)))
        assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    found = browser.new_page(viewport={"width": 390, "height": 800})
    # A wide font, and the margins of a page of the book on a phone.
    style = "<style>body{font-family:Verdana,'DejaVu Sans',sans-serif;margin:24px}"
    figures = "".join(drawing.figure(name) + "</figure>" for name, drawing in drawings().items())
    found.set_content(f'<html data-theme="light">{style}{CSS}</style><body>{figures}</body></html>')
    return found


BOXES = """name => {
    const svg = document.querySelector(`svg[aria-labelledby^="${name}-title "]`);
    const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
    const own = e => [...svg.querySelectorAll('.dc-part, .dc-arrow, .dc-loss')].findIndex(g => g.contains(e));
    const list = found => [...found].map(e => ({text: e.textContent, box: box(e), own: own(e)}));
    return {
        whole: box(svg),
        texts: list(svg.querySelectorAll('text')),
        marks: list(svg.querySelectorAll('.dc-chip circle, .dc-lock')),
        shapes: list(svg.querySelectorAll('.dc-shape, .dc-pill > rect')),
        small: [...svg.querySelectorAll('text, tspan')].map(e =>
            parseFloat(getComputedStyle(e).fontSize) * svg.getBoundingClientRect().width / 360),
        pills: [...svg.querySelectorAll('.dc-pill')].map(g => [box(g.querySelector('rect')), box(g)]),
    };
}"""


def overlap(a: list[float], b: list[float], slack: float = 1.0) -> bool:
    return min(a[2], b[2]) - max(a[0], b[0]) > slack and min(a[3], b[3]) - max(a[1], b[1]) > slack


def shrunk(entry: dict) -> dict:
    """Leave out the empty lines above and below the letters."""
    left, top, right, bottom = entry["box"]
    inset = 0.18 * (bottom - top)
    return entry | {"box": [left, top + inset, right, bottom - inset]}


@pytest.mark.parametrize("name", NAMES)
def test_words_are_apart_inside_and_large_enough(page: Page, name: str) -> None:
    found = page.evaluate(BOXES, name)
    left, top, right, bottom = found["whole"]
    texts = [shrunk(entry) for entry in found["texts"]]
    for entry in texts + found["marks"] + found["shapes"]:
        a = entry["box"]
        assert left <= a[0] and top <= a[1] and a[2] <= right and a[3] <= bottom, f"{entry} leaves the picture"
    for i, one in enumerate(texts):
        for other in texts[:i]:
            assert not overlap(one["box"], other["box"]), f"{one} and {other} overlap"
        for other in found["shapes"] + found["marks"]:
            if other["own"] != one["own"]:
                assert not overlap(one["box"], other["box"]), f"{one} lies on {other}"
    for mark in found["marks"]:
        for other in found["shapes"] + found["marks"]:
            if other["own"] != mark["own"]:
                assert not overlap(mark["box"], other["box"]), f"{mark} lies on {other}"
    for one in found["shapes"]:
        for other in found["shapes"]:
            if one["own"] < other["own"]:
                assert not overlap(one["box"], other["box"]), f"{one} lies on {other}"
    for pill, whole in found["pills"]:
        assert pill[0] <= whole[0] and whole[2] <= pill[2], "a loss's name leaves its pill"
    assert min(found["small"]) >= 11


@pytest.mark.parametrize("name", NAMES)
def test_lines_end_at_shapes_and_arrows_have_length(name: str) -> None:
    drawing = drawings()[name]
    for entry in [*drawing.arrows, *drawing.losses]:
        ends = [(entry["from"], entry["to"])] if "from" in entry else [(entry, to) for to in entry["pulls"]]
        for start, end in ends:
            a = start["box"] if isinstance(start, dict) else drawing.boxes[start]
            via = entry["via"].get(end, []) if isinstance(start, dict) else entry["via"]
            points = Drawing._route(a, drawing.boxes[end], via)
            (px, py), (x, y) = points[-2:]
            assert ((x - px) ** 2 + (y - py) ** 2) ** 0.5 >= 12, f"no room for the arrow to {end}"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("parts.z.kind", "cloud", "parts.z: kind: expected one of data, copy, .*, got 'cloud'"),
        ("parts.z.kind", None, "parts.z: expected 'kind', which is missing"),
        ("parts.z.colour", "red", "parts.z: expected only kind, .*, got 'colour'"),
        ("parts.z.at", [13, 2], r"parts.z: at: expected a place in 12 columns and 6 rows, got \[13, 2\]"),
        ("parts.z.at", [1], r"parts.z: at: expected \[column, row\], got \[1\]"),
        ("parts.z.side", "under", "parts.z: side: expected one of top, bottom, left, right, got 'under'"),
        ("parts.z.phases", [3], "parts.z: phases: expected one of 1, 2, got 3"),
        ("parts.z.size", [3, -1], r"parts.z: size: expected \[width, height\], both positive, got \[3, -1\]"),
        ("parts.z.fixed", "yes", "parts.z: fixed: got 'yes', which is of the wrong type"),
        ("parts.z", "code", "parts.z: expected a table, got 'code'"),
        ("arrows", ["x > y"], r"arrows\[0\]: to: expected one of x, f, z, prior, got 'y'"),
        ("arrows", ["x"], r"arrows\[0\]: expected 'part > part', got 'x'"),
        ("arrows", [{"from": "x"}], r"arrows\[0\]: expected 'to', which is missing"),
        ("arrows", [{"from": "x", "to": "z", "via": [1]}], r"arrows\[0\]: via: expected \[column, row\], got 1"),
        ("losses.0.pulls", ["w"], r"losses\[0\]: pulls: expected one of x, f, z, prior, got 'w'"),
        ("losses.0.via", {"x": [[1, 1]]}, r"losses\[0\]: via: expected one of z, prior, got 'x'"),
        ("losses.0.id", "x", r"losses\[0\]: id: expected a new name, got 'x', which another entry has"),
        ("losses.0.label", None, r"losses\[0\]: expected 'label', which is missing"),
        ("alt", None, "the drawing: expected 'alt', which is missing"),
        ("rows", "six", "the drawing: rows: got 'six', which is of the wrong type"),
    ],
)
def test_wrong_descriptions_are_named(path: str, value: object, said: str) -> None:
    Drawing("Sketch", SIMPLE)
    with pytest.raises(ExtensionError, match=rf"^drawings\.toml: Sketch: {said}$"):
        Drawing("Sketch", changed(path, value))


def test_lists_are_not_shared_with_the_description() -> None:
    assert Drawing("Sketch", SIMPLE).svg("a") == Drawing("Sketch", SIMPLE).svg("a")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_drawn(kind: str) -> None:
    svg = Drawing("Sketch", changed("parts.z.kind", kind)).svg("one")
    assert f"dc-part dc-{kind}" in svg and ElementTree.fromstring(svg) is not None


def test_labels_are_escaped() -> None:
    svg = Drawing("Sketch", changed("parts.x.label", "a < b & $<$")).svg("one")
    assert "".join(ElementTree.fromstring(svg).itertext()).count("a < b & <") == 1


def build(tmp_path, text: str) -> int:
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text('extensions = ["myst_parser", "drawings"]\n', encoding="utf-8")
    (source / "index.md").write_text(text, encoding="utf-8")
    return sphinx(["-Wq", str(source), str(tmp_path / "out")])


def test_page_shows_a_drawing_twice_with_ids_of_its_own(tmp_path) -> None:
    text = "# Page\n\n```{drawing} DEC\n```\n\n```{drawing} DEC\n:caption: In *two* phases.\n```\n"
    assert build(tmp_path, text) == 0
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r'id="(drawing-[^"]+)"', html)
    assert len(ids) == 4 == len(set(ids))
    assert re.search(r"<figcaption>\s*<p>In <em>two</em> phases.</p>\s*</figcaption></figure>", html)
    assert html.count("drawings.css") == 1


def test_unknown_drawing_fails_the_build(tmp_path, capsys) -> None:
    assert build(tmp_path, "# Page\n\n```{drawing} DECK\n```\n") != 0
    assert "index: drawing: expected one of AutoencoderKMeans, DEC, " in capsys.readouterr().err


def test_wrong_file_fails_the_build(tmp_path, capsys, monkeypatch) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace('kind = "matrix"', 'kind = "matrices"'), encoding="utf-8")
    monkeypatch.setattr("drawings.FILE", wrong)
    try:
        assert build(tmp_path, "# Page\n") != 0
        assert "drawings.toml: DSCNet: parts.c: kind: expected one of" in capsys.readouterr().err
    finally:
        drawings.cache_clear()
