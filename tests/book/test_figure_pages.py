"""Figures on a page: text and colours on a phone and in the dark, and enlarging. No book is built."""

import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pydata_sphinx_theme
import pytest
from axe_playwright_python.sync_playwright import Axe
from book_pages import DESKTOP, PHONE, ROOT
from playwright.sync_api import Browser, Page

from dctutor import plots
from dctutor.plots._page import figure_html

PAGE = """<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Figures</title><style>
html {{ --pst-color-background: #fff; --pst-color-text-base: #222832; --pst-color-primary: #0a7d91; }}
html[data-theme=dark] {{ --pst-color-background: #14181e; --pst-color-text-base: #ced6dd; }}
body {{ margin: 0 auto; padding: 0 27px; max-width: 746px; font-family: sans-serif;
  background: var(--pst-color-background); color: var(--pst-color-text-base); }}
{css}</style></head><body><main class="bd-content bd-article"><h1>Figures</h1>{figures}
<div class="cell_output"><img alt="A grey square." width="300" height="200" src="{png}"></div>
<div class="pst-scrollable-table-container" tabindex="0" style="overflow-x: auto"><table><tr>{cells}</tr></table></div>
</main><script>{js}</script></body></html>"""
THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static/styles/pydata-sphinx-theme.css"
PNG = "data:image/gif;base64,R0lGODlhAQABAIAAAICAgAAAACwAAAAAAQABAAACAkQBADs="


