"""The embedding player in a browser, on pages that it writes itself: no book, no kernel, no network."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from book_pages import DESKTOP, PHONE
from playwright.sync_api import Browser, Locator, Page

from dctutor import plots
from dctutor.snapshots import Snapshot

pytestmark = pytest.mark.slow

# Nine samples on a grid that shrinks to half its size; sample 4 stays in the middle.
GRID = np.array([(x, y) for y in (1.0, 0.0, -1.0) for x in (-1.0, 0.0, 1.0)])
NAMES = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis"]
IMAGES = np.random.default_rng(0).integers(256, size=(9, 5, 7)).astype(np.uint8)
SOFT = np.random.default_rng(1).dirichlet(np.ones(4), size=9)
GROUPS = np.arange(9)
LOOKING = {"label_names": NAMES, "images": IMAGES, "assignments": SOFT}


def shrinking(n: int = 5, end: float = 0.5, phase: str = "cluster") -> list[Snapshot]:
    sizes = np.linspace(1, end, n)
    return [Snapshot(phase, t, size * GRID, np.zeros((1, 2))) for t, size in enumerate(sizes)]


class Player(NamedTuple):
    page: Page
    canvas: Locator
    slider: Locator
    card: Locator

    def at(self, sample: int, size: float = 0.5, panel: int = 0) -> tuple[float, float]:
        """Where `sample` is drawn on the canvas: equal steps on both axes, the start fills the box."""
        box = self.canvas.nth(panel).bounding_box()
        left, right, top, bottom = 24, box["width"] - 2, 2, box["height"] - 24
        scale = min(right - left - 20, bottom - top - 20) / 2
        x, y = size * scale * GRID[sample]
        return (left + right) / 2 + x, (top + bottom) / 2 - y

    def grey(self, x: float, y: float, panel: int = 0) -> bool:
        """Whether a pixel is the page's ink, let through in part: the ghost."""
        ink = self.canvas.nth(panel).evaluate("canvas => getComputedStyle(canvas).color.match(/\\d+/g).map(Number)")
        *colour, alpha = self.pixel(x, y, panel)
        return 40 <= alpha <= 80 and np.abs(np.array(colour) - ink[:3]).max() <= 6

    def pixel(self, x: float, y: float, panel: int = 0) -> list[int]:
        return self.canvas.nth(panel).evaluate(
            """(canvas, [x, y]) => {
                const ratio = canvas.width / canvas.clientWidth;
                return [...canvas.getContext("2d").getImageData(x * ratio, y * ratio, 1, 1).data];
            }""",
            [x, y],
        )

    def assert_shows(self, sample: int) -> None:
        """Check the image, the class and the assignments in the card against what Python was given."""
        self.page.wait_for_function("() => document.querySelector('.dct-sample canvas')")
        drawn = self.card.locator("canvas").evaluate(
            "c => [c.width, c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        )
        assert drawn[:2] == [7, 5]
        assert np.array_equal(np.array(drawn[2:]).reshape(5, 7, 4)[..., 0], IMAGES[sample])
        assert self.card.locator("strong").inner_text() == f"class {NAMES[sample]}"
        order = np.argsort(-SOFT[sample])[:3]
        wanted = [f"cluster {k} {SOFT[sample, k]:.3f}" for k in order]
        assert [" ".join(text.split()) for text in self.card.locator("span").all_inner_texts()] == wanted
        widths = self.card.locator("i").evaluate_all("all => all.map(bar => parseFloat(bar.style.width))")
        assert widths == pytest.approx(100 * SOFT[sample, order], abs=0.051)
        said = self.page.locator(".dct-live[aria-live=polite]").inner_text()
        assert said.startswith(f"Sample {sample + 1} of 9, class {NAMES[sample]}, cluster {order[0]}: ")

    def assert_uncovered(self, sample: int, panel: int = 0) -> None:
        card, box = self.card.bounding_box(), self.canvas.nth(panel).bounding_box()
        x, y = self.at(sample, panel=panel)
        x, y = x + box["x"], y + box["y"]
        inside = card["x"] <= x <= card["x"] + card["width"] and card["y"] <= y <= card["y"] + card["height"]
        assert not inside
        assert card["x"] >= 0 and card["x"] + card["width"] <= self.page.viewport_size["width"]


@pytest.fixture
def open_player(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Player]]:
    """Write an animation and open it with the network off; any error and any request elsewhere fails the test."""
    contexts, errors = [], []

    def start(animation: plots.EmbeddingAnimation, **options: Any) -> Player:
        animation.save(tmp_path / "page.html")
        context = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
        context.set_default_timeout(120_000)
        context.set_offline(True)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else errors.append(r.url))
        page.goto((tmp_path / "page.html").as_uri())
        return Player(page, page.locator(".dct-panel canvas"), page.locator("input"), page.locator(".dct-sample"))

    yield start
    for context in contexts:
        context.close()
    assert errors == []


