"""Every knob of a run, in one place.

A run is described by one frozen `Config` of seven sections; the command line's ``--set section.field=value``, the
app's form and the saved ``config.json`` are all made from it, so a knob is explained once: by the sentence under
its field. A value outside its bounds, an unknown section or an unknown field is a `ValueError` that names the
value, the rule and the way out.

Nothing heavy is imported here: listing runs and drawing forms must not wait for torch.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import json
import math
import reprlib
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

PARTS = ("embeddings", "encoder", "posterior", "projection", "decoder", "head")
"""The parts of the model that a phase can freeze. `embeddings` is T5's one table, read by encoder and decoder (and,
where the head is tied, used as the head too); an LSTM has a table in its encoder and one in its decoder instead.
`posterior` is the mu and logvar heads; `projection` the W_proj of Eq. 5, all ways by which z enters the decoder."""


@dataclass(frozen=True)
class Within:
    """The closed interval that a number must lie in."""

    low: float
    high: float = math.inf


FREE_BITS = ("free_bits_per_dimension", "free_bits_total", "free_bits_target")
"""The knobs of a phase that leave some KL free; at most one of them is above 0. Their lambdas are not comparable:
3 a dimension is 96 nats in all for 32 dimensions, a total of 3 is 3, a target of 3 is 0.094 a dimension."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """What the model reads."""

    corpus: str = "captions"
    """Where the sentences come from: `captions` (built in), `file:PATH` or `hub:NAME`."""
    text_column: str = "text"
    """The column that holds the sentences, for tables."""
    train_sentences: Annotated[int | None, Within(1)] = None
    """Sentences to train on; none takes all there are (20,000 for captions)."""
    valid_sentences: Annotated[int | None, Within(2)] = None
    """Sentences held out to watch training; none takes all there are (2,000 for captions)."""
    test_sentences: Annotated[int | None, Within(2)] = None
    """Sentences held out for the final evaluation; none takes all there are (2,000 for captions)."""
    max_tokens: Annotated[int, Within(4, 1024)] = 64
    """Tokens kept of a sentence, its end token included; longer sentences are cut."""
    seed: Annotated[int, Within(0, 2**32 - 1)] = 0
    """Seed of the built-in corpus and of every random split."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The text VAE around a T5 or an LSTM."""

    backbone: Literal["t5", "lstm", "t5-as-released"] = "t5"
    """The family of encoder and decoder; `lstm` has no base, `t5-as-released` replays a defect, for teaching only."""
    base: str = "starter"
    """The T5 to start from: `starter` (bundled), `fresh` (pre-trained on the corpus first), a folder, or a Hub id."""
    latent_size: Annotated[int, Within(1, 4096)] = 32
    """Dimensions of z."""
    memory_slots: Annotated[int, Within(1, 64)] = 1
    """Slots of memory made of z, for a T5. The decoder's tokens choose among several by T5's own cross-attention."""
    pooling: Literal["max", "mean", "last"] = "max"
    """How the encoder's states become one vector; `last`, the end token's, suits an LSTM. Padding never takes part."""
    pooled_layers: Literal["last", "all"] = "last"
    """Whether the last encoder layer is pooled, or all of them (as the paper's text says)."""
    latent: Literal["gaussian", "zero"] = "gaussian"
    """What z is: a draw from q(z|x), or zero for every sentence, which leaves a language model of the same decoder."""


