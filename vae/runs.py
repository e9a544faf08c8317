"""The run directory: the interface between training and everything else.

    checkpoints/NAME/
      config.json      the whole configuration        status.json    state, pid, phase, step, heartbeat, ...
      metrics.jsonl    one line an event               samples.jsonl  reconstructions and prior samples at a step
      model/           save_pretrained layout          snapshots/step-N/  weights along the way
      corpus/          the user's own sentences        state/         what resume needs
      latents.parquet  texts, labels and codes         projections/   one file a method
      reports/         what evaluations found          log.txt        the process's own words
      env.json         versions, seed, device          codes/step-N.safetensors  codes along the way
      notes.json       what people say about it

The codes are those of the watched validation sentences: `mean` and `logvar`, float16 [sentences, latent]; the rows of
codes/texts.json, a list a column (`text` and the labels), are the sentences.

Writes are whole-line appends or atomic renames, so a reader never sees half a file, and a process killed at any
moment leaves a run that lists, opens and resumes. Nothing heavy is imported here.
"""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import psutil

from vae.config import Config, read_json

State = Literal["queued", "running", "stopping", "stopped", "finished", "failed"]
ACTIVE: tuple[State, ...] = ("queued", "running", "stopping")
"""States in which a process owns the run, or is about to."""
LESSON = "lesson"
"""The role, in env.json, of a run that a lesson shows and lists leave out."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What status.json holds. Times are seconds since 1970; `eta_s` is None when nobody can say."""

    state: State = "queued"
    pid: int | None = None
    process_started: float | None = None
    phase: int = 0
    step: int = 0
    total_steps: int = 0
    heartbeat: float = 0.0
    eta_s: float | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What people say about a run, and the sweep that it belongs to; training knows nothing of it."""

    tags: tuple[str, ...] = ()
    text: str = ""
    sweep: str = ""
    """The name of its sweep; empty where it belongs to none."""
    over: tuple[str, ...] = ()
    """What that sweep varies, an axis each, as `sweeps.Axis.read` takes it."""

    def tagged(self, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Notes:
        """The notes with some tags more and others less; what is no tag is a `ValueError`."""
        gone = {tag.strip() for tag in remove}
        kept = [tag for tag in self.tags if tag not in gone]
        return replace(self, tags=tuple(dict.fromkeys([*kept, *map(valid_tag, add)])))


_NUMBER = (int, float)
_AGES = 32_503_680_000.0
"""The year 3000, in seconds since 1970: as far as every system's calendar goes."""
_KINDS: dict[str, tuple[type, ...]] = {
    "state": (str,),
    "pid": (int, type(None)),
    "process_started": (*_NUMBER, type(None)),
    "phase": (int,),
    "step": (int,),
    "total_steps": (int,),
    "heartbeat": _NUMBER,
    "eta_s": (*_NUMBER, type(None)),
    "message": (str,),
}
"""What the fields of a status may be."""
_BOUNDS: dict[str, tuple[float, float]] = {
    "pid": (1, 2**32 - 1),
    "process_started": (0, _AGES),
    "phase": (0, 2),
    "step": (0, 2**53),
    "total_steps": (0, 2**53),
    "heartbeat": (0, _AGES),
    "eta_s": (0, sys.float_info.max),
}
"""What the numbers of a status may be. Beyond, the calendar or the system has no name for them."""


