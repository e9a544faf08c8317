"""The page Race, run through the frame over synthetic runs; the drawing and the clocks as plain data."""

import json
import os
from urllib.parse import parse_qs

import psutil
import pytest

from app import backend, state
from app.backend.races import Check, Lane
from app.components import race_lanes
from tests.app.frame import open_page, press, said
from vae import recipes
from vae.runs import Status


def shown(at):
    return at.multiselect(key=state.RACE_RUNS).value


def links(at):
    return {link.proto.label: link.proto for link in at.get("page_link")}


@pytest.fixture
def pair(make_run):
    """A healthy and a collapsed run, which have ended."""
    for name, recipe in (("sound", "two-phase"), ("flat", "plain-vae")):
        run = make_run(name, recipe)
        run.model_path.mkdir()
        (run.model_path / "config.json").write_text("{}", encoding="utf-8")
    return ["sound", "flat"]


@pytest.fixture
def launched(monkeypatch):
    """What was launched together, instead of training it."""
    found = {}
    monkeypatch.setattr("app.backend.races.jobs.launch_together", lambda lanes: found.update(lanes) or [])
    return found


def lane_of(name, *steps):
    checks = [Check(step=step, phase=2, effort=step / 10, figures={}, verdict=None) for step in steps]
    return Lane(name=name, checks=checks, seconds=[step / 10 for step in steps], sentences=[None] * len(steps))


def test_a_clock_ticks_at_every_check_and_says_which_is_the_last_by_then():
    steps, shares, seconds = race_lanes.clocks([lane_of("a", 0, 50, 100), lane_of("b", 50, 200)], [100, 200])
    assert [tick["frames"] for tick in steps["ticks"]] == [[0, -1], [1, 0], [2, 0], [2, 1]]
    assert [tick["label"] for tick in steps["ticks"]] == ["step 0", "step 50", "step 100", "step 200"]
    assert [tick["label"] for tick in shares["ticks"]] == [f"{share} % of training" for share in (0, 25, 50, 100)]
    assert [tick["frames"] for tick in shares["ticks"]] == [[0, -1], [0, 0], [1, 0], [2, 1]]
    assert seconds["ticks"][-1] == {"label": "20 s of training", "frames": [2, 1]}


def test_without_a_check_there_is_no_tick():
    assert all(clock["ticks"] == [] for clock in race_lanes.clocks([lane_of("a"), lane_of("b")], [1, 1]))


def test_what_the_browser_gets_tells_the_race(pair):
    entries, lanes = [backend.entry(name) for name in pair], [backend.lane(name) for name in pair]
    drawn = race_lanes.drawing(entries, lanes, backend.colours())
    json.dumps(drawn, allow_nan=False)
    sound, flat = drawn["lanes"]
    assert [check["verdict"] for check in (sound["checks"][-1], flat["checks"][-1])] == ["healthy", "collapsed"]
    assert sound["turns"][-1]["words"].endswith("→ healthy")
    turn = sound["checks"][sound["turns"][-1]["check"]]
    assert turn["verdict"] == "healthy"
    assert f"step {turn['step']:,}:" in sound["turns"][-1]["words"]
    written = sound["written"][sound["checks"][-1]["page"]]
    assert (len(written["pairs"]), sum(count for _, count in written["prior"])) == (3, 3)
    assert flat["written"][flat["checks"][-1]["page"]]["prior"] == [["a man is standing on a street .", 3]]
    assert not drawn["live"]
    assert (sound["total"], sound["said"]) == (3130, "")
    assert drawn["key"] == race_lanes.drawing(entries, lanes, backend.colours())["key"]


