"""Training processes: started, stopped, resumed, and found out about when they die without a word.

A process belongs to nobody's window or terminal; all that is known of it stands in its run directory. Who writes
status.json is settled so that nobody overwrites the truth: while a process trains the run, that process alone. It
`claim`s the run before it does anything else. Everybody else writes only when there is no such process, and holds the
run's lock meanwhile; a wish to stop is a file of its own. `reconcile` says what is true now.

Nothing heavy is imported here.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import filelock
import psutil

from vae import runs
from vae.config import Config
from vae.runs import ACTIVE, Run, State, Status

GRACE = 30.0
"""Seconds that a queued run may be without a process: more than starting one takes."""
CLOCK_SLACK = 5.0
"""Seconds by which two readings of when a process was created may differ, as the system's clock is corrected."""
LOCK_PATIENCE = 30.0
"""Seconds to wait for a run's lock, which is held for moments only."""
STARTED = "--- started "
"""How the line in log.txt begins that divides the words of one process from those of the next."""
TELLING = re.compile(r'^(?! *File ").*(error|exception|killed|fatal|abort|out of memory|denied)', re.IGNORECASE)
"""A line of log.txt that may say why a process died."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""The processes that this one started. On POSIX a dead child stays a zombie until its parent asks for it."""


def launch(name: str, config: Config) -> Run:
    """Make a run of this name under `runs.root()` and start training it."""
    run = Run.create(runs.root() / runs.valid_name(name), config)
    start(run)
    return run


def start(run: Run) -> Run:
    """Start the training process of a run that has none; a run in training or finished is a `ValueError`."""
    return _start(run, ("queued", "stopped", "failed"), "started")


def resume(run: Run) -> Run:
    """Go on with a stopped or failed run from its last saved state; any other run is a `ValueError`."""
    return _start(run, ("stopped", "failed"), "resumed")


def stop(run: Run) -> Status:
    """Ask a run's process to save and stop, and return the status: `stopping`, or at once `stopped` if none trains it.

    A run that is stopped, finished or failed already stays what it is.
    """
    with _locked(run):
        status = _settle(run)
        if status.state not in ACTIVE:
            return status
        if status.pid is None:
            return _write(run, status, "stopped", "Stopped before it started; resume starts it.")
        run.stop_path.touch()
    return _seen(run, status)


def claim(run: Run) -> bool:
    """Make this process the one that trains the run; the training command calls it before anything slow.

    Returns whether `start` made this process for the run, so that a wish to stop it counts already; an older wish is
    void. A run that another process trains, or that has finished, is a `ValueError`.
    """
    with _locked(run):
        status = _settle(run)
        # Python in a virtual environment on Windows is the child of a launcher, whose pid is what the starter saw.
        expected = status.state in ACTIVE and status.pid in (os.getpid(), os.getppid())
        if not expected:
            _refuse(run, status, ("queued", "stopped", "failed"), "trained")
            run.stop_path.unlink(missing_ok=True)
            _announce(run)
        _write(run, status, "queued", "Starting.", os.getpid())
    return expected


def heed(run: Run) -> Status | None:
    """For the process that claimed the run, when it has loaded and is about to train: stop if that is wished by now."""
    if not run.stop_path.exists():
        return None
    run.stop_path.unlink(missing_ok=True)
    return _write(run, run.status, "stopped", f"Stopped before training began; {_way_out(run)}")


def reconcile(run: Run) -> Status:
    """The truth about a run. If its process is gone without having said so, status.json is corrected first.

    A run whose process ended without notice becomes `failed`, or `stopped` if it had been asked to stop.
    """
    status = run.status
    if _lost(status):
        with _locked(run):
            status = _settle(run)
    return _seen(run, status)


def _start(run: Run, allowed: tuple[State, ...], verb: str) -> Run:
    with _locked(run):
        status = _settle(run)
        _refuse(run, status, allowed, verb)
        run.stop_path.unlink(missing_ok=True)
        _announce(run)
        try:
            child = _spawn(run)
        except OSError as error:
            message = f"The training process could not be started ({error.strerror or error})."
            _write(run, status, "failed", message)
            raise ValueError(message) from error
        _children[child.pid] = child
        _write(run, status, "queued", "Starting.", child.pid)  # before the child's own words: it waits for the lock
    return run


