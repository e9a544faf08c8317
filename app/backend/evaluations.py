"""What evaluations found: the reports that runs keep, new ones in a process of their own, runs against a yardstick.

A report is about the last weights of a run: where it has been trained on since, it counts as not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.backend import errands, shell
from app.backend.errands import Errand
from app.backend.history import course
from app.backend.listing import Entry
from app.backend.models import mark
from app.backend.permission import reserved
from vae import doctor, runs, tables
from vae import report as reports
from vae.probes import published
from vae.report import Interpolation, Report

if TYPE_CHECKING:
    import pandas as pd

PRINTED_WHERE = published.WHERE
"""Where the paper's figures come from."""

REPORT_TABLE = reports.TABLE
"""The figures of a table for a paper, in order."""

SAMPLES = 100
"""K of an evaluation, unless asked for another."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A run with the report that it keeps of its test sentences."""

    name: str
    step: int
    """The step of the weights that were measured."""
    report: Report
    verdict: doctor.Verdict
    yardstick: bool
    """Whether its z is fixed to zero: a language model with the same decoder, which the others are held against."""


def evaluation(name: str) -> Evaluation | None:
    """What has been measured of a run as it is now; none where nothing has. A damaged report is a `ValueError`."""
    run = runs.find(name)
    found = _report(str(run.path), mark(run.reports_path / "test.json"), run.status.step)
    if found is None:
        return None
    judged, zero = doctor.diagnose(found.to_dict()), run.config.model.latent == "zero"
    return Evaluation(name=name, step=run.status.step, report=found, verdict=judged, yardstick=zero)


def measured(entries: Iterable[Entry]) -> list[str]:
    """Those of the runs that have been measured, bundled ones first."""
    return [entry.name for entry in sorted(entries, key=lambda entry: not entry.bundled) if _sound(entry)]


def has_report(name: str) -> bool:
    """Whether a run keeps a report at all: one of its present weights, of earlier ones, or a damaged one."""
    return (runs.find(name).reports_path / "test.json").is_file()


@reserved
def measure(name: str, samples: int) -> None:
    """Start measuring a run on its test sentences, unless that is on its way. Its words go to reports/evaluate.log."""
    run = runs.find(name)
    arguments = ["evaluate", str(run.path.resolve()), "--samples", str(samples)]
    try:
        errands.start(_key(name), arguments, run.reports_path / "evaluate.log")
    except OSError as error:
        raise ValueError(f"{name} could not be measured ({error.strerror}).") from error


def measuring(name: str) -> Errand | None:
    """How the measuring of a run is coming on, or why it failed; none if nobody has started it, or it is done."""
    return errands.state(_key(name))


@reserved
def stop_measuring(name: str) -> None:
    """End the measuring of a run."""
    errands.stop(_key(name))


@reserved
def probe(name: str, label: str = "") -> None:
    """Start probing a run on its test sentences, unless that is on its way; without a label, the first that fits."""
    run = runs.find(name)
    arguments = ["evaluate", str(run.path.resolve()), "--probes", *(["--label", label] if label else [])]
    try:
        errands.start(_key(name, "probes"), arguments, run.reports_path / "probes.log")
    except OSError as error:
        raise ValueError(f"{name} could not be probed ({error.strerror}).") from error


def probing(name: str) -> Errand | None:
    """How the probing of a run is coming on, or why it failed; none if nobody has started it, or it is done."""
    return errands.state(_key(name, "probes"))


@reserved
def stop_probing(name: str) -> None:
    """End the probing of a run."""
    errands.stop(_key(name, "probes"))


def probe_tables(probed: Iterable[Evaluation]) -> dict[str, list[str]]:
    """The figures of each table of probes, by its title; what no run has is left out."""
    known = {name for each in probed if each.report.probes for name in each.report.probes.figures}
    tables = {title: [name for name in names if name in known] for title, names in reports.PROBE_TABLES.items()}
    return {title: names for title, names in tables.items() if names}


def probe_rows(probed: Iterable[Evaluation], title: str) -> list[dict[str, Any]]:
    """The rows of a table of probes: runs, what their accuracies are held against, and the paper's as printed.

    A row has run, source, intervals, and the figures by name.
    """
    names = reports.PROBE_TABLES[title]
    rows = []
    for each in probed:
        if each.report.probes is None:
            continue
        figures = each.report.probes.figures
        kinds = {each.name: {name: name for name in names}}
        kinds |= {f"{each.name}, {control}": of for control, of in reports.CONTROLS.items() if of.keys() & set(names)}
        for kind, of in kinds.items():
            there = {name: figures[source] for name, source in of.items() if source in figures}
            intervals = {name: figure.interval for name, figure in there.items() if figure.interval}
            values = {name: figure.value for name, figure in there.items()}
            rows.append({"run": kind, "source": "measured", "intervals": intervals, **values})
    printed = (
        {"run": method, "source": published.SOURCE, "intervals": {}, **{n: v for n, v in values.items() if n in names}}
        for method, values in published.PRINTED.items()
    )
    return rows + [row for row in printed if row.keys() & set(names)]