class Run:
    """A run directory. Constructing one touches nothing; `create` makes the folder."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    name = property(lambda self: self.path.name)
    model_path = property(lambda self: self.path / "model")
    metrics_path = property(lambda self: self.path / "metrics.jsonl")
    samples_path = property(lambda self: self.path / "samples.jsonl")
    latents_path = property(lambda self: self.path / "latents.parquet")
    projections_path = property(lambda self: self.path / "projections")
    reports_path = property(lambda self: self.path / "reports")
    codes_path = property(lambda self: self.path / "codes")
    corpus_path = property(lambda self: self.path / "corpus")
    state_path = property(lambda self: self.path / "state")
    log_path = property(lambda self: self.path / "log.txt")
    stop_path = property(lambda self: self.path / "stop")
    """A file whose presence asks the trainer to save and stop: the portable spelling of SIGTERM."""

    @classmethod
    def create(cls, path: Path | str, config: Config) -> Run:
        """Make the folder of a new run, queued. A folder that already holds something is left alone: `ValueError`."""
        run, mine = cls(path), False
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            if any(run.path.iterdir()):
                raise ValueError(f"{run.path} already holds something: choose another name, or resume that run.")
            (run.path / "config.json").touch(exist_ok=False)  # of several creators at once, one gets past this line
            mine = True
            write_json(run.path / "config.json", config.to_dict())
            write_json(run.path / "status.json", asdict(Status(heartbeat=time.time())))
        except OSError as error:
            if mine:  # half a run would keep its name from the next try
                shutil.rmtree(run.path, ignore_errors=True)
            raise ValueError(
                f"The run folder {run.path} cannot be written ({error.strerror}): choose another."
            ) from error
        return run

    @property
    def exists(self) -> bool:
        """Whether this is a run directory."""
        return (self.path / "config.json").is_file() and (self.path / "status.json").is_file()

    @property
    def config(self) -> Config:
        """The configuration; a missing run or a damaged file is a `ValueError`."""
        self._require()
        return Config.from_dict(read_json(self.path / "config.json"))

    @property
    def status(self) -> Status:
        """What status.json says. See `jobs.reconcile` for whether it is still true."""
        self._require()
        values = _document(self.path / "status.json")
        known = {key: values[key] for key in Status.__dataclass_fields__ if key in values}
        if known.get("state") not in get_args(State):
            raise ValueError(
                f"{self.path / 'status.json'} is damaged: its state is {reprlib.repr(known.get('state'))}."
            )
        for field, value in known.items():
            sound = isinstance(value, _KINDS[field]) and not isinstance(value, bool)
            if sound and value is not None and field in _BOUNDS:
                low, high = _BOUNDS[field]
                sound = low <= value <= high
            if not sound:
                raise ValueError(f"{self.path / 'status.json'} is damaged: its {field} is {reprlib.repr(value)}.")
        return Status(**known)

    @property
    def bundled(self) -> bool:
        """Whether the run ships with Bottleneck; such a run is not to be deleted or renamed."""
        return bool(self.env.get("bundled"))

    @property
    def lesson(self) -> bool:
        """Whether the run is there for a lesson alone, and is left out of lists."""
        return self.env.get("role") == LESSON

    @property
    def env(self) -> dict[str, Any]:
        """Versions, seed and device of the training process; empty before it started."""
        path = self.path / "env.json"
        return _document(path) if path.is_file() else {}

    @property
    def notes_path(self) -> Path:
        """Where its notes are: inside, or beside a run that ships with Bottleneck, which stays as it came."""
        inside = self.path / "notes.json"
        return self.path.parent / "notes" / f"{self.name}.json" if self.bundled else inside

    @property
    def notes(self) -> Notes:
        """What people say about the run; nothing where nobody has. A damaged file is a `ValueError`."""
        path = self.notes_path
        if not path.is_file():
            return Notes()
        values = _document(path)
        known = {key: values[key] for key in Notes.__dataclass_fields__ if key in values}
        lists = {key: value for key, value in known.items() if key in ("tags", "over")}
        texts = [value for key, value in known.items() if key not in lists]
        texts += [text for value in lists.values() if isinstance(value, list) for text in value]
        if not all(isinstance(value, list) for value in lists.values()) or not all(map(_is_text, texts)):
            raise ValueError(f"{path} is damaged: delete it, and write the notes anew.")
        return Notes(**known | {key: tuple(value) for key, value in lists.items()})

    def write_notes(self, notes: Notes) -> None:
        """Replace the notes. Where the folder may only be read, or is full, a `ValueError`."""
        self._require()
        try:
            self.notes_path.parent.mkdir(exist_ok=True)
            write_json(self.notes_path, asdict(notes))
        except OSError as error:
            raise ValueError(f"The notes of {self.name} cannot be kept in its folder ({error.strerror}).") from error

    def write_status(self, status: Status) -> None:
        """Replace status.json, so that not even a power cut leaves it empty."""
        write_json(self.path / "status.json", asdict(status), durable=True)

    def update_status(self, **changes: Any) -> Status:
        """Replace some fields of status.json and return the whole."""
        status = replace(self.status, **changes)
        self.write_status(status)
        return status

    def metrics(self) -> list[dict[str, Any]]:
        """Every event of metrics.jsonl, oldest first."""
        return read_lines(self.metrics_path)[0]

    def samples(self) -> list[dict[str, Any]]:
        """Every event of samples.jsonl, oldest first."""
        return read_lines(self.samples_path)[0]

    def snapshots(self) -> dict[int, Path]:
        """The folders of weights along the way, by step, in order."""
        folders = (weights.parent for weights in (self.path / "snapshots").glob("step-*/model.safetensors"))
        steps = ((folder.name.removeprefix("step-"), folder) for folder in folders)
        return dict(sorted((int(step), folder) for step, folder in steps if step.isdecimal()))

    def codes(self) -> dict[int, Path]:
        """The codes of the watched sentences along the way, by step, in order."""
        files = ((path.stem.removeprefix("step-"), path) for path in self.codes_path.glob("step-*.safetensors"))
        return dict(sorted((int(step), path) for step, path in files if step.isdecimal()))

    def rename(self, name: str) -> Run:
        """Move the run to another name beside it."""
        target = self.path.with_name(valid_name(name))
        if target.exists():
            raise ValueError(f"There is already a run named {name!r}: choose another name.")
        self._own("renamed")
        self.path.replace(target)
        return Run(target)

    def delete(self) -> None:
        """Delete the run and everything in it."""
        self._own("deleted")
        shutil.rmtree(self.path)

    def _own(self, verb: str) -> None:
        self._require()
        if self.bundled:
            raise ValueError(f"{self.name} ships with Bottleneck and cannot be {verb}.")
        if self.status.state in ACTIVE:
            raise ValueError(f"{self.name} is {self.status.state} and cannot be {verb}: stop it first.")

    def _require(self) -> None:
        if not self.exists:
            raise ValueError(f"There is no run at {self.path}: it was never made, or has been deleted.")


def root() -> Path:
    """The folder of runs: ``BOTTLENECK_RUNS`` if set, else `checkpoints/` beside the package."""
    override = os.environ.get("BOTTLENECK_RUNS")
    return Path(override) if override else Path(__file__).resolve().parent.parent / "checkpoints"


def starter_path() -> Path:
    """The folder of the bundled starter T5."""
    return Path(__file__).resolve().parent.parent / "checkpoints" / "starter"


def list_runs(folder: Path | None = None) -> list[Run]:
    """The runs in a folder (default `root()`), newest first by the time their configuration was written."""
    folder = folder or root()
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir()]
    written = {name: _modified(f"{folder}/{name}/config.json") for name in names}
    found = [name for name in names if written[name] and _modified(f"{folder}/{name}/status.json")]
    return [Run(folder / name) for name in sorted(found, key=lambda name: (-written[name], name))]


def valid_name(name: str) -> str:
    """The name if it can be a folder on every system, else a `ValueError` that says what a name may be."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name) or name.endswith(".") or _reserved(name):
        shown = name if len(name) <= 40 else name[:37] + "..."
        raise ValueError(
            f"{shown!r} cannot name a run: use 1 to 80 letters, digits, dots, dashes or underscores, "
            "beginning with a letter or digit."
        )
    return name


