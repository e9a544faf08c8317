"""What is said of a training process that has ended without a word, and of one that only seems so."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from tests.vae.jobs.trainers import CLAIM, TRAIN, Stand, full, gone, wait_for
from vae import jobs
from vae.runs import Run, Status

# ------------------------------------------------------------------------------------------------- death and its truth


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL; TerminateProcess is tested as kill() below")
def test_a_killed_process_leaves_a_failed_run_and_no_zombie(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    jobs.start(run)
    pid = wait_for(run, "running").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    status = jobs.reconcile(run)
    assert status.state == "failed"
    assert re.fullmatch(
        r"The process was killed \(signal 9, SIGKILL, most often because memory ran out\) at step 120 "
        r"\(last heard of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\); resume starts from the beginning\.",
        status.message,
    )
    assert (status.pid, status.eta_s, status.step) == (None, None, 120)
    assert run.status == status
    assert not psutil.pid_exists(pid)
    run.state_path.mkdir()
    (run.state_path / "state.json").touch()
    jobs.resume(run)
    pid = wait_for(run, "running").pid or 0
    jobs._children[pid].kill()
    gone(pid)
    assert jobs.reconcile(run).message.endswith("resume continues from the last saved state.")


def test_a_zombie_of_another_parent_is_dead(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    jobs.start(run)
    pid = wait_for(run, "running").pid or 0
    child = jobs._children.pop(pid)  # as if the module had been loaded anew
    child.kill()
    gone(pid)
    assert jobs.reconcile(run).state == "failed"
    child.wait()


def test_a_process_asked_to_stop_that_dies_is_stopped(run: Run, stand_in: Stand) -> None:
    stand_in(CLAIM + "run.update_status(state='running', step=3); time.sleep(60)")
    jobs.start(run)
    pid = wait_for(run, "running").pid or 0
    assert jobs.stop(run).state == "stopping"
    assert jobs.reconcile(run).state == "stopping"
    jobs._children[pid].kill()
    gone(pid)
    status = jobs.reconcile(run)
    assert (status.state, status.message) == ("stopped", "Stopped after step 3; resume starts from the beginning.")
    assert not run.stop_path.exists()


def test_a_pid_that_now_belongs_to_another_process(run: Run) -> None:
    mine = psutil.Process().create_time()
    run.write_status(Status(state="running", pid=os.getpid(), process_started=mine, step=5))
    assert jobs.reconcile(run).state == "running"
    run.write_status(Status(state="running", pid=os.getpid(), process_started=mine - 100, step=5))
    assert jobs.reconcile(run).state == "failed"
    assert run.status.state == "failed"


def test_a_pid_of_nobody(run: Run) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    run.write_status(Status(state="running", pid=process.pid, process_started=time.time()))
    assert jobs.reconcile(run).message.startswith("The process ended without notice before its first step;")
    run.write_status(Status(state="running", pid=process.pid, process_started=time.time()))
    assert jobs.stop(run).state == "failed"


def test_a_queued_run_gets_time_for_its_process_to_appear(run: Run) -> None:
    assert jobs.reconcile(run).state == "queued"
    run.write_status(replace(run.status, heartbeat=time.time() - jobs.GRACE - 1))
    status = jobs.reconcile(run)
    assert (status.state, status.message) == ("failed", "The training process was never started; resume starts it.")


def test_stopping_a_queued_run_that_has_no_process(run: Run, stand_in: Stand) -> None:
    status = jobs.stop(run)
    assert (status.state, run.status.state) == ("stopped", "stopped")
    assert not run.stop_path.exists()
    stand_in(TRAIN)
    jobs.resume(run)
    wait_for(run, "running")


def test_reconciling_leaves_what_has_ended_alone(run: Run) -> None:
    for state in ("stopped", "finished", "failed"):
        status = Status(state=state, pid=1, process_started=1.0, message="as it was")  # type: ignore[arg-type]
        run.write_status(status)
        before = (run.path / "status.json").stat().st_mtime_ns
        assert jobs.reconcile(run) == jobs.stop(run) == status
        assert (run.path / "status.json").stat().st_mtime_ns == before


def test_a_run_that_died_can_be_deleted_at_once(run: Run) -> None:
    run.write_status(Status(state="running", pid=os.getpid(), process_started=1.0))
    jobs.delete(run)
    assert not run.path.exists()


def test_the_truth_is_told_even_if_it_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.write_status(Status(state="running", pid=os.getpid(), process_started=1.0, step=5))
    monkeypatch.setattr(Run, "write_status", full)
    assert jobs.reconcile(run).state == "failed"
    assert run.status.state == "running"


def test_a_process_that_ends_in_good_order_while_somebody_looks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status that was read first is old by the time that its process is found gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    old = Status(state="running", pid=process.pid, process_started=time.time(), step=9)
    run.write_status(old)
    lost = jobs._lost

    def finish_first(run: Run, status: Status) -> bool:
        run.write_status(Status(state="finished", step=10))
        return lost(run, status)

    monkeypatch.setattr(jobs, "_lost", finish_first)
    assert jobs.reconcile(run) == Status(state="finished", step=10)


# ------------------------------------------------------------------------------------------------------- its last words


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("step 1\nRuntimeError: CUDA out of memory\n", "RuntimeError: CUDA out of memory"),
        ("Killed\n", "Killed"),
        ("OSError: [Errno 28] No space left on device\n  \n", "OSError: [Errno 28] No space left on device"),
        (
            'Fatal Python error: Segmentation fault\n  File "/x/errors.py", line 3\n',
            "Fatal Python error: Segmentation fault",
        ),
        ("the default is fine\nstep 7\n", ""),
        ("", ""),
    ],
)
def test_the_telling_line_of_the_log_is_quoted(run: Run, log: str, words: str) -> None:
    run.log_path.write_text(f"ValueError: of an earlier process\n{jobs.STARTED}now\n{log}", encoding="utf-8")
    run.write_status(Status(state="running", pid=os.getpid(), process_started=1.0, step=2))
    message = jobs.reconcile(run).message
    assert message.endswith(f"Its last words: {words}" if words else "from the beginning.")


def test_a_child_that_cannot_even_begin_says_why(run: Run, stand_in: Stand) -> None:
    stand_in("raise ModuleNotFoundError(\"No module named 'torch'\")")
    jobs.start(run)
    jobs._children[run.status.pid or 0].wait(10)
    status = jobs.reconcile(run)
    assert status.state == "failed"
    assert status.message.endswith("Its last words: ModuleNotFoundError: No module named 'torch'")


def test_a_long_log_of_strange_bytes(run: Run) -> None:
    run.log_path.write_bytes(b"\xff" * 100_000 + b"\nMemoryError " + b"x" * 1000 + b"\n")
    run.write_status(Status(state="running", pid=os.getpid(), process_started=1.0))
    assert len(jobs.reconcile(run).message) < 500
