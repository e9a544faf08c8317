"""The linear VAE in a browser, on a page of its own: the slider kills its dimensions one by one, and asks nobody."""

from __future__ import annotations

import pytest

SCRIPT = """
from app import backend
from app.components.linear_vae import linear_vae

linear_vae(backend.linear_vae(), key="linear")
"""


@pytest.fixture
def frame(tmp_path):
    """A page that shows nothing else."""
    path = tmp_path / "linear_page.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.fixture
def sent(page):
    """What the browser has sent to the server so far."""
    messages = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda message: messages.append(message)))
    return messages


@pytest.fixture
def shown(page, sent, address, settled):
    """The component, drawn."""
    page.goto(address)
    page.locator(".linear .count", has_text="6 of 6 dimensions alive").wait_for()
    settled(page)
    return page.locator(".linear")


def is_said(shown, words):
    shown.locator(".count", has_text=words).wait_for()
    slider = shown.get_by_role("slider", name="Noise of the decoder")
    assert slider.get_attribute("aria-valuetext").endswith(f": {words}")


def widths(shown, name):
    """How wide the bars are, in pixels, once they have come to rest."""
    shown.page.wait_for_timeout(250)
    return [bar.bounding_box()["width"] for bar in shown.locator(f".bar .{name}").all()]


def test_dimensions_die_one_by_one_and_nobody_is_asked(shown, sent):
    before = len(sent)
    assert before
    slider = shown.get_by_role("slider", name="Noise of the decoder")
    slider.focus()
    counts = []
    for _ in range(40):
        slider.press("ArrowRight")
        counts.append(shown.locator(".count").inner_text())
    assert list(dict.fromkeys(counts)) == [f"{alive} of 6 dimensions alive" for alive in range(6, -1, -1)]
    assert shown.locator(".live").text_content() == "0 of 6 dimensions alive"
    assert shown.locator(".here li.dead").count() == 6
    slider.press("Home")
    is_said(shown, "6 of 6 dimensions alive")
    assert shown.locator(".here li.dead").count() == 0
    slider.evaluate("each => { each.value = '20'; each.dispatchEvent(new Event('input')); }")
    is_said(shown, "3 of 6 dimensions alive")
    assert shown.locator("figcaption b").inner_text() == "1.00"
    values = shown.locator(".here .value").all_inner_texts()
    assert values == ["0.83", "0.49", "0.14", "dead", "dead", "dead"]
    trained = widths(shown, "filled")
    scale = shown.locator(".bar").first.bounding_box()["width"] / 2  # pixels a nat
    assert trained == pytest.approx([0.834 * scale, 0.489 * scale, 0.143 * scale, 0, 0, 0], abs=2)
    assert widths(shown, "outline")[:3] == pytest.approx(trained[:3], abs=2)
    line, plot = shown.locator(".now").bounding_box(), shown.locator(".plot").bounding_box()
    assert line["x"] == pytest.approx(plot["x"] + plot["width"] / 2, abs=3)  # 1 is half-way from 0.1 to 10
    dead = [mark.bounding_box()["x"] < line["x"] for mark in shown.locator(".deaths span").all()]
    assert dead == [False, False, False, True, True, True]
    assert len(sent) == before
