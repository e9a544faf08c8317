"""Errands with small real processes: what they say, how they fail, and that they can be stopped."""

import sys
import time

import psutil
import pytest

from app.backend import errands
from app.backend.errands import Errand

PATIENCE = 30.0
WAITS = "import time; time.sleep(600)"


@pytest.fixture(autouse=True)
def small_programs(monkeypatch):
    """An errand here is a line of Python, and none outlives its test."""
    monkeypatch.setattr(errands, "PROGRAM", (sys.executable, "-c"))
    monkeypatch.setattr(errands, "_STARTED", {})
    for variable in ("PYTHONUNBUFFERED", "PYTHONUTF8"):
        monkeypatch.delenv(variable, raising=False)
    yield
    for key in list(errands._STARTED):
        errands.stop(key)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "words.log"


def wait_for(found):
    end = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < end, "it has not come to that"
        time.sleep(0.02)
    return value


def ended(key):
    state = errands.state(key)
    return state is None or bool(state.problem)


def test_an_errand_that_is_done_leaves_its_words_and_no_more(log):
    assert errands.state("a") is None
    errands.start("a", ["print('so weit, so schön')"], log)
    wait_for(lambda: ended("a"))
    assert errands.state("a") is None
    assert log.read_text(encoding="utf-8") == "so weit, so schön\n"


def test_it_runs_at_the_top_of_the_project(log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    errands.start("a", ["import pathlib; print(pathlib.Path('vae', 'config.py').is_file())"], log)
    wait_for(lambda: ended("a"))
    assert log.read_text(encoding="utf-8") == "True\n"


def test_how_far_it_has_come_is_its_last_word_on_it(log):
    script = r"""
import sys, time
print("1 of 106 passes")
sys.stderr.write("12 of 106 passes\r13 of 106 passes")
sys.stderr.write("\na warning about 2 of 3 things\n")
time.sleep(600)
"""
    errands.start("a", [script], log)
    wait_for(lambda: "things" in log.read_text(encoding="utf-8"))
    state = errands.state("a")
    assert state.progress == (13, 106)
    assert 0 < state.seconds < PATIENCE
    assert state.problem == ""


def test_before_its_first_word_it_has_no_progress(log):
    log.write_text("105 of 106 passes\n", encoding="utf-8")  # an earlier one's
    errands.start("a", [WAITS], log)
    assert errands.state("a").progress is None


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("print('7 of 9 passes\\n\\n'); raise SystemExit('no room left  ')", "no room left"),
        ("print('no room left\\n7 of 9 passes\\n'); raise SystemExit(1)", "no room left"),
        ("print('7 of 9 passes'); raise SystemExit(1)", "Its process ended without a word."),
        ("import os; os._exit(3)", "Its process ended without a word."),
    ],
    ids=["last line", "before how far it came", "only how far it came", "no word"],
)
def test_a_failure_is_told_with_its_last_words(script, problem, log):
    errands.start("a", [script], log)
    wait_for(lambda: ended("a"))
    assert errands.state("a") == Errand(problem=problem)


def test_one_for_each_key_at_a_time_and_again_after_a_failure(log, tmp_path):
    errands.start("a", [WAITS], log)
    first = errands._STARTED["a"].process
    errands.start("a", ["print('not now')"], log)
    assert errands._STARTED["a"].process is first
    errands.start("b", ["raise SystemExit('no')"], tmp_path / "b.log")
    wait_for(lambda: ended("b"))
    errands.start("b", [WAITS], tmp_path / "b.log")
    assert errands.state("b").problem == ""


def test_a_stopped_errand_is_gone_and_can_be_started_again(log):
    errands.start("a", [WAITS], log)
    pid = errands._STARTED["a"].process.pid
    errands.stop("a")
    assert not psutil.pid_exists(pid)
    assert errands.state("a") is None
    errands.stop("a")
    errands.start("a", [WAITS], log)
    assert errands.state("a").seconds >= 0


@pytest.mark.skipif(sys.platform == "win32", reason="there, terminating is killing")
def test_one_that_will_not_end_is_made_to(log, monkeypatch):
    monkeypatch.setattr(errands, "GRACE", 0.2)
    script = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); {WAITS}"
    errands.start("a", [script], log)
    wait_for(lambda: "deaf" in log.read_text(encoding="utf-8"))
    process = errands._STARTED["a"].process
    errands.stop("a")
    assert process.returncode == -9


def test_a_log_that_cannot_be_written_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        errands.start("a", [WAITS], tmp_path / "nowhere" / "at all" / "words.log")
    assert errands.state("a") is None
