"""Commands that exchange runs with other programs: import, export."""

from __future__ import annotations

import argparse
from pathlib import Path

from vae import exchange, runs
from vae.cli.shared import Answer, run_named, work_briefly, work_quietly


def import_run(options: argparse.Namespace) -> Answer:
    """Make a run of what the code released with a paper left behind: to be looked at, not to be trained on."""
    source = Path(options.source).expanduser()
    form = exchange.kind(source)
    path = Path(options.run) if options.run else runs.root() / runs.fresh_name(exchange.name_of(source))
    if path.resolve().parent == runs.root().resolve():
        runs.valid_name(path.name)
    if form == "li2019":
        if options.base or options.data or options.pooling:
            raise ValueError("A log.txt has no weights: leave out --base, --data and --pooling.")
        from vae.exchange import li2019

        run = li2019.read(source, path)
    else:
        if not options.base:
            raise ValueError("A checkpoint needs --base: the T5 that its training started from, such as t5-small.")
        work_quietly()
        from vae import corpora
        from vae.exchange import lightning

        corpus = corpora.load(options.data) if options.data else None
        run = lightning.read(source, path, options.base, options.pooling, corpus)
    events = len(run.metrics())
    words = f"{run.path} is there, with {events} events." + ("" if form == "li2019" else " Its model opens like any.")
    return Answer({"run": str(run.path), "format": form, "events": events}, words)


def export(options: argparse.Namespace) -> Answer:
    """Write what a run measured for other programs: a CSV file, or a folder for TensorBoard."""
    run = run_named(options.run)
    if options.tensorboard:
        work_briefly()
        from vae.exchange import tensorboard

        count = tensorboard.export(run, Path(options.tensorboard))
        words = f"{count} events written: see them with `tensorboard --logdir {options.tensorboard}`."
        return Answer({"out": options.tensorboard, "events": count}, words)
    out = Path(options.csv)
    if not out.absolute().parent.is_dir():
        raise ValueError(f"--csv {out} cannot be written: there is no folder {out.parent}.")
    runs.write_bytes(out, exchange.csv_of(run).encode())
    count = len(run.metrics())
    return Answer({"out": str(out), "events": count}, f"{count} events written to {out}.")
