"""The page Evaluate, run through the frame over synthetic runs. What only a browser shows is tested in one."""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import parse_qs

import pyarrow as pa
import pytest

from app import backend, state
from app.backend import errands
from app.components import report_figures
from tests.app.frame import assert_light, open_page, said
from vae.report import Interpolation, Probe, Probes

ONE_RUN = 6
"""Figures over a single run."""


def figures(at):
    return {json.loads(each.proto.config)["toImageButtonOptions"]["filename"]: each for each in at.get("plotly_chart")}


def chosen(at):
    return at.multiselect(key=state.EVALUATE_RUNS).value


def labels(at, kind):
    return [element.proto.label for element in at.get(kind)]


@pytest.fixture
def underway(monkeypatch):
    """What the measuring of each run says, by its name; and what was started and stopped."""
    told = {}
    monkeypatch.setattr(
        errands, "state", lambda key: told.get(Path(key[1]).name) if key[0] == "evaluate" else told.get(key)
    )
    monkeypatch.setattr(errands, "start", lambda key, words, log: told.update(started=words))
    monkeypatch.setattr(errands, "stop", lambda key: told.update(stopped=key))
    return told


def test_without_runs_the_page_says_what_to_do(root):
    at = open_page("evaluate")
    assert "There are no runs yet" in said(at)
    assert labels(at, "page_link") == ["Train a model"]


def test_a_report_is_shown_without_what_is_heavy(make_measured, root):
    make_measured("good")
    assert_light("evaluate", f"len(at.get('plotly_chart')) == {ONE_RUN}")


def test_measured_runs_come_first_with_their_verdict_in_words(make_run, make_measured):
    make_measured("good", bundled=True)
    make_run("unmeasured")
    make_measured("deaf", delta_nll_nats=0.01, delta_matched_nats=0.01)
    at = open_page("evaluate")
    assert chosen(at) == ["good", "deaf"]
    for expected in (
        "Healthy: the decoder reads z",
        "Disconnected: ",
        "With another sentence's z",
        "12 test sentences",
    ):
        assert expected in said(at)
    assert "unmeasured" not in said(at)


def test_the_run_that_one_comes_from_is_shown_too(make_run, make_measured):
    make_measured("good")
    make_run("mine")
    at = open_page("evaluate", run="mine")
    assert chosen(at) == ["mine", "good"]


def test_an_unknown_run_in_the_address_is_said(make_measured):
    make_measured("good")
    at = open_page("evaluate", evaluate_runs=["nobody", "good"])
    assert "nobody" in said(at)
    assert "does not exist here" in said(at)


def test_what_has_not_been_measured_can_be(make_run, make_measured, underway):
    run = make_run("mine")
    run.model_path.mkdir()
    (run.model_path / "config.json").write_text("{}", encoding="utf-8")
    at = open_page("evaluate")
    assert "Not measured yet." in said(at)
    assert not figures(at)
    at.get_by_key(state.samples("mine")).set_value(1000)
    at.run()
    at.button(key="evaluate_measure_mine").click().run()
    assert underway["started"] == ["evaluate", str(run.path.resolve()), "--samples", "1000"]
    assert not at.exception


def test_measuring_shows_how_far_it_is_and_can_be_stopped(make_measured, underway):
    make_measured("good")
    underway["good"] = backend.Errand(seconds=30.0, progress=(20, 106))
    at = open_page("evaluate")
    (bar,) = at.get("progress")
    assert bar.proto.text == "Pass 20 of 106 over the sentences · about 2 min left"
    assert bar.proto.value == 18
    assert len(figures(at)) == ONE_RUN  # the report that is there stays
    at.button(key="evaluate_stop_good").click().run()
    assert underway["stopped"][0] == "evaluate"


def test_measuring_that_has_just_begun_is_at_nothing(make_measured, underway):
    make_measured("good")
    underway["good"] = backend.Errand(seconds=1.0)
    (bar,) = open_page("evaluate").get("progress")
    assert (bar.proto.text, bar.proto.value) == ("Opening the model …", 0)


