"""The form of a new run: recipes, knobs, corpora, and what the run will cost."""

from __future__ import annotations

import hashlib
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import streamlit as st

from app.backend import shell
from app.backend.history import course
from app.backend.permission import reserved
from vae import config as vae_config
from vae import recipes, runs
from vae.config import Config, Data, Knob

SECTIONS: tuple[str, ...] = tuple(section.name for section in fields(Config) if section.name != "recipe")
"""The sections of a configuration, in order."""


def recipe_names() -> list[str]:
    """The recipes, the recommended one first."""
    return list(recipes.RECIPES)


def recipe(name: str) -> Config:
    """The configuration of a recipe."""
    return recipes.get(name)


def describe(name: str) -> str:
    """What a recipe is, in a sentence or two."""
    return recipes.describe(name) if name in recipes.RECIPES else "Settings of your own."


def knobs(section: str) -> Mapping[str, Knob]:
    """The fields of a section with their sentences, bounds and choices."""
    return vae_config.knobs(get_type_hints(Config)[section])


def build(recipe_name: str, sections: Mapping[str, Mapping[str, Any]]) -> Config:
    """A configuration from the values of a form; what does not fit is a `ValueError` in one sentence."""
    return Config.from_dict({"recipe": recipe_name, **sections})


def fresh_name(stem: str) -> str:
    """A name for a run that is not taken yet."""
    return runs.fresh_name(stem)


def check_name(name: str) -> str:
    """The name if a new run can have it; a `ValueError` if it cannot, or is taken."""
    valid = runs.valid_name(name.strip())
    if (runs.root() / valid).exists():
        raise ValueError(f"There is already a run named {valid!r}: choose another name.")
    return valid


@reserved
def save_upload(filename: str, content: bytes) -> str:
    """Keep an uploaded file beside the runs, once for every content, and return its corpus name, `file:PATH`."""
    path = Path(filename)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-.")[:60] or "upload"
    folder = runs.root().resolve() / "uploads" / hashlib.sha256(content).hexdigest()[:16]
    target = folder / f"{stem}{path.suffix.lower()}"
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        runs.write_bytes(target, content)
    return f"file:{target}"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a corpus holds: sentences to train on, a few of them, label columns, and what was done to it, in words."""

    sentences: int
    examples: tuple[str, ...]
    labels: tuple[str, ...]
    note: str


CAPTIONS = 20_000
"""Sentences that the built-in corpus trains on by default."""


@reserved
def preview(data: Data) -> Preview:
    """A look at a corpus as training will see it; what is wrong with it is a `ValueError` in one sentence."""
    kind, _, where = data.corpus.partition(":")
    if kind == "captions":
        wanted = data.train_sentences or CAPTIONS
        few = _preview("captions", data.text_column, min(wanted, 200), data.seed, 0.0)
        return replace(few, sentences=wanted)
    path = Path(where)
    changed_at = path.stat().st_mtime if kind == "file" and path.exists() else 0.0
    return _preview(data.corpus, data.text_column, data.train_sentences, data.seed, changed_at)


@st.cache_data(max_entries=16, show_spinner="Reading the text …")
def _preview(spec: str, text_column: str, train_sentences: int | None, seed: int, changed_at: float) -> Preview:
    from vae import corpora

    small = {"valid_sentences": 2, "test_sentences": 2} if spec == "captions" else {}
    corpus = corpora.load(spec, seed=seed, train_sentences=train_sentences, text_column=text_column, **small)
    return Preview(
        sentences=len(corpus.train),
        examples=tuple(corpus.train["text"].head(4)),
        labels=tuple(corpus.labels),
        note=corpus.note,
    )


@reserved
def check_source(source: str) -> str:
    """A model folder or Hub id that may be opened; a `ValueError` for what is neither. Nothing is loaded yet."""
    source = source.strip()
    path = Path(source).expanduser()
    if not source:
        raise ValueError("Give the folder of a model, or a Hub id such as name/model.")
    if path.is_dir():
        if (path / "config.json").is_file() or (path / "model" / "config.json").is_file():
            return str(path)
        raise ValueError(f"{path} holds no config.json, so it is not a model folder.")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        return source
    raise ValueError(f"{source!r} is neither a folder on this computer nor a Hub id such as name/model.")


def command(name: str, settings: Config) -> str:
    """The line that trains the same run from a terminal."""
    known = settings.recipe if settings.recipe in recipes.RECIPES else "two-phase"
    start = recipes.get(known)
    words = ["python", "-m", "vae", "train", "--recipe", known]
    if settings.data.corpus != start.data.corpus:
        words += ["--data", settings.data.corpus]
    if settings.model.base != start.model.base:
        words += ["--base", settings.model.base]
    words += ["--run", str(shell.shown(runs.root() / name))]
    flagged = ("data.corpus=", "model.base=")  # these have options of their own
    for setting in settings.changes(start):
        words += [] if setting.startswith(flagged) else ["--set", setting]
    return shell.line(words)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a run will take. `measured_on` names the runs whose speed was taken; none of them: a rough figure."""

    seconds: float | None
    measured_on: tuple[str, ...] = ()


