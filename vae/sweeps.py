"""Sweeps: one configuration varied along a few axes, trained as a batch and read as one table.

An axis is a setting with its values, or several settings that take each value together. What was varied stands in the
notes of the runs and the values in their configurations, so a sweep needs no file of its own: it is there as long as
one of its runs is. All of its runs share data and seed, unless these are what is varied.

Left out: anything that chooses values by itself. Nothing heavy is imported here.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_type_hints

from vae import doctor, jobs, recipes, runs
from vae.config import Config, Knob, Phase, knobs, parse, suggestion
from vae.recipes import FROZEN_DECODER
from vae.runs import Notes, Run

MOST = 200
"""Runs of one sweep."""

FIGURES = ("kl_nats", "mi_nats", "mi_ceiling_nats", "active_units", "rec_nats", "delta_nll_nats")
"""The newest figures that a table of runs shows."""

NO_EFFECT = "–"
"""What stands for the value of a setting that has no effect."""

PHASES = {"pretrain": "phase 0", "phase1": "phase 1", "phase2": "phase 2"}
"""The sections whose settings go by the same names, in words."""

BARE = ("free_bits_per_dimension", "token_deletion")
"""Numbers that stand without a letter in a label, as Park & Lee 2021 write them in Figures 2 and 3."""


@dataclass(frozen=True)
class Axis:
    """One thing that is varied: the settings that take each value together, and the values as text."""

    settings: tuple[str, ...]
    values: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Axis:
        """An axis from ``section.field=v1,v2``; several settings are joined by +, and so are the parts of one value.

        A value with a comma stands in double quotes. What names no setting, or is no value of it, is a `ValueError`.
        """
        names, sign, listed = text.partition("=")
        settings = tuple(name.strip() for name in names.split("+"))
        values = [value.strip() for value in next(csv.reader([listed], skipinitialspace=True), [])]
        if not sign or not values or not all(settings):
            raise ValueError(f"The axis {text!r} is not of the form section.field=value,value.")
        known = [[_read(setting, value) for value in values] for setting in settings]
        axis = cls(settings, tuple(written(value) for value in known[0]))
        twice = [value for number, value in enumerate(axis.values) if value in axis.values[:number]]
        if twice:
            raise ValueError(f"The axis {axis.name} has the value {twice[0]} twice: leave one out.")
        return axis

    @property
    def name(self) -> str:
        """The settings joined by +: the head of a column."""
        return "+".join(self.settings)

    def __str__(self) -> str:
        quoted = [f'"{value}"' if "," in value else value for value in self.values]
        return f"{self.name}={','.join(quoted)}"

    def of(self, config: Config) -> str:
        """The value that a configuration has here."""
        return written(_value(config, self.settings[0]))


@dataclass(frozen=True, kw_only=True)
class Member:
    """One run of a sweep: its name, its label as in the figures of the paper, and its value on each axis."""

    name: str
    label: str
    values: Mapping[str, str]
    config: Config


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep would train, and which combinations it cannot, by label with the sentence that says why."""

    stem: str
    base: Config
    axes: tuple[Axis, ...]
    members: tuple[Member, ...]
    refused: Mapping[str, str]

    def common(self) -> str:
        """What all runs share, in a sentence."""
        varied = {setting for axis in self.axes for setting in axis.settings}
        shared = {
            "data.corpus": f"the corpus {self.base.data.corpus}",
            "data.seed": f"data seed {self.base.data.seed}",
            "train.seed": f"training seed {self.base.train.seed}",
        }
        same = [words for setting, words in shared.items() if setting not in varied]
        return f"The same for all: {', '.join(same)}." if same else "Data and seeds differ."


