import json

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as hs

from app import backend
from app.components import curves, training_monitor
from app.glossary import CURVES, METRICS

COLOURS = {"one": "#2F7FC1", "two": "#DE8A00"}
USUAL = curves.looked(None)


def drawn(names=("one",), look=USUAL, **options):
    courses = {name: backend.course(name) for name in names}
    data = curves.drawing(courses, COLOURS, look, latent_size=32, **options)
    return json.loads(json.dumps(data, allow_nan=False))


def test_each_measured_figure_has_a_panel_in_words_with_its_unit_and_definition(make_run):
    make_run("one", share=0.3)
    panels = drawn()["panels"]
    without = ("memory_mb", "gpu_memory_mb", "denoising_nats")  # this run knows nothing of them
    assert [panel["name"] for panel in panels] == [name for name in CURVES if name not in without]
    for panel in panels:
        metric = METRICS[panel["name"]]
        assert (panel["title"], panel["symbol"], panel["definition"]) == (
            metric.title,
            metric.symbol,
            metric.definition,
        )
    named = {panel["name"]: panel for panel in panels}
    assert named["kl_nats"]["beside"] == "kl_charged_nats"
    assert named["mi_nats"]["beside"] == "mi_ceiling_nats"
    assert (named["active_units"]["top"], named["active_units"]["unit"]) == (32, "of 32")


def test_every_run_brings_what_is_drawn_and_nothing_else(make_run):
    make_run("one", share=0.3)
    make_run("two", "plain-vae", share=0.2)
    runs = drawn(("one", "two"))["runs"]
    assert [(run["letter"], run["colour"]) for run in runs] == [("A", "#2F7FC1"), ("B", "#DE8A00")]
    for run in runs:
        course = backend.course(run["name"])
        assert run["valid"]["figures"]["kl_nats"]["last"] == course.valid["figures"]["kl_nats"]["last"]
        assert "ppl_word" not in run["valid"]["figures"]
        assert len(run["places"]["epoch"]) == len(run["places"]["hours"]) == len(run["places"]["step"])


def test_the_payload_stays_bounded(make_run):
    run = make_run("one", share=0.0)
    lines = [
        json.dumps({"step": step, "phase": 2, "split": split, **dict.fromkeys(CURVES, step / 7)})
        for step in range(20_000)
        for split in ("train", "valid")
    ]
    run.metrics_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert len(json.dumps(drawn())) < 400_000


def test_phases_are_those_of_the_first_run_in_words(make_run):
    make_run("one")
    make_run("two", "plain-vae")
    assert [phase["name"] for phase in drawn(("one", "two"))["phases"]] == ["1 encoder warm-up", "2 finetuning"]
    assert [phase["name"] for phase in drawn(("two", "one"))["phases"]] == ["finetuning"]
    assert [phase["said"] for phase in drawn(("one", "two"))["phases"]][1] == "phase 2 of 2, finetuning"


def test_the_dimensions_stand_by_their_final_kl(make_run):
    run = make_run("one", share=0.0)
    for step, kl in ((100, [5.0, 1.0, 0.0]), (200, [0.0, 2.0, 1.0])):
        with run.metrics_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "phase": 2, "split": "valid", "kl_per_dim_nats": kl}) + "\n")
    heat = drawn()["heat"]
    assert heat["order"] == [1, 2, 0]
    assert heat["steps"] == [100, 200]  # the check at step 0 had another number of dimensions
    assert heat["kl"] == [[5.0, 1.0, 0.0], [0.0, 2.0, 1.0]]


def test_what_is_looked_at_closely_is_measured_finely(make_run):
    run = make_run("one", share=0.0)
    lines = [
        json.dumps({"step": step, "phase": 2, "split": "train", "rec_nats": float(step)}) for step in range(1, 5000)
    ]
    run.metrics_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert drawn()["runs"][0]["close"] is None
    close = drawn(look={**USUAL, "steps": {"one": [100, 150], "gone": [1, 2]}})["runs"][0]["close"]
    assert close["train"]["last"] == list(range(100, 151))
    assert drawn(look={**USUAL, "steps": {"gone": [1, 2]}})["runs"][0]["close"] is None


JSON = hs.recursive(
    hs.none() | hs.booleans() | hs.integers() | hs.floats() | hs.text(max_size=5),
    lambda inner: hs.lists(inner, max_size=3) | hs.dictionaries(hs.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(hs.dictionaries(hs.sampled_from(["x", "log", "smooth", "range", "steps"]), JSON) | JSON)
def test_whatever_comes_from_the_browser_is_read_as_a_way_to_look(said):
    look = curves.looked(said)
    assert look.keys() == USUAL.keys()
    assert look["x"] in curves.AXES
    assert set(look["log"]) <= set(CURVES)
    assert look["smooth"] >= 0
    json.dumps(look, allow_nan=False)


@pytest.mark.parametrize(
    "look",
    [
        USUAL,
        USUAL | {"x": "hours", "log": ["kl_nats", "rec_nats"], "smooth": 200, "range": [0.25, 1.5]},
        USUAL | {"range": [120, 900]},
    ],
)
def test_the_url_says_how_it_is_looked_at(look, monkeypatch):
    monkeypatch.setattr(st, "query_params", {"run": "one"})
    curves.remember(look)
    assert curves.from_url() == look
    assert st.query_params.pop("run") == "one"
    assert bool(st.query_params) == (look != USUAL)


@pytest.mark.parametrize("text", ["", "a~b", "9~3", "1e9~1e10", "~", "1~2~3", "-1~2", "99999999999~1"])
def test_a_range_that_is_none_shows_all(text, monkeypatch):
    monkeypatch.setattr(st, "query_params", {"runs_range": text, "runs_x": text, "runs_smooth": text, "runs_log": text})
    assert curves.from_url() == USUAL


def test_a_slider_has_few_stops_and_always_the_chosen_and_the_newest():
    steps = list(range(0, 100_000, 7))
    stops = training_monitor.offered(steps, 77)
    assert len(stops) <= training_monitor.MOST_STOPS + 2
    assert {0, 77, steps[-1]} <= set(stops)
    assert training_monitor.offered([0, 5, 9], 5) == [0, 5, 9]


def test_the_nearest_step_is_shown():
    assert training_monitor.nearest([0, 80, 160], 100) == 80
    assert training_monitor.nearest([0, 80, 160], 1e9) == 160
