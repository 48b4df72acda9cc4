"""The playgrounds, on pages of their own: numbers, mouse, finger, keyboard, and no network."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import playground
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from book_pages import DESKTOP, PHONE, Watch
from playwright.sync_api import Browser, Locator, Page
from sphinx.cmd.build import build_main

from dctutor.architectures import StudentT
from dctutor.metrics import confusion_matrix, scores

pytestmark = pytest.mark.slow

CENTRES = np.array([[-2.4, -1.8], [2.4, -1.8], [0, 3]])


class Visit(NamedTuple):
    """An open page, and what happened on it."""

    page: Page
    watch: Watch


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Open a page of playgrounds from a folder, with the network off."""
    contexts, visits = [], []

    def start(*names: str, theme: str = "light", size: dict = DESKTOP, **options: object) -> Visit:
        path = tmp_path / "page.html"
        path.write_text(playground.standalone(*names, theme=theme), encoding="utf-8")
        context, watch = browser.new_context(viewport=size, offline=True, **options), Watch()
        context.set_default_timeout(60_000)  # a busy machine is slow, not broken
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: watch.errors.append(str(error)))
        page.on("console", lambda line: watch.errors.append(line.text))
        page.on("request", lambda request: watch.requests_elsewhere.append(request.url))
        page.goto(path.as_uri())
        visits.append(Visit(page, watch))
        return visits[-1]

    yield start
    for page, watch in visits:
        assert watch.errors == []
        assert [url for url in watch.requests_elsewhere if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    for context in contexts:
        context.close()


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def bars(page: Page, name: str) -> np.ndarray:
    """Read the numbers beside the bars of a playground."""
    texts = page.locator(f".dc-playground-{name} .dc-bars li > :last-child").all_inner_texts()
    return np.array([number(text) for text in texts])


def point(page: Page) -> Locator:
    return page.get_by_role("slider", name="Point z")


def place(handle: Locator) -> np.ndarray:
    """Read where a handle says it is."""
    found = re.fullmatch(r"x (\S+), y (\S+)", handle.get_attribute("aria-valuetext") or "")
    assert found
    return np.array([number(text) for text in found.groups()])


def middle(handle: Locator) -> tuple[float, float]:
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pixels_per_unit(page: Page) -> float:
    return page.locator(".dc-plane").evaluate("plane => plane.getBoundingClientRect().width") / 10


def told(page: Page, name: str) -> str:
    """Read what is told, once the hand has rested."""
    page.wait_for_timeout(600)
    return page.locator(f".dc-playground-{name} .dc-told").inner_text()


def guess_and_target(z: np.ndarray, centres: np.ndarray, nu: float, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    head = StudentT(3, 2, nu=nu).double()
    with torch.no_grad():
        head.centers.copy_(torch.tensor(centres))
        q = head.assign(torch.tensor(z)[None]).numpy()[0]
    p = q**2 / sizes
    return q, p / p.sum()


def assert_shows(page: Page, nu: float = 1, size: float = 1 / 3, centres: np.ndarray = CENTRES) -> None:
    sizes = np.array([size, (1 - size) / 2, (1 - size) / 2])
    q, p = guess_and_target(place(point(page)), centres, nu, sizes)
    shown = bars(page, "dec")
    np.testing.assert_allclose(shown[::2], q, atol=6e-4)
    np.testing.assert_allclose(shown[1::2], p, atol=6e-4)


def test_force_is_minus_the_numerical_gradient(visit: Callable) -> None:
    rng = np.random.default_rng(0)
    cases = [
        {
            "z": rng.normal(0, 2, 2).tolist(),
            "centres": rng.normal(0, 2, (3, 2)).tolist(),
            "nu": float(np.exp(rng.uniform(np.log(0.5), np.log(100)))),
            "sizes": rng.dirichlet(np.ones(3)).tolist(),
        }
        for _ in range(50)
    ]
    found = visit("dec").page.evaluate(
        """cases => cases.map(({z, centres, nu, sizes}) => {
            const q = dcPlaygrounds.dec.guess(z, centres, nu);
            return [q, dcPlaygrounds.dec.target(q, sizes), dcPlaygrounds.dec.force(z, centres, nu, sizes)];
        })""",
        cases,
    )
    for case, (q, p, force) in zip(cases, found, strict=True):
        z, centres, nu, sizes = (np.asarray(case[key]) for key in ("z", "centres", "nu", "sizes"))
        expected_q, expected_p = guess_and_target(z, centres, float(nu), sizes)
        np.testing.assert_allclose(q, expected_q, rtol=1e-9)
        np.testing.assert_allclose(p, expected_p, rtol=1e-9)

        def loss(z: np.ndarray, case: tuple = (expected_p, centres, float(nu), sizes)) -> float:
            target, centres, nu, sizes = case
            return float(np.sum(target * np.log(target / guess_and_target(z, centres, nu, sizes)[0])))

        step = 1e-5 * np.eye(2)
        gradient = [(loss(z + h) - loss(z - h)) / 2e-5 for h in step]
        np.testing.assert_allclose(force, -np.array(gradient), rtol=1e-5, atol=1e-8)


def test_mouse_drags_the_point_and_the_centres(visit: Callable) -> None:
    page, _ = visit("dec")
    assert_shows(page)
    before, (x, y), unit = place(point(page)), middle(point(page)), pixels_per_unit(page)
    page.mouse.move(x + 5, y + 4)  # not at its middle: it must not jump there
    page.mouse.down()
    page.mouse.move(x + 5 + 1.5 * unit, y + 4 - 2 * unit, steps=5)
    page.mouse.up()
    np.testing.assert_allclose(place(point(page)) - before, [1.5, 2], atol=0.03)
    assert_shows(page)
    page.mouse.move(x, y)
    np.testing.assert_allclose(place(point(page)) - before, [1.5, 2], atol=0.03)

    centre = page.get_by_role("slider", name="Centre 2")
    x, y = middle(centre)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 9000, y + unit, steps=3)  # out of the plane
    page.mouse.up()
    np.testing.assert_allclose(place(centre), [5, -2.8], atol=0.03)
    assert_shows(page, centres=np.array([CENTRES[0], place(centre), CENTRES[2]]))


def test_click_beside_the_points_moves_the_point(visit: Callable) -> None:
    page, _ = visit("dec")
    unit = pixels_per_unit(page)
    page.locator(".dc-plane").click(position={"x": 8 * unit, "y": 1.8 * unit})
    np.testing.assert_allclose(place(point(page)), [3, 2], atol=0.05)
    assert_shows(page)


def test_finger_drags_the_point_and_scrolls_elsewhere(visit: Callable) -> None:
    page, _ = visit("dec", size=PHONE, has_touch=True, is_mobile=True)
    before, (x, y), unit = place(point(page)), middle(point(page)), pixels_per_unit(page)
    touch = page.context.new_cdp_session(page)

    def drag(x: float, y: float, dx: float, dy: float) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for part in np.linspace(0.1, 1, 10):
            at = {"x": x + part * dx, "y": y + part * dy}
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    page.evaluate("document.body.style.paddingBottom = '2000px'")
    drag(x, y, unit, -2 * unit)
    np.testing.assert_allclose(place(point(page)) - before, [1, 2], atol=0.05)
    assert page.evaluate("scrollY") == 0
    assert_shows(page)
    rested = place(point(page))
    box = page.locator(".dc-plane").bounding_box()
    drag(box["x"] + 20, box["y"] + box["height"] - 20, 0, -150)
    page.wait_for_function("scrollY > 0")
    np.testing.assert_array_equal(place(point(page)), rested)
    page.wait_for_timeout(1000)  # the page glides on after the finger has left, and a tap then only stops it
    page.evaluate("scrollTo(0, 0)")
    page.touchscreen.tap(box["x"] + 6 * unit, box["y"] + 2.8 * unit)
    np.testing.assert_allclose(place(point(page)), [1, 1], atol=0.05)


def test_keyboard_reaches_everything_in_dec(visit: Callable) -> None:
    page, _ = visit("dec")
    names = ["Centre 1", "Centre 2", "Centre 3", "Point z", "ν", "Fraction", "Torn", "Far", "Big", "Reset"]
    for name in names:
        page.keyboard.press("Tab")
        found = page.evaluate(
            "document.activeElement.ariaLabel || document.activeElement.closest('label, button').innerText"
        )
        assert found.startswith(name)
    point(page).focus()
    before = place(point(page))
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        page.keyboard.press(key)
    np.testing.assert_allclose(place(point(page)) - before, [0.2, -0.9], atol=1e-9)
    assert_shows(page)
    page.get_by_label("degrees of freedom").press("End")
    assert_shows(page, nu=100)
    page.get_by_label("degrees of freedom").press("Home")
    assert_shows(page, nu=0.5)
    page.get_by_label("Fraction of samples").press("End")
    assert_shows(page, nu=0.5, size=0.96)
    page.get_by_role("button", name="Reset").press("Enter")
    np.testing.assert_array_equal(place(point(page)), before)
    assert_shows(page)


def test_stories_tell_what_is_to_be_seen(visit: Callable) -> None:
    page, _ = visit("dec")
    page.get_by_role("button", name="Torn evenly").click()
    np.testing.assert_array_equal(bars(page, "dec"), np.full(6, 0.333))
    assert "almost no force (0.000)" in told(page, "dec")

    page.get_by_role("button", name="Far from all").click()
    far = told(page, "dec")
    assert bars(page, "dec")[::2].max() < 0.6
    assert float(re.search(r"Force (\S+),", far)[1]) < 0.1
    page.get_by_label("degrees of freedom").press("End")
    assert bars(page, "dec")[::2].max() > 0.95

    page.get_by_role("button", name="Big cluster").click()
    shown = bars(page, "dec")
    assert shown[0] == shown[::2].max() > shown[1]
    assert_shows(page, size=0.8)
    assert "away from μ₁" in told(page, "dec")


def test_arrow_points_where_the_force_does(visit: Callable) -> None:
    page, _ = visit("dec")
    lines = page.locator(".dc-plane path").evaluate_all("all => all.map(path => path.getAttribute('d'))")
    x, y, to_x, to_y = map(float, re.match(r"M(\S+) (\S+)L([^ M]+) ([^ M]+)", lines[-1]).groups())
    z = place(point(page))
    force = page.evaluate("given => dcPlaygrounds.dec.force(...given)", [z.tolist(), CENTRES.tolist(), 1, [1, 1, 1]])
    np.testing.assert_allclose([x, -y], z)
    np.testing.assert_allclose([to_x - x, y - to_y], 5 * np.array(force))


def test_names_of_points_stay_in_the_frame(visit: Callable) -> None:
    page, _ = visit("dec", size=PHONE)
    for keys in (["ArrowUp", "ArrowRight"], ["ArrowDown", "ArrowLeft"]):
        cut = page.evaluate(
            """keys => {
                const frame = document.querySelector('.dc-plane').getBoundingClientRect();
                return [...document.querySelectorAll('.dc-handle')].filter(handle => {
                    for (const key of keys)
                        for (let i = 0; i < 11; i += 1)
                            handle.dispatchEvent(new KeyboardEvent('keydown', {key, shiftKey: true}));
                    const name = handle.querySelector('span').getBoundingClientRect();
                    return name.left < frame.left || name.right > frame.right
                        || name.top < frame.top || name.bottom > frame.bottom;
                }).map(handle => handle.ariaLabel);
            }""",
            keys,
        )
        assert cut == []
        assert np.abs(place(point(page))).tolist() == [5, 3.8]


def test_text_waits_until_the_hand_rests(visit: Callable) -> None:
    page, _ = visit("dec")
    page.evaluate(
        """() => {
            window.told = 0;
            new MutationObserver(() => { window.told += 1 })
                .observe(document.querySelector('.dc-told'), {childList: true, characterData: true, subtree: true});
            const point = document.querySelector('[aria-label="Point z"]');
            for (let i = 0; i < 20; i += 1)
                point.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
        }"""
    )
    assert "away from μ" in told(page, "dec") or "towards μ" in told(page, "dec")
    assert page.evaluate("told") == 1


def tables() -> list[np.ndarray]:
    """200 random tables: large and small counts, empty rows and columns, one cell, single samples."""
    rng = np.random.default_rng(1)
    drawn = []
    for i in range(190):
        counts = rng.integers(0, (2, 5, 60, 3000)[i % 4], (3, 3))
        if i % 3 == 1:
            counts[rng.integers(3)] = 0
        if i % 5 == 1:
            counts[:, rng.integers(3)] = 0
        counts[rng.integers(3), rng.integers(3)] += not counts.any()
        drawn.append(counts)
    ones = [np.eye(3, dtype=int) * n for n in (1, 2, 50)]
    single = [np.zeros((3, 3), dtype=int) for _ in range(3)]
    single[0][1, 2], single[1][0, 0] = 1, 9999
    single[2][0] = 7
    even = [np.full((3, 3), 4), np.array([[5, 0, 0], [5, 0, 0], [5, 0, 0]])]
    odd = [np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]]), np.full((3, 3), 9999)]
    return drawn + ones + single + even + odd


