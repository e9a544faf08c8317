"""The pages, run through the frame as a browser would, over synthetic runs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import backend, state
from vae import jobs, recipes
from vae.runs import LESSON, Run, Status, write_json

FRAME = Path(__file__).resolve().parents[2] / "streamlit_app.py"


def open_page(name="home", **query):
    at = AppTest.from_file(str(FRAME), default_timeout=60)
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    if name != "home":
        at.switch_page(f"app/pages/{name}.py")
        for key, value in query.items():
            at.query_params[key] = value
        at.run()
    assert not at.exception
    return at


def words(at):
    """Everything that is said on a page in text."""
    alerts = ("error", "warning", "success", "info")
    kinds = ("title", "header", "markdown", "caption", "code", "html", *alerts)
    parts = [str(element.value) for kind in kinds for element in at.get(kind)]
    parts += [str(element.proto.title) for kind in alerts for element in at.get(kind)]
    return "\n".join(parts).replace("\\", "")


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
    assert "light" in words(at)
    assert "does not exist" not in words(at)
    assert "There is no run" not in words(at)
    if page == "evaluate":
        assert "Its weights were not kept" in words(at)


# Home


def test_the_first_page_paints_without_what_is_heavy(make_run, root):
    make_run("captions-two-phase", bundled=True)
    script = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"at = AppTest.from_file({str(FRAME)!r}, default_timeout=60).run()\n"
        "assert not at.exception and at.title, at.exception\n"
        "heavy = {'torch', 'transformers', 'umap', 'sklearn', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=FRAME.parent, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_home_says_what_to_do_when_there_are_no_runs(root):
    at = open_page()
    assert "There are no runs yet" in words(at)
    assert len(at.get("page_link")) == 3


def test_home_shows_every_run_with_its_state_and_verdict(make_run, root):
    make_run("good")
    make_run("bad", "plain-vae")
    make_run("going", share=0.2, state="running", pid=os.getpid(), eta_s=130.0)
    (root / "broken").mkdir()
    (root / "broken" / "config.json").write_text("[]", encoding="utf-8")
    (root / "broken" / "status.json").write_text("{}", encoding="utf-8")
    said = words(open_page())
    for expected in ("good", "Healthy:", "Collapsed:", "finished", "training", "cannot be read", "is damaged"):
        assert expected in said
    assert "Traceback" not in said


@pytest.fixture
def line(make_run, root):
    """A run in training, which is this process, and three that wait for it."""
    make_run("busy", share=0.4, state="running", pid=os.getpid(), eta_s=130.0)
    for name in ("one", "two", "three"):
        jobs.launch(name, recipes.plain_vae())


def press(at, key):
    next(button for button in at.button if button.key == key).click()
    at.run()
    assert not at.exception


def test_home_shows_the_queue_and_changes_it(line):
    at = open_page()
    said = words(at)
    assert "1 in training, 3 waiting" in said
    assert "Waits behind one and two." in said
    assert "**busy**" in said
    assert len(at.get("progress")) == 1  # those that wait have no card
    assert [button.key for button in at.button if button.disabled] == ["queue_up_one", "queue_down_three"]
    press(at, "queue_up_two")
    assert jobs.queue().waiting == ("two", "one", "three")
    press(at, "queue_down_two")
    press(at, "queue_out_one")
    assert jobs.queue().waiting == ("two", "three")
    assert backend.entry("one").state == "stopped"
    at.toggle(key=state.QUEUE_PAUSED).set_value(True).run()
    at.number_input(key=state.QUEUE_AT_ONCE).set_value(2).run()
    assert (jobs.queue().at_once, jobs.queue().paused) == (2, True)
    assert "The queue is paused." in words(at)
    jobs.set_queue(at_once=1)  # in another window
    at.run()
    assert at.number_input(key=state.QUEUE_AT_ONCE).value == 1


def test_what_cannot_be_done_to_the_queue_is_said(line, root):
    at = open_page()
    shutil.rmtree(root / "two")  # meanwhile, elsewhere
    press(at, "queue_out_two")
    assert any("There is no run at" in toast.value for toast in at.toast)


def test_of_very_many_runs_home_shows_some_and_those_in_training(make_run, root):
    make_run("busy", share=0.1, state="running", pid=os.getpid())
    for number in range(60):
        Run.create(root / f"run-{number}", recipes.plain_vae()).write_status(Status(state="stopped"))
    at = open_page()
    assert len([link for link in at.get("page_link") if link.proto.label == "Curves"]) == 25
    assert "**busy**" in words(at)
    next(button for button in at.button if button.label == "Show 24 more").click()
    at.run()
    assert len([link for link in at.get("page_link") if link.proto.label == "Curves"]) == 49


def test_a_waiting_run_can_be_taken_out_and_put_back(line):
    at = open_page("runs", run="two")
    assert "Place 2 in the queue. Waits behind one." in words(at)
    assert "Delete for good" in [button.label for button in at.button]
    next(button for button in at.button if button.label == "Take out of the queue").click()
    at.run()
    assert any("two no longer waits" in toast.value for toast in at.toast)
    next(button for button in at.button if button.label == "Resume").click()
    at.run()
    assert any("two waits for its turn" in toast.value for toast in at.toast)
    assert jobs.queue().waiting == ("one", "three", "two")
    assert not at.exception


def test_the_button_says_that_a_new_run_will_wait(line, root):
    at = open_page("train")
    at.text_input(key=state.TRAIN_NAME).set_value("fourth")
    at.run()
    next(button for button in at.button if button.label == "Add to the queue (4 before it)").click()
    at.run()
    assert any("fourth has place 4 in the queue" in toast.value for toast in at.toast)
    assert jobs.queue().waiting == ("one", "two", "three", "fourth")


# Runs


def test_the_runs_page_without_runs_says_what_to_do(root):
    assert "There are no runs yet" in words(open_page("runs"))


def test_a_finished_run_shows_verdict_figures_curves_and_sentences(make_run):
    make_run("good")
    at = open_page("runs", run="good")
    said = words(at)
    assert "Healthy" in said
    panels = drawing(at)["panels"]
    assert len(panels) == 9
    assert all(panel["definition"] for panel in panels)
    assert "of 32" in [panel["unit"] for panel in panels]
    assert "two women in yellow jackets" in said
    assert not at.get("progress")


def test_a_run_in_training_shows_how_far_it_is(make_run):
    make_run("going", share=0.5, state="running", pid=os.getpid(), eta_s=130.0)
    at = open_page("runs", run="going")
    (bar,) = at.get("progress")
    assert "about 2 min left" in bar.proto.text
    assert 45 <= bar.proto.value <= 55
    assert "sentences a second" in words(at)
    assert "Stop" in [button.label for button in at.button]


def test_a_run_that_died_shows_the_end_of_its_log_and_can_be_resumed(make_run, monkeypatch):
    run = make_run("dead", share=0.3, state="running", pid=2**22 + 4321)
    run.log_path.write_text("step 1\nMemoryError: out of memory\n", encoding="utf-8")
    at = open_page("runs", run="dead")
    assert "without notice" in words(at)
    assert "MemoryError" in words(at)
    resumed = []
    monkeypatch.setattr("vae.jobs.resume", lambda run: resumed.append(run.name))
    next(button for button in at.button if button.label == "Resume").click()
    at.run()
    assert resumed == ["dead"]
    assert not at.exception


def test_stop_asks_the_run_to_stop(make_run):
    run = make_run("going", share=0.5, state="running", pid=os.getpid())
    at = open_page("runs", run="going")
    next(button for button in at.button if button.label == "Stop").click()
    at.run()
    assert run.stop_path.exists()
    assert "saving, then stopping" in words(at)


def test_a_run_can_be_renamed_and_stays_chosen(make_run, root):
    make_run("before", share=0.2, state="stopped")
    at = open_page("runs", run="before")
    at.text_input(key=state.RUNS_NAME).set_value("after")
    next(button for button in at.button if button.label == "Rename").click()
    at.run()
    assert Run(root / "after").exists
    assert at.selectbox(key=state.RUN).value == "after"


def test_a_name_that_is_taken_is_answered_in_a_sentence(make_run, root):
    make_run("one", share=0.1, state="stopped")
    make_run("two", share=0.1, state="stopped")
    at = open_page("runs", run="one")
    at.text_input(key=state.RUNS_NAME).set_value("two")
    next(button for button in at.button if button.label == "Rename").click()
    at.run()
    assert any("already a run" in toast.value for toast in at.toast)
    assert Run(root / "one").exists


def test_deleting_takes_two_clicks_and_goes_on_with_another_run(make_run, root):
    make_run("other", share=0.1, state="stopped")
    make_run("going", share=0.1, state="stopped")
    at = open_page("runs", run="going")
    assert Run(root / "going").exists
    next(button for button in at.button if button.label == "Delete for good").click()
    at.run()
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
    next(button for button in at.button if button.label.startswith("Train again")).click()
    at.run()
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
    assert "There is no run going" in words(at)
    assert at.selectbox(key=state.RUN).value == "other"
    shutil.rmtree(root / "other")
    at.run()
    assert "There are no runs yet" in words(at)
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
    next(button for button in at.button if button.label == "Open").click()
    at.run()
    assert at.session_state[state.OPENED] == {"~mine": str(tmp_path / "mine")}
    at.text_input(key=state.RUNS_SOURCE).set_value("nowhere at all")
    next(button for button in at.button if button.label == "Open").click()
    at.run()
    assert any("neither a folder" in toast.value for toast in at.toast)


# Train


def test_the_form_begins_with_the_recommended_recipe(root):
    at = open_page("train")
    assert at.selectbox(key=state.TRAIN_RECIPE).value == "two-phase"
    assert at.text_input(key=state.TRAIN_NAME).value == "two-phase"
    for section in backend.SECTIONS:
        if section in ("pretrain", "lstm"):  # shown where there is one
            continue
        for name, knob in backend.knobs(section).items():
            if (section, name) in (("data", "corpus"), ("model", "base")):
                continue
            widget = at.get_by_key(state.knob(section, name))
            assert knob.help.split(".")[0] in widget.proto.help
    assert "--recipe two-phase" in words(at)
    assert "Roughly" in words(at)
    assert not at.error


def test_another_recipe_fills_the_form_anew_and_proposes_a_name(make_run):
    make_run("plain-vae", "plain-vae", share=0.05, state="stopped")
    at = open_page("train")
    at.selectbox(key=state.TRAIN_RECIPE).set_value("plain-vae")
    at.run()
    assert at.number_input(key=state.knob("phase1", "epochs")).value == 0
    assert at.text_input(key=state.TRAIN_NAME).value == "plain-vae-2"
    at.text_input(key=state.TRAIN_NAME).set_value("my-own")
    at.selectbox(key=state.TRAIN_RECIPE).set_value("autoencoder")
    at.run()
    assert at.text_input(key=state.TRAIN_NAME).value == "my-own"


def test_a_recipe_in_the_url_is_taken(root):
    at = open_page("train", train_recipe="cyclic-vae")
    assert at.selectbox(key=state.TRAIN_RECIPE).value == "cyclic-vae"
    assert open_page("train", train_recipe="no-such").selectbox(key=state.TRAIN_RECIPE).value == "two-phase"


@pytest.mark.parametrize(
    ("section", "name", "value", "said"),
    [
        ("model", "latent_size", 0, "Size of the code z: model.latent_size=0"),
        ("model", "latent_size", -5, "latent_size=-5"),
        ("model", "latent_size", 10**9, "latent_size=1000000000"),
        ("phase2", "learning_rate", -1.0, "Phase 2, Learning rate: phase2.learning_rate=-1.0"),
        ("phase2", "token_deletion", 2.0, "token_deletion=2.0"),
        ("data", "max_tokens", 1, "max_tokens=1"),
    ],
)
def test_a_value_out_of_bounds_is_answered_in_one_sentence_and_kept(root, section, name, value, said):
    at = open_page("train")
    at.number_input(key=state.knob(section, name)).set_value(value)
    at.run()
    (error,) = at.error
    assert said in error.value.replace("\\", "")
    assert at.number_input(key=state.knob(section, name)).value == value
    assert next(button for button in at.button if button.label == "Launch").disabled
    assert at.text_input(key=state.TRAIN_NAME).value == "two-phase"


def test_two_phases_without_epochs_are_refused(root):
    at = open_page("train")
    at.number_input(key=state.knob("phase1", "epochs")).set_value(0.0)
    at.number_input(key=state.knob("phase2", "epochs")).set_value(0.0)
    at.run()
    assert "nothing would train" in at.error[0].value.replace("\\", "")


@pytest.mark.parametrize("name", ["", "../x", "y" * 300, "taken", "a b"])
def test_a_bad_name_is_answered_in_a_sentence(make_run, name):
    make_run("taken", share=0.05, state="stopped")
    at = open_page("train")
    at.text_input(key=state.TRAIN_NAME).set_value(name)
    at.run()
    assert len(at.error) == 1
    assert next(button for button in at.button if button.label == "Launch").disabled


def test_settings_without_effect_are_said(root):
    at = open_page("train", train_recipe="plain-vae")
    at.number_input(key=state.knob("phase1", "token_deletion")).set_value(0.3)
    at.run()
    assert "have no effect" in at.warning[0].value.replace("\\", "")
    assert not at.error


def test_launch_makes_the_run_and_goes_to_its_curves(root, monkeypatch):
    monkeypatch.setattr("vae.jobs.start", lambda run, **_: run)
    at = open_page("train")
    at.number_input(key=state.knob("model", "latent_size")).set_value(8)
    at.text_input(key=state.TRAIN_NAME).set_value("mine")
    at.run()
    next(button for button in at.button if button.label == "Launch").click()
    at.run()
    assert not at.exception
    assert Run(root / "mine").config == recipes.two_phase().with_settings(["model.latent_size=8"])
    assert at.title[0].value == "Runs"
    assert at.selectbox(key=state.RUN).value == "mine"
    assert any("is training" in toast.value for toast in at.toast)


def test_going_back_and_forth_between_form_and_runs(make_run, root, monkeypatch):
    monkeypatch.setattr("vae.jobs.start", lambda run, **_: run)
    make_run("first", config=recipes.get("cyclic-vae").with_settings(["model.latent_size=7"]))
    at = open_page("train")
    at.switch_page("app/pages/runs.py").run()
    for name in ("second", "third"):
        next(button for button in at.button if button.label.startswith("Train again")).click()
        at.run()
        assert at.selectbox(key=state.TRAIN_RECIPE).value == "cyclic-vae"
        at.switch_page("app/pages/train.py")  # AppTest forgets that the script has switched
        at.text_input(key=state.TRAIN_NAME).set_value(name)
        at.run()
        next(button for button in at.button if button.key == "train_launch").click()
        at.run()
        assert not at.exception
        assert at.selectbox(key=state.RUN).value == name
        at.switch_page("app/pages/runs.py")
        assert backend.config(name) == backend.config("first")


def test_a_process_that_cannot_be_started_is_said_in_a_sentence(root, monkeypatch):
    def refuse(run, **_):
        raise ValueError("The training process could not be started (no memory).")

    monkeypatch.setattr("vae.jobs.start", refuse)
    at = open_page("train")
    next(button for button in at.button if button.label == "Launch").click()
    at.run()
    assert "could not be started" in words(at)
    assert not at.exception


def test_an_upload_is_looked_at_kept_and_trained_on(root):
    at = open_page("train")
    at.get_by_key(state.TRAIN_TEXT).set_value("upload")
    at.run()
    assert "text is missing" in at.error[0].value
    lines = "\n".join(f"sentence number {i} is here ." for i in range(80))
    at.file_uploader(key=state.TRAIN_UPLOAD).upload("mine.txt", lines.encode())
    at.run()
    assert not at.error
    assert "sentence number" in words(at)
    assert "uploads" in words(at)
    assert list((root / "uploads").rglob("mine.txt"))


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"one sentence only", b"same\n" * 100])
def test_a_text_that_cannot_be_trained_on_is_answered_in_a_sentence(root, content):
    at = open_page("train")
    at.get_by_key(state.TRAIN_TEXT).set_value("upload")
    at.run()
    at.file_uploader(key=state.TRAIN_UPLOAD).upload("mine.txt", content)
    at.run()
    assert len(at.error) == 1
    assert not at.exception


def test_a_corpus_of_the_hub_is_looked_at_when_asked_and_says_why_it_cannot_be(root):
    at = open_page("train")
    at.get_by_key(state.TRAIN_TEXT).set_value("hub")
    at.run()
    at.text_input(key=state.TRAIN_HUB).set_value("someone/no-such-corpus")
    at.run()
    assert not at.error
    assert "cannot be said" in words(at)
    next(button for button in at.button if button.label == "Look at it").click()
    at.run()
    assert len(at.error) == 1
    assert "no-such-corpus" in words(at)
    assert not at.exception


def test_a_fresh_base_shows_its_phase(root):
    at = open_page("train")
    with pytest.raises(KeyError):
        at.get_by_key(state.knob("pretrain", "width"))
    at.get_by_key(state.TRAIN_BASE).set_value("fresh")
    at.run()
    assert at.number_input(key=state.knob("pretrain", "width")).value == 128


def test_the_form_is_kept_across_pages(root):
    at = open_page("train")
    at.number_input(key=state.knob("model", "latent_size")).set_value(9)
    at.run()
    at.switch_page("app/pages/home.py").run()
    at.switch_page("app/pages/train.py").run()
    assert at.number_input(key=state.knob("model", "latent_size")).value == 9


def test_a_log_of_another_program_is_imported_and_shown_for_what_it_is(make_run, tmp_path):
    make_run("ours", share=0.1)
    line = "VAL --- avg_loss: 50.0, kl: 10.0, mi: 4.0, recon: 40.0, nll: 50.0, ppl: 90.0\n"
    (tmp_path / "log.txt").write_text(f"Namespace(nz=32, fb=2, target_kl=8.0)\n{line}", encoding="utf-8")
    at = open_page("runs", run="ours")
    at.text_input(key=state.RUNS_FOREIGN).set_value(str(tmp_path / "log.txt"))
    next(button for button in at.button if button.label == "Import").click()
    at.run()
    assert not at.exception
    name = at.selectbox(key=state.RUN).value
    assert name.startswith("imported-")
    assert "Imported from" in words(at)
    assert "target_kl" in at.json[0].value
    assert not any("python -m vae train" in code.value for code in at.code)
    assert "Train again with these settings" not in [button.label for button in at.button]
