"""Questions and marks of exercises, on a page of their own in a browser: mouse, finger, keyboard and screen reader."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from book_pages import DESKTOP, PHONE, ROOT, settle
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_parser", "sphinx_exercise", "offline", "questions"]
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath", "tasklist"]
html_theme = "sphinx_book_theme"
html_static_path = [{str(ROOT / "book" / "_static")!r}]
html_css_files = ["custom.css"]
language = "en"
"""
PAGE = """# Questions

:::{question} Where does $L_c$ push a code that lies midway between two centres?
:label: q-dec-torn

1. To the nearer centre, $\\mu_1$.
2. Nowhere, and `student_t` says so.
3. To the one whose cluster is larger.

<details><summary>Answers</summary>

1. Midway there is no nearer one: $q_1 = q_2$.
2. Right: the two pulls cancel, see [the other](#q-second).
3. The [size](https://example.org) is not in $q$.

   A second paragraph, with an equation:

   $$q_1 = q_2$$

</details>
:::

```{question} Which is larger?
:label: q-second

Look at this first:

$$a = b + 1$$

- a
- b

<details><summary>Answers</summary>

- Right. By one.
- It is smaller by one.

</details>
```

```{exercise} Another exponent
:label: ex-one
:class: easy

You should see: ACC between 0.3 and 0.4.
```

```{exercise} A longer title that has to share its line with a mark on a phone
:label: ex-two
:class: medium

Text.
```

```{exercise} Third
:label: ex-three
:class: hard

Text.
```

```{exercise} Fourth, without a mark
:label: ex-four

Text.
```
"""


def question(
    label: str = "q-a", choices: str = "1. a\n2. b", answers: str = "1. Right: a\n2. no", end: str = ""
) -> str:
    fold = f"<details><summary>Answers</summary>\n\n{answers}\n\n</details>"
    return f":::{{question}} Stem?\n:label: {label}\n\n{choices}\n\n{fold}\n{end}:::\n"


WRONG = {
    question("q-one", answers="1. no\n2. no"): 'q-one: expected one answer that begins with "Right:", got 0',
    question(
        "q-two", answers="1. Right: a\n2. Right: b"
    ): 'q-two: expected one answer that begins with "Right:", got 2',
    question(
        "q-three", answers="1. Right: a"
    ): "q-three: expected two or more choices, each with an answer, got 2 choices",
    question("q-four", choices="1. a", answers="1. Right: a"): "q-four: expected two or more choices",
    question("q-five", choices="no list"): "q-five: expected a list of choices",
    question("q-six", answers="no list"): "q-six: expected a list of answers",
    question("q-seven", answers="1. Right: a\n2."): "q-seven: expected a text for each choice and each answer",
    question("q-eight", end="more\n"): "q-eight: expected nothing but a list",
    question("q-nine", choices="1. a\n2. [b](https://example.org)"): "q-nine: expected choices without links",
    question("q-ninth", choices="1. a\n2. b\n\n   c"): "q-ninth: expected one paragraph per choice, got 2 blocks",
    question("twice"): 'expected a label such as "q-dec-torn", got "twice"',
    question("q-ten") + "\n" + question("q-ten"): "q-ten: the label is taken, in page11",
    ":::{question} Stem?\n:label: q-twelve\n\n1. a\n2. b\n:::\n": "q-twelve: expected the answers between <details>",
    ":::{question} Stem?\n\n1. a\n2. b\n:::\n": 'expected a label such as "q-dec-torn", got ""',
}