def expand(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, k = np.indices(counts.shape)
    return np.repeat(y.ravel(), counts.ravel()), np.repeat(k.ravel(), counts.ravel())


def test_scores_are_those_of_dctutor(visit: Callable) -> None:
    page, drawn = visit("metrics").page, tables()
    assert len(drawn) == 200
    found = page.evaluate(
        "tables => tables.map(t => dcPlaygrounds.metrics.scores(t))", [counts.tolist() for counts in drawn]
    )
    for counts, here in zip(drawn, found, strict=True):
        assert here == pytest.approx(scores(*expand(counts)), abs=1e-9), counts
    matched = page.evaluate(
        "tables => tables.map(t => dcPlaygrounds.metrics.matching(t))", [counts.tolist() for counts in drawn]
    )
    for counts, order in zip(drawn, matched, strict=True):
        confusion = confusion_matrix(*expand(counts))
        best = confusion.counts[confusion.matched, range(len(confusion.matched))].sum()
        assert counts[range(3), order].sum() == best
    assert page.evaluate("dcPlaygrounds.metrics.scores([[0, 0, 0], [0, 0, 0], [0, 0, 0]])") is None


def cells(page: Page) -> np.ndarray:
    return np.array(
        page.locator(".dc-playground-metrics td input").evaluate_all("all => all.map(i => Number(i.value))")
    ).reshape(3, 3)


def assert_scored(page: Page) -> None:
    expected = scores(*expand(cells(page)))
    np.testing.assert_allclose(bars(page, "metrics"), [expected[name] for name in ("acc", "nmi", "ari")], atol=6e-4)


def test_typing_changes_the_scores(visit: Callable) -> None:
    page, _ = visit("metrics", size=PHONE, has_touch=True)
    assert_scored(page)
    cell = page.get_by_label("class 2, cluster 1")
    cell.tap()
    page.keyboard.type("70")  # replaces what was there
    assert cells(page)[1, 0] == 70
    assert_scored(page)
    expected = scores(*expand(cells(page)))
    assert f"ACC {expected['acc']:.3f}, NMI {expected['nmi']:.3f}, ARI {expected['ari']:.3f}." in told(page, "metrics")
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    assert cells(page)[1, 0] == 0  # an empty cell
    assert_scored(page)
    framed = page.locator("input.dc-matched").evaluate_all("all => all.map(i => i.ariaLabel)")
    assert framed == [f"class {i}, cluster {i}" for i in (1, 2, 3)]
    assert page.locator("tfoot td").all_inner_texts() == ["40", "40", "25", "105"]


@pytest.mark.parametrize("typed", ["-3", "1.5", "10000", "1e", "-"])
def test_bad_number_is_named(visit: Callable, typed: str) -> None:
    page, _ = visit("metrics")
    page.get_by_label("class 3, cluster 2").focus()
    page.keyboard.type(typed)
    got = typed if typed[-1].isdigit() else "something else"
    assert told(page, "metrics") == f"class 3, cluster 2: expected a whole number from 0 to 9999, got {got}."
    assert page.get_by_label("class 3, cluster 2").get_attribute("aria-invalid") == "true"
    assert page.locator(".dc-bars li > :last-child").all_inner_texts() == ["\u2013"] * 3
    page.get_by_role("button", name="Split").click()
    assert "expected a whole number" in told(page, "metrics")
    page.get_by_role("button", name="Reset").click()
    assert_scored(page)
    assert page.locator("[aria-invalid=true]").count() == 0


def test_no_samples_have_no_scores(visit: Callable) -> None:
    page, _ = visit("metrics")
    for cell in page.locator("td input").all():
        cell.fill("0")
    assert told(page, "metrics") == "No samples: there is nothing to score."
    assert page.locator(".dc-bars li > :last-child").all_inner_texts() == ["\u2013"] * 3
    for name, text in (("Split", "nothing to split"), ("Merge", "no two clusters")):
        page.get_by_role("button", name=name).click()
        assert text in told(page, "metrics")
        assert not cells(page).any()


def test_buttons_do_what_they_say(visit: Callable) -> None:
    page, _ = visit("metrics")
    start = cells(page)
    before = scores(*expand(start))
    page.get_by_role("button", name="Merge").press("Enter")
    merged = np.column_stack([start[:, 0], start[:, 1] + start[:, 2], [0, 0, 0]])
    np.testing.assert_array_equal(cells(page), merged)
    assert_scored(page)
    after = scores(*expand(merged))
    said = told(page, "metrics")
    assert said.startswith("Cluster 3, the smallest, was merged into cluster 2: 25 samples. ")
    assert f"NMI {after['nmi']:.3f} (was {before['nmi']:.3f})" in said
    marks = page.locator(".dc-before:visible").evaluate_all("all => all.map(mark => parseFloat(mark.style.left))")
    np.testing.assert_allclose(marks, [100 * before[name] for name in ("acc", "nmi", "ari")], atol=0.01)

    page.get_by_role("button", name="Split").press("Space")
    halves = merged[:, 1] // 2
    np.testing.assert_array_equal(cells(page), np.column_stack([merged[:, 0], merged[:, 1] - halves, halves]))
    assert_scored(page)
    assert f"which was empty: {halves.sum()} samples" in told(page, "metrics")

    page.get_by_role("button", name="Rare class").click()
    assert_scored(page)
    assert bars(page, "metrics").min() > 0.9
    assert (cells(page)[2] > 0).tolist() == [False, True, False]
    page.get_by_role("button", name="Reset").click()
    np.testing.assert_array_equal(cells(page), start)
    page.get_by_label("class 1, cluster 1").fill("9999")
    page.get_by_label("class 1, cluster 2").fill("9999")
    page.get_by_label("class 1, cluster 3").fill("9999")
    page.get_by_role("button", name="Merge").click()
    assert "more than 9999" in told(page, "metrics")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_playgrounds_are_accessible(visit: Callable, theme: str, size: dict) -> None:
    page, _ = visit(*playground.names(), theme=theme, size=size)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(v["id"], [node["html"] for node in v["nodes"]]) for v in found] == []
    small = page.locator(".dc-playground :is(button, input, [role=slider])").evaluate_all(
        "all => all.map(e => [e.outerHTML, e.getBoundingClientRect()]).filter(([, b]) => b.height < 36 || b.width < 36)"
    )
    assert small == []