def test_measuring_that_failed_says_why_and_can_be_tried_again(make_measured, underway):
    make_measured("good")
    underway["good"] = backend.Errand(problem="error: Its weights have diverged.")
    at = open_page("evaluate")
    assert "It could not be measured. Its weights have diverged." in said(at)
    assert at.button(key="evaluate_measure_good")


def test_a_report_that_is_damaged_or_old_is_said_on_its_card(make_measured):
    make_measured("good")
    old = make_measured("old")
    old.update_status(step=old.status.step + 1)
    broken = make_measured("broken")
    (broken.reports_path / "test.json").write_text("[]", encoding="utf-8")
    at = open_page("evaluate", evaluate_runs=["good", "old", "broken"])
    assert "It has been trained on since it was measured." in said(at)
    assert "is damaged: evaluate the run again." in said(at)
    assert len(figures(at)) == ONE_RUN
    assert {"evaluate_measure_old", "evaluate_measure_broken"} <= {button.key for button in at.button}


def test_runs_that_cannot_be_measured_yet_say_what_to_do(make_run):
    make_run("going", share=0.3, state="running", pid=os.getpid())
    make_run("dead", share=0.1, state="failed")
    at = open_page("evaluate", evaluate_runs=["going", "dead"])
    assert "still in training" in said(at)
    assert "no weights" in said(at)
    assert not [button for button in at.button if button.key and button.key.startswith("evaluate_measure")]


def test_the_table_has_the_columns_of_a_paper(make_measured):
    make_measured("good", kl_nats=12.345)
    make_measured("other")
    at = open_page("evaluate", evaluate_runs=["good", "other"])
    table = at.dataframe[0].value
    assert list(table)[:9] == [
        *("run", "ppl_word", "nll_nats", "neg_elbo_nats", "rec_nats", "kl_nats", "mi_nats", "active_units"),
        "delta_nll_nats",
    ]
    assert table["run"].tolist() == ["good", "other"]
    columns = json.loads(at.dataframe[0].proto.columns)
    assert columns["nll_nats"]["label"] == "NLL_2"
    assert all("help" in columns[name] for name in backend.REPORT_TABLE)
    assert {"Download CSV", "Download LaTeX"} <= set(labels(at, "download_button"))
    assert "python -m vae evaluate" in said(at)


def test_intervals_are_shown_on_demand(make_measured):
    make_measured("good", kl_nats=12.345, intervals={"kl_nats": (12.0, 12.5)})
    at = open_page("evaluate")
    assert at.dataframe[0].value["kl_nats"].tolist() == [12.345]
    at.toggle(key=state.EVALUATE_INTERVALS).set_value(True)
    at.run()
    shown = at.dataframe[0].value.iloc[0]
    assert shown["kl_nats"] == "12.3 (12.0 to 12.5)"
    assert shown["mi_nats"] == "2.4"


def test_every_figure_can_be_saved_as_svg(make_measured):
    make_measured("good")
    drawn = figures(open_page("evaluate"))
    assert set(drawn) == {
        *("rate-distortion", "kl-parts", "mi-by-sentences", "delta-nll-by-position"),
        *("good-kl-by-dimension", "good-variance-by-dimension"),
    }
    for each in drawn.values():
        config = json.loads(each.proto.config)
        assert config["toImageButtonOptions"]["format"] == "svg"
        assert config["displayModeBar"] is True
        assert "toImage" not in config["modeBarButtonsToRemove"]


def test_positions_that_few_sentences_reach_are_left_out(make_measured, monkeypatch):
    places = [
        {"position": place, "sentences": reached, "own_nats": 1.0, "delta_nll_nats": 2.0}
        for place, reached in enumerate([200, 20, 19])
    ]
    make_measured("good", sentences=200, delta_by_position=places)
    make_measured("few", sentences=12, delta_by_position=[places[0] | {"sentences": 12}, places[1] | {"sentences": 3}])
    by_position = "app.components.report_figures.figures.by_position"
    drawn, draw = [], report_figures.figures.by_position
    monkeypatch.setattr(by_position, lambda frame, colours: drawn.append(frame) or draw(frame, colours))
    open_page("evaluate", evaluate_runs=["good", "few"])
    assert drawn[0].groupby("run")["position"].max().to_dict() == {"good": 1, "few": 0}