def build(folder: Path, pages: dict[str, str], *options: str) -> subprocess.CompletedProcess:
    folder.mkdir(exist_ok=True)
    (folder / "conf.py").write_text(CONF, encoding="utf-8")
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", *options, folder, folder / "out"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def address(make_once: Callable) -> str:
    def write(folder: Path) -> None:
        built = build(folder, {"index": PAGE}, "-W", "-b", "html")
        assert built.returncode == 0, built.stderr

    return (make_once("questions", write) / "out" / "index.html").as_uri()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open the page; whatever it asks for outside its folder fails the test."""
    contexts, elsewhere, errors = [], [], []

    def start(**options: object) -> Page:
        contexts.append(browser.new_context(**{"viewport": DESKTOP, **options}))
        contexts[-1].set_default_timeout(120_000)
        page = contexts[-1].new_page()
        page.on("request", lambda request: request.url.startswith("http") and elsewhere.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        settle(page)
        return page

    yield start
    for context in contexts:
        context.close()
    assert elsewhere == [] and errors == []


def shown(page: Page) -> list[str]:
    """First words of the reasons in sight."""
    texts = page.locator("#q-dec-torn .dc-reason").all()
    return [reason.inner_text().split(".")[0].split(":")[0] for reason in texts if reason.is_visible()]


def test_mouse_opens_one_reason_at_a_time_and_closes_it(open_page: Callable) -> None:
    page = open_page()
    choices = page.locator("#q-dec-torn summary")
    assert choices.count() == 3 and shown(page) == []
    choices.nth(0).click()
    assert shown(page) == ["Not this one"]
    choices.nth(1).click()
    assert shown(page) == ["Not this one", "Right"]
    choices.nth(0).click()
    assert shown(page) == ["Right"]
    marks = "all => all.map(s => getComputedStyle(s, '::before').content[1])"
    assert page.eval_on_selector_all("#q-dec-torn summary", marks) == ["○", "✓", "○"]
    choices.nth(2).click(position={"x": 5, "y": 5})
    assert page.eval_on_selector_all("#q-dec-torn summary", marks) == ["○", "✓", "✗"]
    assert page.locator("#q-second .dc-reason >> visible=true").count() == 0


def test_keyboard_reaches_each_choice_without_giving_it_away(open_page: Callable) -> None:
    page = open_page()
    page.locator("#q-dec-torn summary").nth(0).focus()
    page.keyboard.press("Tab")
    assert shown(page) == []
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Space")
    assert shown(page) == ["Right"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert shown(page) == ["Not this one", "Right"]


def test_finger_hits_a_choice(open_page: Callable) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    choices = page.locator("#q-dec-torn summary")
    assert min(choice.bounding_box()["height"] for choice in choices.all()) >= 44
    choices.nth(1).tap()
    assert shown(page) == ["Right"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_screen_reader_hears_question_and_verdict(open_page: Callable) -> None:
    page = open_page()
    group = page.get_by_role("group", name="Which is larger?")
    assert group.count() == 1
    status = group.get_by_role("status")
    assert status.text_content() == ""
    group.locator("summary").nth(1).click()
    page.wait_for_function("() => document.querySelector('#q-second .dc-said').textContent")
    assert status.text_content() == "Choice 2: not this one."
    assert page.locator("#q-dec-torn .dc-said").text_content() == ""
    group.locator("summary").nth(0).click()
    page.wait_for_function("() => document.querySelector('#q-second .dc-said').textContent.includes('1')")
    assert status.text_content() == "Choice 1: right."


def test_works_without_scripts_and_prints_the_choices_alone(
    open_page: Callable, browser: Browser, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.locator("#q-dec-torn summary").nth(1).click()
    assert page.locator("#q-dec-torn .dc-reason").nth(1).is_visible()
    context.close()
    page = open_page()
    page.locator("#q-dec-torn summary").nth(1).click()
    page.emulate_media(media="print")
    assert shown(page) == []
    assert page.locator("#q-dec-torn summary").nth(1).is_visible()
    assert page.locator("#q-dec-torn summary").nth(1).evaluate("s => getComputedStyle(s, '::before').content[1]") == "○"


def test_maths_code_and_links_are_set(open_page: Callable) -> None:
    page = open_page()
    assert page.locator("#q-dec-torn .dc-stem mjx-container").count() == 1
    assert page.locator("#q-dec-torn summary mjx-container").count() == 1
    assert page.locator("#q-dec-torn summary code").inner_text() == "student_t"
    links = page.eval_on_selector_all("#q-dec-torn .dc-reason a", "all => all.map(a => a.getAttribute('href'))")
    assert links == ["#q-second", "https://example.org"]
    assert page.locator("#q-second > .math mjx-container").count() == 1
    # Words, maths and code of a choice stay on one line.
    tops = page.locator("#q-dec-torn summary .dc-words").nth(0).evaluate("w => w.getClientRects().length")
    assert tops == 1


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_page_is_accessible(open_page: Callable, mode: str, size: dict) -> None:
    page = open_page(viewport=size, color_scheme=mode)
    page.evaluate("mode => { document.documentElement.dataset.theme = mode }", mode)
    page.add_style_tag(content="*, *::before, *::after { transition: none !important }")
    page.evaluate("document.querySelectorAll('.dc-question details').forEach(d => { d.open = true })")
    found = Axe().run(page, context="article", options={"resultTypes": ["violations"], "preload": False})
    assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found.response["violations"]] == []


def test_exercises_say_how_hard_they_are(open_page: Callable) -> None:
    page = open_page(viewport=PHONE)
    marks = page.eval_on_selector_all(
        ".exercise > .admonition-title", "all => all.map(t => getComputedStyle(t, '::after').content)"
    )
    # What a reader sees, and what is read out.
    assert marks[:3] == ['"●○○ easy" / "easy"', '"●●○ medium" / "medium"', '"●●● hard" / "hard"']
    assert "/" not in marks[3]  # the theme's icon
    # Beside the title, in letters: the theme's rules for its icon do not reach the mark.
    place = "t => { const s = getComputedStyle(t, '::after'); return [s.position, s.fontFamily, s.textTransform] }"
    title = page.locator(".exercise > .admonition-title").first
    family = title.evaluate("t => getComputedStyle(t).fontFamily")
    assert title.evaluate(place) == ["static", family, "none"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_mistakes_of_authors_fail_the_build(tmp_path: Path) -> None:
    pages = {f"page{i}": f"# Page\n\n{text}" for i, text in enumerate(WRONG)}
    listed = "\n".join(pages)
    pages["index"] = f"# Index\n\n```{{toctree}}\n{listed}\n```\n"
    built = build(tmp_path / "wrong", pages, "-b", "dummy")
    lines = built.stderr.splitlines()
    for name, message in zip(pages, WRONG.values(), strict=False):
        own = [line for line in lines if f"{name}.md" in line and "ERROR" in line]
        assert len(own) == 1 and message in own[0], (name, message, own or lines)