def test_a_run_in_training_says_where_it_is():
    status = Status(state="running", phase=2, step=26, total_steps=3130, eta_s=50.0)
    entry = backend.Entry(name="a", state="running", status=status, phases=(1, 2))
    step = race_lanes.reached(entry, lane_of("a", 0, 32))
    assert race_lanes.standing(entry, step) == "step 32 of 3,130 · phase 2 of 2, finetuning · about 50 s left"
    assert race_lanes.reached(entry, lane_of("a")) == 26
    early = backend.Entry(name="a", state="queued", status=Status(message="Starting."))
    assert race_lanes.standing(early, 0) == "Starting."
    lost = backend.Entry(name="a", state="failed", status=Status(state="failed", step=26, message="It was killed."))
    assert race_lanes.standing(lost, 26) == "Ended without finishing. It was killed."


def test_a_run_of_one_phase_is_in_no_numbered_phase():
    status = Status(state="running", phase=2, step=26, total_steps=1878)
    entry = backend.Entry(name="a", state="running", status=status, phases=(2,))
    assert race_lanes.standing(entry, 26) == "step 26 of 1,878 · finetuning"


def test_in_the_warm_up_nobody_is_accused_and_before_the_first_step_no_figure_is_shown(pair):
    entries, lanes = [backend.entry(name) for name in pair], [backend.lane(name) for name in pair]
    sound, flat = race_lanes.drawing(entries, lanes, backend.colours())["lanes"]
    warm_up = [check for check in sound["checks"] if check["phase"] == 1]
    assert [check["value"] for check in (sound["checks"][0], flat["checks"][0])] == ["–", "–"]
    assert [check["verdict"] for check in warm_up] == ["unknown", *["warm-up"] * (len(warm_up) - 1)]
    assert warm_up[-1]["headline"] == "Warm-up: KL costs nothing yet; the verdict comes in phase 2."
    assert sound["turns"][0]["words"].endswith(": warm-up")
    assert "warm-up" not in {check["verdict"] for check in flat["checks"]}
    assert sound["phases"] == {1: "phase 1 of 2, encoder warm-up", 2: "phase 2 of 2, finetuning"}
    assert flat["phases"] == {2: "finetuning"}


def test_a_run_that_was_stopped_does_not_end_the_race(make_run):
    make_run("halted", "plain-vae", share=0.5, state="stopped")
    drawn = race_lanes.drawing([backend.entry("halted")], [backend.lane("halted")], backend.colours())
    assert drawn["lanes"][0]["ending"] == "At step 939 of 1,878"
    make_run("done", "plain-vae")
    drawn = race_lanes.drawing([backend.entry("done")], [backend.lane("done")], backend.colours())
    assert drawn["lanes"][0]["ending"] == "At the end"


def test_recipes_that_are_not_equally_long_are_said_to_be_so(pair, make_run):
    words = "sound has 3,130 steps in two phases, flat has 1,878 steps in one phase."
    assert words in said(open_page("race", race="sound,flat"))
    make_run("alike")
    assert "how many steps" not in said(open_page("race", race="sound,alike"))


def test_the_first_verdict_is_no_change_of_one():
    assert race_lanes.turned(156, "unknown", "disconnected") == "step 156: disconnected"
    assert race_lanes.turned(1240, "weak", "healthy") == "step 1,240: weak → healthy"


def test_the_runs_of_a_race_are_stopped_together(pair, make_run, monkeypatch):
    stopped = []
    monkeypatch.setattr("app.backend.stop", stopped.append)
    make_run("going", state="running", share=0.5, pid=os.getpid(), process_started=psutil.Process().create_time())
    at = open_page("race", race="sound,going")
    assert "How it ended" not in said(at)
    press(at, "Stop the race")
    assert stopped == ["going"]


def test_without_runs_the_form_is_open(root):
    at = open_page("race")
    assert at.button(key="race_launch").label == "Start the race"
    assert "4,000 sentences to train on" in said(at)
    assert "They start at once" in said(at)


