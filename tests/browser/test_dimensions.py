"""The page Dimensions in a browser: sliders that answer at once, a new base on release, locks, and links."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import vae
from vae import runs
from vae.explore import traverse

RUN = "captions-two-phase"
CHECKPOINTS = Path(runs.__file__).resolve().parents[1] / "checkpoints"
COUNT_MESSAGES = """() => {
  window.bottleneckMessages = 0;
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (message) { window.bottleneckMessages += 1; return send.call(this, message); };
}"""
STOPS = """(board) => [...board.querySelectorAll('.rows button')].map(
  (row) => [row.querySelector('.where').textContent, row.querySelector('.said').textContent])"""


@pytest.fixture
def space(folder):
    """The healthy bundled run, in the folder of the app."""
    shutil.copytree(CHECKPOINTS / RUN, folder / RUN)
    return vae.load(folder / RUN)


def sentence(page):
    return page.locator(".board .sentence").text_content()


def dial(page, number):
    return page.locator(".board .dial").nth(number)


def name(dial):
    return int(dial.locator(".name").text_content()[1:])


def value(dial):
    return float(dial.locator("output").text_content().replace("−", "-"))


def drag(page, dial, share):
    """With the mouse to a place of its rail."""
    box = dial.locator("input").bounding_box()
    page.mouse.move(box["x"] + 10 + (box["width"] - 20) * share, box["y"] + box["height"] / 2, steps=3)


def test_a_slider_answers_at_once_and_its_release_turns_the_others(page, address, space, settled):
    page.goto(f"{address}/dimensions?run={RUN}&dims_seed=5")
    page.locator(".board .dial").nth(7).wait_for()
    settled(page)
    z = space.sample_prior(1, 5)[0]
    assert sentence(page) == space.decode(z[None])[0]
    first, second = name(dial(page, 0)), name(dial(page, 1))

    page.evaluate(COUNT_MESSAGES)
    drag(page, dial(page, 0), 0.5)
    page.mouse.down()
    drag(page, dial(page, 0), 1.0)
    assert value(dial(page, 0)) == 2.5
    high, low = space.decode(traverse(z, first, [2.5, -2.5]))
    assert sentence(page) == high
    drag(page, dial(page, 0), 0.0)
    assert sentence(page) == low != high
    assert page.evaluate("window.bottleneckMessages") == 0
    page.mouse.up()
    page.wait_for_url(re.compile(rf"dims={first}(%3A|:)-2.5(&|$)"))
    settled(page)

    z[first] = -2.5
    dial(page, 1).locator("input").focus()
    said = page.locator(".board").evaluate(STOPS)
    values = [-2.5 + 0.5 * step for step in range(11)]
    expected = space.decode(traverse(z, second, values))
    assert said[0][1] == expected[0]
    assert said[-1][1] == expected[-1]
    assert {text for _, text in said} >= set(expected)

    before = value(dial(page, 1))
    sent = page.evaluate("window.bottleneckMessages")
    page.keyboard.press("End")
    assert value(dial(page, 1)) == 2.5 > before
    assert sentence(page) == expected[-1]
    page.keyboard.press("ArrowLeft")
    assert value(dial(page, 1)) == 2.0
    assert sentence(page) == expected[-2]
    assert page.evaluate("window.bottleneckMessages") == sent
    page.wait_for_url(re.compile(rf"{second}(%3A|:)2(&|%2C|,|$)"))
    settled(page)
    assert sentence(page) == expected[-2]
    assert value(dial(page, 0)) == -2.5


def test_a_lock_holds_against_random_values_and_a_link_shows_the_same(page, address, space, settled, browser):
    page.goto(f"{address}/dimensions?run={RUN}")
    page.locator(".board .dial").nth(7).wait_for()
    settled(page)
    locked = name(dial(page, 2))
    dial(page, 2).locator("input").focus()
    page.keyboard.press("Home")
    page.wait_for_url(re.compile(rf"dims={locked}"))
    settled(page)
    dial(page, 2).locator(".key").click()
    page.wait_for_url(re.compile(rf"dims_locked={locked}"))
    settled(page)
    page.get_by_role("button", name="Random values").click()
    page.wait_for_url(re.compile(r"dims_seed=\d+"))
    settled(page)
    seed = int(re.search(r"dims_seed=(\d+)", page.url)[1])
    z = space.sample_prior(1, seed)[0]
    assert value(dial(page, 0)) == pytest.approx(float(z[name(dial(page, 0))]), abs=0.006)
    assert value(dial(page, 2)) == -2.5
    z[locked] = -2.5
    assert sentence(page) == space.decode(z[None])[0]

    dial(page, 4).locator("input").focus()
    page.keyboard.press("End")
    freed = name(dial(page, 4))
    page.wait_for_url(re.compile(rf"{freed}(%3A|:)2.5"))
    settled(page)
    shown = sentence(page)
    other = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    other.goto(page.url)
    other.locator(".board .dial").nth(7).wait_for(timeout=60_000)
    settled(other)
    assert sentence(other) == shown
    assert dial(other, 2).locator(".key").get_attribute("aria-pressed") == "true"
    assert [value(dial(other, number)) for number in range(8)] == [value(dial(page, number)) for number in range(8)]
    other.context.close()
    dial(page, 4).locator(".back").click()
    page.wait_for_url(lambda url: f"{freed}%3A2.5" not in url)
    settled(page)
    assert sentence(page) == space.decode(z[None])[0]


def test_the_strength_of_a_direction_moves_every_sentence_at_once(page, address, space, settled):
    page.goto(f"{address}/arithmetic?run={RUN}&arithmetic=From+examples&arithmetic_label=polarity"
              "&arithmetic_from=affirmative&arithmetic_to=negative")  # fmt: skip
    page.locator(".board .followers li").nth(4).wait_for()
    settled(page)
    assert "not" in sentence(page).split()
    dial(page, 0).locator("input").focus()
    page.evaluate(COUNT_MESSAGES)
    for key, expected in (("Home", False), ("End", True)):
        page.keyboard.press(key)
        said = page.locator(".board .followers .said").all_text_contents()
        assert ("not" in sentence(page).split()) is expected
        assert sum("not" in each.split() for each in said) >= 3 if expected else True
    assert page.evaluate("window.bottleneckMessages") == 0
    page.wait_for_url(re.compile(r"arithmetic_strength=3(&|$)"))
    settled(page)
    assert value(dial(page, 0)) == 3


def test_a_link_from_the_map_brings_run_and_sentence(page, address, space, folder, settled):
    """From a page that was opened by its address, which the browser then takes the run out of."""
    shutil.copytree(CHECKPOINTS / "captions-plain-vae", folder / "captions-plain-vae")
    text = "a herd of white cows is standing in the barn ."
    page.goto(f"{address}/map?run={RUN}&map_method=PCA&map_a=17")
    page.locator(".map canvas").wait_for()
    settled(page)
    page.get_by_text("More about A").click()
    page.locator('[data-testid="stPageLink"] a', has_text="Dimensions").first.click()
    page.locator(".board .sentence").wait_for()
    settled(page)
    assert page.get_by_label("Sentence", exact=True).last.input_value() == text
    assert sentence(page) == space.decode(space.encode([text]).mean)[0]
