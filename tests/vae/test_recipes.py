"""The recipes say what their papers say."""

import dataclasses
import inspect
import re
from typing import Any

import pytest

from vae import recipes
from vae.config import PARTS, Config
from vae.recipes import FROZEN_DECODER, RECIPES, describe, get

LSTM = [
    *("lstm-lm", "lstm-ae", "lstm-vae", "lstm-annealed", "lstm-cyclic", "lstm-aggressive", "lstm-fbp", "lstm-fb"),
    *("lstm-pretrained", "lstm-pretrained-annealed", "lstm-iwae", "lstm-pretrained-iwae", "li-2019"),
]

EVERY = pytest.mark.parametrize("name", RECIPES)


@EVERY
def test_a_recipe_knows_its_name_describes_itself_and_survives_json(name: str) -> None:
    config = get(name)
    assert config.recipe == name
    assert Config.from_dict(config.to_dict()) == config
    assert describe(name).endswith(".")
    assert "\n" not in describe(name)


def test_the_recipes_of_the_product_are_all_there() -> None:
    assert list(RECIPES) == [
        "two-phase",
        "park-lee-max-pool",
        "park-lee-denoise",
        "park-lee-denoise-klt",
        "park-lee-deep",
        "autoencoder",
        "plain-vae",
        "annealed-vae",
        "cyclic-vae",
        "free-bits-only",
        "language-model",
        "as-released",
        *("aggressive", "restored-decoder", "batch-free-bits", "target-rate", "word-dropout", "memory-slots"),
        *LSTM,
    ]


def test_the_replay_differs_from_its_recipe_in_memory_batches_learning_rate_and_epochs_alone() -> None:
    replay, clean = get("as-released"), get("park-lee-denoise-klt")
    replaced = dataclasses.replace(
        replay,
        recipe=clean.recipe,
        model=dataclasses.replace(replay.model, backbone="t5"),
        phase1=dataclasses.replace(replay.phase1, learning_rate=clean.phase1.learning_rate, epochs=5),
        phase2=dataclasses.replace(replay.phase2, learning_rate=clean.phase2.learning_rate, epochs=3),
        train=dataclasses.replace(replay.train, batches="by_length"),
    )
    assert replaced == clean
    assert replay.model.backbone == "t5-as-released"
    assert replay.phase1.learning_rate == replay.phase2.learning_rate == 1e-4
    assert [name for name in RECIPES if get(name).model.backbone not in ("t5", "lstm")] == ["as-released"]


def test_the_yardstick_trains_the_decoder_of_two_phase_alike() -> None:
    yardstick, ours = get("language-model"), get("two-phase")
    assert yardstick.model.latent == "zero"
    assert (yardstick.data, yardstick.train) == (ours.data, ours.train)
    for name in ("epochs", "learning_rate", "learning_rate_schedule", "learning_rate_warmup", "token_deletion"):
        assert getattr(yardstick.phase2, name) == getattr(ours.phase2, name)
    assert {"decoder", "embeddings", "head"} == set(PARTS) - set(yardstick.phase2.frozen)
    with pytest.raises(ValueError, match=r"phase2 trains posterior and projection: list posterior"):
        dataclasses.replace(yardstick, phase2=ours.phase2)


def test_an_unknown_recipe_is_refused_with_the_likely_one() -> None:
    with pytest.raises(ValueError, match=r"no recipe 'two-fase'.*Did you mean 'two-phase'"):
        get("two-fase")


@pytest.mark.parametrize("name", ["two-phase", *(name for name in RECIPES if name.startswith("park-lee"))])
def test_the_warm_up_has_no_kl_and_leaves_the_decoder_alone(name: str) -> None:
    warmup = get(name).phase1
    assert warmup.epochs > 0
    assert warmup.kl_weight == 0
    assert warmup.frozen == FROZEN_DECODER
    assert set(PARTS) - set(warmup.frozen) == {"encoder", "posterior"}


def test_park_and_lee_as_printed_in_their_appendix() -> None:
    for name, deletion, threshold in [
        ("park-lee-max-pool", 0.0, 0.0),
        ("park-lee-denoise", 0.15, 0.0),
        ("park-lee-denoise-klt", 0.15, 3.0),
        ("park-lee-deep", 0.15, 3.0),
    ]:
        config = get(name)
        assert (config.phase1.epochs, config.phase2.epochs) == (5, 3)
        assert (config.phase2.kl_schedule, config.phase2.kl_epochs, config.phase2.kl_weight) == ("linear", 50, 1)
        assert {phase.learning_rate for phase in config.phases.values()} == {1e-3}
        assert {phase.token_deletion for phase in config.phases.values()} == {deletion}
        assert (config.phase1.free_bits_per_dimension, config.phase2.free_bits_per_dimension) == (0.0, threshold)
        assert config.train.adam_epsilon == 1e-3
        assert (config.model.pooling, config.model.latent_size) == ("max", 32)


def test_only_the_deep_recipe_changes_the_base_and_only_its_depth() -> None:
    deep, shallow = get("park-lee-deep"), get("park-lee-denoise-klt")
    assert deep.pretrain.layers == 2 * shallow.pretrain.layers
    assert dataclasses.replace(deep, recipe=shallow.recipe, model=shallow.model, pretrain=shallow.pretrain) == shallow


@pytest.mark.parametrize("name", ["autoencoder", "plain-vae", "annealed-vae", "cyclic-vae", "free-bits-only"])
def test_the_contrasts_have_no_warm_up(name: str) -> None:
    assert get(name).phase1.epochs == 0
    assert get(name).phase2.frozen == ()


