"""The page Interpolate in a browser: playing, one slider for two runs, ten pairs, and links that show the same."""

from __future__ import annotations

import re
import shutil
from itertools import groupby
from pathlib import Path

import pytest

import vae
from vae import runs

RUNS = ("captions-two-phase", "captions-plain-vae")
CHECKPOINTS = Path(runs.__file__).resolve().parents[1] / "checkpoints"
SAID = "(strip) => [...strip.querySelectorAll('.rows .said')].map((row) => row.textContent)"


@pytest.fixture
def bundled(folder):
    """The healthy run and the collapsed one."""
    for name in RUNS:
        shutil.copytree(CHECKPOINTS / name, folder / name)
    return folder


def strips(page, count):
    """The strips of the page, when that many are there and have something to say."""
    page.locator(".strip .rows button").nth(count - 1).wait_for()
    found = page.locator(".strip")
    assert found.count() == count
    return [found.nth(number) for number in range(count)]


def place(strip):
    return strip.locator(".t").text_content()


def sentence(strip):
    return strip.locator(".sentence").text_content()


def until(page, condition):
    """Wait until something that a strip shows is so."""
    for _ in range(300):
        if condition():
            return
        page.wait_for_timeout(100)
    pytest.fail("It never came to that.")


def merged(texts):
    return [text for text, _ in groupby(texts)]


def test_one_slider_reads_two_runs_and_a_link_shows_the_same(page, address, bundled, settled, browser):
    page.goto(f"{address}/interpolate?run={RUNS[0]}&walk_with={RUNS[1]}&walk_a_seed=3&walk_b_seed=3")
    healthy, collapsed = strips(page, 2)
    settled(page)
    for name, strip in zip(RUNS, (healthy, collapsed), strict=True):
        space = vae.load(bundled / name)
        expected = merged(space.decode(space.interpolate(*space.sample_prior(2, 3))))
        assert strip.evaluate(SAID) == expected
    assert len(collapsed.evaluate(SAID)) == 1 < len(healthy.evaluate(SAID))
    for badge in ("healthy", "collapsed"):
        page.locator(".stMarkdownBadge").get_by_text(badge).first.wait_for()

    healthy.locator("input[type=range]").focus()
    at_a = sentence(healthy)
    page.keyboard.press("End")
    assert place(healthy) == place(collapsed) == "t = 1.00"
    assert sentence(healthy) != at_a
    page.wait_for_url(re.compile(r"walk_t=1(&|$)"))
    settled(page)
    collapsed.locator("input[type=range]").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    assert place(healthy) == place(collapsed) == "t = 0.50"
    page.wait_for_url(re.compile(r"walk_t=0.5(&|$)"))
    settled(page)

    play_together(page, healthy, collapsed)
    settled(page)
    where, what, rows = place(healthy), sentence(healthy), healthy.evaluate(SAID)
    page.goto("about:blank")
    page.go_back()
    healthy, collapsed = strips(page, 2)
    settled(page)
    assert (place(healthy), sentence(healthy), healthy.evaluate(SAID)) == (where, what, rows)
    assert place(collapsed) == where
    assert page.locator('[data-testid="stException"]').count() == 0


def play_together(page, first, second):
    """Both play when one does, and the other's button stops both."""
    first.locator(".speed").select_option("4")
    first.locator(".play").click()
    assert second.locator(".play").get_attribute("aria-label") == "Pause"
    until(page, lambda: place(second) not in ("t = 0.50", "t = 0.60"))
    second.locator(".play").click()
    assert {strip.locator(".play").get_attribute("aria-label") for strip in (first, second)} == {"Play the path"}
    rest = place(first)
    page.wait_for_timeout(500)
    assert place(first) == place(second) == rest


def test_a_path_plays_and_ten_pairs_open_as_paths(page, address, bundled, settled):
    page.goto(f"{address}/interpolate?run={RUNS[0]}&walk_steps=5")
    (strip,) = strips(page, 1)
    settled(page)
    strip.locator(".others summary").click()
    near = strip.locator(".others li")
    assert near.count() == 5
    assert near.first.locator("span").last.text_content() == strip.locator(".quote").text_content()
    strip.locator("input[type=range]").focus()
    page.keyboard.press(" ")
    until(page, lambda: place(strip) == "t = 0.25")
    page.keyboard.press(" ")
    rest = place(strip)
    page.wait_for_timeout(1000)
    assert place(strip) == rest != "t = 0.00"
    page.wait_for_url(re.compile(rf"walk_t={float(rest[4:]):g}(&|$)"))
    strip.locator(".graph").click(position={"x": 2, "y": 30})
    assert place(strip) == "t = 0.00"
    settled(page)

    page.emulate_media(reduced_motion="reduce")  # from sentence to sentence, and slowly
    strip.locator(".speed").select_option("4")
    strip.locator(".play").click()
    page.wait_for_timeout(400)
    assert place(strip) == "t = 0.00"
    until(page, lambda: place(strip) == "t = 1.00")
    until(page, lambda: strip.locator(".play").get_attribute("aria-label") == "Play the path")
    page.wait_for_url(re.compile(r"walk_t=1(&|$)"))
    settled(page)

    page.get_by_role("tab", name="Ten pairs").click()
    cards = page.get_by_role("button", name="Walk it")
    cards.nth(9).wait_for()
    page.wait_for_url(re.compile("walk_view=Ten"))
    settled(page)
    space = vae.load(bundled / RUNS[0])
    a, b = space.sample_prior(2, seed=2)  # the third pair has the seed two further on
    cards.nth(2).click()
    until(page, lambda: "walk_view" not in page.url and "walk_a_seed=2" in page.url)
    settled(page)
    (strip,) = strips(page, 1)
    assert strip.evaluate(SAID) == merged(space.decode(space.interpolate(a, b, 5)))
    assert page.locator('[data-testid="stException"]').count() == 0


def test_an_answer_that_comes_late_takes_nothing_out_of_the_address(page, address, bundled, settled):
    """Where the reader rests is told and answered with a whole address; meanwhile the other view has been opened."""
    sockets, held, holding = [], [], False

    def slow(client):
        server = client.connect_to_server()
        server.on_message(lambda message: held.append(message) if holding else client.send(message))
        client.on_message(server.send)
        sockets.append(client)

    page.route_web_socket(re.compile("_stcore/stream"), slow)
    page.goto(f"{address}/interpolate?run={RUNS[0]}&walk_steps=5")
    (strip,) = strips(page, 1)
    settled(page)
    holding = True
    strip.locator("input[type=range]").focus()
    page.keyboard.press("End")
    until(page, lambda: len(held) > 2)  # the answer is on its way
    page.wait_for_timeout(500)
    page.get_by_role("tab", name="Ten pairs").click()
    page.wait_for_url(re.compile("walk_view=Ten"))
    holding = False
    for message in held:
        sockets[-1].send(message)
    page.get_by_role("button", name="Walk it").nth(9).wait_for()
    settled(page)
    assert "walk_view=Ten" in page.url
    assert "walk_t=1" in page.url
