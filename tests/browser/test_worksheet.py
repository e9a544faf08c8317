"""The worksheet, printed."""

import re

import pytest

from app.lesson.chapters import CHAPTERS
from app.lesson.worksheet import worksheet


@pytest.mark.parametrize("answers", [False, True])
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_it_fits_on_two_sheets(browser, paper, answers):
    page = browser.new_page()
    page.set_content(worksheet(CHAPTERS, answers=answers))
    printed = page.pdf(format=paper)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.close()
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 2
    assert wide <= 0
