"""A real browser on a real app. Without a browser these tests are skipped, with the reason; where CI=true they fail."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

FRAME = Path(__file__).resolve().parents[2] / "streamlit_app.py"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
CI = os.environ.get("CI") == "true"
PATIENCE = 60
"""Seconds for anything that should happen at once, on a machine that does other things as well."""


def find_browser(own: str) -> str | None:
    """Chromium: the one that BOTTLENECK_BROWSER names, one on the PATH, or Playwright's own."""
    named = os.environ.get("BOTTLENECK_BROWSER")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None) or own
    return found if Path(found).exists() else None


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    if not CI:
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = find_browser(playwright.chromium.executable_path)
        if path is None:
            reason = f"No browser: install one of {', '.join(BROWSERS)}, or name one in BOTTLENECK_BROWSER."
            (pytest.fail if CI else pytest.skip)(reason)
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        launched = playwright.chromium.launch(executable_path=path, args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app that all tests share looks for runs."""
    return tmp_path_factory.mktemp("app") / "runs"


@pytest.fixture
def folder(runs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of runs that the app is pointed to, empty."""
    runs_folder.mkdir()
    monkeypatch.setenv("BOTTLENECK_RUNS", str(runs_folder))
    yield runs_folder
    runs_folder.rename(runs_folder.with_name(f"runs-{time.time_ns()}"))  # whoever is late finds nothing to write to


@pytest.fixture
def frame() -> Path:
    """The script that is served: the app, unless a test has a page of its own."""
    return FRAME


@pytest.fixture(scope="session")
def app(runs_folder: Path) -> Iterator[Served]:
    """The app, served for all tests: it imports torch and opens a model once."""
    with served(FRAME, runs_folder) as app:
        yield app


@pytest.fixture
def address(request: pytest.FixtureRequest, folder: Path, frame: Path) -> Iterator[str]:
    """Where the app is served, or the page of a test's own."""
    with contextlib.ExitStack() as stack:
        app = request.getfixturevalue("app") if frame == FRAME else stack.enter_context(served(frame, folder))
        yield app.address
        for child in app.process.children(recursive=True):  # a training, a UMAP on its way
            _end(child)


class Served(NamedTuple):
    """Where an app is served, and by whom."""

    address: str
    process: psutil.Popen


@contextlib.contextmanager
def served(frame: Path, folder: Path) -> Iterator[Served]:
    """Serve a script on a free port of this computer; it looks for runs in `folder`."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
    flags = [f"--{name}={value}" for name, value in options.items()]
    environment = os.environ | {"BOTTLENECK_RUNS": str(folder)}
    log = folder.with_name(f"app-{port}.log")
    with log.open("wb") as words:
        command = [sys.executable, "-m", "streamlit", "run", str(frame), *flags]
        streams = {"stdin": subprocess.DEVNULL, "stdout": words, "stderr": words}
        app = psutil.Popen(command, cwd=FRAME.parent, env=environment, **streams)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", app, log)
        yield Served(f"http://127.0.0.1:{port}", app)
    finally:
        app.terminate()
        app.wait(PATIENCE)


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page of a fresh visitor. An error in its own code fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(1000 * PATIENCE)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert not errors


@pytest.fixture(scope="session")
def settled() -> Callable[[Any], None]:
    """`settled(page)` waits until the app has answered what was just done, and nothing moves any more."""
    return lambda page: page.evaluate(SETTLED, 1000 * PATIENCE)


SETTLED = """async (patience) => {
  const begun = performance.now();
  for (let since = begun; performance.now() - since < 350; await new Promise((wake) => setTimeout(wake, 25))) {
    const app = document.querySelector('[data-testid="stApp"]');
    if (app?.dataset.testScriptState !== "notRunning") since = performance.now();
    if (since - begun > patience) throw new Error(`The app is ${app?.dataset.testScriptState}.`);
  }
}"""
"""For a third of a second no script has run."""


@pytest.fixture(scope="session")
def turn_to() -> Callable[[Any, str, str], None]:
    """`turn_to(page, section, name)` chooses a page in the navigation."""

    def choose(page: Any, section: str, name: str) -> None:
        page.locator("header").get_by_role("button", name=section, exact=True).click()
        page.get_by_test_id("stTopNavDropdownLink").filter(has_text=name).click()

    return choose


def _end(process: psutil.Process) -> None:
    """Kill a process that an app has started; it does nothing more, though the app may not have noticed its end."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.02)


def _wait_for(url: str, app: psutil.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and app.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    pytest.fail(f"The app did not start:\n{log.read_text('utf-8', errors='replace')[-2000:]}")