def valid_tag(tag: str) -> str:
    """The tag without spaces around it; one that is empty, long, or more than a word or two is a `ValueError`."""
    if not (tag := tag.strip()) or len(tag) > 40 or not tag.isprintable() or "," in tag:
        raise ValueError(f"{tag[:40]!r} cannot be a tag: use 1 to 40 signs, without a comma.")
    return tag


def find(name: str) -> Run:
    """The run of a valid name in `root()`; a `ValueError` if there is none."""
    run = Run(root() / valid_name(name))
    run._require()
    return run


def fresh_name(stem: str) -> str:
    """A name that is not taken in `root()`: the stem, or the stem with the first free number."""
    taken = {path.name for path in root().iterdir()} if root().is_dir() else set()
    number = 1
    name = stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def write_json(path: Path, value: Any, *, durable: bool = False) -> None:
    """Write a JSON document atomically. Numbers that are not finite become null."""
    write_bytes(path, _encode(value, indent=2), durable=durable)


def write_bytes(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file atomically: under another name, then renamed over the old one.

    A file system may put the new name on the disk before the content. `durable` waits for the content (see `settle`).
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    partial.write_bytes(content)
    if durable:
        settle(partial)
    swap(partial, path)


def settle(path: Path) -> None:
    """Wait until all that was written to a file is on the disk, where a power cut cannot take it: milliseconds."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def as_usual(path: Path) -> None:
    """Give a file the mode of every new file here: a library may have made it for its owner alone, as safetensors does.

    A new file tells which mode that is: the umask can be read only by setting it, for all threads at once.
    """
    fresh = path.with_name(f".{path.name}.mode.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        fresh.touch()
        mode = stat.S_IMODE(fresh.stat().st_mode)
    finally:
        fresh.unlink(missing_ok=True)
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def being_written(partial: Path) -> bool:
    """Whether the process that began a file of `write_bytes` is still there; no for unfinished files of others."""
    writer = partial.name.split(".")[-2].partition("-")[0]
    return writer.isdecimal() and psutil.pid_exists(int(writer))


def swap(partial: Path, path: Path) -> None:
    """Rename a finished file over the one that readers know. Windows refuses while a reader has it open: try again."""
    deadline = time.monotonic() + 2.0
    while True:
        try:
            partial.replace(path)
            return
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def append_line(path: Path, event: Mapping[str, Any]) -> None:
    """Append one event to a .jsonl file, as one whole line. Numbers that are not finite become null."""
    with path.open("ab") as file:
        file.write(_encode(event))


def read_lines(path: Path, offset: int = 0, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """The whole lines of a .jsonl file from a byte offset on, and the offset after them.

    With `most`, the lines that begin within so many bytes. A last line that is still being written is left for the
    next call; a line that a crash cut short, or that is no event, is passed over.
    """
    if not path.is_file():
        return [], 0
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(-1 if most is None else most)
        if not content.endswith(b"\n"):
            content += file.readline()
    whole = content[: content.rfind(b"\n") + 1]
    events = []
    for line in whole.splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):  # the second where brackets open deeper than can be followed
            continue
        if isinstance(event, dict):
            events.append(event)
    return events, offset + len(whole)


def keep_lines(path: Path, events: Iterable[Mapping[str, Any]]) -> None:
    """Replace a .jsonl file by these events, atomically."""
    write_bytes(path, b"".join(_encode(event) for event in events), durable=True)


def finite(value: Any) -> Any:
    """The value as JSON can hold it: numbers that are not finite become None, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _encode(value: Any, indent: int | None = None) -> bytes:
    """A JSON document and a line end. A lone surrogate, as in odd file names, is written as its JSON escape."""
    text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, indent=indent)
    return text.encode(errors="backslashreplace") + b"\n"


def _document(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    values = read_json(path)
    if not isinstance(values, dict):
        raise ValueError(f"{path} is damaged: it holds {reprlib.repr(values)} instead of fields.")
    return values


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _modified(path: str) -> float:
    """When a file was written, in seconds since 1970; 0 if there is none."""
    try:
        at = os.stat(path)  # noqa: PTH116  # a thousand times over
    except OSError:
        return 0.0
    return at.st_mtime if stat.S_ISREG(at.st_mode) else 0.0


def _reserved(name: str) -> bool:
    """Whether Windows keeps the name for a device."""
    return bool(re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.IGNORECASE))