@dataclass(frozen=True, kw_only=True)
class Pretrain:
    """Phase 0: the small T5 that base `fresh` builds and pre-trains by filling in deleted spans."""

    vocabulary: Annotated[int, Within(300, 65536)] = 4000
    """Tokens of the byte-level vocabulary, learned from the corpus."""
    width: Annotated[int, Within(8, 4096)] = 128
    """Width of the hidden states (d_model)."""
    layers: Annotated[int, Within(1, 48)] = 2
    """Encoder layers, and as many decoder layers."""
    heads: Annotated[int, Within(1, 64)] = 4
    """Attention heads a layer; each has width / heads dimensions."""
    feed_forward: Annotated[int, Within(8, 16384)] = 512
    """Width inside the feed-forward layers (d_ff)."""
    dropout: Annotated[float, Within(0, 0.9)] = 0.0
    """Dropout probability of the new T5, kept in the later phases; a model this small underfits without any."""
    epochs: Annotated[float, Within(0, 10_000)] = 4.0
    """Passes over the training sentences."""
    learning_rate: Annotated[float, Within(0, 1)] = 2e-3
    """Peak learning rate, reached after a short warm-up and then decayed linearly to a tenth."""
    corruption: Annotated[float, Within(0.01, 0.9)] = 0.3
    """Share of the tokens that are replaced by span markers and have to be filled in."""
    mean_span: Annotated[float, Within(1, 64)] = 3.0
    """Mean length of a deleted span, in tokens."""


@dataclass(frozen=True, kw_only=True)
class Lstm:
    """Backbone `lstm`: one layer each way over the words of the corpus, from random weights."""

    vocabulary: Annotated[int, Within(1, 1_000_000)] = 20_000
    """Words that are told apart, the most frequent of the training sentences; any other is <unk>."""
    embedding: Annotated[int, Within(1, 4096)] = 128
    """Size of a word embedding; encoder and decoder have a table each."""
    width: Annotated[int, Within(1, 4096)] = 512
    """Size of the encoder's and of the decoder's state."""
    dropout: Annotated[float, Within(0, 0.9)] = 0.5
    """Dropout probability in the decoder, of its word embeddings and of its states before the logits."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase of finetuning: how long, what trains, what the KL term costs."""

    epochs: Annotated[float, Within(0, 10_000)] = 0.0
    """Passes over the training sentences; 0 skips the phase."""
    learning_rate: Annotated[float, Within(0, 1)] = 1e-3
    """Peak learning rate."""
    learning_rate_schedule: Literal["constant", "linear", "patience"] = "constant"
    """Whether the rate stays, falls linearly to a tenth, or halves by patience, which keeps the best weights."""
    patience: Annotated[float, Within(0.01, 10_000)] = 2.0
    """Schedule `patience`: epochs at full KL weight without a better validation loss, after which the rate halves."""
    patience_from: Annotated[float, Within(0, 10_000)] = 0.0
    """Schedule `patience`: epochs before which no validation loss counts."""
    patience_decays: Annotated[int, Within(1, 1000)] = 5
    """Schedule `patience`: halvings after which the phase ends."""
    learning_rate_warmup: Annotated[int, Within(0)] = 0
    """Steps over which the learning rate rises from zero."""
    kl_weight: Annotated[float, Within(0, 1000)] = 1.0
    """Weight of the KL term (beta), reached when its schedule has run."""
    kl_schedule: Literal["constant", "linear", "cyclic"] = "constant"
    """How the KL weight gets there: at once, linearly from 0, or in repeated ramps."""
    kl_epochs: Annotated[float, Within(0, 10_000)] = 1.0
    """Epochs of the linear rise, or of one cycle; may be longer than the phase."""
    free_bits_per_dimension: Annotated[float, Within(0, 1000)] = 0.0
    """Threshold lambda of Eq. 2 (Park & Lee), nats: a dimension of a sentence is charged at least this much KL."""
    free_bits_total: Annotated[float, Within(0, 100_000)] = 0.0
    """Threshold on the KL of a whole sentence ("FBP" of Li et al. 2019), nats: below it, KL is free."""
    free_bits_target: Annotated[float, Within(0, 100_000)] = 0.0
    """Target of Li et al. 2019 ("FB"), nats a sentence: a dimension whose KL is under target / dimensions is free."""
    free_bits_over: Literal["sentence", "batch"] = "sentence"
    """Whether a threshold of free bits looks at the KL of each sentence, or at its mean over the batch."""
    kl_target: Annotated[float, Within(0, 100_000)] = 0.0
    """Rate C to hold, nats a sentence: the loss charges |KL - C| for the mean KL of a batch; 0 charges KL itself."""
    importance_samples: Annotated[int, Within(1, 1000)] = 1
    """Draws of z a sentence; above 1 the loss is the importance-weighted bound on -log p(x) (IWAE)."""
    aggressive_updates: Annotated[int, Within(0, 10_000)] = 0
    """At most so many updates of the encoder alone before each of the decoder, while MI climbs; 0 is off."""
    token_deletion: Annotated[float, Within(0, 0.99)] = 0.0
    """Probability that a token is deleted from the encoder's input (the decoder rebuilds the whole sentence)."""
    word_dropout: Annotated[float, Within(0, 1)] = 0.0
    """Probability that the decoder reads <unk> in place of a token before, so that it has to look at z."""
    word_dropout_epochs: Annotated[float, Within(0, 10_000)] = 0.0
    """Epochs over which word dropout falls linearly to zero; 0 keeps it."""
    decoder: Literal["keep", "reset", "restore"] = "keep"
    """The decoder that phase 2 begins with: that of phase 1, one with new random weights, or the pretrained one."""
    frozen: tuple[str, ...] = ()
    """Parts that do not train: any of embeddings, encoder, posterior, projection, decoder, head."""

    @property
    def over_batch(self) -> bool:
        """Whether what is charged depends on the mean KL of the batch."""
        return bool(self.kl_target) or (self.free_bits_over == "batch" and any(getattr(self, n) for n in FREE_BITS))

    @property
    def charges(self) -> dict[str, float]:
        """What `objectives.charged_kl` needs to know."""
        return {
            "per_dimension": self.free_bits_per_dimension,
            "total": self.free_bits_total,
            "target": self.free_bits_target,
            "rate": self.kl_target,
        }


