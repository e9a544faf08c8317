"""Commands that list: runs, the queue of those that wait, recipes."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from vae import doctor, jobs, recipes, runs, tables
from vae.cli.shared import Answer, columns, last_figures, next_in_line, number, run_named
from vae.runs import Run


def list_runs(_: argparse.Namespace) -> Answer:
    """List the runs, newest first."""
    next_in_line()
    listed = [_summary(run) for run in runs.list_runs()]
    if not listed:
        return Answer([], f"There are no runs in {runs.root()} yet: make one with python -m vae train.")
    header = ["name", "recipe", "state", "step", "KL", "MI", "delta NLL", "verdict"]
    rows = [
        [
            *(run["name"], run["recipe"], run["state"], f"{run['step']}/{run['total_steps']}"),
            *(number(run[name]) for name in ("kl_nats", "mi_nats", "delta_nll_nats")),
            run["verdict"] or "",
        ]
        for run in listed
    ]
    damaged = [f"{run['name']}: {run['message']}" for run in listed if run["state"] == "damaged"]
    return Answer(listed, "\n".join([tables.aligned([header, *rows], right=(3, 4, 5, 6)), *damaged]))


def _summary(run: Run) -> dict[str, Any]:
    """What a list says about a run; one that is damaged does not keep the others from being listed."""
    known, figures = _standing(run), {}
    try:
        figures = {} if known["state"] == "damaged" else last_figures(run)
    except (ValueError, OSError) as error:
        known |= {"state": "damaged", "message": str(error)}
    known |= {name: figures.get(name) for name in ("kl_nats", "mi_nats", "delta_nll_nats")}
    return known | {"verdict": doctor.diagnose(figures).name if figures else None}


def _standing(run: Run) -> dict[str, Any]:
    """What is true of a run, without its figures."""
    known: dict[str, Any] = {"name": run.name, "path": str(run.path), "recipe": "", "state": "damaged"}
    known |= {"phase": 0, "step": 0, "total_steps": 0, "message": ""}
    try:
        known["recipe"] = run.config.recipe
        status = jobs.reconcile(run)
        known |= {name: getattr(status, name) for name in ("state", "phase", "step", "total_steps", "message")}
    except (ValueError, OSError) as error:
        known["message"] = str(error)
    return known


def queue(options: argparse.Namespace) -> Answer:
    """List the runs that train and those that wait, or change their order or how many train at once."""
    if (options.move is None) != (options.to is None):
        raise ValueError("--move and --to go together: name the run, and the place that it is to have.")
    if options.move:
        jobs.move(run_named(options.move), options.to)
    if options.at_once is not None or options.paused is not None:
        jobs.set_queue(at_once=options.at_once, paused=options.paused)
    next_in_line()
    found, statuses = jobs.queue(), {}
    for name in (run.name for run in runs.list_runs()):
        known = _standing(runs.find(name))
        if known["state"] in runs.ACTIVE:
            statuses[name] = {key: known[key] for key in ("name", "recipe", "state", "step", "total_steps", "message")}
    waiting = [statuses[name] | {"place": found.place(name)} for name in found.waiting if name in statuses]
    training = [known for name, known in statuses.items() if name not in found.waiting]
    rows = [["-", run["name"], run["state"], f"{run['step']}/{run['total_steps']}"] for run in training]
    rows += [[str(run["place"]), run["name"], "waits", run["message"]] for run in waiting]
    words = f"{found.at_once} at once" + (", paused" if found.paused else "") + "."
    table = (
        [tables.aligned([["place", "name", "state", ""], *rows], right=(0,))] if rows else ["Nothing trains or waits."]
    )
    document = {"at_once": found.at_once, "paused": found.paused, "training": training, "waiting": waiting}
    return Answer(document, "\n".join([*table, words]))


def list_recipes(_: argparse.Namespace) -> Answer:
    """List the recipes."""
    described = {name: recipes.describe(name) for name in recipes.RECIPES}
    document = [
        {"name": name, "description": text, "config": recipes.get(name).to_dict()} for name, text in described.items()
    ]
    width = max(map(len, described)) + 2
    wrapper = textwrap.TextWrapper(width=columns(), subsequent_indent=" " * width)
    return Answer(document, "\n".join(wrapper.fill(f"{name:<{width}}{text}") for name, text in described.items()))
