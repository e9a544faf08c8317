"""The page Compare in a browser: tick runs in the table, see what differs, plan a sweep, open its link."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from app import state
from vae.runs import Run

BUNDLED = Path(__file__).resolve().parents[2] / "checkpoints"


def chosen(page):
    """The runs side by side that the address names."""
    return parse_qs(urlsplit(page.url).query).get(state.COMPARE_RUNS, [])


def tick(page, row):
    """Tick a row of the table, which is drawn on a canvas: the box is near its left end."""
    table = page.locator(".dvn-scroller").first
    page.mouse.move(0, 0)
    table.click(position={"x": 15, "y": 37 * (row + 1) + 18})


def test_runs_are_ticked_tagged_and_compared(page, address, folder, settled):
    for name in ("captions-two-phase", "captions-plain-vae"):
        shutil.copytree(BUNDLED / name, folder / name, ignore=shutil.ignore_patterns("model", "snapshots", "codes"))
    page.goto(f"{address}/compare")
    page.get_by_text("2 runs.").wait_for()
    settled(page)
    tick(page, 0)
    page.get_by_role("heading", name="Over training").wait_for()
    settled(page)
    first = chosen(page)
    assert len(first) == 1
    tick(page, 1)
    page.get_by_role("heading", name="What differs").wait_for()
    settled(page)
    assert sorted(chosen(page)) == ["captions-plain-vae", "captions-two-phase"]
    name = page.locator("abbr", has_text="free bits per dimension, phase 2")
    assert "Threshold lambda" in name.get_attribute("title")
    assert page.locator("tr", has=name).locator("td").all_inner_texts() in (["0.5", "0"], ["0", "0.5"])
    assert page.locator('[data-testid="stPlotlyChart"]').count() == 2
    links = [".differences a", '[data-testid="stCaptionContainer"] a']
    colours = {page.locator(link).first.evaluate("link => getComputedStyle(link).color") for link in links}
    assert len(colours) == 1  # of all links on the page

    page.reload()  # the address holds it all
    page.get_by_role("heading", name="What differs").wait_for()
    settled(page)
    assert sorted(chosen(page)) == ["captions-plain-vae", "captions-two-phase"]

    page.get_by_role("button", name="Tags and notes").click()
    form = page.get_by_test_id("stForm")
    form.get_by_role("combobox").first.fill("for class")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    form.get_by_role("button", name="Keep").click()
    page.get_by_text("Kept.").wait_for()
    assert all(Run(folder / name).notes.tags == ("for class",) for name in chosen(page))
    settled(page)

    page.get_by_text("Sweeps", exact=True).click()
    page.get_by_role("button", name="Launch 12 runs").wait_for()
    settled(page)
    values = page.get_by_role("textbox", name="through the values").first
    values.fill("max")
    values.press("Enter")
    page.get_by_role("button", name="Launch 6 runs").wait_for()
    settled(page)
    query = parse_qs(urlsplit(page.url).query)
    assert query[state.COMPARE_VALUES[0]] == ["max"]
    page.reload()
    page.get_by_role("button", name="Launch 6 runs").wait_for()
    assert page.get_by_text(re.compile("6 runs. Roughly|6 runs. About")).is_visible()
