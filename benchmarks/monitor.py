"""What a refresh of the live monitor costs: with a short and a long history, among few runs and among many.

    python -m benchmarks.monitor [--events 100 10000 100000] [--runs 10 1000] [--seconds 20]

Before each refresh the run has one more event, as while it trains. In Python: the script that redraws the monitor,
under Streamlit's AppTest. In a browser: the app is served, the run trains as far as the page can tell, and there is one
redraw in two seconds. What is counted is processor time, of the app and of the page's main thread, because other work
on the machine disturbs it least. Every ratio is against the first line.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright
from streamlit.testing.v1 import AppTest

from benchmarks.interact import ROOT, chromium, served
from benchmarks.timing import record
from vae import recipes
from vae.runs import Run, append_line

LATENT = 32
CHECK_EVERY = 8
"""Training events for each check, as in the bundled runs."""
SENTENCE = "two women in yellow jackets are waiting for a bus in the rain ."
SCRIPT = """
import streamlit as st
from app import backend, state
from app.components.training_monitor import monitor
monitor("run", [], True, {"run": "#2F7FC1"})
"""


def events(number: int) -> tuple[str, str]:
    """The lines of metrics.jsonl and of samples.jsonl that belong to one event after another, from 0 on."""
    step, rng = 10 * number, random.Random(number)
    kl = 12 + 90 * math.exp(-number / 300) + rng.random()
    event = {"step": step, "phase": 2, "epoch": step / 313, "learning_rate": 1e-3, "kl_weight": 1.0}
    event |= {"rec_nats": 5 + rng.random(), "kl_nats": kl, "kl_charged_nats": kl + 1, "neg_elbo_nats": kl + 5.5}
    if number % CHECK_EVERY:
        return json.dumps(event | {"split": "train", "sentences_per_second": 600 + 50 * rng.random()}) + "\n", ""
    event |= {"split": "valid", "mi_nats": 6.1, "mi_ceiling_nats": 6.24, "active_units": LATENT, "sentences": 512}
    event |= {
        "delta_nll_nats": 20 + rng.random(),
        "kl_per_dim_nats": [kl / LATENT * rng.random() for _ in range(LATENT)],
    }
    pairs = [{"text": SENTENCE, "decoded": SENTENCE}] * 8
    written = {"step": step, "phase": 2, "reconstructions": pairs, "prior": [SENTENCE] * 8}
    return json.dumps(event) + "\n", json.dumps(written) + "\n"


def write_run(folder: Path, name: str, count: int, pid: int | None) -> Run:
    """A run with so many events, in training if there is a process that trains it."""
    run = Run.create(folder / name, recipes.get("two-phase"))
    with (
        run.metrics_path.open("w", encoding="utf-8") as metrics,
        run.samples_path.open("w", encoding="utf-8") as samples,
    ):
        for number in range(count):
            for file, line in zip((metrics, samples), events(number), strict=True):
                file.write(line)
    if pid is None:
        run.update_status(state="finished", step=10 * count, total_steps=10 * count)
    else:
        started = psutil.Process(pid).create_time()
        known = {"pid": pid, "process_started": started, "heartbeat": time.time() + 1e6}
        run.update_status(state="running", step=10 * count, total_steps=20 * count + 1000, eta_s=60.0, **known)
    return run


class Growing:
    """Adds events to a run."""

    def __init__(self, run: Run, count: int) -> None:
        self.run, self.count = run, count

    def grow(self) -> None:
        """One more event."""
        line, _ = events(self.count)
        append_line(self.run.metrics_path, json.loads(line))
        self.count += 1


def python_refresh(growing: Growing, repeats: int) -> tuple[float, list[float], int]:
    """Processor seconds of the first drawing, of every later one, and bytes that the curves are sent as."""
    at = AppTest.from_string(SCRIPT, default_timeout=300)
    begun = time.process_time()
    at.run()
    first, seconds = time.process_time() - begun, []
    for _ in range(repeats):
        growing.grow()
        begun = time.process_time()
        at.run()
        seconds.append(time.process_time() - begun)
    if at.exception:
        raise SystemExit(f"The monitor failed: {at.exception[0].message}")
    (drawn,) = (each for each in at.get("bidi_component") if "curves" in each.proto.component_name)
    return first, seconds, len(drawn.proto.json)


def browser_refresh(folder: Path, growing: Growing, seconds: float) -> tuple[float, float]:
    """Processor seconds of the app, and of the page's main thread, for each redraw."""
    with served(ROOT / "streamlit_app.py", folder) as address, sync_playwright() as playwright:
        browser = chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.goto(f"{address}/runs?run=run")
        page.locator(".curves .panel").first.wait_for(timeout=120_000)
        page.wait_for_timeout(4000)
        app = next(process for process in psutil.Process().children() if "streamlit" in " ".join(process.cmdline()))
        counters = page.context.new_cdp_session(page)
        counters.send("Performance.enable", {"timeDomain": "threadTicks"})

        def spent() -> tuple[float, float]:
            known = {each["name"]: each["value"] for each in counters.send("Performance.getMetrics")["metrics"]}
            times = app.cpu_times()
            return times.user + times.system, known["TaskDuration"]

        before, end = spent(), time.monotonic() + seconds
        while time.monotonic() < end:
            growing.grow()
            page.wait_for_timeout(1000)
        after = spent()
        browser.close()
    redraws = seconds / 2.0
    return (after[0] - before[0]) / redraws, (after[1] - before[1]) / redraws


def measure(title: str, cases: list[tuple[str, int, int]], options: argparse.Namespace, pid: int) -> None:
    """Each case is a name, how many events the run has, and how many runs there are in the folder."""
    print(f"\n{title}")
    header = f"  {'':<18}{'first':>9}{'refresh':>13}{'sent':>10}{'app':>14}{'page':>14}"
    print(header)
    base: tuple[float, ...] = ()
    before: dict[str, list[float]] = {}
    for name, count, others in cases:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            for number in range(others - 1):
                write_run(folder, f"other-{number}", 20, None)
            growing = Growing(write_run(folder, "run", count, pid), count)
            os.environ["BOTTLENECK_RUNS"] = place
            first, refreshes, size = python_refresh(growing, options.repeats)
            figures = [statistics.median(refreshes)]
            if options.seconds:
                figures += browser_refresh(folder, growing, options.seconds)
            base = base or tuple(figures)
            if before:
                record(title, f"refresh, {name}", refreshes, *next(iter(before.items())))
            before = before or {name: refreshes}
            ratios = [f"{1e3 * value:.0f} ms x{value / of:.2f}" for value, of in zip(figures, base, strict=True)]
            ratios += [""] * (3 - len(ratios))
            print(
                f"  {name:<18}{first:7.2f} s{ratios[0]:>13}{size / 1e3:7.0f} kB{ratios[1]:>14}{ratios[2]:>14}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 1000])
    parser.add_argument("--seconds", type=float, default=20.0, help="in the browser, each; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    trainer = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    try:
        lengths = [(f"{count:,} events", count, 1) for count in options.events]
        measure("The length of the history", lengths, options, trainer.pid)
        crowds = [(f"{count:,} runs", 1000, count) for count in options.runs]
        measure("The number of runs, with 1,000 events", crowds, options, trainer.pid)
    finally:
        trainer.kill()
        trainer.wait()


if __name__ == "__main__":
    main()
