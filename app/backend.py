"""The only door from the interface to `vae`: what pages and components may ask for, and nothing else.

Nothing here imports torch when it is loaded, so the first page paints at once. Whatever goes wrong on the way is a
`ValueError` with one sentence, made for being shown.

1. Runs: what there is, its history, its colour.
2. Jobs: launch, stop, resume, rename, delete.
3. The form: recipes, knobs, corpora, what a run will cost.
4. Models: texts to codes, codes to texts, and paths between them.
5. Codes and maps.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shlex
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

import numpy as np
import streamlit as st
from jaxtyping import Float, Int
from numpy import ndarray

from app import palette
from vae import config as vae_config
from vae import doctor, jobs, machine, recipes, runs
from vae.config import Config, Data, Knob
from vae.runs import Status

if TYPE_CHECKING:
    import pandas as pd

    from vae.projection import Projection
    from vae.space import Space

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


def kl_per_dimension(name: str) -> dict[int, list[float]]:
    """The mean KL of each dimension of z, nats, at each check of a run, by step."""
    events = _ledger(str(runs.find(name).metrics_path)).events()
    checks = {event.get("step"): event.get("kl_per_dim_nats") for event in events}
    return {step: kl for step, kl in checks.items() if isinstance(step, int) and isinstance(kl, list) and kl}


def verdict(name: str) -> doctor.Verdict | None:
    """What the doctor says about the newest figures of a run; none while there are no figures."""
    known = figures(name)
    try:
        return doctor.diagnose(known) if known else None
    except (KeyError, TypeError, ValueError):  # figures that a crash or another program has mangled
        return None


def showcase(names: Sequence[str]) -> str | None:
    """The run to open where nobody has chosen: the first healthy one."""
    return next((name for name in names if not name.startswith("~") and _is_healthy(name)), None)


def _is_healthy(name: str) -> bool:
    judged = verdict(name)
    return judged is not None and judged.name == "healthy"


def table() -> pd.DataFrame:
    """A row a run that can be read: name, state, recipe, latent_size, verdict and its newest figures."""
    import pandas as pd

    rows = []
    for entry in entries():
        if not entry.problem:
            judged = verdict(entry.name)
            known = {"run": entry.name, "state": entry.state, "verdict": judged.name if judged else ""}
            known |= {"recipe": entry.recipe, "latent_size": entry.latent_size}
            rows.append(known | {k: v for k, v in figures(entry.name).items() if not isinstance(v, list | dict)})
    return pd.DataFrame(rows)


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


# --- 4. Models: texts to codes, codes to texts ---------------------------------------------------------------------

_QUEUE = threading.Lock()
"""One at a time computes with a model: sessions that decode at once would only take the cores from each other."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Something that decodes: a run, or a model folder or Hub id that somebody opened by hand."""

    name: str
    source: str
    """A path or a Hub id, as `vae.load` takes it."""
    snapshot: int | None = None

    @property
    def run(self) -> runs.Run | None:
        """The run that it is, if it is one."""
        run = runs.Run(self.source)
        return run if run.exists else None

    @property
    def weights(self) -> tuple[int, int]:
        """When its weights were written and how long they are; of a Hub id nothing is known, and it does not change."""
        folder = run.model_path if (run := self.run) else Path(self.source)
        if run and self.snapshot is not None:
            folder = run.snapshots().get(self.snapshot, folder)
        return _mark(folder / "model.safetensors")


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How a code is read; the arguments of `Space.decode`, with its defaults."""

    method: str = "greedy"
    temperature: float = 1.0
    top_p: float = 1.0
    beams: int = 4
    seed: int = 0

    @property
    def arguments(self) -> dict[str, Any]:
        """Those that have an effect under the method."""
        used = {"greedy": (), "sample": ("temperature", "top_p", "seed"), "beam": ("beams",)}[self.method]
        return {"method": self.method, **{name: getattr(self, name) for name in used}}


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of a path: `prior` (by its seed), `sentence` (by its text) or `map` (by its row in latents.parquet).

    `drawn` takes a sample of the posterior of a sentence, by its seed, instead of its mean.
    """

    kind: Literal["prior", "sentence", "map"] = "prior"
    seed: int = 0
    text: str = ""
    row: int = 0
    drawn: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Walk:
    """A path of codes, read step by step."""

    places: list[float]
    """t of every step: 0 is A, 1 is B."""
    codes: Float[ndarray, "steps latent"]
    texts: list[str]
    shells: list[float]
    """How far |z| is from that of prior samples, in their standard deviations."""
    nearest: list[tuple[str, float]]
    """The nearest sentence of the map and its distance; empty for a model without codes."""


