"""The process of a run: stopped, resumed and claimed from the command line; and one tiny run from beginning to end."""

import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vae import jobs, machine, recipes, runs
from vae.cli import shared
from vae.runs import Run, Status, append_line

TINY = ["--recipe", "plain-vae", "--base", "fresh"] + [
    f"--set={setting}"
    for setting in (
        *("pretrain.vocabulary=400", "pretrain.width=8", "pretrain.layers=1", "pretrain.heads=2"),
        *("pretrain.feed_forward=8", "pretrain.epochs=0.1", "phase2.epochs=0.5", "model.latent_size=3"),
        *("train.batch_size=16", "train.evals_per_epoch=0.5", "train.snapshots=0", "train.log_every=1"),
        *("train.threads=1", "train.precision=fp32"),
    )
]
"""A run of a few steps, which learns nothing."""

Say = Callable[..., Any]
MakeRun = Callable[..., Run]


def test_stop_waits_and_says_what_came_of_it(vae: Say, make: MakeRun) -> None:
    make("idle", step=5)
    assert vae("stop", "idle").out == "idle is not in training: it is finished at step 5.\n"
    make("queued", state="queued", heartbeat=time.time())
    assert vae("stop", "queued").out == "queued is stopped: Taken out of the queue; resume starts from the beginning.\n"
    run = make("busy")
    run.update_status(state="running", pid=os.getpid(), process_started=None)
    assert vae("stop", "busy", "--wait", "0").out == "busy has been asked to stop, and is still saving.\n"
    assert run.stop_path.exists()

    def obey() -> None:
        time.sleep(0.3)
        run.update_status(state="stopped", message="Stopped at step 3.")

    thread = threading.Thread(target=obey)
    thread.start()
    said = vae("stop", "busy", "--json")
    thread.join()
    assert said.document["status"]["state"] == "stopped"


def test_stop_leaves_nothing_in_a_run_that_does_not_train(vae: Say, make: MakeRun) -> None:
    run = make("done", step=5)
    before = {path: path.stat().st_mtime_ns for path in runs.root().rglob("*")}
    assert vae("stop", "done", "--json").document["status"]["state"] == "finished"
    assert {path: path.stat().st_mtime_ns for path in runs.root().rglob("*")} == before
    assert run.exists


