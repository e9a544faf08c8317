"""The run directory: what is written is read back whole, whoever writes or dies meanwhile."""

import json
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae import recipes, runs
from vae.runs import Notes, Run, Status, append_line, keep_lines, read_lines, valid_name, write_json


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "one", recipes.get("plain-vae"))


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTTLENECK_RUNS", str(tmp_path))


# ---------------------------------------------------------------------------------------------------------- creation


def test_a_new_run_is_queued_and_holds_its_configuration(run: Run) -> None:
    assert run.exists
    assert run.config == recipes.get("plain-vae")
    assert run.status.state == "queued"
    assert run.status.heartbeat == pytest.approx(time.time(), abs=60)
    assert (run.metrics(), run.samples(), run.snapshots(), run.env, run.bundled) == ([], [], {}, {}, False)


def test_a_folder_that_holds_something_is_left_alone(run: Run, tmp_path: Path) -> None:
    before = run.config
    with pytest.raises(ValueError, match="already holds something"):
        Run.create(run.path, recipes.get("two-phase"))
    assert run.config == before
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for path in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(ValueError, match="cannot be written"):
            Run.create(path, before)


def test_of_several_creators_at_once_one_succeeds(tmp_path: Path) -> None:
    config = recipes.get("plain-vae")
    barrier = threading.Barrier(8)

    def create(path: Path) -> bool:
        barrier.wait()
        try:
            Run.create(path, config)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for attempt in range(10):
            path = tmp_path / f"contested-{attempt}"
            assert sum(pool.map(create, [path] * 8)) == 1
            assert Run(path).config == config


def test_a_missing_or_damaged_run_says_so(tmp_path: Path, run: Run) -> None:
    with pytest.raises(ValueError, match="There is no run at"):
        _ = Run(tmp_path / "nothing").status
    for content in (b'{"state": "run', b'{"state": "dancing"}', b"[]", b"null", b"3", b"\xff"):
        (run.path / "status.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"status\.json is damaged"):
            _ = run.status
    (run.path / "env.json").write_bytes(b"[1]")
    with pytest.raises(ValueError, match=r"env\.json is damaged"):
        _ = run.env
    (run.path / "config.json").write_bytes(b"[]")
    with pytest.raises(ValueError, match="configuration"):
        _ = run.config
    assert runs.list_runs() == [run]


def test_a_status_of_a_later_version_is_read_as_far_as_it_is_known(run: Run) -> None:
    write_json(run.path / "status.json", {"state": "finished", "step": 3, "mood": "good"})
    assert run.status == Status(state="finished", step=3)


def test_updating_keeps_the_other_fields(run: Run) -> None:
    run.write_status(Status(state="running", pid=7, step=1))
    assert run.update_status(step=2) == run.status == Status(state="running", pid=7, step=2)


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name",
    [
        "", " ", ".", "..", "../x", "a/b", "a\\b", "/etc", "x" * 81, "x" * 300, "con", "CON", "nul.txt", "com1",
        "LPT9.log", "a b", " a", "a.", "-a", ".a", "a\n", "a\0", "é", "a:b", "a*",
    ],
)  # fmt: skip
def test_names_that_are_no_folder_on_some_system_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a run: use 1 to 80 letters") as caught:
        valid_name(name)
    assert len(str(caught.value)) < 200
    with pytest.raises(ValueError, match="cannot name a run"):
        runs.find(name)


@pytest.mark.parametrize("name", ["a", "two-phase", "Run_2.1", "0", "x" * 80, "console", "com10", "nullable"])
def test_plain_names_are_fine(name: str) -> None:
    assert valid_name(name) == name


@given(st.text(max_size=100))
def test_a_valid_name_is_one_folder_under_the_root(name: str) -> None:
    try:
        valid_name(name)
    except ValueError:
        return
    path = Path("/root") / name
    assert path.parent == Path("/root")
    assert path.name == name


