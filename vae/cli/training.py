"""Commands that train: train, launch, pretrain, stop, resume, delete, bundle."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import asdict
from pathlib import Path

from vae import doctor, jobs, recipes, runs
from vae.cli.shared import (
    THREAD_VARIABLES,
    Answer,
    figures_table,
    last_figures,
    next_in_line,
    run_named,
    say,
    work_quietly,
)
from vae.config import Config, Model, Phase
from vae.runs import ACTIVE, Run


def train(options: argparse.Namespace) -> Answer:
    """Train a run in this process, from its beginning or from where it is."""
    lead = os.environ.get("RANK", "0") == "0"  # of several processes, one makes the run and speaks for it
    run, beginning = _training_run(options) if lead else (_awaited(options), [])
    config = run.config
    threads = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    work_quietly(config.train.threads)
    beginning += [f"Note: {sentence}" for sentence in config.idle_settings()]
    beginning.append(f"Training {config.recipe} in {run.path}. Ctrl-C saves and stops.")
    if not lead or jobs.claim(run):  # a process that was started for the run has nobody to tell
        beginning = []
    from vae import trainer

    def tell() -> None:  # once all that may be refused is loaded
        for sentence in beginning:
            say(sentence)

    try:
        status = (jobs.heed(run) if lead else None) or trainer.train(run, begun=tell)
    except BaseException as error:
        if lead:
            jobs.release(run, error)
        if lead and isinstance(error, ValueError) and not options.resume and not run.metrics_path.exists():
            run.delete()  # nothing was trained: the same command may be given again, corrected
        raise
    finally:
        if lead:
            for name in THREAD_VARIABLES:  # the next one finds its own
                os.environ.pop(name, None)
            os.environ.update(threads)
            next_in_line(run.path.resolve().parent)
    if not lead:
        return Answer(None, "")
    figures = last_figures(run)
    words = [f"{run.name} is {status.state}: {status.message or f'{status.total_steps} steps in all.'}"]
    if figures:
        words += [
            figures_table({run.name: figures}),
            doctor.diagnose(figures).headline,
        ]
    if status.state == "stopped":
        words.append(f"Go on with: python -m vae train --run {run.path} --resume")
    return Answer({"run": str(run.path), "status": asdict(status), "figures": figures}, "\n".join(words))


def launch(options: argparse.Namespace) -> Answer:
    """Make a run and train it in a process of its own, when it is its turn."""
    run, differences = _new_run(options)
    jobs.start(run, first=options.next)
    for sentence in differences:
        say(sentence)
    return _queued(run, "is training")


def _training_run(options: argparse.Namespace) -> tuple[Run, list[str]]:
    """The run to train, with what there is to say: a new one, or with --resume the one that is there."""
    if options.resume:
        if not options.run:
            raise ValueError("--resume needs --run: name the run to go on with.")
        if options.recipe or options.like or options.data or options.base or options.set:
            raise ValueError(
                "A run keeps its configuration: leave out --recipe, --like, --data, --base and --set to resume it."
            )
        return run_named(options.run), []
    if not options.run and os.environ.get("WORLD_SIZE", "1") != "1":
        raise ValueError("Training in several processes needs --run: name the folder of the run.")
    return _new_run(options)


def _new_run(options: argparse.Namespace) -> tuple[Run, list[str]]:
    """A new run from a recipe or from another run, and settings; and in a sentence what differs from the other run."""
    like = run_named(options.like) if options.like else None
    start = like.config if like else recipes.get(options.recipe or "two-phase")
    config = start
    if like and options.recipe:
        config = recipes.get(options.recipe).with_settings(start.changes(recipes.get(start.recipe)))
    given = {"data.corpus": options.data, "model.base": options.base}
    settings = [f"{name}={value}" for name, value in given.items() if value is not None]
    config = config.with_settings(settings + options.set)
    stem = like.name if like and config.recipe == start.recipe else config.recipe
    path = Path(options.run) if options.run else runs.root() / runs.fresh_name(stem)
    if path.resolve().parent == runs.root().resolve():
        runs.valid_name(path.name)  # where the app lists it by name
    run = Run.create(path, config)
    if not like:
        return run, []
    changes = [f"recipe={config.recipe}"] * (config.recipe != start.recipe) + config.changes(start)
    return run, [f"{run.name} is like {like.name}, but for {', '.join(changes)}." if changes else f"As {like.name}."]


def _awaited(options: argparse.Namespace) -> Run:
    """The run that the first of several processes makes."""
    run, deadline = Run(options.run or ""), time.monotonic() + 60
    while not options.resume and not run.exists and time.monotonic() < deadline:
        time.sleep(0.1)
    return run_named(options.run or "")


def pretrain(options: argparse.Namespace) -> Answer:
    """Pre-train a small T5 on a corpus and keep it in a folder."""
    config = Config(recipe="pretrain", model=Model(base="fresh"), phase2=Phase(epochs=1))
    for setting in options.set:
        if setting.split(".")[0].strip() in ("model", "phase1", "phase2"):
            raise ValueError(f"The setting {setting!r} has no effect on pre-training: set data, pretrain or train.")
    config = config.with_settings([f"data.corpus={options.data}", *options.set])
    work_quietly(config.train.threads)
    from vae.pretrain import pretrain

    out = Path(options.out)
    pretrain(out, settings=config.pretrain, data=config.data, train=config.train)
    return Answer({"out": str(out)}, f"The T5 is in {out}. Start from it with: python -m vae train --base {out}")


def resume(options: argparse.Namespace) -> Answer:
    """Go on with a stopped or failed run, in a process of its own, when it is its turn."""
    run = run_named(options.run)
    return _queued(jobs.resume(run, first=options.next), f"goes on from step {run.status.step}")


def _queued(run: Run, does: str) -> Answer:
    """Whether a run that was put into the queue trains by now, or what it waits for."""
    status, place = jobs.reconcile(run), jobs.place(run)
    words = f"{run.name} {does} in process {status.pid}; `python -m vae runs` shows how."
    if status.state == "failed":  # it has died by now
        words = f"{run.name} could not go on. {status.message}"
    elif place:
        words = f"{run.name} has place {place} in the queue. {status.message} `python -m vae queue` shows all."
    return Answer({"run": str(run.path), "status": asdict(status), "place": place}, words)


def delete(options: argparse.Namespace) -> Answer:
    """Delete runs with their curves, weights and codes."""
    found = [run_named(text) for text in options.run]
    if not options.yes:
        raise ValueError(f"Nothing brings back {', '.join(run.name for run in found)}: say --yes to delete.")
    for run in found:
        jobs.delete(run)
    return Answer({"deleted": [str(run.path) for run in found]}, f"Deleted: {', '.join(run.name for run in found)}.")


def stop(options: argparse.Namespace) -> Answer:
    """Ask a run to save and stop, and wait for it."""
    run = run_named(options.run)
    status, deadline = jobs.reconcile(run), time.monotonic() + options.wait
    idle = status.state not in ACTIVE  # then its folder, which may ship with Bottleneck, stays as it is
    if not idle:
        status = jobs.stop(run)
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


def bundle(options: argparse.Namespace) -> Answer:
    """Make a finished run small, to share it; or with --all make the runs that ship with Bottleneck.

    What is there already is not made again, so a command that was interrupted may be given again.
    """
    work_quietly()
    from vae import bundle

    if not (options.all or options.only):
        if not options.run or options.out:
            raise ValueError(
                "Name the run to make small, or say --all to make those that ship; --out belongs to --all."
            )
        run = run_named(options.run)
        bundle.bundle(run, options.snapshots, weights=options.weights)
        return Answer({"run": str(run.path)}, f"{run.path} is ready to ship: {bundle.megabytes(run):.1f} MB.")
    if options.run:
        raise ValueError(f"Either {options.run} or the runs that ship: leave out the one or --all and --only.")
    folder = Path(options.out) if options.out else runs.root()
    members, begun, made = bundle.chosen(options.only), time.monotonic(), 0
    for number, member in enumerate(members, 1):
        run = Run(folder / member.name)
        new = bundle.make(run, member, say)
        made += new
        state = "is ready" if new else "was there"
        say(f"{number} of {len(members)}: {run.path} {state}, {bundle.megabytes(run):.1f} MB.")
    found = {member.name: bundle.megabytes(Run(folder / member.name)) for member in members}
    words = f"{made} of {len(members)} runs were made in {(time.monotonic() - begun) / 60:.0f} minutes."
    return Answer(
        {"out": str(folder), "made": made, "megabytes": found},
        f"{words} All are in {folder}: {sum(found.values()):.1f} MB.",
    )
