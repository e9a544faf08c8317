"""An LSTM in the app: its form, and a run that was trained with words, which opens like any other."""

from __future__ import annotations

from dataclasses import replace

from app import backend, state
from tests.app.frame import open_page, said
from vae import trainer
from vae.config import Config, Lstm, Model, Phase, Pretrain
from vae.runs import Run


def test_home_lists_it_and_interpolate_walks_through_it(root, corpus_file, make_config):
    tiny = make_config(f"file:{corpus_file}")
    config = replace(
        tiny,
        recipe="custom",
        model=Model(backbone="lstm", latent_size=6, pooling="last"),
        lstm=Lstm(vocabulary=50, embedding=8, width=16),
        pretrain=Pretrain(),
        phase1=Phase(),
    )
    trainer.train(Run.create(root / "words", config), progress=False)
    assert "**words**" in said(open_page())
    at = open_page("interpolate", run="words")
    assert not at.error
    model = backend.model("words")
    shown = at.dataframe[0].value.dropna(subset="t")["sentence"].tolist()
    assert shown == backend.walk(model, backend.End(), backend.End(seed=1)).texts


def test_the_form_asks_for_sizes_instead_of_a_base(root):
    at = open_page("train")
    assert not any(element.key == state.knob("lstm", "width") for element in at.number_input)
    at.get_by_key(state.knob("model", "backbone")).set_value("lstm")
    at.run()
    assert not at.exception
    assert not at.error
    assert "An LSTM starts from random weights" in said(at)
    at.number_input(key=state.knob("lstm", "width")).set_value(64)
    at.run()
    line = " ".join(element.value for element in at.code)
    assert "model.backbone=lstm" in line
    assert "lstm.width=64" in line
    assert "--base" not in line


def test_its_cost_is_measured_on_other_lstms_of_its_size(make_run):
    start = backend.recipe("plain-vae")
    lstm = replace(start, model=replace(start.model, backbone="lstm", pooling="last"))
    assert backend.estimate(lstm, 20_000).seconds is None
    make_run("t5", "plain-vae")
    assert backend.estimate(lstm, 20_000).seconds is None
    make_run("larger", config=replace(lstm, lstm=Lstm(width=1024)))
    assert backend.estimate(lstm, 20_000).seconds is None
    make_run("alike", config=lstm)
    assert backend.estimate(lstm, 20_000).measured_on == ("alike",)
    assert backend.estimate(start, 20_000).measured_on == ("t5",)
    fresh = Config(phase2=Phase(epochs=1), model=Model(backbone="lstm", base="fresh"))
    assert backend.estimate(fresh, 20_000).seconds is None
