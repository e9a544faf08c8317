"""Training processes, with small real ones in the trainer's place."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from vae import jobs, machine, recipes, runs
from vae.runs import Run, Status

CONFIG = recipes.get("plain-vae")
CLAIM = "import sys, time; from vae import jobs; from vae.runs import Run; run = Run(sys.argv[1]); jobs.claim(run)\n"
TRAIN = CLAIM + (
    "run.update_status(state='running', step=120, message='')\n"
    "while not run.stop_path.exists(): time.sleep(0.01)\n"
    "run.update_status(state='stopped', message='Stopped at step 120.'); run.stop_path.unlink()\n"
)
"""A trainer of 120 steps that then waits to be asked to stop."""
Stand = Callable[[str], None]


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTLENECK_RUNS", str(tmp_path))


@pytest.fixture
def line(tmp_path: Path, stand_in: Stand) -> list[Run]:
    """One run in training and three that wait: zero, one, two, three."""
    stand_in(TRAIN)
    made = [jobs.launch(name, CONFIG) for name in ("zero", "one", "two", "three")]
    wait_for(made[0], "running")
    return made


def waiting() -> list[str]:
    return list(jobs.queue().waiting)


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


def wait_for(run: Run, *states: str) -> Status:
    """The status once it is one of the states."""
    deadline = time.monotonic() + 10
    while (status := run.status).state not in states:
        assert time.monotonic() < deadline, f"still {status}; the log says {run.log_path.read_text(encoding='utf-8')}"
        time.sleep(0.01)
    return status


def gone(pid: int) -> None:
    """Wait until a process has ended; as a child of this one it may stay a zombie."""
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


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


# ------------------------------------------------------------------------------------------------- death and its truth


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL; TerminateProcess is tested as kill() below")
def test_a_killed_process_leaves_a_failed_run_and_no_zombie(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    jobs.start(run)
    pid = wait_for(run, "running").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    gone(pid)
    status = jobs.reconcile(run)
    assert status.state == "failed"
    assert re.fullmatch(
        r"The process was killed \(signal 9, SIGKILL, most often because memory ran out\) at step 120 "
        r"\(last heard of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\); resume starts from the beginning\.",
        status.message,
    )
    assert (status.pid, status.eta_s, status.step) == (None, None, 120)
    assert run.status == status
    assert not psutil.pid_exists(pid)
    run.state_path.mkdir()
    (run.state_path / "state.json").touch()
    jobs.resume(run)
    pid = wait_for(run, "running").pid or 0
    jobs._children[pid].kill()
    gone(pid)
    assert jobs.reconcile(run).message.endswith("resume continues from the last saved state.")


def test_a_zombie_of_another_parent_is_dead(run: Run, stand_in: Stand) -> None:
    stand_in(TRAIN)
    jobs.start(run)
    pid = wait_for(run, "running").pid or 0
    child = jobs._children.pop(pid)  # as if the module had been loaded anew
    child.kill()
    gone(pid)
    assert jobs.reconcile(run).state == "failed"
    child.wait()


def test_a_process_asked_to_stop_that_dies_is_stopped(run: Run, stand_in: Stand) -> None:
    stand_in(CLAIM + "run.update_status(state='running', step=3); time.sleep(60)")
    jobs.start(run)
    pid = wait_for(run, "running").pid or 0
    assert jobs.stop(run).state == "stopping"
    assert jobs.reconcile(run).state == "stopping"
    jobs._children[pid].kill()
    gone(pid)
    status = jobs.reconcile(run)
    assert (status.state, status.message) == ("stopped", "Stopped after step 3; resume starts from the beginning.")
    assert not run.stop_path.exists()


def test_a_pid_that_now_belongs_to_another_process(run: Run) -> None:
    mine = psutil.Process().create_time()
    run.write_status(Status(state="running", pid=os.getpid(), process_started=mine, step=5))
    assert jobs.reconcile(run).state == "running"
    run.write_status(Status(state="running", pid=os.getpid(), process_started=mine - 100, step=5))
    assert jobs.reconcile(run).state == "failed"
    assert run.status.state == "failed"


def test_a_pid_of_nobody(run: Run) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    run.write_status(Status(state="running", pid=process.pid, process_started=time.time()))
    assert jobs.reconcile(run).message.startswith("The process ended without notice before its first step;")
    run.write_status(Status(state="running", pid=process.pid, process_started=time.time()))
    assert jobs.stop(run).state == "failed"


def test_a_queued_run_gets_time_for_its_process_to_appear(run: Run) -> None:
    assert jobs.reconcile(run).state == "queued"
    run.write_status(replace(run.status, heartbeat=time.time() - jobs.GRACE - 1))
    status = jobs.reconcile(run)
    assert (status.state, status.message) == ("failed", "The training process was never started; resume starts it.")


def test_stopping_a_queued_run_that_has_no_process(run: Run, stand_in: Stand) -> None:
    status = jobs.stop(run)
    assert (status.state, run.status.state) == ("stopped", "stopped")
    assert not run.stop_path.exists()
    stand_in(TRAIN)
    jobs.resume(run)
    wait_for(run, "running")


def test_reconciling_leaves_what_has_ended_alone(run: Run) -> None:
    for state in ("stopped", "finished", "failed"):
        status = Status(state=state, pid=1, process_started=1.0, message="as it was")  # type: ignore[arg-type]
        run.write_status(status)
        before = (run.path / "status.json").stat().st_mtime_ns
        assert jobs.reconcile(run) == jobs.stop(run) == status
        assert (run.path / "status.json").stat().st_mtime_ns == before


def test_a_process_that_ends_in_good_order_while_somebody_looks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status that was read first is old by the time that its process is found gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    old = Status(state="running", pid=process.pid, process_started=time.time(), step=9)
    run.write_status(old)
    lost = jobs._lost

    def finish_first(run: Run, status: Status) -> bool:
        run.write_status(Status(state="finished", step=10))
        return lost(run, status)

    monkeypatch.setattr(jobs, "_lost", finish_first)
    assert jobs.reconcile(run) == Status(state="finished", step=10)


# ------------------------------------------------------------------------------------------------------- its last words


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("step 1\nRuntimeError: CUDA out of memory\n", "RuntimeError: CUDA out of memory"),
        ("Killed\n", "Killed"),
        ("OSError: [Errno 28] No space left on device\n  \n", "OSError: [Errno 28] No space left on device"),
        (
            'Fatal Python error: Segmentation fault\n  File "/x/errors.py", line 3\n',
            "Fatal Python error: Segmentation fault",
        ),
        ("the default is fine\nstep 7\n", ""),
        ("", ""),
    ],
)
def test_the_telling_line_of_the_log_is_quoted(run: Run, log: str, words: str) -> None:
    run.log_path.write_text(f"ValueError: of an earlier process\n{jobs.STARTED}now\n{log}", encoding="utf-8")
    run.write_status(Status(state="running", pid=os.getpid(), process_started=1.0, step=2))
    message = jobs.reconcile(run).message
    assert message.endswith(f"Its last words: {words}" if words else "from the beginning.")


def test_a_child_that_cannot_even_begin_says_why(run: Run, stand_in: Stand) -> None:
    stand_in("raise ModuleNotFoundError(\"No module named 'torch'\")")
    jobs.start(run)
    jobs._children[run.status.pid or 0].wait(10)
    status = jobs.reconcile(run)
    assert status.state == "failed"
    assert status.message.endswith("Its last words: ModuleNotFoundError: No module named 'torch'")


def test_a_long_log_of_strange_bytes(run: Run) -> None:
    run.log_path.write_bytes(b"\xff" * 100_000 + b"\nMemoryError " + b"x" * 1000 + b"\n")
    run.write_status(Status(state="running", pid=os.getpid(), process_started=1.0))
    assert len(jobs.reconcile(run).message) < 500


def test_torch_is_not_loaded() -> None:
    code = "import sys, vae.jobs; assert not {'torch', 'pandas', 'transformers', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wish_to_stop_is_heeded_once(run: Run) -> None:
    jobs.claim(run)
    assert jobs.heed(run) is None
    jobs.stop(run)
    status = jobs.heed(run)
    assert status is not None
    assert (status.state, run.status.state, run.stop_path.exists()) == ("stopped", "stopped", False)
    assert jobs.heed(run) is None


# ------------------------------------------------------------------------------------------------------------ the queue


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


def test_a_run_that_died_can_be_deleted_at_once(run: Run) -> None:
    run.write_status(Status(state="running", pid=os.getpid(), process_started=1.0))
    jobs.delete(run)
    assert not run.path.exists()


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


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_truth_is_told_even_if_it_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.write_status(Status(state="running", pid=os.getpid(), process_started=1.0, step=5))
    monkeypatch.setattr(Run, "write_status", full)
    assert jobs.reconcile(run).state == "failed"
    assert run.status.state == "running"


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


# --------------------------------------------------------------------------------------------------------- together


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
