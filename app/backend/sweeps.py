"""Runs beside each other: their tags and notes, what differs between them, and sweeps, planned, launched and read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.backend import form, listing, shell
from app.backend.history import course, figures
from app.backend.permission import reserved
from vae import runs, sweeps
from vae.config import Config
from vae.runs import Notes
from vae.sweeps import Axis, Plan

if TYPE_CHECKING:
    import pandas as pd

PRESETS = tuple(sweeps.PRESETS)
"""Studies of the paper, by name."""

_NOTES: dict[str, tuple[Any, Notes]] = {}
"""By the path of a run: how the files of its notes were, and what they held."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A launched sweep: its runs as rows, in the order of its axes' values."""

    name: str
    axes: tuple[Axis, ...]
    rows: tuple[dict[str, Any], ...]
    """As `vae.sweeps.row`: run, label, the value on each axis, state, newest figures, verdict."""
    start: Config
    """The configuration of its first run."""

    @property
    def labels(self) -> dict[str, str]:
        """The label of each run by its name, as in the figures of the paper."""
        return {row["run"]: row["label"] for row in self.rows}

    @property
    def active(self) -> bool:
        """Whether one of its runs trains or waits."""
        return any(row["state"] in runs.ACTIVE for row in self.rows)


def noted_table() -> pd.DataFrame:
    """The table of runs with `tags` (a list), `note` and `sweep`, empty where nobody has said anything."""
    table = listing.table()
    found = [notes(name) for name in table["run"]] if len(table) else []
    return table.assign(
        tags=[list(each.tags) for each in found],
        note=[each.text for each in found],
        sweep=[each.sweep for each in found],
    )


def notes(name: str) -> Notes:
    """What people say about a run. Damaged notes are said to be, in place of the note."""
    run = runs.Run(runs.root() / name)
    seen = tuple(map(_mark, (run.path / "notes.json", runs.root() / "notes" / f"{name}.json")))
    known = _NOTES.get(str(run.path))
    if known is None or known[0] != seen:
        try:
            found = run.notes if any(seen) else Notes()
        except ValueError as error:
            found = Notes(text=str(error))
        known = _NOTES[str(run.path)] = (seen, found)
    return known[1]


@reserved
def annotate(names: Iterable[str], add: Iterable[str], remove: Iterable[str], text: str | None = None) -> None:
    """Add tags to runs and take others away; a text replaces their note. What cannot be is a `ValueError`."""
    for run in map(runs.find, names):
        changed = run.notes.tagged(add, remove)
        run.write_notes(changed if text is None else replace(changed, text=text.strip()))


def differences(names: Iterable[str]) -> list[dict[str, str]]:
    """A row a setting that differs: `setting` in words, `name` in the files, what it is (`help`), a column a run."""
    configs = {name: listing.config(name) for name in names}
    return [
        {"setting": sweeps.heading(setting), "name": setting, "help": setting_help(setting)}
        | {name: sweeps.shown(value) for name, value in values.items()}
        for setting, values in sweeps.differences(configs).items()
    ]


def setting_help(setting: str) -> str:
    """The sentence that explains a setting, of several together the first."""
    section, _, field = setting.partition("+")[0].partition(".")
    return form.knobs(section)[field].help if field else "The configuration that the run started from."


def setting_values(setting: str) -> str:
    """What values a setting can have, in a few words."""
    section, _, field = setting.partition("+")[0].partition(".")
    knob = form.knobs(section)[field]
    if knob.kind == "parts":
        return "parts joined by +, or none"
    if knob.choices:
        return ", ".join(knob.choices)
    if knob.kind == "text":
        return "text"
    low, high = f"{knob.low:g}", f"{knob.high:g}"
    return f"at least {low}" if high == "inf" else f"{low} to {high}"


def setting_names() -> list[str]:
    """What can be varied: every setting, and what both phases have in common taken together."""
    both = [f"phase1.{name}+phase2.{name}" for name in form.knobs("phase1") if name != "epochs"]
    return [*sweeps.settings(), *both]


def axis_heading(name: str) -> str:
    """The name of an axis or a setting in words."""
    return sweeps.heading(name)


def axis_value(value: str) -> str:
    """A value on an axis as people read it."""
    return sweeps.shown(value)


def axis(name: str, values: str) -> Axis:
    """An axis from the name of its setting and its values as typed; what does not fit is a `ValueError`."""
    return Axis.read(f"{name}={values}")


def preset(name: str) -> tuple[Config, tuple[Axis, ...]]:
    """A study of the paper: the configuration that is varied, and its axes."""
    return sweeps.preset(name)