@dataclass(frozen=True, kw_only=True)
class Train:
    """How training runs and how often it reports."""

    seed: Annotated[int, Within(0, 2**32 - 1)] = 0
    """Seed of initial weights, data order, noise and dropout."""
    batch_size: Annotated[int, Within(1, 65536)] = 64
    """Sentences a step, over all processes."""
    batches: Literal["by_length", "random"] = "by_length"
    """Whether a batch holds sentences of about the same length, which wastes less on padding, or any sentences."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or plain gradient descent (SGD without momentum), which wants far larger learning rates."""
    weight_decay: Annotated[float, Within(0, 10)] = 0.01
    """AdamW's decoupled weight decay."""
    adam_epsilon: Annotated[float, Within(1e-12, 1)] = 1e-8
    """AdamW's epsilon."""
    clip_norm: Annotated[float, Within(0, 1e6)] = 5.0
    """Largest norm of the gradient of the loss in nats a sentence; 0 does not clip."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of training; auto takes bf16 where a short measurement says that it pays."""
    threads: Annotated[int, Within(0, 1024)] = 0
    """CPU threads of the trainer; 0 takes the budget of this machine."""
    log_every: Annotated[int, Within(1, 100_000)] = 10
    """Steps between two training events in metrics.jsonl."""
    evals_per_epoch: Annotated[float, Within(0.01, 100)] = 4.0
    """Evaluations on the validation sample in one epoch."""
    eval_sentences: Annotated[int, Within(2, 1_000_000)] = 512
    """Validation sentences a check; MI cannot exceed the logarithm of this number."""
    snapshots: Annotated[int, Within(0, 1000)] = 6
    """Weights kept along the way, evenly spread, besides the final model."""
    tensorboard: Literal["no", "yes"] = "no"
    """Whether event files for TensorBoard are written beside metrics.jsonl; this needs the package tensorboard."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole description of a run."""

    recipe: str = "custom"
    """Name of the recipe it started from."""
    data: Data = field(default_factory=Data)
    """What the model reads."""
    model: Model = field(default_factory=Model)
    """The text VAE around a T5 or an LSTM."""
    pretrain: Pretrain = field(default_factory=Pretrain)
    """Phase 0, for a T5 of base `fresh` only."""
    lstm: Lstm = field(default_factory=Lstm)
    """Sizes of backbone `lstm`."""
    phase1: Phase = field(default_factory=Phase)
    """Encoder warm-up."""
    phase2: Phase = field(default_factory=Phase)
    """Full finetuning."""
    train: Train = field(default_factory=Train)
    """How training runs and reports."""

    def __post_init__(self) -> None:
        if not (isinstance(self.recipe, str) and self.recipe.strip()):
            raise ValueError(f"recipe={reprlib.repr(self.recipe)} must be a text that is not empty.")
        for section in fields(self):
            value = getattr(self, section.name)
            if dataclasses.is_dataclass(value):
                for knob in fields(value):
                    check(value, knob.name, f"{section.name}.{knob.name}")
        if self.model.memory_slots > 1 and self.model.backbone != "t5":
            raise ValueError(
                f"model.memory_slots={self.model.memory_slots} is for the backbone 't5' alone, and this one is "
                f"{self.model.backbone!r}: set it to 1, or model.backbone to t5."
            )
        for name, phase in self.phases.items():
            _check_phase(name, phase, self.model)
        if not self.phase1.epochs and not self.phase2.epochs:
            raise ValueError("phase1.epochs and phase2.epochs are both 0, so nothing would train: set one above 0.")
        if self.pretrains:
            if not self.pretrain.epochs:
                raise ValueError("pretrain.epochs is 0, but base 'fresh' needs pre-training: set it above 0.")
            if self.pretrain.width % self.pretrain.heads:
                raise ValueError(
                    f"pretrain.width={self.pretrain.width} is not a multiple of pretrain.heads="
                    f"{self.pretrain.heads}: choose numbers that divide."
                )

    @property
    def phases(self) -> dict[str, Phase]:
        """The two finetuning phases by name, in order."""
        return {"phase1": self.phase1, "phase2": self.phase2}

    @property
    def pretrains(self) -> bool:
        """Whether there is a phase 0: a fresh T5 has one, an LSTM has none."""
        return self.model.base == "fresh" and self.model.backbone != "lstm"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, by section."""
        return typing.cast(dict[str, Any], json.loads(json.dumps(dataclasses.asdict(self))))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """The inverse of `to_dict`; what is missing takes its default, what is unknown is an error."""
        if not isinstance(values, Mapping):
            raise ValueError(f"A configuration must hold sections, but is {reprlib.repr(values)}.")
        known = {section.name: section for section in fields(cls)}
        arguments: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise ValueError(
                    f"The configuration has an unknown section {name!r}: known are {', '.join(known)}."
                    + suggestion(name, known)
                )
            if name == "recipe":
                arguments[name] = value
                continue
            if not isinstance(value, Mapping):
                raise ValueError(f"The section {name!r} must hold fields, but is {reprlib.repr(value)}.")
            section = _hints(Config)[name]
            for key in value:
                _known_field(section, name, key)
            arguments[name] = section(**{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})
        return cls(**arguments)

    def with_settings(self, settings: Iterable[str]) -> Config:
        """A copy with ``section.field=value`` settings applied, as given to ``--set``."""
        sections: dict[str, dict[str, Any]] = {}
        for setting in settings:
            path, separator, text = setting.partition("=")
            section_name, dot, name = path.strip().partition(".")
            if not separator or not dot:
                raise ValueError(f"The setting {setting!r} is not of the form section.field=value.")
            hints = _hints(Config)
            if section_name == "recipe" or section_name not in hints:
                known = [key for key in hints if key != "recipe"]
                raise ValueError(
                    f"The setting {setting!r} names no section: known are {', '.join(known)}."
                    + suggestion(section_name, known)
                )
            _known_field(hints[section_name], section_name, name)
            sections.setdefault(section_name, {})[name] = parse(hints[section_name], name, text.strip())
        changed = {key: dataclasses.replace(getattr(self, key), **values) for key, values in sections.items()}
        return dataclasses.replace(self, **changed)

    def changes(self, start: Config) -> list[str]:
        """What differs from another configuration, as `with_settings` takes it; the recipe's name does not count."""
        return [
            f"{section}.{name}={_as_text(getattr(getattr(self, section), name))}"
            for section, kind in _hints(Config).items()
            if section != "recipe"
            for name in knobs(kind)
            if getattr(getattr(self, section), name) != getattr(getattr(start, section), name)
        ]

    def idle_settings(self) -> list[str]:
        """Sentences about settings that differ from their default and have no effect here, or keep a part untrained."""
        idle = _idle_start(self) + _never_trained(self)
        for name, phase in self.phases.items():
            if phase.epochs:
                idle += _idle(name, phase)
            elif phase != Phase():
                idle.append(f"The settings of {name} have no effect: its epochs are 0.")
        idle += _idle_decoder(self)
        if self.train.optimizer == "sgd":
            for knob in ("weight_decay", "adam_epsilon"):
                if getattr(self.train, knob) != getattr(Train(), knob):
                    idle.append(f"train.{knob} has no effect: it is AdamW's, and the optimizer is sgd.")
        return idle


