"""Errands: commands of ours in processes of their own, one for each key at a time, whose words go to a log file.

They are for what takes too long for a page to wait for it. The page asks now and then how its errand is coming on;
what came of it, it finds where the command has put it, so an errand that is done leaves nothing to be said. What
priority and how many threads it takes is the command's own affair.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.backend.logs import last_lines
from app.backend.shell import PROJECT

PROGRAM = (sys.executable, "-m", "vae")
"""What is run, with the arguments of an errand."""
PASSES = re.compile(r"(\d+) of (\d+) passes")
"""How a command says how far it has come."""
GRACE = 5.0
"""Seconds that a process has to end when it is asked to."""
LINES = 100
"""Lines at the end of a log in which the last words are looked for."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A command on its way: for how many seconds so far, and how far it has come; or why it failed."""

    seconds: float = 0.0
    progress: tuple[int, int] | None = None
    """How many passes are done, and of how many; none while it has not said so."""
    problem: str = ""


def start(key: Hashable, arguments: Sequence[str], log: Path) -> None:
    """Start `python -m vae ARGUMENTS` at the top of the project, unless the errand of this key is on its way.

    The log starts anew. If the log cannot be written or the process not be started, that is an `OSError`.
    """
    with _LOCK:
        if (known := _STARTED.get(key)) and known.process.poll() is None:
            return
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as words:
            process = subprocess.Popen(
                [*PROGRAM, *arguments],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},  # words are there as soon as said
            )
        _STARTED[key] = _Started(process=process, log=log)


def state(key: Hashable) -> Errand | None:
    """How an errand is coming on, or why it failed; none if nobody has started it, or it is done or was stopped."""
    errand = _STARTED.get(key)
    if errand is None or errand.process.poll() == 0:
        return None
    lines = [line.strip() for line in last_lines(errand.log, LINES)]
    if errand.process.returncode is None:
        passes = [match for line in lines if (match := PASSES.search(line))]
        progress = (int(passes[-1][1]), int(passes[-1][2])) if passes else None
        return Errand(seconds=time.monotonic() - errand.started, progress=progress)
    said = [line for line in lines if line and not PASSES.search(line)]
    return Errand(problem=said[-1] if said else "Its process ended without a word.")


def stop(key: Hashable) -> None:
    """End an errand, if it is on its way, and forget it."""
    with _LOCK:
        if (errand := _STARTED.pop(key, None)) is None:
            return
        errand.process.terminate()
        try:
            errand.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            errand.process.kill()
            errand.process.wait()


@dataclass(kw_only=True)
class _Started:
    """The process of an errand, and the file of its words."""

    process: subprocess.Popen[bytes]
    log: Path
    started: float = field(default_factory=time.monotonic)


_STARTED: dict[Hashable, _Started] = {}
_LOCK = threading.Lock()
