"""The only door from the interface to `vae`: what pages and components may ask for, and nothing else.

Nothing here imports torch when it is loaded, so the first page paints at once. Whatever goes wrong on the way is a
`ValueError` with one sentence, made for being shown.

1. Runs: what there is, its history, its colour.
2. Jobs: launch, stop, resume, rename, delete.
3. The form: recipes, knobs, corpora, what a run will cost.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import statistics
import subprocess
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import streamlit as st

from app import palette
from vae import config as vae_config
from vae import doctor, jobs, recipes, runs
from vae.config import Config, Data, Knob
from vae.runs import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Config", "Data", "Entry", "Estimate", "Knob", "Preview"]  # the types that pages may name

# --- 1. Runs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run as lists show it. `state` is that of its status, or `damaged` with the `problem` in words."""

    name: str
    state: str
    status: Status
    recipe: str = ""
    latent_size: int = 0
    bundled: bool = False
    has_model: bool = False
    problem: str = ""

    @property
    def active(self) -> bool:
        """Whether a process owns the run, or is about to."""
        return self.state in runs.ACTIVE


def entries() -> list[Entry]:
    """Every run there is, newest first; a damaged one too, with its problem."""
    return [_entry(run) for run in runs.list_runs()]


def entry(name: str) -> Entry:
    """One run by its name."""
    return _entry(runs.find(name))


def config(name: str) -> Config:
    """The configuration of a run."""
    return runs.find(name).config


def metrics(name: str) -> pd.DataFrame:
    """The history of a run: a row an event, columns as in metrics.jsonl. Only what is new is read from the disk."""
    import pandas as pd

    events = _ledger(str(runs.find(name).metrics_path)).events()
    frame = pd.DataFrame([{k: v for k, v in event.items() if not isinstance(v, list | dict)} for event in events])
    for column in ("step", "phase", "split"):
        if column not in frame:
            frame[column] = None
    numeric = [column for column in frame if column != "split"]
    frame[numeric] = frame[numeric].apply(pd.to_numeric, errors="coerce")
    return frame.dropna(subset=["step", "phase"])


def samples(name: str) -> list[dict[str, Any]]:
    """The sentences of a run over time, oldest first: `step`, `phase`, `reconstructions`, `prior`."""
    events = _ledger(str(runs.find(name).samples_path)).events()
    return [event for event in events if _is_samples(event)]


def figures(name: str) -> dict[str, Any]:
    """The newest validation event of a finetuning phase; empty while there is none."""
    for event in reversed(_ledger(str(runs.find(name).metrics_path)).events()):
        if event.get("split") == "valid" and "delta_nll_nats" in event:
            return event
    return {}


def verdict(name: str) -> doctor.Verdict | None:
    """What the doctor says about the newest figures of a run; none while there are no figures."""
    known = figures(name)
    try:
        return doctor.diagnose(known) if known else None
    except (KeyError, TypeError, ValueError):  # figures that a crash or another program has mangled
        return None


def log_tail(name: str, lines: int = 40) -> str:
    """The last lines of a run's log; empty while there is none."""
    path = runs.find(name).log_path
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 200 * lines))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def colours(names: Iterable[str] = ()) -> dict[str, str]:
    """The colour of every run, by name: kept beside the runs, so that a run looks the same everywhere and tomorrow."""
    listed = [run.name for run in reversed(runs.list_runs())]
    wanted = [*listed, *(name for name in names if name not in listed)]
    path = runs.root() / "colours.json"
    with _COLOURS_LOCK:
        kept = _kept_colours(path)
        allotted = palette.allot(wanted, kept)
        if allotted != kept and listed:
            with contextlib.suppress(OSError):  # a read-only folder: colours then follow the list of runs
                runs.write_json(path, allotted)
    return {name: palette.PALETTE[index] for name, index in allotted.items()}


_COLOURS_LOCK = threading.Lock()


def _kept_colours(path: Path) -> dict[str, int]:
    try:
        kept = vae_config.read_json(path) if path.is_file() else {}
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _entry(run: runs.Run) -> Entry:
    try:
        runs.valid_name(run.name)
        status, settings = run.status, run.config
        if status.state in runs.ACTIVE:
            status = jobs.reconcile(run)
    except ValueError as error:
        return Entry(name=run.name, state="damaged", status=Status(), problem=str(error))
    return Entry(
        name=run.name,
        state=status.state,
        status=status,
        recipe=settings.recipe,
        latent_size=settings.model.latent_size,
        bundled=run.bundled,
        has_model=(run.model_path / "config.json").is_file(),
    )


