"""Runs that are launched together train side by side."""

from __future__ import annotations

import pytest

from tests.vae.jobs.trainers import CONFIG, TRAIN, gone, wait_for
from vae import jobs, machine, recipes, runs


def test_runs_that_are_launched_together_train_side_by_side_past_a_queue_that_stays_as_it_is(line, tmp_path):
    jobs.set_queue(paused=True)
    before = jobs.queue()
    made = jobs.launch_together({"left": CONFIG, "right": recipes.get("two-phase")})
    for run in made:
        wait_for(run, "running")
    assert [run.name for run in made] == ["left", "right"]
    assert jobs.queue() == before
    assert before.waiting == ("one", "two", "three")
    assert before.at_once == 1
    assert wait_for(line[0], "running")
    assert made[1].config == recipes.get("two-phase")


def test_what_waits_goes_on_only_when_all_that_were_launched_together_have_ended(tmp_path, stand_in):
    stand_in(TRAIN)
    left, right = jobs.launch_together({"left": CONFIG, "right": CONFIG})
    waits = jobs.launch("waits", CONFIG)
    for run in (left, right):
        wait_for(run, "running")
        assert jobs.place(waits) == 1
        jobs.stop(run)
        wait_for(run, "stopped")
        gone(run.status.pid or 0)
        jobs.advance()
    wait_for(waits, "running")


def test_those_that_are_launched_together_share_the_threads_with_what_trains_already(line, tmp_path, stand_in):
    stand_in(f"import os; print('of', os.environ['{machine.TRAINERS}'], flush=True)\n{TRAIN}")
    for run in jobs.launch_together({"left": CONFIG, "right": CONFIG}):
        wait_for(run, "running")
        assert "of 3" in run.log_path.read_text(encoding="utf-8")


def test_either_all_are_made_or_none(tmp_path, run):
    with pytest.raises(ValueError, match="already holds something"):
        jobs.launch_together({"new": CONFIG, "one": CONFIG})
    assert [known.name for known in runs.list_runs()] == ["one"]
    assert run.status.pid is None
    with pytest.raises(ValueError, match="cannot name a run"):
        jobs.launch_together({"new": CONFIG, "no/name": CONFIG})
    with pytest.raises(ValueError, match="65 runs are more than the 64"):
        jobs.launch_together({f"lane-{number}": CONFIG for number in range(65)})
    assert [known.name for known in runs.list_runs()] == ["one"]
