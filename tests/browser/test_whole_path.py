"""The whole path in a browser: launch a run, see it move and finish, open its map, choose two points, walk between."""

from __future__ import annotations

import re
import time

from app import state
from vae import runs

SMALL = {
    ("data", "train_sentences"): 400,
    ("data", "valid_sentences"): 64,
    ("data", "test_sentences"): 64,
    ("train", "batch_size"): 16,
    ("train", "eval_sentences"): 64,
    ("train", "evals_per_epoch"): 2,
    ("phase1", "epochs"): 6,
    ("phase2", "epochs"): 2,
}
"""A run of well under a minute, after which the decoder listens to z."""

TRAINING = 300
"""Seconds for the run, on a machine that does other things as well."""


def fill(page, settled, key, value):
    """Type into the field of a key, and wait for the page to have heard it."""
    box = page.locator(f".st-key-{key} input")
    box.fill(str(value))
    box.press("Enter")
    settled(page)


def launch(page, settled, address):
    """The form of the page Train, with a small run in it; launched."""
    page.goto(f"{address}/train")
    page.locator(f".st-key-{state.TRAIN_NAME} input").wait_for()
    if not runs.starter_path().is_dir():
        page.locator(f".st-key-{state.TRAIN_BASE}").get_by_text("Fresh").click()
    page.locator(".st-key-train_others summary").click()
    tabs = {"data": "Text", "train": "Training and reports"}
    for (section, name), value in SMALL.items():
        if section in tabs:
            page.get_by_role("tab", name=tabs[section]).click()
        fill(page, settled, state.knob(section, name), value)
    fill(page, settled, state.TRAIN_NAME, "small")
    page.get_by_role("button", name="Launch").click()


def until(what, patience, told):
    """Wait until something is true."""
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, told()
        time.sleep(0.25)


def points(page, fewest=6):
    """Where on the map the pointer finds sentences, from left to right, with the sentences."""
    canvas, card = page.locator(".map canvas"), page.locator(".map .card")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    found = {}
    for step in (40, 20, 10):
        for x in range(10, int(box["width"]) - 10, step):
            for y in range(10, int(box["height"]) - 10, step):
                place = box["x"] + x, box["y"] + y
                page.mouse.move(*place)
                if card.is_visible():
                    found.setdefault(card.locator(".text").text_content(), place)
        if len(found) >= fewest:
            break
    return sorted(found.items(), key=lambda item: item[1])


def watch(page, run):
    """It trains: the figures grow and the curves with them, until it has finished, and the page says so by itself."""

    def told():
        return f"{run.status}\n{run.log_path.read_text('utf-8') if run.log_path.is_file() else ''}"

    curve = page.locator(".curves .stage canvas").first
    curve.wait_for(timeout=1000 * TRAINING)
    before, drawn = len(run.metrics()), curve.screenshot()
    until(lambda: len(run.metrics()) > before, TRAINING, told)
    until(lambda: curve.screenshot() != drawn, 60, told)
    until(lambda: run.status.state in ("finished", "failed"), TRAINING, told)
    assert run.status.state == "finished", told()
    page.get_by_text(re.compile(r"\bfinished\b")).first.wait_for()


def circle(page, settled):
    """A box around the whole map lists its sentences and fills the ends, which are then cleared."""
    box = page.locator(".map canvas").bounding_box()
    page.locator("[data-tool=box]").click()
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] - 3, steps=4)
    page.mouse.up()
    page.get_by_text(f"{SMALL['data', 'test_sentences']} sentences circled").first.wait_for()
    page.wait_for_url(re.compile(r"map_a=0&map_b=1"))
    settled(page)
    page.locator("[data-do=clear]").click()
    page.get_by_text("sentences circled").first.wait_for(state="hidden")
    settled(page)
    page.locator(".st-key-map_clear button").click()
    page.wait_for_url(lambda url: "map_b" not in url)
    settled(page)
    page.locator("[data-tool=move]").click()
    settled(page)


def choose_ends(page):
    """Two real clicks on the map; the sentences that were clicked are named beside it."""
    hits = points(page)
    assert len(hits) >= 2
    (first, start), (last, end) = hits[0], hits[-1]
    page.mouse.click(*start)
    page.wait_for_url(re.compile(r"map_a=\d+"))
    page.mouse.click(*end)
    page.wait_for_url(re.compile(r"map_b=\d+"))
    for sentence in (first, last):
        page.locator('[data-testid="stMain"]').get_by_text(sentence).first.wait_for()


def walk_by_keyboard(page):
    """From one end to the other and back; the sentences at both."""
    said = page.locator(".strip .sentence")
    page.locator(".strip input[type=range]").focus()
    at_a = said.text_content()
    page.keyboard.press("End")
    at_b = said.text_content()
    page.wait_for_url(re.compile(r"walk_t=1(&|$)"))
    page.keyboard.press("Home")
    assert said.text_content() == at_a
    page.wait_for_url(re.compile(r"walk_t=0(&|$)"))
    return at_a, at_b


def walk_by_mouse(page, at_b):
    """While the knob is held, the sentences change and nobody is asked; where it is let go, the address knows."""
    box = page.locator(".strip input[type=range]").bounding_box()
    places = [(box["x"] + box["width"] * share, box["y"] + box["height"] / 2) for share in (0.02, 0.5, 0.98)]
    page.evaluate(COUNT_MESSAGES)
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    assert page.locator(".strip .t").text_content() == "t = 0.50"
    page.mouse.move(*places[2], steps=5)
    assert page.locator(".strip .sentence").text_content() == at_b
    assert page.evaluate("window.bottleneckMessages") == 0
    page.mouse.up()
    page.wait_for_url(re.compile(r"walk_t=1(&|$)"))
    assert page.evaluate("window.bottleneckMessages") > 0


def test_from_a_launch_to_the_sentences_between_two_points(page, settled, address, folder):
    launch(page, settled, address)
    page.wait_for_url("**/runs?run=small*")
    watch(page, runs.Run(folder / "small"))

    settled(page)
    page.get_by_role("link", name="Map").first.click()
    page.locator(".map canvas").wait_for()
    settled(page)
    page.locator(f".st-key-{state.MAP_METHOD}").get_by_text("PCA").click()
    page.get_by_text("PCA shows the codes").first.wait_for()  # a redraw may show the old one, too, for a moment
    settled(page)
    circle(page, settled)
    choose_ends(page)

    settled(page)
    page.get_by_role("link", name="Interpolate between them").first.click()
    page.locator(".strip input[type=range]").wait_for()
    at_a, at_b = walk_by_keyboard(page)
    assert at_a != at_b
    walk_by_mouse(page, at_b)
    page.locator(".strip .rows button").first.click()
    assert page.locator(".strip .sentence").text_content() == at_a
    assert page.locator('[data-testid="stException"]').count() == 0


COUNT_MESSAGES = """() => {
  window.bottleneckMessages = 0;
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (message) { window.bottleneckMessages += 1; return send.call(this, message); };
}"""
