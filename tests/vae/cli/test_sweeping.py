"""sweep, compare and note."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vae import jobs, recipes, runs
from vae.runs import Run, append_line

VALID = {"split": "valid", "step": 9, "phase": 2, "kl_nats": 12.0, "mi_nats": 6.0, "mi_ceiling_nats": 6.24}
VALID |= {"active_units": 32, "rec_nats": 5.0, "delta_nll_nats": 20.0}
OVER = ("--over", "model.pooling=max,mean", "--over", "phase1.frozen=embeddings+projection+decoder+head,none")


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is started."""
    monkeypatch.setattr(jobs, "advance", lambda folder=None: [])


@pytest.fixture
def pair() -> list[Run]:
    """Two runs, of which one has been checked."""
    made = [Run.create(runs.root() / name, recipes.get(name)) for name in ("two-phase", "plain-vae")]
    append_line(made[0].metrics_path, VALID)
    return made


def test_a_dry_run_says_what_would_be_trained_and_makes_nothing(vae: Callable[..., Any]) -> None:
    said = vae("sweep", "s", "--recipe", "two-phase", *OVER, "--set", "data.train_sentences=100", "--dry-run")
    assert said.status == 0
    assert "s-mean-free" in said.out
    assert "training seed 0" in said.out
    assert "decoder" in said.out
    assert runs.list_runs() == []


def test_a_sweep_is_made_and_read_as_one_table(vae: Callable[..., Any]) -> None:
    made = vae("sweep", "s", *OVER, "--set", "data.train_sentences=100", "--json").document
    assert [run["run"] for run in made["runs"]] == ["s-max-frozen", "s-max-free", "s-mean-frozen", "s-mean-free"]
    assert jobs.queue().waiting == tuple(run["run"] for run in made["runs"])
    append_line(runs.find("s-max-free").metrics_path, VALID)
    document = vae("sweep", "s", "--json").document
    assert [row["verdict"] for row in document["runs"]] == ["", "healthy", "", ""]
    assert [row["state"] for row in document["runs"]] == ["queued"] * 4
    assert runs.find("s-max-free").config.data.train_sentences == 100
    rows = list(csv.DictReader(io.StringIO(vae("sweep", "s", "--csv").out)))
    assert [row["model.pooling"] for row in rows] == ["max", "max", "mean", "mean"]
    assert rows[1]["kl_nats"] == "12.0"
    latex = vae("sweep", "s", "--latex").out
    assert r"s-max-free & max & none & queued & 12.00 & 6.00" in latex
    assert "Frozen, phase 1" in latex
    table = vae("sweep", "s").out.splitlines()
    assert " ".join(table[0].split()) == "run pooling frozen, phase 1 state KL MI ln N AU rec delta NLL verdict"
    assert " ".join(table[2].split()) == "s-max-free max none queued 12.00 6.00 6.24 32 5.00 20.00 healthy"


def test_what_cannot_be_trained_is_told_and_the_rest_goes_on(vae: Callable[..., Any]) -> None:
    bits = ("--over", "phase2.free_bits_per_dimension=0,1", "--over", "phase2.free_bits_total=0,4")
    said = vae("sweep", "s", "--recipe", "plain-vae", *bits, "--json")
    assert len(said.document["runs"]) == len(runs.list_runs()) == 3
    assert said.document["refused"][0]["label"] == "1_fbt4"
    assert "Left out 1_fbt4: phase2 has both" in said.err


def test_the_sweeps_there_are_can_be_listed(vae: Callable[..., Any]) -> None:
    assert "There is no sweep yet" in vae("sweep").out
    vae("sweep", "--preset", "phase2", "--set", "data.train_sentences=10")
    assert " ".join(vae("sweep").out.split()) == "phase2 12 runs free bits per dimension, phase 2, token deletion"
    assert vae("sweep", "--json").document[0]["over"][0] == "phase2.free_bits_per_dimension=0,0.5,3,6"


def test_a_run_can_be_varied(vae: Callable[..., Any], pair: list[Run]) -> None:
    made = vae("sweep", "--like", "plain-vae", "--over", "model.latent_size=4,8", "--json").document
    assert [run["run"] for run in made["runs"]] == ["plain-vae-sweep-z4", "plain-vae-sweep-z8"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sweep", "nothing"), "There is no sweep 'nothing'"),
        (("sweep", "s", "--recipe", "two-phase"), "something to vary"),
        (("sweep", "s", "--preset", "phase1", "--recipe", "two-phase"), "choose one"),
        (("sweep", "s", "--over", "model.pooling=max", "--csv"), "for reading"),
        (("sweep", "s", "--csv", "--latex"), "choose one"),
        (("sweep", "s", "--over", "model.poling=max"), "Did you mean 'pooling'"),
        (("compare", "two-phase"), "two runs or more"),
        (("compare", "two-phase", "nothing"), "There is no run 'nothing'"),
        (("note", "two-phase", "--tag", "a,b"), "cannot be a tag"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    vae: Callable[..., Any], pair: list[Run], arguments: tuple[str, ...], words: str
) -> None:
    assert words in vae(*arguments).complaint
    assert len(runs.list_runs()) == 2


def test_only_what_differs_is_shown(vae: Callable[..., Any], pair: list[Run]) -> None:
    said = vae("compare", "two-phase", "plain-vae")
    lines = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()[1:] if line}
    assert lines["phase2.free_bits_per_dimension"] == ["0.5", "0"]
    assert lines["phase1.frozen"] == ["decoder", "–"]
    assert lines["KL"] == ["12.00", "-"]
    assert lines["verdict"] == ["healthy"]
    assert "train.seed" not in lines
    document = vae("compare", "two-phase", "plain-vae", "--json").document
    assert document["differences"]["phase2.epochs"] == {"two-phase": "8", "plain-vae": "6"}
    rows = list(csv.DictReader(io.StringIO(vae("compare", "two-phase", "plain-vae", "--csv").out)))
    assert [row["recipe"] for row in rows] == ["two-phase", "plain-vae"]
    assert "KL schedule, phase 2" in vae("compare", "two-phase", "plain-vae", "--latex").out


def test_runs_that_are_alike_are_said_to_be(vae: Callable[..., Any], pair: list[Run], tmp_path: Path) -> None:
    Run.create(runs.root() / "again", recipes.get("plain-vae"))
    assert "configurations are the same" in vae("compare", "plain-vae", "again").out


def test_a_note_is_kept_and_read_back(vae: Callable[..., Any], pair: list[Run]) -> None:
    assert vae("note", "plain-vae").out == "plain-vae: no tags.\n"
    vae("note", "plain-vae", "--tag", "baseline", "--tag", "for class", "--text", " Collapses at once. ")
    said = vae("note", "plain-vae", "--untag", "baseline")
    assert said.out == "plain-vae: for class.\nCollapses at once.\n"
    assert vae("note", "plain-vae", "--json").document["tags"] == ["for class"]