def _check_phase(name: str, phase: Phase, model: Model) -> None:
    """Raise a `ValueError` if the settings of a phase do not go together."""
    unknown = [part for part in phase.frozen if part not in PARTS]
    if unknown:
        raise ValueError(f"{name}.frozen has the unknown part {unknown[0]!r}: choose among {', '.join(PARTS)}.")
    if phase.epochs and set(phase.frozen) >= set(PARTS):
        raise ValueError(f"{name}.frozen lists every part, so nothing would train: leave one out.")
    asked = [f"{knob}={getattr(phase, knob):g}" for knob in (*FREE_BITS, "kl_target") if getattr(phase, knob)]
    if len(asked) > 1:
        raise ValueError(f"{name} has both {asked[0]} and {asked[1]}: set one of them to 0.")
    if phase.importance_samples > 1 and asked:
        raise ValueError(
            f"{name}.importance_samples={phase.importance_samples} is a bound of its own, to which {asked[0]} "
            f"does not apply: set {asked[0].split('=')[0]} to 0, or importance_samples to 1."
        )
    if phase.decoder == "restore" and model.backbone == "lstm":
        raise ValueError(
            f"{name}.decoder='restore' asks for pretrained weights; an LSTM has none: choose reset or keep."
        )
    unheard = {"posterior", "projection"} - set(phase.frozen)
    if model.latent == "zero" and phase.epochs and unheard:
        raise ValueError(
            f"model.latent is 'zero', but {name} trains {' and '.join(sorted(unheard))}: list posterior and "
            f"projection in {name}.frozen."
        )


