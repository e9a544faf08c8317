"""A command run in this process, and a run for it to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vae import cli, machine, runs
from vae.cli import shared
from vae.runs import Run

ROOT = Path(__file__).resolve().parents[3]


class Said(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line in which it refuses."""
        assert (self.status, self.out, self.err.count("\n")) == (2, "", 1)
        return self.err


@pytest.fixture
def vae(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command in this process."""

    def say(*arguments: str) -> Said:
        capsys.readouterr()
        status = cli.main(arguments)
        return Said(status, *capsys.readouterr())

    return say


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of runs, the priority and the environment of this process stay as they are."""
    monkeypatch.setenv("BOTTLENECK_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(machine, "lower_priority", lambda: None)
    for variable in shared.THREAD_VARIABLES:
        monkeypatch.setenv(variable, "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The healthy bundled run, where it is; for commands that only read."""
    monkeypatch.setenv("BOTTLENECK_RUNS", str(ROOT / "checkpoints"))
    return runs.find("captions-two-phase")
