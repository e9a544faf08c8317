"""The lesson through the frame, on the runs that came along. What the browser draws is tested there."""

import shutil
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from app import backend, state
from app.lesson import collapse, space, switches
from app.lesson.chapters import CHAPTERS
from tests.app.frame import open_page, press, said
from vae import bundle

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ("two-phase", "plain-vae", "as-released", "language-model")
SLUGS = [chapter.slug for chapter in CHAPTERS]
LEFT_OUT = shutil.ignore_patterns("snapshots", "projections", "codes")


@pytest.fixture(autouse=True)
def nobody():
    for slug in SLUGS:
        backend.forget_predictions(slug)


@pytest.fixture
def family(root):
    for recipe in RECIPES:
        shutil.copytree(ROOT / "checkpoints" / f"captions-{recipe}", root / f"captions-{recipe}", ignore=LEFT_OUT)


def test_a_chapter_without_its_runs_says_which_to_train(root):
    at = open_page("learn", chapter="space")
    assert "needs a finished run" in said(at)
    assert [link.label for link in at.get("page_link")] == ["Train two-phase", "Train plain-vae"]
    assert not at.radio


def test_a_prediction_opens_what_to_do_and_the_truth_comes_when_it_is_asked_for(family):
    at = open_page("learn", chapter="objective")
    chapter = CHAPTERS[SLUGS.index("objective")]
    assert chapter.remember not in said(at)
    assert not at.select_slider
    at.radio[0].set_value(chapter.options[0]).run()
    assert at.query_params[state.LEARN_PLACES] == "--a"
    assert at.select_slider
    assert chapter.remember not in said(at)
    press(at, "Show what is so")
    assert at.query_params[state.LEARN_PLACES] == "--A"
    assert f"It turns out otherwise: {chapter.options[chapter.answer]}." in said(at)
    assert chapter.remember in said(at)
    press(at, f"Next: {CHAPTERS[3].title}")
    assert at.query_params[state.LEARN_CHAPTER] == "collapse"
    press(at, "Back")
    assert at.query_params[state.LEARN_CHAPTER] == "objective"
    press(at, "Back")
    press(at, "Back")
    assert state.LEARN_PLACES not in at.query_params
    assert at.radio[0].value is None


def test_a_link_brings_progress_and_leaves_parts_out(family):
    at = open_page("learn", chapter="losses", learned="BB,---B", hide="chapters,share")
    assert [button.label for button in at.button if button.label.startswith("1 ")] == []
    assert "Lesson link" not in [block.label for block in at.get("popover")]
    assert CHAPTERS[1].remember not in said(at)
    at = open_page("learn", chapter="losses", learned="BB,---B")
    done = [button for button in at.button if button.key and button.key.startswith("learn_open_")]
    assert [button.icon != "" for button in done] == [True, True, True, False, False, False, True]


def test_runs_that_ship_and_are_not_there_are_said_with_the_command_that_makes_them(make_run):
    at = open_page("learn", chapter="switches")
    assert at.code[0].value == f"python -m vae bundle --all --only {' '.join(bundle.cube().values())}"
    assert not at.radio
    *there, lost = bundle.cube().values()
    for name in there:
        make_run(name)
    at = open_page("learn", chapter="switches")
    assert at.code[0].value == f"python -m vae bundle --all --only {lost}"
    make_run(lost, state="running", share=0.5)
    assert open_page("learn", chapter="switches").code[0].value.endswith(lost)


def test_a_switch_shows_the_run_that_was_trained_without_it(make_run):
    for each in bundle.FAMILY:
        if each.name in bundle.cube().values():
            make_run(each.name, config=each.config)
    at = open_page("learn", chapter="switches", learned="-----.")
    assert [switch.value for switch in at.toggle[:3]] == [True] * 3
    assert "captions-switch-warmup-free-bits-noise" in said(at)
    at.toggle[1].set_value(False).run()
    assert not at.exception
    assert ("captions-switch-warmup-noise" in said(at), "collapsed" in said(at)) == (True, True)
    at = open_page("learn", chapter="switches", learned="-----b", learn_warmup="false", learn_noise="false")
    assert [switch.value for switch in at.toggle[:3]] == [False, True, False]
    assert "captions-free-bits-only" in said(at)
    press(at, "Show what is so")
    assert "As you predicted" in said(at)
    assert "<table" in said(at)
    at = open_page("learn", chapter="switches", learned="-----.", learn_noise="perhaps")
    assert "learn_noise=perhaps" in said(at)


def test_an_unknown_chapter_is_said(family):
    at = open_page("learn", chapter="nowhere")
    assert "chapter=nowhere" in said(at)
    assert CHAPTERS[0].title in said(at)


def test_what_each_model_costs_follows_the_price(family):
    at = open_page("learn", chapter="objective", learned="--.")
    assert "lowest for :color[●]" in said(at)
    assert "captions-two-phase" in said(at).split("lowest for")[1]
    at.select_slider[0].set_value(4.0).run()
    assert "captions-two-phase" not in said(at).split("lowest for")[1]
    at = open_page("learn", chapter="objective", learned="--.", learn_weight="0.3")
    assert "At β = 0.3 the objective" in said(at)
    assert "learn_weight=8" in said(open_page("learn", chapter="objective", learned="--.", learn_weight="8"))