ROUGH_SPEED = 500.0
"""Sentences a second that the bundled starter trains at on a two-core laptop, to have a figure before any run has."""


def estimate(settings: Config, sentences: int | None) -> Estimate:
    """The time a run will take, from the measured speed of runs like it on this machine.

    `sentences` is the size of the training split, where it is known. Bundled runs were trained elsewhere and do not
    count. Checks along the way are taken to cost a tenth.
    """
    if sentences is None:
        return Estimate(seconds=None)
    phases = {1: settings.phase1.epochs, 2: settings.phase2.epochs}
    if settings.pretrains:
        phases[0] = settings.pretrain.epochs
    alike = [run for run in runs.list_runs() if _alike(run, settings)][:5]
    speeds = {run.name: _speeds(run.name) for run in alike}
    speeds = {name: speed for name, speed in speeds.items() if speed}
    everything = [value for speed in speeds.values() for value in speed.values()]
    if not everything:
        if settings.model.base != "starter" or settings.model.backbone == "lstm":
            return Estimate(seconds=None)
        everything = [ROUGH_SPEED]
    seconds = 0.0
    for phase, epochs in phases.items():
        measured = [speed[phase] for speed in speeds.values() if phase in speed]
        seconds += sentences * epochs / statistics.median(measured or everything)
    return Estimate(seconds=1.1 * seconds, measured_on=tuple(speeds))


def _alike(run: runs.Run, settings: Config) -> bool:
    """Whether a run of this machine costs about as much a sentence."""
    try:
        other = run.config
        if run.bundled:
            return False
    except ValueError:
        return False
    same = other.model.base == settings.model.base and other.data.max_tokens == settings.data.max_tokens
    same &= (other.model.backbone == "lstm") == (settings.model.backbone == "lstm")
    if settings.model.backbone == "lstm":
        same &= (other.lstm.embedding, other.lstm.width) == (settings.lstm.embedding, settings.lstm.width)
    if settings.pretrains:
        same &= (other.pretrain.width, other.pretrain.layers) == (settings.pretrain.width, settings.pretrain.layers)
    return same and 0.5 <= other.train.batch_size / settings.train.batch_size <= 2


def _speeds(name: str) -> dict[int, float]:
    """Median training speed of a run in each of its phases, in sentences a second."""
    known = course(name)
    measured = known.train["figures"].get("sentences_per_second", {"last": []})["last"]
    speeds: dict[int, list[float]] = {}
    for step, speed in zip(known.train["last"], measured, strict=False):
        if speed:
            speeds.setdefault(known.phase_at(step), []).append(speed)
    return {phase: statistics.median(values) for phase, values in speeds.items()}