def test_without_a_yardstick_the_way_to_one_is_shown(make_measured):
    make_measured("good")
    at = open_page("evaluate")
    assert "There is no yardstick yet" in said(at)
    (link,) = (link.proto for link in at.get("page_link") if link.proto.label == "Train the yardstick")
    assert (link.page, link.query_string) == ("train", "train_recipe=language-model")


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (-3.0, "z helps. A sentence costs **3.0 nats less**"),
        (2.0, "z does not pay. A sentence costs **2.0 nats more**"),
    ],
)
def test_runs_are_held_against_the_yardstick(make_measured, shift, words):
    make_measured("lm", "language-model", kl_nats=0.0, mi_nats=0.0)
    make_measured("good", shift=shift)
    at = open_page("evaluate", evaluate_runs="good")  # the yardstick need not be chosen itself
    assert words in said(at)
    assert "does-z-help" in figures(at)


@pytest.mark.parametrize(("low", "high"), [(-1.5, 0.5), (-0.5, 1.5)])
def test_an_interval_around_zero_is_no_difference(make_measured, monkeypatch, low, high):
    make_measured("lm", "language-model")
    make_measured("good")
    gap = backend.Gap(run="good", yardstick="lm", nats=(low + high) / 2, low=low, high=high)
    monkeypatch.setattr(backend, "gap", lambda one, yardsticks: gap)
    assert "no difference to lm that these sentences can show" in said(open_page("evaluate"))


def test_no_difference_is_called_so_and_other_sentences_are_not_compared(make_measured):
    make_measured("lm", "language-model")
    make_measured("same")
    make_measured("elsewhere", rows=slice(3, 9))
    at = open_page("evaluate")
    assert "no difference to lm that these sentences can show" in said(at)
    assert "no yardstick has been measured on its sentences" in said(at)
    assert "A language model: the same decoder, with z fixed to zero." in said(at)


def test_a_yardstick_alone_asks_for_others(make_measured):
    make_measured("lm", "language-model")
    assert "Choose further runs above" in said(open_page("evaluate"))


def test_one_run_is_looked_at_closely(make_measured, report):
    make_measured("bad", kl_nats=0.01, delta_nll_nats=0.0, delta_matched_nats=0.0)
    make_measured("good")
    at = open_page("evaluate", evaluate_runs=["bad", "good"])
    assert at.selectbox(key=state.EVALUATE_CLOSELY).value == "good"  # the first that is healthy
    at.selectbox(key=state.EVALUATE_CLOSELY).set_value("bad")
    at.run()
    assert "bad-kl-by-dimension" in figures(at)
    sentences = at.dataframe[1].value
    assert sorted(sentences["text"]) == sorted(report.per_sentence["text"])
    assert sentences["rec_nats"].is_monotonic_decreasing
    assert open_page("evaluate", evaluate_closely="bad").selectbox(key=state.EVALUATE_CLOSELY).value == "bad"


def test_what_was_rebuilt_can_be_left_out(make_measured, report, monkeypatch):
    make_measured("good")
    table = report.per_sentence.copy()
    table.loc[0, "decoded"] = table.loc[0, "text"]
    monkeypatch.setattr("vae.report.load_sentences", lambda run: table)
    at = open_page("evaluate")
    assert "Only the 11 of 12" in at.toggle(key=state.EVALUATE_MISSED).label
    at.toggle(key=state.EVALUATE_MISSED).set_value(True)
    at.run()
    assert len(at.dataframe[1].value) == 11


def test_nothing_chosen_says_so(make_measured):
    make_measured("good")
    at = open_page("evaluate")
    at.multiselect(key=state.EVALUATE_RUNS).set_value([])
    at.run()
    assert "Choose a run" in said(at)
    assert not at.exception