def test_the_truths_of_the_lesson_are_those_of_its_runs(family):
    """The options that are marked as true, checked on the reports and histories that the chapters show."""
    figures = {recipe: backend.figures(f"captions-{recipe}") for recipe in RECIPES}
    assert figures["plain-vae"]["neg_elbo_nats"] < figures["two-phase"]["neg_elbo_nats"]
    assert figures["language-model"]["neg_elbo_nats"] < figures["two-phase"]["neg_elbo_nats"]
    kl = [check.figures["kl_nats"] for check in backend.lane("captions-plain-vae").checks]
    assert kl[0] > 1
    assert max(kl[len(kl) // 4 :]) < 0.5
    released = figures["as-released"]
    assert released["active_units"] == 32
    assert released["mi_nats"] > released["mi_ceiling_nats"] - 0.1
    assert abs(released["delta_nll_nats"]) < 0.2
    assert figures["two-phase"]["delta_nll_nats"] > 10
    by_place = [row["delta_nll_nats"] for row in backend.evaluation("captions-two-phase").report.delta_by_position]
    first, middle, last = (sum(part) / 4 for part in (by_place[:4], by_place[5:9], by_place[9:13]))
    assert first > middle > last


def test_the_walk_of_the_lesson_is_what_its_chapter_says(family):
    """Both ends come back word for word, half-way is something of both, and the collapsed model repeats itself."""
    ends = [backend.End(kind="sentence", text=text) for text in (space.A, space.B)]
    first, half, last = backend.walk(backend.model("captions-two-phase"), *ends, steps=3).texts
    assert (first, last) == (space.A, space.B)
    a, b, both = (set(text.split()) for text in (first, last, half))
    assert half not in (first, last)
    assert both & (a - b)
    assert both & (b - a)
    assert len(set(backend.walk(backend.model("captions-plain-vae"), *ends, steps=3).texts)) == 1


def test_the_truths_of_the_switches_are_those_of_the_runs_that_ship(root):
    """What the chapter says of them in words of its own; the rest it reckons from their figures."""
    for name in bundle.cube().values():
        shutil.copytree(ROOT / "checkpoints" / name, root / name, ignore=LEFT_OUT)
    found = switches.outcomes()
    assert list(switches.GUARDS)[switches.CHAPTER.answer] == switches.missed_most(found)
    alive = found["delta_nll_nats"][found["free_bits"]]  # "free bits keep the code alive"
    assert alive.min() > 10 > 2 * found["delta_nll_nats"][~found["free_bits"]].min()
    assert (found["free_bits"] | (found["kl_nats"] < 5)).all()
    epochs = {config.phase1.epochs + config.phase2.epochs for config in map(backend.config, bundle.cube().values())}
    assert len(epochs) == 1  # "number of steps ... the same for all"


def test_a_class_sees_its_predictions(family):
    at = open_page("learn", chapter="telling", present="yes")
    assert "predictions on this server" not in said(at)
    at.radio[0].set_value(CHAPTERS[4].options[0]).run()
    assert "1 prediction on this server" in said(at)
    at = open_page("learn", chapter="telling")
    at.radio[0].set_value(CHAPTERS[4].options[1]).run()
    assert "2 predictions on this server" in said(at)
    at = open_page("learn", chapter="telling", learned="----b", hide="class")
    assert "predictions on this server" not in said(at)


def test_the_worksheet_is_there_to_be_taken_and_can_be_left_out(make_run):
    at = open_page("learn")
    assert [each.label for each in at.get("download_button")] == ["Download"]
    at.toggle(state.LEARN_ANSWERS).set_value(True).run()
    assert not at.exception
    assert not open_page("learn", hide="share").get("download_button")


def test_every_link_of_the_lesson_asks_for_what_there_is(family):
    """A value that a page does not know is said there; so a link that joins values is found."""
    followed = set()
    for slug in ("space", "objective", "collapse", "telling", "losses"):
        at = open_page("learn", chapter=slug, learned="," * len(CHAPTERS))
        for link in at.get("page_link"):
            there = open_page(link.proto.page or "home", **parse_qs(link.proto.query_string))
            assert "does not exist" not in said(there), (slug, link.proto.label)
            assert "There is no run" not in said(there), (slug, link.proto.label)
            followed.add(link.proto.page)
    assert {"race", "plane", "evaluate"} <= followed


def test_the_race_of_the_lesson_is_filled_in_and_takes_as_long_as_the_link_says(family):
    at = open_page("learn", chapter="collapse", learned="---,")
    link = next(each.proto for each in at.get("page_link") if each.proto.page == "race")
    race = open_page("race", **parse_qs(link.query_string))
    assert race.multiselect(key=state.RACE_RECIPES).value == list(collapse.RECIPES)
    assert link.label.split(": ")[1].capitalize() in said(race)


def test_all_that_the_two_runs_of_the_race_differ_in_is_said(family):
    told = said(open_page("learn", chapter="collapse", learned="---,"))
    for words in ("before codes had a price", "over 3 passes", "0.5 nats cost nothing", "3,130 steps, not 1,878"):
        assert words in told
    assert f"chapter {SLUGS.index('switches') + 1} takes them apart" in told
