"""Training processes: queued, started, stopped, resumed, and found out about when they die without a word.

A process belongs to nobody's window or terminal; all that is known of it stands in its run directory. Who writes
status.json is settled so that nobody overwrites the truth: while a process trains the run, that process alone. It
`claim`s the run before it does anything else. Everybody else writes only when there is no such process, and holds the
run's lock meanwhile; a wish to stop is a file of its own. `reconcile` says what is true now.

A run that is to train joins the queue of its folder (`vae.queue`); `advance` starts as many as may train at once. It
is called by whoever changes the queue, by whoever looks, and by every training process when it ends, so that the next
one starts though no window is open. A run in the queue is `queued` and has no process.

Nothing heavy is imported here.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from vae import machine, runs
from vae.config import Config
from vae.queue import MOST, Queue, Unwritable, alone, held
from vae.queue import read as read_queue
from vae.queue import write as write_queue
from vae.runs import ACTIVE, Run, State, Status

GRACE = 30.0
"""Seconds that a run may be queued without waiting in the queue or having a process: more than either takes."""
CLOCK_SLACK = 5.0
"""Seconds by which two readings of when a process was created may differ, as the system's clock is corrected."""
STARTED = "--- started "
"""How the line in log.txt begins that divides the words of one process from those of the next."""
TELLING = re.compile(r'^(?! *File ").*(error|exception|killed|fatal|abort|out of memory|denied)', re.IGNORECASE)
"""A line of log.txt that may say why a process died."""
ONE_OF_SEVERAL = re.compile(r"(LOCAL_|GROUP_|ROLE_)?(RANK|WORLD_SIZE|NAME)|MASTER_(ADDR|PORT)|TORCHELASTIC_\w+")
"""Environment variables that place a process among several. They are not for the run that it starts at its end."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""The processes that this one started. On POSIX a dead child stays a zombie until its parent asks for it."""


def launch(name: str, config: Config, *, first: bool = False) -> Run:
    """Make a run of this name under `runs.root()` and put it into the queue: at its end, or before all that wait."""
    return start(Run.create(runs.root() / runs.valid_name(name), config), first=first)


def launch_together(lanes: Mapping[str, Config], folder: Path | None = None) -> list[Run]:
    """Make runs of these names in a folder (default `runs.root()`) and start all of them now, side by side.

    They do not wait, whatever the queue says: paused or full, it stays as it is, and goes on when they have ended. They
    share the threads of one trainer with each other and with what trains already. If one cannot be made, none is, and
    it is a `ValueError`; one whose process could not be started has failed, and says so.
    """
    folder = folder or runs.root()
    if len(lanes) > MOST:
        raise ValueError(f"{len(lanes)} runs are more than the {MOST} that can train at once: launch fewer together.")
    paths = [folder / runs.valid_name(name) for name in lanes]
    made: list[Run] = []
    try:
        for path, config in zip(paths, lanes.values(), strict=True):
            made.append(Run.create(path, config))
    except ValueError:
        for run in made:
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    with held(folder) as found:
        training = _in_training(folder, [*_waiting(folder, found), *lanes])
        for run in made:
            _begin(run, max(found.at_once, training + len(made)))
    return made


def start(run: Run, *, first: bool = False) -> Run:
    """Put a run that has no process into the queue; a run in training or finished is a `ValueError`.

    One that waits already keeps its place, or goes before all others.
    """
    return _join(run, ("queued", "stopped", "failed"), "started", first)


def resume(run: Run, *, first: bool = False) -> Run:
    """Put a stopped or failed run into the queue, to go on from its last saved state; any other is a `ValueError`."""
    return _join(run, ("stopped", "failed"), "resumed", first)


