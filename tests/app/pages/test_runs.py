"""The page Runs, run through the frame over synthetic runs. What its curves look like is tested in a browser."""

import json
import os
import shutil

import psutil
import pytest

from app import backend, state
from tests.app.frame import open_page, press, said
from vae import recipes
from vae.runs import LESSON, Run, write_json


def drawing(at):
    """The curves as the browser is told to draw them."""
    (component,) = (each for each in at.get("bidi_component") if "curves" in each.proto.component_name)
    return json.loads(component.proto.json)


@pytest.mark.parametrize(
    ("page", "key"), [("runs", state.RUN), ("race", state.RACE_RUNS), ("evaluate", state.EVALUATE_RUNS)]
)
def test_a_run_of_a_lesson_stays_out_of_lists_and_is_opened_by_a_link(make_run, page, key):
    make_run("mine")
    light = make_run("light", "plain-vae", bundled=True)
    write_json(light.path / "env.json", light.env | {"role": LESSON})
    plain = open_page(page)
    choices = [*plain.selectbox, *plain.multiselect]
    assert choices
    assert not any("light" in choice.options for choice in choices)
    at = open_page(page, **{key: "light"})
    assert "light" in next(choice for choice in [*at.selectbox, *at.multiselect] if choice.key == key).value
    assert "light" in said(at)
    assert "does not exist" not in said(at)
    assert "There is no run" not in said(at)
    if page == "evaluate":
        assert "Its weights were not kept" in said(at)


def test_the_runs_page_without_runs_says_what_to_do(root):
    assert "There are no runs yet" in said(open_page("runs"))


def test_a_finished_run_shows_verdict_figures_curves_and_sentences(make_run):
    make_run("good")
    at = open_page("runs", run="good")
    told = said(at)
    assert "Healthy" in told
    panels = drawing(at)["panels"]
    assert len(panels) == 9
    assert all(panel["definition"] for panel in panels)
    assert "of 32" in [panel["unit"] for panel in panels]
    assert "two women in yellow jackets" in told
    assert not at.get("progress")


def test_a_run_in_training_shows_how_far_it_is(make_run):
    make_run("going", share=0.5, state="running", pid=os.getpid(), eta_s=130.0)
    at = open_page("runs", run="going")
    (bar,) = at.get("progress")
    assert "about 2 min left" in bar.proto.text
    assert 45 <= bar.proto.value <= 55
    assert "sentences a second" in said(at)
    assert "Stop" in [button.label for button in at.button]


def test_a_run_in_its_warm_up_is_not_judged_and_says_its_phase(make_run):
    make_run("going", share=0.1, state="running", pid=os.getpid())
    at = open_page("runs", run="going")
    assert not at.warning
    assert [box.value for box in at.info] == ["Warm-up: KL costs nothing yet; the verdict comes in phase 2."]
    (bar,) = at.get("progress")
    assert bar.proto.text.startswith("step 313 of 3,130 · phase 1 of 2, encoder warm-up")


@pytest.mark.parametrize(
    ("state", "words"), [("running", "Healthy so far: the decoder"), ("stopped", "Healthy at step 2,800 of 3,130: the")]
)
def test_a_verdict_that_is_not_the_last_says_when_it_was_true(make_run, state, words):
    make_run("some", share=0.9, state=state, pid=os.getpid() if state == "running" else None)
    assert words in said(open_page("runs", run="some"))


def test_a_yardstick_is_grey_and_has_not_collapsed(make_run):
    make_run("yard", "language-model")
    for page in ("runs", "home"):
        told = said(open_page(page, run="yard"))
        assert "Yardstick, by design" in told
        assert "Collapsed" not in told
        assert ":red-badge" not in told