class _Ledger:
    """The events of one .jsonl file that only grows, read on from where the last reading ended.

    A resumed run may rewrite its history, and a new run may take an old name: the last bytes that were read are
    compared with the file before reading on, and if they differ, it is read from the start.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._events, self._offset, self._tail = path, list[dict[str, Any]](), 0, b""
        self._lock = threading.Lock()

    def events(self) -> list[dict[str, Any]]:
        """Every whole event of the file by now."""
        with self._lock:
            if self._offset and self._bytes_before(self._offset) != self._tail:
                self._events, self._offset, self._tail = [], 0, b""
            new, offset = runs.read_lines(self._path, self._offset)
            if offset != self._offset:
                self._events += [event for event in new if isinstance(event, dict)]
                self._offset, self._tail = offset, self._bytes_before(offset)
            return list(self._events)

    def _bytes_before(self, offset: int) -> bytes:
        if not self._path.is_file():
            return b""
        with self._path.open("rb") as file:
            file.seek(max(0, offset - 256))
            return file.read(min(256, offset))


@st.cache_resource(max_entries=256, show_spinner=False)
def _ledger(path: str) -> _Ledger:
    return _Ledger(Path(path))


def _is_samples(event: dict[str, Any]) -> bool:
    pairs, prior = event.get("reconstructions"), event.get("prior")
    return (
        isinstance(event.get("step"), int)
        and isinstance(prior, list)
        and all(isinstance(sentence, str) for sentence in prior)
        and isinstance(pairs, list)
        and all(isinstance(pair, dict) and {"text", "decoded"} <= pair.keys() for pair in pairs)
    )


# --- 2. Jobs -------------------------------------------------------------------------------------------------------


def launch(name: str, settings: Config) -> str:
    """Make a run and start training it in a process of its own; its name comes back."""
    return jobs.launch(runs.valid_name(name), settings).name


def stop(name: str) -> None:
    """Ask a run to save what it has and stop."""
    jobs.stop(runs.find(name))


def resume(name: str) -> None:
    """Go on where a run stopped."""
    jobs.resume(runs.find(name))


def rename(name: str, new: str) -> str:
    """Give a run another name; its colour goes with it."""
    renamed = runs.find(name).rename(new.strip()).name
    path = runs.root() / "colours.json"
    with _COLOURS_LOCK:
        kept = _kept_colours(path)
        if name in kept:
            runs.write_json(path, {(renamed if key == name else key): index for key, index in kept.items()})
    return renamed


def delete(name: str) -> None:
    """Delete a run with everything in it."""
    runs.find(name).delete()


# --- 3. The form ---------------------------------------------------------------------------------------------------

SECTIONS: tuple[str, ...] = tuple(section.name for section in fields(Config) if section.name != "recipe")
"""The sections of a configuration, in order."""


def recipe_names() -> list[str]:
    """The recipes, the recommended one first."""
    return list(recipes.RECIPES)


def recipe(name: str) -> Config:
    """The configuration of a recipe."""
    return recipes.get(name)


def describe(name: str) -> str:
    """What a recipe is, in a sentence or two."""
    return recipes.describe(name) if name in recipes.RECIPES else "Settings of your own."


def knobs(section: str) -> Mapping[str, Knob]:
    """The fields of a section with their sentences, bounds and choices."""
    return vae_config.knobs(get_type_hints(Config)[section])


def build(recipe_name: str, sections: Mapping[str, Mapping[str, Any]]) -> Config:
    """A configuration from the values of a form; what does not fit is a `ValueError` in one sentence."""
    return Config.from_dict({"recipe": recipe_name, **sections})


def fresh_name(stem: str) -> str:
    """A name for a run that is not taken yet."""
    return runs.fresh_name(stem)


def check_name(name: str) -> str:
    """The name if a new run can have it; a `ValueError` if it cannot, or is taken."""
    valid = runs.valid_name(name.strip())
    if (runs.root() / valid).exists():
        raise ValueError(f"There is already a run named {valid!r}: choose another name.")
    return valid


def save_upload(filename: str, content: bytes) -> str:
    """Keep an uploaded file beside the runs, once for every content, and return its corpus name, `file:PATH`."""
    path = Path(filename)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-.")[:60] or "upload"
    folder = runs.root().resolve() / "uploads" / hashlib.sha256(content).hexdigest()[:16]
    target = folder / f"{stem}{path.suffix.lower()}"
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        runs.write_bytes(target, content)
    return f"file:{target}"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a corpus holds: sentences to train on, a few of them, label columns, and what was done to it, in words."""

    sentences: int
    examples: tuple[str, ...]
    labels: tuple[str, ...]
    note: str


CAPTIONS = 20_000
"""Sentences that the built-in corpus trains on by default."""


def preview(data: Data) -> Preview:
    """A look at a corpus as training will see it; what is wrong with it is a `ValueError` in one sentence."""
    kind, _, where = data.corpus.partition(":")
    if kind == "captions":
        wanted = data.train_sentences or CAPTIONS
        few = _preview("captions", data.text_column, min(wanted, 200), data.seed, 0.0)
        return replace(few, sentences=wanted)
    path = Path(where)
    changed_at = path.stat().st_mtime if kind == "file" and path.exists() else 0.0
    return _preview(data.corpus, data.text_column, data.train_sentences, data.seed, changed_at)


