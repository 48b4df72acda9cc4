"""What the tests of the book's pages share."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


@dataclass
class Watch:
    """What went on while pages were open."""

    requests_elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def settle(page: Page) -> None:
    """Wait until MathJax has set every equation."""
    page.wait_for_function("() => !window.MathJax || (MathJax.startup && MathJax.startup.promise)")
    page.evaluate("() => window.MathJax ? MathJax.startup.promise.then(() => null) : null")