def advance(folder: Path | None = None) -> list[Run]:
    """Start the runs of a folder (default `runs.root()`) whose turn it is, and return them.

    What trains counts whoever started it, in the foreground too. A run that cannot be written to, on a full disk say,
    keeps its place; if for that reason none starts, it is a `ValueError`. In a folder that may only be read nothing is
    started.
    """
    folder = folder or runs.root()
    for child in list(_children.values()):
        child.poll()  # which also reaps it
    if not read_queue(folder).waiting or not os.access(folder, os.W_OK):
        return []
    started: list[Run] = []
    problem = None
    with held(folder) as found:
        left = waiting = _waiting(folder, found)
        free = 0 if found.paused or not waiting else found.at_once - _in_training(folder, waiting)
        for run in [Run(folder / name) for name in waiting]:
            if len(started) >= free:
                break
            try:
                started += [run] if _begin(run, found.at_once) else []
            except Unwritable as error:
                problem = error
            else:
                left = [name for name in left if name != run.name]
        _keep(folder, found, left)
    if problem and not started:
        raise problem
    return started


def queue(folder: Path | None = None) -> Queue:
    """The queue of a folder of runs (default `runs.root()`), with the runs that do wait."""
    folder = folder or runs.root()
    found = read_queue(folder)
    return replace(found, waiting=tuple(_waiting(folder, found)))


def place(run: Run) -> int | None:
    """The place of a run in the queue of its folder, from 1; None if it does not wait."""
    folder, name = _home(run)
    return read_queue(folder).place(name) if _is_idle(run) else None


def set_queue(*, at_once: int | None = None, paused: bool | None = None, folder: Path | None = None) -> Queue:
    """Change how many runs of a folder (default `runs.root()`) train at once, or whether what waits stays waiting."""
    folder = folder or runs.root()
    if at_once is not None and not 1 <= at_once <= MOST:
        raise ValueError(f"at_once={at_once} must be a whole number from 1 to {MOST}; a paused queue starts nothing.")
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder) as found:
        changed = replace(
            found,
            at_once=found.at_once if at_once is None else at_once,
            paused=found.paused if paused is None else paused,
        )
        write_queue(folder, changed)
    advance(folder)
    return queue(folder)


def move(run: Run, to: int) -> Queue:
    """Give a run that waits another place in the queue, from 1; any other run or place is a `ValueError`."""
    folder, name = _home(run)
    with held(folder) as found:
        waiting = _waiting(folder, found)
        if name not in waiting:
            raise ValueError(f"{name} does not wait in the queue: only a run that waits can be moved.")
        if not 1 <= to <= len(waiting):
            raise ValueError(f"There is no place {to} in the queue: {len(waiting)} wait, and the first has place 1.")
        waiting.remove(name)
        waiting.insert(to - 1, name)
        return _keep(folder, found, waiting)


def stop(run: Run) -> Status:
    """Ask a run's process to save and stop, and return the status: `stopping`, or at once `stopped` if none trains it.

    A run that waits leaves the queue. One that is stopped, finished or failed already stays what it is.
    """
    _require(run)
    if (status := run.status).state not in ACTIVE:
        return status  # and nothing is written: a lock would stay in the folder
    folder, name = _home(run)
    with held(folder) as found:
        with _locked(run):
            status = _settle(run)
            if status.state not in ACTIVE:
                return status
            if status.pid is not None:
                run.stop_path.touch()
                return replace(status, state="stopping")  # though its process may have taken the file away by now
            status = _rest(run, status)
        _keep(folder, found, [other for other in _waiting(folder, found) if other != name])
    return status


def rename(run: Run, name: str) -> Run:
    """Give a run another name beside its old one; if it waits, it keeps its place. One in training is a `ValueError`.

    Killed meanwhile, it leaves a run that is stopped, under one of the names.
    """
    reconcile(run)
    folder, old = _home(run)
    with held(folder) as found:
        waits = old in _waiting(folder, found)
        renamed = run
        if waits:
            with _locked(run):
                _rest(run, run.status)
        try:
            renamed = run.rename(name)
        finally:
            if waits:
                _keep(folder, found, [renamed.name if other == old else other for other in found.waiting])
                with _locked(renamed):
                    _write(renamed, renamed.status, "queued", "Waits.")
    return renamed


