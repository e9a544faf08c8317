"""A command run in this process, and a run for it to look at."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vae import cli, recipes, runs
from vae.cli import shared
from vae.runs import Run, Status

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
    """A folder of runs, and the environment of this process stays as it is."""
    monkeypatch.setenv("BOTTLENECK_RUNS", str(tmp_path / "runs"))
    for variable in shared.THREAD_VARIABLES:
        monkeypatch.setenv(variable, "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The healthy bundled run, where it is; for commands that only read."""
    monkeypatch.setenv("BOTTLENECK_RUNS", str(ROOT / "checkpoints"))
    return runs.find("captions-two-phase")


@pytest.fixture
def make() -> Callable[..., Run]:
    """Makes a run in the folder of runs without a process: `make(name, **status)`."""

    def run_named(name: str, **status: Any) -> Run:
        run = Run.create(runs.root() / name, recipes.get("plain-vae"))
        run.write_status(Status(**{"state": "finished", **status}))
        return run

    return run_named


@pytest.fixture
def figures() -> dict[str, Any]:
    """The last validation event of a run that has collapsed."""
    return {
        "split": "valid", "phase": 2, "step": 20, "rec_nats": 12.3456, "kl_nats": 0.0211, "neg_elbo_nats": 12.3667,
        "mi_nats": 0.01, "mi_ceiling_nats": 6.24, "active_units": 0, "delta_nll_nats": 0.04, "ppl_word": 12345.678,
    }  # fmt: skip


@pytest.fixture
def text_file(tmp_path: Path, sentences: list[str]) -> Path:
    """Sixty sentences."""
    path = tmp_path / "sixty.txt"
    path.write_text("\n".join(sentences[::2]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def trained(trained_run: Run) -> Run:
    """A finished run in the folder of runs."""
    shutil.copytree(trained_run.path, runs.root() / "trained")
    return runs.find("trained")