def test_fresh_names_count_up(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        names.append(runs.fresh_name("plain-vae"))
        (tmp_path / names[-1]).mkdir()
    assert names == ["plain-vae", "plain-vae-2", "plain-vae-3"]


def test_renaming_and_deleting(run: Run, tmp_path: Path) -> None:
    run.write_status(Status(state="finished"))
    other = Run.create(tmp_path / "other", run.config)
    with pytest.raises(ValueError, match="already a run named 'other'"):
        run.rename("other")
    with pytest.raises(ValueError, match="cannot name a run"):
        run.rename("../two")
    renamed = run.rename("two")
    assert (renamed.name, renamed.exists, run.exists) == ("two", True, False)
    assert runs.find("two") == renamed
    with pytest.raises(ValueError, match="stop it first"):
        other.delete()
    renamed.delete()
    assert runs.list_runs() == [other]
    with pytest.raises(ValueError, match="never made, or has been deleted"):
        renamed.delete()


def test_a_bundled_run_cannot_be_deleted_or_renamed(run: Run) -> None:
    run.write_status(Status(state="finished"))
    write_json(run.path / "env.json", {"bundled": True})
    with pytest.raises(ValueError, match="ships with Bottleneck and cannot be deleted"):
        run.delete()
    with pytest.raises(ValueError, match="ships with Bottleneck and cannot be renamed"):
        run.rename("mine")


def test_listing_is_newest_first_and_passes_over_what_is_no_run(tmp_path: Path) -> None:
    for age, name in enumerate(["new", "old", "ancient"]):
        made = Run.create(tmp_path / name, recipes.get("plain-vae"))
        os.utime(made.path / "config.json", (1e9 - age, 1e9 - age))
    (tmp_path / "starter").mkdir()
    write_json(tmp_path / "starter" / "config.json", {})
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert [found.name for found in runs.list_runs()] == ["new", "old", "ancient"]
    assert runs.list_runs(tmp_path / "nowhere") == []


def test_snapshots_are_in_order_and_only_whole_ones_count(run: Run) -> None:
    for name in ("step-100", "step-20", "step-3", ".step-7", "step-9.partial", "step-last"):
        (run.path / "snapshots" / name).mkdir(parents=True)
        if name != "step-3":
            (run.path / "snapshots" / name / "model.safetensors").touch()
    assert list(run.snapshots()) == [20, 100]


def test_what_a_dead_process_left_half_written_is_known(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Path] = []
    monkeypatch.setattr(runs, "swap", lambda partial, _: left.append(partial))
    runs.write_json(run.path / "status.json", {})
    assert runs.being_written(left[0])
    assert not runs.being_written(run.path / ".status.json.4194400-140072309279616.partial")  # above any pid there is
    assert not runs.being_written(run.path / ".step-20.safetensors.partial")


def test_codes_are_in_order_and_only_whole_ones_count(run: Run) -> None:
    assert run.codes() == {}
    run.codes_path.mkdir()
    for name in ("step-100", "step-20", ".step-7", "step-last"):
        (run.codes_path / f"{name}.safetensors").touch()
    (run.codes_path / ".step-3.safetensors.partial").touch()
    (run.codes_path / "texts.json").touch()
    assert run.codes() == {step: run.codes_path / f"step-{step}.safetensors" for step in (20, 100)}
    assert list(run.codes()) == [20, 100]


# ------------------------------------------------------------------------------------------------------------ events

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
EVENTS = st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=5)


@given(EVENTS, EVENTS, st.data())
def test_lines_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[dict[str, Any]],
    second: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("lines") / "metrics.jsonl"
    keep_lines(path, first)
    events, offset = read_lines(path)
    assert events == first
    for event in second:
        append_line(path, event)
    assert read_lines(path, offset) == (second, path.stat().st_size)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])  # as if the process had died, or were still writing
    events, offset = read_lines(path)
    assert events == (first + second)[: whole[:cut].count(b"\n")]
    with path.open("ab") as file:
        file.write(whole[cut:])
    assert events + read_lines(path, offset)[0] == first + second


@pytest.mark.parametrize("most", [0, 1, 12, 13, 14, 30, 10_000])
def test_a_file_can_be_read_piece_by_piece(tmp_path, most):
    path = tmp_path / "metrics.jsonl"
    given = [{"step": step} for step in range(10, 50)]
    keep_lines(path, given)
    with path.open("ab") as file:
        file.write(b'{"step": 50')
    events, offset, pieces = [], 0, 0
    while True:
        new, after = read_lines(path, offset, most)
        if after == offset:
            break
        assert after - offset < most + len('{"step": 10}\n') + 1
        events, offset, pieces = events + new, after, pieces + 1
    assert events == given
    assert pieces > 1 or most > 1000


def test_a_half_written_last_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_lines(path) == ([], 0)
    path.write_bytes(b'{"step": 1}\n{"step": ')
    assert read_lines(path) == ([{"step": 1}], 12)
    assert read_lines(path, 12) == ([], 12)
    with path.open("ab") as file:
        file.write(b"2}\n")
    assert read_lines(path, 12) == ([{"step": 2}], 24)


