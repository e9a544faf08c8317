"""The words of the command line, and the command that each one leads to."""

from __future__ import annotations

import argparse
import contextlib
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn, get_type_hints

from vae.cli import exchanging, exploring, lists, measuring, planes, steering, sweeping, training
from vae.cli.shared import Answer, columns
from vae.config import Config, knobs
from vae.exchange import FORMATS
from vae.queue import MOST
from vae.sweeps import PRESETS

CORPORA = "captions, file:PATH or hub:NAME"


RUN = "a run: its folder or its name"


MODEL = "a run, a model folder or a Hub id"


TRAVERSE = (
    "With --set: the sentence of the changed code. With --dimension: the strip along it, with the changes that there "
    "are. With neither: every dimension, that of the largest KL first, with the sentences at both ends of its strip."
)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help).")


def build() -> argparse.ArgumentParser:
    """The parser of every command; what it parses has the command's function as `command`."""
    parser = _Parser(
        prog="python -m vae",
        description="Train, watch and steer the latent space of a text VAE.",
        epilog="RUN is a folder, or the name of a run that `runs` lists.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_training(commands)
    _add_looking(commands)
    _add_exploring(commands)
    _add_exchange(commands)
    _add_sweeps(commands)
    _command(commands, "runs", lists.list_runs)
    _command(commands, "recipes", lists.list_recipes)
    return parser


def _add_training(commands: Any) -> None:
    setting: dict[str, Any] = {"action": "append", "default": [], "metavar": "SECTION.FIELD=VALUE"}
    raw = argparse.RawDescriptionHelpFormatter
    train = _command(commands, "train", training.train, epilog=_settings_help(), formatter_class=raw)
    launch = _command(commands, "launch", training.launch, epilog=_settings_help(), formatter_class=raw)
    for made in (train, launch):
        made.add_argument("--recipe", metavar="NAME", help="the configuration to start from (two-phase); see `recipes`")
        made.add_argument("--like", metavar="RUN", help="start from a run's configuration; with --recipe, do to that "
                          "recipe what the run changed in its own")  # fmt: skip
        made.add_argument("--data", metavar="CORPUS", help=CORPORA)
        made.add_argument("--base", metavar="T5", help="starter, fresh, a folder, or a Hub id")
        made.add_argument("--run", metavar="DIR", help="folder of the run; without it a new one where `runs` looks")
        made.add_argument("--set", **setting, help="change a setting; may be given many times")
    train.add_argument("--resume", action="store_true", help="go on with the run in DIR")
    pretrain = _command(commands, "pretrain", training.pretrain)
    pretrain.add_argument("--out", metavar="DIR", required=True, help="the folder to make")
    pretrain.add_argument("--data", metavar="CORPUS", default="captions", help=f"{CORPORA} (captions)")
    pretrain.add_argument("--set", **setting, help="a setting of data, pretrain or train")
    stop = _command(commands, "stop", training.stop, of=RUN)
    stop.add_argument("--wait", type=_whole(0, 86_400), default=60, metavar="SECONDS", help="how long to wait (60)")
    resume = _command(commands, "resume", training.resume, of=RUN)
    for queued in (launch, resume):
        queued.add_argument("--next", action="store_true", help="before the others that wait, instead of behind them")
    _add_queue(commands)
    delete = _command(commands, "delete", training.delete, of=RUN, nargs="+")
    delete.add_argument("--yes", action="store_true", help="really: nothing brings a run back")
    bundle = _command(commands, "bundle", training.bundle, of=RUN, nargs="?")
    bundle.add_argument("--snapshots", type=_whole(0, 1000), default=3, help="snapshots that stay (3)")
    bundle.add_argument(
        "--without-weights", dest="weights", action="store_false", help="only its history and reports stay"
    )
    bundle.add_argument("--all", action="store_true", help="instead of RUN: train, judge and bundle all that ships")
    bundle.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of --all: these alone")
    bundle.add_argument("--out", metavar="DIR", help="of --all: where to; without it where `runs` looks")


def _add_queue(commands: Any) -> None:
    queue = _command(commands, "queue", lists.queue)
    queue.add_argument("--at-once", type=_whole(1, MOST), metavar="N", help="how many runs train at once")
    queue.add_argument("--move", metavar="RUN", help="a run that waits, to be given another place")
    queue.add_argument("--to", type=_whole(1, 100_000), metavar="PLACE", help="its new place; 1 is next")
    halt = queue.add_mutually_exclusive_group()
    halt.add_argument("--pause", dest="paused", action="store_true", default=None, help="start nothing for now")
    halt.add_argument("--go", dest="paused", action="store_false", help="go on after a pause")


def _add_looking(commands: Any) -> None:
    evaluation = _command(commands, "evaluate", measuring.evaluate, of=MODEL, nargs="+")
    _add_evaluation(evaluation, samples=100)
    evaluation.add_argument("--against", metavar="RUN", help="a model to compare with sentence by sentence")
    evaluation.add_argument("--probes", action="store_true", help="what the codes hold, as in Li et al. 2019: "
                            "rebuilding, smoothness, swapped words, labels from few examples, copying")  # fmt: skip
    evaluation.add_argument(
        "--label", metavar="NAME", help="of --probes: the label to read (the first with 2 to 50 values)"
    )
    evaluation.add_argument("--seeds", type=_whole(1, 100), metavar="N", help="of --probes: draws of each (5)")
    output = evaluation.add_mutually_exclusive_group()
    output.add_argument("--csv", action="store_true", help="print a table as CSV")
    output.add_argument("--latex", action="store_true", help="print a table as LaTeX")
    diagnosis = _command(commands, "doctor", measuring.diagnose, of=RUN)
    diagnosis.add_argument("--evaluate", action="store_true", help="measure first, instead of the last check's figures")
    _add_evaluation(diagnosis, samples=1)
    sample = _command(commands, "sample", exploring.sample, of=MODEL)
    sample.add_argument("-n", type=_whole(1, 1_000_000), default=10, help="sentences (10)")
    _add_decoding(sample)
    _add_snapshot(sample)
    _add_seed(sample)
    walk = _command(commands, "interpolate", exploring.interpolate, of=MODEL)
    walk.add_argument("--from", dest="start", metavar="TEXT", help="the sentence at t = 0, encoded to its mean")
    walk.add_argument("--to", dest="end", metavar="TEXT", help="the sentence at t = 1")
    walk.add_argument("--prior", action="store_true", help="two draws from the prior instead")
    walk.add_argument("--end-seed", type=_whole(0, 2**32 - 1), help="another seed for the second of them (--seed)")
    walk.add_argument("--steps", type=_whole(2, 100_000), default=11, help="sentences on the path (11)")
    walk.add_argument("--method", choices=("linear", "slerp"), default="linear", help="the kind of path (linear)")
    walk.add_argument("--extend", type=float, default=0.0, help="go on beyond both ends by this much of the path (0)")
    _add_decoding(walk)
    _add_snapshot(walk)
    _add_seed(walk)
    encode = _command(commands, "encode", exploring.encode, of=MODEL)
    encode.add_argument("--file", required=True, help="a .txt with a sentence a line, or .csv .tsv .jsonl .parquet")
    encode.add_argument("--text-column", metavar="NAME", help="the column of the sentences (as in training, or text)")
    encode.add_argument(
        "--out",
        required=True,
        help="the .parquet to write: text, other columns, mu_*, logvar_*; or a .zip for the Embedding Projector",
    )
    project = _command(commands, "project", exploring.project, of=RUN)
    project.add_argument("--method", choices=("umap", "pca"), default="umap", help="the kind of map (umap)")
    project.add_argument("--refit", action="store_true", help="fit anew even if there is a map")
    _add_seed(project)


def _add_exchange(commands: Any) -> None:
    received = _command(commands, "import", exchanging.import_run)
    received.add_argument("source", metavar="PATH", help=FORMATS)
    received.add_argument("--run", metavar="DIR", help="folder of the run; without it a new one where `runs` looks")
    received.add_argument(
        "--base", metavar="T5", help="for a checkpoint: the T5 it was trained from, a folder or Hub id"
    )
    received.add_argument("--data", metavar="CORPUS", help=f"for a checkpoint: sentences for its map: {CORPORA}")
    received.add_argument("--pooling", choices=("max", "mean"), help="for a checkpoint whose name does not say it")
    sent = _command(commands, "export", exchanging.export, of=RUN)
    target = sent.add_mutually_exclusive_group(required=True)
    target.add_argument("--csv", metavar="FILE", help="every event as a row")
    target.add_argument("--tensorboard", metavar="DIR", help="an event file for TensorBoard")


def _add_sweeps(commands: Any) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    sweep = _command(commands, "sweep", sweeping.sweep, epilog=sweeping.SYNTAX, formatter_class=raw)
    sweep.add_argument("name", metavar="NAME", nargs="?", help="the sweep: alone to read it, else to be made; its runs "
                       "are named after it")  # fmt: skip
    sweep.add_argument("--recipe", metavar="NAME", help="the configuration to vary (two-phase); see `recipes`")
    sweep.add_argument("--like", metavar="RUN", help="vary that of a run")
    sweep.add_argument("--preset", choices=tuple(PRESETS), help="a study of Park & Lee 2021: section 5.1 or 5.2")
    sweep.add_argument("--over", action="append", default=[], metavar="AXIS", help="what to vary; one for each axis")
    sweep.add_argument("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE", help="a setting of all")
    sweep.add_argument("--dry-run", action="store_true", help="say which runs it makes, and start nothing")
    compare = _command(commands, "compare", sweeping.compare, of=RUN, nargs="+")
    for table in (sweep, compare):
        table.add_argument("--csv", action="store_true", help="print the table as CSV")
        table.add_argument("--latex", action="store_true", help="print the table as LaTeX")
    note = _command(commands, "note", sweeping.note, of=RUN)
    note.add_argument("--tag", action="append", default=[], help="add a tag; may be given many times")
    note.add_argument("--untag", action="append", default=[], metavar="TAG", help="take a tag away")
    note.add_argument("--text", type=str, help="what there is to say about it, instead of what has been said")


def _add_exploring(commands: Any) -> None:
    plane = _command(commands, "plane", planes.plane, of=MODEL)
    which = plane.add_mutually_exclusive_group()
    which.add_argument("--principal", action="store_true", help="the directions in which the codes differ most (this)")
    which.add_argument("--dimensions", nargs=2, type=_whole(0, 100_000), metavar=("I", "J"), help="two dimensions of z")
    which.add_argument("--texts", nargs=3, metavar=("A", "B", "C"), help="through the codes of three sentences")
    which.add_argument("--draws", action="store_true", help="through three draws from the prior")
    plane.add_argument("--through", metavar="TEXT", help="of --dimensions: the code that gives the others (all 0)")
    plane.add_argument("--seed", type=_whole(0, 2**32 - 1), help="of --draws: their seed (0)")
    plane.add_argument(
        "--at",
        nargs=2,
        action="append",
        default=[],
        type=_number(-1000, 1000),
        metavar=("X", "Y"),
        help="read this place of the plane; may be given many times",
    )
    plane.add_argument("--steps", type=_whole(2, 1000), help="with --at: also the walk from the first to the second")
    plane.add_argument("--cells", type=_whole(1, 80), metavar="N", help="without --at: cells a side of the window (9)")
    plane.add_argument(
        "--window",
        nargs=3,
        type=_number(-1000, 1000),
        metavar=("X", "Y", "WIDTH"),
        help="its middle and width (nearly all sentences and the prior)",
    )
    plane.add_argument("--csv", action="store_true", help="print every place or cell as CSV")
    _add_snapshot(plane)
    traverse = _command(commands, "traverse", steering.traverse, of=MODEL, epilog=TRAVERSE)
    _add_start(traverse)
    traverse.add_argument(
        "--set",
        action="append",
        default=[],
        type=_change,
        metavar="D=VALUE",
        help="set a dimension to another value, as in 3=1.25; may be given many times",
    )
    traverse.add_argument(
        "--dimension", type=_whole(0, 100_000), metavar="D", help="read the strip along one dimension"
    )
    traverse.add_argument("--steps", type=_whole(2, 1000), metavar="N", help="of the strip: its even values (11)")
    traverse.add_argument(
        "--reach", type=_number(0.1, 100), metavar="R", help="how far strips go (2.5, or farther where codes do)"
    )
    _add_snapshot(traverse)
    arithmetic = _command(commands, "arithmetic", steering.arithmetic, of=MODEL)
    for name in "abc":
        arithmetic.add_argument(f"--{name}", metavar="TEXT", help=f"{name.upper()} of A - B + C")
    for side, words in (("from", "lead away from"), ("to", "lead to")):
        examples = arithmetic.add_mutually_exclusive_group()
        examples.add_argument(f"--{side}", dest=f"{side}_file", metavar="FILE", help=f"{words} the sentences of a file")
        examples.add_argument(
            f"--{side}-text",
            action="append",
            metavar="TEXT",
            help=f"{words} this sentence; may be given many times",
        )
        examples.add_argument(
            f"--{side}-label",
            type=_label,
            metavar="LABEL=VALUE",
            help=f"{words} the sentences of the run whose label has a value",
        )
    arithmetic.add_argument("--add-to", metavar="TEXT", help="the sentence that is moved so")
    arithmetic.add_argument(
        "--strength",
        type=_strengths,
        action="extend",
        metavar="S",
        help="how far: 0 is C as it is, 1 is A - B + C (1); or LOW:HIGH:STEP; may be given many times",
    )
    _add_snapshot(arithmetic)
    near = _command(commands, "neighbours", steering.neighbours, of=RUN)
    _add_start(near)
    near.add_argument("-k", type=_whole(1, 100_000), default=10, help="sentences (10)")
    _add_snapshot(near)


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
    made.register("type", None, _text)  # of arguments that name no type of their own
    made.set_defaults(command=function)
    if of:
        made.add_argument("run", metavar="RUN", help=of, nargs=nargs)
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return made


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=_whole(0, 2**32 - 1), default=0, help="seed of the random draws (0)")


