"""A configuration varied along axes: its runs, their names, their table; and what differs between configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae import jobs, recipes, runs, sweeps
from vae.cli.parser import build
from vae.config import Config, Lstm, Model, Phase, Pretrain
from vae.recipes import FROZEN_DECODER
from vae.runs import Notes, Run
from vae.sweeps import Axis, expand

BASE = recipes.get("two-phase")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runs, in which nothing is started."""
    monkeypatch.setenv("BOTTLENECK_RUNS", str(tmp_path))
    monkeypatch.setattr(jobs, "advance", lambda folder=None: [])
    return tmp_path


def test_an_axis_is_a_setting_with_its_values() -> None:
    axis = Axis.read("phase2.free_bits_per_dimension = 0, 0.50,3")
    assert axis == Axis(("phase2.free_bits_per_dimension",), ("0", "0.5", "3"))
    assert str(axis) == "phase2.free_bits_per_dimension=0,0.5,3"


def test_several_settings_take_each_value_together() -> None:
    axis = Axis.read("phase1.token_deletion+phase2.token_deletion=0,0.15")
    configs = [member.config for member in expand("s", BASE, [axis]).members]
    assert [(each.phase1.token_deletion, each.phase2.token_deletion) for each in configs] == [(0, 0), (0.15, 0.15)]


def test_the_parts_of_one_value_are_joined() -> None:
    plan = expand("s", BASE, [Axis.read("phase1.frozen=embeddings+projection+decoder+head,decoder+head,none")])
    assert [member.config.phase1.frozen for member in plan.members] == [FROZEN_DECODER, ("decoder", "head"), ()]
    assert [member.name for member in plan.members] == ["s-frozen", "s-decoder_head", "s-free"]


def test_a_value_with_a_comma_stands_in_quotes() -> None:
    axis = Axis.read('data.corpus=captions,"file:a,b.txt"')
    assert axis.values == ("captions", "file:a,b.txt")
    assert Axis.read(str(axis)) == axis


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model.pooling", "not of the form"),
        ("model.pooling=", "not of the form"),
        ("model.poling=max", "Did you mean 'pooling'"),
        ("nothing.at_all=1", "names no section"),
        ("recipe=two-phase", "section.field=value"),
        ("model.latent_size=8,many", "model.latent_size='many' is not a whole number"),
        ("phase1.token_deletion=0.15,0.150", "0.15 twice"),
    ],
)
def test_what_is_no_axis_is_refused_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Axis.read(text)


@given(st.lists(st.floats(0, 0.99), min_size=1, max_size=5, unique_by=lambda value: f"{value:.12g}"))
def test_an_axis_survives_being_written(values: list[float]) -> None:
    axis = Axis.read("phase1.token_deletion=" + ",".join(map(repr, values)))
    assert Axis.read(str(axis)) == axis
    members = expand("s", BASE, [axis]).members
    assert [axis.of(member.config) for member in members] == list(axis.values)


def test_every_combination_is_there_once_and_shares_everything_else() -> None:
    axes = [Axis.read("model.pooling=max,mean"), Axis.read("model.latent_size=8,16,32")]
    plan = expand("s", BASE, axes)
    assert [member.name for member in plan.members] == [f"s-{p}-z{z}" for p in ("max", "mean") for z in (8, 16, 32)]
    assert plan.members[1].label == "max_z16"
    assert plan.members[1].values == {"model.pooling": "max", "model.latent_size": "16"}
    same = {replace(member.config, model=BASE.model) for member in plan.members}
    assert same == {BASE}
    assert plan.common() == "The same for all: the corpus captions, data seed 0, training seed 0."


def test_a_seed_that_is_varied_is_not_said_to_be_the_same() -> None:
    plan = expand("s", BASE, [Axis.read("train.seed=0,1")])
    assert "training seed" not in plan.common()
    assert [member.name for member in plan.members] == ["s-s0", "s-s1"]


def test_combinations_that_are_not_valid_are_told_and_the_others_stay() -> None:
    axes = [Axis.read("phase2.free_bits_per_dimension=0,1"), Axis.read("phase2.free_bits_total=0,4")]
    plan = expand("s", BASE, axes)
    assert len(plan.members) == 3
    assert list(plan.refused) == ["1_fbt4"]
    assert "set one of them to 0" in plan.refused["1_fbt4"]


