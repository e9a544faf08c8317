"""The lesson in a browser, walked from its beginning to its end, with buttons and with a presenter's keys."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from app.lesson.chapters import CHAPTERS
from vae import bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def family(folder):
    """The bundled runs that the lesson shows."""
    ways = shutil.ignore_patterns("snapshots", "projections", "codes")
    recipes = ("two-phase", "plain-vae", "as-released", "language-model")
    for name in {*bundle.cube().values(), *(f"captions-{recipe}" for recipe in recipes)}:
        shutil.copytree(ROOT / "checkpoints" / name, folder / name, ignore=ways)


def test_every_chapter_is_walked_to_its_end(page, address, family, settled):
    page.goto(f"{address}/learn")
    for number, chapter in enumerate(CHAPTERS):
        page.get_by_role("heading", name=chapter.title, exact=True).wait_for()
        page.locator("label", has_text=chapter.options[chapter.answer]).click()
        page.get_by_role("button", name="Show what is so").wait_for()
        settled(page)
        if chapter.slug == "space":
            assert page.locator(".facts").is_hidden()  # sentences alone: no distances yet
        if chapter.slug == "switches":
            page.locator("label", has_text="Free bits").locator("[role=switch], input").last.focus()
            page.keyboard.press("Space")
            page.get_by_text("captions-switch-warmup-noise").wait_for()
            settled(page)
            assert "learn_free_bits=false" in page.url
        page.get_by_role("button", name="Show what is so").click()
        page.get_by_text("As you predicted").wait_for()
        page.get_by_text("Remember.").wait_for()
        settled(page)
        assert page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0
        assert page.url.split("learned=")[1].count("") > number  # a letter for each chapter so far
        if number + 1 < len(CHAPTERS):
            page.get_by_role("button", name=f"Next: {CHAPTERS[number + 1].title}").click()
    page.get_by_text("That is the lesson.").wait_for()


def test_a_presenter_turns_the_pages_with_keys(page, address, family, settled):
    page.goto(f"{address}/learn?chapter=objective&present=yes&hide=chapters,share")
    page.get_by_role("heading", name="What the ELBO asks for").wait_for()
    settled(page)
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") >= 24
    page.keyboard.press("ArrowRight")
    page.get_by_text("Move the price.").wait_for()
    settled(page)
    page.locator("[data-testid=stSlider] [role=slider], [data-testid=stSlider] input").first.focus()
    page.keyboard.press("ArrowRight")  # the slider's own
    page.get_by_text("At β = 0.1 the objective").wait_for()
    settled(page)
    page.keyboard.press("PageDown")
    page.get_by_text("Remember.").wait_for()
    settled(page)
    page.keyboard.press("PageDown")
    page.get_by_role("heading", name="How collapse happens").wait_for()
    settled(page)
    page.keyboard.press("PageUp")
    page.get_by_role("heading", name="What the ELBO asks for").wait_for()


def test_a_player_that_is_clicked_into_keeps_its_arrows_and_fits_on_a_projector(page, address, family, settled):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{address}/learn?chapter=collapse&present=yes")
    page.get_by_role("heading", name="How collapse happens").wait_for()
    settled(page)
    assert page.title() == "Learn · Bottleneck"
    page.get_by_role("button", name="Go on without predicting").click()
    page.locator(".race .lanes .lane").nth(1).wait_for()
    settled(page)
    verdicts = page.locator(".race .lanes .verdict")
    ends = [box["y"] + box["height"] for box in (verdicts.nth(lane).bounding_box() for lane in (0, 1))]
    assert max(ends) <= 800
    assert page.locator(".race .play").bounding_box()["y"] >= 0

    page.locator(".race .forth").click()
    page.locator(".race .now", has_text=re.compile("^step 78$")).wait_for()
    page.keyboard.press("ArrowRight")
    page.locator(".race .now", has_text=re.compile("^step 156$")).wait_for()
    page.locator(".race .lanes h2").first.click()
    page.keyboard.press("ArrowLeft")
    page.locator(".race .now", has_text=re.compile("^step 78$")).wait_for()
    assert page.get_by_text("Remember.").count() == 0
    page.keyboard.press("PageDown")
    page.get_by_text("Remember.").wait_for()


def test_the_walk_takes_the_arrows_where_it_was_clicked_into(page, address, family, settled):
    page.goto(f"{address}/learn?chapter=space&present=yes&learned=-.")
    page.locator(".strip .sentence").wait_for()
    settled(page)
    page.locator(".strip .sentence").click()
    page.keyboard.press("ArrowRight")
    page.locator(".strip .t", has_text="t = 0.06").wait_for()
    assert page.get_by_text("Remember.").count() == 0