def figures() -> dict[str, plt.Figure]:
    """One figure of each function, and three that a chapter draws itself."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 10
    guess = np.where(rng.random(300) < 0.7, y, rng.integers(0, 10, 300))
    images, scores = rng.random((50, 16)), {"ACC": 0.5, "NMI": 0.43, "ARI": 0.31}
    losses = {"epoch": [0, 1, 2], "loss": [1.0, 0.1, 0.01], "a": [1.0, 2.0, 3.0], "b": [1, 1, 1], "c": [2, 2, 2]}
    drawn = {
        "embedding": plots.embedding(rng.normal(size=(300, 2)), y, centers=np.eye(2), title="codes").figure,
        "confusion": plots.confusion(np.tile(y, 30), np.tile(guess, 30)).figure,
        "silhouette": plots.silhouette(rng.uniform(-1, 1, 300), y).figure,
        "compare": plots.compare({"k-means on pixels": scores, "autoencoder + k-means": scores}).figure,
        "curves": plots.training_curves({"pretrain": losses, "cluster": losses}),
        "prototypes": plots.prototypes(images, image_shape=(1, 4, 4), titles=[f"{k}: 9{k} %" for k in range(10)]),
        "image_rows": plots.image_rows({"input": images[:10], "rebuilt": images[10:20]}, (1, 4, 4)),
    }
    with plots.style():
        drawn["wide"], ax = plt.subplots(figsize=(6.5, 4))
        ax.set(xlabel="guess for one of two clusters", ylabel="target")
        drawn["three"], axes = plt.subplots(1, 3, figsize=(7, 2.9))
        for ax in axes:
            plots.embedding(rng.normal(size=(99, 2)), ax=ax)
        drawn["titled"], axes = plt.subplots(2, 3, figsize=(8, 5))
        drawn["titled"].supxlabel("progress")
    return drawn


@pytest.fixture(scope="module")
def source() -> str:
    plt.switch_backend("Agg")
    pieces = [
        f'<div class="cell_output" id="{name}"><div class="output text_html">\n'
        f"{figure_html(figure, f'This is {name}.', ink='#1f2328')}</div></div>"
        for name, figure in figures().items()
    ]
    plt.close("all")
    static = ROOT / "book" / "_static"
    css, js = ((static / name).read_text(encoding="utf-8") for name in ("custom.css", "figures.js"))
    css = "".join(re.findall(r"[^{}]*cell_output[^{}]*\{[^{}]*\}", THEME.read_text(encoding="utf-8"))) + css
    cells = "".join(f"<td>a long cell {i}</td>" for i in range(40))
    return PAGE.format(css=css, js=js, figures="".join(pieces), png=PNG, cells=cells)


@pytest.fixture
def page(browser: Browser, source: str) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.set_content(source)
    yield page
    context.close()


# The size of a font, in pixels of the page: the figure's units times its scale.
SIZES = """all => Object.fromEntries(all.map(figure => [figure.id, [...figure.querySelectorAll('text')].map(text => {
    const to = text.getScreenCTM();
    return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(to.a, to.b);
})]))"""


def test_text_has_ten_pixels_on_a_phone(page: Page) -> None:
    sizes = page.eval_on_selector_all(".cell_output[id]", SIZES)
    assert len(sizes) == 10
    for name, found in sizes.items():
        assert found and min(found) >= 10 and max(found) < 20, (name, sorted(found))
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_panels_stand_beside_each_other_where_there_is_room(page: Page) -> None:
    lines = "f => new Set([...f.querySelectorAll('svg')].map(s => Math.round(s.getBoundingClientRect().top))).size"
    rows = {name: page.eval_on_selector(f"#{name}", lines) for name in ("curves", "prototypes", "three")}
    assert rows == {"curves": 2, "prototypes": 2, "three": 2}
    page.set_viewport_size(DESKTOP)
    assert {name: page.eval_on_selector(f"#{name}", lines) for name in rows} == dict.fromkeys(rows, 1)


@pytest.mark.parametrize(
    ("theme", "text", "ground"), [("light", (34, 40, 50), (255, 255, 255)), ("dark", (206, 214, 221), (20, 24, 30))]
)
def test_colours_follow_the_theme(page: Page, theme: str, text: tuple, ground: tuple) -> None:
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    fills = "all => [...new Set(all.map(drawn => getComputedStyle(drawn).fill))]"
    for name in ("wide", "confusion", "compare", "three"):
        assert page.eval_on_selector_all(f"#{name} text", fills) == [f"rgb{text}"]
    assert f"rgb{ground}" in page.eval_on_selector_all("#embedding path", fills)  # the frames of the names
    behind = page.eval_on_selector_all(
        ".text_html, .text_html *",
        "all => [...new Set(all.map(part => getComputedStyle(part).backgroundColor))]",
    )
    assert set(behind) == {"rgba(0, 0, 0, 0)", f"rgb{ground}"}  # the latter are the buttons
    assert Axe().run(page).violations_count == 0


IS_OPEN = "() => document.querySelector('dialog')?.open ?? false"


@pytest.mark.parametrize("way", ["mouse", "touch", "keyboard"])
@pytest.mark.parametrize("figure", ["#curves .dct-figure", ".cell_output > .dc-picture"])
def test_figures_are_enlarged(page: Page, figure: str, way: str) -> None:
    drawn = page.locator(f"{figure} > :is([role=img], img)")
    button = page.locator(f"{figure} > button")
    drawn.scroll_into_view_if_needed()
    before = drawn.bounding_box()
    if way == "keyboard":
        button.focus()
        page.keyboard.press("Enter")
    else:
        drawn.click() if way == "mouse" else drawn.tap()
    page.wait_for_function(IS_OPEN)
    enlarged = page.get_by_role("dialog").locator("[role=img], img")
    assert enlarged.bounding_box()["width"] >= 1.7 * before["width"]
    assert enlarged.get_attribute("aria-label") == drawn.get_attribute("aria-label")
    assert Axe().run(page).violations_count == 0
    if way == "touch":
        page.get_by_role("button", name="Close").tap()
    else:
        page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('dialog').open")
    assert button.evaluate("button => button === document.activeElement")


def test_a_table_shows_at_which_edge_it_goes_on(page: Page) -> None:
    table = page.locator(".pst-scrollable-table-container")
    page.wait_for_function("() => document.querySelector('.dc-goes-on-right:not(.dc-goes-on-left)')")
    table.evaluate("table => { table.scrollLeft = table.scrollWidth; }")
    page.wait_for_function("() => document.querySelector('.dc-goes-on-left:not(.dc-goes-on-right)')")