@pytest.mark.parametrize(
    ("stem", "axes", "words"),
    [
        ("s", [], "something to vary"),
        ("a/b", ["model.pooling=max"], "cannot name a run"),
        ("s", ["model.pooling=max", "model.pooling=mean"], "varied twice"),
        ("s", ["train.seed=" + ",".join(map(str, range(201)))], "201 runs"),
        ("s", ["phase1.token_deletion=1.5,2"], "No combination is valid: phase1.token_deletion=1.5"),
        ("s" * 79, ["model.pooling=max"], "cannot name a run"),
    ],
)
def test_what_is_no_sweep_is_refused_in_a_sentence(stem: str, axes: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        expand(stem, BASE, [Axis.read(text) for text in axes])


def test_names_that_would_be_the_same_are_numbered() -> None:
    plan = expand("s", BASE, [Axis.read("data.corpus=file:here/a.txt,file:there/a.txt")])
    assert [member.name for member in plan.members] == ["s-a.txt", "s-a.txt-2"]


def test_the_first_study_is_the_one_of_figure_2() -> None:
    base, axes = sweeps.preset("phase1")
    members = expand("phase1", base, axes).members
    assert len(members) == 12
    assert "phase1-max-0.15-frozen" in [member.name for member in members]
    assert {member.config.model.pooling for member in members} == {"max", "mean"}
    assert {member.config.phase1.token_deletion for member in members} == {0, 0.15, 0.4}
    assert {member.config.phase1.frozen for member in members} == {FROZEN_DECODER, ()}
    assert {member.config.phase1.kl_weight for member in members} == {0}
    assert {member.config.phase2.epochs for member in members} == {0}
    assert not any(member.config.idle_settings() for member in members)


def test_the_second_study_is_the_one_of_figure_3() -> None:
    base, axes = sweeps.preset("phase2")
    members = expand("phase2", base, axes).members
    assert [member.label for member in members[:4]] == ["0_0", "0_0.15", "0_0.4", "0.5_0"]
    assert {member.config.phase2.free_bits_per_dimension for member in members} == {0, 0.5, 3, 6}
    assert {member.config.model.pooling for member in members} == {"max"}
    assert all(member.config.phase1.token_deletion == member.config.phase2.token_deletion for member in members)


def test_an_axis_can_be_added_to_a_study_or_take_the_place_of_one() -> None:
    _, axes = sweeps.preset("phase1")
    more = [Axis.read("model.latent_size=32,64"), Axis.read("model.pooling=max")]
    assert [str(axis) for axis in sweeps.with_axes(axes, more)][::3] == ["model.pooling=max", "model.latent_size=32,64"]


def test_the_runs_wait_in_the_order_of_the_plan_and_know_their_sweep(root: Path) -> None:
    plan = expand("s", BASE, [Axis.read("model.pooling=mean,max"), Axis.read("model.latent_size=16,8")])
    made = sweeps.launch(plan)
    assert [run.name for run in made] == [member.name for member in plan.members]
    assert jobs.queue().waiting == tuple(member.name for member in plan.members)
    assert made[0].notes == Notes(sweep="s", over=("model.pooling=mean,max", "model.latent_size=16,8"))
    assert [run.config for run in made] == [member.config for member in plan.members]
    assert [run.name for run in sweeps.members("s")] == ["s-mean-z16", "s-mean-z8", "s-max-z16", "s-max-z8"]
    assert sweeps.names() == ["s"]


def test_where_a_name_is_taken_nothing_is_made(root: Path) -> None:
    plan = expand("s", BASE, [Axis.read("model.pooling=max,mean")])
    Run.create(root / "s-mean", BASE)
    with pytest.raises(ValueError, match="already a run named 's-mean'"):
        sweeps.launch(plan)
    assert [run.name for run in runs.list_runs()] == ["s-mean"]


def test_where_a_run_cannot_be_made_the_others_are_taken_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Run.create

    def once(path: Path, config: Config) -> Run:
        if path.name == "s-mean":
            raise ValueError("The disk is full.")
        return create(path, config)

    monkeypatch.setattr(Run, "create", once)
    with pytest.raises(ValueError, match="The disk is full"):
        sweeps.launch(expand("s", BASE, [Axis.read("model.pooling=max,mean")]))
    assert runs.list_runs() == []


def test_a_second_sweep_needs_another_name(root: Path) -> None:
    sweeps.launch(expand("s", BASE, [Axis.read("model.pooling=max")]))
    with pytest.raises(ValueError, match="already a sweep named 's'"):
        sweeps.launch(expand("s", BASE, [Axis.read("model.latent_size=8")]))


def test_there_is_no_sweep_that_nobody_made(root: Path) -> None:
    with pytest.raises(ValueError, match="there is none yet"):
        sweeps.members("s")
    sweeps.launch(expand("phase1", BASE, [Axis.read("model.pooling=max")]))
    with pytest.raises(ValueError, match="Did you mean 'phase1'"):
        sweeps.members("phase2")


def test_damaged_notes_of_one_run_hide_no_sweep(root: Path) -> None:
    made = sweeps.launch(expand("s", BASE, [Axis.read("model.pooling=max,mean")]))
    made[0].notes_path.write_text("{", encoding="utf-8")
    assert sweeps.members("s") == made[1:]


def test_a_row_has_what_was_varied_the_newest_figures_and_a_verdict() -> None:
    axes = [Axis.read("model.pooling=max,mean"), Axis.read("phase1.frozen=embeddings+projection+decoder+head,none")]
    figures = {"kl_nats": 0.01, "delta_nll_nats": 0.0, "mi_nats": 0.0, "active_units": 0, "step": 9}
    row = sweeps.row("r", BASE, axes, "running", figures)
    assert row["label"] == "max_frozen"
    assert (row["model.pooling"], row["state"], row["kl_nats"], row["verdict"]) == ("max", "running", 0.01, "collapsed")
    assert "step" not in row
    empty = sweeps.row("r", BASE, axes, "queued", {})
    assert (empty["verdict"], empty["mi_nats"]) == ("", None)


@pytest.mark.parametrize("preset", sweeps.PRESETS)
def test_the_command_makes_the_same_sweep(preset: str) -> None:
    base, axes = sweeps.preset(preset)
    plan = expand("s", base, axes)
    options = build().parse_args(sweeps.command("s", plan.members[-1].config, axes))
    again = recipes.get(options.recipe).with_settings(options.set)
    assert expand(options.name, again, [Axis.read(text) for text in options.over]).members == plan.members


def test_only_what_differs_is_named() -> None:
    one, two = BASE, BASE.with_settings(["model.latent_size=64", "train.seed=3"])
    assert sweeps.differences({"a": one, "b": two}) == {
        "model.latent_size": {"a": "32", "b": "64"},
        "train.seed": {"a": "0", "b": "3"},
    }
    assert sweeps.differences({"a": one, "b": one}) == {}


def test_what_has_no_effect_is_not_a_difference() -> None:
    skipped = Config(phase1=Phase(epochs=0, learning_rate=0.5), phase2=BASE.phase2)
    fresh = Config(phase1=Phase(epochs=1, kl_weight=0.0), phase2=BASE.phase2, model=Model(base="fresh"))
    found = sweeps.differences({"a": skipped, "b": fresh})
    assert list(found) == ["model.base", "phase1.epochs", "phase1.kl_weight"]
    assert found["phase1.kl_weight"] == {"a": sweeps.NO_EFFECT, "b": "0"}
    assert found["phase1.epochs"] == {"a": "0", "b": "1"}


def test_what_an_lstm_and_a_t5_have_for_themselves_is_idle_in_the_other() -> None:
    models = {"a": Model(base="fresh"), "b": Model(backbone="lstm", base="fresh", pooled_layers="all")}
    sizes = {"pretrain": Pretrain(layers=3), "lstm": Lstm(width=8)}
    found = sweeps.differences({name: Config(phase2=BASE.phase2, model=each, **sizes) for name, each in models.items()})
    assert found == {
        "model.backbone": {"a": "t5", "b": "lstm"},
        "model.base": {"a": "fresh", "b": sweeps.NO_EFFECT},
        "pretrain.layers": {"a": "3", "b": sweeps.NO_EFFECT},
        "lstm.width": {"a": sweeps.NO_EFFECT, "b": "8"},
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("phase1.token_deletion", "token deletion, phase 1"),
        ("phase1.token_deletion+phase2.token_deletion", "token deletion"),
        ("train.seed", "train seed"),
        ("phase2.kl_weight", "KL weight, phase 2"),
        ("kl_nats", "kl_nats"),
    ],
)
def test_a_setting_is_named_in_words(name: str, words: str) -> None:
    assert sweeps.heading(name) == words
