"""Small processes in the trainer's place, and waiting for them."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable

import psutil

from vae import jobs, recipes
from vae.runs import Run, Status

CONFIG = recipes.get("plain-vae")
CLAIM = "import sys, time; from vae import jobs; from vae.runs import Run; run = Run(sys.argv[1]); jobs.claim(run)\n"
TRAIN = CLAIM + (
    "run.update_status(state='running', step=120, message='')\n"
    "while not run.stop_path.exists(): time.sleep(0.01)\n"
    "run.update_status(state='stopped', message='Stopped at step 120.'); run.stop_path.unlink()\n"
)
"""A trainer of 120 steps that then waits to be asked to stop."""
PATIENCE = 60
"""Seconds for what takes a tenth of one, on a machine that does other things as well."""
Stand = Callable[[str], None]


def waiting() -> list[str]:
    return list(jobs.queue().waiting)


def wait_for(run: Run, *states: str) -> Status:
    """The status once it is one of the states."""
    deadline = time.monotonic() + PATIENCE
    while (status := run.status).state not in states:
        assert time.monotonic() < deadline, f"still {status}; the log says {run.log_path.read_text(encoding='utf-8')}"
        time.sleep(0.01)
    return status


def gone(pid: int) -> None:
    """Wait until a process has ended; as a child of this one it may stay a zombie."""
    deadline = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
