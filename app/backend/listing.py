"""The runs that there are: the table of them, the colour of each, and the queue of those that wait.

A run that has ended is read once, and again when one of its files has changed: a list of a thousand costs little more
than looking at their folders.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import palette
from app.backend.history import figures, judge, measured, verdict
from app.backend.permission import read_only
from app.backend.standings import as_shown
from vae import config as vae_config
from vae import exchange, jobs, recipes, runs
from vae.config import Config
from vae.queue import Queue
from vae.runs import Status

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run as lists show it. `state` is that of its status, or `damaged` with the `problem` in words."""

    name: str
    state: str
    status: Status
    recipe: str = ""
    latent_size: int = 0
    bundled: bool = False
    lesson: bool = False
    """Whether it is there for a lesson alone."""
    has_model: bool = False
    phases: tuple[int, ...] = ()
    """The phases of its training, in order."""
    warms_up: bool = False
    """Whether it has a phase 1 in which KL costs nothing, and a phase 2 after it."""
    yardstick: bool = False
    """Whether its z is fixed to zero: a language model with the same decoder, which the others are held against."""
    place: int | None = None
    """Its place in the queue, from 1, if it waits there."""
    problem: str = ""

    @property
    def imported(self) -> bool:
        """Whether another program trained it."""
        return self.recipe == exchange.RECIPE

    @property
    def active(self) -> bool:
        """Whether a process owns the run, or is about to."""
        return self.state in runs.ACTIVE


def entries(*, lessons: bool = False, named: Container[str] = ()) -> list[Entry]:
    """Every run there is, a damaged one too, with its problem: one's own newest first, then those that came along.

    The bundled ones stand in the order of their recipes: when they were written, a checkout forgets. Those that are
    there for a lesson alone are left out, unless all of them are asked for, or one is by its name.
    """
    _keep_going()
    order = list(recipes.RECIPES)

    def place(entry: Entry) -> int:
        return 1 + order.index(entry.recipe) if entry.bundled and entry.recipe in order else 0

    found = (entry for entry in map(_entry, runs.list_runs()) if lessons or not entry.lesson or entry.name in named)
    return sorted(found, key=place)


def entry(name: str) -> Entry:
    """One run by its name."""
    return _entry(runs.find(name))


def queue() -> Queue:
    """The runs that wait, in order, and how many train at once."""
    return jobs.queue()


def config(name: str) -> Config:
    """The configuration of a run."""
    return runs.find(name).config


def table() -> pd.DataFrame:
    """A row a run that can be read: name, state, recipe, latent_size, verdict and its newest figures.

    `standing` is what pages show in place of the verdict's name.
    """
    import pandas as pd

    return pd.DataFrame([_row(entry) for entry in entries() if not entry.problem])


def showcase(names: Sequence[str]) -> str | None:
    """The run to open where nobody has chosen: the first healthy one that came along, else a healthy one of one's own.

    What pages say of a latent space, and what a teacher has tried, is about the bundled run; it stays what a bare link
    opens, however many runs a class trains, good or bad. One's own stand first in every list, a click away, and stay
    chosen from page to page. Of one's own, those that have finished come before those that train or were stopped.
    """
    known = [each for each in entries(lessons=True) if each.name in names and not each.problem]
    ranked = sorted(known, key=lambda each: (not each.bundled, each.state != "finished"))
    return next((each.name for each in ranked if _is_healthy(each.name)), None)


def colours(names: Iterable[str] = ()) -> dict[str, str]:
    """The colour of every run, by name: kept beside the runs, so that a run looks the same everywhere and tomorrow."""
    listed = [run.name for run in reversed(runs.list_runs()) if not _entry(run).lesson]
    wanted = [*listed, *(name for name in names if name not in listed)]
    path = runs.root() / "colours.json"
    with _COLOURS_LOCK:
        kept = _kept_colours(path)
        allotted = palette.allot(wanted, kept)
        lasting = {name: allotted[name] for name in listed}
        if lasting != kept and listed and not read_only():
            with contextlib.suppress(OSError):  # a read-only folder: colours then follow the list of runs
                runs.write_json(path, lasting)
    return {name: palette.PALETTE[index] for name, index in allotted.items()}


def hand_on_colour(name: str, new: str) -> None:
    """Give the colour of a run to its new name."""
    path = runs.root() / "colours.json"
    with _COLOURS_LOCK:
        kept = _kept_colours(path)
        if name in kept:
            runs.write_json(path, {(new if key == name else key): index for key, index in kept.items()})


_COLOURS_LOCK = threading.Lock()


def _kept_colours(path: Path) -> dict[str, int]:
    try:
        kept = vae_config.read_json(path) if path.is_file() else {}
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _is_healthy(name: str) -> bool:
    judged = verdict(name)
    return judged is not None and judged.name == "healthy"


