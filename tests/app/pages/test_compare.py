"""The page Compare, run through the frame."""

from types import SimpleNamespace

import pytest

from app import backend, palette, state
from app.components import many_runs, run_differences, run_table
from tests.app.frame import html, open_page, press, said
from vae import jobs, recipes, runs
from vae.runs import Notes


@pytest.fixture(autouse=True)
def _still(monkeypatch):
    """Nothing is started."""
    monkeypatch.setattr(jobs, "advance", lambda folder=None: [])


@pytest.fixture
def swept(make_run):
    axes = (backend.axis("model.pooling", "max,mean"), backend.axis("model.latent_size", "8,16"))
    planned = backend.plan("noise", recipes.get("two-phase"), axes)
    states = ["finished", "finished", "failed", "stopped"]
    for member, state_ in zip(planned.members, states, strict=True):
        share = {"finished": 1.0, "failed": 0.3, "stopped": 0.0}[state_]
        run = make_run(member.name, config=member.config, state=state_, share=share, message="The disk was full.")
        run.write_notes(Notes(sweep="noise", over=tuple(map(str, axes))))
        if not share:
            run.metrics_path.unlink()
    return planned


def test_a_folder_without_runs_says_what_to_do(root):
    at = open_page("compare")
    assert "There are no runs yet" in said(at)


def test_all_runs_are_in_the_table_with_their_tags(make_run):
    make_run("good")
    make_run("bad", "plain-vae")
    backend.annotate(["bad"], ["baseline"], [])
    at = open_page("compare")
    table = at.dataframe[0].value.set_index("run")
    assert set(table.index) == {"good", "bad"}
    assert table.loc["bad", "verdict"] == "collapsed"
    assert table.loc["bad", "tags"] == ["baseline"]
    assert len(at.get("download_button")) == 2


def test_the_url_holds_the_filters_the_columns_and_the_choice(make_run):
    make_run("good")
    make_run("bad", "plain-vae")
    backend.annotate(["bad"], ["baseline"], [])
    at = open_page(
        "compare",
        compare_tags="baseline",
        compare_columns=["State", "KL"],
        compare_runs=["good", "bad"],
        compare_figure_1="KL",
    )
    table = at.dataframe[0].value
    assert list(table.columns) == ["run", "state", "kl_nats"]
    assert list(table["run"]) == ["bad"]
    assert at.multiselect(key=state.COMPARE_RUNS).value == ["good", "bad"]
    assert at.selectbox(key=state.COMPARE_FIGURES[0]).value == "KL"
    assert len(at.get("plotly_chart")) == 2


def test_what_the_url_asks_for_and_is_not_there_is_said(make_run):
    make_run("good")
    at = open_page("compare", compare_runs="gone", compare_tags="never", compare="Nowhere")
    for text in ("compare_runs=gone", "compare_tags=never", "compare=Nowhere"):
        assert text in said(at)


def test_no_run_that_fits_is_said(make_run):
    make_run("good")
    at = open_page("compare", compare_text="nothing like that")
    assert "No run is like that" in said(at)


def test_side_by_side_only_what_differs_is_shown(make_run):
    make_run("good")
    make_run("bad", "plain-vae")
    at = open_page("compare", compare_runs=["good", "bad"])
    assert "free bits per dimension, phase 2" in html(at)
    assert "Threshold lambda of Eq. 2" in html(at)
    assert "train seed" not in html(at)
    assert "<td>collapsed</td>" in html(at)
    links = {link.proto.label: link.proto.query_string for link in at.get("page_link")}
    assert links["Evaluate side by side"] == "evaluate_runs=good&evaluate_runs=bad"
    assert links["All their curves"] == "run=good&runs_compare=bad"
    assert "python -m vae compare" in at.code[0].value


def test_one_run_alone_has_its_curves_and_its_note(make_run):
    make_run("good")
    at = open_page("compare", compare_runs="good")
    assert "What differs" not in said(at)
    at.multiselect(key=state.COMPARE_ADD).set_value(["mine"])
    at.text_area[0].set_value("Nice.")
    at.button[0].click().run()
    assert runs.find("good").notes == Notes(tags=("mine",), text="Nice.")


def test_a_tag_that_cannot_be_is_said(make_run, monkeypatch):
    make_run("good")
    messages = []
    monkeypatch.setattr(state, "say", messages.append)
    at = open_page("compare", compare_runs="good")
    at.multiselect(key=state.COMPARE_ADD).set_value(["a,b"])
    at.button[0].click().run()
    assert "cannot be a tag" in messages[0]
    assert runs.find("good").notes == Notes()


def test_names_and_values_are_text_in_the_table_of_differences():
    rows = [{"run": "<b>", "state": "queued", "verdict": "", "standing": ""}]
    settings = [{"setting": "x", "name": "data.corpus", "help": 'say "it"', "<b>": "<script>"}]
    drawn = run_differences._table(["<b>"], settings, rows, {"<b>": "#000"})
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert "say &quot;it&quot;" in drawn
    assert "waiting to start" in drawn


def test_ticks_choose_runs_and_keep_those_that_are_hidden(monkeypatch):
    session = {
        state.COMPARE_RUNS: ["hidden", "b"],
        "table": SimpleNamespace(selection=SimpleNamespace(rows=[0, 2, 9])),
    }
    monkeypatch.setattr(run_table.st, "session_state", session)
    run_table._tick("table", ["a", "b", "c"])
    assert session[state.COMPARE_RUNS] == session[state.COMPARE_TICKED] == ["hidden", "a", "c"]