def test_a_run_that_died_shows_the_end_of_its_log_and_can_be_resumed(make_run, monkeypatch):
    run = make_run("dead", share=0.3, state="running", pid=2**22 + 4321)
    run.log_path.write_text("step 1\nMemoryError: out of memory\n", encoding="utf-8")
    at = open_page("runs", run="dead")
    assert "without notice" in said(at)
    assert "MemoryError" in said(at)
    resumed = []
    monkeypatch.setattr("vae.jobs.resume", lambda run: resumed.append(run.name))
    press(at, "Resume")
    assert resumed == ["dead"]
    assert not at.exception


def test_stop_asks_the_run_to_stop(make_run):
    run = make_run("going", share=0.5, state="running", pid=os.getpid())
    at = open_page("runs", run="going")
    press(at, "Stop")
    assert run.stop_path.exists()
    assert "saving, then stopping" in said(at)


def test_a_run_can_be_renamed_and_stays_chosen(make_run, root):
    make_run("before", share=0.2, state="stopped")
    at = open_page("runs", run="before")
    at.text_input(key=state.RUNS_NAME).set_value("after")
    press(at, "Rename")
    assert Run(root / "after").exists
    assert at.selectbox(key=state.RUN).value == "after"


def test_a_name_that_is_taken_is_answered_in_a_sentence(make_run, root):
    make_run("one", share=0.1, state="stopped")
    make_run("two", share=0.1, state="stopped")
    at = open_page("runs", run="one")
    at.text_input(key=state.RUNS_NAME).set_value("two")
    press(at, "Rename")
    assert any("already a run" in toast.value for toast in at.toast)
    assert Run(root / "one").exists


def test_deleting_takes_two_clicks_and_goes_on_with_another_run(make_run, root):
    make_run("other", share=0.1, state="stopped")
    make_run("going", share=0.1, state="stopped")
    at = open_page("runs", run="going")
    assert Run(root / "going").exists
    press(at, "Delete for good")
    assert not (root / "going").exists()
    assert at.selectbox(key=state.RUN).value == "other"
    assert not at.exception


def test_a_bundled_run_can_be_neither_renamed_nor_deleted(make_run):
    make_run("good", bundled=True)
    labels = {button.label for button in open_page("runs", run="good").button}
    assert not labels & {"Rename", "Delete for good"}


def test_the_settings_of_a_run_are_taken_over_into_the_form(make_run):
    make_run("mine", config=recipes.get("cyclic-vae").with_settings(["model.latent_size=7", "phase2.epochs=2"]))
    at = open_page("runs", run="mine")
    press(at, "Train again with these settings")
    assert at.title[0].value == "Train a text VAE"
    assert at.number_input(key=state.knob("model", "latent_size")).value == 7
    assert at.selectbox(key=state.TRAIN_RECIPE).value == "cyclic-vae"


@pytest.mark.parametrize("name", ["nobody", "../../etc", "<script>alert(1)</script>", "x" * 500, "~model", "a\nb"])
def test_garbage_in_the_url_is_answered_in_a_sentence(make_run, name):
    make_run("good")
    at = open_page("runs", run=name)
    assert len(at.warning) == 1
    assert "There is no run" in at.warning[0].value or "another session" in at.warning[0].value
    assert at.selectbox(key=state.RUN).value == "good"


def test_a_run_deleted_while_its_page_is_open_is_said_to_be_gone(make_run, root):
    make_run("other")
    make_run("going")
    at = open_page("runs", run="going")
    shutil.rmtree(root / "going")
    at.run()
    assert "There is no run going" in said(at)
    assert at.selectbox(key=state.RUN).value == "other"
    shutil.rmtree(root / "other")
    at.run()
    assert "There are no runs yet" in said(at)
    assert not at.exception


def test_damaged_files_are_said_in_a_sentence(make_run):
    run = make_run("broken")
    (run.path / "config.json").write_text('{"model": {"latent_size": -3}}', encoding="utf-8")
    at = open_page("runs", run="broken")
    (error,) = at.error
    assert "latent_size=-3" in error.value.replace("\\", "")
    run.metrics_path.write_bytes(b"\x00\xff\n" * 50)
    (run.path / "config.json").write_text(json.dumps(recipes.two_phase().to_dict()), encoding="utf-8")
    run.samples_path.write_text('{"step": 3}\n', encoding="utf-8")
    at = open_page("runs", run="broken")
    assert not at.exception
    assert not at.error