@st.cache_data(max_entries=16, show_spinner="Reading the text …")
def _preview(spec: str, text_column: str, train_sentences: int | None, seed: int, changed_at: float) -> Preview:
    from vae import corpora

    small = {"valid_sentences": 2, "test_sentences": 2} if spec == "captions" else {}
    corpus = corpora.load(spec, seed=seed, train_sentences=train_sentences, text_column=text_column, **small)
    return Preview(
        sentences=len(corpus.train),
        examples=tuple(corpus.train["text"].head(4)),
        labels=tuple(corpus.labels),
        note=corpus.note,
    )


def check_source(source: str) -> str:
    """A model folder or Hub id that may be opened; a `ValueError` for what is neither. Nothing is loaded yet."""
    source = source.strip()
    path = Path(source).expanduser()
    if not source:
        raise ValueError("Give the folder of a model, or a Hub id such as name/model.")
    if path.is_dir():
        if (path / "config.json").is_file() or (path / "model" / "config.json").is_file():
            return str(path)
        raise ValueError(f"{path} holds no config.json, so it is not a model folder.")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        return source
    raise ValueError(f"{source!r} is neither a folder on this computer nor a Hub id such as name/model.")


def command(name: str, settings: Config) -> str:
    """The line that trains the same run from a terminal."""
    known = settings.recipe if settings.recipe in recipes.RECIPES else "two-phase"
    start = recipes.get(known)
    words = ["python", "-m", "vae", "train", "--recipe", known]
    if settings.data.corpus != start.data.corpus:
        words += ["--data", settings.data.corpus]
    if settings.model.base != start.model.base:
        words += ["--base", settings.model.base]
    words += ["--run", str(_shown(runs.root() / name))]
    for setting in changed(start, settings):
        words += ["--set", setting]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def changed(start: Config, settings: Config) -> list[str]:
    """What differs between two configurations, as `section.field=value`; corpus and base have flags of their own."""
    before, after = asdict(start), asdict(settings)
    return [
        f"{section}.{name}={_setting(value)}"
        for section in SECTIONS
        for name, value in after[section].items()
        if value != before[section][name] and (section, name) not in (("data", "corpus"), ("model", "base"))
    ]


def _setting(value: Any) -> str:
    if value is None:
        return "none"
    return ",".join(value) if isinstance(value, tuple | list) else str(value)


def _shown(path: Path) -> Path:
    """A path as it is typed at the top of the project, where it lies inside."""
    project = Path(__file__).resolve().parent.parent
    path = path.resolve()
    return path.relative_to(project) if path.is_relative_to(project) else path


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a run will take. `measured_on` names the runs whose speed was taken; none of them: a rough figure."""

    seconds: float | None
    measured_on: tuple[str, ...] = ()


ROUGH_SPEED = 500.0
"""Sentences a second that the bundled starter trains at on a two-core laptop, to have a figure before any run has."""


def estimate(settings: Config, sentences: int | None) -> Estimate:
    """The time a run will take, from the measured speed of runs like it on this machine.

    `sentences` is the size of the training split, where it is known. Bundled runs were trained elsewhere and do not
    count. Checks along the way are taken to cost a tenth.
    """
    if sentences is None:
        return Estimate(seconds=None)
    phases = {1: settings.phase1.epochs, 2: settings.phase2.epochs}
    if settings.model.base == "fresh":
        phases[0] = settings.pretrain.epochs
    alike = [run for run in runs.list_runs() if _alike(run, settings)][:5]
    speeds = {run.name: _speeds(run.name) for run in alike}
    speeds = {name: speed for name, speed in speeds.items() if speed}
    everything = [value for speed in speeds.values() for value in speed.values()]
    if not everything:
        if settings.model.base != "starter":
            return Estimate(seconds=None)
        everything = [ROUGH_SPEED]
    seconds = 0.0
    for phase, epochs in phases.items():
        measured = [speed[phase] for speed in speeds.values() if phase in speed]
        seconds += sentences * epochs / statistics.median(measured or everything)
    return Estimate(seconds=1.1 * seconds, measured_on=tuple(speeds))


def _alike(run: runs.Run, settings: Config) -> bool:
    """Whether a run of this machine costs about as much a sentence."""
    try:
        other = run.config
        if run.bundled:
            return False
    except ValueError:
        return False
    same = other.model.base == settings.model.base and other.data.max_tokens == settings.data.max_tokens
    if settings.model.base == "fresh":
        same &= (other.pretrain.width, other.pretrain.layers) == (settings.pretrain.width, settings.pretrain.layers)
    return same and 0.5 <= other.train.batch_size / settings.train.batch_size <= 2


def _speeds(name: str) -> dict[int, float]:
    """Median training speed of a run in each of its phases, in sentences a second."""
    frame = metrics(name)
    if "sentences_per_second" not in frame:
        return {}
    measured = frame[frame["sentences_per_second"] > 0].groupby("phase")["sentences_per_second"].median()
    return {int(phase): float(speed) for phase, speed in measured.items()}
