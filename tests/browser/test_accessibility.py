"""Every page before axe-core, in light and two in dark, and one chapter of the lesson by the keyboard alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlencode

import pytest

from app import state
from app.lesson.chapter import Place, write_places
from app.lesson.chapters import CHAPTERS

ROOT = Path(__file__).resolve().parents[2]

PAGES = (
    *("", "glossary", "plane", "map", "interpolate", "dimensions", "arithmetic", "train", "runs", "race"),
    "evaluate?evaluate_runs=captions-two-phase",
    "compare?compare_runs=captions-two-phase&compare_runs=captions-plain-vae",
    "learn",
)
WCAG = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
GRAVE = {"serious", "critical"}


@pytest.fixture
def family(folder):
    """The bundled runs."""
    for bundled in (ROOT / "checkpoints").glob("captions-*"):
        shutil.copytree(bundled, folder / bundled.name, ignore=shutil.ignore_patterns("snapshots"))


def seen(page, address, settled, path):
    """What axe-core holds against one page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.goto(f"{address}/{path}")
    page.locator("h1").first.wait_for()
    settled(page)
    return [
        f"/{path} {found['id']}: {node['html'][:200]} ({' '.join(map(str, node['target']))[-120:]})"
        for found in axe.run(page, options=WCAG).response["violations"]
        if found["impact"] in GRAVE
        for node in found["nodes"]
    ]


def test_no_page_has_a_grave_fault(page, address, family, settled):
    faults = [fault for path in PAGES for fault in seen(page, address, settled, path)]
    page.emulate_media(color_scheme="dark")
    read = write_places([Place(0, 2)] * len(CHAPTERS))
    for path in ("race", f"learn?{urlencode({state.LEARN_CHAPTER: 'telling', state.LEARN_PLACES: read})}"):
        faults += seen(page, address, settled, path)
    assert not faults, "\n".join(faults)
