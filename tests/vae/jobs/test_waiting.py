"""The queue: whose turn it is, and what becomes of those that wait."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.vae.jobs.trainers import CLAIM, CONFIG, TRAIN, Stand, full, gone, wait_for, waiting
from vae import jobs
from vae.runs import Run


def test_a_run_waits_for_its_turn_and_says_what_for(line: list[Run]) -> None:
    assert waiting() == ["one", "two", "three"]
    said = [jobs.reconcile(run) for run in line[1:]]
    assert [status.message for status in said] == ["Next.", "Waits behind one.", "Waits behind one and two."]
    assert {(status.state, status.pid) for status in said} == {("queued", None)}
    assert jobs.advance() == []
    jobs.stop(line[0])
    wait_for(line[0], "stopped")
    assert jobs.advance() == [line[1]]
    wait_for(line[1], "running")
    assert jobs.advance() == []
    assert waiting() == ["two", "three"]
    assert not line[2].log_path.exists()


def test_nobody_fails_for_having_waited_long(line: list[Run]) -> None:
    for run in line[1:]:
        run.update_status(heartbeat=time.time() - 10 * jobs.GRACE)
    assert [jobs.reconcile(run).state for run in line] == ["running", "queued", "queued", "queued"]
    assert waiting() == ["one", "two", "three"]


def test_a_crash_between_making_a_run_and_the_queue_leaves_one_that_resumes(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    assert jobs.advance() == []
    run.update_status(heartbeat=time.time() - jobs.GRACE - 1)
    assert jobs.reconcile(run).message == "The training process was never started; resume starts it."
    jobs.resume(run)
    wait_for(run, "running")


def test_several_at_once_share_the_cores(line: list[Run], stand_in: Stand) -> None:
    tell = CLAIM + "import os; (run.path / 'share').write_text(os.environ['BOTTLENECK_TRAINERS'], encoding='utf-8')\n"
    stand_in(tell + TRAIN.removeprefix(CLAIM))
    assert jobs.set_queue(at_once=3).waiting == ("three",)
    for run in line[1:3]:
        wait_for(run, "running")
        assert (run.path / "share").read_text(encoding="utf-8") == "3"
    assert jobs.set_queue(at_once=1).at_once == 1  # what trains goes on
    assert [run.status.state for run in line] == ["running", "running", "running", "queued"]
    for wrong in (0, -1, 65):
        with pytest.raises(ValueError, match=f"at_once={wrong} must be a whole number from 1 to 64"):
            jobs.set_queue(at_once=wrong)


def test_a_paused_queue_starts_nothing(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    jobs.set_queue(paused=True)
    jobs.start(run)
    jobs.start(run)
    assert jobs.advance() == []
    assert jobs.reconcile(run).message == "Next. The queue is paused."
    with pytest.raises(ValueError, match="one waits already, at place 1"):
        jobs.resume(run)
    jobs.set_queue(paused=False)
    assert wait_for(run, "running").pid
    assert waiting() == []


def test_moving(line: list[Run]) -> None:
    assert jobs.move(line[3], 1).waiting == ("three", "one", "two")
    assert jobs.move(line[3], 2).waiting == ("one", "three", "two")
    assert jobs.move(line[3], 2).waiting == ("one", "three", "two")
    for place in (0, 4):
        with pytest.raises(ValueError, match=f"no place {place} in the queue: 3 wait"):
            jobs.move(line[1], place)
    with pytest.raises(ValueError, match="zero does not wait"):
        jobs.move(line[0], 1)
    jobs.launch("urgent", CONFIG, first=True)
    assert waiting() == ["urgent", "one", "three", "two"]
    jobs.start(line[2], first=True)
    jobs.start(line[1])  # it waits already, and keeps its place
    assert waiting() == ["two", "urgent", "one", "three"]


def test_a_waiting_run_that_is_stopped_leaves_the_queue(line: list[Run]) -> None:
    status = jobs.stop(line[1])
    assert (status.state, status.message) == ("stopped", "Taken out of the queue; resume starts from the beginning.")
    assert waiting() == ["two", "three"]
    jobs.resume(line[1])
    assert waiting() == ["two", "three", "one"]


def test_a_waiting_run_that_is_deleted_leaves_the_queue(line: list[Run]) -> None:
    jobs.delete(line[2])
    assert not line[2].path.exists()
    assert jobs.read_queue(line[0].path.parent).waiting == ("one", "three")
    with pytest.raises(ValueError, match="zero is running and cannot be deleted: stop it first"):
        jobs.delete(line[0])
    jobs.launch("two", CONFIG)
    assert waiting() == ["one", "three", "two"]


def test_a_waiting_run_keeps_its_place_under_another_name(line: list[Run]) -> None:
    renamed = jobs.rename(line[1], "uno")
    assert waiting() == ["uno", "two", "three"]
    assert (jobs.reconcile(renamed).state, jobs.reconcile(renamed).message) == ("queued", "Next.")
    with pytest.raises(ValueError, match="already a run named 'two'"):
        jobs.rename(renamed, "two")
    assert waiting() == ["uno", "two", "three"]
    with pytest.raises(ValueError, match="zero is running and cannot be renamed"):
        jobs.rename(line[0], "nought")
    jobs.stop(line[0])
    wait_for(line[0], "stopped")
    assert jobs.advance() == [renamed]


def test_a_training_that_was_started_by_hand_takes_a_place(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    jobs.claim(run)  # this process
    second = jobs.launch("second", CONFIG)
    assert waiting() == ["second"]
    assert jobs.advance() == []
    run.update_status(state="finished")
    assert jobs.advance() == [second]


def test_a_waiting_run_that_is_claimed_in_the_last_moment_is_not_started(
    line: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.stop(line[0])
    wait_for(line[0], "stopped")
    count = jobs._in_training
    monkeypatch.setattr(jobs, "_in_training", lambda *given: (count(*given), jobs.claim(line[1]))[0])
    assert jobs.advance() == [line[2]]
    assert line[1].status.pid == os.getpid()
    assert waiting() == ["three"]


def test_a_waiting_run_that_somebody_trains_by_hand_is_not_started_again(line: list[Run]) -> None:
    jobs.claim(line[1])
    assert waiting() == ["two", "three"]
    jobs.stop(line[0])
    wait_for(line[0], "stopped")
    assert jobs.advance() == []
    assert line[1].status.pid == os.getpid()


def test_after_a_restart_of_the_machine_the_dead_are_told_and_the_next_one_starts(
    line: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = line[0].status.pid or 0
    child = jobs._children.pop(pid)
    child.kill()
    child.wait()
    monkeypatch.setattr(psutil, "boot_time", lambda: time.time() + 60)
    assert jobs.advance() == [line[1]]
    status = line[0].status
    assert status.state == "failed"
    assert "ended when the machine went down, at step 120 (last heard of 20" in status.message
    assert waiting() == ["two", "three"]


def test_one_that_cannot_be_started_does_not_hold_up_the_others(
    line: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = jobs._command
    monkeypatch.setattr(jobs, "_command", lambda run: ["/no/such/program"] if run.name == "one" else usual(run))
    jobs.stop(line[0])
    wait_for(line[0], "stopped")
    assert jobs.advance() == [line[2]]
    assert "could not be started" in line[1].status.message
    assert waiting() == ["three"]


def test_a_run_whose_folder_went_away_is_dropped_and_a_damaged_one_too(line: list[Run]) -> None:
    shutil.rmtree(line[1].path)
    (line[2].path / "status.json").write_text("{", encoding="utf-8")
    assert waiting() == ["three"]
    jobs.stop(line[0])
    wait_for(line[0], "stopped")
    assert jobs.advance() == [line[3]]


@pytest.mark.parametrize("what", [(jobs, "_announce"), (jobs, "_spawn"), (Run, "write_status")])
def test_a_full_disk_keeps_the_place(
    line: list[Run], monkeypatch: pytest.MonkeyPatch, what: tuple[object, str]
) -> None:
    """Whatever it is that cannot be written: no process stays behind, and the run starts when there is room again."""
    jobs.stop(line[0])
    gone(wait_for(line[0], "stopped").pid or 0)
    before = psutil.Process().children()  # a browser, say
    with monkeypatch.context() as patch:
        patch.setattr(*what, full)
        patch.setattr(Run, "write_status", full)
        with pytest.raises(ValueError, match=r"one|two|three cannot be written \(No space left on device\)"):
            jobs.advance()
        started = [child for child in psutil.Process().children() if child not in before]
        assert not [child for child in started if child.status() != psutil.STATUS_ZOMBIE]
    assert waiting() == ["one", "two", "three"]
    assert jobs.advance() == [line[1]]


ONCE = CLAIM + (
    "with (run.path.parent / 'begun').open('a') as file: file.write(run.name + '\\n')\n"
    "run.update_status(state='running'); time.sleep(0.05); run.update_status(state='finished')\n"
)


def test_however_many_look_nobody_is_started_twice(tmp_path: Path) -> None:
    """Three processes that do nothing but look, at a queue of twelve, two at once."""
    jobs.set_queue(at_once=2, paused=True)
    made = [jobs.launch(f"run-{number}", CONFIG) for number in range(12)]
    script = (
        "import sys, time\nfrom vae import jobs, runs\ncode = sys.argv[1]\n"
        "jobs._command = lambda run: [sys.executable, '-c', code, str(run.path)]\n"
        "count = jobs._in_training\n"
        "jobs._in_training = lambda *given: (count(*given), time.sleep(0.03))[0]  # a gap to come between\n"
        "until = time.monotonic() + 50\n"
        "while time.monotonic() < until:\n"
        "    jobs.advance()\n"
        "    states = [run.status.state for run in runs.list_runs()]\n"
        "    if set(states) <= {'finished', 'failed'}: break\n"
    )
    lookers = [subprocess.Popen([sys.executable, "-c", script, ONCE]) for _ in range(3)]
    queue = jobs.read_queue(tmp_path)
    jobs.write_queue(tmp_path, replace(queue, paused=False))
    most = 0
    while any(looker.poll() is None for looker in lookers):
        most = max(most, sum(run.status.pid is not None and run.status.state != "finished" for run in made))
        time.sleep(0.01)
    assert [looker.wait() for looker in lookers] == [0, 0, 0]
    begun = (tmp_path / "begun").read_text(encoding="utf-8").split()
    assert sorted(begun) == sorted(run.name for run in made)
    assert {run.status.state for run in made} == {"finished"}
    assert most <= 2