def test_it_rests_on_the_end_in_colour_over_the_grey_start(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking(), GROUPS, label_names=[""] * 9))
    for value in (None, "0", "2", "4"):
        if value is not None:
            player.slider.fill(value)
        size = 1 - 0.125 * int(value or 4)
        x, y = player.at(0, size=size)
        red, _, blue, alpha = player.pixel(x, y)
        assert blue > red + 60 and alpha > 150, "sample 0 is blue"
        assert player.grey(*player.at(2, size=1)) == (size < 1)
    assert player.pixel(*player.at(2, size=0.75))[3] == 0, "neither start nor end"
    assert player.page.locator(".dct-caption").inner_text().split("\n")[0].startswith("cluster, epoch 4")


def test_a_collapsed_run_is_a_dot_in_its_start(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking(end=0.001), GROUPS, label_names=NAMES))
    assert all(player.grey(*player.at(i, size=1)) for i in range(9) if i != 4)
    assert "spread 0.0001 %" in player.page.locator(".dct-caption").inner_text()


def test_the_axes_have_a_box_and_names(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking()))
    box = player.canvas.bounding_box()
    for x, y in [(24.5, box["height"] / 2), (box["width"] / 2, 2.5), (box["width"] / 2, box["height"] - 24.5)]:
        assert player.pixel(x, y)[3] > 100
    assert "Axes: Dimension 1 and Dimension 2" in player.canvas.get_attribute("aria-label")


def test_spread_and_accuracy_follow_the_slider(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking(), GROUPS % 2))
    for value, spread in [("0", "100 %"), ("2", "56 %"), ("4", "25 %")]:
        player.slider.fill(value)
        # One centre for all: the larger class, five of nine, is right.
        text = f"cluster, epoch {value}, spread {spread}, ACC 0.556"
        assert player.slider.get_attribute("aria-valuetext") == text
        assert ", ".join(player.page.locator(".dct-caption span").all_inner_texts()) == text


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_pointer_shows_a_sample_beside_its_point(open_player: Callable, size: dict) -> None:
    player = open_player(plots.embedding_animation(shrinking(), GROUPS, **LOOKING), viewport=size)
    assert player.card.is_hidden()
    for sample in range(9):
        x, y = player.at(sample)
        player.canvas.hover(position={"x": x + 3, "y": y - 3})
        player.assert_shows(sample)
        player.assert_uncovered(sample)
    player.canvas.hover(position={"x": 30, "y": 8})
    assert player.card.is_hidden() and player.page.locator(".dct-live").inner_text() == ""
    player.canvas.hover(position={"x": x, "y": y})
    player.page.keyboard.press("Escape")
    assert player.card.is_hidden()


def test_a_finger_shows_a_sample(open_player: Callable) -> None:
    animation = plots.embedding_animation(shrinking(), GROUPS, **LOOKING)
    player = open_player(animation, viewport=PHONE, has_touch=True, is_mobile=True)
    for sample in (4, 0, 8):
        x, y = player.at(sample)
        player.canvas.tap(position={"x": x + 4, "y": y})
        player.assert_shows(sample)
        player.assert_uncovered(sample)
    player.page.locator("h1").tap()
    assert player.card.is_hidden()
    player.page.locator(".dct-loop").tap()
    player.page.wait_for_function("() => document.querySelector('.dct-play').textContent === 'Pause'")


