"""Runs are queued, moved, cloned and deleted from the command line, and one that ends starts the next."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vae import jobs, recipes, runs, trainer
from vae.config import Config
from vae.runs import Run, Status

Say = Callable[..., Any]
WAIT = (
    "import sys, time; from vae import jobs; from vae.runs import Run; run = Run(sys.argv[1]); jobs.claim(run)\n"
    "run.update_status(state='running'); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the place of the training command, a process that waits and is killed at the end."""
    monkeypatch.setattr(jobs, "_command", lambda run: [sys.executable, "-c", WAIT, str(run.path)])
    before = set(jobs._children)
    yield
    for pid in set(jobs._children) - before:
        child = jobs._children.pop(pid)
        child.kill()
        child.wait()


def running(name: str) -> Status:
    deadline = time.monotonic() + 10
    while (status := runs.find(name).status).state != "running":
        assert time.monotonic() < deadline, status
        time.sleep(0.01)
    return status


def finish(run: Run) -> Status:
    return run.update_status(state="finished", step=20, total_steps=20, message="")


def test_launching_puts_runs_into_the_queue(vae: Say) -> None:
    said = vae("launch", "--recipe", "plain-vae", "--set", "model.latent_size=7")
    status = running("plain-vae")
    assert said.out == f"plain-vae is training in process {status.pid}; `python -m vae runs` shows how.\n"
    assert runs.find("plain-vae").config == recipes.plain_vae().with_settings(["model.latent_size=7"])
    second = vae("launch", "--recipe", "plain-vae")
    assert "plain-vae-2 has place 1 in the queue. Next. `python -m vae queue` shows all." in second.out
    third = vae("launch", "--recipe", "plain-vae", "--next", "--json").document
    assert (third["place"], third["status"]["state"]) == (1, "queued")
    assert jobs.queue().waiting == ("plain-vae-3", "plain-vae-2")


def test_the_queue_is_shown_and_changed(vae: Say) -> None:
    assert vae("queue").out == "Nothing trains or waits.\n1 at once.\n"
    for name in ("a", "b", "c", "d"):
        jobs.launch(name, recipes.plain_vae())
    running("a")
    shown = vae("queue").out.splitlines()
    assert [line.split()[:3] for line in shown[1:5]] == [
        ["-", "a", "running"], ["1", "b", "waits"], ["2", "c", "waits"], ["3", "d", "waits"],
    ]  # fmt: skip
    assert shown[4].endswith("Waits behind b and c.")
    found = vae("queue", "--move", "d", "--to", "1", "--pause", "--json").document
    assert (found["at_once"], found["paused"]) == (1, True)
    assert [run["name"] for run in found["training"]] == ["a"]
    assert [(run["place"], run["name"], run["recipe"]) for run in found["waiting"]] == [
        (1, "d", "plain-vae"), (2, "b", "plain-vae"), (3, "c", "plain-vae"),
    ]  # fmt: skip
    assert vae("queue", "--at-once", "2").out.endswith("2 at once, paused.\n")
    assert len(vae("queue", "--go", "--json").document["training"]) == 2
    running("d")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("queue", "--at-once", "0"), "'0' is not a whole number from 1 to 64"),
        (("queue", "--move", "old"), "--move and --to go together"),
        (("queue", "--to", "1"), "--move and --to go together"),
        (("queue", "--move", "old", "--to", "1"), "old does not wait in the queue"),
        (("queue", "--pause", "--go"), "not allowed with"),
        (("delete", "old"), "Nothing brings back old: say --yes to delete."),
        (("delete", "old", "nothing", "--yes"), "no run 'nothing'"),
        (("launch", "--like", "nothing"), "no run 'nothing'"),
        (("launch", "--like", "old", "--set", "model.latent_size=0"), "latent_size=0 must be"),
        (("train", "--resume", "--run", "old", "--like", "old"), "keeps its configuration"),
    ],
)
def test_what_cannot_be_done_is_one_line(vae: Say, arguments: tuple[str, ...], complaint: str) -> None:
    Run.create(runs.root() / "old", recipes.plain_vae()).write_status(Status(state="finished"))
    said = vae(*arguments)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert complaint in said.err
    assert [run.name for run in runs.list_runs()] == ["old"]