def _add_snapshot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snapshot", type=_whole(0, 2**63), metavar="STEP", help="the weights of a step (the last)")


def _add_start(parser: argparse.ArgumentParser) -> None:
    """Which code to start from."""
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--text", help="the mean code of a sentence")
    start.add_argument("--zero", action="store_true", help="the middle of the prior")
    start.add_argument("--seed", type=_whole(0, 2**32 - 1), default=0, help="a draw from the prior (0)")


def _add_decoding(parser: argparse.ArgumentParser) -> None:
    """How codes are turned into words, within the bounds of the page Interpolate."""
    parser.add_argument(
        "--decode", choices=tuple(exploring.READING), default="greedy", help="how z is turned into words (greedy)"
    )
    parser.add_argument("--temperature", type=_number(0.05, 5), metavar="T", help="of sample: below 1 plays safe (1)")
    parser.add_argument(
        "--top-p", type=_number(0.05, 1), metavar="P", help="of sample: only words that hold this much of the mass (1)"
    )
    parser.add_argument("--draws", type=_whole(1, 5), metavar="N", help="of sample: how often each z is read (1)")
    parser.add_argument(
        "--words-seed", type=_whole(0, 2**32 - 1), metavar="N", help="of sample: seed of the words (that of --seed)"
    )
    parser.add_argument("--beams", type=_whole(2, 16), metavar="N", help="of beam: beginnings that are kept (4)")


