"""The curves of training in a browser: one cursor, one zoom, what is measured anew, and what can be taken along."""

from __future__ import annotations

import csv
import re
import shutil
import sys
import time
from pathlib import Path

import psutil
import pytest

from app.glossary import METRICS
from vae.runs import Run, append_line

ROOT = Path(__file__).resolve().parents[2]
PLACES = "panels => panels.map((panel) => [panel.offsetLeft, panel.offsetTop, panel.offsetWidth, panel.offsetHeight])"
RUN, OTHER = "captions-two-phase", "captions-plain-vae"


@pytest.fixture
def bundled(folder: Path) -> Run:
    """Two bundled runs, without what only other pages need."""
    for name in (RUN, OTHER):
        shutil.copytree(ROOT / "checkpoints" / name, folder / name, ignore=shutil.ignore_patterns("reports", "proj*"))
    return Run(folder / RUN)


@pytest.fixture
def trainer():
    """A process that could be a trainer."""
    process = psutil.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def panel(page, title):
    return page.locator(".panel").filter(has=page.locator("h2", has_text=re.compile(rf"· {re.escape(title)}$")))


def value(page, title):
    return panel(page, title).locator(".value").first.text_content()


def open_runs(page, address, settled, query=""):
    page.goto(f"{address}/runs?run={RUN}{query}")
    page.locator(".curves .panel").first.wait_for()
    settled(page)


def spot(page, title, share):
    """A place over a panel, at a share of its width."""
    canvas = panel(page, title).locator("canvas.over")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    return box["x"] + share * box["width"], box["y"] + 0.5 * box["height"]


def until(what, patience=20.0):
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def picture(locator):
    """What is drawn, once it has come to rest."""
    shots = [b"", locator.screenshot()]

    def still():
        shots.append(locator.screenshot())
        return shots[-1] == shots[-2] == shots[-3]

    until(still)
    return shots[-1]


def address_of(page):
    return page.evaluate("location.href")


def test_one_cursor_reads_every_curve_and_a_step_is_read_in_sentences(page, address, bundled, settled):
    checks = {event["step"]: event for event in bundled.metrics() if event["split"] == "valid"}
    open_runs(page, address, settled)
    newest = checks[max(checks)]
    assert value(page, "KL") == METRICS["kl_nats"].show(newest["kl_nats"])
    page.mouse.move(*spot(page, "KL", 0.5))
    readout = page.locator(".readout")
    step = int(re.search(r"Step ([\d,]+)", readout.text_content()).group(1).replace(",", ""))
    assert step in checks  # a measurement, not a pixel
    for name in ("kl_nats", "mi_nats", "delta_nll_nats", "rec_nats", "neg_elbo_nats", "active_units"):
        assert value(page, METRICS[name].symbol) == METRICS[name].show(checks[step][name])
    page.mouse.move(5, 5)
    assert value(page, "KL") == METRICS["kl_nats"].show(newest["kl_nats"])

    panel(page, "KL").locator("canvas.over").focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    third = sorted(checks)[2]
    assert readout.text_content().startswith(f"Step {third:,}")
    assert value(page, "rec") == METRICS["rec_nats"].show(checks[third]["rec_nats"])
    assert f"Step {third:,}" in page.locator(".curves .live").text_content()
    page.keyboard.press("Enter")
    slider = page.locator('[data-testid="stSlider"]')
    until(lambda: f"\n{third:,}\n" in slider.inner_text())
    link = page.get_by_role("link", name="Interpolate with the nearest weights, of step 0").first
    link.wait_for()
    assert "walk_snapshot=0" in link.get_attribute("href")