def test_deleting(vae: Say) -> None:
    for name in ("a", "b", "c"):
        jobs.launch(name, recipes.plain_vae())
    running("a")
    assert vae("delete", "b", "c", "--yes").out == "Deleted: b, c.\n"
    assert jobs.queue().waiting == ()
    assert "a is running and cannot be deleted: stop it first" in vae("delete", "a", "--yes").err
    assert [run.name for run in runs.list_runs()] == ["a"]


def test_a_run_like_another(vae: Say) -> None:
    """What differs is said; with a recipe, what the run changed in its own is done to that one."""
    jobs.set_queue(paused=True)
    like = recipes.get("two-phase").with_settings(["model.latent_size=7", "train.seed=3", "data.train_sentences=50"])
    Run.create(runs.root() / "mine", like)
    said = vae("launch", "--like", "mine", "--set", "phase2.frozen=decoder,head", "--set", "data.train_sentences=none")
    expected = like.with_settings(["phase2.frozen=decoder,head", "data.train_sentences=none"])
    assert runs.find("mine-2").config == expected
    assert "mine-2 is like mine, but for data.train_sentences=none, phase2.frozen=decoder,head." in said.err
    assert "As mine." in vae("launch", "--like", "mine").err
    assert runs.find("mine-3").config == like

    said = vae("launch", "--like", "mine", "--recipe", "plain-vae", "--base", "fresh")
    changed = ["model.latent_size=7", "train.seed=3", "data.train_sentences=50", "model.base=fresh"]
    assert runs.find("plain-vae").config == recipes.plain_vae().with_settings(changed)
    assert "recipe=plain-vae" in said.err
    assert "model.base=fresh" in said.err
    assert "latent_size" not in said.err


def test_resuming_a_run_that_must_wait(vae: Say) -> None:
    jobs.launch("first", recipes.plain_vae())
    running("first")
    Run.create(runs.root() / "old", recipes.plain_vae()).write_status(Status(state="stopped", step=8))
    said = vae("resume", "old")
    assert "old has place 1 in the queue. Next." in said.out
    stopped = vae("stop", "old")
    assert "old is stopped: Taken out of the queue; resume starts from the beginning." in stopped.out


@pytest.mark.parametrize("end", ["finished", "refused", "stopped before it began"])
def test_whatever_way_a_run_ends_the_next_one_starts(vae: Say, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """With no app open, and with the number of threads that the next one was to have."""
    seen: list[str | None] = []
    begin = jobs._begin
    monkeypatch.setattr(jobs, "_begin", lambda *given: seen.append(os.environ.get("OMP_NUM_THREADS")) or begin(*given))

    def train(run: Run, **_: Any) -> Status:
        seen.append(os.environ["OMP_NUM_THREADS"])
        waiting = jobs.launch("waiting", Config.from_dict(run.config.to_dict()))
        assert jobs.reconcile(waiting).message == "Next."
        if end == "refused":
            raise ValueError("The text is empty.")
        return finish(run)

    monkeypatch.setattr(trainer, "train", train)
    if end == "stopped before it began":
        monkeypatch.setattr(jobs, "heed", train)
    said = vae("train", "--recipe", "plain-vae", "--set", "train.threads=5")
    assert said.status == (2 if end == "refused" else 0)
    running("waiting")
    assert seen == ["5", "1"]
    assert jobs.queue().waiting == ()
    assert [run.name for run in runs.list_runs()] == ["waiting"] + ["plain-vae"] * (end != "refused")


def test_a_run_that_cannot_even_load_says_so_and_makes_room(vae: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(runs.root() / "old", recipes.plain_vae())

    def train(run: Run, **_: Any) -> Status:
        raise ModuleNotFoundError("No module named 'accelerate'")

    monkeypatch.setattr(trainer, "train", train)
    assert vae("train", "--run", str(run.path), "--resume").status == 2
    message = "Training did not begin (No module named 'accelerate'); resume starts from the beginning."
    assert (run.status.state, run.status.pid, run.status.message) == ("failed", None, message)


def test_that_the_queue_is_damaged_does_not_keep_anybody_from_their_list(vae: Say) -> None:
    Run.create(runs.root() / "old", recipes.plain_vae()).write_status(Status(state="finished"))
    (runs.root() / "queue.json").write_text("{", encoding="utf-8")
    said = vae("runs", "--json")
    assert (said.status, said.document[0]["state"]) == (0, "finished")
    assert "the queue does not go on" in said.err
    assert "queue.json is damaged" in said.err