def delete(run: Run) -> None:
    """Delete a run with everything in it, and its place in the queue. One in training is a `ValueError`."""
    reconcile(run)
    folder, name = _home(run)
    with held(folder) as found:
        waiting = _waiting(folder, found)
        if name in waiting and not run.bundled:
            with _locked(run):
                _rest(run, run.status)
        run.delete()
        _keep(folder, found, [other for other in waiting if other != name])


def claim(run: Run) -> bool:
    """Make this process the one that trains the run; the training command calls it before anything slow.

    Returns whether this process was started for the run out of the queue, so that a wish to stop it counts already; an
    older wish is void. A run that another process trains, or that has finished, is a `ValueError`.
    """
    _require(run)
    _refuse_finished(run, run.status, "trained")
    with _locked(run):
        status = _settle(run)
        # Python in a virtual environment on Windows is the child of a launcher, whose pid is what the starter saw.
        expected = status.state in ACTIVE and status.pid in (os.getpid(), os.getppid())
        if not expected:
            _refuse(run, status, ("queued", "stopped", "failed"), "trained")
            run.stop_path.unlink(missing_ok=True)
            _announce(run)
        _write(run, status, "queued", "Starting.", os.getpid())
    return expected


def heed(run: Run) -> Status | None:
    """For the process that claimed the run, when it has loaded and is about to train: stop if that is wished by now."""
    if not run.stop_path.exists():
        return None
    run.stop_path.unlink(missing_ok=True)
    return _write(run, run.status, "stopped", f"Stopped before training began; {way_out(run)}")


def release(run: Run, error: BaseException) -> None:
    """For the process that claimed the run and ends by an error: unless the trainer has said more, the run failed."""
    if run.exists and (status := run.status).state in ACTIVE and status.pid == os.getpid():
        reason = str(error).strip() or type(error).__name__
        _write(run, status, "failed", f"Training did not begin ({reason.splitlines()[0][:300]}); {way_out(run)}")


def way_out(run: Run) -> str:
    """What resuming a run would do, as the end of a sentence."""
    saved = (run.state_path / "state.json").is_file()
    return "resume continues from the last saved state." if saved else "resume starts from the beginning."


def reconcile(run: Run, *, write: bool = True) -> Status:
    """The truth about a run. If its process is gone without having said so, status.json is corrected first.

    A run whose process ended without notice becomes `failed`, or `stopped` if it had been asked to stop. What a
    waiting run waits for stands in the message. With `write` off nothing is written: it is only said what is true.
    """
    status = run.status
    if _lost(run, status):
        if not write:
            return _seen(run, _corrected(run, status))
        try:
            with _locked(run):
                status = _settle(run)
        except Unwritable:
            status = _corrected(run, status)  # it is true though it cannot be written down
    return _seen(run, status)


def _join(run: Run, allowed: tuple[State, ...], verb: str, first: bool) -> Run:
    _require(run)
    _refuse_finished(run, run.status, verb)
    folder, name = _home(run)
    with held(folder) as found:
        waiting = _waiting(folder, found)
        if name in waiting and "queued" not in allowed:
            raise ValueError(f"{name} waits already, at place {waiting.index(name) + 1} of the queue.")
        with _locked(run):
            status = _settle(run)
            _refuse(run, status, allowed, verb)
            run.stop_path.unlink(missing_ok=True)
            _write(run, status, "queued", "Waits.")
        if first or name not in waiting:
            others = [other for other in waiting if other != name]
            waiting = [name, *others] if first else [*others, name]
        _keep(folder, found, waiting)
    advance(folder)
    if (status := run.status).state == "failed" and status.pid is None:
        raise ValueError(status.message)  # it was its turn, and its process could not be started
    return run


