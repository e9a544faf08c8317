import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from app import backend
from vae import jobs, recipes
from vae.runs import Run


def test_launching_makes_the_run_and_starts_it(root, monkeypatch):
    started = []
    monkeypatch.setattr("vae.jobs.start", lambda run, **_: started.append(run) or run)
    assert backend.launch("mine", recipes.plain_vae()) == "mine"
    assert started == [Run(root / "mine")]
    assert backend.config("mine") == recipes.plain_vae()


def test_a_run_that_is_gone_is_said_to_be_gone(root):
    for ask in (backend.entry, backend.course, backend.samples, backend.verdict, backend.stop, backend.delete):
        with pytest.raises(ValueError, match="There is no run"):
            ask("gone")


TRAIN = (
    "import sys, time; from vae import jobs; from vae.runs import Run; run = Run(sys.argv[1]); jobs.claim(run)\n"
    "step = 0\n"
    "while not (run.path / 'enough').exists():\n"
    "    step += 1; run.update_status(state='running', step=step, heartbeat=time.time()); time.sleep(0.01)\n"
    "run.update_status(state='finished', message='')\n"
)
APP = (
    "import json, sys, time\n"
    "from app import backend\n"
    "from vae import jobs, recipes\n"
    f"jobs._command = lambda run: [sys.executable, '-c', {TRAIN!r}, str(run.path)]\n"
    "if not backend.entries():\n"
    "    for name in ('alive', 'next'): backend.launch(name, recipes.plain_vae())\n"
    "while backend.entry('alive').status.step < 5: time.sleep(0.01)\n"
    "told = [(entry.name, entry.state, entry.place, entry.status.pid) for entry in backend.entries()]\n"
    "print(json.dumps(sorted(told)), flush=True)\n"
    "time.sleep(60)\n"
)
"""An app without a browser: it launches two runs if there are none, and tells what it sees."""


def test_the_app_may_die_twice_and_the_run_lives_on(root):
    """Killed with all that it started as its children, and started again: the same run, further on, to its end."""
    place = Path(__file__).parents[3]
    told = []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", APP], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ
        ) as app:
            told.append(json.loads(app.stdout.readline()))
            psutil.Process(app.pid).kill()
    pid = Run(root / "alive").status.pid
    assert told == [[["alive", "running", None, pid], ["next", "queued", 1, None]]] * 2
    try:
        step = Run(root / "alive").status.step
        deadline = time.monotonic() + 20
        while Run(root / "alive").status.step <= step:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert backend.entry("alive").state == "running"
        jobs.set_queue(paused=True)
        (root / "alive" / "enough").touch()
        psutil.wait_procs([psutil.Process(pid)], timeout=20)
        assert (backend.entry("alive").state, backend.entry("next").place) == ("finished", 1)
    finally:
        if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            psutil.Process(pid).kill()
