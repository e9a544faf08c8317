"""The command line, `python -m vae`: every page of the app has its command.

A command returns an `Answer`, and nothing but that reaches standard output: in words, or with --json as one document.
Progress, notes and whatever a library prints go to standard error. An error is one line there, and exit status 2.

Nothing heavy is imported before a command needs it, so that `runs` and `--help` answer at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_type_hints

from vae import doctor, jobs, machine, recipes, report, runs, tables
from vae.config import Config, Data, Model, Phase, knobs, suggestion
from vae.glossary import METRICS
from vae.runs import ACTIVE, Run

if TYPE_CHECKING:
    from vae.corpora import Corpus
    from vae.report import Report
    from vae.space import Space

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What the libraries under torch and numpy read, once, when they are loaded."""

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")

FIGURES = (
    *report.TABLE,
    *("kl_charged_nats", "marginal_kl_least_nats", "mi_upper_nats", "mi_ceiling_nats", "delta_prior_nats"),
    *("delta_zero_nats", "ppl_token", "effective_sample_size", "batch_leak_nats"),
)
"""The figures that a terminal shows, in order."""


@dataclass(frozen=True)
class Answer:
    """What a command has to say: a document for --json (None says nothing), and words."""

    document: Any
    words: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a sentence must not end it
    try:
        options = _parser().parse_args(arguments)
        with contextlib.redirect_stdout(sys.stderr):
            answer: Answer = options.command(options)
        if options.json and answer.document is not None:
            print(json.dumps(runs.finite(answer.document), indent=2, ensure_ascii=False), flush=True)
        if answer.words and not options.json:
            print(answer.words, flush=True)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read has seen enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ImportError, MemoryError) as error:
        return _refuse(error)
    except RuntimeError as error:  # torch has no better name for a lack of memory
        if "memory" not in str(error):
            raise
        return _refuse(error)
    return 0


def _refuse(error: Exception) -> int:
    """Say on one line what went wrong."""
    reason = str(error)
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror + (f": {error.filename}" if error.filename else "")
    print("error:", " ".join(reason.split()) or type(error).__name__, file=sys.stderr)
    return 2


# --- Training ------------------------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> Answer:
    """Train a run in this process, from its beginning or from where it is."""
    lead = os.environ.get("RANK", "0") == "0"  # of several processes, one makes the run and speaks for it
    run = _training_run(options) if lead else _awaited(options)
    config = run.config
    _work_quietly(config.train.threads)
    if lead and not jobs.claim(run):  # a process that was started for the run has nobody to tell
        for sentence in config.idle_settings():
            _say(f"Note: {sentence}")
        _say(f"Training {config.recipe} in {run.path}. Ctrl-C saves and stops.")
    from vae import trainer

    try:
        status = (jobs.heed(run) if lead else None) or trainer.train(run)
    except ValueError:
        if lead and not options.resume and not run.metrics_path.exists():
            run.delete()  # nothing was trained: the same command may be given again, corrected
        raise
    if not lead:
        return Answer(None, "")
    figures = _last_figures(run)
    words = [f"{run.name} is {status.state}: {status.message or f'{status.total_steps} steps in all.'}"]
    if figures:
        words += [
            _figures_table({run.name: figures}),
            doctor.diagnose(figures).headline,
        ]
    if status.state == "stopped":
        words.append(f"Go on with: python -m vae train --run {run.path} --resume")
    return Answer({"run": str(run.path), "status": asdict(status), "figures": figures}, "\n".join(words))


def _training_run(options: argparse.Namespace) -> Run:
    """The run to train: a new one from a recipe and settings, or with --resume the one that is there."""
    if options.resume:
        if not options.run:
            raise ValueError("--resume needs --run: name the run to go on with.")
        if options.recipe or options.data or options.base or options.set:
            raise ValueError(
                "A run keeps its configuration: leave out --recipe, --data, --base and --set to resume it."
            )
        return _run(options.run)
    if not options.run and os.environ.get("WORLD_SIZE", "1") != "1":
        raise ValueError("Training in several processes needs --run: name the folder of the run.")
    config = recipes.get(options.recipe or "two-phase")
    given = {"data.corpus": options.data, "model.base": options.base}
    settings = [f"{name}={value}" for name, value in given.items() if value is not None]
    config = config.with_settings(settings + options.set)
    path = Path(options.run) if options.run else runs.root() / runs.fresh_name(config.recipe)
    if path.resolve().parent == runs.root().resolve():
        runs.valid_name(path.name)  # where the app lists it by name
    return Run.create(path, config)


