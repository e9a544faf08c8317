"""Commands about several runs: sweep, compare, note."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from vae import doctor, jobs, recipes, sweeps, tables
from vae.cli.shared import Answer, last_figures, next_in_line, number, run_named, say
from vae.runs import Run
from vae.sweeps import FIGURES, Axis, Plan

SYNTAX = """an axis is a setting with its values: --over model.pooling=max,mean
  several settings that take each value together are joined by +:
      --over phase1.token_deletion+phase2.token_deletion=0,0.15
  so are the parts of one value, where a setting lists parts; none lists none:
      --over phase1.frozen=embeddings+projection+decoder+head,none
  a value with a comma in it stands in double quotes"""


def sweep(options: argparse.Namespace) -> Answer:
    """Train a configuration with some settings varied, or read such a sweep as one table."""
    if options.csv and options.latex:
        raise ValueError("--csv and --latex are two forms of the table: choose one.")
    if not any((options.recipe, options.like, options.preset, options.over, options.set, options.dry_run)):
        return _read(options) if options.name else _listed()
    if options.csv or options.latex:
        raise ValueError("--csv and --latex are for reading: give the name of the sweep alone.")
    plan = _planned(options)
    for label, sentence in plan.refused.items():
        say(f"Left out {label}: {sentence}")
    document: dict[str, Any] = {"sweep": plan.stem, "over": [str(axis) for axis in plan.axes]}
    document["runs"] = [{"run": member.name, "label": member.label, **member.values} for member in plan.members]
    document["refused"] = [{"label": label, "reason": reason} for label, reason in plan.refused.items()]
    head = ["run", *(sweeps.heading(axis.name) for axis in plan.axes)]
    table = tables.aligned(
        [head, *([member.name, *map(sweeps.shown, member.values.values())] for member in plan.members)]
    )
    said = [table, plan.common()]
    if options.dry_run:
        said.append(f"{len(plan.members)} runs; nothing has been started.")
        return Answer(document, "\n".join(said))
    sweeps.launch(plan)
    said.append(f"{len(plan.members)} runs are in the queue. Read them with: python -m vae sweep {plan.stem}")
    return Answer(document, "\n".join(said))


def _planned(options: argparse.Namespace) -> Plan:
    """The plan of a new sweep."""
    starts = [start for start in (options.recipe, options.like, options.preset) if start]
    if len(starts) > 1:
        raise ValueError("--recipe, --like and --preset each give a configuration to start from: choose one.")
    axes: Sequence[Axis] = ()
    if options.preset:
        base, axes = sweeps.preset(options.preset)
        stem = options.preset
    elif options.like:
        like = run_named(options.like)
        base, stem = like.config, f"{like.name}-sweep"
    else:
        base = recipes.get(options.recipe or "two-phase")
        stem = f"{base.recipe}-sweep"
    axes = sweeps.with_axes(axes, map(Axis.read, options.over))
    return sweeps.expand(options.name or stem, base.with_settings(options.set), axes)


def _listed() -> Answer:
    """The sweeps there are."""
    found = {name: sweeps.members(name) for name in sweeps.names()}
    rows = [[name, f"{len(each)} runs", ", ".join(_axes(each))] for name, each in found.items()]
    document = [
        {"sweep": name, "runs": [run.name for run in each], "over": list(each[0].notes.over)}
        for name, each in found.items()
    ]
    words = tables.aligned(rows) if rows else "There is no sweep yet: make one with python -m vae sweep NAME --over ..."
    return Answer(document, words)


def _axes(found: Sequence[Run]) -> list[str]:
    return [sweeps.heading(axis.name) for axis in sweeps.axes_of(found[0].notes)]


def _read(options: argparse.Namespace) -> Answer:
    """A sweep as one table."""
    next_in_line()
    found = sweeps.members(options.name)
    axes = sweeps.axes_of(found[0].notes)
    rows = [sweeps.row(run.name, run.config, axes, jobs.reconcile(run).state, last_figures(run)) for run in found]
    varied = [axis.name for axis in axes]
    document = {"sweep": options.name, "over": list(found[0].notes.over), "runs": rows}
    return _table(rows, ["run", *varied], document, options)


def compare(options: argparse.Namespace) -> Answer:
    """Say what differs between runs: in their configurations, and in their newest figures."""
    found = {run.name: run for run in map(run_named, options.run)}
    if len(found) < 2:
        raise ValueError("There is nothing to compare: name two runs or more.")
    gaps = sweeps.differences({name: run.config for name, run in found.items()})
    rows = []
    for name, run in found.items():
        known = last_figures(run)
        rows.append(
            {"run": name}
            | {setting: values[name] for setting, values in gaps.items()}
            | {"state": jobs.reconcile(run).state}
            | {figure: known.get(figure) for figure in FIGURES}
            | {"verdict": doctor.diagnose(known).name if known else ""}
        )
    document = {"runs": list(found), "differences": gaps, "rows": rows}
    if options.csv or options.latex:
        return _table(rows, ["run", *gaps], document, options)
    head = ["", *found]
    same = ["Their configurations are the same."]
    words = (
        [tables.aligned([head, *([setting, *map(sweeps.shown, values.values())] for setting, values in gaps.items())])]
        if gaps
        else same
    )
    figures = [[_symbol(figure), *(number(row[figure]) for row in rows)] for figure in FIGURES]
    figures.append(["verdict", *(str(row["verdict"]) for row in rows)])
    words.append(tables.aligned([head, *figures], right=range(1, len(head))))
    return Answer(document, "\n\n".join(words))


def note(options: argparse.Namespace) -> Answer:
    """Tag a run or write a note about it; without either, read them."""
    run = run_named(options.run)
    notes = run.notes
    changed = notes.tagged(options.tag, options.untag)
    if options.text is not None:
        changed = replace(changed, text=options.text.strip())
    if changed != notes:
        run.write_notes(changed)
    words = [f"{run.name}: {', '.join(changed.tags) or 'no tags'}.", changed.text]
    if changed.sweep:
        words.append(f"Of the sweep {changed.sweep}.")
    return Answer({"run": str(run.path), **asdict(changed)}, "\n".join(filter(None, words)))


def _table(
    rows: Sequence[Mapping[str, Any]], first: Sequence[str], document: Any, options: argparse.Namespace
) -> Answer:
    """Rows in the form asked for: the columns that come first, and what was varied among them, then the figures."""
    if options.csv:
        return Answer(None, tables.comma_separated(rows).rstrip())
    columns = [*first, "state", *FIGURES, "verdict"]
    if options.latex:
        named = [{sweeps.heading(name): _cell(row[name]) for name in columns} for row in rows]
        return Answer(None, tables.latex(named, [sweeps.heading(name) for name in columns]).rstrip())
    head = [_symbol(name) if name in FIGURES else sweeps.heading(name) for name in columns]
    shown = [[number(row[name]) if name in FIGURES else str(_cell(row[name])) for name in columns] for row in rows]
    return Answer(document, tables.aligned([head, *shown], right=[columns.index(name) for name in FIGURES]))


def _cell(value: Any) -> Any:
    return sweeps.shown(value) if isinstance(value, str) else value


def _symbol(figure: str) -> str:
    return tables.symbol(figure).translate(tables.ASCII)
