"""Races: the verdict as it went, who races, and how they are launched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import backend
from app.backend import races
from vae import recipes
from vae.runs import append_line


def event(step, delta=None, *, phase=2, split="valid", **figures):
    """A check whose delta NLL decides the verdict: none below 0.5 nats, little below 2, enough above."""
    known = {"delta_nll_nats": delta, "kl_nats": 8.0, "mi_nats": 3.0, "active_units": 32, "mi_ceiling_nats": 6.2}
    return {"step": step, "phase": phase, "split": split} | (known if delta is not None else {}) | figures


EARNED = [event(0, 0.1), event(40, 1.0), event(80, 6.0), event(120, 7.0)]


def test_the_verdict_at_a_check_is_that_on_the_figures_of_this_check():
    found = races.checks(EARNED)
    assert [(check.step, check.name) for check in found] == [
        *((0, "unknown"), (40, "weak"), (80, "healthy"), (120, "healthy"))
    ]
    assert races.turns([check.name for check in found]) == [(1, "unknown", "weak"), (2, "weak", "healthy")]
    assert found[2].figures["delta_nll_nats"] == 6.0


@given(st.lists(st.floats(-1, 20), min_size=1, max_size=12), st.data())
def test_live_and_replay_say_the_same(deltas, data):
    """What is said at a check does not depend on what comes after it."""
    events = [event(10 * step, delta) for step, delta in enumerate(deltas)]
    seen = data.draw(st.integers(1, len(events)))
    assert races.checks(events[:seen]) == races.checks(events)[:seen]


def test_a_check_without_figures_keeps_what_was_known_and_before_any_there_is_no_verdict():
    found = races.checks([event(0, phase=0, denoising_nats=3.0), event(10, 6.0), event(20)])
    assert [check.name for check in found] == ["unknown", "healthy", "healthy"]
    assert found[0].verdict is None
    assert found[2].figures["step"] == 10


def test_before_training_has_begun_nothing_is_said_against_a_model():
    found = races.checks([event(0, -0.4), event(10, -0.4)])
    assert [(check.name, check.verdict.headline) for check in found] == [
        ("unknown", "Not trained yet."),
        ("disconnected", "Disconnected: the encoder fills z, but the decoder does not read it."),
    ]
    after_pretraining = races.checks([event(300, phase=0), event(300, -0.4, phase=1, epoch=0.0)])
    assert [check.verdict.headline for check in after_pretraining] == ["Not trained yet."]


def test_what_a_crash_has_mangled_is_passed_over():
    odd = [{}, {"step": "7", "phase": 2, "split": "valid"}, event(5, 6.0, phase=None), event(True, 6.0)]
    assert races.checks(odd) == []
    assert [check.name for check in races.checks([event(5, "much")])] == ["unknown"]


def test_time_is_reckoned_from_the_measured_speed():
    logged = [event(10, split="train", sentences_per_second=5.0), event(10, 1.0), event(20, 1.0)]
    logged += [event(30, split="train", sentences_per_second=20.0), event(30, 1.0)]
    assert [check.effort for check in races.checks(logged)] == [2.0, 2.0, 3.0]


def test_of_many_checks_the_first_the_newest_and_the_turns_stay():
    found = races.checks([event(step, 6.0 if step > 4711 else 0.1) for step in range(10, 20_000, 10)])
    kept = races.thinned(found)
    assert races.MOST_CHECKS / 2 < len(kept) <= races.MOST_CHECKS + 2
    assert (kept[0].step, kept[-1].step) == (10, 19_990)
    assert [kept[index].step for index, _, _ in races.turns([check.name for check in kept])] == [4720]
    assert races.thinned(found[:3]) == found[:3]


def test_a_lane_ends_with_the_verdict_that_every_page_says(make_run):
    make_run("sound")
    make_run("collapsed", "plain-vae")
    for name in ("sound", "collapsed"):
        lane = backend.lane(name)
        assert lane.checks[-1].verdict == backend.verdict(name)
        assert [written["step"] for written in lane.sentences] == [check.step for check in lane.checks]
        assert lane.seconds == sorted(lane.seconds)
        assert lane.seconds[-1] == pytest.approx(3600 * backend.course(name).hours[-1], rel=0.02)


def test_a_lane_goes_on_where_its_last_reading_ended(make_run):
    run = make_run("growing", share=0.5)
    before = backend.lane("growing")
    append_line(run.metrics_path, event(9000, 6.0))
    after = backend.lane("growing")
    assert [check.step for check in after.checks] == [*(check.step for check in before.checks), 9000]
    assert after.sentences[-1] == before.sentences[-1]
    assert backend.race_key(before) != backend.race_key(after) == backend.race_key(backend.lane("growing"))


def test_all_recipes_of_a_race_get_the_same_seed_and_text():
    quick = [backend.race_config(name, "quick", 7) for name in recipes.RECIPES]
    assert {(config.train.seed, config.data.seed, config.data.train_sentences) for config in quick} == {(7, 7, 4000)}
    assert backend.race_config("two-phase", "full", 0) == recipes.two_phase()
    assert quick[0].phase2 == recipes.two_phase().phase2  # a quick race is the recipe itself, on fewer sentences


def test_on_a_text_of_ones_own_a_fresh_t5_begins():
    config = backend.race_config("two-phase", "quick", 0, "file:/texts/mine.txt")
    assert (config.data.corpus, config.model.base) == ("file:/texts/mine.txt", "fresh")


def test_the_names_of_a_race(make_run):
    pair = ["two-phase", "plain-vae"]
    assert backend.race_names(backend.fresh_race(pair), pair) == ["race-1-two-phase", "race-1-plain-vae"]
    make_run("race-1-plain-vae", "plain-vae")
    assert backend.fresh_race(pair) == "race-2"
    assert backend.race_names("monday", pair) == ["race-monday-two-phase", "race-monday-plain-vae"]
    assert backend.fresh_race(["annealed-vae", "two-phase"]) == "race-1"
    for stem, chosen, words in (
        *(("1", pair, "already a run"), ("a b", pair, "cannot name a run"), (" ", pair, "needs a name")),
        ("x", pair[:1], "two recipes"),
    ):
        with pytest.raises(ValueError, match=words):
            backend.race_names(stem, chosen)


def test_a_race_starts_all_its_runs_at_once(root, monkeypatch):
    begun = []
    monkeypatch.setattr("vae.jobs._begin", lambda run, at_once: begun.append((run.name, at_once)))
    configs = {f"race-1-{name}": backend.race_config(name, "quick", 3) for name in ("two-phase", "plain-vae")}
    assert backend.launch_race(configs) == list(configs)
    assert begun == [("race-1-two-phase", 2), ("race-1-plain-vae", 2)]
    assert backend.config("race-1-plain-vae").train.seed == 3
    assert backend.queue().waiting == ()
