"""A plane in a browser: read by hovering, pinned by mouse and keyboard, looked at closely, opened by its link."""

from __future__ import annotations

import re
import shutil
import urllib.parse
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

import vae
from vae import planes
from vae.latents import read_latents
from vae.runs import Run

ROOT = Path(__file__).resolve().parents[2]
RUN = "captions-two-phase"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def bundled(folder):
    """The healthy bundled run alone."""
    shutil.copytree(ROOT / "checkpoints" / RUN, folder / RUN, ignore=shutil.ignore_patterns("snapshots", "reports"))
    return folder / RUN


def spot(page, x, y):
    """A place on the screen, by its share of the width and height of the plane."""
    canvas = page.locator(".plane canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def hovered(page, x, y):
    """What the plane says under the pointer, at once."""
    page.mouse.move(*spot(page, x, y))
    return page.locator(".plane .card .text").text_content()


def place(page, key):
    """Numbers of the URL."""
    query = urllib.parse.parse_qs(urllib.parse.urlparse(page.url).query)
    return [float(number) for number in query[key][0].split(",")]


def card(page, name):
    """The card of a pin."""
    return page.locator(f".st-key-plane_card_{name}")


def read_everywhere(page):
    """What the pointer reads as it goes, and nobody is asked."""
    page.evaluate(COUNT_MESSAGES)
    read = [hovered(page, x / 10, 0.6) for x in range(1, 10)]
    assert len(set(read)) > 2
    assert page.locator(".plane .card .near").text_content().startswith("Nearest sentence")
    assert "random code" in page.locator(".plane .card .typical").text_content()
    assert page.evaluate("window.bottleneckMessages") == 0
    return read


def pin_by_mouse(page, settled, key, x, y):
    """A click where no code lies makes the place a pin, which says what was to be read there."""
    said = hovered(page, x, y)
    page.mouse.click(*spot(page, x, y))
    page.wait_for_url(re.compile(f"{key}="))
    settled(page)
    assert card(page, key[-1].upper()).get_by_text(said, exact=True).is_visible()
    return said


def pin_by_keyboard(page, settled):
    """Twelve cells to the right and five up from the first pin is the second."""
    page.locator(".plane canvas").focus()
    for key in ["ArrowRight"] * 12 + ["ArrowUp"] * 5:
        page.keyboard.press(key)
    said = page.locator(".plane .card .text").text_content()
    assert page.locator(".plane .live").text_content().startswith(said)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("plane_b="))
    settled(page)
    a, b = place(page, "plane_a"), place(page, "plane_b")
    assert (b[0] - a[0]) / 12 == pytest.approx((b[1] - a[1]) / 5, abs=1e-3)
    return said


def look_closely(page, settled):
    """A part of the plane in smaller cells, with the codes of sentences on it."""
    page.mouse.move(*spot(page, 0.3, 0.6))
    page.keyboard.down("Control")
    for _ in range(3):
        page.mouse.wheel(0, -60)
    page.keyboard.up("Control")
    page.locator("[data-do=finer]").click()
    page.wait_for_url(re.compile("plane_window="))
    settled(page)
    page.locator("[data-layer=sentences]").click()
    page.wait_for_url(re.compile("plane_shown=.*sentences"))
    settled(page)


def saved(page, folder):
    """The plane as the file that its button saves."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save the plane as SVG").click()
    assert waiting.value.suggested_filename == f"{RUN}-plane.svg"
    waiting.value.save_as(folder / "plane.svg")
    return ElementTree.parse(folder / "plane.svg").getroot()


def is_a_picture(drawn, shown):
    """It holds the cells, the lines between them, hatched holes, and labels each of which is a sentence's beginning."""
    assert drawn.tag == f"{SVG}svg"
    (cells,) = drawn.iter(f"{SVG}image")
    assert cells.get("href").startswith("data:image/png;base64,")
    assert {path.get("clip-path") for path in drawn.iter(f"{SVG}path")} >= {None, "url(#clip1)"}
    words = "\n".join(text.text for text in drawn.iter(f"{SVG}text"))
    assert any(f"\n{text.split()[0]} {text.split()[1]}" in words for text in shown)
    written = ElementTree.tostring(drawn, encoding="unicode")
    assert "NaN" not in written
    assert "undefined" not in written