def _awaited(options: argparse.Namespace) -> Run:
    """The run that the first of several processes makes."""
    run, deadline = Run(options.run or ""), time.monotonic() + 60
    while not options.resume and not run.exists and time.monotonic() < deadline:
        time.sleep(0.1)
    return _run(options.run or "")


def _pretrain(options: argparse.Namespace) -> Answer:
    """Pre-train a small T5 on a corpus and keep it in a folder."""
    config = Config(recipe="pretrain", model=Model(base="fresh"), phase2=Phase(epochs=1))
    for setting in options.set:
        if setting.split(".")[0].strip() in ("model", "phase1", "phase2"):
            raise ValueError(f"The setting {setting!r} has no effect on pre-training: set data, pretrain or train.")
    config = config.with_settings([f"data.corpus={options.data}", *options.set])
    _work_quietly(config.train.threads)
    from vae.pretrain import pretrain

    out = Path(options.out)
    pretrain(out, settings=config.pretrain, data=config.data, train=config.train)
    return Answer({"out": str(out)}, f"The T5 is in {out}. Start from it with: python -m vae train --base {out}")


def _resume(options: argparse.Namespace) -> Answer:
    """Go on with a stopped or failed run, in a process of its own."""
    run = jobs.resume(_run(options.run))
    words = (
        f"{run.name} goes on from step {run.status.step} in process {run.status.pid}; `python -m vae runs` shows how."
    )
    return Answer({"run": str(run.path), "status": asdict(run.status)}, words)


def _stop(options: argparse.Namespace) -> Answer:
    """Ask a run to save and stop, and wait for it."""
    run = _run(options.run)
    idle = jobs.reconcile(run).state not in ACTIVE
    status, deadline = jobs.stop(run), time.monotonic() + options.wait
    while status.state in ACTIVE and time.monotonic() < deadline:
        time.sleep(0.1)
        status = jobs.reconcile(run)
    if idle:
        words = f"{run.name} is not in training: it is {status.state} at step {status.step}."
    elif status.state in ACTIVE:
        words = f"{run.name} has been asked to stop, and is still saving."
    else:
        words = f"{run.name} is {status.state}: {status.message or 'it came to its end first.'}"
    return Answer({"run": str(run.path), "status": asdict(status)}, words)


def _bundle(options: argparse.Namespace) -> Answer:
    """Prepare a finished run for being shipped."""
    run = _run(options.run)
    _work_quietly()
    from vae import bundle

    bundle.bundle(run, options.snapshots)
    return Answer({"run": str(run.path)}, f"{run.path} is ready to ship.")


# --- Looking at a model --------------------------------------------------------------------------------------------


def _evaluate(options: argparse.Namespace) -> Answer:
    """Measure models on held-out sentences; a run keeps its report."""
    _work_quietly()
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
    table = _figures_table({row["run"]: row for row in rows})
    return Answer(rows[0] if len(rows) == 1 else rows, "\n".join([table, *words]))


def _measured(name: str, options: argparse.Namespace) -> Report:
    """The report of a model on the split of the corpus asked for, or else of its own; a run keeps the latter."""
    from vae import evaluate

    space, run = _opened(name)
    step = run.status.step if run else 0
    data = getattr(_corpus(run, options.data), options.split)
    objective = run.config.phase2 if run else None
    with _progress(f"{Path(name).name}, {len(data):,} sentences", len(data)) as watch:
        found = evaluate.evaluate(
            space, data, samples=options.samples, seed=options.seed, objective=objective, watch=watch
        )
    if run and options.data is None:
        try:
            report.save(run, options.split, step, found)
        except OSError as error:
            _say(f"Note: the report could not be kept in {run.path} ({error.strerror}).")
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
def _progress(title: str, sentences: int) -> Iterator[Callable[[int, int], None]]:
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
            _say(f"{title}: {done // sentences} of {total // sentences} passes")

    yield tell