def test_arrow_keys_move_between_samples_and_escape_leaves(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking(), GROUPS, **LOOKING))
    player.page.keyboard.press("Tab")
    assert player.canvas.evaluate("canvas => canvas === document.activeElement")
    assert player.card.is_hidden()
    for key, sample in [
        *[("ArrowUp", 4), ("ArrowUp", 1), ("ArrowUp", 1), ("ArrowRight", 2), ("ArrowDown", 5), ("ArrowDown", 8)],
        *[("ArrowLeft", 7), ("Home", 0), ("End", 8)],
    ]:
        player.page.keyboard.press(key)
        player.assert_shows(sample)
        player.assert_uncovered(sample)
    player.page.keyboard.press("Escape")
    assert player.card.is_hidden()
    player.page.keyboard.press("ArrowLeft")
    player.page.keyboard.press("Tab")
    assert player.card.is_hidden() and player.page.locator(".dct-play").evaluate("b => b === document.activeElement")
    player.page.keyboard.press("Tab")
    player.page.keyboard.press("Home")
    assert player.slider.get_attribute("aria-valuetext").startswith("cluster, epoch 0")


def test_without_images_and_assignments_there_is_nothing_to_look_at(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking(), GROUPS, label_names=NAMES))
    x, y = player.at(4)
    player.canvas.hover(position={"x": x, "y": y})
    assert player.card.is_hidden() and player.canvas.get_attribute("tabindex") is None


def test_it_plays_once_in_view_but_not_with_reduced_motion(open_player: Callable) -> None:
    animation = plots.embedding_animation(shrinking(), GROUPS, seconds=2)
    moving = open_player(animation, reduced_motion="no-preference")
    for label in ("Pause", "Replay"):
        moving.page.wait_for_function(f"() => document.querySelector('.dct-play').textContent === '{label}'")
    assert moving.slider.input_value() == "4"
    still = open_player(animation)
    still.page.evaluate(
        """() => {
            window.values = new Set();
            setInterval(() => window.values.add(document.querySelector('input').value), 5);
        }"""
    )
    still.page.wait_for_timeout(1000)
    assert still.page.evaluate("() => [...window.values]") == ["4"]
    still.page.locator(".dct-play").click()
    still.page.wait_for_function("() => window.values.size === 5")


