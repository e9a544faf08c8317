"""Three students follow a chapter on the app, and the checks of a class can fail."""

import asyncio
import shutil
import time

import pytest

from benchmarks import classroom
from benchmarks.interact import ROOT, served
from vae import recipes
from vae.runs import Run


def test_three_students_follow_a_chapter_to_its_end(told, tmp_path, monkeypatch):
    monkeypatch.setattr(classroom, "THOUGHT", (0.0, 0.1))
    monkeypatch.setattr(classroom, "ARRIVAL", 0.1)
    shutil.copytree(ROOT / "checkpoints" / "captions-two-phase", told / "captions-two-phase")
    run, found, log = Run(told / "captions-two-phase"), classroom.Class(), tmp_path / "server.log"
    warm_up = [each.slug for each in classroom.CHAPTERS].index("warm-up")
    monkeypatch.setattr(classroom, "whole", lambda: [warm_up])
    with served(ROOT / "streamlit_app.py", told, log) as address:
        asyncio.run(classroom.everybody(found, address, run, 3, 0.0))
    assert not found.problems + found.unfinished
    assert {kind: len(each) for kind, each in found.seconds.items()} == {"open": 3, "predict": 3, "reveal": 3}
    assert found.sent == found.answered == 9
    assert "Traceback" not in log.read_text("utf-8", errors="replace")


def test_a_student_follows_every_chapter_and_turns_to_the_next(told, tmp_path):
    for bundled in (ROOT / "checkpoints").glob("captions-*"):
        shutil.copytree(bundled, told / bundled.name, ignore=shutil.ignore_patterns("snapshots"))
    found, chapters = classroom.Class(), classroom.whole()
    with served(ROOT / "streamlit_app.py", told, tmp_path / "server.log") as address:
        for index in chapters:
            asyncio.run(classroom.student(found, address, index, 0, 0.0, (0.0, 0.0)))
        first = chapters[-1]  # in which nothing is decoded
        asyncio.run(classroom.student(found, address, first, 0, time.monotonic() + 3, (0.0, 0.0)))
    assert not found.problems + found.unfinished
    assert len(chapters) == len(classroom.CHAPTERS)
    assert len(found.seconds["reveal"]) > len(chapters)
    assert found.seconds["turn"]


def failed(found, trainer, log=""):
    return [words.split(":")[0] for good, words in classroom.checks(found, trainer, log) if not good]


@pytest.fixture
def course(tmp_path):
    """A class and a run in which all was well: a step a second, seen by one watcher every two seconds."""
    trainer = classroom.Trainer(Run.create(tmp_path / "run", recipes.get("plain-vae")))
    trainer.written = [(float(second), second) for second in range(1, 11)]
    found = classroom.Findings()
    found.many.sent = found.many.answered = 5
    found.many.seen = [[(time, time + 0.1, int(time)) for time in (1.5, 3.5, 5.5, 7.5, 9.5)]]
    return found, trainer


def test_where_all_was_well_every_check_holds(course):
    found, trainer = course
    assert failed(found, trainer) == []
    assert max(classroom.lags(trainer, found.many.seen[0])) == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda found: found.first.problems.append("KeyError"), "No exception or error"),
        (lambda found: found.single.unfinished.append("learn"), "Every session came to its end"),
        (lambda found: setattr(found.many, "answered", 4), "Every message was answered"),
        (lambda found: found.many.seen[0].append((9.6, 9.7, 8)), "The step on the live page never fell"),
        (lambda found: found.many.seen[0].insert(2, (5.2, 5.3, 4)), "A redraw showed the step"),
        (lambda found: found.many.seen.append([(1.5, 1.6, 1), (9.5, 9.6, 9)]), "A step was seen at the latest"),
    ],
)
def test_what_is_lost_is_found(course, harm, words):
    found, trainer = course
    harm(found)
    assert any(each.startswith(words) for each in failed(found, trainer))


def test_a_traceback_in_the_log_of_the_server_counts(course):
    (words,) = failed(*course, log="Traceback (most recent call last):\n  File ...")
    assert words.startswith("No exception or error")
