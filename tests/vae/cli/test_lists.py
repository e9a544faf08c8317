"""What the command line lists: recipes, runs, and the verdict on a run."""

import os
import re
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from vae import recipes, runs
from vae.config import Config
from vae.recipes import RECIPES
from vae.runs import Run, append_line

Say = Callable[..., Any]
MakeRun = Callable[..., Run]


def test_recipes(vae: Say) -> None:
    listed = vae("recipes", "--json").document
    assert [recipe["name"] for recipe in listed] == list(RECIPES)
    assert [Config.from_dict(recipe["config"]) for recipe in listed] == [recipes.get(name) for name in RECIPES]
    words = vae("recipes")
    assert words.status == 0
    assert all(line.startswith((*RECIPES, " ")) for line in words.out.splitlines())


def test_runs_lists_what_is_true_and_what_is_damaged(vae: Say, make: MakeRun, figures: dict[str, Any]) -> None:
    assert vae("runs").out.startswith("There are no runs in")
    assert vae("runs", "--json").document == []
    make("good", step=20, total_steps=20)
    append_line(runs.find("good").metrics_path, figures | {"step": 10, "kl_nats": 9.0})
    append_line(runs.find("good").metrics_path, figures)
    append_line(runs.find("good").metrics_path, figures | {"split": "train", "kl_nats": 9.0})
    make("dead", state="running", pid=os.getpid(), process_started=1.0, step=7, total_steps=9)
    (make("bad").path / "status.json").write_text("{", encoding="utf-8")
    said = vae("runs", "--json")
    listed = {run["name"]: run for run in said.document}
    assert listed["good"] == {
        "name": "good", "path": str(runs.root() / "good"), "recipe": "plain-vae", "state": "finished", "phase": 0,
        "step": 20, "total_steps": 20, "message": "", "kl_nats": 0.0211, "mi_nats": 0.01, "delta_nll_nats": 0.04,
        "verdict": "collapsed",
    }  # fmt: skip
    assert (listed["dead"]["state"], listed["dead"]["verdict"]) == ("failed", None)
    assert "ended without notice at step 7" in listed["dead"]["message"]
    assert listed["bad"]["state"] == "damaged"
    assert "status.json is damaged" in listed["bad"]["message"]
    words = vae("runs").out.splitlines()
    assert words[0].split() == ["name", "recipe", "state", "step", "KL", "MI", "delta", "NLL", "verdict"]
    good = next(line for line in words if line.startswith("good"))
    assert good.split() == ["good", "plain-vae", "finished", "20/20", "0.02", "0.01", "0.04", "collapsed"]
    assert words[-1].startswith("bad: ")


def started() -> float:
    """When this process was created, in seconds since 1970."""
    return float(psutil.Process().create_time())


def deep(name: str) -> Callable[[Run], None]:
    """Damage: a file of brackets that open and never close, deeper than a parser can follow."""

    def damage(run: Run) -> None:
        (run.path / name).write_text("[" * 100_000 + "\n", encoding="utf-8")

    return damage


def mangled(**figures: Any) -> Callable[[Run], None]:
    """Damage: figures of another kind in the newest check."""

    def damage(run: Run) -> None:
        append_line(run.metrics_path, {"split": "valid", "step": 5, "kl_nats": 1.0, **figures})

    return damage


def undying(run: Run) -> None:
    """Damage: a dead process that was last heard of when there are no calendars any more."""
    values = {"state": "running", "pid": 2**22 + 12345, "heartbeat": 1e20}
    runs.write_json(run.path / "status.json", values)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (mangled(kl_nats="1.5"), r"metrics\.jsonl is damaged: at step 5 its kl_nats is '1\.5'"),
        (mangled(mi_nats=[1.0, 2.0]), r"metrics\.jsonl is damaged: at step 5 its mi_nats is \[1\.0, 2\.0\]"),
        (mangled(active_units=10**400), r"metrics\.jsonl is damaged: at step 5 its active_units is 1"),
        (undying, r"status\.json is damaged: its heartbeat is 1e\+20"),
        (deep("config.json"), r"config\.json is damaged \(not valid JSON\)"),
        (deep("status.json"), r"status\.json is damaged \(not valid JSON\)"),
    ],
    ids=["text", "list", "huge", "heartbeat", "config", "status"],
)
def test_a_damaged_run_hides_no_other(vae: Say, make: MakeRun, damage: Callable[[Run], None], problem: str) -> None:
    make("good")
    damage(make("bad"))
    said = vae("runs", "--json")
    listed = {run["name"]: run for run in said.document}
    assert set(listed) == {"good", "bad"}
    assert (listed["good"]["state"], listed["bad"]["state"]) == ("finished", "damaged")
    assert re.search(problem, listed["bad"]["message"])
    words = vae("runs")
    assert words.status == 0
    assert words.out.splitlines()[-1].startswith("bad: ")
    assert max(map(len, words.out.splitlines())) < 400  # a number of 400 digits is not written out
    assert vae("queue").status == 0


def test_a_mangled_figure_takes_no_run_out_of_the_queue(vae: Say, make: MakeRun) -> None:
    mangled(kl_nats="1.5")(make("trains", state="running", pid=os.getpid(), process_started=started()))
    assert [run["name"] for run in vae("queue", "--json").document["training"]] == ["trains"]
    assert vae("runs", "--json").document[0]["state"] == "damaged"


def test_a_line_that_no_parser_can_follow_is_passed_over(vae: Say, make: MakeRun, figures: dict[str, Any]) -> None:
    run = make("one")
    append_line(run.metrics_path, figures)
    with run.metrics_path.open("a", encoding="utf-8") as file:
        file.write("[" * 100_000 + "\n")
    (listed,) = vae("runs", "--json").document
    assert (listed["state"], listed["kl_nats"]) == ("finished", figures["kl_nats"])


def test_doctor_reads_the_last_validation_event(vae: Say, make: MakeRun, figures: dict[str, Any]) -> None:
    run = make("one")
    assert vae("doctor", "one", "--json").document["name"] == "unknown"
    append_line(run.metrics_path, figures)
    append_line(run.metrics_path, {"split": "valid", "phase": 0, "step": 30, "denoising_nats": 1.0})
    said = vae("doctor", "one", "--json")
    assert said.document["name"] == "collapsed"
    assert said.document["figures"] == figures
    words = vae("doctor", str(run.path)).out
    assert said.document["headline"] in words
    assert all(f"  - {sentence}" in words for sentence in said.document["evidence"] + said.document["advice"])
