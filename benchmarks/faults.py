"""A trainer that is killed again and again, against one that is left alone: their runs must be the same.

    python -m benchmarks.faults [--kills 20] [--seed N]

Each life is a real process, ended by SIGKILL (TerminateProcess on Windows) at a random moment: while it loads, in a
step, in a check, in the middle of a write. After each death the run must list, and its last model must open. At the end
metrics, samples, weights and codes are compared with those of the untroubled run, bit for bit. The processes come from
a server that has loaded the libraries already, so that the moments fall into the work and not into imports.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import multiprocessing.context
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import vae
from vae import checkpoints, jobs, latents, runs
from vae.config import Config, Data, Model, Phase, Pretrain, Train
from vae.runs import Run

CLOCK = ("sentences_per_second", "tokens_per_second", "peak_share", "time_s", "memory_mb", "gpu_memory_mb")
"""Figures that two equal runs do not share."""


@dataclass(frozen=True)
class Death:
    """Where a kill has hit: seconds into the life, what the status said, what was saved, and the writing cut short."""

    after_s: float
    state: str
    phase: int
    step: int
    saved: int | None
    halves: tuple[str, ...]


def config(epochs: int = 6) -> Config:
    """A run of seconds with all three phases, noise, dropout, and a save at almost every check."""
    return Config(
        recipe="faults",
        data=Data(train_sentences=300, valid_sentences=40, test_sentences=20),
        model=Model(base="fresh", latent_size=6),
        pretrain=Pretrain(vocabulary=400, width=16, layers=2, heads=2, feed_forward=32, dropout=0.1, epochs=epochs / 3),
        phase1=Phase(epochs=epochs / 3, kl_weight=0.0, frozen=("embeddings", "projection", "decoder", "head")),
        phase2=Phase(epochs=epochs, kl_schedule="linear", free_bits_total=2.0, token_deletion=0.1),
        train=Train(
            batch_size=16, precision="fp32", threads=1, log_every=3, evals_per_epoch=4, eval_sentences=40, snapshots=4
        ),
    )


def live(path: Path) -> None:
    """A life of a trainer."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    from vae import recorder, trainer

    recorder.SAVING_SHARE = math.inf  # save at every check: the most moments to die at
    jobs.claim(Run(path))
    trainer.train(Run(path), progress=False)


def born(work: Callable[..., object], *args: object) -> BaseProcess:
    """Start a life, in a process that has the libraries already where the system can."""
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    if isinstance(context, multiprocessing.context.ForkServerContext):
        context.set_forkserver_preload(["vae.trainer", "sklearn.decomposition", "pyarrow.parquet"])
    process = context.Process(target=work, args=args)
    process.start()
    return process


def untroubled(run: Run) -> tuple[float, float]:
    """Train a run in one life: the seconds until its first event, and those until its end."""
    born(os.getpid).join()  # until the server has loaded the libraries
    begun, first = time.monotonic(), 0.0
    process = born(live, run.path)
    while process.exitcode is None:
        process.join(0.02)
        first = first or (time.monotonic() - begun if run.metrics_path.exists() else 0.0)
    if process.exitcode != 0:
        raise SystemExit(f"The untroubled run ended with {process.exitcode}: {run.status.message}")
    return first, time.monotonic() - begun


def killed(run: Run, kills: int, loading: float, seconds: float, chance: random.Random) -> list[Death]:
    """Train a run through so many deaths at random moments, and one last life to its end.

    `loading` and `seconds` are those of an untroubled run, which the moments are spread over. A life that ends before
    its moment is no death.
    """
    deaths: list[Death] = []
    while (status := run.status).state != "finished":
        process, left = born(live, run.path), kills - len(deaths)
        if left:
            to_go = (seconds - loading) * (1 - status.step / max(1, status.total_steps))
            moment = chance.uniform(0, loading + 2 * to_go / (left + 1))
            process.join(moment)
            if process.exitcode is None:
                process.kill()
                process.join()
                deaths.append(_examined(run, moment))
                continue
        process.join()
        if process.exitcode != 0:
            raise SystemExit(f"After {len(deaths)} deaths a life ended with {process.exitcode}: {run.status.message}")
    return deaths


def _examined(run: Run, moment: float) -> Death:
    """What a death has left: everything opens, or this raises."""
    assert run in runs.list_runs(run.path.parent)
    before, halves = run.status, tuple(path.name for path in run.path.rglob("*.partial"))
    status = jobs.reconcile(run)
    unheard = before.state == "queued" and before.pid is None  # it died before its first word
    assert unheard or status.state in ("failed", "finished"), status
    run.metrics(), run.samples()
    if (run.model_path / "config.json").exists():
        vae.load(run.path)
    for step in run.snapshots():
        vae.load(run.path, step)
    saved = checkpoints.read(run)
    return Death(moment, before.state, before.phase, before.step, saved[0].step if saved else None, halves)


def differences(run: Run, other: Run) -> list[str]:
    """What two runs do not have in common, but for the clock; nothing where all is equal to the last bit."""
    found = []
    for name in ("metrics", "samples"):
        ours, theirs = (
            [{key: value for key, value in event.items() if key not in CLOCK} for event in getattr(r, name)()]
            for r in (run, other)
        )
        if ours != theirs:
            found.append(name)
    files = {r: {path.relative_to(r.path) for path in r.path.rglob("*.safetensors")} for r in (run, other)}
    found += [f"{file} (missing)" for file in sorted(map(str, files[run] ^ files[other]))]
    for file in sorted(files[run] & files[other]):
        ours, theirs = load_file(run.path / file), load_file(other.path / file)
        if ours.keys() != theirs.keys() or any(ours[key].tobytes() != theirs[key].tobytes() for key in theirs):
            found.append(str(file))
    if not np.array_equal(latents.read_latents(run).means, latents.read_latents(other).means):
        found.append("latents.parquet")
    return found + [str(path.relative_to(run.path)) for path in run.path.rglob("*.partial")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as folder:
        alone, troubled = (Run.create(Path(folder) / name, config(9)) for name in ("alone", "troubled"))
        loading, seconds = untroubled(alone)
        deaths = killed(troubled, options.kills, loading, seconds, random.Random(options.seed))
        for death in deaths:
            print(
                f"  killed after {death.after_s:5.2f} s: {death.state}, phase {death.phase}, step {death.step}, "
                f"saved {death.saved}" + (f", in the middle of {', '.join(death.halves)}" if death.halves else "")
            )
        found = differences(troubled, alone)
        events, steps = len(alone.metrics()), alone.status.step
        print(f"{len(deaths)} deaths; left alone: {seconds:.1f} s, {steps} steps, {events} events")
        print(
            "Different: " + ", ".join(found) if found else "Metrics, samples, weights and codes are equal, bit for bit."
        )
    sys.exit(bool(found) or len(deaths) < options.kills)


if __name__ == "__main__":
    main()
