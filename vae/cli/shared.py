"""What several commands need: runs by name, models, corpora, figures as a table, and how to work beside others."""

from __future__ import annotations

import os
import re
import reprlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae import jobs, machine, report, runs, tables
from vae.config import Data, suggestion
from vae.glossary import METRICS
from vae.runs import Run

if TYPE_CHECKING:
    from vae.corpora import Corpus
    from vae.space import Space


THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the libraries under torch and numpy read, once, when they are loaded."""


HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


FIGURES = (
    *report.TABLE,
    *("kl_charged_nats", "marginal_kl_least_nats", "mi_upper_nats", "mi_ceiling_nats", "delta_prior_nats"),
    *("delta_zero_nats", "ppl_token", "effective_sample_size", "unknown_share", "batch_leak_nats"),
)
"""The figures that a terminal shows, in order."""


@dataclass(frozen=True)
class Answer:
    """What a command has to say: a document for --json (None says nothing), and words."""

    document: Any
    words: str


def run_named(text: str) -> Run:
    """The run at a path, or of a bare name under `runs.root()`."""
    run = Run(Path(text).expanduser())
    if run.exists:
        return run
    if Path(text).name != text:
        raise ValueError(f"There is no run at {text}: check the path.")
    known = {found.name: found for found in runs.list_runs()}
    if text not in known:
        raise ValueError(
            f"There is no run {text!r} here or in {runs.root()}: `python -m vae runs` lists them."
            + suggestion(text, known)
        )
    return known[text]


def opened(text: str, snapshot: int | None = None) -> tuple[Space, Run | None]:
    """The model of a run (of a snapshot of it, if asked for), of a folder or of a Hub id, and the run if it is one."""
    import vae

    folder = Path(text).expanduser()
    if not Run(folder).exists and (folder.is_dir() or HUB_ID.fullmatch(text)):
        return vae.load(folder if folder.is_dir() else text, snapshot), None
    run = run_named(text)
    return vae.load(run.path, snapshot), run


def corpus_of(run: Run | None, spec: str | None, text_column: str | None = None) -> Corpus:
    """The corpus that is named, with its sentences in the column named; else the one that the run keeps or had."""
    from vae import corpora

    data = run.config.data if run else Data()
    if spec is not None:
        return corpora.load(spec, seed=data.seed, text_column=text_column or data.text_column)
    if text_column is not None:
        raise ValueError("--text-column is of --data: name a corpus, or leave it out.")
    if run and (run.corpus_path / "corpus.json").is_file():
        return corpora.Corpus.open(run.corpus_path)
    sizes = {f"{split}_sentences": getattr(data, f"{split}_sentences") for split in ("train", "valid", "test")}
    return corpora.load(data.corpus, seed=data.seed, text_column=data.text_column, **sizes)


def last_figures(run: Run) -> dict[str, Any]:
    """The last validation event of finetuning; empty before there is one. A mangled figure is a `ValueError`."""
    events = [event for event in run.metrics() if event.get("split") == "valid" and "kl_nats" in event]
    figures = events[-1] if events else {}
    for name, value in figures.items():
        if name in METRICS and not _is_figure(value):
            raise ValueError(
                f"{run.metrics_path} is damaged: at step {figures.get('step')} its {name} is {reprlib.repr(value)}, "
                "which is no figure: delete that line."
            )
    return figures


def _is_figure(value: Any) -> bool:
    """Whether a value is a number that can be reckoned with, or None."""
    if isinstance(value, int):
        return abs(value) <= sys.float_info.max and not isinstance(value, bool)
    return value is None or isinstance(value, float)


def work_quietly(threads: int = 0) -> None:
    """For minutes of work: low priority, and the trainer's threads or those that the user names."""
    budget = machine.trainer_threads()
    machine.lower_priority()
    for variable in THREAD_VARIABLES:
        if threads:
            os.environ[variable] = str(threads)
        else:
            os.environ.setdefault(variable, str(budget))


def work_briefly() -> None:
    """For a moment's work: the threads of the app, which training beside it leaves free."""
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(machine.app_threads()))


def next_in_line(folder: Path | None = None) -> None:
    """Start the runs whose turn it is. That one cannot be started must not keep anybody from what they asked for."""
    try:
        jobs.advance(folder)
    except ValueError as error:
        say(f"Note: the queue does not go on: {error}")


def say(sentence: str) -> None:
    """A sentence on standard error, at once."""
    print(sentence, file=sys.stderr, flush=True)


def figures_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of one model with their intervals, or of several side by side."""
    several, known = len(found) > 1, list(found.values())
    rows = [["", *found, "", ""]] if several else []
    for name in FIGURES:
        if all(figures.get(name) is None for figures in known):
            continue
        metric = METRICS[name]
        symbol = tables.symbol(name, known[0].get("samples")).translate(tables.ASCII)
        numbers = [number(figures.get(name)) for figures in known]
        low, high = known[0].get("intervals", {}).get(name, (None, None))
        interval = [] if several else ["" if low is None else f"{number(low)} to {number(high)}"]
        rows.append([symbol, *numbers, *interval, metric.unit, metric.title])
    if any("sentences" in figures for figures in known):
        counts = [number(figures.get("sentences")) for figures in known]
        rows.append(["N", *counts, *([] if several else [""]), "", "Sentences judged"])
    return tables.aligned(rows, right=range(1, len(known) + 1))


def number(value: float | None) -> str:
    """A figure as a terminal shows it."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{round(value, 2) + 0.0:.2f}" if abs(value) < 1000 else f"{value:.3g}"  # + 0.0: no minus before nothing


def columns() -> int:
    """Columns to write help in: those of the terminal, up to 100."""
    return min(100, max(40, os.get_terminal_size(sys.stderr.fileno()).columns)) if sys.stderr.isatty() else 100
