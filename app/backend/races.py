"""Races: runs of several recipes from one seed and one text, side by side, and the verdict on each as it went.

Who races is whoever is named: a race is no record of its own, so any runs can be watched as one. What the doctor said
at a check depends on the measurements up to there alone; it is the same while a run trains and whenever it is replayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import streamlit as st

from app.backend import form, history
from app.backend.permission import reserved
from vae import doctor, jobs, runs
from vae.config import Config

RACE_SIZES: Mapping[str, tuple[str, ...]] = {
    "quick": (
        *("data.train_sentences=4000", "data.valid_sentences=256", "data.test_sentences=256"),
        *("train.eval_sentences=256", "train.evals_per_epoch=2", "train.snapshots=3"),
    ),
    "full": (),
}
"""What each size of a race changes in its recipes. The figures behind the quick one are in docs/lab-log.md."""

MOST_CHECKS = 160
"""Checks of one run that are shown; of more, some in between are left out."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check of a run, and what the doctor made of all that was known by then."""

    step: int
    phase: int
    effort: float
    """Steps over sentences a second, summed: times the batch size it is the seconds of training up to here."""
    figures: Mapping[str, Any]
    """The newest figures of a finetuning phase by then; empty before there were any."""
    verdict: doctor.Verdict | None

    @property
    def name(self) -> str:
        """The verdict's name."""
        return self.verdict.name if self.verdict else "unknown"


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A run of a race."""

    name: str
    checks: Sequence[Check]
    """In order; of very many a part, always with the first, the newest, and those at which verdict or phase changed."""
    seconds: Sequence[float]
    """Seconds of training up to each check, reckoned from the measured speed: checks and pauses are left out."""
    sentences: Sequence[Mapping[str, Any] | None]
    """What the run had written last by each check, as in `history.samples`."""


def checks(events: Iterable[Mapping[str, Any]]) -> list[Check]:
    """The checks in the events of a metrics.jsonl, each with the verdict on what was known by then."""
    tally = _Tally()
    for event in events:
        tally.take(event)
    return list(tally.checks.values())


def turns(said: Sequence[str]) -> list[tuple[int, str, str]]:
    """When what was said at each check changed: the index of the check, what was said before, and since."""
    return [(index, was, now) for index, (was, now) in enumerate(pairwise(said), 1) if was != now]


def thinned(found: Sequence[Check], most: int = MOST_CHECKS) -> list[Check]:
    """About `most` checks, evenly spread, and all at which the verdict or the phase changed."""
    stride = max(1, -(-len(found) // most))
    turned = (index for index, _, _ in turns([f"{check.phase} {check.name}" for check in found]))
    kept = {*range(0, len(found), stride), len(found) - 1, *turned}
    return [check for index, check in enumerate(found) if index in kept]


def lane(name: str) -> Lane:
    """A run as a lane of a race. Only what is new is read from the disk."""
    run = runs.find(name)
    ledger = _ledger(str(run.metrics_path))
    with ledger.reading():
        found = thinned(list(ledger.tally.checks.values()))
    batch = run.config.train.batch_size
    written = {event["step"]: event for event in history.samples(name)}
    by_then: list[Mapping[str, Any] | None] = []
    steps, place = sorted(written), 0
    for check in found:
        while place < len(steps) and steps[place] <= check.step:
            place += 1
        by_then.append(written[steps[place - 1]] if place else None)
    return Lane(name=name, checks=found, seconds=[check.effort * batch for check in found], sentences=by_then)


def race_config(recipe: str, size: str, seed: int, corpus: str = "captions") -> Config:
    """A recipe as it runs in a race. The starter knows the captions alone: on another text a fresh T5 begins."""
    settings = [*RACE_SIZES[size], f"data.corpus={corpus}", f"data.seed={seed}", f"train.seed={seed}"]
    start = form.recipe(recipe)
    if corpus != "captions" and start.model.base == "starter":
        settings.append("model.base=fresh")
    return start.with_settings(settings)


def race_names(stem: str, recipes: Sequence[str]) -> list[str]:
    """The names of the runs of a race, in the order of its recipes; a `ValueError` if one cannot be had.

    Each begins with `race-`, also where the name of the race does not.
    """
    if len(recipes) < 2:
        raise ValueError("A race needs two recipes at least.")
    if not stem.strip():
        raise ValueError("The race needs a name.")
    return [form.check_name(f"race-{stem.strip().removeprefix('race-')}-{recipe}") for recipe in recipes]


def fresh_race(recipes: Sequence[str]) -> str:
    """`race-` and the first number under which no run of a race of these recipes is there yet."""
    taken = {run.name for run in runs.list_runs()}
    number = 1
    while any(f"race-{number}-{recipe}" in taken for recipe in recipes):
        number += 1
    return f"race-{number}"


@reserved
def launch_race(configs: Mapping[str, Config]) -> list[str]:
    """Make runs of these names and start all of them now, past the queue, so that they train side by side."""
    return [run.name for run in jobs.launch_together(configs)]


def race_key(found: Lane) -> str:
    """A name for what a lane holds: the same as long as nothing has come to it."""
    last = found.checks[-1] if found.checks else None
    content = (found.name, len(found.checks), last and (last.step, last.figures), found.sentences[-1:])
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


class _Tally:
    """The checks of a run, as far as its events have been taken in."""

    def __init__(self) -> None:
        self.checks: dict[int, Check] = {}
        self._figures: Mapping[str, Any] = {}
        self._verdict: doctor.Verdict | None = None
        self._step, self._effort = 0, 0.0

    def take(self, event: Mapping[str, Any]) -> None:
        """One more event."""
        step, phase, split = event.get("step"), event.get("phase"), event.get("split")
        if type(step) is not int or type(phase) is not int:
            return
        speed = event.get("sentences_per_second")
        if split == "train" and isinstance(speed, int | float) and speed > 0:
            self._effort, self._step = self._effort + max(0, step - self._step) / speed, step
        if split != "valid":
            return
        if "delta_nll_nats" in event:
            self._figures, self._verdict = event, history.judge(dict(event))
        self.checks[step] = Check(
            step=step, phase=phase, effort=self._effort, figures=self._figures, verdict=self._verdict
        )


class _Checks(history.Ledger):
    """metrics.jsonl: its checks."""

    def clear(self) -> None:
        self.tally = _Tally()

    def take(self, event: dict[str, Any], offset: int) -> None:
        self.tally.take(event)


@st.cache_resource(max_entries=64, show_spinner=False)
def _ledger(path: str) -> _Checks:
    return _Checks(Path(path))
