"""Training as a film: the codes of the same sentences at every check, on one plane that stays where it is.

Encoder and prior share their coordinates from the first step to the last, so frames are not aligned with one another:
all are seen at a right angle on one exact plane of `vae.planes`, that of the last codes. What moves on it, moved in
latent space; what moves across it is not seen, and `Screen.seen` says how much that is.

A run keeps the codes of its watched validation sentences along the way (`Run.codes`). Of a run that has none, each
snapshot and the last weights are a frame: its first test sentences are encoded by them and kept in projections/film/.
No torch here: who encodes is passed in.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from vae import planes
from vae.config import read_json
from vae.latents import Encoder, kl_per_dim, read_latents
from vae.planes import Plane
from vae.runs import ACTIVE, Run, write_bytes

ENCODED = 512
"""Sentences that are encoded anew for a frame: the first ones of latents.parquet."""
ACTIVE_VARIANCE = 0.01
"""Variance of its mean over sentences above which a dimension is in use (Burda et al. 2016)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame:
    """The posteriors of the sentences after a step."""

    step: int
    means: Float[ndarray, "sentences latent"]
    logvars: Float[ndarray, "sentences latent"]

    @property
    def kl_nats(self) -> Float[ndarray, " sentences"]:
        """KL of each posterior from the prior."""
        found: ndarray = kl_per_dim(self.means, self.logvars).sum(1)
        return found

    @property
    def active_units(self) -> int:
        """Dimensions whose means differ between the sentences, as in `metrics.active_units`."""
        return int((self.means.var(0, ddof=1) > ACTIVE_VARIANCE).sum()) if len(self.means) > 1 else 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Film:
    """The same sentences at every check, the first check first."""

    texts: list[str]
    labels: dict[str, list[str]]
    """The label columns of the corpus, a value a sentence."""
    frames: list[Frame]

    @property
    def principal(self) -> Plane:
        """The plane in which the last codes differ most; its axes are named with their share of the variance."""
        return planes.principal(self.frames[-1].means)

    @property
    def dimensions(self) -> Plane:
        """The plane of the two dimensions of z with the highest mean KL at the end."""
        last = self.frames[-1]
        kl = kl_per_dim(last.means, last.logvars).mean(0)
        i, j = (int(index) for index in np.argsort(-kl, kind="stable")[:2]) if len(kl) > 1 else (0, 0)
        plane = planes.dimensions(i, j, len(kl))
        return replace(plane, names=(f"z{i} (KL {kl[i]:.2f} nats)", f"z{j} (KL {kl[j]:.2f} nats)"))


@dataclass(frozen=True, eq=False, kw_only=True)
class Screen:
    """A film as it is seen on a plane."""

    places: Float[ndarray, "frames sentences 2"]
    """The means."""
    spreads: Float[ndarray, "frames sentences 3"]
    """The covariances of the posteriors, projected like the means: [[a, b], [b, c]] as a, b, c."""
    prior: tuple[float, float]
    """The middle of the prior, whose covariance on any plane is the identity."""
    seen: Float[ndarray, " frames"]
    """The share of the variance of a frame's means that lies in the plane, 0 to 1; 0 where they are all one."""


def screen(frames: Sequence[Frame], plane: Plane) -> Screen:
    """Frames on a plane: an orthogonal projection, so exact for means and covariances alike."""
    first, second = plane.axes
    places = np.array([plane.place(frame.means) for frame in frames])
    variances = [np.exp(np.asarray(frame.logvars, np.float64)) for frame in frames]
    spreads = [np.stack([v @ first**2, v @ (first * second), v @ second**2], 1) for v in variances]
    whole = np.array([frame.means.var(0).sum() for frame in frames])
    shares = places.var(1).sum(1) / np.where(whole > 0, whole, 1)
    x, y = plane.place(np.zeros((1, len(plane.origin))))[0].tolist()
    return Screen(places=places, spreads=np.array(spreads), prior=(x, y), seen=shares.clip(0, 1))


