"""Every page of the book, in a browser: phone and desktop, light and dark, and no network."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from book_pages import DESKTOP, PHONE, ROOT, Watch, settle
from bs4 import BeautifulSoup
from playwright.sync_api import Page

from dctutor.methods import taxonomy

pytestmark = pytest.mark.slow

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))


def _files(entry: object) -> Iterator[str]:
    if isinstance(entry, dict):
        yield from (entry[key] for key in ("root", "file") if key in entry)
        for value in entry.values():
            yield from _files(value)
    elif isinstance(entry, list):
        for value in entry:
            yield from _files(value)


SOURCES = list(_files(TOC))
NOTEBOOKS = [name for name in SOURCES if (ROOT / f"{name}.ipynb").exists()]
PAGES = [*SOURCES, "genindex", "py-modindex", "search"]


class Visit(NamedTuple):
    """A page that was opened at phone width, and what happened meanwhile."""

    name: str
    page: Page
    watch: Watch


@pytest.fixture(scope="module", params=PAGES)
def visit(request: pytest.FixtureRequest, open_context: Callable, site: str) -> Iterator[Visit]:
    context, watch = open_context(viewport=PHONE, color_scheme="light")
    page = context.new_page()
    response = page.goto(f"{site}/{request.param}.html", wait_until="load")
    assert response is not None and response.ok
    settle(page)
    yield Visit(request.param, page, watch)
    context.close()


def test_page_is_quiet_and_needs_no_network(visit: Visit) -> None:
    assert visit.watch.requests_elsewhere == []
    assert visit.watch.errors == []


def test_maths_is_rendered(visit: Visit) -> None:
    raw, broken, rendered = visit.page.evaluate(
        """() => {
            const maths = [...document.querySelectorAll('.math')];
            return [maths.filter(m => !m.querySelector('mjx-container')).map(m => m.textContent),
                    [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(m => m.outerHTML.slice(0, 200)),
                    document.querySelectorAll('mjx-container svg').length];
        }"""
    )
    assert raw == []
    assert broken == []
    if visit.name == "book/notation":
        assert rendered > 50


def test_page_fits_a_phone(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    too_wide = visit.page.evaluate(
        """() => {
            const framed = element => {
                for (let e = element.parentElement; e && e !== document.body; e = e.parentElement)
                    if (getComputedStyle(e).overflowX !== 'visible') return true;
                return false;
            };
            return document.documentElement.scrollWidth <= innerWidth ? [] :
                [...document.querySelectorAll('body *')]
                    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !framed(e))
                    .map(e => e.outerHTML.slice(0, 120));
        }"""
    )
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], too_wide


def test_code_fits_a_laptop(visit: Visit) -> None:
    visit.page.set_viewport_size(DESKTOP)
    cut = visit.page.evaluate(
        """() => [...document.querySelectorAll('.cell_input pre')]
            .filter(code => code.offsetParent && code.scrollWidth > code.clientWidth + 1)
            .map(code => code.innerText)"""
    )
    assert cut == []


def test_images_have_alternative_text(visit: Visit) -> None:
    alternatives = visit.page.eval_on_selector_all("article img", "all => all.map(i => [i.src.slice(0, 80), i.alt])")
    # Where a figure has no text, Sphinx puts its file name.
    assert [source for source, alt in alternatives if not alt.strip() or alt.endswith((".png", ".svg", ".jpg"))] == []
    figures = visit.page.eval_on_selector_all(
        "article .dct-figure", "all => all.map(f => f.querySelector(':scope > [role=img]')?.ariaLabel ?? '')"
    )
    assert all(map(str.strip, figures))


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_page_is_accessible(visit: Visit, mode: str, size: dict) -> None:
    if visit.page.viewport_size != size:
        visit.page.set_viewport_size(size)
        # The theme makes what now scrolls reachable by keyboard once the window has stopped changing.
        visit.page.wait_for_timeout(500)
    visit.page.evaluate("mode => { document.documentElement.dataset.theme = mode }", mode)
    # Colours fade from one mode to the other: half-way they are nobody's choice.
    visit.page.add_style_tag(content="*, *::before, *::after { transition: none !important }")
    options: dict = {"resultTypes": ["violations"], "preload": False}
    if mode == "dark":  # the two modes differ in their colours only
        options["runOnly"] = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    found = Axe().run(visit.page, options=options).response["violations"]
    serious = [
        (violation["id"], node["target"], node["failureSummary"])
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert serious == [], json.dumps(serious, indent=1)


def test_pages_say_what_they_are(html: Path) -> None:
    heads = [BeautifulSoup((html / f"{name}.html").read_text(encoding="utf-8"), "html.parser").head for name in SOURCES]
    described = [head.find("meta", {"name": "description"})["content"] for head in heads]
    assert all(described) and len(set(described)) == len(SOURCES)
    assert heads[0].title.text == "Deep clustering, by running it"


def test_links_inside_the_book_resolve(html: Path) -> None:
    pages = {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in html.rglob("*.html")}
    ids = {path: {tag["id"] for tag in soup.find_all(id=True)} for path, soup in pages.items()}
    broken = []
    for path, soup in pages.items():
        if path.is_relative_to(html / "_static"):
            continue
        for link in soup.find_all("a", href=True):
            address, fragment = urldefrag(urljoin(path.as_uri(), link["href"]))
            if not address.startswith("file:"):
                continue
            target = Path(unquote(urlparse(address).path))
            found = target.is_relative_to(html) and target.is_file()
            if found and target.suffix == ".html" and fragment not in ("", "top"):
                found = unquote(fragment) in ids[target]
            if not found:
                broken.append((path.name, link["href"]))
    assert broken == []


@pytest.mark.parametrize("served", [True, False], ids=["server", "folder"])
def test_maths_and_search_work_offline(open_context: Callable, site: str, html: Path, served: bool) -> None:
    base = site if served else html.as_uri()
    context, watch = open_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{base}/book/notation.html")
    settle(page)
    assert page.locator("mjx-container svg").count() > 50
    page.goto(f"{base}/search.html?q=autoencoder")
    page.locator("#search-results li a").first.wait_for()
    assert page.locator("#search-results li a").count() >= 3
    assert watch.requests_elsewhere == []
    context.close()


def test_colour_mode_follows_the_system_until_the_reader_chooses(open_context: Callable, site: str) -> None:
    context, _ = open_context(viewport=DESKTOP, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{site}/book/intro.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    switch = page.locator("button.theme-switch-button:visible").first
    for _ in range(3):
        switch.click()
        if page.evaluate("document.documentElement.dataset.mode") == "light":
            break
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    context.close()


def test_every_part_of_the_map_is_a_link_that_a_finger_can_hit(open_context: Callable, site: str) -> None:
    methods = list(taxonomy().values())
    context, _ = open_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{site}/book/taxonomy.html")
    nodes = page.eval_on_selector_all(
        ".dc-map a.dc-node",
        """all => all.map(a => {
            const box = a.getBoundingClientRect();
            const name = a.querySelector('.dc-name').textContent;
            return {name, href: a.getAttribute('href'), ready: a.classList.contains('dc-ready'),
                    left: box.left, right: box.right, height: box.height, tabs: a.tabIndex};
        })""",
    )
    assert [node["name"] for node in nodes] == [method.name for method in methods]
    for node, method in zip(nodes, methods, strict=True):
        assert node["ready"] == (method.chapter is not None)
        assert node["href"].startswith("../notebooks/" if node["ready"] else "bibliography.html#")
        assert node["tabs"] == 0 and node["height"] >= 24
        assert node["left"] >= 0 and node["right"] <= PHONE["width"]
    context.close()


def test_table_of_methods_scrolls_in_its_own_frame(open_context: Callable, site: str) -> None:
    context, _ = open_context(viewport=PHONE)
    page = context.new_page()
    page.goto(f"{site}/book/taxonomy.html")
    rows = page.eval_on_selector_all(
        ".dc-methods tbody tr:has(th[scope=row])",
        """all => all.map(row => ({
            href: row.querySelector('th a').getAttribute('href'),
            texts: [...row.cells].map(cell => cell.innerText.trim()),
        }))""",
    )
    for row, method in zip(rows, taxonomy().values(), strict=True):
        assert row["texts"][0].startswith(method.name) and str(method.year) in row["texts"][0]
        choices = [method.architecture, method.nonclustering, method.clustering, method.schedule, method.features]
        assert row["texts"][1:] == choices
        assert row["href"].startswith(f"../{method.chapter}" if method.chapter else "bibliography.html#")
    frame = page.locator(".dc-methods")
    frame.focus()
    assert frame.evaluate("frame => frame === document.activeElement"), "a keyboard can scroll it"
    frame.evaluate("frame => { frame.scrollLeft = frame.scrollWidth }")
    scrolled, name, last, wide = frame.evaluate(
        """frame => [frame.scrollLeft, frame.querySelector('th[scope=row]').getBoundingClientRect().left,
                     frame.querySelector('tbody td:last-child').getBoundingClientRect().right,
                     document.documentElement.scrollWidth]"""
    )
    assert scrolled > 100 and wide <= PHONE["width"]
    assert 0 <= name < 60, "the name of the method stays in sight"
    assert last <= PHONE["width"], "the last column can be reached"
    context.close()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_chapter_opens_in_colab_and_downloads(html: Path, name: str) -> None:
    path = html / f"{name}.html"
    links = [a["href"] for a in BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").find_all("a", href=True)]
    assert f"https://colab.research.google.com/github/dctutor/dctutor/blob/main/{name}.ipynb" in links
    downloads = [link for link in links if "_sources" in link and link.endswith(".ipynb")]
    assert downloads and all((path.parent / link).is_file() for link in downloads)


def test_both_chapters_are_in_the_book() -> None:
    assert {"notebooks/foundations/first_clustering", "notebooks/cdnn/dec"} <= set(NOTEBOOKS)


def test_reference_links_names_and_lists_parameters_once(html: Path) -> None:
    soup = BeautifulSoup((html / "book" / "api" / "methods.html").read_text(encoding="utf-8"), "html.parser")
    dec = soup.find("dt", id=lambda name: name and name.endswith(".DEC")).find_next_sibling("dd")
    names = [name for entry in dec.select("dl.field-list li > p > strong") for name in entry.text.split(", ")]
    assert {"nu", "n_clusters", "widths", "batch_size", "device"} <= set(names)
    assert len(names) == len(set(names)), names
    shared = next(entry for entry in dec.select("li") if "n_clusters" in entry.text)
    assert [link.text for link in shared.find_all("a")] == ["PretrainedClusterer"]
    # Many estimators have a `fit`: it is code, and leads nowhere.
    assert not [link for link in soup.select("article a") if link.text == "fit"]