def test_what_sets_the_contrasts_apart() -> None:
    assert get("autoencoder").phase2.kl_weight == 0
    assert get("plain-vae").phase2 == dataclasses.replace(get("autoencoder").phase2, kl_weight=1.0)
    assert (get("annealed-vae").phase2.kl_schedule, get("annealed-vae").phase2.kl_epochs) == ("linear", 10)
    cyclic = get("cyclic-vae").phase2
    assert (cyclic.kl_schedule, cyclic.epochs / cyclic.kl_epochs) == ("cyclic", 4)
    ours = get("two-phase")
    assert get("free-bits-only").phase2 == dataclasses.replace(
        ours.phase2, epochs=ours.phase1.epochs + ours.phase2.epochs
    )


@pytest.mark.parametrize("name", LSTM)
def test_li_2019_as_printed_in_their_appendix(name: str) -> None:
    config = get(name)
    assert (config.model.backbone, config.model.latent_size, config.model.pooling) == ("lstm", 32, "last")
    assert (config.lstm.embedding, config.lstm.width, config.lstm.dropout) == (128, 512, 0.5)
    assert (config.train.optimizer, config.train.clip_norm, config.train.batch_size) == ("sgd", 5, 32)
    pretrained = name in ("lstm-pretrained", "lstm-pretrained-annealed", "lstm-pretrained-iwae", "li-2019")
    for phase in [config.phase2, *[config.phase1] * pretrained]:
        assert (phase.epochs, phase.learning_rate, phase.learning_rate_schedule) == (100, 0.5, "patience")
        assert (phase.patience, phase.patience_decays) == (5 if name == "lstm-cyclic" else 2, 5)
        assert phase.patience_from == (15 if phase.kl_schedule == "linear" else 0)
    assert bool(config.phase1.epochs) == pretrained == (config.phase2.decoder == "reset")
    if pretrained:
        assert (config.phase1.kl_weight, config.phase1.frozen) == (0, ())
    linear = {"lstm-annealed", "lstm-aggressive", "lstm-pretrained-annealed", "li-2019"}
    assert (config.phase2.kl_schedule == "linear") == (name in linear)
    if name in linear:
        assert (config.phase2.kl_epochs, config.phase2.kl_weight) == (10, 1)


def test_what_sets_the_rows_of_li_2019_apart() -> None:
    assert get("lstm-lm").model.latent == "zero"
    assert get("lstm-ae").phase2 == dataclasses.replace(get("lstm-vae").phase2, kl_weight=0)
    assert get("lstm-fbp").phase2 == dataclasses.replace(get("lstm-vae").phase2, free_bits_total=7)
    assert get("lstm-fb").phase2 == dataclasses.replace(get("lstm-vae").phase2, free_bits_target=7)
    assert get("lstm-iwae").phase2 == dataclasses.replace(get("lstm-vae").phase2, importance_samples=10)
    both, pretrained = get("lstm-pretrained-iwae"), get("lstm-pretrained")
    assert both.phase1 == pretrained.phase1
    assert both.phase2 == dataclasses.replace(pretrained.phase2, importance_samples=10)
    assert get("lstm-aggressive").phase2 == dataclasses.replace(get("lstm-annealed").phase2, aggressive_updates=100)
    theirs, without = get("li-2019"), get("lstm-pretrained-annealed")
    assert theirs.phase1 == without.phase1
    assert theirs.phase2 == dataclasses.replace(without.phase2, free_bits_target=4)


def test_a_cycle_of_li_2019_is_judged_by_all_that_follows_its_rise() -> None:
    phase = get("lstm-cyclic").phase2
    assert (phase.kl_schedule, phase.kl_epochs, phase.patience) == ("cyclic", 10, 10 / 2)


def named(documented: Any) -> list[list[str]]:
    """The settings that a docstring names, those of each passage in double backquotes."""
    passages = re.findall(r"``(.*?)``", inspect.getdoc(documented) or "", re.DOTALL)
    return [settings for passage in passages if (settings := re.findall(r"--set\s+(\S+)", passage))]


def test_the_other_cyclic_row_is_adam_for_four_cycles_at_a_rate_that_patience_leaves_alone() -> None:
    (settings,) = named(RECIPES["lstm-cyclic"])
    config = get("lstm-cyclic").with_settings(settings)
    assert config.idle_settings() == []
    assert (config.train.optimizer, config.train.weight_decay, config.phase2.learning_rate) == ("adamw", 0, 1e-3)
    assert config.phase2.epochs / config.phase2.kl_epochs == 4
    assert config.phase2.patience >= config.phase2.epochs


@pytest.mark.parametrize("name", LSTM)
def test_the_sizes_of_li_2019_for_other_texts_are_settings_of_every_row(name: str) -> None:
    config = get(name)
    sizes = [config.with_settings(settings) for settings in named(recipes)]
    assert [(size.lstm.embedding, size.lstm.width) for size in sizes] == [(256, 256), (512, 1024)]
    assert {size.data.max_tokens for size in sizes} == {256}
    assert all(size.idle_settings() == config.idle_settings() for size in sizes)


def test_what_goes_beyond_two_phase_differs_from_it_in_one_thing() -> None:
    ours = get("two-phase")
    assert get("batch-free-bits").changes(ours) == ["phase2.free_bits_over=batch"]
    assert get("target-rate").changes(ours) == ["phase2.free_bits_per_dimension=0.0", "phase2.kl_target=16.0"]
    assert get("word-dropout").changes(ours) == ["phase2.word_dropout=0.4", "phase2.word_dropout_epochs=4"]
    assert get("memory-slots").changes(ours) == ["model.memory_slots=4"]
    assert get("restored-decoder").changes(ours) == ["phase1.frozen=embeddings", "phase2.decoder=restore"]
    assert get("aggressive").changes(get("plain-vae")) == ["phase2.aggressive_updates=100"]
    assert ours.phase2.free_bits_per_dimension * ours.model.latent_size == 16
