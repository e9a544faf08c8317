"""From a gesture to new text on the page, in a real browser, against the same gesture on an empty Streamlit page.

    python -m benchmarks.interact                    idle, and while a real run trains beside it
    python -m benchmarks.interact --points 50000     frames of a map of so many sentences, against one of 2,000

A gesture is timed in the page: from its event to the first frame in which the text has changed. On the empty page a
slider or a button changes one line of text through Streamlit's own round trip. `cached` gestures show what has been
decoded already; `fresh` ones decode new codes with the bundled model (a pin of the plane alone, so as to be exact).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import Browser, Page, Playwright, TimeoutError, sync_playwright

from benchmarks.timing import record
from vae import jobs, latents, projection, recipes, runs
from vae.runs import Run

ROOT = Path(__file__).resolve().parent.parent
RUN = "captions-two-phase"
EMPTY = """
import random
import streamlit as st
value = st.slider("value", 0, 1000, 0)
pressed = st.button("press")
st.markdown(f"{value} {random.random() if pressed else 0}")
"""
FIND = """
  const find = (root) => {
    const found = root.querySelector(selector);
    if (found) return found;
    for (const element of root.querySelectorAll("*")) {
      const inside = element.shadowRoot && find(element.shadowRoot);
      if (inside) return inside;
    }
    return null;
  };
