"""The file of a queue: what it says, and what happens to one that is damaged."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae import queue
from vae.queue import Queue

NAMES = st.lists(st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True), unique=True, max_size=6).map(tuple)


def test_where_there_is_no_file_nobody_waits_and_nothing_is_made(tmp_path: Path) -> None:
    assert queue.read(tmp_path) == queue.read(tmp_path / "nowhere") == Queue()
    assert list(tmp_path.iterdir()) == []


@given(found=st.builds(Queue, at_once=st.integers(1, queue.MOST), waiting=NAMES, paused=st.booleans()))
def test_what_is_written_is_read(found: Queue, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("queue")
    with queue.held(folder) as before:
        assert before == Queue()
        queue.write(folder, found)
    assert queue.read(folder) == found
    assert [found.place(name) for name in found.waiting] == list(range(1, len(found.waiting) + 1))
    assert found.place("nobody at all") is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", '{"at_once": 0}', '{"at_once": 65}', '{"at_once": true}', '{"waiting": "abc"}',
     '{"waiting": [1]}', '{"paused": 1}', "{"],
)  # fmt: skip
def test_a_damaged_file_names_itself(tmp_path: Path, text: str) -> None:
    (tmp_path / queue.FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"queue\.json is damaged: delete it; runs that waited"):
        queue.read(tmp_path)


def test_unknown_fields_and_names_that_stand_twice_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / queue.FILE).write_text('{"waiting": ["a", "b", "a"], "colour": "red"}', encoding="utf-8")
    assert queue.read(tmp_path) == Queue(waiting=("a", "b"))


def test_what_a_run_waits_for_in_words() -> None:
    found = Queue(waiting=("a", "b", "c", "d", "e", "f"))
    assert [found.words(name) for name in found.waiting] == [
        "Next.",
        "Waits behind a.",
        "Waits behind a and b.",
        "Waits behind a, b and c.",
        "Waits behind a, b and 2 more.",
        "Waits behind a, b and 3 more.",
    ]
    assert Queue(waiting=("a",), paused=True).words("a") == "Next. The queue is paused."


def test_a_lock_that_stays_locked_and_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LOCK_PATIENCE", 0.05)
    with (
        queue.held(tmp_path),
        pytest.raises(ValueError, match="is locked by another process: try again"),
        queue.held(tmp_path),
    ):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(queue.Unwritable, match=r"cannot be written \("), queue.held(tmp_path / "file"):
        pass
