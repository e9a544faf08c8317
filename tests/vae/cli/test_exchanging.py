"""Runs from other programs come in by a command, and go out by one."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vae import runs
from vae.exchange import tensorboard
from vae.runs import Run

LINE = "VAL --- avg_loss: 50.0, kl: 10.0, mi: 4.0, recon: 40.0, nll: 50.0, ppl: 90.0\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "exp yahoo (2)"
    folder.mkdir()
    (folder / "log.txt").write_text(LINE, encoding="utf-8")
    return folder


def test_a_log_becomes_a_run_that_is_listed(
    vae: Callable[..., Any], log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTTLENECK_RUNS", str(tmp_path / "runs"))
    said = vae("import", str(log), "--json")
    assert said.status == 0
    assert (said.document["format"], said.document["events"]) == ("li2019", 1)
    assert [run.name for run in runs.list_runs()] == ["imported-exp-yahoo--2"]
    assert vae("runs", "--json").document[0]["state"] == "finished"
    again = vae("import", str(log), "--run", str(tmp_path / "runs" / "imported-exp-yahoo--2"))
    assert (again.status, "already holds something" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("import", "{log}", "--base", "starter"), "no weights"),
        (("import", "{log}/missing"), "nothing at"),
        (("import", "{log}/../x.ckpt"), "needs --base"),
        (("export", "captions-two-phase"), "required"),
        (("export", "captions-two-phase", "--csv", "{log}/no/such.csv"), "no folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    vae: Callable[..., Any], log: Path, healthy: Run, arguments: tuple[str, ...], words: str
) -> None:
    (log.parent / "x.ckpt").touch()
    said = vae(*(part.format(log=log) for part in arguments))
    assert said.status == 2
    assert words in said.err
    assert said.err.count("\n") == 1


def test_what_a_run_measured_goes_out_as_csv_and_for_tensorboard(
    vae: Callable[..., Any], trained_run: Run, tmp_path: Path
) -> None:
    assert vae("export", str(trained_run.path), "--csv", str(tmp_path / "out.csv")).status == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(trained_run.metrics())
    assert vae("export", str(trained_run.path), "--tensorboard", str(tmp_path / "board")).status == 0
    assert "kl_nats/valid" in tensorboard.scalars(tmp_path / "board")