ENTRY_FILES = ("status.json", "config.json", "env.json", "model/config.json")
"""What an entry is made of."""
TAIL = 1 << 16
"""Bytes at the end of a history in which its newest figures are looked for first."""
_ENTRIES: dict[str, tuple[tuple[Any, ...], Entry]] = {}
_ROWS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}
"""By the path of a run: how its files were, and what was made of them."""


def _entry(run: runs.Run) -> Entry:
    path, seen = str(run.path), _look(run, ENTRY_FILES)
    known = _ENTRIES.get(path)
    if known is None or known[0] != seen:
        known = _ENTRIES[path] = (seen, _read_entry(run))
    return _as_of_now(run, known[1]) if known[1].active else known[1]


def _read_entry(run: runs.Run) -> Entry:
    try:
        runs.valid_name(run.name)
        status, settings = run.status, run.config
        bundled, lesson = run.bundled, run.lesson
    except ValueError as error:
        return Entry(name=run.name, state="damaged", status=Status(), problem=str(error))
    return Entry(
        name=run.name,
        state=status.state,
        status=status,
        recipe=settings.recipe,
        latent_size=settings.model.latent_size,
        bundled=bundled,
        lesson=lesson,
        has_model=(run.model_path / "config.json").is_file(),
        phases=_phases(settings),
        warms_up=_phases(settings)[-2:] == (1, 2) and settings.phase1.kl_weight == 0,
        yardstick=settings.model.latent == "zero",
    )


def _phases(settings: Config) -> tuple[int, ...]:
    finetuning = (number for number, phase in enumerate(settings.phases.values(), 1) if phase.epochs)
    return (*([0] if settings.pretrains else []), *finetuning)


def _as_of_now(run: runs.Run, entry: Entry) -> Entry:
    """An active run's entry: whether its process is there, and what it waits for, its files alone do not tell."""
    try:
        status = jobs.reconcile(run, write=not read_only())
        place = jobs.place(run) if status.state == "queued" and status.pid is None else None
    except ValueError as error:
        return Entry(name=run.name, state="damaged", status=Status(), problem=str(error))
    return replace(entry, state=status.state, status=status, place=place)


def _row(entry: Entry) -> dict[str, Any]:
    """A row of the table of runs."""
    run = runs.find(entry.name)
    path, seen = str(run.path), (entry.state, *_look(run, (*ENTRY_FILES, run.metrics_path.name)))
    known = _ROWS.get(path)
    if known is None or known[0] != seen:
        newest = _newest(run)
        judged = judge(newest)
        row = {"run": entry.name, "state": entry.state, "verdict": judged.name if judged else ""}
        shown = as_shown(entry, judged, None if entry.state == "finished" else newest.get("phase"))
        row |= {"standing": shown.name if shown else "", "recipe": entry.recipe, "latent_size": entry.latent_size}
        row |= {name: value for name, value in newest.items() if not isinstance(value, list | dict)}
        known = _ROWS[path] = (seen, row)
    return known[1]


def _newest(run: runs.Run) -> dict[str, Any]:
    """The newest figures of a run, as `figures` has them, from the end of the file: a table needs no whole history."""
    size = run.metrics_path.stat().st_size if run.metrics_path.is_file() else 0
    events, _ = runs.read_lines(run.metrics_path, max(0, size - TAIL))
    found = [event for event in events if event.get("split") == "valid" and "delta_nll_nats" in event]
    return measured(found[-1]) if found else figures(run.name)


def _look(run: runs.Run, files: Iterable[str]) -> tuple[Any, ...]:
    """How files of a run are: when each was written, and its size; None for one that is not there."""
    found = []
    for name in files:
        try:
            at = os.stat(f"{run.path}/{name}")  # noqa: PTH116  # a thousand times over
            found.append((at.st_mtime_ns, at.st_size, at.st_ino))
        except OSError:
            found.append(None)
    return tuple(found)


EVERY = 2.0
"""Seconds between two looks at the queue while the app runs."""
_KEEPERS: dict[Path, threading.Thread] = {}
_KEEPERS_LOCK = threading.Lock()


def _keep_going() -> None:
    """See to it that somebody starts what waits, though no page is open and a training process died without a word.

    A read-only server leaves that to others.
    """
    if read_only():
        return
    folder = runs.root()
    with _KEEPERS_LOCK:
        if folder not in _KEEPERS or not _KEEPERS[folder].is_alive():
            _KEEPERS[folder] = threading.Thread(target=_keep, args=(folder,), daemon=True, name=f"queue of {folder}")
            _KEEPERS[folder].start()


def _keep(folder: Path) -> None:
    said = ""
    while folder == runs.root() and not read_only():
        try:
            jobs.advance(folder)
        except ValueError as error:
            if str(error) != said:
                logging.getLogger(__name__).warning("The queue does not go on: %s", error)
            said = str(error)
        time.sleep(EVERY)
