"""The recipes say what their papers say."""

import dataclasses

import pytest

from vae.config import PARTS, Config
from vae.recipes import FROZEN_DECODER, RECIPES, describe, get

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
    assert [name for name in RECIPES if get(name).model.backbone != "t5"] == ["as-released"]


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