def model(name: str, opened: str | None = None, snapshot: int | None = None) -> Model:
    """The model of a run by its name, or of the source that was opened by hand under that name."""
    source = opened or str(runs.find(name).path)
    return Model(name=name, source=source, snapshot=snapshot)


def latent_size(of: Model) -> int:
    """The number of dimensions of its codes. Loads the model."""
    return int(_space(of, of.weights).latent_size)


def decode(of: Model, codes: Float[ndarray, "n latent"], how: Decoding | None = None) -> list[str]:
    """One sentence for each code, all in one batch."""
    if not len(codes):
        return []
    content = np.ascontiguousarray(codes, np.float32)
    return _decode(of, of.weights, content.tobytes(), content.shape[0], (how or Decoding()).arguments)


def encode(of: Model, text: str) -> tuple[Float[ndarray, " latent"], Float[ndarray, " latent"]]:
    """Mean and log variance of the posterior of one sentence; an empty one is a `ValueError`."""
    if not text.strip():
        raise ValueError("There is no sentence to encode: type some words.")
    return _encode(of, of.weights, text.strip())


def prior(of: Model, n: int, seed: int) -> Float[ndarray, "n latent"]:
    """n draws from the prior, as `Space.sample_prior` makes them."""
    return _space(of, of.weights).sample_prior(n, seed).numpy()


def end_code(of: Model, end: End, side: Literal[0, 1]) -> Float[ndarray, " latent"]:
    """The code of an end. A is the first and B the second of two draws from the prior: `--prior` does the same."""
    if end.kind == "prior":
        return prior(of, 2, end.seed)[side]
    if end.kind == "sentence":
        if not end.text.strip():
            raise ValueError(f"End {'AB'[side]} is an empty sentence: type some words.")
        mean, logvar = encode(of, end.text)
    else:
        known = codes(of)
        if not 0 <= end.row < len(known.means):
            count = len(known.means)
            raise ValueError(
                f"There is no sentence {end.row} on the map of {of.name}: choose one from 0 to {count - 1}."
            )
        mean, logvar = known.means[end.row], known.logvars[end.row]
    return _drawn(mean, logvar, end.seed) if end.drawn else mean


def walk(
    of: Model,
    a: End,
    b: End,
    *,
    steps: int = 11,
    method: str = "linear",
    extend: float = 0.0,
    how: Decoding | None = None,
) -> Walk:
    """The path from A to B, decoded in one batch, with how typical each step is and which sentence lies nearest."""
    start, end = end_code(of, a, 0), end_code(of, b, 1)
    torch = _torch()
    from vae import explore, latents

    path = explore.interpolate(torch.tensor(start), torch.tensor(end), steps, method, extend)
    near: list[tuple[str, float]] = []
    if has_codes(of):
        known = codes(of)
        rows, distances = latents.nearest(known.means, path.numpy(), 1)
        near = [(known.texts[row], float(far)) for row, far in zip(rows[:, 0], distances[:, 0], strict=True)]
    return Walk(
        places=np.linspace(-extend, 1 + extend, steps).round(6).tolist(),
        codes=path.numpy(),
        texts=decode(of, path.numpy(), how),
        shells=explore.shell(path).tolist(),
        nearest=near,
    )


def word_changes(before: str, after: str) -> list[tuple[str, bool]]:
    """The words of a sentence, each with whether it is new against the one before."""
    _torch()
    from vae import explore

    return explore.word_changes(before, after)


def walk_python(of: Model, a: End, b: End, *, steps: int, method: str, extend: float, how: Decoding) -> str:
    """The same path in Python, to be copied."""
    source = str(_shown(Path(of.source))) if Path(of.source).exists() else of.source
    lines = ["import vae", "", f"space = vae.load({source!r}{f', snapshot={of.snapshot}' if of.snapshot else ''})"]
    if "map" in (a.kind, b.kind):
        lines[0] = "import torch\nimport vae\nfrom vae.latents import read_latents\nfrom vae.runs import Run"
        lines.append(f"codes = read_latents(Run({source!r}))")
    elif any(end.drawn and end.kind != "prior" for end in (a, b)):
        lines[0] = "import torch\nimport vae"
    if any(end.drawn and end.kind == "map" for end in (a, b)):
        lines[0] += "\nfrom vae.posterior import DiagonalGaussian"
    lines += _end_python("a", a, 0) + _end_python("b", b, 1)
    lines.append(f"path = space.interpolate(a, b, steps={steps}, method={method!r}, extend={extend:g})")
    arguments = ", ".join(f"{name}={value!r}" for name, value in how.arguments.items())
    lines += [f"for sentence in space.decode(path, {arguments}):", "    print(sentence)"]
    return "\n".join(lines)


