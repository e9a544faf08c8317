"""The page Evaluate in a browser: measure a run, read what was found, and take tables and figures along."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from app import state
from vae import report
from vae.runs import Run

FIGURES = 6
"""Over a single run."""
MEASURING = 120
"""Seconds, on a machine that does other things as well."""


@pytest.fixture
def small(folder: Path, trained_run: Run) -> Run:
    """A trained run of the tiny configuration that has not been measured."""
    shutil.copytree(trained_run.path, folder / "small")
    return Run(folder / "small")


def measure(page, settled, address):
    """From the button on its card to the figures, without a reload."""
    page.goto(f"{address}/evaluate")
    page.get_by_text("Not measured yet.").wait_for()
    assert page.locator('[data-testid="stPlotlyChart"]').count() == 0
    page.locator(f".st-key-{state.samples('small')}").get_by_text("10", exact=True).click()
    settled(page)
    page.get_by_role("button", name="Measure it").click()
    page.get_by_role("progressbar").wait_for()
    page.get_by_text(re.compile("test sentences · K = 10")).wait_for(timeout=1000 * MEASURING)
    page.locator('[data-testid="stPlotlyChart"] .main-svg').nth(2 * FIGURES).wait_for(state="attached")
    settled(page)


def figure(page, name):
    """The figure of a key."""
    return page.locator(f".st-key-evaluate_figure_{name}")


def downloaded(page, button, folder):
    """What a click on a button saves, by its name."""
    with page.expect_download() as waiting:
        button.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def read_the_plane(page, settled, kept):
    """Under the pointer, the point of the run says what it is."""
    plane = figure(page, "rate-distortion")
    plane.scroll_into_view_if_needed()
    settled(page)
    point = plane.locator(".scatterlayer .trace .points path").last.bounding_box()
    page.mouse.move(point["x"] + point["width"] / 2 + 20, point["y"] + point["height"] / 2)
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2, steps=5)
    words = plane.locator(".hoverlayer").get_by_text(re.compile("KL .* nats")).text_content()
    assert f"{kept.neg_elbo_nats:.3g}"[:3] in words


def test_a_run_is_measured_read_and_taken_along(page, settled, address, small, tmp_path):
    measure(page, settled, address)
    kept = report.load(small)
    assert kept.samples == 10
    read_the_plane(page, settled, kept)

    table = downloaded(page, page.get_by_role("button", name="Download CSV"), tmp_path)
    (row,) = csv.DictReader(table.read_text("utf-8").splitlines())
    assert (row["run"], float(row["kl_nats"])) == ("small", kept.kl_nats)
    latex = downloaded(page, page.get_by_role("button", name="Download LaTeX"), tmp_path)
    assert latex.read_text("utf-8").startswith("\\begin{tabular}")

    for name, axis in (("rate-distortion", "KL (nats)"), ("kl-parts", "KL (nats)"), ("mi-by-sentences", "MI (nats)")):
        button = figure(page, name).locator('.modebar-btn[data-title="Download plot"]')
        saved = downloaded(page, button, tmp_path)
        assert saved.name == f"{name}.svg"
        drawn = ElementTree.parse(saved).getroot()
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert axis in "".join(drawn.itertext())
        ground = drawn.find("{http://www.w3.org/2000/svg}rect")
        assert "rgb(253, 252, 249)" in ground.get("style")  # words are dark: it is legible on paper

    page.get_by_text("Show 95 % intervals").click()
    page.wait_for_url(re.compile("evaluate_intervals=true"))
    settled(page)
    assert page.locator('[data-testid="stException"]').count() == 0