"""
"""Script that finds an element, also inside of a component."""
WATCH = (
    """([kind, selector]) => {"""
    + FIND
    + """  const text = () => {
    if (!window.watched?.isConnected) window.watched = find(document);
    return window.watched?.textContent ?? "";
  };
  window.watched = null;
  window.latency = null;
  const before = text();
  window.addEventListener(kind, (event) => {
    const begun = event.timeStamp;
    const look = () => {
      const now = text();
      if (now && now !== before) window.latency = performance.now() - begun;
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, { capture: true, once: true });
}"""
)
FRAMES = """() => {
  window.frames_ = [];
  let last = performance.now();
  const tick = (now) => {
    if (!window.frames_) return;
    window.frames_.push(now - last);
    last = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}"""


def chromium(playwright: Playwright) -> Browser:
    """Chromium: the one that BOTTLENECK_BROWSER names, one on the PATH, or Playwright's own."""
    names = ("chromium", "google-chrome", "chrome", "msedge")
    path = os.environ.get("BOTTLENECK_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])


@contextlib.contextmanager
def served(script: Path, folder: Path, log: Path | None = None, program: str = "streamlit") -> Iterator[str]:
    """A Streamlit script on a free port; what it says goes to a log. A `program` takes the arguments of Streamlit's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    flags = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    with Path(log or os.devnull).open("wb") as words:
        app = subprocess.Popen(
            [sys.executable, "-m", program, "run", str(script), *flags],
            cwd=ROOT,
            env=os.environ | {"BOTTLENECK_RUNS": str(folder)},
            stdout=words,
            stderr=words,
        )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health"):
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        app.terminate()
        app.wait()


def settle(page: Page) -> None:
    page.wait_for_timeout(250)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(250)


def timed(page: Page, kind: str, selector: str, gesture: Callable[[], object], repeats: int) -> list[float]:
    """Seconds from each gesture to the frame that shows other text; the first does not count.

    A gesture that leads to the same text again, as two cells of one region do, has no end to be timed and is made anew.
    """
    found: list[float] = []
    for _ in range(4 * repeats):
        page.evaluate(WATCH, [kind, selector])
        gesture()
        with contextlib.suppress(TimeoutError):
            page.wait_for_function("window.latency !== null", timeout=4000)
            found.append(page.evaluate("window.latency") / 1000)
        settle(page)
        if len(found) > repeats:
            return found[1:]
    raise SystemExit(f"{selector} did not change under {kind}.")


def gestures(page: Page, empty: str, app: str, repeats: int) -> dict[str, list[float]]:
    """Every gesture and the two it is compared with."""
    found: dict[str, list[float]] = {}

    def key(locator: str) -> Callable[[], object]:
        thumb = page.locator(locator).first
        thumb.focus()
        return lambda: page.keyboard.press("ArrowRight")

    page.goto(empty)
    page.locator('[data-testid="stMarkdown"] p').wait_for()
    settle(page)
    line = '[data-testid="stMarkdown"] p'
    found["empty page: slider"] = timed(page, "keydown", line, key('[data-testid="stSlider"] input'), repeats)
    found["empty page: button"] = timed(page, "click", line, page.get_by_role("button", name="press").click, repeats)

    page.goto(f"{app}/interpolate?run={RUN}&walk_steps=41")
    page.locator(".strip .sentence").wait_for()
    settle(page)
    found["t slider (cached)"] = timed(page, "keydown", ".strip .t", key(".strip input[type=range]"), repeats)
    roll = page.get_by_role("button", name="Two random codes")
    found["two new codes (fresh)"] = timed(page, "click", ".strip .sentence", roll.click, repeats)

    page.goto(f"{app}/dimensions?run={RUN}")
    page.locator(".board .sentence").wait_for()
    settle(page)
    dial = page.locator(".board .dials input[type=range]").first
    dial.focus()
    turns = iter(["ArrowRight", "ArrowLeft"] * 4 * repeats)
    found["dimension slider (cached)"] = timed(
        page, "keydown", ".board .dials output", lambda: (dial.focus(), page.keyboard.press(next(turns))), repeats
    )
    chance = page.get_by_role("button", name="Random values")
    found["new values (fresh)"] = timed(page, "click", ".board .sentence", chance.click, repeats)

    page.goto(f"{app}/plane?run={RUN}")
    canvas = page.locator(".plane canvas")
    canvas.wait_for()
    settle(page)
    box = canvas.bounding_box()
    assert box is not None
    places = iter(np.random.default_rng(0).uniform(0.15, 0.85, (20 * repeats, 2)).tolist())

    def at() -> tuple[float, float]:
        x, y = next(places)
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    for _ in range(3):  # A, B, C: from here on a click moves C
        page.mouse.click(*at())
        settle(page)
    found["plane hover (cached)"] = timed(
        page, "pointermove", ".plane .card .text", lambda: page.mouse.move(*at()), repeats
    )
    found["plane click (fresh)"] = timed(
        page, "pointerup", ".st-key-plane_card_C", lambda: page.mouse.click(*at()), repeats
    )
    return found


BASELINE = {"slider": "empty page: slider", "button": "empty page: button"}
AGAINST = {
    "t slider (cached)": "slider",
    "dimension slider (cached)": "slider",
    "plane hover (cached)": "slider",
    "plane click (fresh)": "button",
    "two new codes (fresh)": "button",
    "new values (fresh)": "button",
}


def show(title: str, found: Mapping[str, list[float]], idle: Mapping[str, list[float]] | None = None) -> None:
    print(f"\n{title}")
    for name, seconds in found.items():
        median = statistics.median(seconds)
        words = f"  {name:<28} {1e3 * median:7.1f} ms   ({1e3 * min(seconds):.0f} to {1e3 * max(seconds):.0f})"
        if name in AGAINST:
            base = BASELINE[AGAINST[name]]
            words += f"   {median / statistics.median(found[base]):.2f} x {base}"
            record(title, name, seconds, base, found[base])
        if idle:
            record(title, name, seconds, f"{name}, idle", idle[name])
            words += f"   {median / statistics.median(idle[name]):.2f} x idle"
        print(words)


def frames(page: Page, app: str, run: str) -> list[float]:
    """Seconds of every frame while the map is moved to and fro, and read by hovering."""
    page.goto(f"{app}/map?run={run}&map_method=PCA")
    page.locator(".map canvas").wait_for()
    settle(page)
    page.wait_for_timeout(1500)
    box = page.locator(".map canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate(FRAMES)
    for _ in range(3):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 120, y + 60, steps=20)
        page.mouse.move(x, y, steps=20)
        page.mouse.up()
        page.mouse.move(x - 100, y - 80, steps=20)
    taken = page.evaluate("() => { const found = window.frames_; window.frames_ = null; return found; }")
    return [value / 1000 for value in taken[2:]]


def large(folder: Path, points: int) -> None:
    """A run whose map has so many sentences: those of the bundled one, again and again, each a little elsewhere."""
    run = Run(folder / "large")
    shutil.copytree(folder / RUN, run.path)
    known = pd.read_parquet(run.latents_path)
    frame = known.iloc[np.arange(points) % len(known)].reset_index(drop=True)
    codes = [name for name in frame if str(name).startswith("mu_")]
    frame[codes] += np.random.default_rng(0).normal(0, 0.3, (points, len(codes))).astype(np.float32)
    frame.to_parquet(run.latents_path, index=False)
    for path in run.projections_path.iterdir():
        path.unlink()
    latents.read_latents(run)
    projection.project(run, "pca")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--points", type=int, help="measure the frames of a map of so many sentences instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch) / "runs"
        folder.mkdir()
        shutil.copytree(ROOT / "checkpoints" / RUN, folder / RUN)
        shutil.copytree(runs.starter_path(), folder / "starter")
        script = Path(scratch) / "empty.py"
        script.write_text(EMPTY, encoding="utf-8")
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(60_000)
        with served(ROOT / "streamlit_app.py", folder) as app, served(script, folder) as empty:
            if options.points:
                large(folder, options.points)
                for name in (RUN, "large"):
                    taken = sorted(frames(page, app, name))
                    middle, slow = statistics.median(taken), taken[int(0.95 * len(taken))]
                    words = f"median {1e3 * middle:.1f} ms, 95 % within {1e3 * slow:.1f} ms"
                    print(f"{name:<20} {len(taken)} frames, {words}")
                return
            idle = gestures(page, empty, app, options.repeats)
            show("idle", idle)
            run = Run.create(folder / "busy", recipes.get("two-phase"))
            jobs.start(run)  # as the app starts it: a process of its own at low priority
            try:
                while run.status.step < 20:
                    time.sleep(0.5)
                    if jobs.reconcile(run).state not in runs.ACTIVE:
                        raise SystemExit(f"The run beside it did not train: {run.status.message}")
                show("while a run trains", gestures(page, empty, app, options.repeats), idle)
            finally:
                jobs.stop(run)
                while jobs.reconcile(run).state in runs.ACTIVE:
                    time.sleep(0.2)
        browser.close()


if __name__ == "__main__":
    main()
