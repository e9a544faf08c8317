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
from typing import Any

import psutil
import pytest

from vae import runs

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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of runs that the app is pointed to. What still trains there at the end is ended."""
    path = tmp_path / "runs"
    path.mkdir()
    monkeypatch.setenv("BOTTLENECK_RUNS", str(path))
    yield path
    for run in runs.list_runs(path):
        status = run.status
        if status.state in runs.ACTIVE and status.pid:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(status.pid)
                process.kill()
                process.wait(PATIENCE)


@pytest.fixture
def frame() -> Path:
    """The script that is served: the app, unless a test has a page of its own."""
    return FRAME


@pytest.fixture
def address(folder: Path, tmp_path: Path, frame: Path) -> Iterator[str]:
    """The app, served on a free port of this computer."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
    flags = [f"--{name}={value}" for name, value in options.items()]
    log = tmp_path / "app.log"
    with log.open("wb") as words:
        command = [sys.executable, "-m", "streamlit", "run", str(frame), *flags]
        app = subprocess.Popen(command, cwd=FRAME.parent, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", app, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        children = psutil.Process(app.pid).children(recursive=True) if app.poll() is None else []
        app.terminate()
        app.wait(PATIENCE)
        for child in children:  # a UMAP on its way
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


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

    def wait(page: Any) -> None:
        page.wait_for_timeout(300)
        page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        page.wait_for_timeout(300)

    return wait


@pytest.fixture(scope="session")
def turn_to() -> Callable[[Any, str, str], None]:
    """`turn_to(page, section, name)` chooses a page in the navigation."""

    def choose(page: Any, section: str, name: str) -> None:
        page.locator("header").get_by_role("button", name=section, exact=True).click()
        page.get_by_test_id("stTopNavDropdownLink").filter(has_text=name).click()

    return choose


def _wait_for(url: str, app: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and app.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    pytest.fail(f"The app did not start:\n{log.read_text('utf-8', errors='replace')[-2000:]}")
