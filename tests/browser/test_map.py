"""Sentences circled on the map of a bundled run, in a browser: listed, summed up, and compared in two groups."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = "captions-two-phase"


@pytest.fixture
def bundled(folder: Path) -> Path:
    """The healthy bundled run alone."""
    shutil.copytree(ROOT / "checkpoints" / RUN, folder / RUN, ignore=shutil.ignore_patterns("snapshots", "reports"))
    return folder / RUN


def lasso(page, left, right):
    """A loop around a vertical strip of the map, from one share of its width to another."""
    page.locator("[data-tool=lasso]").click()
    box = page.locator(".map canvas").bounding_box()
    corners = [(left, 0.05), (right, 0.05), (right, 0.95), (left, 0.95), (left, 0.06)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def count(page, settled):
    """How many sentences are circled."""
    settled(page)
    heading = page.get_by_text(re.compile(r"^[\d,]+ sentences circled$")).first
    heading.wait_for()
    return int(heading.text_content().split()[0].replace(",", ""))


def test_circled_sentences_are_read_summed_up_and_compared(page, address, bundled, tmp_path, settled, turn_to):
    page.goto(f"{address}/map?run={RUN}&map_method=PCA&map_colour=animal")
    page.locator(".map canvas").wait_for()
    settled(page)
    lasso(page, 0.05, 0.4)
    few = count(page, settled)
    assert 10 < few < 1900
    page.get_by_text("What they have in common").wait_for()
    page.get_by_text(re.compile(f"The mean of their {few:,} codes")).wait_for()
    page.locator(".st-key-map_group_1 button").click()
    settled(page)
    lasso(page, 0.6, 0.95)
    assert count(page, settled) != few
    page.locator(".st-key-map_group_2 button").click()
    settled(page)
    page.get_by_text(re.compile("The means of the groups lie")).wait_for()
    settled(page)
    said, link = groups(page), page.url
    assert len(said) >= 2
    assert "map_1=" in link
    assert "map_2=" in link
    assert len(link) < 4000
    with page.expect_download() as waiting:
        page.get_by_role("button", name="For the Embedding Projector").click()
    target = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(target)
    with zipfile.ZipFile(target) as archive:
        assert archive.read("tensors.tsv").count(b"\n") == 2000

    page.get_by_role("link", name="Home").click()
    settled(page)
    turn_to(page, "Explore", "Map")
    page.get_by_text(re.compile("The means of the groups lie")).wait_for()
    settled(page)
    assert groups(page) == said  # they have waited, and are in the address again
    assert re.search("map_1=[^&]+", page.url)[0] == re.search("map_1=[^&]+", link)[0]
    visitor = page.context.browser.new_page()
    visitor.goto(link)
    visitor.get_by_text(re.compile("The means of the groups lie")).wait_for()
    settled(visitor)
    assert groups(visitor) == said
    visitor.close()


def groups(page):
    """What is said of the two groups."""
    return page.get_by_text(re.compile(r"sentences, such as|The means of the groups lie")).all_text_contents()


def sentence_near(page, x, y):
    """A place on the map where the pointer means a sentence, near a share of its width and height."""
    box = page.locator(".map canvas").bounding_box()
    for step in range(60):
        place = box["x"] + x * box["width"] + 3 * step, box["y"] + y * box["height"]
        page.mouse.move(*place)
        if page.locator(".map .card").is_visible():
            return place
    raise AssertionError("there is no sentence there")


def test_a_second_click_may_follow_at_once(page, address, bundled, settled):
    """The first is not answered yet when the second comes: it is still end B that it chooses."""
    page.goto(f"{address}/map?run={RUN}&map_method=PCA")
    page.locator(".map canvas").wait_for()
    settled(page)
    first, second = sentence_near(page, 0.35, 0.4), sentence_near(page, 0.55, 0.6)
    page.mouse.click(*first)
    page.mouse.click(*second)
    page.wait_for_url(re.compile("map_b="), timeout=10_000)
    assert "map_a=" in page.url


def test_a_chosen_sentence_leads_to_its_dimensions(page, address, bundled, settled):
    page.goto(f"{address}/map?run={RUN}&map_method=PCA&map_a=3")
    page.get_by_text("More about A").click()
    link = page.locator("[data-testid=stPageLink]").get_by_role("link", name="Dimensions")
    link.click()
    page.wait_for_url(re.compile("/dimensions.*dims_from=Sentence"), timeout=15_000)
    text = pd.read_parquet(bundled / "latents.parquet")["text"][3]
    settled(page)
    assert page.get_by_role("textbox", name="Sentence").first.input_value() == text