@pytest.mark.parametrize("name", playground.names())
def test_page_without_scripts_and_paper_say_what_was_there(visit: Callable, name: str) -> None:
    page, _ = visit(name, java_script_enabled=False)
    assert page.locator("noscript").inner_text().startswith("This playground needs JavaScript.")
    assert page.get_by_role("button").count() == 0
    page, _ = visit(name)
    page.emulate_media(media="print")
    assert page.locator("button:visible, input[type=range]:visible").count() == 0
    assert page.locator(".dc-bars:visible").count() == 1
    assert not page.locator("noscript").is_visible()


def test_copies_on_one_page_are_independent(visit: Callable) -> None:
    page, _ = visit("dec", "metrics", "dec")
    first, second = (page.locator(".dc-playground-dec").nth(i) for i in (0, 1))
    page.get_by_role("button", name="Torn evenly").nth(1).click()
    assert place(second.get_by_role("slider", name="Point z")).tolist() == [0, 0]
    assert place(first.get_by_role("slider", name="Point z")).tolist() != [0, 0]


def test_directive_puts_shared_parts_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text("extensions = ['myst_parser', 'playground']\n", encoding="utf-8")
    text = "# Page\n\n{}\n\n```{{playground}} metrics\n```\n"
    (source / "index.md").write_text(text.format("```{playground} dec\n```"), encoding="utf-8")
    (source / "other.md").write_text(text.format("") + "\n```{playground} chess\n```\n", encoding="utf-8")
    (source / "plain.md").write_text("# Page\n\nText\n", encoding="utf-8")
    warnings = tmp_path / "warnings"
    build_main(["-q", "-w", str(warnings), str(source), str(tmp_path / "html")])
    assert "playground: name: expected one of dec, metrics, got 'chess'" in warnings.read_text(encoding="utf-8")
    pages = {
        name: (tmp_path / "html" / f"{name}.html").read_text(encoding="utf-8") for name in ("index", "other", "plain")
    }
    counts = {name: page.count("window.dcPlaygrounds = ") for name, page in pages.items()}
    assert counts == {"index": 1, "other": 1, "plain": 0}
    assert "data-playground" not in pages["plain"]
