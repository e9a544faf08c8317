"""A race in a browser: replayed, scrubbed and read without asking the server; followed while it trains."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from vae.runs import Run, append_line

ROOT = Path(__file__).resolve().parents[2]
SOUND, FLAT = "captions-two-phase", "captions-plain-vae"


@pytest.fixture
def pair(folder):
    """The healthy and the collapsed bundled run."""
    ways = shutil.ignore_patterns("snapshots", "reports", "projections", "*.safetensors", "latents.parquet")
    for name in (SOUND, FLAT):
        shutil.copytree(ROOT / "checkpoints" / name, folder / name, ignore=ways)


@pytest.fixture
def sent(page):
    """What the browser has sent to the server so far."""
    messages = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda message: messages.append(message)))
    return messages


def is_at(page, words):
    """Waits until the race is at a check."""
    page.locator(".race .now", has_text=re.compile(f"^{re.escape(words)}$")).wait_for()


def verdicts(page):
    """The verdict on each run, as it is shown."""
    return [words.split(":")[0] for words in page.locator(".race .lanes .headline").all_inner_texts()]


def test_a_race_is_replayed_without_asking_the_server(page, address, pair, settled, sent):
    page.goto(f"{address}/race?race={SOUND},{FLAT}")
    page.locator(".race .lanes .lane").nth(1).wait_for()
    page.get_by_text("How it ended").wait_for()
    settled(page)
    is_at(page, "step 3,130")
    assert verdicts(page) == ["Healthy", "Collapsed"]
    assert page.locator(".race .on").is_hidden()
    asked = len(sent)

    slider = page.locator(".race input[type=range]")
    slider.focus()
    slider.press("Home")
    is_at(page, "step 0")
    assert verdicts(page) == ["Not trained yet."] * 2
    assert page.locator(".race .lanes .value").all_inner_texts() == ["–", "–"]
    places = page.locator(".race .lanes .where").all_inner_texts()
    assert [place.split(" · ")[1] for place in places] == ["phase 1 of 2, encoder warm-up", "finetuning"]
    slider.press("ArrowRight")
    is_at(page, "step 78")
    assert verdicts(page) == ["Warm-up", "Collapsed"]
    assert page.locator(".race .live").inner_text().startswith(f"{SOUND}: Warm-up")
    turns = page.locator(".race .lanes .turns").nth(0).locator("li")
    assert [turn.is_visible() for turn in turns.all()] == [True, False]
    assert "Warm-up" in slider.get_attribute("aria-valuetext")

    page.locator(".race .speed").select_option("4")
    slider.press(" ")
    page.locator(".race .lanes .verdict.healthy").wait_for()
    slider.press(" ")
    stopped = page.locator(".race .now").inner_text()
    assert stopped not in ("step 78", "step 3,130")

    page.locator(".race .clock").select_option(label="at equal shares")
    page.locator(".race .now", has_text="% of training").wait_for()
    slider.press("End")
    is_at(page, "100 % of training")
    assert page.locator(".race .lanes mark").count() > 3  # words that differ from what was to be rebuilt
    page.wait_for_timeout(400)
    assert len(sent) == asked

    curve = page.locator(".curves canvas").first  # a click on a curve goes to its step
    curve.scroll_into_view_if_needed()
    settled(page)
    box = curve.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.locator(".race .now", has_text=re.compile(r"^(1\d|2\d|3\d) % of training$")).wait_for()


def test_the_newest_check_is_followed_until_somebody_goes_back(page, address, pair, folder, settled):
    run = Run(folder / FLAT)
    running = replace(run.status, state="running", pid=None, heartbeat=time.time() + 3600, total_steps=4000, eta_s=50)
    run.write_status(running)
    page.goto(f"{address}/race?race={FLAT}&race={SOUND}")
    live = page.locator(".race .on")
    live.wait_for()
    is_at(page, "step 3,130")
    assert live.get_attribute("aria-pressed") == "true"
    page.locator(".race .where", has_text="about 50 s left").wait_for()

    event = {**run.metrics()[-1], "split": "valid", "step": 3500, "phase": 2, "delta_nll_nats": 1.0, "kl_nats": 5.0}
    append_line(run.metrics_path, event | {"mi_nats": 1.0, "active_units": 3})
    is_at(page, "step 3,500")
    assert verdicts(page)[0] == "Weak"
    assert page.get_by_text("step 3,500: collapsed → weak").is_visible()

    page.locator(".race .back").click()
    is_at(page, "step 3,130")
    assert live.get_attribute("aria-pressed") == "false"
    append_line(run.metrics_path, event | {"step": 3600})
    page.wait_for_timeout(3000)
    is_at(page, "step 3,130")  # it stays where somebody has gone
    live.click()
    is_at(page, "step 3,600")
    assert "race=" in page.url
