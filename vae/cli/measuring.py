"""Commands that judge: evaluate, doctor."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vae import doctor, report, runs, tables
from vae.cli.shared import Answer, corpus_of, figures_table, last_figures, opened, run_named, say, work_quietly
from vae.glossary import METRICS, Metric
from vae.runs import Run

if TYPE_CHECKING:
    from vae.report import Report


class Judged(NamedTuple):
    """A report, and of what."""

    report: Report
    split: str
    """Or "all": every sentence of --data."""
    note: str
    """What was judged, in words, where --data names it."""


def evaluate(options: argparse.Namespace) -> Answer:
    """Measure models on held-out sentences; a run keeps its report."""
    if options.probes:
        return _probe(options)
    if options.label is not None or options.seeds is not None:
        raise ValueError("--label and --seeds belong to --probes: give that, too.")
    work_quietly()
    yardstick = _measured(options.against, options) if options.against else None
    found = {name: _measured(name, options) for name in options.run}
    rows = [{"run": Path(name).name, "split": of.split, **of.report.to_dict()} for name, of in found.items()]
    words = list(dict.fromkeys(of.note for of in found.values() if of.note))
    for row, each in zip(rows, found.values(), strict=True):
        row["verdict"] = doctor.diagnose(row).name
        if yardstick:
            row["against"] = _against(each.report, yardstick.report, options.against)
            words += [f"{row['run']} against {row['against']['run']}: {_gap(row['against'])}"]
    words += [f"{row['run']}: {doctor.diagnose(row).headline}" for row in rows]
    if options.csv:
        return Answer(None, tables.comma_separated(rows).rstrip())
    if options.latex:
        return Answer(None, tables.latex(rows, ("run", *report.TABLE)).rstrip())
    table = figures_table({row["run"]: row for row in rows})
    return Answer(rows[0] if len(rows) == 1 else rows, "\n".join([table, *words]))


def _measured(name: str, options: argparse.Namespace) -> Judged:
    """The report of a model on the split of the corpus asked for, or else of its own; a run keeps the latter."""
    from vae import evaluate
    from vae.corpora import splits

    space, run = opened(name)
    step = run.status.step if run else 0
    corpus = corpus_of(run, options.data, options.text_column)
    split = options.split or ("all" if options.data and corpus.alone and not _trained_on(options) else "test")
    data = corpus.whole if split == "all" else getattr(corpus, split)
    objective = run.config.phase2 if run else None
    with progress(f"{Path(name).name}, {len(data):,} sentences", len(data)) as watch:
        found = evaluate.evaluate(
            space, data, samples=options.samples, seed=options.seed, objective=objective, watch=watch
        )
    if run and options.data is None:
        try:
            report.save(run, split, step, found)
        except OSError as error:
            say(f"Note: the report could not be kept in {run.path} ({error.strerror}).")
    part = "all" if split == "all" else f"the {split} split"
    origin = corpus.note.replace(f"; valid and test{splits.CUT}", "") if split == "all" else corpus.note
    note = f"Judged: {part} of {options.data}, {len(data):,} sentences. {origin}" if options.data else ""
    return Judged(found, split, note)


def _trained_on(options: argparse.Namespace) -> bool:
    """Whether a run that is judged here was trained on --data, so that all of it would not be held out."""
    names = [options.run] if isinstance(options.run, str) else [*options.run, *filter(None, [options.against])]
    found = [opened_run for name in names if (opened_run := Run(Path(name).expanduser())).exists]
    found += [run for run in runs.list_runs() if run.name in names]
    return any(_same(run.config.data.corpus, options.data) for run in found)


def _same(spec: str, other: str) -> bool:
    """Whether two specs name the same corpus, however the path is written."""
    (kind, _, where), (its_kind, _, its_where) = spec.partition(":"), other.partition(":")
    if kind == its_kind == "file":
        return Path(where).expanduser().resolve() == Path(its_where).expanduser().resolve()
    return spec == other


def _probe(options: argparse.Namespace) -> Answer:
    """The probes of models, beside what Li et al. 2019 print of theirs."""
    if options.against:
        raise ValueError("--against compares the costs of sentences: leave it out with --probes.")
    work_quietly()
    options.split = options.split or "test"  # probes learn from the training sentences, so those stay apart
    from vae.probes import published

    found = {Path(name).name: _probed(name, options) for name in options.run}
    rows = [{"run": name, "split": options.split, "label": each.label, **each.row()} for name, each in found.items()]
    printed = [{"run": name, "source": published.SOURCE, **values} for name, values in published.PRINTED.items()]
    if options.csv:
        return Answer(None, tables.comma_separated([*rows, *printed]).rstrip())
    if options.latex:
        blocks = [tables.latex([*rows, *printed], ("run", *names)) for names in report.PROBE_TABLES.values()]
        blocks += [tables.paths_latex(each.paths()) for each in found.values() if each.interpolations]
        return Answer(None, "\n".join(blocks).rstrip())
    documents = [{"run": name, "split": options.split, **each.to_dict()} for name, each in found.items()]
    beside = {f"{name}*": published.PRINTED[name] for name in ("AE", "VAE", "theirs")}
    words = [_probes_table(title, names, found, beside) for title, names in report.PROBE_TABLES.items()]
    words += [
        _probes_table(title, list(dict.fromkeys(names.values())), found, {}) for title, names in report.CONTROLS.items()
    ]
    words += [
        f"Interpolations of {name}, greedily\n{tables.aligned(tables.paths(each.paths()), right=(0, 2))}"
        for name, each in found.items()
        if each.interpolations
    ]
    labels = ", ".join(f"{name}: {each.label or 'none'}" for name, each in found.items())
    words.append(f"Label that was read: {labels}.\n* {published.SOURCE}, on other data: {published.WHERE}.")
    return Answer(documents[0] if len(documents) == 1 else documents, "\n\n".join(filter(None, words)))


def _probed(name: str, options: argparse.Namespace) -> report.Probes:
    """The probes of a model; a run keeps them in its report, which is made first where there is none."""
    from vae import probing

    space, run = opened(name)
    step = run.status.step if run else 0
    corpus = corpus_of(run, options.data, options.text_column)
    probing.held_out(corpus, options.split)  # what is wrong is said before minutes of work
    probing.label_of(corpus, options.label)
    if run and options.data is None and report.load(run, options.split) is None:
        _measured(name, options)
    seeds = probing.SEEDS if options.seeds is None else options.seeds
    with progress(f"{Path(name).name}, probes", 1, unit=" steps") as watch:
        found = probing.probe(
            space, corpus, split=options.split, label=options.label, seeds=seeds, seed=options.seed, watch=watch
        )
    if run and options.data is None:
        try:
            report.save_probes(run, options.split, step, found)
        except OSError as error:
            say(f"Note: the probes could not be kept in {run.path} ({error.strerror}).")
    return found


def _probes_table(
    title: str, names: Sequence[str], found: Mapping[str, report.Probes], beside: Mapping[str, Mapping[str, float]]
) -> str:
    """Some probes, a row each: the models with their intervals, then what is printed. Empty where nobody has them."""
    rows = []
    for name in names:
        if not any(name in each.figures for each in found.values()):
            continue
        metric = METRICS[name]
        cells = [_with_interval(each.figures.get(name), metric) for each in found.values()]
        printed = [metric.show(values.get(name)).translate(tables.ASCII) for values in beside.values()]
        rows.append([metric.symbol, *cells, *printed, metric.unit])
    if not rows:
        return ""
    head = [title, *found, *beside, ""]
    return tables.aligned([head, *rows], right=range(1, len(head) - 1))


def _with_interval(probe: report.Probe | None, metric: Metric) -> str:
    return metric.show_with(probe.value, probe.interval).translate(tables.ASCII) if probe else "-"


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
def progress(title: str, sentences: int, unit: str = " sentences") -> Iterator[Callable[[int, int], None]]:
    """Who shows how many passes over the sentences are done: a bar on a terminal, elsewhere a line now and then."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(desc=title, unit=unit, dynamic_ncols=True, unit_scale=True) as bar:

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
        figures = _measured(options.run, options).report.to_dict()
    else:
        kept = report.load(run, options.split or "test")
        figures = kept.to_dict() if kept else last_figures(run)
    verdict = doctor.diagnose(figures)
    evidence = [f"  - {sentence}" for sentence in verdict.evidence]
    advice = [f"  - {sentence}" for sentence in verdict.advice]
    words = [verdict.headline, "Evidence:" * bool(evidence), *evidence, "What to try:" * bool(advice), *advice]
    document = {"run": str(run.path), **asdict(verdict), "figures": figures}
    return Answer(document, "\n".join(filter(None, words)))