def _doctor(options: argparse.Namespace) -> Answer:
    """Say in words what the figures of a run mean."""
    run = _run(options.run)
    if options.evaluate:
        _work_quietly()
        figures = _measured(options.run, options).to_dict()
    else:
        kept = report.load(run, options.split)
        figures = kept.to_dict() if kept else _last_figures(run)
    verdict = doctor.diagnose(figures)
    evidence = [f"  - {sentence}" for sentence in verdict.evidence]
    advice = [f"  - {sentence}" for sentence in verdict.advice]
    words = [verdict.headline, "Evidence:" * bool(evidence), *evidence, "What to try:" * bool(advice), *advice]
    document = {"run": str(run.path), **asdict(verdict), "figures": figures}
    return Answer(document, "\n".join(filter(None, words)))


def _sample(options: argparse.Namespace) -> Answer:
    """Decode draws from the prior."""
    _work_briefly()
    space, _ = _opened(options.run, options.snapshot)
    sentences = space.decode(space.sample_prior(options.n, options.seed))
    return Answer({"seed": options.seed, "sentences": sentences}, "\n".join(sentences))


def _interpolate(options: argparse.Namespace) -> Answer:
    """Decode a path between two sentences, or between two draws from the prior."""
    ends = (options.start, options.end)
    if options.prior == any(end is not None for end in ends) or (not options.prior and None in ends):
        raise ValueError("A path needs two ends: give --from and --to, or --prior.")
    if not options.prior and not all(end.strip() for end in ends):
        raise ValueError("An end of the path is an empty sentence: give --from and --to some words.")
    _work_briefly()
    space, _ = _opened(options.run, options.snapshot)
    a, b = space.sample_prior(2, options.seed) if options.prior else space.encode(ends).mean
    path = space.interpolate(a, b, options.steps, options.method, options.extend)
    span = 1 + 2 * options.extend
    places = [round(i * span / (options.steps - 1) - options.extend, 6) for i in range(options.steps)]
    rows = [{"t": t, "text": text} for t, text in zip(places, space.decode(path), strict=True)]
    return Answer(
        {"method": options.method, "path": rows}, "\n".join(f"{row['t']:6.2f}  {row['text']}" for row in rows)
    )


def _encode(options: argparse.Namespace) -> Answer:
    """Write the posterior of every line of a file beside its text and labels."""
    out, path = Path(options.out), Path(options.file)
    if out.suffix.lower() not in (".parquet", ".zip"):
        raise ValueError(f"--out {out} must end in .parquet, or in .zip for the Embedding Projector.")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"--out {out} cannot be written: there is no folder {out.parent}.")
    _work_quietly()
    import pandas as pd

    from vae import latents
    from vae.corpora import files

    if not path.is_file():
        raise ValueError(f"{path} is not a file: check the path.")
    if path.suffix.lower() not in files.READERS:
        raise ValueError(f"{path.name} ends in {path.suffix!r}: known endings are {' '.join(files.READERS)}.")
    table = pd.DataFrame(dict(files.read_table(path)))
    space, run = _opened(options.run)
    column = run.config.data.text_column if run and run.config.data.text_column in table else "text"
    if column not in table:
        raise ValueError(f"{path.name} has no column {column!r} to encode: it has {', '.join(table)}.")
    texts = table[column].astype(object)
    texts = texts.where(texts.notna(), "").map(str).rename("text")  # a row without text keeps its place
    labels = table.drop(columns={column, "text"} & set(table))
    encoded = latents.encode_frame(space, pd.concat([texts, labels], axis=1))
    buffer = io.BytesIO()
    if out.suffix.lower() == ".zip":
        codes = encoded.filter(regex=r"^mu_\d+$").to_numpy()
        kept = [name for name in encoded if not latents.CODE_COLUMN.fullmatch(str(name))]
        buffer.write(latents.projector(encoded[kept], codes, out.stem))
    else:
        try:
            encoded.to_parquet(buffer, index=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"A column of {path.name} mixes kinds of values ({error}): make them all text.") from error
    runs.write_bytes(out, buffer.getvalue())
    document = {"out": str(out), "sentences": len(encoded), "latent_size": space.latent_size}
    return Answer(document, f"{len(encoded)} sentences encoded in {out}.")


