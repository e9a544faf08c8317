"""Named whole configurations. A recipe is a function that returns a `Config`; each number cites its source.

The papers finetune t5-small and t5-base; the recipes here start from the bundled starter so that every one of them
runs on a laptop without a network. ``--base google-t5/t5-small`` gives the papers' own starting point.

The recipes `lstm-*` and `li-2019` are the rows of Li et al. 2019, Tables 1 to 3 and 10 to 11. Their sizes are those
of the paper for SNLI and, in its code, for short Yelp reviews (embeddings of 128, states of 512, batches of 32). The
others are

    PTB      ``--set lstm.embedding=256 --set lstm.width=256 --set data.max_tokens=256``
    Yahoo    ``--set lstm.embedding=512 --set lstm.width=1024 --set data.max_tokens=256``

after Table 9 for Yahoo; its column for PTB we could not read, and have from the released code. That code cuts no
sentence; here one is cut at `data.max_tokens`, 64 unless set. 256 is our number: take more for longer texts. The rules
of optimization (appendix A) are meant for 100,000 sentences and hours: for less, set the epochs of the phases lower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

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


def aggressive() -> Config:
    """`plain-vae` with the encoder trained ahead of the decoder while MI climbs (He et al. 2019, algorithm 1).

    At most 100 updates of the encoder before each step, ended when their loss over 15 has not improved, as in the code
    of He et al. 2019. The first epochs take thirty times as long as others, or more.
    """
    return _vary(plain_vae(), "aggressive", aggressive_updates=100)


def restored_decoder() -> Config:
    """`two-phase` with a warm-up that trains the decoder, too, and the pretrained decoder put back after it.

    Li et al. 2019 (section 2.4) reset the decoder after the autoencoder; of a pretrained one that would throw away what
    pre-training is for. The table of embeddings, which the encoder shares, is frozen in the warm-up.
    """
    ours = two_phase()
    warmup = replace(ours.phase1, frozen=("embeddings",))
    return _vary(replace(ours, phase1=warmup), "restored-decoder", decoder="restore")


def batch_free_bits() -> Config:
    """`two-phase` with its threshold on the mean KL of a dimension over the batch (Kingma et al. 2016)."""
    return _vary(two_phase(), "batch-free-bits", free_bits_over="batch")


def target_rate() -> Config:
    """`two-phase` with a KL held at 16 nats, the total of its free bits: it pays |KL - 16| (Burgess et al. 2018).

    Prokhorov et al. 2019 ("On the importance of the KL divergence term in VAEs for text generation") do so with text.
    """
    return _vary(two_phase(), "target-rate", free_bits_per_dimension=0.0, kl_target=16.0)


def word_dropout() -> Config:
    """`two-phase` whose decoder at first reads <unk> for 4 words in 10, ever fewer, and from epoch 4 on all words.

    Word dropout is from Bowman et al. 2016 (section 3.2), who keep it; its fall to zero, so that the model ends as a
    language model of whole sentences, is ours, and so are the numbers.
    """
    return _vary(two_phase(), "word-dropout", word_dropout=0.4, word_dropout_epochs=4)


def memory_slots() -> Config:
    """`two-phase` whose decoder reads four slots made of z, and not one, by the cross-attention it was pretrained with.

    Optimus (Li et al. 2020) makes of z one memory vector a layer, among the keys and values of GPT-2's self-attention.
    Here the slots stand where T5 expects encoder states, so that its own key and value projections read them and each
    token can choose; four is our number. No better than one slot in docs/lab-log.md.
    """
    ours = two_phase()
    return replace(ours, recipe="memory-slots", model=replace(ours.model, memory_slots=4))


_SGD = Phase(epochs=100, learning_rate=0.5, learning_rate_schedule="patience", patience=2, patience_decays=5)
"""Li et al. 2019, appendix A: SGD from a learning rate of 0.5, x 0.5 if the validation loss has not improved in the
past 2 epochs, an end after 5 decays, at most 100 epochs. Their released code waits for 5 epochs instead, begins at
1.0 unless told, and decays from epoch 15 on only; ``--set phase2.patience=5 --set phase2.patience_from=15`` is nearly
that. There, the waiting begins before epoch 15, and the best weights of those epochs, too, may return; and after a
decay the next loss is compared with the last one, not with the best. It judges by all sentences for validation, 10,000
of SNLI; here, patience and the MI of `aggressive_updates` look at 2,000 of them (`train.eval_sentences`)."""

_ANNEALED = replace(_SGD, kl_schedule="linear", kl_epochs=10, patience_from=15)
"""Section 2.4: the weight rises from 0 to 1 in the first 10 epochs, in which patience would not count anyway: the
validation loss, the whole -ELBO, is not what is trained. Here it begins with epoch 15, as in the released code."""


def lstm_vae() -> Config:
    """Li et al. 2019, Table 1 "VAE": the LSTM of the paper, trained on the ELBO from the first step. It collapses."""
    return _lstm("lstm-vae", phase2=_SGD)


def lstm_lm() -> Config:
    """Li et al. 2019, Table 3 "LSTM-LM": the same decoder with z fixed to zero, the yardstick of every other row."""
    config = _lstm("lstm-lm", phase2=replace(_SGD, frozen=("encoder", "posterior", "projection")))
    return replace(config, model=replace(config.model, latent="zero"))


def lstm_ae() -> Config:
    """Li et al. 2019, Table 1 "AE": the LSTM VAE without the KL term, judged by reconstruction alone."""
    return _lstm("lstm-ae", phase2=replace(_SGD, kl_weight=0.0))


def lstm_annealed() -> Config:
    """Li et al. 2019, Table 1 "+ anneal": the KL weight rises from 0 to 1 over 10 epochs (Bowman et al. 2016)."""
    return _lstm("lstm-annealed", phase2=_ANNEALED)


def lstm_cyclic() -> Config:
    """Li et al. 2019, Tables 10 and 11 "+ cyclic (SGD)": every 10 epochs the KL weight rises for 5 (Fu et al. 2019).

    Cycles of 10 epochs are the default of the code that footnote 4 names (train_text_cyc_ptb.py, 40 epochs in all);
    there, the weight begins each at 0.1 and is 1 after 4.5 epochs. Patience, which does not count while the weight
    rises, is 5 epochs instead of 2: those that are left of a cycle. With 2, a ramp would often be undone before the
    loss has come down from it.

    The row "+ cyclic" of Tables 1, 3, 10 and 11 (AU 5, KL 1.37 on PTB) is by its name not of SGD. The code of footnote
    4 has Adam, its rate falling in each cycle from 1e-3 along half a cosine, begins with weights of U(-0.1, 0.1), and
    keeps those of the best -ELBO of all epochs, ramps, too. Without the cosine, that beginning, the start at 0.1 and
    the best of ramps, it is near ``--set train.optimizer=adamw --set train.weight_decay=0
    --set phase2.learning_rate=0.001 --set phase2.epochs=40 --set phase2.patience=40``.
    """
    return _lstm("lstm-cyclic", phase2=replace(_SGD, kl_schedule="cyclic", kl_epochs=10, patience=5))


def lstm_aggressive() -> Config:
    """Li et al. 2019, Table 1 "+ aggressive": the encoder first, while MI climbs (He et al. 2019, algorithm 1).

    The code of He et al. 2019 begins with a KL weight of 0.1 (``--kl_start 0.1`` in its README); here it rises from 0.
    The first epochs take thirty times as long, or more.
    """
    return _lstm("lstm-aggressive", phase2=replace(_ANNEALED, aggressive_updates=100))


def lstm_fbp() -> Config:
    """Li et al. 2019, Table 4 "+ FBP (lambda = 7)": the KL of a sentence is free below 7 nats."""
    return _lstm("lstm-fbp", phase2=replace(_SGD, free_bits_total=7.0))


def lstm_fb() -> Config:
    """Li et al. 2019, Table 1 "+ FB (lambda = 7)": a dimension is free below 7 / 32 nats of a sentence."""
    return _lstm("lstm-fb", phase2=replace(_SGD, free_bits_target=7.0))


def lstm_pretrained() -> Config:
    """Li et al. 2019, Table 2 "+ pretrain": the encoder of an autoencoder, a new decoder, then the plain ELBO."""
    return _lstm("lstm-pretrained", phase1=_AUTOENCODER, phase2=replace(_SGD, decoder="reset"))


def lstm_pretrained_annealed() -> Config:
    """Li et al. 2019, Table 2 "+ pretrain + anneal": the same under a KL weight that rises over 10 epochs."""
    return _lstm("lstm-pretrained-annealed", phase1=_AUTOENCODER, phase2=replace(_ANNEALED, decoder="reset"))


def lstm_iwae() -> Config:
    """Li et al. 2019, Table 10 "IWAE (k = 10)": the bound of Burda et al. 2016 on ten draws of z, with its right sign.

    The best weights are still those of the best -ELBO. The released code of the paper minimizes log 1/K sum 1/w, which
    is not IWAE.
    """
    return _lstm("lstm-iwae", phase2=replace(_SGD, importance_samples=10))


def lstm_pretrained_iwae() -> Config:
    """Li et al. 2019, Table 10 "IWAE (k = 10) + pretrained enc": ten draws after an autoencoder, with a new decoder."""
    return _lstm("lstm-pretrained-iwae", phase1=_AUTOENCODER, phase2=replace(lstm_iwae().phase2, decoder="reset"))


def li_2019() -> Config:
    """Li et al. 2019, "Ours": an autoencoder first, then a new decoder and annealed free bits with a target of 4 nats.

    Section 2.4; lambda = 4 is what Tables 4 to 6 show for SNLI, whose sentences are short. Other targets are
    ``--set phase2.free_bits_target=8`` (the command in the released code), in all from 2 to 9.
    """
    phase = replace(_ANNEALED, decoder="reset", free_bits_target=4.0)
    return _lstm("li-2019", phase1=_AUTOENCODER, phase2=phase)


_AUTOENCODER = replace(_SGD, kl_weight=0.0)
"""Section 2.3: pre-training on reconstruction alone, nothing frozen, until the same rule ends it."""


def _lstm(name: str, *, phase2: Phase, phase1: Phase | None = None) -> Config:
    """A row of Li et al. 2019. Clipping at 5 and batches of 32 are from the released code, z of 32 from section 2.1."""
    return Config(
        recipe=name,
        model=Model(backbone="lstm", pooling="last"),
        phase1=phase1 or Phase(),
        phase2=phase2,
        train=Train(optimizer="sgd", batch_size=32, clip_norm=5.0, evals_per_epoch=1.0, eval_sentences=2000),
    )


def _vary(config: Config, name: str, **phase2: Any) -> Config:
    return replace(config, recipe=name, phase2=replace(config.phase2, **phase2))


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
        aggressive,
        restored_decoder,
        batch_free_bits,
        target_rate,
        word_dropout,
        memory_slots,
        lstm_lm,
        lstm_ae,
        lstm_vae,
        lstm_annealed,
        lstm_cyclic,
        lstm_aggressive,
        lstm_fbp,
        lstm_fb,
        lstm_pretrained,
        lstm_pretrained_annealed,
        lstm_iwae,
        lstm_pretrained_iwae,
        li_2019,
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