def test_resume_starts_a_process(vae: Say, make: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make("one", state="stopped", step=8)
    monkeypatch.setattr(jobs, "_command", lambda run: [sys.executable, "-c", "import time; time.sleep(600)"])
    said = vae("resume", "one")
    assert said.status == 0
    pid = run.status.pid
    assert pid
    assert said.out.startswith(f"one goes on from step 8 in process {pid};")
    child = jobs._children.pop(pid)
    child.kill()
    child.wait(10)


def test_a_process_that_dies_at_once_is_said_to_have_died(
    vae: Say, make: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("one", state="stopped", step=8)

    def dead(run: Run) -> Status:
        return run.update_status(state="failed", pid=None, message="It died.")

    monkeypatch.setattr(jobs, "resume", lambda run, first: run)
    monkeypatch.setattr(jobs, "reconcile", dead)
    assert vae("resume", "one").out == "one could not go on. It died.\n"
    assert run.status.state == "failed"


def test_training_is_quiet_work(vae: Say, figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are set before torch is loaded, the priority is lowered, the run claimed, and then it trains."""
    from vae import trainer

    order: list[Any] = []
    monkeypatch.setattr(machine, "lower_priority", lambda: order.append("priority"))
    monkeypatch.setattr(machine, "trainer_threads", lambda: 7)
    for variable in shared.THREAD_VARIABLES:
        monkeypatch.delenv(variable)

    def train(run: Run, **_: Any) -> Status:
        order.append([os.environ[variable] for variable in shared.THREAD_VARIABLES])
        order.append((run.status.state, run.status.pid))
        append_line(run.metrics_path, figures)
        return run.update_status(state="finished", step=20, total_steps=20, message="")

    monkeypatch.setattr(trainer, "train", train)
    said = vae("train", "--recipe", "plain-vae", "--set", "train.log_every=3", "--json")
    assert order == ["priority", ["7"] * 4, ("queued", os.getpid())]
    assert said.document["run"] == str(runs.root() / "plain-vae")
    assert (said.document["status"]["state"], said.document["figures"]) == ("finished", figures)
    assert runs.find("plain-vae").config == recipes.get("plain-vae").with_settings(["train.log_every=3"])
    words = vae("train", "--recipe", "plain-vae", "--set", "train.threads=2")
    assert order[-2:] == [["2"] * 4, ("queued", os.getpid())]
    assert words.out.startswith("plain-vae-2 is finished: 20 steps in all.\n")
    assert "Dimensions in use" in words.out
    assert "1.23e+04" in words.out


def test_a_stop_that_came_while_loading_is_heeded(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    from vae import trainer

    claim = jobs.claim

    def claim_and_be_stopped(run: Run) -> bool:
        expected = claim(run)
        assert jobs.stop(run).state == "stopping"
        return expected

    monkeypatch.setattr(jobs, "claim", claim_and_be_stopped)
    monkeypatch.setattr(trainer, "train", lambda run, **_: pytest.fail("it trained"))
    said = vae("train", "--recipe", "plain-vae")
    assert said.status == 0
    assert "plain-vae is stopped: Stopped before training began; resume starts from the beginning." in said.out
    assert "Go on with: python -m vae train --run" in said.out
    assert runs.find("plain-vae").status.state == "stopped"
    assert not runs.find("plain-vae").stop_path.exists()


def test_a_start_that_failed_leaves_nothing_but_one_that_trained_stays(
    vae: Say, figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = vae("train", "--run", "mine", "--data", "file:nothing.txt", *TINY)
    assert said.status == 2
    assert said.err == "error: nothing.txt does not exist: check the path.\n"
    assert not Path("mine").exists()
    from vae import trainer

    def diverge(run: Run, **_: Any) -> Status:
        append_line(run.metrics_path, figures)
        run.update_status(state="failed")
        raise ValueError("The loss is not finite at step 3.")

    monkeypatch.setattr(trainer, "train", diverge)
    assert vae("train", "--run", "mine", "--json").status == 2
    assert Run("mine").status.state == "failed"


NOT_LOADED = [
    (("--data", "file:missing.csv"), "missing.csv does not exist"),
    (("--data", "file:body.csv"), "no column `text`"),
    (("--data", "file:one.txt"), "1 distinct sentence"),
    (("--data", "file:latin.txt"), "is not UTF-8"),
    (("--data", "nope"), "Unknown corpus 'nope'"),
    (("--set", "data.corpus=nope"), "Unknown corpus 'nope'"),
    (("--data", "hub:no/such"), "no/such"),
    (("--data", "hub:damaged"), "JSON"),
    (("--base", "/nope"), "'/nope' could not be loaded"),
    (("--like", "old", "--data", "file:missing.csv"), "missing.csv does not exist"),
]


@pytest.mark.parametrize(("words", "complaint"), NOT_LOADED, ids=[" ".join(words) for words, _ in NOT_LOADED])
def test_what_cannot_be_loaded_is_one_line(
    vae: Say, make: MakeRun, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], complaint: str
) -> None:
    """Also where the configuration gives cause for a note: nothing is said of a training that will not be."""
    from vae.corpora import hub

    monkeypatch.setattr(hub, "_unreachable", lambda: "no network")
    make("old")
    Path("body.csv").write_text("body,label\na,b\n", encoding="utf-8")
    Path("one.txt").write_text("only one\n", encoding="utf-8")
    Path("latin.txt").write_bytes(b"caf\xe9\n")
    Path("damaged").mkdir()
    Path("damaged/train.jsonl").write_text('{"text":', encoding="utf-8")
    idle = ("--set", "train.optimizer=sgd", "--set", "train.weight_decay=0.5")
    said = vae("train", "--run", "new", "--recipe", "plain-vae", *idle, *words)
    assert re.search(complaint, said.complaint)
    assert not Path("new").exists()


def test_several_processes_of_one_run(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first makes the run and answers for it; the others wait for it and keep quiet."""
    from vae import trainer

    trained: list[Run] = []

    def train(run: Run, **_: Any) -> Status:
        trained.append(run)
        return run.update_status(state="finished")

    monkeypatch.setattr(trainer, "train", train)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert "needs --run" in vae("train").err
    assert vae("train", "--run", "shared", "--set", "train.seed=5").status == 0
    owner = Run("shared").status.pid
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(jobs, "claim", lambda run: pytest.fail("claimed twice"))
    assert vae("train", "--run", "shared", "--set", "train.seed=5") == (0, "", "")
    assert vae("train", "--run", "shared", "--set", "train.seed=5", "--json") == (0, "", "")
    assert trained == [Run("shared")] * 3
    assert Run("shared").status.pid == owner


def test_a_run_from_beginning_to_end(vae: Say, text_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped on the way, resumed, evaluated; the process is this one."""
    from vae import corpora

    load = corpora.load

    def load_while_somebody_stops_the_run(*given: Any, **named: Any) -> Any:
        assert jobs.stop(Run("tiny")).state == "stopping"
        return load(*given, **named)

    monkeypatch.setattr(corpora, "load", load_while_somebody_stops_the_run)
    said = vae("train", "--run", "tiny", "--data", f"file:{text_file}", *TINY)
    assert said.status == 0, said.err
    assert said.out.startswith("tiny is stopped: Stopped at step 1 of 3; resume goes on from there.\n")
    assert said.err == "Training plain-vae in tiny. Ctrl-C saves and stops.\n"
    assert "Go on with: python -m vae train --run tiny --resume" in said.out
    text_file.unlink()  # the run keeps what it needs

    said = vae("train", "--run", "tiny", "--resume", "--json")
    assert said.status == 0, said.err
    assert said.document["status"]["state"] == "finished"
    assert said.document["figures"]["phase"] == 2
    assert vae("train", "--run", "tiny", "--resume").status == 2

    report = vae("evaluate", "tiny", "--samples", "2", "--json").document
    assert (report["samples"], report["active_units"] <= 3) == (2, True)
    assert report["neg_elbo_nats"] == pytest.approx(report["rec_nats"] + report["kl_nats"])
    table = vae("evaluate", "tiny", "--split", "train").out
    assert "KL " in table
    assert " nats" in table


def test_a_detached_run_and_its_resumption(vae: Say, text_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real training command, started from a folder that is not the project's, as the app starts it."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    config = recipes.get("plain-vae").with_settings(
        [f"data.corpus=file:{text_file}", "model.base=fresh", *(word[6:] for word in TINY if word.startswith("--set="))]
    )
    run = jobs.launch("detached", config)
    deadline = time.monotonic() + 120
    while (status := jobs.reconcile(run)).state in runs.ACTIVE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    log = run.log_path.read_text(encoding="utf-8")
    assert status.state == "finished", log
    assert "Traceback" not in log
    assert "Finished." in log
    with contextlib.suppress(KeyError):
        jobs._children.pop(status.pid or 0).wait(30)
    assert vae("runs", "--json").document[0]["state"] == "finished"


def test_pretraining_makes_a_base(vae: Say, text_file: Path) -> None:
    settings = [word for word in TINY if word.startswith(("--set=pretrain", "--set=train"))]
    said = vae("pretrain", "--out", "base", "--data", f"file:{text_file}", *settings, "--set=pretrain.epochs=1")
    assert said.status == 0, said.err
    assert said.out == "The T5 is in base. Start from it with: python -m vae train --base base\n"
    assert (Path("base") / "model.safetensors").is_file()