def _idle_start(config: Config) -> list[str]:
    """Settings of what a run starts from that have no effect."""
    idle: list[str] = []
    if config.model.backbone == "lstm":
        if config.model.base != Model().base:
            idle.append(f"The base {config.model.base!r} has no effect: an LSTM starts from random weights.")
        if config.model.pooled_layers != Model().pooled_layers:
            idle.append("model.pooled_layers has no effect: an LSTM's encoder has one layer.")
        if config.pretrain != Pretrain():
            idle.append("The pretrain section has no effect: an LSTM has no phase 0.")
    else:
        if config.lstm != Lstm():
            idle.append(f"The lstm section has no effect: the backbone is {config.model.backbone!r}.")
        if config.model.base != "fresh" and config.pretrain != Pretrain():
            idle.append(f"The pretrain section has no effect: base is {config.model.base!r}, not 'fresh'.")
    return idle


def _never_trained(config: Config) -> list[str]:
    """What is said of a decoder that is frozen before anything has trained it, as an LSTM's can be."""
    name = "phase1" if config.phase1.epochs else "phase2"
    frozen = [part for part in ("decoder", "head") if part in config.phases[name].frozen]
    if config.model.backbone != "lstm" or not frozen:
        return []
    return [
        f"{name}.frozen lists {' and '.join(frozen)}, but nothing has trained an LSTM before: its random weights stay, "
        "and the encoder learns for a decoder that knows no words."
    ]


