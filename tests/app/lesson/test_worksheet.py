"""The worksheet against the chapters that it is made of."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from app.lesson.chapters import CHAPTERS
from app.lesson.worksheet import TASKS, worksheet


class Reader(HTMLParser):
    """The sections of a sheet, each as the texts of its elements by their tags; and all that it loads."""

    def __init__(self, sheet):
        super().__init__()
        self.sections, self.loaded, self.path = [], [], []
        self.feed(sheet)
        assert not self.path  # all that is opened is closed

    def handle_starttag(self, tag, attributes):
        self.loaded += [value for name, value in attributes if name in {"src", "href"}]
        if tag == "section":
            self.sections.append({})
        if tag != "meta":
            self.path.append(tag)
            if self.sections:
                self.sections[-1].setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.path.pop() == tag

    def handle_data(self, data):
        for tag in {*self.path} & {*self.sections[-1]} if self.sections else ():
            self.sections[-1][tag][-1] += data


def plain(markdown):
    return markdown.replace("*", "")


@pytest.mark.parametrize("answers", [False, True])
def test_every_chapter_is_on_it_and_nothing_is_loaded(answers):
    reader = Reader(worksheet(CHAPTERS, answers=answers))
    assert reader.loaded == []
    assert len(reader.sections) == len(CHAPTERS)
    for number, (section, chapter) in enumerate(zip(reader.sections, CHAPTERS, strict=True), 1):
        assert re.split(r"\s+about ", section["h2"][0])[0].split(None, 1) == [str(number), plain(chapter.title)]
        assert section["p"] == [plain(chapter.question)]
        ticked = [f"{'✓' * (answers and n == chapter.answer)}{plain(o)}" for n, o in enumerate(chapter.options)]
        assert section["li"] == ticked
        assert section["dd"][0] == TASKS[chapter.slug]
        assert section["dd"][1:] == ([plain(chapter.remember)] if answers else ["", ""])


def test_there_is_something_to_do_for_every_chapter_and_no_other():
    assert {*TASKS} == {chapter.slug for chapter in CHAPTERS}


def test_nothing_of_a_chapter_is_markup():
    odd = '<script>1 < 2 & "3"</script> **bold** *z*'
    chapter = replace(CHAPTERS[0], title=odd, question=odd, options=(odd, "b", "c"), remember=odd)
    sheet = worksheet([chapter], answers=True)
    assert "<script" not in sheet
    section = Reader(sheet).sections[0]
    assert section["p"] == ['<script>1 < 2 & "3"</script> bold z']
    assert section["b"][0] == "bold"
