"""What the command line lists: recipes, runs, and the verdict on a run."""

import os
from collections.abc import Callable
from typing import Any

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