def _idle_decoder(config: Config) -> list[str]:
    """What is said of the decoder between the phases and has no effect."""
    idle = []
    if config.phase1.epochs and config.phase1.decoder != "keep":
        idle.append("phase1.decoder has no effect: what it says is done between the phases, so phase2 has it.")
    if config.phase2.epochs and config.phase2.decoder != "keep":
        if not config.phase1.epochs:
            idle.append("phase2.decoder has no effect: there is no phase 1 that would have trained the decoder.")
        elif config.phase2.decoder == "restore" and {"decoder", "head"} <= set(config.phase1.frozen):
            idle.append("phase2.decoder='restore' has no effect: phase 1 leaves the decoder as it is.")
    return idle


def _idle(name: str, phase: Phase) -> list[str]:
    """Settings of a phase that another of its settings leaves without effect."""
    default, idle = Phase(), []
    bits = any(getattr(phase, knob) for knob in FREE_BITS)
    if phase.kl_schedule == "constant" and phase.kl_epochs != default.kl_epochs:
        idle.append(f"{name}.kl_epochs has no effect: the KL schedule is constant.")
    if phase.kl_weight == 0 and bits:
        idle.append(f"The free bits of {name} have no effect: its KL weight is 0.")
    if phase.kl_weight == 0 and phase.kl_target:
        idle.append(f"{name}.kl_target has no effect: its KL weight is 0.")
    if phase.free_bits_over != default.free_bits_over and not bits:
        idle.append(f"{name}.free_bits_over has no effect: there are no free bits.")
    if phase.learning_rate_schedule != "patience":
        for knob in ("patience", "patience_from", "patience_decays"):
            if getattr(phase, knob) != getattr(default, knob):
                idle.append(f"{name}.{knob} has no effect: learning_rate_schedule is not 'patience'.")
    elif phase.epochs:
        rise = phase.kl_epochs if phase.kl_schedule == "linear" else 0.0
        if max(rise, phase.patience_from) >= phase.epochs:
            why = "the KL weight rises" if rise >= phase.epochs else "patience_from waits"
            idle.append(f"The patience of {name} has no effect: {why} for as long as the phase lasts.")
    if phase.word_dropout_epochs and not phase.word_dropout:
        idle.append(f"{name}.word_dropout_epochs has no effect: word_dropout is 0.")
    if phase.aggressive_updates and {"encoder", "posterior"} <= set(phase.frozen):
        idle.append(f"{name}.aggressive_updates has no effect: the encoder is frozen.")
    return idle


Section = Data | Model | Pretrain | Lstm | Phase | Train


@dataclass(frozen=True)
class Knob:
    """One field of a section, as a form or a help page needs it."""

    name: str
    kind: Literal["int", "float", "text", "choice", "parts"]
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    optional: bool = False