def probe_paths(probed: Iterable[Evaluation]) -> list[dict[str, Interpolation]]:
    """The interpolations that runs keep, each with what every run that has it writes on it, by name."""
    shared: dict[Any, dict[str, Interpolation]] = {}
    for each in probed:
        for path in each.report.probes.interpolations if each.report.probes else []:
            shared.setdefault((path.inputs is not None, path.inputs, path.seeds, len(path.texts)), {})[each.name] = path
    return [shared[key] for key in sorted(shared, key=lambda key: key[0])]


def probe_command(probed: Iterable[Evaluation]) -> str:
    """The line that probes the same runs from a terminal."""
    words = [str(shell.shown(runs.find(each.name).path)) for each in probed]
    return shell.line(["python", "-m", "vae", "evaluate", *words, "--probes"])


def report_rows(found: Iterable[Evaluation]) -> list[dict[str, Any]]:
    """A row a run, as `python -m vae evaluate` writes it: run, split, every figure of the report, verdict."""
    return [
        {"run": each.name, "split": "test", **each.report.to_dict(), "verdict": each.verdict.name} for each in found
    ]


def report_symbol(name: str, samples: int | None) -> str:
    """The symbol of a figure; the K of NLL_K is said where it is one for all."""
    return tables.symbol(name, samples)


def evaluate_command(found: Sequence[Evaluation]) -> str:
    """The line that measures the same runs from a terminal and prints them as CSV."""
    words = [str(shell.shown(runs.find(each.name).path)) for each in found]
    samples = {each.report.samples for each in found}
    extra = ["--samples", str(max(samples))] if samples != {SAMPLES} else []
    return shell.line(["python", "-m", "vae", "evaluate", *words, *extra, "--csv"])


def report_sentences(name: str) -> pd.DataFrame:
    """The sentences that a run was measured on, a row each, as `Report.per_sentence`. Shared: not to be changed."""
    run = runs.find(name)
    return _sentences(str(run.path), mark(run.reports_path / "test.parquet"))


@dataclass(frozen=True, kw_only=True)
class Gap:
    """What a sentence costs more in one run than in the yardstick, in nats of NLL_K, with its 95 % interval."""

    run: str
    yardstick: str
    nats: float
    low: float
    high: float


def gap(one: Evaluation, yardsticks: Iterable[Evaluation]) -> Gap | None:
    """A run against the first yardstick that was measured on the same sentences, paired; none if there is none."""
    own = report_sentences(one.name)
    for other in yardsticks:
        try:
            nats, low, high = reports.difference(own, report_sentences(other.name), "nll_nats")
        except ValueError:  # other sentences
            continue
        return Gap(run=one.name, yardstick=other.name, nats=nats, low=low, high=high)
    return None


def trajectory(name: str) -> pd.DataFrame:
    """Where a run was at each check of its finetuning: step, phase, kl_nats, rec_nats; of very many checks a part."""
    import pandas as pd

    known = course(name)
    steps = known.valid["last"]
    phases = [
        max(1, known.phase_at(step)) for step in steps
    ]  # where phase 0 ends, phase 1 is checked for the first time
    figures = {figure: known.valid["figures"].get(figure, {}).get("last") for figure in ("kl_nats", "rec_nats")}
    return pd.DataFrame({"step": steps, "phase": phases, **figures}).dropna()


def _key(name: str, kind: str = "evaluate") -> tuple[str, str]:
    return kind, str(runs.find(name).path.resolve())


def _sound(entry: Entry) -> bool:
    try:
        return not entry.problem and evaluation(entry.name) is not None
    except ValueError:
        return False


@st.cache_resource(max_entries=64, show_spinner=False)
def _report(path: str, mark: tuple[int, int], step: int) -> Report | None:
    return reports.load(runs.Run(path))


@st.cache_resource(max_entries=16, show_spinner=False)
def _sentences(path: str, mark: tuple[int, int]) -> pd.DataFrame:
    return reports.load_sentences(runs.Run(path))
