"""A film of training in a browser: played, stepped through, followed, saved; the server is asked for nothing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from vae import latents
from vae.runs import Run, write_json

ROOT = Path(__file__).resolve().parents[2]
RUN = "captions-two-phase"
STEPS = (0, 1014, 2106, 3130)
WAYS = ("snapshots", "reports", "projections", "codes")


@pytest.fixture
def filmed(folder: Path) -> Run:
    """The healthy bundled run with codes along the way: its last ones, as if they had grown out of the prior."""
    shutil.copytree(ROOT / "checkpoints" / RUN, folder / RUN, ignore=shutil.ignore_patterns(*WAYS))
    run = Run(folder / RUN)
    known = latents.read_latents(run)
    run.codes_path.mkdir()
    frame = known.frame[:60]
    write_json(
        run.codes_path / "texts.json", {"text": frame["text"].tolist(), "kind": frame["kind"].fillna("").tolist()}
    )
    for share, step in zip((0, 0.3, 0.6, 1), STEPS, strict=True):
        codes = {"mean": share * known.means[:60], "logvar": share * known.logvars[:60]}
        codes = {name: np.ascontiguousarray(values, np.float16) for name, values in codes.items()}
        save_file(codes, run.codes_path / f"step-{step}.safetensors")
    return run


@pytest.fixture
def sent(page):
    """What the browser has sent to the server so far."""
    messages = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda message: messages.append(message)))
    return messages


def is_at(page, words):
    """Waits until the film rests at a check."""
    page.locator(".film .now", has_text=re.compile(f"^{re.escape(words)}$")).wait_for()


def saved(page, folder, name):
    """The picture, as the file that is saved under a name."""
    with page.expect_download() as waiting:
        page.locator(".film .panels [data-do=save]").click()
    assert waiting.value.suggested_filename == name
    waiting.value.save_as(folder / name)
    picture = (folder / name).read_text("utf-8")
    assert ">step 0<" in picture
    return picture


def test_a_film_is_played_and_read_without_asking_the_server(page, address, filmed, settled, sent, tmp_path):
    page.goto(f"{address}/runs?run={RUN}")
    page.get_by_text("Training as a film").wait_for()
    settled(page)
    assert page.locator(".film").count() == 0  # closed, it is not there at all
    page.get_by_text("Training as a film").click()
    canvas = page.locator(".film .panels canvas")
    canvas.wait_for()
    settled(page)
    canvas.scroll_into_view_if_needed()
    settled(page)
    asked = len(sent)
    is_at(page, "step 0")
    page.locator(".film .said", has_text="Before the first step").wait_for()
    first = page.locator(".film .panels .rebuilt").inner_text()

    page.locator(".film .forth").click()  # a step, in words
    is_at(page, "step 1,014")
    page.locator(".film .said", has_text=re.compile(r"From step 0 to 1,014, the first check of phase 2")).wait_for()
    assert page.locator(".film .panels .rebuilt").inner_text() != first

    canvas.focus()  # keys
    page.keyboard.press("ArrowRight")
    is_at(page, "step 2,106")
    page.keyboard.press("ArrowLeft")
    is_at(page, "step 1,014")
    page.keyboard.press("ArrowUp")
    card = page.locator(".film .panels .card")
    card.wait_for()
    assert re.search(r"KL [\d.]+ nats · mean at", card.inner_text())
    sentence = card.locator(".text").inner_text()
    page.keyboard.press("Enter")
    assert sentence in page.locator(".film .panels .followed").inner_text()

    page.locator(".film .speed").select_option("4")  # to the end, and there it stops
    page.keyboard.press("Tab")
    page.locator(".film .play").click()
    is_at(page, "step 3,130")
    page.locator(".film .play:not(.playing)").wait_for()
    page.locator(".film input[type=range]").focus()
    page.keyboard.press("Home")
    is_at(page, "step 0")

    assert saved(page, tmp_path, f"{RUN}-step-0.svg").count("<path") > 5
    assert len(sent) == asked

    page.locator(".film .colour").select_option("length (words)")
    page.locator(".film .panels .legend .ramp").wait_for()
    way = page.locator(".film .panels .ways a").first.get_attribute("href")
    assert way == f"interpolate?run={RUN}"


def test_who_wants_less_motion_sees_checks_alone(page, address, filmed, settled):
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{address}/runs?run={RUN}&film=true&runs_step=2106")
    page.locator(".film .panels canvas").wait_for()
    settled(page)
    is_at(page, "step 2,106")  # where the address asks for it
    page.locator(".film .now").evaluate(
        """(now) => {
            window.seen = [];
            new MutationObserver(() => window.seen.push(now.textContent)).observe(now, { childList: true });
        }"""
    )
    page.locator(".film .back").click()
    is_at(page, "step 1,014")
    assert set(page.evaluate("window.seen")) == {"step 1,014"}


def test_a_step_of_the_curves_leads_to_its_map(page, address, filmed, settled):
    page.goto(f"{address}/runs?run={RUN}&runs_step=1014")
    page.get_by_role("button", name="The map at this step").click()
    page.locator(".film .panels canvas").wait_for()
    settled(page)
    is_at(page, "step 1,014")
    panel = page.locator(".curves .panels canvas").first  # a click on a curve winds the film to where it was
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    page.mouse.click(box["x"] + 0.97 * box["width"], box["y"] + 0.5 * box["height"])
    is_at(page, "step 3,130")