def test_zoom_and_looks_are_in_the_address_and_survive_what_comes_in(page, address, bundled, settled, trainer):
    started = trainer.create_time()
    bundled.update_status(state="running", pid=trainer.pid, process_started=started, heartbeat=time.time())
    open_runs(page, address, settled, f"&runs_compare={OTHER}")
    assert page.locator(".legend button").all_text_contents() == [f"A{RUN}", f"B{OTHER}"]
    page.get_by_text(re.compile(r"GB of memory")).first.wait_for()
    sections = page.locator(".panel")
    sections.evaluate_all("panels => panels.forEach((panel, index) => (panel.known = index))")
    start, end = spot(page, "MI", 0.3), spot(page, "MI", 0.6)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    until(lambda: "runs_range=" in address_of(page))
    page.locator("[data-do=log]").click()
    until(lambda: "runs_log=" in address_of(page))
    seen = address_of(page)
    page.mouse.move(*spot(page, "KL", 0.5))
    places = sections.evaluate_all(PLACES)
    drawn = picture(panel(page, "rec").locator("canvas").first)
    event = {"step": 3200, "phase": 2, "split": "valid", "rec_nats": 77.0, "kl_nats": 66.0, "neg_elbo_nats": 143.0}
    append_line(bundled.metrics_path, event)
    time.sleep(5)  # two redraws
    assert picture(panel(page, "rec").locator("canvas").first) == drawn
    assert sections.evaluate_all(PLACES) == places
    assert sections.evaluate_all("panels => panels.map((panel) => panel.known)") == list(range(len(places)))
    page.mouse.move(5, 5)
    until(lambda: value(page, "rec") == "77.0")
    assert address_of(page) == seen
    page.goto(seen)
    page.locator(".curves .panel").first.wait_for()
    assert page.locator("[data-do=log]").get_attribute("aria-pressed") == "true"
    until(lambda: address_of(page) == seen)
    x, y = spot(page, "KL", 0.5)
    page.mouse.dblclick(x, y)
    until(lambda: "runs_range" not in address_of(page))
    page.mouse.move(5, 5)
    assert "of 0 or less cannot be shown" in panel(page, "ΔNLL").locator(".said").text_content()


def test_what_is_smoothed_says_so_and_all_can_be_taken_along(page, address, bundled, settled, tmp_path):
    open_runs(page, address, settled)
    measured = value(page, "rec")
    page.locator(".smooth input").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert page.locator(".smooth output").text_content() == "500 steps"
    assert value(page, "rec") != measured
    assert "smoothed" in panel(page, "rec").locator(".said").text_content()
    assert "smoothed" not in panel(page, "KL weight").locator(".said").text_content()
    assert "1/e after 500 steps" in page.locator(".note").text_content()
    until(lambda: "runs_smooth=500" in address_of(page))

    def taken(button):
        with page.expect_download() as waiting:
            button.click()
        target = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(target)
        return target

    whole = taken(page.locator(".tools [data-do=svg]")).read_text("utf-8")
    assert whole.startswith("<svg")
    assert all(METRICS[name].title.replace("&", "&amp;") in whole for name in ("kl_nats", "mi_nats", "rec_nats"))
    panel(page, "KL").hover()
    one = taken(panel(page, "KL").get_by_role("button", name="PNG"))
    assert one.name == f"{RUN}-kl_nats.png"
    assert one.read_bytes()[:4] == b"\x89PNG"
    with taken(page.get_by_role("button", name="All measurements (CSV)")).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    events = bundled.metrics()
    assert [float(row["rec_nats"]) for row in rows] == [event["rec_nats"] for event in events]


def test_a_zoom_into_a_long_run_shows_every_measurement(page, address, bundled, settled):
    with bundled.metrics_path.open("a", encoding="utf-8", newline="") as file:
        for step in range(4_000, 24_000):
            file.write(f'{{"step": {step}, "phase": 2, "split": "train", "rec_nats": {step}.0}}\n')
    open_runs(page, address, settled)
    note = page.locator(".note")
    assert "a point stands for up to" in note.text_content()
    page.mouse.move(*spot(page, "rec", 0.5))
    for _ in range(9):
        page.keyboard.down("Control")
        page.mouse.wheel(0, -60)
        page.keyboard.up("Control")
    until(lambda: "a point stands for up to" not in note.text_content())
    page.locator("[data-do=whole]").click()
    until(lambda: "a point stands for up to" in note.text_content())