def _refuse(run: Run, status: Status, allowed: tuple[State, ...], verb: str) -> None:
    """A `ValueError` if the run's state is none of the allowed, or if a process is training it."""
    if status.state in ACTIVE and status.pid is not None:
        raise ValueError(f"{run.name} is in training already (process {status.pid}): stop it first.")
    if status.state == "finished":
        raise ValueError(f"{run.name} has finished and cannot be {verb}: there is nothing left to train.")
    if status.state not in allowed:
        raise ValueError(f"{run.name} is {status.state} and cannot be {verb}: only {' and '.join(allowed)} runs can.")


def _command(run: Run) -> list[str]:
    """The training command of a run directory."""
    return [sys.executable, "-m", "vae", "train", "--run", str(run.path.resolve()), "--resume"]


def _spawn(run: Run) -> subprocess.Popen[bytes]:
    """Start the training command so that it outlives this process, its terminal and its working directory."""
    package = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    # PYTHONSAFEPATH: a folder named vae where the caller happens to be is not ours.
    words = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1", "PYTHONFAULTHANDLER": "1"}
    with run.log_path.open("ab") as log:
        return subprocess.Popen(
            _command(run),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | words,
            start_new_session=True,  # ignored on Windows, as the flags are zero elsewhere
            creationflags=getattr(subprocess, "DETACHED_PROCESS", 0)
            | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )


def _announce(run: Run) -> None:
    with run.log_path.open("a", encoding="utf-8") as log:
        log.write(f"{STARTED}{time.strftime('%Y-%m-%d %H:%M:%S')}\n")


def _settle(run: Run) -> Status:
    """Correct status.json if the process it speaks of is gone. The caller holds the lock."""
    status = run.status
    if not _lost(status):
        return status
    if run.stop_path.exists() or status.state == "stopping":
        run.stop_path.unlink(missing_ok=True)
        return _write(run, status, "stopped", f"Stopped after step {status.step}; {_way_out(run)}")
    if status.pid is None:
        return _write(run, status, "failed", "The training process was never started; resume starts it.")
    when = f"at step {status.step}" if status.step else "before its first step"
    words = _last_words(run)
    last = f" Its last words: {words}" if words else ""
    return _write(run, status, "failed", f"The process ended without notice {when}; {_way_out(run)}{last}")


def _seen(run: Run, status: Status) -> Status:
    """The status with a wish to stop that its process has not answered yet."""
    wished = status.state in ("queued", "running") and run.stop_path.exists()
    return replace(status, state="stopping") if wished else status


def _write(run: Run, status: Status, state: State, message: str, pid: int | None = None) -> Status:
    """Write a status on behalf of a run that no process speaks for."""
    changed = replace(
        status,
        state=state,
        message=message,
        pid=pid,
        process_started=_created(pid) if pid else None,
        heartbeat=time.time(),
        eta_s=None,
    )
    run.write_status(changed)
    return changed


def _lost(status: Status) -> bool:
    """Whether a status speaks of a process that is not there."""
    if status.state not in ACTIVE:
        return False
    if status.pid is None:
        return time.time() - status.heartbeat > GRACE
    child = _children.get(status.pid)
    if child is not None and child.poll() is not None:  # which also reaps it
        _children.pop(status.pid, None)
    created = _created(status.pid)
    if created is None:
        return True
    return status.process_started is not None and abs(created - status.process_started) > CLOCK_SLACK


def _created(pid: int) -> float | None:
    """When the process of this pid was created, in seconds since 1970; None if there is none of ours, or its zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def _last_words(run: Run) -> str:
    """The last line of the present process's part of log.txt that looks like a reason, at most 300 characters."""
    if not run.log_path.is_file():
        return ""
    with run.log_path.open("rb") as log:
        log.seek(max(0, run.log_path.stat().st_size - 20_000))
        tail = log.read().decode("utf-8", errors="replace")
    telling = [line.strip() for line in tail.rpartition(STARTED)[2].splitlines() if TELLING.search(line)]
    return telling[-1][:300] if telling else ""


def _way_out(run: Run) -> str:
    saved = (run.state_path / "state.json").is_file()
    return "resume continues from the last saved state." if saved else "resume starts from the beginning."


@contextlib.contextmanager
def _locked(run: Run) -> Iterator[None]:
    """Hold the run's lock: of several callers, in whatever process or thread, one at a time."""
    if not run.exists:
        raise ValueError(f"There is no run at {run.path}: it was never made, or has been deleted.")
    try:
        with filelock.FileLock(run.path / ".lock", timeout=LOCK_PATIENCE):
            yield
    except filelock.Timeout:
        raise ValueError(f"{run.name} is locked by another process: try again in a moment.") from None
