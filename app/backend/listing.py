"""The runs that there are; the table of them, and the colour of each."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app import palette
from app.backend.history import figures, verdict
from vae import config as vae_config
from vae import jobs, recipes, runs
from vae.config import Config
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
    has_model: bool = False
    problem: str = ""

    @property
    def active(self) -> bool:
        """Whether a process owns the run, or is about to."""
        return self.state in runs.ACTIVE


def entries() -> list[Entry]:
    """Every run there is, a damaged one too, with its problem: one's own newest first, then those that came along.

    The bundled ones stand in the order of their recipes: when they were written, a checkout forgets.
    """
    order = list(recipes.RECIPES)

    def place(entry: Entry) -> int:
        return 1 + order.index(entry.recipe) if entry.bundled and entry.recipe in order else 0

    return sorted(map(_entry, runs.list_runs()), key=place)


def entry(name: str) -> Entry:
    """One run by its name."""
    return _entry(runs.find(name))


def config(name: str) -> Config:
    """The configuration of a run."""
    return runs.find(name).config


def table() -> pd.DataFrame:
    """A row a run that can be read: name, state, recipe, latent_size, verdict and its newest figures."""
    import pandas as pd

    rows = []
    for entry in entries():
        if not entry.problem:
            judged = verdict(entry.name)
            known = {"run": entry.name, "state": entry.state, "verdict": judged.name if judged else ""}
            known |= {"recipe": entry.recipe, "latent_size": entry.latent_size}
            rows.append(known | {k: v for k, v in figures(entry.name).items() if not isinstance(v, list | dict)})
    return pd.DataFrame(rows)


def showcase(names: Sequence[str]) -> str | None:
    """The run to open where nobody has chosen: the first healthy one."""
    return next((name for name in names if not name.startswith("~") and _is_healthy(name)), None)


def colours(names: Iterable[str] = ()) -> dict[str, str]:
    """The colour of every run, by name: kept beside the runs, so that a run looks the same everywhere and tomorrow."""
    listed = [run.name for run in reversed(runs.list_runs())]
    wanted = [*listed, *(name for name in names if name not in listed)]
    path = runs.root() / "colours.json"
    with _COLOURS_LOCK:
        kept = _kept_colours(path)
        allotted = palette.allot(wanted, kept)
        if allotted != kept and listed:
            with contextlib.suppress(OSError):  # a read-only folder: colours then follow the list of runs
                runs.write_json(path, allotted)
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


def _entry(run: runs.Run) -> Entry:
    try:
        runs.valid_name(run.name)
        status, settings = run.status, run.config
        if status.state in runs.ACTIVE:
            status = jobs.reconcile(run)
    except ValueError as error:
        return Entry(name=run.name, state="damaged", status=Status(), problem=str(error))
    return Entry(
        name=run.name,
        state=status.state,
        status=status,
        recipe=settings.recipe,
        latent_size=settings.model.latent_size,
        bundled=run.bundled,
        has_model=(run.model_path / "config.json").is_file(),
    )
