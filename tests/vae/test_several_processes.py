"""Several processes train one run: the same losses as one, one writer, one message, and nobody is left hanging.

The processes are real and talk by gloo. They come from a server that has loaded the libraries once; one test goes
through `torchrun` itself.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from vae import base, batching, checkpoints, cli, jobs, latents, recorder, runs, trainer
from vae.batching import Batch
from vae.config import Config, Phase
from vae.runs import Run

MakeConfig = Callable[..., Config]
Mischief = Callable[[int, Run], None]

PATIENCE = 120
"""Seconds for a run of seconds."""
PROMPT = 30
"""Seconds for a failure at step 20 to end all, loading and a busy machine included; a lost peer is waited for 1,800."""
FROZEN = ("embeddings", "projection", "decoder", "head")


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, and what it wrote on standard error."""

    code: int | None
    words: str


def together(run: Run, count: int, mischief: Mischief | None = None) -> list[Ended]:
    """Train a run in so many processes, by the command that a launcher would give."""
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        context.set_forkserver_preload(["vae.trainer", "vae.cli.training"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    crew = [context.Process(target=member, args=(rank, count, port, run, mischief)) for rank in range(count)]
    for process in crew:
        process.start()
    deadline = time.monotonic() + PATIENCE
    for process in crew:
        process.join(max(0.0, deadline - time.monotonic()))
    hanging = [process.exitcode is None for process in crew]
    for process in crew:
        process.kill()
        process.join()
    ends = [Ended(process.exitcode, words(run, rank)) for rank, process in enumerate(crew)]
    assert not any(hanging), ends
    return ends


def words(run: Run, rank: int) -> str:
    path = run.path.parent / f"{run.name}-{rank}.txt"
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def member(rank: int, count: int, port: int, run: Run, mischief: Mischief | None) -> None:
    """One of the processes."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()} | {"MASTER_ADDR": "127.0.0.1"})
    os.environ["OMP_NUM_THREADS"] = "1"
    with (run.path.parent / f"{run.name}-{rank}.txt").open("wb", buffering=0) as log:
        os.dup2(log.fileno(), 2)
    if mischief:
        mischief(rank, run)
    sys.exit(cli.main(["train", "--run", str(run.path), "--resume"]))


def at_step(step: int, act: Callable[[], None]) -> None:
    """Have this process do something on its way into a step."""
    rate = trainer.stage_learning_rate

    def watch(config: Config, stage: Any, before: int) -> float:
        if before == step:
            act()
        return rate(config, stage, before)

    trainer.stage_learning_rate = watch  # type: ignore[assignment]


def without_dropout(config: Config) -> Config:
    """Steps that do not depend on how many processes take them: phases 0, 1 with frozen parts, 2 with everything."""
    return replace(
        config,
        pretrain=replace(config.pretrain, dropout=0.0),
        phase1=Phase(epochs=3, kl_weight=0.0, token_deletion=0.2, frozen=FROZEN),
        phase2=Phase(
            epochs=2, kl_schedule="linear", free_bits_per_dimension=0.2, token_deletion=0.2, learning_rate=2e-3
        ),
        train=replace(config.train, log_every=1, evals_per_epoch=1, clip_norm=1.0),
    )


@pytest.fixture(scope="module")
def config(corpus_file: Path, make_config: MakeConfig) -> Config:
    return without_dropout(make_config(f"file:{corpus_file}"))


@pytest.fixture
def make_run(tmp_path: Path, config: Config) -> Callable[..., Run]:
    """A queued run of this configuration: `make_run(name="run", **train settings)`."""

    def make(name: str = "run", **settings: Any) -> Run:
        return Run.create(tmp_path / name, replace(config, train=replace(config.train, **settings)))

    return make


@pytest.fixture(scope="module")
def one(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The finished run of one process."""
    return alone(Run.create(tmp_path_factory.mktemp("one") / "one", config))


def alone(run: Run) -> Run:
    assert trainer.train(run, progress=False).state == "finished"
    return run


def same_losses(run: Run, one: Run) -> None:
    """The events of both in one order, each figure within 1e-5 of its size, or of a nat."""
    ours, theirs = run.metrics(), one.metrics()
    assert [(e["split"], e["phase"], e["step"]) for e in ours] == [(e["split"], e["phase"], e["step"]) for e in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.keys() == other.keys()
        for name in ("denoising_nats", "rec_nats", "kl_nats", "kl_charged_nats", "neg_elbo_nats", "learning_rate"):
            if name in mine:
                assert mine[name] == pytest.approx(other[name], rel=1e-5, abs=1e-5), (name, mine["step"], mine["split"])


# ------------------------------------------------------------------------------------------------------ the same losses


@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_take_the_steps_of_one(make_run: Callable[..., Run], one: Run, count: int) -> None:
    """42 steps over three phases. The last batch of an epoch has 9 sentences: 5 and 4, or 3 each."""
    run = make_run()
    assert [end.code for end in together(run, count)] == [0] * count
    assert (run.status.state, run.env["processes"]) == ("finished", count)
    assert [event["step"] for event in run.metrics() if event["split"] == "train"] == list(range(1, 43))
    same_losses(run, one)
    for name, tensor in load_file(one.model_path / "model.safetensors").items():
        ours = load_file(run.model_path / "model.safetensors")[name]
        torch.testing.assert_close(ours, tensor, rtol=1e-3, atol=1e-4, msg=name)
    assert latents.read_latents(run).frame["text"].tolist() == latents.read_latents(one).frame["text"].tolist()


def test_a_batch_may_be_smaller_than_the_processes_are_many(make_run: Callable[..., Run]) -> None:
    """The last batch of each epoch is one sentence: the second process has none, and waits for nobody."""
    settings = {"batch_size": 26}
    run, one = make_run(**settings), alone(make_run("one", **settings))
    assert [end.code for end in together(run, 2)] == [0, 0]
    assert run.status.total_steps == 5 * 6
    same_losses(run, one)


@pytest.mark.parametrize(
    "settings",
    [
        {"kl_target": 3.0},
        {"free_bits_per_dimension": 0.1, "free_bits_over": "batch", "aggressive_updates": 12},
        {"importance_samples": 3, "word_dropout": 0.3},
    ],
)
def test_what_is_decided_for_all_is_decided_alike(config: Config, tmp_path: Path, settings: dict[str, Any]) -> None:
    """Means over the batch, rules, a new decoder: two processes, the second at times with no sentence of its own."""
    patient: dict[str, Any] = {"learning_rate_schedule": "patience", "patience": 0.5, "patience_decays": 2}
    both = replace(
        config,
        phase1=Phase(epochs=1, kl_weight=0.0, learning_rate=0.05),
        phase2=Phase(epochs=3, learning_rate=0.05, decoder="reset", **patient, **settings),
        train=replace(config.train, batch_size=26, optimizer="sgd"),  # AdamW makes much of rounding
    )
    one, run = alone(Run.create(tmp_path / "one", both)), Run.create(tmp_path / "run", both)
    assert [end.code for end in together(run, 2)] == [0, 0]
    same_losses(run, one)
    assert run.status.step == one.status.step


def test_with_dropout_processes_draw_apart_and_train_as_well(trained_run: Run, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", trained_run.config)
    together(run, 2)
    ours, theirs = (
        [e["rec_nats"] for e in r.metrics() if e["phase"] and e["split"] == "valid"] for r in (run, trained_run)
    )
    assert ours != theirs
    assert ours == pytest.approx(theirs, rel=0.05)


@pytest.mark.parametrize(("first", "then", "step"), [(2, 1, 39), (1, 2, 20)])
def test_a_run_goes_on_in_another_number_of_processes(
    make_run: Callable[..., Run], first: int, then: int, step: int
) -> None:
    """Stopped in phase 2 and in phase 1, between two training events, whose sums go on, too."""
    run, one = make_run(log_every=7), alone(make_run("one", log_every=7))
    together(run, first, Stop(step))
    assert (run.status.state, run.status.step) == ("stopped", step)
    together(run, then)
    assert (run.status.state, run.env["processes"]) == ("finished", then)
    same_losses(run, one)


@dataclass(frozen=True)
class Stop:
    """The lead finds the wish to stop when so many steps are done."""

    step: int

    def __call__(self, rank: int, run: Run) -> None:
        if rank == 0:
            at_step(self.step - 1, run.stop_path.touch)


@pytest.mark.parametrize(
    ("rows", "weights", "factors"),
    [(5, "sentences", [6 / 5, 4 / 5]), (1, "sentences", [2.0, 0.0]), (5, "tokens", None)],
)
def test_the_shares_of_the_processes_are_the_batch(
    tokenizer: Any, sentences: list[str], rows: int, weights: str, factors: list[float] | None
) -> None:
    """Each sentence is in one share, with the noise it has in the whole; the weighted means have the mean of all."""
    batch = batching.tokenize(tokenizer, sentences, 48).batch(range(0, 15 * rows, 15))
    source, eps = batching.delete_tokens(batch, 0.3, 0), torch.randn(rows, 4)
    whole = trainer.Noisy(source, batch, eps)
    shares = [trainer._share(whole, process, 2, by_token=weights == "tokens") for process in (0, 1)]
    if factors:
        assert [factor for _, factor in shares] == pytest.approx(factors)
    seen = [share for share, factor in shares if factor]
    assert sorted(map(tuple, torch.cat([share.eps for share in seen]).tolist())) == sorted(map(tuple, eps.tolist()))
    pairs = {tuple(e.tolist()): (unpadded(source, i), unpadded(batch, i)) for i, e in enumerate(eps)}
    for share in seen:
        for i, e in enumerate(share.eps):
            assert (unpadded(share.source, i), unpadded(share.target, i)) == pairs[tuple(e.tolist())]
        assert share.target.mask.sum(1).max() == share.target.ids.shape[1]

    def mean(noisy: trainer.Noisy) -> float:
        return float((noisy.target.ids * noisy.target.mask).sum() / (
            noisy.target.mask.sum() if weights == "tokens" else len(noisy.eps)
        ))  # fmt: skip

    assert sum(mean(share) * factor for share, factor in shares) / 2 == pytest.approx(mean(whole))


def unpadded(batch: Batch, row: int) -> list[int]:
    return batch.ids[row][batch.mask[row]].tolist()


# ------------------------------------------------------------------------------------------- ending together, in a word


def lost_file(rank: int, run: Run) -> None:
    """The corpus is not where the run says."""
    Path(run.config.data.corpus.removeprefix("file:")).unlink(missing_ok=True)


def fails(rank: int, run: Run) -> None:
    """The second process alone fails in step 20."""
    if rank == 1:
        at_step(20, raise_(RuntimeError("the second has no more of it")))


def raise_(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def has_no_base(rank: int, run: Run) -> None:
    """The second process alone, as on another host, does not find what to start from."""
    if rank == 1:
        base.fresh_t5 = raising(ValueError("The folder 'there' is not here: share it."))  # type: ignore[assignment]


def raising(error: Exception) -> Callable[..., None]:
    def call(*_: Any, **__: Any) -> None:
        raise error

    return call


def vanishes(rank: int, run: Run) -> None:
    """The second process is killed in step 20."""
    if rank == 1:
        at_step(20, lambda: os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM)))


def lead_vanishes(rank: int, run: Run) -> None:
    if rank == 0:
        at_step(20, lambda: os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM)))


def explodes(rank: int, run: Run) -> None:
    """The loss of step 20 is not finite, in the share of the second process."""
    objective, steps = trainer._objective, [0]

    def poisoned(*args: Any, **counts: bool) -> Any:
        nats, sums = objective(*args, **counts)
        steps[0] += 1
        return nats * (math.nan if rank == 1 and steps[0] == 21 else 1.0), sums

    trainer._objective = poisoned


def cannot_save(rank: int, run: Run) -> None:
    """The lead fails at its first save, where the others are not."""
    checkpoints.save = raising(ValueError("There is no saving this."))  # type: ignore[assignment]


FAILURES: dict[str, tuple[Mischief, str, str]] = {
    "bad corpus": (lost_file, "does not exist", "lead"),
    "one process fails": (fails, "Process 2 of 2 failed: the second has no more of it", "its traceback"),
    "one process cannot load": (has_no_base, "Process 2 of 2 failed: The folder 'there' is not here", "lead"),
    "one process is killed": (vanishes, "Another process of this run is gone", "lead"),
    "not finite": (explodes, "The loss is not finite at step 20 of phase 1", "lead"),
    "the lead cannot save": (cannot_save, "There is no saving this.", "lead"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_of_one_ends_all_within_seconds_with_one_message(
    make_run: Callable[..., Run], tmp_path: Path, corpus_file: Path, failure: str
) -> None:
    mischief, message, spoken = FAILURES[failure]
    run = make_run()
    if failure == "bad corpus":
        corpus = tmp_path / "gone.tsv"
        run = Run.create(tmp_path / "bad", replace(run.config, data=replace(run.config.data, corpus=f"file:{corpus}")))
    begun = time.monotonic()
    lead, other = together(run, 2, mischief)
    assert time.monotonic() - begun < PROMPT
    assert lead.code == 2
    assert other.code not in (0, None)
    status = run.status
    assert status.state == "failed"
    assert message in status.message
    assert message in lead.words
    assert lead.words.count("error:") == 1
    assert "Traceback" not in lead.words
    if spoken == "lead":
        assert "error:" not in other.words
        assert "Traceback" not in other.words
    else:
        assert "Traceback" in other.words
        assert "the second has no more of it" in other.words
    log = run.log_path.read_text(encoding="utf-8")
    assert log.count("Failed: ") == 1
    assert "Connection closed" not in status.message + log


def test_when_the_lead_is_killed_the_others_end_and_the_run_resumes(make_run: Callable[..., Run]) -> None:
    run, one = make_run(), alone(make_run("one"))
    begun = time.monotonic()
    lead, other = together(run, 2, lead_vanishes)
    assert time.monotonic() - begun < PROMPT
    assert lead.code not in (0, 2)
    assert other.code == 2
    assert "Traceback" not in other.words
    assert jobs.reconcile(run).state == "failed"
    together(run, 2)
    assert run.status.state == "finished"
    same_losses(run, one)


def asked_to_end(rank: int, run: Run) -> None:
    if rank == 1:
        at_step(20, lambda: os.kill(os.getpid(), signal.SIGTERM))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch; there the stop file does its work")
def test_a_signal_to_any_process_stops_all(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert [end.code for end in together(run, 2, asked_to_end)] == [0, 0]
    assert (run.status.state, run.status.step) == ("stopped", 21)


def only_reads(rank: int, run: Run) -> None:
    """The others may look at the run directory, and must not write there."""
    if rank == 0:
        return
    for name in ("write_bytes", "append_line", "swap"):
        setattr(runs, name, raising(AssertionError("written by the second process")))
    transformers.PreTrainedTokenizerFast.save_pretrained = raising(AssertionError("written by the second process"))
    for name in ("save", "save_model", "write_tensors"):
        setattr(checkpoints, name, raising(AssertionError("written by the second process")))
    opened = Path.open

    def watched(self: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        assert set(mode) <= set("rbt") or run.path not in self.parents, self
        return opened(self, mode, *args, **more)

    Path.open = watched  # type: ignore[method-assign, assignment]
    recorder.Recorder.report = only_for_the_lead(recorder.Recorder.report)  # type: ignore[method-assign]


def only_for_the_lead(method: Callable[..., None]) -> Callable[..., None]:
    def call(self: recorder.Recorder, *args: Any) -> None:
        assert not self.main
        method(self, *args)

    return call


def test_one_process_writes(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert [end.code for end in together(run, 2, only_reads)] == [0, 0]
    assert run.status.state == "finished"


# ------------------------------------------------------------------------------------------------------ from a launcher


def test_torchrun_makes_and_trains_a_run(corpus_file: Path, tmp_path: Path) -> None:
    """The command of the README, from nothing to a finished run."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    small = ["pretrain.width=16", "pretrain.heads=2", "pretrain.epochs=1", "phase1.epochs=1", "phase2.epochs=1",
             "pretrain.vocabulary=320", "model.latent_size=6", "train.batch_size=16"]  # fmt: skip
    settings = [word for setting in small for word in ("--set", setting)]
    run = Run(tmp_path / "run")
    command = [*launcher, "vae", "train", "--recipe", "two-phase", "--base", "fresh", "--data", f"file:{corpus_file}"]
    done = subprocess.run(
        [*command, "--run", str(run.path), *settings], check=False, capture_output=True, timeout=240, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run is finished") == 1
    assert (run.status.state, run.status.step, run.env["processes"]) == ("finished", 21, 2)
    latents.read_latents(run)