def _begin(run: Run, at_once: int) -> bool:
    """Start the process of a run that waits. Whether it was: if it could not be, the run has failed and says why."""
    with _locked(run):
        status = _settle(run)
        if status.state != "queued" or status.pid is not None:
            return False  # somebody trains it by hand since a moment ago
        child = None
        try:
            _announce(run)
            child = _spawn(run, at_once)
            # Before the child's own words: it waits for the lock.
            _write(run, status, "queued", "Starting.", child.pid)
        except OSError as error:
            if child:
                child.kill()
                child.wait()
            message = f"The training process could not be started ({error.strerror or error}); {way_out(run)}"
            _write(run, status, "failed", message)
            return False
        _children[child.pid] = child
        return True


def _waiting(folder: Path, found: Queue) -> list[str]:
    """The names in a queue whose runs do wait."""
    return [name for name in found.waiting if _is_idle(Run(folder / name))]


def _is_idle(run: Run) -> bool:
    """Whether a run is queued and has no process."""
    try:
        status = run.status
    except ValueError:
        return False
    return status.state == "queued" and status.pid is None


def _in_training(folder: Path, waiting: list[str]) -> int:
    """How many runs of a folder have a process, or are about to."""
    return sum(_is_active(run) for run in runs.list_runs(folder) if run.name not in waiting)


def _is_active(run: Run) -> bool:
    try:
        return run.status.state in ACTIVE and reconcile(run).state in ACTIVE
    except ValueError:
        return False


def _keep(folder: Path, found: Queue, waiting: list[str]) -> Queue:
    """Replace who waits in a queue that the caller holds."""
    kept = replace(found, waiting=tuple(waiting))
    if kept != found:
        write_queue(folder, kept)
    return kept


def _rest(run: Run, status: Status) -> Status:
    """Make a run that waits one that is stopped. The caller holds its lock."""
    return _write(run, status, "stopped", f"Taken out of the queue; {way_out(run)}")


def _home(run: Run) -> tuple[Path, str]:
    """The folder of runs that a run lies in, and its name there."""
    path = Path(os.path.abspath(run.path))  # noqa: PTH100  # `..` goes, links stay
    return path.parent, path.name


def _refuse(run: Run, status: Status, allowed: tuple[State, ...], verb: str) -> None:
    """A `ValueError` if the run's state is none of the allowed, or if a process is training it."""
    if status.state in ACTIVE and status.pid is not None:
        raise ValueError(f"{run.name} is in training already (process {status.pid}): stop it first.")
    _refuse_finished(run, status, verb)
    if status.state not in allowed:
        raise ValueError(f"{run.name} is {status.state} and cannot be {verb}: only {' and '.join(allowed)} runs can.")


def _refuse_finished(run: Run, status: Status, verb: str) -> None:
    """A `ValueError` if the run has finished. It stays so, so that may be asked before the lock, a file that stays."""
    if status.state == "finished":
        raise ValueError(f"{run.name} has finished and cannot be {verb}: there is nothing left to train.")


def _command(run: Run) -> list[str]:
    """The training command of a run directory."""
    return [sys.executable, "-m", "vae", "train", "--run", str(run.path.resolve()), "--resume"]


def _spawn(run: Run, at_once: int) -> subprocess.Popen[bytes]:
    """Start the training command so that it outlives this process, its terminal and its working directory."""
    package = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    # PYTHONSAFEPATH: a folder named vae where the caller happens to be is not ours.
    words = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1", "PYTHONFAULTHANDLER": "1"}
    inherited = {key: value for key, value in os.environ.items() if not ONE_OF_SEVERAL.fullmatch(key)}
    with run.log_path.open("ab") as log:
        return subprocess.Popen(
            _command(run),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=inherited | words | {machine.TRAINERS: str(at_once)},
            start_new_session=True,  # ignored on Windows, as the flags are zero elsewhere
            creationflags=getattr(subprocess, "DETACHED_PROCESS", 0)
            | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )


def _announce(run: Run) -> None:
    with run.log_path.open("a", encoding="utf-8") as log:
        log.write(f"{STARTED}{time.strftime('%Y-%m-%d %H:%M:%S')}\n")