def test_runs_that_have_ended_are_replayed_and_the_end_is_told(pair):
    at = open_page("race", race="sound,flat")
    assert shown(at) == pair
    assert "sound** &nbsp; Healthy: the decoder reads z" in said(at)
    assert "flat** &nbsp; Collapsed: z is empty" in said(at)
    ways = links(at)
    walk = ways["Walk in sound and flat"]
    assert walk.page == "interpolate"
    assert parse_qs(walk.query_string) == {state.RUN: ["sound"], state.WALK_WITH: ["flat"]}
    assert parse_qs(ways["Evaluate side by side"].query_string) == {state.EVALUATE_RUNS: ["sound", "flat"]}


def test_the_healthy_run_leads_on_though_it_is_named_last(pair):
    at = open_page("race", race=["flat", "sound"])
    assert shown(at) == ["flat", "sound"]
    assert "Map of sound" in links(at)


def test_a_run_that_there_is_not_is_said_not_to_be(pair):
    at = open_page("race", race="sound,gone")
    assert "race=gone" in said(at)
    assert shown(at) == ["sound"]


def test_a_link_fills_the_form_in_and_launching_races_the_recipes_side_by_side(pair, launched):
    at = open_page("race", race_recipes=["two-phase", "annealed-vae"], race_seed="5", race_size="Full")
    assert at.text_input(key=state.RACE_NAME).value == "race-1"
    at.button(key="race_launch").click().run()
    assert not at.exception
    assert list(launched) == ["race-1-two-phase", "race-1-annealed-vae"]
    assert {(config.train.seed, config.data.train_sentences) for config in launched.values()} == {(5, None)}


def test_a_size_or_a_recipe_that_there_is_not_is_said_not_to_be(root):
    at = open_page("race", race_recipes=["two-phase", "three-phase"], race_size="huge")
    assert "race_recipes=three-phase" in said(at)
    assert "race_size=huge" in said(at)


def test_runs_that_differ_in_more_than_their_recipe_are_said_to(pair, make_run):
    assert "differ in more" not in said(open_page("race", race="sound,flat"))
    make_run("seeded", config=recipes.get("plain-vae").with_settings(["train.seed=7", "model.base=fresh"]))
    at = open_page("race", race="sound,seeded")
    assert "differ in more than their recipe: in their seed and starting weights" in said(at)


def test_on_a_text_of_ones_own_all_begin_with_a_fresh_t5(root, tmp_path, launched):
    path = tmp_path / "mine.txt"
    path.write_text("\n".join(f"sentence {number} is here ." for number in range(60)), encoding="utf-8")
    at = open_page("race")
    at.segmented_control(key=state.RACE_TEXT).set_value("File path").run()
    assert "text is missing" in said(at)
    at.text_input(key=state.RACE_PATH).set_value(str(path)).run()
    assert "A fresh T5 is pre-trained on them first" in said(at)
    at.button(key="race_launch").click().run()
    assert not at.exception
    assert {(config.data.corpus, config.model.base) for config in launched.values()} == {(f"file:{path}", "fresh")}


def test_one_recipe_is_no_race(root, launched):
    at = open_page("race", race_recipes=["two-phase"])
    assert "two recipes" in said(at)
    assert at.button(key="race_launch").disabled
    assert not launched


def test_a_name_that_somebody_typed_stays(root):
    at = open_page("race")
    at.text_input(key=state.RACE_NAME).set_value("monday").run()
    at.number_input(key=state.RACE_SEED).set_value(3).run()
    assert at.text_input(key=state.RACE_NAME).value == "monday"
    assert "race-monday-two-phase" in said(at)


@pytest.mark.parametrize(
    ("text", "place"), [("40", 40), ("0", 0), ("999", 100), ("-3", None), ("x", None), (None, None)]
)
def test_a_link_says_where_the_race_is_first_seen(pair, text, place, monkeypatch):
    seen = []
    monkeypatch.setattr(race_lanes, "race_lanes", seen.append)
    open_page("race", race="sound,flat", **({state.RACE_START: text} if text else {}))
    assert seen[-1]["start"] == place