def _add_evaluation(parser: argparse.ArgumentParser, samples: int) -> None:
    parser.add_argument("--split", choices=("train", "valid", "test"), help="sentences to use (test; of --data that "
                        "is one file all of it, unless a run was trained on it or for --probes)")  # fmt: skip
    parser.add_argument("--data", metavar="CORPUS", help=f"corpus to use instead of the run's own: {CORPORA}")
    parser.add_argument("--text-column", metavar="NAME", help="of --data: the column of the sentences (text)")
    parser.add_argument("--samples", type=_whole(1, 100_000), default=samples, help=f"K of the NLL bound ({samples})")
    _add_seed(parser)


def _text(text: str) -> str:
    """A type for argparse: a text. An empty one is what a shell makes of a variable that is not set: a mistake."""
    if not text:
        raise argparse.ArgumentTypeError("its value is empty: give one, or leave it out")
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: a whole number between the two."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    """A type for argparse: a number between the two."""

    def parse(text: str) -> float:
        with contextlib.suppress(ValueError):
            if low <= float(text) <= high:
                return float(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")

    return parse


def _change(text: str) -> tuple[int, float]:
    """A type for argparse: a dimension and its value."""
    dimension, sign, value = text.partition("=")
    with contextlib.suppress(argparse.ArgumentTypeError):
        if sign:
            return _whole(0, 100_000)(dimension), _number(-100, 100)(value)
    raise argparse.ArgumentTypeError(f"{text!r} is no dimension with a value from -100 to 100, as in 3=1.25")


def _strengths(text: str) -> list[float]:
    """A type for argparse: a number, or even ones from one to another."""
    from vae.traversals import even

    number = _number(-100, 100)
    if ":" not in text:
        return [number(text)]
    low, high, step = (number(part) for part in text.split(":")) if text.count(":") == 2 else (0, 0, 0)
    if not (low < high and step > 0 and (high - low) / step <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form LOW:HIGH:STEP, as in -3:3:0.5")
    return even(low, high, step)


def _label(text: str) -> tuple[str, str]:
    """A type for argparse: a label and its value."""
    label, sign, value = text.partition("=")
    if not (label and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form LABEL=VALUE")
    return label, value


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
                    width=columns(),
                    initial_indent="    ",
                    subsequent_indent="        ",
                )
            )
    return "\n".join(lines)