def test_a_line_cut_by_a_crash_and_what_is_no_event_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n{"st\n\xff\xfe\n\n3\nnull\n[1]\n{"step": 2}\r\n')
    assert read_lines(path)[0] == [{"step": 1}, {"step": 2}]


def test_a_line_deeper_than_a_parser_can_follow_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("[" * 100_000 + '\n{"step": 2}\n', encoding="utf-8")
    assert read_lines(path) == ([{"step": 2}], path.stat().st_size)


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    event = {"rec_nats": math.nan, "kl_per_dim_nats": [math.inf, 1.0, (-math.inf,)], "more": {"x": math.nan}, "step": 1}
    expected = {"rec_nats": None, "kl_per_dim_nats": [None, 1.0, [None]], "more": {"x": None}, "step": 1}
    append_line(path, event)
    assert read_lines(path)[0] == [expected]
    keep_lines(path, [event])
    assert read_lines(path)[0] == [expected]
    write_json(tmp_path / "x.json", event)
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == expected


def test_text_that_is_not_quite_unicode_survives(tmp_path: Path) -> None:
    """A file name of other bytes than UTF-8 reaches Python as lone surrogates."""
    write_json(tmp_path / "x.json", {"corpus": "file:caf\udce9.txt ✓ שלום"})
    assert runs.read_json(tmp_path / "x.json") == {"corpus": "file:caf\udce9.txt ✓ שלום"}


# --------------------------------------------------------------------------------------------------------- atomicity


def test_a_reader_never_sees_half_a_document(tmp_path: Path) -> None:
    """Two threads write documents of very different lengths while this one reads."""
    path = tmp_path / "status.json"
    write_json(path, [0] * 10)
    done = threading.Event()
    failures: list[BaseException] = []

    def write(length: int) -> None:
        try:
            while not done.is_set():
                write_json(path, [length] * length)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(length,)) for length in (10, 2000)]
    for writer in writers:
        writer.start()
    end = time.monotonic() + 0.5
    seen = set()
    while time.monotonic() < end:
        seen.add(len(json.loads(path.read_bytes())))
    done.set()
    for writer in writers:
        writer.join()
    assert failures == []
    assert seen == {10, 2000}
    assert [found.name for found in tmp_path.iterdir()] == ["status.json"]


def test_a_failed_write_leaves_the_old_document(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert runs.read_json(path) == {"a": 1}


def test_the_swap_waits_for_a_reader_that_blocks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    replace = Path.replace

    def refuse_twice(source: Path, target: Path) -> None:
        attempts.append(source)
        if len(attempts) < 3:
            raise PermissionError
        replace(source, target)

    monkeypatch.setattr(Path, "replace", refuse_twice)
    write_json(tmp_path / "x.json", 1)
    assert runs.read_json(tmp_path / "x.json") == 1
    assert len(attempts) == 3


# ------------------------------------------------------------------------------------------------------------- notes


def test_notes_are_kept_with_the_run(run: Run) -> None:
    assert run.notes == Notes()
    notes = Notes(tags=("a", "b c"), text="é\n", sweep="s", over=("model.pooling=max",))
    run.write_notes(notes)
    assert Run(run.path).notes == notes
    run.update_status(state="finished")
    assert run.rename("two").notes == notes


def test_notes_about_a_run_that_ships_stand_beside_it(run: Run) -> None:
    write_json(run.path / "env.json", {"bundled": True})
    before = sorted(run.path.iterdir())
    run.write_notes(Notes(text="seen in class"))
    assert run.notes.text == "seen in class"
    assert sorted(run.path.iterdir()) == before


def test_tags_come_and_go_once() -> None:
    notes = Notes(tags=("a",)).tagged([" b ", "a", "b"])
    assert notes.tags == ("a", "b")
    assert notes.tagged(remove=["a ", "nothing"]).tags == ("b",)


@pytest.mark.parametrize("tag", ["", " ", "a,b", "a\nb", "a" * 41])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="cannot be a tag"):
        Notes().tagged([tag])


@pytest.mark.parametrize(
    "field",
    [
        {"heartbeat": None}, {"pid": "12"}, {"step": 1.5}, {"eta_s": "soon"}, {"message": 3}, {"process_started": True},
        {"heartbeat": 1e20}, {"heartbeat": -1.0}, {"process_started": 1e20}, {"eta_s": 10**400}, {"eta_s": -1.0},
        {"pid": 0}, {"pid": -1}, {"pid": 10**20}, {"step": -1}, {"total_steps": 10**400}, {"phase": 10**20},
    ],
)  # fmt: skip
def test_a_status_with_a_field_of_another_kind_is_damaged(run: Run, field: dict[str, object]) -> None:
    write_json(run.path / "status.json", {"state": "running", "heartbeat": 1.0, **field})
    with pytest.raises(ValueError, match=rf"status\.json is damaged: its {next(iter(field))} is"):
        _ = run.status


@pytest.mark.parametrize("content", ["[]", '{"tags": "a"}', '{"tags": [1]}', '{"text": null}', "{"])
def test_damaged_notes_are_said_to_be(run: Run, content: str) -> None:
    run.notes_path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        _ = run.notes


def test_where_nothing_can_be_written_notes_say_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(runs, "write_bytes", refuse)
    with pytest.raises(ValueError, match=r"notes of one cannot be kept .*Permission denied"):
        run.write_notes(Notes())


@pytest.mark.parametrize("name", ["config.json", "status.json"])
def test_a_disk_that_is_full_leaves_no_half_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write = runs.write_json

    def full(path: Path, *given: Any, **named: Any) -> None:
        if path.name == name:
            raise OSError(28, "No space left on device")
        write(path, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "write_json", full)
        with pytest.raises(ValueError, match=r"one cannot be written \(No space left on device\)"):
            Run.create(tmp_path / "one", recipes.plain_vae())
    assert list(tmp_path.iterdir()) == []
    assert Run.create(tmp_path / "one", recipes.plain_vae()).exists