def _project(options: argparse.Namespace) -> Answer:
    """Fit the map of a run's codes, or find the one that is there."""
    run = _run(options.run)
    _work_quietly()
    from vae import projection

    points = projection.project(run, options.method, seed=options.seed, refit=options.refit).coordinates
    file = run.projections_path / f"{options.method}.parquet"
    document = {"run": str(run.path), "method": options.method, "sentences": len(points), "file": str(file)}
    return Answer(document, f"{len(points)} sentences mapped by {options.method} in {file}.")


# --- Lists ---------------------------------------------------------------------------------------------------------


def _runs(_: argparse.Namespace) -> Answer:
    """List the runs, newest first."""
    listed = [_summary(run) for run in runs.list_runs()]
    if not listed:
        return Answer([], f"There are no runs in {runs.root()} yet: make one with python -m vae train.")
    header = ["name", "recipe", "state", "step", "KL", "MI", "delta NLL", "verdict"]
    rows = [
        [
            *(run["name"], run["recipe"], run["state"], f"{run['step']}/{run['total_steps']}"),
            *(_number(run[name]) for name in ("kl_nats", "mi_nats", "delta_nll_nats")),
            run["verdict"] or "",
        ]
        for run in listed
    ]
    damaged = [f"{run['name']}: {run['message']}" for run in listed if run["state"] == "damaged"]
    return Answer(listed, "\n".join([tables.aligned([header, *rows], right=(3, 4, 5, 6)), *damaged]))


def _summary(run: Run) -> dict[str, Any]:
    """What a list says about a run; one that is damaged does not keep the others from being listed."""
    known: dict[str, Any] = {"name": run.name, "path": str(run.path), "recipe": "", "state": "damaged"}
    known |= {"phase": 0, "step": 0, "total_steps": 0, "message": ""}
    figures: dict[str, Any] = {}
    try:
        known["recipe"] = run.config.recipe
        status = jobs.reconcile(run)
        known |= {name: getattr(status, name) for name in ("state", "phase", "step", "total_steps", "message")}
        figures = _last_figures(run)
    except (ValueError, OSError) as error:
        known["message"] = str(error)
    known |= {name: figures.get(name) for name in ("kl_nats", "mi_nats", "delta_nll_nats")}
    return known | {"verdict": doctor.diagnose(figures).name if figures else None}


def _recipes(_: argparse.Namespace) -> Answer:
    """List the recipes."""
    described = {name: recipes.describe(name) for name in recipes.RECIPES}
    document = [
        {"name": name, "description": text, "config": recipes.get(name).to_dict()} for name, text in described.items()
    ]
    width = max(map(len, described)) + 2
    wrapper = textwrap.TextWrapper(width=_width(), subsequent_indent=" " * width)
    return Answer(document, "\n".join(wrapper.fill(f"{name:<{width}}{text}") for name, text in described.items()))


# --- What several commands need ------------------------------------------------------------------------------------


def _run(text: str) -> Run:
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


def _opened(text: str, snapshot: int | None = None) -> tuple[Space, Run | None]:
    """The model of a run (of a snapshot of it, if asked for), of a folder or of a Hub id, and the run if it is one."""
    import vae

    folder = Path(text).expanduser()
    if not Run(folder).exists and (folder.is_dir() or HUB_ID.fullmatch(text)):
        return vae.load(folder if folder.is_dir() else text, snapshot), None
    run = _run(text)
    return vae.load(run.path, snapshot), run


def _corpus(run: Run | None, spec: str | None) -> Corpus:
    """The corpus that is named; else the one that the run keeps, or was trained on."""
    from vae import corpora

    data = run.config.data if run else Data()
    if spec is not None:
        return corpora.load(spec, seed=data.seed, text_column=data.text_column)
    if run and (run.corpus_path / "corpus.json").is_file():
        return corpora.Corpus.open(run.corpus_path)
    sizes = {f"{split}_sentences": getattr(data, f"{split}_sentences") for split in ("train", "valid", "test")}
    return corpora.load(data.corpus, seed=data.seed, text_column=data.text_column, **sizes)