def walk_command(of: Model, a: End, b: End, *, steps: int, method: str, extend: float, how: Decoding) -> str | None:
    """The same path from a terminal; none where the command line has no words for it."""
    ends = {"prior": ["--prior", "--seed", str(a.seed)]}.get(a.kind, [])
    if "prior" in (a.kind, b.kind):
        if (a.kind, a.seed) != (b.kind, b.seed):
            return None
    elif a.drawn or b.drawn:
        return None
    else:
        known = codes(of) if "map" in (a.kind, b.kind) else None
        texts = [known.texts[end.row] if known and end.kind == "map" else end.text.strip() for end in (a, b)]
        ends = ["--from", texts[0], "--to", texts[1]]
    if how.method != "greedy" or of.snapshot is not None:
        return None
    source = str(_shown(Path(of.source))) if Path(of.source).exists() else of.source
    words = ["python", "-m", "vae", "interpolate", source, *ends, "--steps", str(steps)]
    words += ["--method", method] * (method != "linear") + ["--extend", f"{extend:g}"] * (extend > 0)
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _end_python(name: str, end: End, side: int) -> list[str]:
    if end.kind == "prior":
        return [f"{name} = space.sample_prior(2, seed={end.seed})[{side}]"]
    if end.kind == "sentence":
        draw = f".rsample(torch.Generator().manual_seed({end.seed}))" if end.drawn else ".mean"
        return [f"{name} = space.encode([{end.text.strip()!r}]){draw}[0]"]
    rows = f"torch.tensor(codes.means[{end.row} : {end.row + 1}])"
    if not end.drawn:
        return [f"{name} = {rows}[0]"]
    spread = f"torch.tensor(codes.logvars[{end.row} : {end.row + 1}])"
    return [
        f"{name} = DiagonalGaussian({rows}, {spread})",
        f"{name} = {name}.rsample(torch.Generator().manual_seed({end.seed}))[0]",
    ]


@functools.cache
def _torch() -> Any:
    """Torch, imported when a model is first needed, with the app's budget of threads."""
    import torch

    torch.set_num_threads(machine.app_threads())
    return torch


@st.cache_resource(max_entries=3, show_spinner="Opening the model …")
def _space(of: Model, weights: tuple[int, int]) -> Space:
    _torch()
    import vae

    return vae.load(of.source, of.snapshot)


@st.cache_data(max_entries=512, show_spinner=False)
def _decode(of: Model, weights: tuple[int, int], content: bytes, rows: int, arguments: dict[str, Any]) -> list[str]:
    space, torch = _space(of, weights), _torch()
    z = torch.tensor(np.frombuffer(content, np.float32).reshape(rows, -1))
    with _QUEUE:
        return space.decode(z, **arguments)


@st.cache_data(max_entries=512, show_spinner=False)
def _encode(of: Model, weights: tuple[int, int], text: str) -> tuple[ndarray, ndarray]:
    space = _space(of, weights)
    with _QUEUE:
        posterior = space.encode([text])
    return posterior.mean[0].numpy(), posterior.logvar[0].numpy()


def _drawn(mean: ndarray, logvar: ndarray, seed: int) -> Float[ndarray, " latent"]:
    torch = _torch()
    from vae.posterior import DiagonalGaussian

    posterior = DiagonalGaussian(torch.tensor(mean)[None], torch.tensor(logvar)[None])
    return posterior.rsample(torch.Generator().manual_seed(seed))[0].numpy()


