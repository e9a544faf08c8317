"""Places in the lesson as links keep them, and the chapters themselves."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lesson.chapter import Place, read_places, run_of, write_places
from app.lesson.chapters import CHAPTERS

OPTIONS = 3
PLACES = st.one_of(
    st.builds(Place, st.none(), st.integers(0, 2)),
    st.builds(Place, st.integers(0, OPTIONS - 1), st.integers(1, 2)),
)


@given(st.lists(PLACES, min_size=len(CHAPTERS), max_size=len(CHAPTERS)))
def test_a_link_tells_of_every_place(places):
    assert read_places(write_places(places), CHAPTERS) == places


@given(st.text(max_size=8))
def test_any_text_in_a_link_is_some_place(text):
    places = read_places(text, CHAPTERS)
    assert len(places) == len(CHAPTERS)
    for place, chapter in zip(places, CHAPTERS, strict=True):
        assert 0 <= place.shown <= 2
        assert place.guess is None or 0 <= place.guess < len(chapter.options)


@given(PLACES)
def test_a_step_on_and_back(place):
    assert place.on().shown == min(2, place.shown + 1)
    assert place.back().shown == max(0, place.shown - 1)
    assert place.on().guess == place.guess
    assert place.back().shown == 1 or place.back() == Place()


def test_who_begins_has_a_link_without_letters():
    assert write_places([Place()] * len(CHAPTERS)) == ""


def test_the_chapters_can_be_told_apart_and_answered():
    assert len({chapter.slug for chapter in CHAPTERS}) == len(CHAPTERS)
    for chapter in CHAPTERS:
        assert len(set(chapter.options)) == len(chapter.options) >= 3
        assert 0 <= chapter.answer < len(chapter.options)
    assert len({chapter.answer for chapter in CHAPTERS}) > 1  # never always the same place
    assert sum(chapter.minutes for chapter in CHAPTERS) <= 20  # "about twenty minutes", as Home and README say


def test_the_guide_for_instructors_has_every_chapter_in_order():
    guide = (Path(__file__).resolve().parents[3] / "docs" / "teaching.md").read_text(encoding="utf-8")
    rows = [row.split(" | ")[:3] for row in guide.splitlines() if row.startswith("| ") and row[2].isdigit()]
    assert rows == [[f"| {n}", each.title, str(each.minutes)] for n, each in enumerate(CHAPTERS, 1)]


def test_a_run_of_a_recipe_is_the_bundled_one_else_the_newest(make_run):
    with pytest.raises(ValueError, match="needs a finished run of the recipe 'two-phase'"):
        run_of("two-phase")
    make_run("half", state="stopped", share=0.5)
    with pytest.raises(ValueError, match="two-phase"):
        run_of("two-phase")
