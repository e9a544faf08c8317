"""Links from page to page, and the browser's own buttons: the URL names the run that is on the screen."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNS = ("captions-plain-vae", "captions-two-phase")


@pytest.fixture
def bundled(folder):
    """Two of the bundled runs."""
    for name in RUNS:
        shutil.copytree(ROOT / "checkpoints" / name, folder / name, ignore=shutil.ignore_patterns("snapshots"))


def test_the_url_names_the_run_through_links_and_back_again(page, address, bundled, settled):
    def shows(title, run):
        page.get_by_role("heading", name=title, level=1).wait_for()
        page.wait_for_url(re.compile(rf"/{title.lower()}\?run={run}\b"))
        settled(page)
        assert page.locator(".st-key-run input").input_value() == run

    mine, other = RUNS
    page.goto(f"{address}/runs?run={mine}")
    shows("Runs", mine)
    page.locator('[data-testid="stPageLink"] a', has_text="Map").first.click()
    shows("Map", mine)
    page.locator(".st-key-run input").click()
    page.get_by_role("option", name=other, exact=True).click()
    shows("Map", other)
    page.go_back()
    shows("Map", mine)
    page.go_back()
    shows("Runs", mine)
    page.go_forward()
    shows("Map", mine)