def test_an_address_without_runs_is_the_empty_page_and_no_mistake(make_measured):
    make_measured("good")
    at = open_page("evaluate", evaluate_runs="")
    assert "Choose a run" in said(at)
    assert not at.warning
    (warning,) = open_page("evaluate", evaluate_runs=["", "gone"]).warning
    assert warning.value.startswith("The address asks for evaluate\\_runs=gone, which")


def test_k_has_a_column_only_where_it_differs(make_measured):
    make_measured("good")
    make_measured("other")
    assert "samples" not in open_page("evaluate").dataframe[0].value
    make_measured("third", samples=10)
    assert sorted(open_page("evaluate").dataframe[0].value["samples"]) == [2, 2, 10]


def test_an_interval_has_the_digits_of_its_figure(make_measured, monkeypatch):
    make_measured("lm", "language-model")
    make_measured("good")
    gap = backend.Gap(run="good", yardstick="lm", nats=0.08, low=0.034, high=0.124)
    monkeypatch.setattr(backend, "gap", lambda one, yardsticks: gap)
    assert "**0.08 nats more** (0.03 to 0.12)" in said(open_page("evaluate"))


def test_runs_that_lie_on_each_other_are_named(make_measured):
    make_measured("good", kl_nats=12.0, rec_nats=5.0)
    make_measured("a_b", kl_nats=12.1, rec_nats=5.0)
    make_measured("apart", kl_nats=2.0, rec_nats=15.0)
    assert "a ring around the other: a_b and good." in said(open_page("evaluate"))


def test_own_runs_stand_beside_the_paper(make_measured):
    make_measured("good", kl_nats=12.345, mi_nats=-1.8e-15, ppl_word=8944.43)
    at = open_page("evaluate")
    shown = pa.ipc.open_stream(at.dataframe[-1].proto.arrow_data.styler.display_values).read_all().to_pylist()[0]
    assert {"0.0", "8,944.4", "12.3"} <= set(shown.values())
    assert "A paper's table" in said(at)
    assert at.dataframe[-1].value["kl_nats"].tolist() == [12.345]


def test_the_runs_page_leads_here(make_measured):
    make_measured("good")
    at = open_page("runs")
    (link,) = (link.proto for link in at.get("page_link") if link.proto.label == "Evaluate")
    assert (link.page, link.query_string) == ("evaluate", "run=good")


def probes_of(accuracy=80.0, interpolations=()):
    figure = Probe(value=accuracy, interval=(accuracy - 2, accuracy + 2), n=100, by_seed=[accuracy])
    names = ("smoothness", "bleu_sampled", "accuracy_100", "accuracy_words_100", "accuracy_majority", "copying_words")
    figures = dict.fromkeys(names, figure)
    return Probes(
        label="tone", classes=2, train_sentences=500, seed=0, figures=figures, interpolations=list(interpolations)
    )


def test_probes_stand_beside_what_is_printed(make_measured):
    make_measured("good", probes=probes_of())
    make_measured("other", probes=probes_of(70.0))
    assert list(backend.probe_tables([backend.evaluation("good")])) == [
        "Rebuilding and smoothness",
        "Labels read from the codes",
        "Copying",
    ]
    rows = backend.probe_rows([backend.evaluation("good")], "Labels read from the codes")
    shown = {row["run"]: row.get("accuracy_100") for row in rows}
    assert shown["good"] == shown["good, bag of words"] == shown["good, most frequent label"] == 80
    assert (shown["theirs"], shown["AE"]) == (83.8, 78.4)  # Table 8
    assert {row["source"] for row in rows} == {"measured", "Li et al. 2019, as printed"}
    at = open_page("evaluate", evaluate_runs=["good", "other"])
    (table,) = [each.value for each in at.dataframe if "accuracy_100" in each.value]
    assert dict(zip(table["run"], table["accuracy_100"], strict=True))["other"] == "70.0"
    assert "good: tone; other: tone" in said(at)
    at.toggle(key=state.EVALUATE_INTERVALS).set_value(True).run()
    (table,) = [each.value for each in at.dataframe if "accuracy_100" in each.value]
    assert "70.0 (68.0 to 72.0)" in set(table["accuracy_100"])
    assert not at.exception