def _settle(run: Run) -> Status:
    """Correct status.json if the process it speaks of is gone. The caller holds the lock."""
    status = run.status
    if not _lost(run, status):
        return status
    corrected = _corrected(run, status)
    run.stop_path.unlink(missing_ok=True)
    run.write_status(corrected)
    _children.pop(status.pid or 0, None)
    return corrected


def _corrected(run: Run, status: Status) -> Status:
    """What is true of a run whose status speaks of a process that is not there."""
    gone = replace(status, pid=None, process_started=None, heartbeat=time.time(), eta_s=None)
    if run.stop_path.exists() or status.state == "stopping":
        return replace(gone, state="stopped", message=f"Stopped after step {status.step}; {way_out(run)}")
    if status.pid is None:
        return replace(gone, state="failed", message="The training process was never started; resume starts it.")
    when = f"at step {status.step}" if status.step else "before its first step"
    if status.heartbeat:
        when += time.strftime(" (last heard of %Y-%m-%d %H:%M:%S)", time.localtime(status.heartbeat))
    words = _last_words(run)
    last = f" Its last words: {words}" if words else ""
    message = f"The process {_end(status)} {when}; {way_out(run)}{last}"
    return replace(gone, state="failed", message=message)


def _end(status: Status) -> str:
    """How the process of a status ended: what its parent knows, if that is this process, or what the clock tells."""
    child = _children.get(status.pid or 0)
    code = child.poll() if child else None
    if code is not None and code < 0:  # POSIX: ended by a signal
        name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
        guess = ", most often because memory ran out" if name == "SIGKILL" else ""
        return f"was killed (signal {-code}, {name}{guess})"
    if code:
        return f"ended with exit code {code}"
    if 0 < status.heartbeat < psutil.boot_time():
        return "ended when the machine went down,"
    return "ended without notice"


def _seen(run: Run, status: Status) -> Status:
    """The status with a wish to stop that its process has not answered yet, or with what a waiting run waits for."""
    if status.state in ("queued", "running") and run.stop_path.exists():
        return replace(status, state="stopping")
    if status.state == "queued" and status.pid is None:
        folder, name = _home(run)
        found = read_queue(folder)
        return replace(status, message=found.words(name)) if name in found.waiting else status
    return status


def _write(run: Run, status: Status, state: State, message: str, pid: int | None = None) -> Status:
    """Write a status on behalf of a run that no process speaks for."""
    changed = replace(
        status,
        state=state,
        message=message,
        pid=pid,
        process_started=_created(pid) if pid else None,
        heartbeat=time.time(),
        eta_s=None,
    )
    run.write_status(changed)
    return changed


def _lost(run: Run, status: Status) -> bool:
    """Whether a status speaks of a process that is not there."""
    if status.state not in ACTIVE:
        return False
    if status.pid is None:
        if time.time() - status.heartbeat <= GRACE:
            return False
        folder, name = _home(run)
        return status.state != "queued" or name not in read_queue(folder).waiting
    if child := _children.get(status.pid):
        child.poll()  # which also reaps it
    created = _created(status.pid)
    if created is None:
        return True
    return status.process_started is not None and abs(created - status.process_started) > CLOCK_SLACK


def _created(pid: int) -> float | None:
    """When the process of this pid was created, in seconds since 1970; None if there is none of ours, or its zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def _last_words(run: Run) -> str:
    """The last line of the present process's part of log.txt that looks like a reason, at most 300 characters."""
    if not run.log_path.is_file():
        return ""
    with run.log_path.open("rb") as log:
        log.seek(max(0, run.log_path.stat().st_size - 20_000))
        tail = log.read().decode("utf-8", errors="replace")
    telling = [line.strip() for line in tail.rpartition(STARTED)[2].splitlines() if TELLING.search(line)]
    return telling[-1][:300] if telling else ""


def _require(run: Run) -> None:
    if not run.exists:
        raise ValueError(f"There is no run at {run.path}: it was never made, or has been deleted.")


@contextmanager
def _locked(run: Run) -> Iterator[None]:
    """Hold the run's lock."""
    _require(run)
    with alone(run.path / ".lock", str(run.name)):
        yield
