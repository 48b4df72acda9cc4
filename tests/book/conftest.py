"""The built book, a server for it on this machine, and a browser that can reach nothing else."""

import functools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from book_pages import ROOT, Watch
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

sys.path.insert(0, str(ROOT / "book" / "_ext"))


@pytest.fixture(scope="session")
def html(make_once: Callable) -> Path:
    """Build the book as `make book` does; a warning fails the build."""

    def build(folder: Path) -> None:
        command = [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "--keep-going", ROOT]
        built = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        if built.returncode:
            (folder / "output").write_text(built.stdout, encoding="utf-8")

    failure = make_once("book", build) / "output"
    if failure.exists():
        output = failure.read_text(encoding="utf-8").splitlines()
        lines = [line for line in output if "WARNING" in line or "ERROR" in line] or output[-30:]
        pytest.fail("\n".join(["`make book` would fail:", *lines]), pytrace=False)
    return ROOT / "_build" / "html"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site(html: Path) -> Iterator[str]:
    """Address of the book on a server of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(html)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    found = os.environ.get("CHROME") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.fail(
            "The rendered pages are tested in Chromium, and there is none. Install it (Debian, Ubuntu: "
            "apt-get install chromium; macOS: brew install --cask google-chrome), or set CHROME to its program."
        )
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def open_context(browser: Browser, site: str, html: Path) -> Callable[..., tuple[BrowserContext, Watch]]:
    """Open a browser profile that reaches the book only, and notes what else its pages ask for."""
    allowed = (site, html.as_uri(), "data:", "blob:", "about:")

    def start(**options: object) -> tuple[BrowserContext, Watch]:
        context, watch = browser.new_context(**options), Watch()

        def gate(route: Route) -> None:
            if route.request.url.startswith(allowed):
                route.continue_()
            else:
                watch.requests_elsewhere.append(route.request.url)
                route.abort()

        def listen(page: Page) -> None:
            page.on("pageerror", lambda error: watch.errors.append(str(error)))
            page.on("console", lambda line: watch.errors.append(line.text) if line.type == "error" else None)

        context.set_default_timeout(120_000)  # a busy machine is slow, not broken
        context.route("**/*", gate)
        context.on("page", listen)
        return context, watch

    return start
