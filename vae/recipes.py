"""Named whole configurations. A recipe is a function that returns a `Config`; each number cites its source.

The papers finetune t5-small and t5-base; the recipes here start from the bundled starter so that every one of them
runs on a laptop without a network. ``--base google-t5/t5-small`` gives the papers' own starting point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vae.config import Config, Model, Phase, Pretrain, Train, suggestion

_OURS = Phase(learning_rate=2e-3, learning_rate_schedule="linear")
"""Learning rate of `two-phase`'s second phase, shared by the recipes that it is to be compared with."""

FROZEN_DECODER = ("embeddings", "projection", "decoder", "head")
"""What phase 1 freezes: "freezing the decoder and the memory projection layer W_proj ... is crucial" (Park & Lee
2021, section 5.1). T5's one embedding table feeds the decoder and its head, so freezing the decoder includes it."""


def two_phase() -> Config:
    """Ours, and the default: encoder warm-up, then free bits under a quickly annealed KL. Healthy in minutes.

    Park & Lee 2021 with their threshold of 0.5 nats a dimension (section 5.2) and no input noise, which they find
    unnecessary for short sentences (section 5.1). The KL weight rises over 3 epochs instead of 50, so that the run
    ends at the ELBO; the learning rate suits the small T5s that Bottleneck makes. Measured in docs/lab-log.md.
    """
    return Config(
        recipe="two-phase",
        phase1=_warmup(epochs=2),
        phase2=Phase(
            epochs=8,
            learning_rate=2e-3,
            learning_rate_schedule="linear",
            kl_schedule="linear",
            kl_epochs=3,
            free_bits_per_dimension=0.5,
        ),
    )


def park_lee_max_pool() -> Config:
    """Park & Lee 2021, Table 1 "Max pool": both phases, no noise, no threshold. The paper reports KL 0.21 on Yahoo."""
    return Config(
        recipe="park-lee-max-pool",
        phase1=_warmup(epochs=5),  # appendix B: 5 epochs on phase 1, 3 on phase 2, learning rate 1e-3
        phase2=_park_lee_phase2(),
        train=_PARK_LEE_TRAIN,
    )


def park_lee_denoise() -> Config:
    """Park & Lee 2021, Table 1 "+ Denoise": token deletion of 0.15 (section 2.2.3) in both phases."""
    return _with_noise(replace(park_lee_max_pool(), recipe="park-lee-denoise"), 0.15)


def park_lee_denoise_klt() -> Config:
    """Park & Lee 2021, Table 1 "+ KLT": noise, and Eq. 2 with lambda = 3 nats for each dimension."""
    config = replace(park_lee_denoise(), recipe="park-lee-denoise-klt")
    return replace(config, phase2=replace(config.phase2, free_bits_per_dimension=3.0))


def park_lee_deep() -> Config:
    """Park & Lee 2021, Table 1 "Deep": twice the layers. Here a fresh T5 of twice the starter's depth."""
    config = park_lee_denoise_klt()
    return replace(config, recipe="park-lee-deep", model=Model(base="fresh"), pretrain=Pretrain(layers=4))


def autoencoder() -> Config:
    """No KL term: the best reconstructions, and a prior that decodes to nothing useful (Li et al. 2019, "AE")."""
    return Config(recipe="autoencoder", phase2=replace(_OURS, epochs=6, kl_weight=0.0))


def plain_vae() -> Config:
    """The ELBO from the first step: the textbook posterior collapse (Bowman et al. 2016)."""
    return Config(recipe="plain-vae", phase2=replace(_OURS, epochs=6))


def annealed_vae() -> Config:
    """KL weight from 0 to 1 over 10 epochs (Bowman et al. 2016; Li et al. 2019, appendix A), no warm-up."""
    phase = replace(_OURS, epochs=12, kl_schedule="linear", kl_epochs=10)
    return Config(recipe="annealed-vae", phase2=phase)