def paths_of(*words, inputs=("one sentence .", "another & one .")):
    """A path between draws from the prior and one between samples, on which a run writes these words."""
    return [
        Interpolation(seeds=(4, 4), inputs=None, texts=[f"prior {word}" for word in words]),
        Interpolation(seeds=(7, 8), inputs=inputs, texts=[f"posterior {word}" for word in words]),
    ]


def walk_links(at):
    links = [link.proto for link in at.get("page_link") if link.proto.label == "Walk it"]
    return [(link.page, parse_qs(link.query_string)) for link in links]


def give_weights(run):
    run.model_path.mkdir(exist_ok=True)
    (run.model_path / "config.json").write_text("{}", encoding="utf-8")


def test_interpolations_of_runs_stand_side_by_side_and_lead_to_their_page(make_measured):
    give_weights(make_measured("good", probes=probes_of(interpolations=paths_of("a", "b", "c"))))
    other = make_measured("other", probes=probes_of(interpolations=paths_of("d", "d", "d")))
    shutil.rmtree(other.model_path)  # kept without weights
    make_measured("earlier", probes=probes_of())
    at = open_page("evaluate", evaluate_runs=["good", "other", "earlier"])
    assert not at.exception
    assert [tab.label for tab in at.tabs][-1] == "Interpolation"
    cards = [each.proto.body for each in at.get("html") if "posterior" in each.proto.body]
    assert len(cards) == 1
    for expected in ("Source: one sentence .", "another &amp; one .", "good", "other", "t 0.00", "t 0.00 – 1.00"):
        assert expected in cards[0]
    (_, prior), (page, posterior) = walk_links(at)
    assert page == "interpolate"
    assert prior == {
        "run": ["good"], "walk_steps": ["3"], "walk_a_kind": ["Prior"], "walk_a_seed": ["4"],
        "walk_b_kind": ["Prior"], "walk_b_seed": ["4"],
    }  # fmt: skip
    assert posterior == {
        "run": ["good"], "walk_steps": ["3"],
        "walk_a_kind": ["Sentence"], "walk_a_seed": ["7"], "walk_a_text": ["one sentence ."], "walk_a_drawn": ["true"],
        "walk_b_kind": ["Sentence"], "walk_b_seed": ["8"], "walk_b_text": ["another & one ."], "walk_b_drawn": ["true"],
    }  # fmt: skip


def test_interpolations_between_other_sentences_are_told_apart(make_measured):
    """Runs of two corpora share the seeds of the prior alone."""
    for name, inputs in (("good", ("one .", "two .")), ("other", ("eins .", "zwei ."))):
        run = make_measured(name, probes=probes_of(interpolations=paths_of("a", "b", inputs=inputs)))
        give_weights(run)
    found = [backend.evaluation(name) for name in ("good", "other")]
    assert [list(paths) for paths in backend.probe_paths(found)] == [["good", "other"], ["good"], ["other"]]
    at = open_page("evaluate", evaluate_runs=["good", "other"])
    assert not at.exception
    assert "posterior · other" in said(at)
    assert [query.get("walk_with") for _, query in walk_links(at)] == [["other"], None, None]
    assert not open_page("evaluate", evaluate_runs=["good"]).exception


def test_a_run_is_probed_in_the_background(make_measured, underway):
    run = make_measured("good")
    give_weights(run)
    at = open_page("evaluate")
    at.text_input(key=state.EVALUATE_LABEL).set_value("tone").run()
    at.button(key="evaluate_probe").click().run()
    assert underway["started"] == ["evaluate", str(run.path.resolve()), "--probes", "--label", "tone"]
    underway["probes", str(run.path.resolve())] = backend.Errand(seconds=30.0, progress=(10, 40))
    at.run()
    (bar,) = at.get("progress")
    assert bar.proto.text == "good: step 10 of 40 · about 2 min left"
    at.button(key="evaluate_stop_probes_good").click().run()
    assert underway["stopped"] == ("probes", str(run.path.resolve()))
    underway["probes", str(run.path.resolve())] = backend.Errand(problem="error: 'tone' is no label")
    assert "could not be probed" in said(at.run())