def test_it_loops_until_it_is_told_to_stop(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking(), GROUPS, seconds=0.5))
    loop = player.page.get_by_role("button", name="Loop")
    assert loop.get_attribute("aria-pressed") == "false"
    player.page.evaluate(
        """() => {
            window.returns = 0;
            let before = 0;
            const look = () => {
                const value = Number(document.querySelector('input').value);
                if (value < before) window.returns += 1;
                before = value;
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    loop.click()
    assert loop.get_attribute("aria-pressed") == "true"
    player.page.wait_for_function("() => window.returns >= 3")
    loop.click()
    assert loop.get_attribute("aria-pressed") == "false"
    player.page.wait_for_function("() => document.querySelector('.dct-play').textContent === 'Replay'")
    assert player.slider.input_value() == "4"


def test_printing_shows_the_end(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking(), GROUPS))
    player.slider.fill("1")
    player.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert player.slider.input_value() == "4"


PANELS = {"fast": shrinking(3, 0.25, "f"), "slow": shrinking(9, 0.5, "s"), "frozen": shrinking(1, 1, "z")}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_one_slider_moves_all_panels(open_player: Callable, size: dict) -> None:
    player = open_player(plots.embedding_animation(PANELS, GROUPS), viewport=size)
    assert player.page.locator(".dct-title").all_inner_texts() == list(PANELS)
    assert player.slider.count() == 1 and player.page.locator(".dct-play").count() == 1
    for value, frames, spreads in [
        ("8", ("f, epoch 2", "s, epoch 8", "z, epoch 0"), ("6.3", "25", "100")),
        ("4", ("f, epoch 1", "s, epoch 4", "z, epoch 0"), ("39", "56", "100")),
        ("0", ("f, epoch 0", "s, epoch 0", "z, epoch 0"), ("100", "100", "100")),
    ]:
        player.slider.fill(value)
        assert player.slider.get_attribute("aria-valuetext") == f"{int(value) * 100 // 8} % of the training"
        found = [caption.split("\n") for caption in player.page.locator(".dct-caption").all_inner_texts()]
        words = [re.sub(r"\s+", " ", " ".join(parts)) for parts in found]
        for text, frame, spread in zip(words, frames, spreads, strict=True):
            assert text.startswith(frame) and f"spread {spread} %" in text
    # Two panels beside each other, and the page does not scroll sideways.
    tops = player.canvas.evaluate_all("all => all.map(canvas => Math.round(canvas.getBoundingClientRect().top))")
    assert tops[0] == tops[1] and (tops[1] == tops[2]) == (size == DESKTOP)
    assert player.page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_a_sample_is_marked_in_every_panel(open_player: Callable) -> None:
    panels = {"left": shrinking(), "right": shrinking()}
    looking = {**LOOKING, "assignments": {"left": SOFT, "right": SOFT[:, ::-1]}}
    animation = plots.embedding_animation(panels, GROUPS, **looking)
    player = open_player(animation, viewport=PHONE, has_touch=True)

    def ring(panel: int) -> list[int]:
        x, y = player.at(8, panel=panel)
        return max(player.pixel(x + r * np.cos(a), y + r * np.sin(a), panel)[3] for r in (6, 7) for a in (0.8, 2, 4))

    assert ring(0) == ring(1) == 0
    x, y = player.at(8)
    player.canvas.nth(0).tap(position={"x": x, "y": y})
    player.assert_shows(8)
    assert ring(0) > 200 and ring(1) > 200
    player.canvas.nth(1).tap(position={"x": x, "y": y})
    assert player.card.locator("span").first.inner_text().split() == [
        *("cluster", str(np.argmax(SOFT[8, ::-1]))),
        f"{SOFT[8].max():.3f}",
    ]
    player.assert_uncovered(8, panel=1)


def test_several_players_share_a_page(open_player: Callable) -> None:
    one = plots.embedding_animation(shrinking(), GROUPS, **LOOKING)
    both = plots.EmbeddingAnimation(one.html + plots.embedding_animation(PANELS).html, 5, 9)
    player = open_player(both)
    player.slider.nth(0).fill("0")
    assert player.slider.nth(0).input_value() == "0" and player.slider.nth(1).input_value() == "8"
    assert player.page.locator(".dct-caption").first.inner_text().startswith("cluster, epoch 0")
    assert player.page.locator(".dct-caption").last.inner_text().startswith("z, epoch 0")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("panels", ["one", "several"])
def test_player_is_accessible(open_player: Callable, mode: str, size: dict, panels: str) -> None:
    shots: Any = shrinking() if panels == "one" else PANELS
    looking = LOOKING if panels == "one" else {**LOOKING, "assignments": None}
    player = open_player(plots.embedding_animation(shots, GROUPS, **looking), viewport=size, color_scheme=mode)
    for looking_at in (False, True):
        if looking_at:
            player.page.locator(".dct-note summary").click()
            player.page.locator(".dct-loop").click()
            player.canvas.nth(0).focus()
            player.page.keyboard.press("Home")
            assert player.card.is_visible()
        found = Axe().run(player.page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found] == []


def test_it_follows_the_page_from_light_to_dark(open_player: Callable) -> None:
    player = open_player(plots.embedding_animation(shrinking(), GROUPS))
    x, y = player.at(2, size=1)
    assert player.grey(x, y)
    player.page.emulate_media(color_scheme="dark")
    player.page.wait_for_function("() => document.querySelector('.dct-animation').hasAttribute('data-dark')")
    assert player.grey(x, y) and player.pixel(x, y)[0] > 200


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_takes_the_ground_that_it_lies_on(open_player: Callable, mode: str) -> None:
    # In the dark, a book may put outputs on a light card: what counts is the card, not the page's mode.
    one = plots.embedding_animation(shrinking(), GROUPS, **LOOKING)
    card = f'<div style="background: rgb(209, 216, 224); color: rgb(31, 35, 40)">{one.html}</div>'
    player = open_player(plots.EmbeddingAnimation(card, 5, 9), color_scheme=mode)
    player.canvas.focus()
    player.page.keyboard.press("Home")
    player.page.locator(".dct-loop").evaluate("button => button.setAttribute('aria-pressed', 'true')")
    style = "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
    assert player.card.evaluate(style) == ["rgb(31, 35, 40)", "rgb(209, 216, 224)"]
    assert player.page.locator(".dct-loop").evaluate(style) == ["rgb(209, 216, 224)", "rgb(31, 35, 40)"]
    assert player.grey(*player.at(2, size=1))
