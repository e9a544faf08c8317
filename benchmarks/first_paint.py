"""From `streamlit run` to a page that can be used, in a real browser, against an empty Streamlit app.

    python -m benchmarks.first_paint                      a round a minute: four servers, each started afresh
    python -m benchmarks.first_paint --rounds 9 --rest 20

Every side has a server of its own that is started for it and a browser without a cache; the sides take turns. Python
has compiled its modules in a round before, which does not count, as it has wherever this is not the first start. A page
counts as usable when its script has finished, nothing on it is a placeholder or a spinner, and what it is for is there:
on Home the card of a run, on Interpolate the first path. What came along with the project is listed.

The last part leaves Home alone for `--rest` seconds and goes on to Interpolate then: what its reader has waited less,
because the server has fetched torch and the model meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.interact import chromium
from benchmarks.timing import report

ROOT = Path(__file__).resolve().parent.parent
RUN = "captions-two-phase"
EMPTY = "import streamlit as st\n\nst.title('Empty')\n"
PATH = ".strip .sentence"
USABLE = """([selector, words]) => {
  const find = (root) => {
    if (selector && root.querySelector(selector)?.textContent) return true;
    if (!selector && root.textContent.includes(words)) return true;
    return [...root.querySelectorAll("*")].some((element) => element.shadowRoot && find(element.shadowRoot));
  };
  return document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === "notRunning"
    && !document.querySelector('[data-testid="stSkeleton"], [data-testid="stSpinner"]')
    && find(document.body);
}"""
SIDES = {
    "empty app": ("empty", "", ["", "Empty"]),
    "Home": ("app", "", ["", RUN]),
    "Interpolate, first path": ("app", f"/interpolate?run={RUN}", [PATH, ""]),
}
"""Of each side: which script, what is asked for, and what is there when it is usable."""


@contextlib.contextmanager
def started(script: Path, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The address of a server that has just been started, and its process. It need not answer yet."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    flags = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    ours = {"BOTTLENECK_RUNS": str(folder), "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder.parent)}
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *flags],
        cwd=ROOT,
        env=os.environ | ours,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> None:
    """Wait until the server does."""
    for _ in range(6000):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health"):
            return
        time.sleep(0.01)
    raise SystemExit("The server did not come up in a minute.")


def usable(page: Page, shown: list[str]) -> None:
    """Wait until what a page is for is there."""
    page.wait_for_function(USABLE, arg=shown, polling=20)


def opened(browser: Browser) -> Page:
    """A page of a browser that has seen nothing yet."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    return page


def from_start(browser: Browser, scripts: dict[str, Path], folder: Path, side: str) -> tuple[float, float, float]:
    """Seconds from the start of the server until it answers, until the page is usable, and of a core by then."""
    script, query, shown = SIDES[side]
    page = opened(browser)
    begun = time.perf_counter()
    with started(scripts[script], folder) as (address, server):
        answers(address)
        up = time.perf_counter() - begun
        page.goto(address + query, wait_until="commit")
        usable(page, shown)
        whole = time.perf_counter() - begun
        spent = server.cpu_times()
        page.context.close()
    return up, whole, spent.user + spent.system


def after_home(browser: Browser, scripts: dict[str, Path], folder: Path, rest: float) -> tuple[float, float]:
    """Seconds from the click on Interpolate to its first path when Home was read for so long, and to the next path."""
    page = opened(browser)
    with started(scripts["app"], folder) as (address, _):
        answers(address)
        page.goto(address)
        usable(page, SIDES["Home"][2])
        page.wait_for_timeout(1000 * rest)
        begun = time.perf_counter()
        page.get_by_role("link", name="Interpolate").first.click()
        usable(page, [PATH, ""])
        first = time.perf_counter() - begun
        text = page.locator(PATH).first
        before = text.text_content()
        begun = time.perf_counter()
        page.get_by_role("button", name="Two random codes").click()
        while text.text_content() == before:
            time.sleep(0.005)
        then = time.perf_counter() - begun
        page.context.close()
    return first, then


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rest", type=float, default=15.0, help="seconds that Home is read")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch) / "runs"
        shutil.copytree(ROOT / "checkpoints", folder)
        scripts = {"empty": Path(scratch) / "empty.py", "app": ROOT / "streamlit_app.py"}
        scripts["empty"].write_text(EMPTY, encoding="utf-8")
        browser = chromium(playwright)
        up: dict[str, list[float]] = {side: [] for side in SIDES}
        whole: dict[str, list[float]] = {side: [] for side in SIDES}
        spent: dict[str, list[float]] = {side: [] for side in SIDES}
        later: dict[str, list[float]] = {"Interpolate at once": [], "Interpolate after Home": [], "the next path": []}
        for round_ in range(1 + options.rounds):  # the first finds files that the disk has not in memory
            for side in SIDES:
                taken = from_start(browser, scripts, folder, side)
                if round_:
                    up[side].append(taken[0])
                    whole[side].append(taken[1])
                    spent[side].append(taken[2])
            if round_:
                first, then = after_home(browser, scripts, folder, options.rest)
                later["Interpolate at once"].append(whole[side][-1] - up[side][-1])
                later["Interpolate after Home"].append(first)
                later["the next path"].append(then)
        browser.close()
    report("from `streamlit run` to a server that answers", up, "s", 1)
    report("from `streamlit run` to a page that can be used", whole, "s", 1)
    report("a core's time of the server until then", spent, "s", 1)
    report(f"the first path: on a server just started, and after {options.rest:g} s of Home", later, "s", 1)


if __name__ == "__main__":
    main()