def read(run: Run) -> Film | None:
    """The film of the watched sentences of a run; None if it has kept no codes. `ValueError` if they are damaged."""
    kept = run.codes()
    path = run.codes_path / "texts.json"
    if not kept or not path.is_file():
        return None
    try:
        columns = {str(name): [str(value) for value in values] for name, values in dict(read_json(path)).items()}
        texts = columns.pop("text")
        frames = [_frame(step, file) for step, file in kept.items()]
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise ValueError(f"{run.codes_path} is damaged ({error}): delete it to go without this film.") from error
    shapes = {frame.means.shape for frame in frames} | {frame.logvars.shape for frame in frames}
    sizes = {len(texts), len(frames[0].means), *map(len, columns.values())}
    if len(shapes) != 1 or len(sizes) != 1:
        raise ValueError(f"{run.codes_path} is damaged (not one code a sentence): delete it to go without this film.")
    return Film(texts=texts, labels=columns, frames=frames)


def weights(run: Run) -> dict[int, int | None]:
    """The steps of which a run has weights, in order, and which snapshot has them; None stands for the last weights.

    The last weights of a run that trains are on their way to another step, so they are left out.
    """
    status = run.status
    found: dict[int, int | None] = {step: step for step in run.snapshots()}
    if (run.model_path / "model.safetensors").is_file() and status.state not in ACTIVE:
        found[status.step] = None
    return dict(sorted(found.items()))


def from_weights(run: Run, load: Callable[[int | None], Encoder]) -> Film:
    """The film of a run's first test sentences, a frame for each of its `weights`.

    `load` opens a snapshot, or with None the last weights; only what has not been encoded before is opened.
    `ValueError` if the run has no sentences, or no weights.
    """
    frames = [known(run, step) or encode(run, step, load(which)) for step, which in weights(run).items()]
    if not frames:
        raise ValueError(f"{run.name} has no weights yet, so nothing can be encoded: train it first.")
    return of_sentences(run, frames)


def of_sentences(run: Run, frames: list[Frame]) -> Film:
    """The film of frames that `encode` has made of the run's first test sentences."""
    frame = read_latents(run).frame[:ENCODED]
    labels = {str(name): frame[name].astype("string").fillna("").tolist() for name in frame if name != "text"}
    return Film(texts=frame["text"].astype(str).tolist(), labels=labels, frames=frames)


def known(run: Run, step: int) -> Frame | None:
    """A frame that was encoded before, if it belongs to these weights and sentences."""
    path = _kept(run, step)
    try:
        with safe_open(path, "np") as file:
            if (file.metadata() or {}).get("of") != _fingerprint(run, step):
                return None
        return _frame(step, path)
    except (OSError, KeyError, ValueError, SafetensorError):  # what cannot be read is not there
        return None


def encode(run: Run, step: int, space: Encoder, *, keep: bool = True) -> Frame:
    """The frame of a step, by the model of that step. Kept in the run, if wanted and where that can be written."""
    posterior = space.encode(read_latents(run).frame["text"].astype(str).tolist()[:ENCODED], batch_size=256)
    codes = {"mean": posterior.mean.numpy(), "logvar": posterior.logvar.numpy()}
    codes = {name: np.ascontiguousarray(values, np.float16) for name, values in codes.items()}
    if keep:
        path = _kept(run, step)
        with contextlib.suppress(OSError):  # a folder that cannot be written: it is encoded again next time
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, save(codes, {"of": _fingerprint(run, step)}))
    return Frame(step=step, means=_exact(codes["mean"]), logvars=_exact(codes["logvar"]))


def _kept(run: Run, step: int) -> Path:
    path: Path = run.projections_path / "film" / f"step-{step}.safetensors"
    return path


def _fingerprint(run: Run, step: int) -> str:
    """What a frame belongs to: weights by their size and time, sentences by the file that they are in."""
    folder = run.snapshots().get(step, run.model_path)
    marks = [
        (path.stat().st_size, path.stat().st_mtime_ns) for path in (folder / "model.safetensors", run.latents_path)
    ]
    return hashlib.sha256(repr((marks, ENCODED)).encode()).hexdigest()


def _frame(step: int, path: Path) -> Frame:
    tensors = load_file(path)
    return Frame(step=step, means=_exact(tensors["mean"]), logvars=_exact(tensors["logvar"]))


def _exact(values: ndarray) -> ndarray:
    found: ndarray = values.astype(np.float64)
    if not np.isfinite(found).all():
        raise ValueError("codes that are not finite")
    return found