def test_no_more_runs_are_ticked_than_fit(monkeypatch):
    names = [f"r{number}" for number in range(20)]
    session = {"table": SimpleNamespace(selection=SimpleNamespace(rows=list(range(20))))}
    monkeypatch.setattr(run_table.st, "session_state", session)
    run_table._tick("table", names)
    assert session[state.COMPARE_RUNS] == names[: run_table.MOST]
    assert "At most 12" in session[state.MESSAGE]
    assert state.COMPARE_TICKED not in session


def test_a_sweep_is_one_table_with_what_was_varied_first(swept):
    at = open_page("compare", compare="Sweeps")
    table = at.dataframe[0].value
    assert list(table.columns[:3]) == ["model.pooling", "model.latent_size", "state"]
    assert list(table["run"]) == [member.name for member in swept.members]
    assert "noise-mean-z8: The disk was full." in said(at)
    assert "A label names pooling and latent size of a run" in said(at)
    assert len(at.get("plotly_chart")) == 4
    assert "Not all runs have finished" in said(at)
    assert "python -m vae sweep noise --csv" in [code.value for code in at.code]


def test_the_axis_of_the_second_figure_is_in_the_url(swept):
    at = open_page("compare", compare="Sweeps", compare_along="latent size", compare_figure_2="KL")
    assert "Newest values by latent size" in said(at)


def test_from_a_sweep_to_its_runs_side_by_side(swept):
    at = open_page("compare", compare="Sweeps")
    press(at, "Side by side")
    assert at.multiselect(key=state.COMPARE_RUNS).value == [member.name for member in swept.members]
    assert at.query_params[state.COMPARE_RUNS] == [member.name for member in swept.members]
    assert "<td>16</td>" in html(at)


def test_without_a_sweep_the_page_offers_a_study(root):
    at = open_page("compare", compare="Sweeps")
    assert at.selectbox(key=state.COMPARE_SETTINGS[0]).value == "model.pooling"
    assert list(at.dataframe[0].value["run"])[1] == "phase1-max-0-free"
    assert at.query_params[state.COMPARE_VALUES[0]] in ("max,mean", ["max,mean"])
    assert "12 runs. Roughly" in said(at)
    assert "training seed 0" in said(at)
    command = at.code[0].value
    assert command.startswith("python -m vae sweep phase1 --recipe park-lee-max-pool")


def test_another_start_fills_the_form_anew(root):
    at = open_page("compare", compare="Sweeps")
    at.selectbox(key=state.COMPARE_STARTS["preset"]).set_value("phase2").run()
    assert at.text_input(key=state.COMPARE_VALUES[0]).value == "0,0.5,3,6"
    assert at.text_input(key=state.COMPARE_NAME).value == "phase2"
    assert len(at.dataframe[0].value) == 12


def test_the_url_holds_a_sweep_that_is_being_planned(root):
    at = open_page(
        "compare",
        compare="Sweeps",
        compare_start="Recipe",
        compare_base="plain-vae",
        compare_over_1="model.latent_size",
        compare_values_1="4,8,16",
        compare_set="train.seed=3",
        compare_name="sizes",
    )
    assert list(at.dataframe[0].value["run"]) == ["sizes-z4", "sizes-z8", "sizes-z16"]
    assert "training seed 3" in said(at)


@pytest.mark.parametrize(
    ("values", "words"),
    [("max,min", "No combination is valid|min"), ("", "not of the form"), ("max,max", "twice")],
)
def test_what_cannot_be_varied_is_said(root, values, words):
    at = open_page("compare", compare="Sweeps", compare_over_1="model.pooling", compare_values_1=values)
    assert any(word in said(at) for word in words.split("|"))


def test_combinations_that_are_left_out_are_told(root):
    at = open_page(
        "compare",
        compare="Sweeps",
        compare_start="Recipe",
        compare_over_1="phase2.free_bits_per_dimension",
        compare_values_1="0,1",
        compare_over_2="phase2.free_bits_total",
        compare_values_2="0,4",
    )
    assert "Left out 1_fbt4: phase2 has both" in said(at)
    assert "3 runs." in said(at)


def test_launching_queues_the_runs_and_shows_the_sweep(root):
    at = open_page(
        "compare", compare="Sweeps", compare_over_1="model.pooling", compare_values_1="max,mean", compare_name="mine"
    )
    press(at, "Launch 2 runs")
    assert jobs.queue().waiting == ("mine-max", "mine-mean")
    assert at.selectbox(key=state.COMPARE_SWEEP).value == "mine"
    assert "The first figures come with the first check" in said(at)
    at.selectbox(key=state.COMPARE_SWEEP).set_value("New sweep").run()
    assert "already" not in said(at)
    assert at.selectbox(key=state.COMPARE_SETTINGS[0]).value == "model.pooling"


def test_runs_of_one_colour_have_different_lines():
    colours = dict.fromkeys("abc", palette.PALETTE[0]) | {"d": palette.PALETTE[1]}
    looks = many_runs.looks_of({name: name for name in "abcd"}, colours)
    assert len({(look.colour, look.dash) for look in looks.values()}) == 4
