"""Commands that judge: evaluate, doctor."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae import doctor, report, tables
from vae.cli.shared import Answer, corpus_of, figures_table, last_figures, opened, run_named, say, work_quietly

if TYPE_CHECKING:
    from vae.report import Report


def evaluate(options: argparse.Namespace) -> Answer:
    """Measure models on held-out sentences; a run keeps its report."""
    work_quietly()
    yardstick = _measured(options.against, options) if options.against else None
    found = {name: _measured(name, options) for name in options.run}
    rows = [{"run": Path(name).name, "split": options.split, **each.to_dict()} for name, each in found.items()]
    words = []
    for row, each in zip(rows, found.values(), strict=True):
        row["verdict"] = doctor.diagnose(row).name
        if yardstick:
            row["against"] = _against(each, yardstick, options.against)
            words += [f"{row['run']} against {row['against']['run']}: {_gap(row['against'])}"]
    words += [f"{row['run']}: {doctor.diagnose(row).headline}" for row in rows]
    if options.csv:
        return Answer(None, tables.comma_separated(rows).rstrip())
    if options.latex:
        return Answer(None, tables.latex(rows, ("run", *report.TABLE)).rstrip())
    table = figures_table({row["run"]: row for row in rows})
    return Answer(rows[0] if len(rows) == 1 else rows, "\n".join([table, *words]))


def _measured(name: str, options: argparse.Namespace) -> Report:
    """The report of a model on the split of the corpus asked for, or else of its own; a run keeps the latter."""
    from vae import evaluate

    space, run = opened(name)
    step = run.status.step if run else 0
    data = getattr(corpus_of(run, options.data), options.split)
    objective = run.config.phase2 if run else None
    with progress(f"{Path(name).name}, {len(data):,} sentences", len(data)) as watch:
        found = evaluate.evaluate(
            space, data, samples=options.samples, seed=options.seed, objective=objective, watch=watch
        )
    if run and options.data is None:
        try:
            report.save(run, options.split, step, found)
        except OSError as error:
            say(f"Note: the report could not be kept in {run.path} ({error.strerror}).")
    return found


def _against(found: Report, yardstick: Report, name: str) -> dict[str, Any]:
    """What a sentence costs more than under another model, paired by sentence."""
    if found.per_sentence is None or yardstick.per_sentence is None:
        raise ValueError("A report without its sentences cannot be compared: evaluate both models.")
    gaps: dict[str, Any] = {"run": Path(name).name}
    for figure in ("nll_nats", "neg_elbo_nats"):
        mean, low, high = report.difference(found.per_sentence, yardstick.per_sentence, figure)
        gaps[figure] = {"difference": mean, "interval": [low, high]}
    return gaps


def _gap(gaps: Mapping[str, Any]) -> str:
    mean, (low, high) = gaps["nll_nats"]["difference"], gaps["nll_nats"]["interval"]
    how = "less" if mean < 0 else "more"
    return f"a sentence costs {abs(mean):.2f} nats {how} (NLL, paired, 95 %: {low:+.2f} to {high:+.2f})."


@contextlib.contextmanager
def progress(title: str, sentences: int) -> Iterator[Callable[[int, int], None]]:
    """Who shows how many passes over the sentences are done: a bar on a terminal, elsewhere a line now and then."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(desc=title, unit=" sentences", dynamic_ncols=True, unit_scale=True) as bar:

            def draw(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield draw
        return
    said = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said > 1:
            said = time.monotonic()
            say(f"{title}: {done // sentences} of {total // sentences} passes")

    yield tell


def diagnose(options: argparse.Namespace) -> Answer:
    """Say in words what the figures of a run mean."""
    run = run_named(options.run)
    if options.evaluate:
        work_quietly()
        figures = _measured(options.run, options).to_dict()
    else:
        kept = report.load(run, options.split)
        figures = kept.to_dict() if kept else last_figures(run)
    verdict = doctor.diagnose(figures)
    evidence = [f"  - {sentence}" for sentence in verdict.evidence]
    advice = [f"  - {sentence}" for sentence in verdict.advice]
    words = [verdict.headline, "Evidence:" * bool(evidence), *evidence, "What to try:" * bool(advice), *advice]
    document = {"run": str(run.path), **asdict(verdict), "figures": figures}
    return Answer(document, "\n".join(filter(None, words)))
