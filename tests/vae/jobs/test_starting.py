"""A training process: begun, stopped, taken up again, and by one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.vae.jobs.trainers import CLAIM, CONFIG, TRAIN, Stand, gone, wait_for
from vae import jobs, runs
from vae.runs import Run, State, Status

# ---------------------------------------------------------------------------------------------------- start to finish


def test_launch_stop_and_resume(stand_in: Stand) -> None:
    stand_in(TRAIN)
    run = jobs.launch("first", CONFIG)
    assert run == runs.find("first")
    status = wait_for(run, "running")
    assert status.pid is not None
    assert status.process_started == pytest.approx(psutil.Process(status.pid).create_time(), abs=1)
    assert jobs.reconcile(run) == run.status

    assert jobs.stop(run).state == "stopping"
    assert jobs.stop(run).state in ("stopping", "stopped")
    assert wait_for(run, "stopped").message == "Stopped at step 120."
    gone(status.pid)
    assert jobs.reconcile(run).state == "stopped"
    assert jobs.stop(run) == run.status

    assert jobs.resume(run) == run
    assert wait_for(run, "running").pid != status.pid
    log = run.log_path.read_text(encoding="utf-8")
    assert log.count(jobs.STARTED) == 2


def test_the_command_trains_this_run_from_any_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.path.parent)
    assert jobs._command(Run(run.name)) == [
        sys.executable, "-m", "vae", "train", "--run", str(run.path), "--resume",
    ]  # fmt: skip


def test_the_process_finds_the_package_and_is_detached(
    run: Run, stand_in: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere" / "vae").mkdir(parents=True)
    (tmp_path / "elsewhere" / "vae" / "__init__.py").write_text("raise SystemExit('the wrong vae')", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    stand_in(
        CLAIM + "import os\n"
        "print(repr(sys.stdin.read()), flush=True); print('ünd', file=sys.stderr)\n"
        "if hasattr(os, 'getsid'): assert os.getsid(0) == os.getpid()\n"
        "run.update_status(state='finished', message='')\n"
    )
    jobs.start(run)
    wait_for(run, "finished")
    assert "'the wrong vae'" not in run.log_path.read_text(encoding="utf-8")
    child = jobs._children[run.status.pid or 0]
    child.wait(10)
    assert run.log_path.read_text(encoding="utf-8").split("\n")[1:] == ["''", "ünd", ""]


def test_a_bad_or_taken_name_starts_nothing(stand_in: Stand, run: Run) -> None:
    stand_in(TRAIN)
    before = set(jobs._children)
    for name in ("", "../x", "x" * 300, "con", run.name):
        with pytest.raises(ValueError, match=r"cannot name a run|already holds something"):
            jobs.launch(name, CONFIG)
    assert set(jobs._children) == before
    assert run.status.state == "queued"


def test_a_command_that_cannot_be_started_leaves_the_run_failed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_command", lambda run: [str(run.path / "no-such-program")])
    with pytest.raises(ValueError, match="could not be started"):
        jobs.start(run)
    assert run.status.state == "failed"
    assert "could not be started" in run.status.message


def test_a_run_is_not_a_part_of_several_processes_because_its_starter_is(
    run: Run, stand_in: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("RANKING", "kept")
    stand_in(CLAIM + "import os; run.update_status(state='finished', message=' '.join(sorted(os.environ)))")
    jobs.start(run)
    known = set(wait_for(run, "finished").message.split())
    assert "RANKING" in known
    assert not known & {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID"}


# -------------------------------------------------------------------------------------------------- who may do what


def test_of_several_callers_at_once_one_starts_the_process(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    before = set(jobs._children)

    def start(_: int) -> bool:
        try:
            jobs.start(run)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert any(pool.map(start, range(8)))  # more than one may have put it into the queue before it was its turn
    assert len(set(jobs._children) - before) == 1
    wait_for(run, "running")
    with pytest.raises(ValueError, match="in training already"):
        jobs.resume(run)


def test_only_stopped_and_failed_runs_resume(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    with pytest.raises(ValueError, match="queued and cannot be resumed: only stopped and failed runs can"):
        jobs.resume(run)
    run.write_status(Status(state="finished"))
    for call in (jobs.start, jobs.resume, jobs.claim):
        with pytest.raises(ValueError, match=r"finished and cannot be .* nothing left to train"):
            call(run)
    run.write_status(Status(state="failed", step=7))
    jobs.resume(run)
    assert wait_for(run, "running").step == 120


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    for call in (jobs.start, jobs.resume, jobs.stop, jobs.claim, jobs.reconcile):
        with pytest.raises(ValueError, match="There is no run at"):
            call(Run(tmp_path / "nothing"))
    assert not (tmp_path / "nothing").exists()


def test_a_process_that_was_started_for_the_run_waits_for_its_pid_to_be_written(run: Run, stand_in: Stand) -> None:
    """The child's first status comes after the starter's last: never is a later word overwritten by an earlier."""
    stand_in(CLAIM + "run.update_status(state='finished')")
    for _ in range(5):
        jobs.start(run)
        assert wait_for(run, "finished").state == "finished"
        jobs._children[run.status.pid or 0].wait(10)
        assert run.status.state == "finished"
        run.write_status(Status())


def test_claiming_by_hand(run: Run) -> None:
    run.stop_path.touch()
    assert jobs.claim(run) is False
    assert not run.stop_path.exists()
    assert (run.status.state, run.status.pid) == ("queued", os.getpid())
    assert jobs.claim(run) is True
    with pytest.raises(ValueError, match="in training already"):
        jobs.start(run)


def test_nothing_is_left_in_a_run_that_has_finished(run: Run) -> None:
    """Such as one that ships with Bottleneck: asked to stop, to start or to go on, it stays as it came."""
    run.write_status(Status(state="finished", step=3, total_steps=3))
    before = {path: path.stat().st_mtime_ns for path in run.path.parent.rglob("*")}
    assert jobs.stop(run) == run.status
    for begin in (jobs.start, jobs.resume, jobs.claim):
        with pytest.raises(ValueError, match="has finished and cannot be"):
            begin(run)
    assert {path: path.stat().st_mtime_ns for path in run.path.parent.rglob("*")} == before


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_stopping_what_has_ended_leaves_nothing_behind(run: Run, state: State) -> None:
    run.write_status(Status(state=state, step=3))
    before = sorted(run.path.iterdir())
    assert jobs.stop(run) == Status(state=state, step=3)
    assert sorted(run.path.iterdir()) == before


def test_a_claim_keeps_the_wish_to_stop_that_came_after_the_start(run: Run) -> None:
    for pid in (os.getpid(), os.getppid()):  # on Windows the starter may know the launcher's pid only
        run.write_status(Status(pid=pid, process_started=psutil.Process(pid).create_time()))
        assert jobs.stop(run).state == "stopping"
        assert jobs.claim(run) is True
        assert run.stop_path.exists()
        assert jobs.reconcile(run).state == "stopping"


def test_two_processes_cannot_train_one_run(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    jobs.start(run)
    pid = wait_for(run, "running").pid
    with pytest.raises(ValueError, match=f"in training already .process {pid}."):
        jobs.claim(run)
    assert run.status.pid == pid


def test_a_wish_to_stop_is_heeded_once(run: Run) -> None:
    jobs.claim(run)
    assert jobs.heed(run) is None
    jobs.stop(run)
    status = jobs.heed(run)
    assert status is not None
    assert (status.state, run.status.state, run.stop_path.exists()) == ("stopped", "stopped", False)
    assert jobs.heed(run) is None


def test_torch_is_not_loaded() -> None:
    code = "import sys, vae.jobs; assert not {'torch', 'pandas', 'transformers', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