@cache
def knobs(section: Any) -> dict[str, Knob]:
    """The fields of a section in order, with the sentence, the bounds and the choices of each."""
    sentences = _sentences(section)
    hints = typing.get_type_hints(section, include_extras=True)
    result = {}
    for knob in fields(section):
        hint, bounds = hints[knob.name], Within(-math.inf)
        if typing.get_origin(hint) is Annotated:
            hint, bounds = typing.get_args(hint)
        optional = typing.get_origin(hint) in (types.UnionType, typing.Union)
        if optional:
            hint = typing.get_args(hint)[0]
        choices: tuple[str, ...] = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
        kinds: dict[Any, str] = {int: "int", float: "float", str: "text"}
        kind = "choice" if choices else kinds.get(hint, "parts")
        result[knob.name] = Knob(
            name=knob.name,
            kind=typing.cast(Any, kind),
            default=knob.default,
            help=sentences[knob.name],
            choices=choices or (PARTS if kind == "parts" else ()),
            low=bounds.low,
            high=bounds.high,
            optional=optional,
        )
    return result


def parse(section: type, name: str, text: str) -> Any:
    """The value of a field from its text on the command line; bounds are checked when the section is built in."""
    knob = knobs(section)[name]
    if knob.optional and text.lower() in ("", "none"):
        return None
    if knob.kind == "parts":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if knob.kind in ("int", "float"):
        try:
            return int(text) if knob.kind == "int" else float(text)
        except ValueError:
            expected = "a whole number" if knob.kind == "int" else "a number"
            raise ValueError(f"{name}={text!r} is not {expected}.") from None
    return text


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of the fields of a dataclass, which take a millisecond to find out."""
    return typing.get_type_hints(kind)


def _as_text(value: Any) -> str:
    """The inverse of `parse`."""
    if value is None:
        return "none"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def check(section: Any, name: str, path: str) -> None:
    """Raise a `ValueError` if a field's value is of the wrong kind or out of bounds."""
    knob, value = knobs(section.__class__)[name], getattr(section, name)
    if value is None and knob.optional:
        return
    shown = reprlib.repr(value)  # in part, where it is long or deep
    if knob.kind == "choice" and value not in knob.choices:
        raise ValueError(f"{path}={shown} is unknown: choose among {', '.join(knob.choices)}.")
    if knob.kind == "text" and not (isinstance(value, str) and value.strip()):
        raise ValueError(f"{path}={shown} must be a text that is not empty.")
    if knob.kind == "parts" and not (isinstance(value, tuple) and all(isinstance(part, str) for part in value)):
        raise ValueError(f"{path}={shown} must be a list of parts: any of {', '.join(knob.choices)}.")
    if knob.kind in ("int", "float"):
        numeric = isinstance(value, int if knob.kind == "int" else (int, float)) and not isinstance(value, bool)
        if not numeric or not knob.low <= value <= min(knob.high, sys.float_info.max):
            what = "a whole number" if knob.kind == "int" else "a number"
            upper = "" if math.isinf(knob.high) else f" and at most {knob.high:.10g}"
            raise ValueError(f"{path}={shown} must be {what} of at least {knob.low:.10g}{upper}.")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The question whether one of the known names was meant, beginning with a space; empty where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def read_json(path: Path) -> Any:
    """The JSON document in a file; a file that is not one, or not for us to read, is a `ValueError` that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))  # an editor may have put a mark before it
    except PermissionError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): ask its owner for the right to.") from error
    except (ValueError, RecursionError) as error:  # the second where brackets open deeper than can be followed
        raise ValueError(f"{path} is damaged (not valid JSON): restore it or delete its folder.") from error


def _known_field(section: type, section_name: str, name: str) -> None:
    if name not in knobs(section):
        known = knobs(section)
        raise ValueError(
            f"{section_name}.{name} is not a setting: {section_name} has {', '.join(known)}." + suggestion(name, known)
        )


def _sentences(section: type) -> dict[str, str]:
    """The string under each field of a dataclass, which Python itself throws away."""
    sentences = {}
    for statement, following in pairwise(_classes(section.__module__)[section.__name__].body):
        if isinstance(statement, ast.AnnAssign) and isinstance(following, ast.Expr):
            name = typing.cast(ast.Name, statement.target).id
            sentences[name] = str(typing.cast(ast.Constant, following.value).value)
    return sentences


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module as they are written: read once for all of them, because it takes a hundredth second."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