def preset_about(name: str) -> str:
    """What a study is, in a sentence or two."""
    return " ".join((sweeps.PRESETS[name].__doc__ or "").split())


def plan(stem: str, base: Config, axes: Sequence[Axis], settings: str = "") -> Plan:
    """The runs of a new sweep; `settings` of all of them as on the command line. What cannot be is a `ValueError`."""
    planned = sweeps.expand(stem.strip(), base.with_settings(settings.split()), axes)
    sweeps.check_free(planned)
    return planned


def sweep_name(stem: str) -> str:
    """A name for a new sweep that neither a run nor a sweep has."""
    taken, number, name = set(sweep_names()), 1, stem
    while name in taken or (runs.root() / name).exists():
        number += 1
        name = f"{stem}-{number}"
    return name


def sweep_cost(planned: Plan, sentences: int | None) -> form.Estimate:
    """How long all runs of a plan will take, one after the other."""
    total, measured_on = 0.0, ()
    known: dict[Any, form.Estimate] = {}
    for member in planned.members:
        config = member.config
        key = (config.model.base, config.data.max_tokens, config.train.batch_size)
        key += (config.pretrain, config.phase1.epochs, config.phase2.epochs)
        if key not in known:
            known[key] = form.estimate(config, config.data.train_sentences or sentences)
        if known[key].seconds is None:
            return form.Estimate(seconds=None)
        total, measured_on = total + known[key].seconds, measured_on or known[key].measured_on
    return form.Estimate(seconds=total, measured_on=measured_on)


@reserved
def launch_sweep(planned: Plan) -> list[str]:
    """Put all runs of a plan into the queue; their names come back."""
    return [run.name for run in sweeps.launch(planned)]


def sweep_command(stem: str, start: Config, axes: Sequence[Axis]) -> str:
    """The line that launches the same sweep from a terminal."""
    return shell.line(["python", "-m", "vae", *sweeps.command(stem, start, axes)])


def read_command(name: str) -> str:
    """The line that prints a sweep as a table in a terminal."""
    return shell.line(["python", "-m", "vae", "sweep", name, "--csv"])


def compare_command(names: Sequence[str]) -> str:
    """The line that compares the same runs in a terminal."""
    words = [str(shell.shown(runs.root() / name)) for name in names]
    return shell.line(["python", "-m", "vae", "compare", *words])


def sweep_names() -> list[str]:
    """The sweeps there are, the one with the newest run first."""
    found = (notes(run.name).sweep for run in runs.list_runs())
    return list(dict.fromkeys(filter(None, found)))


def sweep(name: str) -> Sweep:
    """A launched sweep as it is now; one that there is not is a `ValueError`."""
    found = {run: notes(run.name) for run in runs.list_runs()}
    members = sweeps.ordered({run: noted for run, noted in found.items() if noted.sweep == name})
    if not members:
        raise ValueError(f"There is no sweep {name!r} here: its runs have been deleted.")
    axes = sweeps.axes_of(found[members[0]])
    rows = [sweeps.row(run.name, run.config, axes, listing.entry(run.name).state, figures(run.name)) for run in members]
    return Sweep(name=name, axes=axes, rows=tuple(rows), start=members[0].config)


def held_out(names: Iterable[str], wanted: Sequence[str]) -> pd.DataFrame:
    """Figures at the checks of runs: run, step, phase, and the figures wanted; of very many checks a part."""
    import pandas as pd

    frames = []
    for name in names:
        known = course(name)
        steps = known.valid["last"]
        columns = {figure: known.valid["figures"].get(figure, {}).get("last") for figure in wanted}
        phases = [known.phase_at(step) for step in steps]
        frames.append(pd.DataFrame({"run": name, "step": steps, "phase": phases, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["run", "step", "phase", *wanted])


def phase_ends(names: Iterable[str]) -> list[int]:
    """The steps at which a phase ends before another begins, if all runs that are so far share that step."""
    known = [course(name).phases for name in names]
    boundaries = {(phase, end) for phases in known for phase, _, end in phases[:-1]}
    return sorted(
        end
        for phase, end in boundaries
        if all(
            (phase, end) in {(own, last) for own, _, last in phases[:-1]} or phases[-1][0] == phase for phases in known
        )
    )


def _mark(path: Any) -> tuple[int, int] | None:
    try:
        at = os.stat(path)  # noqa: PTH116  # a thousand times over
    except OSError:
        return None
    return at.st_mtime_ns, at.st_size
