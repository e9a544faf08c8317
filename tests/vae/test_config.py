"""Every knob: what it accepts, what it refuses and in which words, and the way to JSON and back."""

import dataclasses
import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae.config import FREE_BITS, PARTS, Config, Data, Knob, Lstm, Model, Phase, Pretrain, Train, knobs, read_json
from vae.recipes import FROZEN_DECODER, RECIPES, get

SECTIONS = {
    "data": Data,
    "model": Model,
    "pretrain": Pretrain,
    "lstm": Lstm,
    "phase1": Phase,
    "phase2": Phase,
    "train": Train,
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NUMERIC = [
    (section, knob.name)
    for section, kind in SECTIONS.items()
    for knob in knobs(kind).values()
    if knob.kind in ("int", "float")
]


def values(knob: Knob) -> st.SearchStrategy[Any]:
    """Any value that a knob accepts."""
    found: st.SearchStrategy[Any]
    if knob.kind == "choice":
        found = st.sampled_from(knob.choices)
    elif knob.kind == "parts":
        found = st.lists(st.sampled_from(PARTS), unique=True, max_size=len(PARTS) - 1).map(tuple)
    elif knob.kind == "text":
        found = TEXT.filter(str.strip)
    elif knob.kind == "int":
        found = st.integers(int(knob.low), int(min(knob.high, 10**9)))
    else:
        found = st.floats(knob.low, knob.high)
        if math.ceil(knob.low) <= knob.high:
            found |= st.integers(math.ceil(knob.low), math.floor(knob.high))
    return found | st.none() if knob.optional else found


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any valid configuration."""
    sections = {
        name: kind(**{knob.name: draw(values(knob)) for knob in knobs(kind).values()})
        for name, kind in SECTIONS.items()
    }
    for name in ("phase1", "phase2"):  # keep the rules between fields
        alone = draw(st.sampled_from([*FREE_BITS, "kl_target"]))
        others = {knob: 0.0 for knob in (*FREE_BITS, "kl_target") if knob != alone}
        sections[name] = dataclasses.replace(
            sections[name], epochs=1.0, importance_samples=1, decoder="reset", **others
        )
    slots = sections["model"].memory_slots if sections["model"].backbone == "t5" else 1
    sections["model"] = dataclasses.replace(sections["model"], latent="gaussian", memory_slots=slots)
    sections["pretrain"] = dataclasses.replace(sections["pretrain"], epochs=1.0, width=64, heads=4)
    return Config(recipe=draw(TEXT.filter(str.strip)), **sections)


@given(configs())
def test_json_round_trip(config: Config) -> None:
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@given(configs(), st.data())
def test_a_setting_on_the_command_line_is_the_value_in_the_section(config: Config, data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(["data", "model", "train"]))
    knob = data.draw(st.sampled_from(list(knobs(SECTIONS[section]).values())))
    value = data.draw(values(knob).filter(lambda value: value != "zero" and str(value) == str(value).strip()))
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, backbone="t5", memory_slots=1))
    changed = config.with_settings([f"{section}.{knob.name}={value}"])
    assert getattr(getattr(changed, section), knob.name) == value
    untouched = dataclasses.replace(changed, **{section: getattr(config, section)})
    assert untouched == config


def test_settings_of_every_kind() -> None:
    config = Config(phase2=Phase(epochs=1)).with_settings(
        [
            "data.corpus=file:a=b.txt",
            "data.train_sentences=none",
            " phase2.frozen = encoder, posterior ",
            "phase2.kl_weight=1e-2",
            "train.threads=3",
            "train.threads=4",
        ]
    )
    assert config.data == Data(corpus="file:a=b.txt")
    assert config.phase2 == Phase(epochs=1, frozen=("encoder", "posterior"), kl_weight=0.01)
    assert config.train.threads == 4
    assert config.with_settings(["phase2.frozen="]).phase2.frozen == ()


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("", "section.field=value"),
        ("train.seed", "section.field=value"),
        ("seed=1", "section.field=value"),
        ("trian.seed=1", "names no section"),
        ("recipe.x=1", "names no section"),
        ("train.sede=1", "train.sede is not a setting"),
        ("train.seed=one", "seed='one' is not a whole number"),
        ("train.seed=1.5", "seed='1.5' is not a whole number"),
        ("train.seed=", "seed='' is not a whole number"),
        ("train.clip_norm=much", "clip_norm='much' is not a number"),
        ("train.batch_size=0", "train.batch_size=0 must be a whole number of at least 1 and at most 65536"),
        ("model.latent_size=-3", "model.latent_size=-3 must be"),
        ("model.latent_size=1" + 400 * "0", "model.latent_size"),
        ("data.train_sentences=1" + 400 * "0", "data.train_sentences"),
        ("model.pooling=sum", "choose among max, mean"),
        ("model.base=", "must be a text that is not empty"),
        ("phase2.frozen=brain", "unknown part 'brain'"),
        ("phase2.frozen=" + ",".join(PARTS), "nothing would train"),
        ("phase2.epochs=0", "nothing would train"),
    ],
)
def test_a_bad_setting_is_refused_in_words(setting: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as caught:
        Config(phase2=Phase(epochs=1)).with_settings([setting])
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("wrong", "meant"), [("trian.seed=1", "train"), ("train.sede=1", "seed"), ("phase2.klweight=1", "kl_weight")]
)
def test_a_misspelt_setting_is_answered_with_the_likely_one(wrong: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"Did you mean '{meant}'"):
        Config(phase2=Phase(epochs=1)).with_settings([wrong])


@pytest.mark.parametrize(("section", "name"), NUMERIC)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, True, "1", 10**400, [1]])
def test_no_number_is_nan_infinite_negative_or_of_another_kind(section: str, name: str, value: object) -> None:
    config = Config(phase2=Phase(epochs=1)).to_dict()
    config[section][name] = value
    with pytest.raises(ValueError, match=rf"{section}\.{name}=.* must be "):
        Config.from_dict(config)


@pytest.mark.parametrize("name", ["frozen", "kl_schedule"])
@pytest.mark.parametrize("value", [None, 3, "encoder", [3]])
def test_choices_and_parts_of_another_kind_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"phase2\.{name}"):
        Config.from_dict({"phase2": {"epochs": 1, name: value}})


@pytest.mark.parametrize(
    "values", [None, [], "two-phase", 3, {"phase3": {}}, {"phase2": [1]}, {"phase2": {"epoch": 1}}]
)
def test_a_document_that_is_no_configuration_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"section|setting|configuration"):
        Config.from_dict(values)


@pytest.mark.parametrize("recipe", [{"a": 1}, 5, None, ["two-phase"], True, "", " "])
def test_the_name_of_a_recipe_is_a_text(recipe: Any) -> None:
    with pytest.raises(ValueError, match=r"recipe=.* must be a text that is not empty"):
        Config.from_dict(get("plain-vae").to_dict() | {"recipe": recipe})
    with pytest.raises(ValueError, match=r"recipe=.* must be a text that is not empty"):
        dataclasses.replace(get("plain-vae"), recipe=recipe)


def test_a_value_too_long_or_deep_to_write_out_is_shown_in_part() -> None:
    nested: Any = "deep"
    for _ in range(2000):
        nested = [nested]
    for name, value in (("max_tokens", 10**4000), ("corpus", nested), ("max_tokens", nested)):
        with pytest.raises(ValueError, match=rf"data\.{name}=.* must be") as caught:
            Config.from_dict({"data": {name: value}})
        assert len(str(caught.value)) < 200
    for document in (nested, {"data": nested}):
        with pytest.raises(ValueError, match=r"must hold") as caught:
            Config.from_dict(document)
        assert len(str(caught.value)) < 200


def test_rules_between_fields() -> None:
    with pytest.raises(ValueError, match="set one above 0"):
        Config()
    with pytest.raises(ValueError, match="set one of them to 0"):
        Config(phase2=Phase(epochs=1, free_bits_total=1, free_bits_per_dimension=1))
    for one, other in itertools.combinations([*FREE_BITS, "kl_target"], 2):
        with pytest.raises(ValueError, match=f"both {one}=2 and {other}=3: set one of them to 0"):
            Config(phase1=Phase(**{one: 2, other: 3}), phase2=Phase(epochs=1))
        with pytest.raises(ValueError, match=rf"importance_samples=5 .*{other}=3 does not apply"):
            Config(phase2=Phase(epochs=1, importance_samples=5, **{other: 3}))
    with pytest.raises(ValueError, match="choose reset or keep"):
        Config(phase2=Phase(epochs=1, decoder="restore"), model=Model(backbone="lstm"))
    with pytest.raises(ValueError, match="choose numbers that divide"):
        Config(phase2=Phase(epochs=1), model=Model(base="fresh"), pretrain=Pretrain(width=10, heads=4))
    with pytest.raises(ValueError, match="set it above 0"):
        Config(phase2=Phase(epochs=1), model=Model(base="fresh"), pretrain=Pretrain(epochs=0))


def test_idle_settings_are_named_and_no_recipe_has_one() -> None:
    idle = Config(
        phase1=Phase(kl_weight=0.5),
        phase2=Phase(epochs=1, kl_epochs=3),
        pretrain=Pretrain(width=8, heads=2),
    ).idle_settings()
    assert [sentence.split(" ")[0:3] for sentence in idle] == [
        ["The", "pretrain", "section"],
        ["The", "settings", "of"],
        ["phase2.kl_epochs", "has", "no"],
    ]
    free = Config(phase2=Phase(epochs=1, kl_weight=0, free_bits_total=3)).idle_settings()
    assert free == ["The free bits of phase2 have no effect: its KL weight is 0."]
    assert [get(name).idle_settings() for name in RECIPES] == [[] for _ in RECIPES]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"phase2": Phase(epochs=1, patience=3)}, "phase2.patience has no effect"),
        (
            {"phase2": Phase(epochs=3, learning_rate_schedule="patience", kl_schedule="linear", kl_epochs=3)},
            "The patience of phase2 has no effect: the KL weight rises for as long as the phase lasts.",
        ),
        (
            {"phase2": Phase(epochs=3, learning_rate_schedule="patience", patience_from=5)},
            "The patience of phase2 has no effect: patience_from waits",
        ),
        ({"phase2": Phase(epochs=1, patience_decays=2)}, "phase2.patience_decays has no effect"),
        ({"phase2": Phase(epochs=1, free_bits_over="batch")}, "phase2.free_bits_over has no effect"),
        ({"phase2": Phase(epochs=1, kl_weight=0, kl_target=4)}, "phase2.kl_target has no effect"),
        ({"phase2": Phase(epochs=1, word_dropout_epochs=2)}, "phase2.word_dropout_epochs has no effect"),
        (
            {"phase2": Phase(epochs=1, aggressive_updates=9, frozen=("encoder", "posterior"))},
            "phase2.aggressive_updates has no effect",
        ),
        ({"phase2": Phase(epochs=1, decoder="reset")}, "phase2.decoder has no effect: there is no phase 1"),
        ({"phase1": Phase(epochs=1, decoder="reset")}, "phase1.decoder has no effect"),
        (
            {"phase1": Phase(epochs=1, frozen=("decoder", "head")), "phase2": Phase(epochs=1, decoder="restore")},
            "phase2.decoder='restore' has no effect",
        ),
        ({"phase2": Phase(epochs=1), "train": Train(optimizer="sgd", weight_decay=1)}, "train.weight_decay has no"),
    ],
)
def test_what_another_setting_leaves_without_effect_is_said(sections: dict[str, Any], said: str) -> None:
    idle = Config(**sections).idle_settings()
    assert len(idle) == 1
    assert idle[0].startswith(said)


def test_settings_that_work_together_are_not_called_idle() -> None:
    phase = Phase(
        epochs=1, learning_rate_schedule="patience", patience=3, free_bits_target=4, free_bits_over="batch",
        word_dropout=0.5, word_dropout_epochs=1, aggressive_updates=3, decoder="restore",
    )  # fmt: skip
    assert Config(phase1=Phase(epochs=1), phase2=phase).idle_settings() == []
    assert Config(phase2=Phase(epochs=1, kl_target=3, importance_samples=1)).idle_settings() == []


def test_an_lstm_has_no_base_and_no_phase_0_and_says_so() -> None:
    phase = Phase(epochs=1)
    lstm = Config(phase2=phase, model=Model(backbone="lstm"), lstm=Lstm(width=8))
    assert lstm.idle_settings() == []
    assert not lstm.pretrains
    fresh = Config(
        phase2=phase,
        model=Model(backbone="lstm", base="fresh", pooled_layers="all"),
        pretrain=Pretrain(width=10, heads=4, epochs=0),  # no rule where there is no phase 0
    )
    assert not fresh.pretrains
    assert [sentence.split(" has no effect")[0] for sentence in fresh.idle_settings()] == [
        "The base 'fresh'",
        "model.pooled_layers",
        "The pretrain section",
    ]
    t5 = Config(phase2=phase, model=Model(base="fresh"), lstm=Lstm(width=8))
    assert t5.pretrains
    assert t5.idle_settings() == ["The lstm section has no effect: the backbone is 't5'."]


@pytest.mark.parametrize("backbone", ["lstm", "t5-as-released"])
def test_several_slots_are_for_a_t5(backbone: Any) -> None:
    phase = Phase(epochs=1)
    with pytest.raises(ValueError, match=r"memory_slots=4 is for the backbone 't5' alone.*set it to 1"):
        Config(phase2=phase, model=Model(backbone=backbone, memory_slots=4))
    assert Config(phase2=phase, model=Model(backbone=backbone)).model.memory_slots == 1
    with pytest.raises(ValueError, match=r"model.memory_slots=65 must be .* at most 64"):
        Config(phase2=phase, model=Model(memory_slots=65))


@pytest.mark.parametrize(
    ("phase1", "phase2", "said"),
    [
        (Phase(epochs=1, frozen=FROZEN_DECODER), Phase(epochs=1), "phase1.frozen lists decoder and head, but nothing"),
        (Phase(), Phase(epochs=1, frozen=("decoder",)), "phase2.frozen lists decoder, but nothing"),
        (Phase(epochs=1), Phase(epochs=1, frozen=("decoder",)), ""),
    ],
)
def test_a_decoder_that_nothing_has_trained_is_no_decoder_to_freeze(phase1: Phase, phase2: Phase, said: str) -> None:
    idle = Config(phase1=phase1, phase2=phase2, model=Model(backbone="lstm")).idle_settings()
    assert [sentence[: len(said)] for sentence in idle] == [said] * bool(said)
    assert Config(phase1=phase1, phase2=phase2).idle_settings() == []


def test_a_configuration_of_a_time_with_one_slot_is_read() -> None:
    old = get("two-phase").to_dict()
    del old["model"]["memory_slots"]
    assert Config.from_dict(old) == get("two-phase")


def test_a_configuration_of_a_time_without_lstms_is_read() -> None:
    old = get("two-phase").to_dict()
    del old["lstm"]
    assert Config.from_dict(old) == get("two-phase")


def test_every_knob_has_a_sentence_bounds_and_a_default_within_them() -> None:
    for section in SECTIONS.values():
        for knob in knobs(section).values():
            assert knob.help.endswith(".")
            if knob.kind in ("int", "float"):
                assert knob.low >= 0
                assert knob.default is None or knob.low <= knob.default <= knob.high


def test_bounds_are_written_out() -> None:
    with pytest.raises(ValueError, match="at most 4294967295"):
        Config(phase2=Phase(epochs=1), train=Train(seed=2**32))


def test_damaged_json_names_the_file(tmp_path: Any) -> None:
    for content in (b"", b'{"recipe": "tw', b"\xff\xfe", b"[" * 100_000, b"1" * 5000):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"config\.json is damaged"):
            read_json(tmp_path / "config.json")


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(get("plain-vae").to_dict()), encoding="utf-8-sig")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert Config.from_dict(read_json(path)) == get("plain-vae")


def test_a_file_that_is_not_for_us_to_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ValueError, match=r"config\.json cannot be read \(Permission denied\)"):
        read_json(tmp_path / "config.json")


@given(st.sampled_from(list(RECIPES)), st.sampled_from(list(RECIPES)))
def test_what_differs_between_two_configurations_makes_one_of_the_other(one: str, other: str) -> None:
    start, goal = get(one), get(other)
    assert dataclasses.replace(start.with_settings(goal.changes(start)), recipe=other) == goal
    assert goal.changes(goal) == []
