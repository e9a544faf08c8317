"""A folder of runs, a run in it, a small process in the trainer's place, and a queue."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vae.jobs.trainers import CONFIG, TRAIN, Stand, wait_for
from vae import jobs
from vae.runs import Run


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTLENECK_RUNS", str(tmp_path))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "one", CONFIG)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """Put a piece of Python in the place of the training command; what is still running at the end is killed."""

    def use(code: str) -> None:
        monkeypatch.setattr(jobs, "_command", lambda run: [sys.executable, "-c", code, str(run.path)])

    before = set(jobs._children)
    yield use
    for pid in set(jobs._children) - before:
        child = jobs._children.pop(pid)
        child.kill()
        child.wait()


@pytest.fixture
def line(tmp_path: Path, stand_in: Stand) -> list[Run]:
    """One run in training and three that wait: zero, one, two, three."""
    stand_in(TRAIN)
    made = [jobs.launch(name, CONFIG) for name in ("zero", "one", "two", "three")]
    wait_for(made[0], "running")
    return made
