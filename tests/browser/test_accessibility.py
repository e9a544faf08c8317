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


AT_REST = """() => !document.querySelector("[data-stale=true]")
  && !document.getAnimations().some((a) => a.playState === "running" && a.effect.getTiming().iterations === 1)"""
"""Nothing is faded because it is old, and nothing fades in: a colour half-way is not the one that is read."""


@pytest.fixture
def family(folder):
    """The bundled runs."""
    for bundled in (ROOT / "checkpoints").glob("captions-*"):
        shutil.copytree(bundled, folder / bundled.name, ignore=shutil.ignore_patterns("snapshots"))


def faults_now(axe, page, path):
    """What axe-core holds against what is on the page at this moment, each by rule and element."""
    return {
        (
            found["id"],
            " ".join(map(str, node["target"])),
        ): f"/{path} {found['id']}: {node['html'][:200]} {node['any'][:1]}"
        for found in axe.run(page, options=WCAG).response["violations"]
        if found["impact"] in GRAVE
        for node in found["nodes"]
    }


def seen(page, address, settled, path):
    """What axe-core holds against one page, and still holds when it looks again.

    It looks for seconds; a script that runs meanwhile, for a component that has drawn itself, fades what it redraws.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.goto(f"{address}/{path}")
    page.locator("h1").first.wait_for()
    lasting = None
    for _ in range(3):
        settled(page)
        page.wait_for_function(AT_REST)
        found = faults_now(axe, page, path)
        lasting = found if lasting is None else {key: found[key] for key in found if key in lasting}
        if not lasting:
            return []
    return list(lasting.values())


def test_no_page_has_a_grave_fault(page, address, family, settled):
    faults = [fault for path in PAGES for fault in seen(page, address, settled, path)]
    page.emulate_media(color_scheme="dark")
    read = write_places([Place(0, 2)] * len(CHAPTERS))
    for path in ("race", f"learn?{urlencode({state.LEARN_CHAPTER: 'telling', state.LEARN_PLACES: read})}"):
        faults += seen(page, address, settled, path)
    assert not faults, "\n".join(faults)


FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at.getAttribute("aria-label") || (at.matches("button, a") ? at.innerText : at.type || at.tagName);
}"""


def tab_to(page, words):
    """Press Tab until what has these words is in hand; how often."""
    for count in range(1, 60):
        page.keyboard.press("Tab")
        if words in page.evaluate(FOCUSED):
            return count
    raise AssertionError(f"Tab does not lead to {words!r}.")


def test_a_chapter_is_read_with_the_keyboard_alone(page, address, family, settled):
    page.goto(f"{address}/learn")
    page.get_by_role("button", name=CHAPTERS[1].short).wait_for()
    settled(page)
    tab_to(page, CHAPTERS[1].short)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=CHAPTERS[1].title, exact=True).wait_for()
    settled(page)
    assert page.evaluate(FOCUSED) == CHAPTERS[1].title
    tab_to(page, "radio")
    page.keyboard.press("Space")
    page.get_by_text("Walk there yourself.").wait_for()
    settled(page)
    tab_to(page, "Position on the path")
    first = page.locator(".sentence").inner_text()
    page.keyboard.press("End")
    assert page.locator(".sentence").inner_text() != first
    tab_to(page, "Show what is so")
    page.keyboard.press("Enter")
    page.get_by_text("Remember.").wait_for()
    settled(page)
    assert page.evaluate(FOCUSED) == "What is so"
    assert 0 < page.locator(".st-key-learn_space_2").bounding_box()["y"] < page.viewport_size["height"] / 2
    assert tab_to(page, f"Next: {CHAPTERS[2].title}") < 20  # on from there, and not from the top
