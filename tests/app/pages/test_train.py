"""The page Train, run through the frame. Nothing is trained."""

import pytest

from app import backend, state
from tests.app.frame import button, open_page, press, said
from vae import recipes
from vae.runs import Run


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
    assert "--recipe two-phase" in said(at)
    assert "Roughly" in said(at)
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
    ("section", "name", "value", "words"),
    [
        ("model", "latent_size", 0, "Size of the code z: model.latent_size=0"),
        ("model", "latent_size", -5, "latent_size=-5"),
        ("model", "latent_size", 10**9, "latent_size=1000000000"),
        ("phase2", "learning_rate", -1.0, "Phase 2, Learning rate: phase2.learning_rate=-1.0"),
        ("phase2", "token_deletion", 2.0, "token_deletion=2.0"),
        ("data", "max_tokens", 1, "max_tokens=1"),
    ],
)
def test_a_value_out_of_bounds_is_answered_in_one_sentence_and_kept(root, section, name, value, words):
    at = open_page("train")
    at.number_input(key=state.knob(section, name)).set_value(value)
    at.run()
    (error,) = at.error
    assert words in error.value.replace("\\", "")
    assert at.number_input(key=state.knob(section, name)).value == value
    assert button(at, "Launch").disabled
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
    assert button(at, "Launch").disabled


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
    press(at, "Launch")
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
        press(at, "Train again with these settings")
        assert at.selectbox(key=state.TRAIN_RECIPE).value == "cyclic-vae"
        at.switch_page("app/pages/train.py")  # AppTest forgets that the script has switched
        at.text_input(key=state.TRAIN_NAME).set_value(name)
        at.run()
        press(at, "train_launch")
        assert at.selectbox(key=state.RUN).value == name
        at.switch_page("app/pages/runs.py")
        assert backend.config(name) == backend.config("first")


def test_a_process_that_cannot_be_started_is_said_in_a_sentence(root, monkeypatch):
    def refuse(run, **_):
        raise ValueError("The training process could not be started (no memory).")

    monkeypatch.setattr("vae.jobs.start", refuse)
    at = open_page("train")
    press(at, "Launch")
    assert "could not be started" in said(at)
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
    assert "sentence number" in said(at)
    assert "uploads" in said(at)
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
    assert "cannot be said" in said(at)
    press(at, "Look at it")
    assert len(at.error) == 1
    assert "no-such-corpus" in said(at)
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


@pytest.mark.parametrize("name", ["", "   ", "a b"])
def test_a_bad_name_is_said_at_its_field_and_takes_nothing_else_away(root, name):
    at = open_page("train")
    at.text_input(key=state.TRAIN_NAME).set_value(name).run()
    shown = [element for element in at.main if element.type in ("text_input", "error", "header")]
    kinds = [(element.type, getattr(element, "label", element.value)) for element in shown]
    place = kinds.index(("text_input", "Name of the run"))
    assert kinds[place + 1][0] == "error"
    assert "''" not in said(at)
    assert "Roughly" in said(at)
    assert "--recipe two-phase --run" in said(at)
    assert button(at, "Launch").disabled


def test_no_two_fields_have_the_same_label_in_one_part_of_the_form(root):
    labels = [field.label for field in open_page("train").number_input]
    assert [label for label in labels if "Seed" in label] == ["Seed of training", "Seed of the text"]