def _last_figures(run: Run) -> dict[str, Any]:
    """The last validation event of finetuning; empty before there is one."""
    events = [event for event in run.metrics() if event.get("split") == "valid" and "kl_nats" in event]
    return events[-1] if events else {}


def _work_quietly(threads: int = 0) -> None:
    """For minutes of work: low priority, and the trainer's threads or those that the user names."""
    budget = machine.trainer_threads()
    machine.lower_priority()
    for variable in THREAD_VARIABLES:
        if threads:
            os.environ[variable] = str(threads)
        else:
            os.environ.setdefault(variable, str(budget))


def _work_briefly() -> None:
    """For a moment's work: the threads of the app, which training beside it leaves free."""
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(machine.app_threads()))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _figures_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of one model with their intervals, or of several side by side."""
    several, known = len(found) > 1, list(found.values())
    rows = [["", *found, "", ""]] if several else []
    for name in FIGURES:
        if all(figures.get(name) is None for figures in known):
            continue
        metric = METRICS[name]
        symbol = tables.symbol(name, known[0].get("samples")).translate(tables.ASCII)
        numbers = [_number(figures.get(name)) for figures in known]
        low, high = known[0].get("intervals", {}).get(name, (None, None))
        interval = [] if several else ["" if low is None else f"{_number(low)} to {_number(high)}"]
        rows.append([symbol, *numbers, *interval, metric.unit, metric.title])
    return tables.aligned(rows, right=range(1, len(known) + 1))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{round(value, 2) + 0.0:.2f}" if abs(value) < 1000 else f"{value:.3g}"  # + 0.0: no minus before nothing


def _width() -> int:
    """Columns to write help in: those of the terminal, up to 100."""
    return min(100, max(40, os.get_terminal_size(sys.stderr.fileno()).columns)) if sys.stderr.isatty() else 100


# --- The parser ----------------------------------------------------------------------------------------------------

CORPORA = "captions, file:PATH or hub:NAME"
RUN = "a run: its folder or its name"
MODEL = "a run, a model folder or a Hub id"


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help).")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m vae",
        description="Train, watch and steer the latent space of a text VAE.",
        epilog="RUN is a folder, or the name of a run that `runs` lists.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_training(commands)
    _add_looking(commands)
    _command(commands, "runs", _runs)
    _command(commands, "recipes", _recipes)
    return parser


def _add_training(commands: Any) -> None:
    setting: dict[str, Any] = {"action": "append", "default": [], "metavar": "SECTION.FIELD=VALUE"}
    raw = argparse.RawDescriptionHelpFormatter
    train = _command(commands, "train", _train, epilog=_settings_help(), formatter_class=raw)
    train.add_argument("--recipe", metavar="NAME", help="the configuration to start from (two-phase); see `recipes`")
    train.add_argument("--data", metavar="CORPUS", help=CORPORA)
    train.add_argument("--base", metavar="T5", help="starter, fresh, a folder, or a Hub id")
    train.add_argument("--run", metavar="DIR", help="folder of the run; without it a new one where `runs` looks")
    train.add_argument("--set", **setting, help="change a setting; may be given many times")
    train.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    pretrain = _command(commands, "pretrain", _pretrain)
    pretrain.add_argument("--out", metavar="DIR", required=True, help="the folder to make")
    pretrain.add_argument("--data", metavar="CORPUS", default="captions", help=f"{CORPORA} (captions)")
    pretrain.add_argument("--set", **setting, help="a setting of data, pretrain or train")
    stop = _command(commands, "stop", _stop, of=RUN)
    stop.add_argument("--wait", type=_whole(0, 86_400), default=60, metavar="SECONDS", help="how long to wait (60)")
    _command(commands, "resume", _resume, of=RUN)
    bundle = _command(commands, "bundle", _bundle, of=RUN)
    bundle.add_argument("--snapshots", type=_whole(0, 1000), default=3, help="snapshots that stay (3)")


def _add_looking(commands: Any) -> None:
    evaluation = _command(commands, "evaluate", _evaluate, of=MODEL, nargs="+")
    _add_evaluation(evaluation, samples=100)
    evaluation.add_argument("--against", metavar="RUN", help="a model to compare with sentence by sentence")
    output = evaluation.add_mutually_exclusive_group()
    output.add_argument("--csv", action="store_true", help="print a table as CSV")
    output.add_argument("--latex", action="store_true", help="print a table as LaTeX")
    diagnosis = _command(commands, "doctor", _doctor, of=RUN)
    diagnosis.add_argument("--evaluate", action="store_true", help="measure first, instead of the last check's figures")
    _add_evaluation(diagnosis, samples=1)
    sample = _command(commands, "sample", _sample, of=MODEL)
    sample.add_argument("-n", type=_whole(1, 1_000_000), default=10, help="sentences (10)")
    _add_snapshot(sample)
    _add_seed(sample)
    walk = _command(commands, "interpolate", _interpolate, of=MODEL)
    walk.add_argument("--from", dest="start", metavar="TEXT", help="the sentence at t = 0, encoded to its mean")
    walk.add_argument("--to", dest="end", metavar="TEXT", help="the sentence at t = 1")
    walk.add_argument("--prior", action="store_true", help="two draws from the prior instead")
    walk.add_argument("--steps", type=_whole(2, 100_000), default=11, help="sentences on the path (11)")
    walk.add_argument("--method", choices=("linear", "slerp"), default="linear", help="the kind of path (linear)")
    walk.add_argument("--extend", type=float, default=0.0, help="go on beyond both ends by this much of the path (0)")
    _add_snapshot(walk)
    _add_seed(walk)
    encode = _command(commands, "encode", _encode, of=MODEL)
    encode.add_argument("--file", required=True, help="a .txt with a sentence a line, or .csv .tsv .jsonl .parquet")
    encode.add_argument(
        "--out",
        required=True,
        help="the .parquet to write: text, other columns, mu_*, logvar_*; or a .zip for the Embedding Projector",
    )
    project = _command(commands, "project", _project, of=RUN)
    project.add_argument("--method", choices=("umap", "pca"), default="umap", help="the kind of map (umap)")
    project.add_argument("--refit", action="store_true", help="fit anew even if there is a map")
    _add_seed(project)


def _command(
    commands: Any,
    name: str,
    function: Callable[[argparse.Namespace], Answer],
    of: str = "",
    nargs: str | None = None,
    **more: Any,
) -> argparse.ArgumentParser:
    """Add the command of a function, which is explained by the first line of its docstring; `of` says what RUN is."""
    text = (function.__doc__ or "").splitlines()[0]
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=text[0].lower() + text[1:].rstrip("."), description=text, **more
    )
    made.set_defaults(command=function)
    if of:
        made.add_argument("run", metavar="RUN", help=of, nargs=nargs)
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return made


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=_whole(0, 2**32 - 1), default=0, help="seed of the random draws (0)")


def _add_snapshot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snapshot", type=_whole(0, 2**63), metavar="STEP", help="the weights of a step (the last)")


def _add_evaluation(parser: argparse.ArgumentParser, samples: int) -> None:
    parser.add_argument("--split", choices=("train", "valid", "test"), default="test", help="sentences to use (test)")
    parser.add_argument("--data", metavar="CORPUS", help=f"corpus to use instead of the run's own: {CORPORA}")
    parser.add_argument("--samples", type=_whole(1, 100_000), default=samples, help=f"K of the NLL bound ({samples})")
    _add_seed(parser)


def _whole(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: a whole number between the two."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _settings_help() -> str:
    """Every setting with its sentence and default, for the end of `train --help`."""
    sections: dict[str, Any] = {name: kind for name, kind in get_type_hints(Config).items() if kind is not str}
    lines = ["settings for --set, with their defaults (a recipe changes some: see `recipes --json`):"]
    for section, kind in sections.items():
        if section == "phase1":
            continue  # the fields of phase2 are the same
        name = "phase1, phase2" if section == "phase2" else section
        lines.append(f"\n  {name}")
        for knob in knobs(kind).values():
            default = (
                "none" if knob.default is None else ",".join(knob.default) if knob.kind == "parts" else knob.default
            )
            lines.append(
                textwrap.fill(
                    f"{knob.name} ({default}): {knob.help}",
                    width=_width(),
                    initial_indent="    ",
                    subsequent_indent="        ",
                )
            )
    return "\n".join(lines)