def expand(stem: str, base: Config, axes: Sequence[Axis]) -> Plan:
    """Every combination of the axes' values as a named configuration: the stem, then what differs.

    Combinations that make no configuration are kept as refused. A setting on two axes, more than `MOST` runs, names
    that cannot be, or no valid combination at all is a `ValueError`.
    """
    runs.valid_name(stem)
    if not axes:
        raise ValueError("A sweep needs something to vary: give an axis such as model.pooling=max,mean.")
    settings = [setting for axis in axes for setting in axis.settings]
    twice = [setting for number, setting in enumerate(settings) if setting in settings[:number]]
    if twice:
        raise ValueError(f"{twice[0]} is varied twice: give it one axis.")
    count = math.prod(len(axis.values) for axis in axes)
    if count > MOST:
        raise ValueError(f"The axes make {count:,} runs, and a sweep may have {MOST}: leave values out.")
    members: list[Member] = []
    refused: dict[str, str] = {}
    for values in itertools.product(*(axis.values for axis in axes)):
        words = [_word(axis, value) for axis, value in zip(axes, values, strict=True)]
        label = "_".join(words)
        chosen = [
            f"{setting}={_as_setting(setting, value)}"
            for axis, value in zip(axes, values, strict=True)
            for setting in axis.settings
        ]
        try:
            config = base.with_settings(chosen)
        except ValueError as error:
            refused[label] = str(error)
            continue
        name = _free_name("-".join([stem, *map(_slug, words)]), members)
        by_axis = {axis.name: value for axis, value in zip(axes, values, strict=True)}
        members.append(Member(name=name, label=label, values=by_axis, config=config))
    if not members:
        raise ValueError(f"No combination is valid: {next(iter(refused.values()))}")
    return Plan(stem=stem, base=base, axes=tuple(axes), members=tuple(members), refused=refused)


def check_free(plan: Plan) -> None:
    """Raise a `ValueError` if a run or a sweep under `runs.root()` has one of the plan's names already."""
    taken = [member.name for member in plan.members if (runs.root() / member.name).exists()]
    if taken or plan.stem in names():
        what = f"a run named {taken[0]!r}" if taken else f"a sweep named {plan.stem!r}"
        raise ValueError(f"There is already {what}: give the new sweep another name.")


def launch(plan: Plan) -> list[Run]:
    """Make the runs of a plan under `runs.root()` and put them into the queue, in order.

    If a name is taken, or a run cannot be made, none is: `ValueError`.
    """
    check_free(plan)
    notes = Notes(sweep=plan.stem, over=tuple(str(axis) for axis in plan.axes))
    made: list[Run] = []
    try:
        for member in plan.members:
            made.append(Run.create(runs.root() / member.name, member.config))
            made[-1].write_notes(notes)
    except ValueError:
        for run in made:
            jobs.stop(run)
            run.delete()
        raise
    for run in made:
        jobs.start(run)
    return made


def names() -> list[str]:
    """The sweeps there are, the one with the newest run first."""
    return list(dict.fromkeys(notes.sweep for _, notes in _noted() if notes.sweep))


def members(name: str) -> list[Run]:
    """The runs of a sweep, in the order of its axes' values; a sweep without any is a `ValueError`."""
    found = {run: notes for run, notes in _noted() if notes.sweep == name}
    if not found:
        known = names()
        listed = f"there are {', '.join(known)}." if known else "there is none yet."
        raise ValueError(f"There is no sweep {name!r}: {listed}" + suggestion(name, known))
    return ordered(found)


def ordered(found: Mapping[Run, Notes]) -> list[Run]:
    """The runs of a sweep in the order of its axes' values."""
    return sorted(found, key=lambda run: (_place(run.config, axes_of(found[run])), run.name))


def axes_of(notes: Notes) -> tuple[Axis, ...]:
    """What was varied where a run comes from."""
    return tuple(Axis.read(text) for text in notes.over)