def cyclic_vae() -> Config:
    """Cyclic annealing (Fu et al. 2019): four ramps of the KL weight, each rising for half of its cycle."""
    phase = replace(_OURS, epochs=12, kl_schedule="cyclic", kl_epochs=3)
    return Config(recipe="cyclic-vae", phase2=phase)


def free_bits_only() -> Config:
    """Phase 2 of `two-phase` without its encoder warm-up: what free bits alone achieve (Li et al. 2019, "FB")."""
    ours = two_phase()
    return replace(ours, recipe="free-bits-only", phase1=Phase(), phase2=replace(ours.phase2, epochs=10))


def language_model() -> Config:
    """A yardstick: the decoder of `two-phase`, trained alike, with z fixed to zero: what z adds is measured against it.

    The learning rate and the epochs of two-phase's second phase, in which alone its decoder trains.
    """
    phase = replace(two_phase().phase2, kl_schedule="constant", kl_epochs=1, free_bits_per_dimension=0)
    frozen = ("encoder", "posterior", "projection")
    return Config(recipe="language-model", model=Model(latent="zero"), phase2=replace(phase, frozen=frozen))


def as_released() -> Config:
    """A teaching replay of a defect: `park-lee-denoise-klt` with sentences decoded from the z of others.

    Never for results. The code released with Park & Lee 2021 lays z W_proj out without a transpose
    (`backbones/as_released.py`): KL, MI and AU look alive in the end, and the decoder has learned to do without z.
    The learning rate of 1e-4 and the random batches are that code's, too: from neighbours of its own length a sentence
    would still learn that length. Two epochs a phase are enough to see it; in more, the encoder would shrink z until
    AU, too, tells. The other defects are not replayed.
    """
    config = park_lee_denoise_klt()
    return replace(
        config,
        recipe="as-released",
        model=Model(backbone="t5-as-released"),
        phase1=replace(config.phase1, epochs=2, learning_rate=1e-4),
        phase2=replace(config.phase2, epochs=2, learning_rate=1e-4),
        train=replace(config.train, batches="random"),
    )


_PARK_LEE_TRAIN = Train(adam_epsilon=1e-3)
"""Appendix B: AdamW, learning rate 1e-3, beta1 0.9, beta2 0.999, epsilon 1e-3 as printed."""


def _warmup(epochs: float, token_deletion: float = 0.0) -> Phase:
    """Phase 1 of Park & Lee 2021: no KL term, decoder and W_proj frozen."""
    return Phase(epochs=epochs, kl_weight=0.0, token_deletion=token_deletion, frozen=FROZEN_DECODER)


def _park_lee_phase2() -> Phase:
    """Appendix B, Eq. 6: the KL weight rises from 0 to 1 over 50 epochs, of which 3 are trained."""
    return Phase(epochs=3, kl_schedule="linear", kl_epochs=50)


def _with_noise(config: Config, probability: float) -> Config:
    phase1 = replace(config.phase1, token_deletion=probability)
    return replace(config, phase1=phase1, phase2=replace(config.phase2, token_deletion=probability))


RECIPES: dict[str, Callable[[], Config]] = {
    recipe().recipe: recipe
    for recipe in (
        two_phase,
        park_lee_max_pool,
        park_lee_denoise,
        park_lee_denoise_klt,
        park_lee_deep,
        autoencoder,
        plain_vae,
        annealed_vae,
        cyclic_vae,
        free_bits_only,
        language_model,
        as_released,
    )
}


def get(name: str) -> Config:
    """The configuration of a recipe by its name."""
    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name!r}: choose among {', '.join(RECIPES)}." + suggestion(name, RECIPES))
    return RECIPES[name]()


def describe(name: str) -> str:
    """What a recipe is: the first paragraph of its docstring, on one line."""
    text = RECIPES[name].__doc__ or ""
    return " ".join(text.split("\n\n")[0].split())