def _mark(path: Path) -> tuple[int, int]:
    """When a file was written and how long it is; zeros while there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


# --- 5. Codes and maps -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class Codes:
    """The codes of a run's sentences. Shared by all sessions: to be read, not changed."""

    labels: pd.DataFrame
    """The label columns, as text; a row a sentence."""
    texts: list[str]
    means: Float[ndarray, "sentences latent"]
    logvars: Float[ndarray, "sentences latent"]
    words: Int[ndarray, " sentences"]
    """Length of each sentence."""
    kl_nats: Float[ndarray, " sentences"]
    """KL of each posterior from the prior."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """A UMAP on its way: for how many seconds so far, or why it failed."""

    seconds: float = 0.0
    problem: str = ""


def has_codes(of: Model) -> bool:
    """Whether its sentences have been encoded. Those of a run belong to its last weights, not to a snapshot."""
    return of.snapshot is None and of.run is not None and of.run.latents_path.is_file()


def codes(of: Model) -> Codes:
    """The codes of a run; a `ValueError` if there are none, or if they are damaged."""
    if (run := of.run) is None:
        raise ValueError(f"{of.name} is a model without sentences of its own, so it has no map: interpolate instead.")
    return _codes(str(run.path), _mark(run.latents_path))


def encode_sentences(of: Model) -> None:
    """Encode the test sentences of a run whose training did not come to that."""
    if (run := of.run) is None:
        raise ValueError(f"{of.name} is a model without sentences of its own: open a run to see a map.")
    if run.status.state in runs.ACTIVE:
        raise ValueError(f"{of.name} is in training: its sentences are encoded when that ends.")
    from vae import corpora, latents

    data = run.config.data
    if (run.corpus_path / "corpus.json").is_file():
        corpus = corpora.Corpus.open(run.corpus_path)
    else:
        sizes = {name: getattr(data, name) for name in ("train_sentences", "valid_sentences", "test_sentences")}
        corpus = corpora.load(data.corpus, seed=data.seed, text_column=data.text_column, **sizes)
    space = _space(of, of.weights)
    with _QUEUE:
        latents.write_latents(run, space, corpus.test)


def project(of: Model, method: str) -> Projection | None:
    """The map of a run's codes. PCA is fitted where it is missing; UMAP takes long, and none is returned then."""
    codes(of)
    run = of.run
    assert run is not None, "codes() has seen a run"
    files = (run.latents_path, *(run.projections_path / f"{method}.{end}" for end in ("json", "parquet")))
    return _project(str(run.path), method, tuple(map(_mark, files)))


def fit_umap(of: Model) -> None:
    """Start fitting the UMAP of a run in a process of its own, unless one is at it. Its words go to umap.log."""
    with _FITS_LOCK:
        run = of.run
        if run is None or ((fit := _FITS.get(of.source)) and fit.process.poll() is None):
            return
        command = [sys.executable, "-m", "vae", "project", str(run.path.resolve()), "--method", "umap"]
        home, log = Path(__file__).resolve().parent.parent, run.projections_path / "umap.log"
        try:
            log.parent.mkdir(exist_ok=True)
            with log.open("wb") as words:
                process = subprocess.Popen(command, cwd=home, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        except OSError as error:
            raise ValueError(f"The UMAP of {of.name} could not be started ({error.strerror}).") from error
        _FITS[of.source] = _Fit(process=process, log=log)


def fitting(of: Model) -> Fitting | None:
    """How the UMAP of a run is coming on; none if nobody has started one, or it is done."""
    fit = _FITS.get(of.source)
    if fit is None or fit.process.poll() == 0:
        return None
    if fit.process.returncode is None:
        return Fitting(seconds=time.monotonic() - fit.started)
    lines = fit.log.read_text("utf-8", errors="replace").split("\n") if fit.log.is_file() else []
    said = [line.strip() for line in lines if line.strip()]
    return Fitting(problem=said[-1] if said else "Its process ended without a word.")


@dataclass(kw_only=True)
class _Fit:
    """A process that fits a UMAP, and the file of its words."""

    process: subprocess.Popen[bytes]
    log: Path
    started: float = field(default_factory=time.monotonic)


_FITS: dict[str, _Fit] = {}
_FITS_LOCK = threading.Lock()


@st.cache_resource(max_entries=4, show_spinner=False)
def _codes(path: str, mark: tuple[int, int]) -> Codes:
    from vae import latents

    known = latents.read_latents(runs.Run(path))
    texts = known.frame["text"].astype(str).tolist()
    labels = known.frame.drop(columns="text").astype("string").fillna("none").replace("", "none")
    # The KL of each posterior, as in `DiagonalGaussian.kl_per_dim`, without loading torch for it.
    kl = 0.5 * (np.square(known.means) + np.expm1(known.logvars) - known.logvars).sum(1)
    return Codes(
        labels=labels,
        texts=texts,
        means=known.means,
        logvars=known.logvars,
        words=np.array([len(text.split()) for text in texts]),
        kl_nats=kl,
    )


@st.cache_resource(max_entries=8, show_spinner=False)
def _project(path: str, method: str, marks: tuple[tuple[int, int], ...]) -> Projection | None:
    from vae import projection

    run = runs.Run(path)
    known = projection.cached(run, method)
    return projection.project(run, "pca") if known is None and method == "pca" else known