def row(run: str, config: Config, axes: Sequence[Axis], state: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """A run as a row of its sweep's table: run, label, the value on each axis, state, its newest figures, verdict."""
    return {
        "run": run,
        "label": "_".join(_word(axis, axis.of(config)) for axis in axes),
        **{axis.name: axis.of(config) for axis in axes},
        "state": state,
        **{name: figures.get(name) for name in FIGURES},
        "verdict": doctor.diagnose(figures).name if figures else "",
    }


def command(stem: str, start: Config, axes: Sequence[Axis]) -> list[str]:
    """The words after `python -m vae` that make the same sweep of a configuration."""
    recipe = start.recipe if start.recipe in recipes.RECIPES else "two-phase"
    varied = {setting for axis in axes for setting in axis.settings}
    settings = [each for each in start.changes(recipes.get(recipe)) if each.partition("=")[0] not in varied]
    words = ["sweep", stem, "--recipe", recipe]
    for option, values in (("--set", settings), ("--over", [str(axis) for axis in axes])):
        words += [word for value in values for word in (option, value)]
    return words


def differences(configs: Mapping[str, Config]) -> dict[str, dict[str, str]]:
    """What differs between configurations: by setting and name its value as text, `NO_EFFECT` where it is idle.

    A phase that is skipped counts as one with every setting at its default, and so does a phase 0 that there is not.
    """
    found: dict[str, dict[str, str]] = {}
    if len({config.recipe for config in configs.values()}) > 1:
        found["recipe"] = {name: config.recipe for name, config in configs.items()}
    for setting in settings():
        values = {name: written(_in_effect(config, setting)) for name, config in configs.items()}
        if len(set(values.values())) > 1:
            found[setting] = {
                name: NO_EFFECT if _is_idle(configs[name], setting) else value for name, value in values.items()
            }
    return found


def settings() -> list[str]:
    """Every setting, as ``section.field``."""
    return [
        f"{section}.{name}"
        for section, kind in get_type_hints(Config).items()
        if section != "recipe"
        for name in knobs(kind)
    ]


def heading(name: str) -> str:
    """The name of a setting, or of an axis, as a table for people has it: `token deletion, phase 1`; others stay."""
    if "." not in name:
        return name
    named = [setting.partition(".") for setting in name.split("+")]
    fields = [f"{section} seed" if field == "seed" else field for section, _, field in named]
    words = " and ".join(dict.fromkeys(fields)).replace("_", " ").replace("kl ", "KL ")
    phase = PHASES.get(named[0][0], "") if len(named) == 1 else ""
    return f"{words}, {phase}" if phase else words


def written(value: Any) -> str:
    """The value of a setting as an axis has it; the inverse is `Axis.read`."""
    if value is None or value == ():
        return "none"
    if isinstance(value, float):
        return f"{value:.12g}"
    return "+".join(value) if isinstance(value, tuple) else str(value)


def shown(value: str) -> str:
    """The value of a setting as a table for people has it: `decoder` for the four parts that freezing it takes."""
    return "decoder" if value == "+".join(FROZEN_DECODER) else value


def phase1() -> tuple[Config, tuple[Axis, ...]]:
    """Phase 1 alone, as Park & Lee 2021 compare it in section 5.1 and Figure 2: pooling x noise x frozen decoder.

    Five epochs of an autoencoder with a z of 32 (appendix B); they also tried a z of 64 and 128: vary
    model.latent_size as well for that. A run is labelled by its values, for instance max_0.15_frozen.
    """
    base = replace(recipes.get("park-lee-max-pool"), phase2=Phase())
    frozen = "+".join(FROZEN_DECODER)
    axes = ("model.pooling=max,mean", "phase1.token_deletion=0,0.15,0.4", f"phase1.frozen={frozen},none")
    return base, tuple(map(Axis.read, axes))


def phase2() -> tuple[Config, tuple[Axis, ...]]:
    """Both phases, as Park & Lee 2021 compare them in section 5.2 and Figure 3: KL threshold x noise.

    Thresholds of Eq. 2 in nats a dimension, noise in both phases, max-pooling. Every run trains its own phase 1.
    A run is labelled by its values, for instance 0.5_0.15.
    """
    noise = "phase1.token_deletion+phase2.token_deletion=0,0.15,0.4"
    axes = ("phase2.free_bits_per_dimension=0,0.5,3,6", noise)
    return recipes.get("park-lee-denoise-klt"), tuple(map(Axis.read, axes))


PRESETS: Mapping[str, Callable[[], tuple[Config, tuple[Axis, ...]]]] = {"phase1": phase1, "phase2": phase2}
"""Studies of Park & Lee 2021 by name: the configuration that is varied, and its axes."""


def preset(name: str) -> tuple[Config, tuple[Axis, ...]]:
    """A study by its name."""
    if name not in PRESETS:
        raise ValueError(f"There is no preset {name!r}: choose among {', '.join(PRESETS)}." + suggestion(name, PRESETS))
    return PRESETS[name]()


def with_axes(axes: Iterable[Axis], more: Iterable[Axis]) -> tuple[Axis, ...]:
    """Axes with others added; one of the same settings takes the place of the one that was there."""
    return tuple({axis.name: axis for axis in (*axes, *more)}.values())


def _noted() -> list[tuple[Run, Notes]]:
    """The runs there are with their notes, newest first; a run whose notes are damaged belongs to no sweep."""
    found = []
    for run in runs.list_runs():
        with contextlib.suppress(ValueError):
            found.append((run, run.notes))
    return found


def _place(config: Config, axes: Sequence[Axis]) -> tuple[int, ...]:
    values = [(axis.values, axis.of(config)) for axis in axes]
    return tuple(known.index(value) if value in known else len(known) for known, value in values)


def _value(config: Config, setting: str) -> Any:
    section, _, field = setting.partition(".")
    return getattr(getattr(config, section), field)


def _read(setting: str, text: str) -> Any:
    """The value of a setting from its text on an axis; an unknown setting is the `ValueError` of `with_settings`."""
    section, dot, field = setting.partition(".")
    hints = get_type_hints(Config)
    if not dot or section not in hints or section == "recipe" or field not in knobs(hints[section]):
        recipes.get("two-phase").with_settings([f"{setting}={text}"])  # it knows what to say
    try:
        return parse(hints[section], field, _as_setting(setting, text))
    except ValueError as error:
        raise ValueError(f"{section}.{error}") from None


def _as_setting(setting: str, text: str) -> str:
    """A value on an axis as ``--set`` takes it."""
    section, _, field = setting.partition(".")
    if _knob(section, field).kind != "parts":
        return text
    return "" if text == "none" else text.replace("+", ",")


def _knob(section: str, field: str) -> Knob:
    return knobs(get_type_hints(Config)[section])[field]


def _word(axis: Axis, value: str) -> str:
    """A value in a label: numbers behind the first letters of their setting, a frozen decoder as `frozen`."""
    section, _, field = axis.settings[0].partition(".")
    kind = _knob(section, field).kind
    if kind == "parts":
        return {"none": "free", "+".join(FROZEN_DECODER): "frozen"}.get(value, value)
    if kind in ("int", "float") and field not in BARE:
        return ("z" if field == "latent_size" else "".join(word[0] for word in field.split("_"))) + value
    return value


def _slug(word: str) -> str:
    """A word as the name of a folder can have it: of a path its last part."""
    last = re.split(r"[/\\:]", word.rstrip("/\\"))[-1]
    return re.sub(r"[^A-Za-z0-9._]+", "_", last).strip("._")[:40] or "x"


def _free_name(name: str, made: Sequence[Member]) -> str:
    """The name, or where another member has it already, the name with a number."""
    taken = {member.name.lower() for member in made}
    numbered = (f"{name}-{number}" if number > 1 else name for number in itertools.count(1))
    return runs.valid_name(next(each for each in numbered if each.lower() not in taken))


def _in_effect(config: Config, setting: str) -> Any:
    """The value of a setting, or where it has no effect its default."""
    section, _, field = setting.partition(".")
    return _knob(section, field).default if _is_idle(config, setting) else _value(config, setting)


def _is_idle(config: Config, setting: str) -> bool:
    section, _, field = setting.partition(".")
    if section == "pretrain":
        return not config.pretrains
    if config.model.backbone == "lstm":
        if setting in ("model.base", "model.pooled_layers"):
            return True
    elif section == "lstm":
        return True
    return section in config.phases and field != "epochs" and not config.phases[section].epochs
