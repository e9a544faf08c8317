"""The training of a run as a film: its sentences at every check, on one plane that stays where it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st
from jaxtyping import Float
from numpy import ndarray

from app.backend import history, shell
from app.backend.maps import Codes
from app.backend.models import Turns, load_torch, mark
from app.backend.permission import read_only
from vae import runs

if TYPE_CHECKING:
    from vae.film import Frame

FILM_FIGURES = ("kl_nats", "mi_nats", "active_units", "rec_nats", "delta_nll_nats")
"""What is said beside each frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reel:
    """A film on its plane. Shared by all sessions: to be read, not changed."""

    id: str
    """The same whenever it is the same film on the same plane."""
    name: str
    steps: list[int]
    """The checks that are frames, in order."""
    total: int
    """The step that training ends with, or is going to."""
    phases: list[tuple[int, int, int]]
    """(phase, first step, last step) of each phase so far, in order, each beginning where one ended."""
    sentences: Codes
    """Who is seen, with the codes of the last frame."""
    plane_step: int
    """The frame whose codes the plane was fitted to."""
    axes: tuple[str, str]
    places: Float[ndarray, "frames sentences 2"]
    spreads: Float[ndarray, "frames sentences 3"]
    """Covariances on the plane; see `vae.film.Screen`."""
    kl_nats: Float[ndarray, "frames sentences"]
    prior: tuple[float, float]
    """The middle of the prior on the plane."""
    seen: list[float]
    """The share of the variance of each frame's codes that lies in the plane."""
    figures: list[dict[str, float | None]]
    """The figures of each check, as they were logged; where there is no such event, those of the codes seen here."""
    watched: bool
    """Whether these are the watched validation sentences, at every check; else the test sentences, at snapshots."""


def reel(
    name: str, kind: Literal["principal", "dimensions"] = "principal", plane_step: int | None = None
) -> Reel | None:
    """The film of a run; None while it has no two frames. What `film_pending` names is encoded on the way.

    The plane is that of the codes at `plane_step`, if there is such a frame, else of the last ones.
    """
    from vae import film

    run = runs.find(name)
    kept = list(run.codes().values())
    if kept and run.status.state in runs.ACTIVE and history.figures(name).get("step") != list(run.codes())[-1]:
        kept = kept[:-1]  # its figures are about to be written
    steps = [] if kept or not run.latents_path.is_file() else list(film.weights(run))
    marks = tuple(map(mark, kept)) or tuple(_marks(run, step) for step in steps)
    return _reel(str(run.path), marks, kind, plane_step) if len(marks) > 1 else None


def film_pending(name: str) -> list[int]:
    """The steps of a run whose codes were not kept: there the sentences are to be encoded by its weights."""
    from vae import film

    run = runs.find(name)
    if run.codes() or not run.latents_path.is_file():
        return []
    return [step for step in film.weights(run) if film.known(run, step) is None]


def film_encode(name: str, step: int) -> None:
    """Encode the sentences by the weights of a step. That is kept in the run, where that can be written."""
    run = runs.find(name)
    _frame(str(run.path), step, _marks(run, step))


def film_weights(name: str) -> dict[int, int | None]:
    """The steps of a run whose weights can be opened, and which snapshot has them; None stands for the last ones."""
    from vae import film

    return film.weights(runs.find(name))


def film_python(names: Sequence[str]) -> str:
    """Lines of Python that print the figures of each frame."""
    found = [runs.find(name) for name in names]
    lines = ["from vae import film", "from vae.runs import Run"]
    if not all(run.codes() for run in found):
        lines = ["from functools import partial", "", "import vae", *lines]
    for run in found:
        path = str(shell.shown(run.path))
        seen = f"read(Run({path!r}))" if run.codes() else f"from_weights(Run({path!r}), partial(vae.load, {path!r}))"
        lines += [
            "",
            f"for frame in film.{seen}.frames:",
            '    print(f"step {frame.step:6,}  KL {frame.kl_nats.mean():7.2f} nats  AU {frame.active_units:3}")',
        ]
    return "\n".join(lines)


def _marks(run: runs.Run, step: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What a frame depends on: the weights of its step, and the sentences."""
    folder = run.snapshots().get(step, run.model_path)
    return mark(folder / "model.safetensors"), mark(run.latents_path)


@st.cache_resource(max_entries=256, show_spinner=False)
def _frame(path: str, step: int, marks: tuple[tuple[int, int], tuple[int, int]]) -> Frame:
    """A frame that was kept, or that is encoded now: remembered, also where it cannot be kept."""
    from vae import film

    run = runs.Run(path)
    if found := film.known(run, step):
        return found
    load_torch()
    import vae

    return film.encode(run, step, Turns(vae.load(path, film.weights(run)[step])), keep=not read_only())


@st.cache_resource(max_entries=8, show_spinner=False)
def _reel(path: str, marks: tuple[tuple[Any, Any], ...], kind: str, plane_step: int | None) -> Reel:
    import pandas as pd

    from vae import film

    run = runs.Run(path)
    seen = film.read(run)
    watched = seen is not None
    if seen is None:
        seen = film.of_sentences(run, [_frame(path, step, _marks(run, step)) for step in film.weights(run)])
    frames = seen.frames[: len(marks)]
    steps = [frame.step for frame in frames]
    fitted = steps.index(plane_step) if plane_step in steps else -1
    still = replace(seen, frames=frames[: fitted + 1] if fitted >= 0 else frames)
    plane = still.principal if kind == "principal" else still.dimensions
    shown = film.screen(frames, plane)
    events = {event["step"]: event for event in run.metrics() if event.get("split") == "valid" and "kl_nats" in event}
    last = frames[-1]
    labels = pd.DataFrame(seen.labels, index=range(len(seen.texts)), dtype="string")
    return Reel(
        id=hashlib.sha256(repr((path, marks, kind, plane_step)).encode()).hexdigest()[:16],
        name=run.name,
        steps=steps,
        total=max(steps[-1], run.status.total_steps, 1),
        phases=history.course(run.name).phases or [(run.status.phase, 0, steps[-1])],
        sentences=Codes(
            labels=labels.fillna("none").replace("", "none"),
            texts=seen.texts,
            means=last.means,
            logvars=last.logvars,
            words=np.array([len(text.split()) for text in seen.texts]),
            kl_nats=last.kl_nats,
        ),
        plane_step=steps[fitted],
        axes=plane.names,
        places=shown.places,
        spreads=shown.spreads,
        kl_nats=np.array([frame.kl_nats for frame in frames]),
        prior=shown.prior,
        seen=shown.seen.tolist(),
        figures=[_figures(frame, events.get(frame.step)) for frame in frames],
        watched=watched,
    )


def _figures(frame: Frame, event: dict[str, Any] | None) -> dict[str, float | None]:
    if event is not None:
        return {name: event.get(name) for name in (*FILM_FIGURES, "mi_ceiling_nats")}
    own = {"kl_nats": float(frame.kl_nats.mean()), "active_units": frame.active_units}
    return {name: own.get(name) for name in FILM_FIGURES}