def test_runs_are_compared_in_their_own_colours(make_run):
    make_run("one")
    make_run("two", "plain-vae")
    at = open_page("runs", run="one", runs_compare="two")
    colours = backend.colours()
    assert at.multiselect(key=state.RUNS_COMPARE).value == ["two"]
    assert [(run["name"], run["colour"]) for run in drawing(at)["runs"]] == [
        (name, colours[name]) for name in ("one", "two")
    ]


def test_a_compared_run_that_is_chosen_or_gone_drops_out(make_run, root):
    for name in ("one", "two", "three"):
        make_run(name, share=0.1, state="stopped")
    at = open_page("runs", run="one", runs_compare=["two", "three"])
    assert at.multiselect(key=state.RUNS_COMPARE).value == ["two", "three"]
    at.selectbox(key=state.RUN).set_value("two")
    at.run()
    assert not at.exception
    assert at.multiselect(key=state.RUNS_COMPARE).value == ["three"]
    shutil.rmtree(root / "three")
    at.run()
    assert not at.exception
    assert at.multiselect(key=state.RUNS_COMPARE).value == []


def test_the_step_slider_follows_the_newest_until_it_is_moved(make_run):
    make_run("good")
    at = open_page("runs", run="good")
    slider = at.select_slider(key=state.RUNS_STEP)
    newest = max(event["step"] for event in backend.samples("good"))
    assert slider.value == newest
    slider.set_value(80)
    at.run()
    assert at.select_slider(key=state.RUNS_STEP).value == 80
    assert drawing(at)["chosen"] == 80


def test_a_model_from_elsewhere_is_kept_for_the_session(make_run, tmp_path):
    make_run("good")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}", encoding="utf-8")
    at = open_page("runs", run="good")
    at.text_input(key=state.RUNS_SOURCE).set_value(str(tmp_path / "mine"))
    press(at, "Open")
    assert at.session_state[state.OPENED] == {"~mine": str(tmp_path / "mine")}
    at.text_input(key=state.RUNS_SOURCE).set_value("nowhere at all")
    press(at, "Open")
    assert any("neither a folder" in toast.value for toast in at.toast)


def test_a_log_of_another_program_is_imported_and_shown_for_what_it_is(make_run, tmp_path):
    make_run("ours", share=0.1)
    line = "VAL --- avg_loss: 50.0, kl: 10.0, mi: 4.0, recon: 40.0, nll: 50.0, ppl: 90.0\n"
    (tmp_path / "log.txt").write_text(f"Namespace(nz=32, fb=2, target_kl=8.0)\n{line}", encoding="utf-8")
    at = open_page("runs", run="ours")
    at.text_input(key=state.RUNS_FOREIGN).set_value(str(tmp_path / "log.txt"))
    press(at, "Import")
    name = at.selectbox(key=state.RUN).value
    assert name.startswith("imported-")
    assert "Imported from" in said(at)
    assert "target_kl" in at.json[0].value
    assert not any("python -m vae train" in code.value for code in at.code)
    assert "Train again with these settings" not in [button.label for button in at.button]


def test_a_run_that_is_started_again_says_so_and_not_how_fast_it_was(make_run):
    mine = {"pid": os.getpid(), "process_started": psutil.Process().create_time()}
    make_run("again", share=0.3, state="queued", message="Starting.", **mine)
    make_run("loading", share=0.3, state="running", message="Loading.", **mine)
    for name in ("again", "loading"):
        told = said(open_page("runs", run=name))
        assert "waiting to start" not in told
        assert "sentences a second" not in told
    assert "starting]" in said(open_page("runs", run="again"))