def test_the_space_between_the_sentences_is_read_pinned_and_shared(page, address, bundled, settled, tmp_path):
    space = vae.load(bundled)
    plane = planes.principal(read_latents(Run(bundled)).means)

    def decoded(xy):
        return space.decode(torch.tensor(plane.code([xy]), dtype=torch.float32))[0]

    page.goto(f"{address}/plane?run={RUN}")
    page.locator(".plane canvas").wait_for()
    settled(page)
    read = read_everywhere(page)
    is_a_picture(saved(page, tmp_path), read)
    at_a = pin_by_mouse(page, settled, "plane_a", 0.31, 0.42)
    assert at_a == decoded(place(page, "plane_a"))
    at_b = pin_by_keyboard(page, settled)
    assert at_b == decoded(place(page, "plane_b"))
    page.locator(".strip input[type=range]").focus()
    page.keyboard.press("End")
    assert page.locator(".strip .sentence").text_content() == at_b
    page.wait_for_url(re.compile("plane_t=1(&|$)"))
    look_closely(page, settled)
    closely = [hovered(page, at / 10, 0.25) for at in range(1, 10)]

    link = page.url
    page.goto("about:blank")
    page.goto(link)
    page.locator(".strip .sentence").wait_for()
    settled(page)
    assert page.locator(".strip .sentence").text_content() == at_b
    assert card(page, "A").get_by_text(at_a, exact=True).is_visible()
    assert page.locator("[data-layer=sentences]").get_attribute("aria-pressed") == "true"
    assert [hovered(page, at / 10, 0.25) for at in range(1, 10)] == closely
    at_c = pin_by_mouse(page, settled, "plane_c", 0.5, 0.25)
    x, y, width = place(page, "plane_window")
    assert place(page, "plane_c") == pytest.approx([x, y + width / 4], abs=width / 40)
    assert at_c == closely[4] == decoded(place(page, "plane_c"))

    page.locator("[data-layer=sentences]").click()
    page.wait_for_url(lambda url: "plane_shown" not in url)
    settled(page)
    page.locator("[data-do=whole]").click()
    page.wait_for_url(lambda url: "plane_window" not in url)
    settled(page)
    page.locator(".plane canvas").focus()
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "plane_a" not in url and "plane_c" not in url)
    settled(page)
    assert card(page, "A").count() == page.locator(".strip").count() == 0
    assert page.locator('[data-testid="stException"]').count() == 0


def test_a_click_does_not_bring_the_plane_again(page, address, bundled, settled, turn_to):
    """What is here already stays readable, whether a click, a button or a page in between has led to the next run."""
    received = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    page.goto(f"{address}/plane?run={RUN}")
    page.locator(".plane canvas").wait_for()
    settled(page)
    before, first = read_everywhere(page), sum(received)
    for key in ("plane_a", "plane_b"):
        received.clear()
        pin_by_mouse(page, settled, key, 0.31, 0.42 if key == "plane_a" else 0.7)
        assert sum(received) < first / 3
        assert [hovered(page, x / 10, 0.6) for x in range(1, 10)] == before
    card(page, "A").get_by_role("button", name="close").click()
    page.wait_for_url(lambda url: "plane_a" not in url)
    settled(page)
    assert [hovered(page, x / 10, 0.6) for x in range(1, 10)] == before
    turn_to(page, "Explore", "Arithmetic")
    page.locator(".board").wait_for()
    turn_to(page, "Explore", "Plane")
    page.locator(".plane canvas").wait_for()
    settled(page)
    assert [hovered(page, x / 10, 0.6) for x in range(1, 10)] == before


def test_a_second_click_may_follow_at_once(page, address, bundled, settled):
    page.goto(f"{address}/plane?run={RUN}")
    page.locator(".plane canvas").wait_for()
    settled(page)
    first, second = spot(page, 0.3, 0.4), spot(page, 0.6, 0.7)
    page.mouse.click(*first)
    page.mouse.click(*second)
    page.wait_for_url(re.compile("plane_b="), timeout=10_000)
    assert place(page, "plane_a") != place(page, "plane_b")
    page.locator(".strip .sentence").wait_for()


COUNT_MESSAGES = """() => {
  window.bottleneckMessages = 0;
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (message) { window.bottleneckMessages += 1; return send.call(this, message); };
}"""
