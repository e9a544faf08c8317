"""The models whose paths stand side by side on the page Interpolate: a run, or one of its snapshots, and another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app import backend, palette, state
from app.components.address import heed
from app.components.hearing import WOVEN, deaf, replays
from app.components.run_card import dot, verdict_badge
from app.components.run_picker import run_picker
from app.components.sentences import escape


@dataclass(frozen=True, kw_only=True)
class Side:
    """A model under the name of its run."""

    name: str
    model: backend.Model

    @property
    def title(self) -> str:
        """Its name, with the step of its snapshot."""
        step = self.model.snapshot
        return self.name if step is None else f"{self.name}, step {step}"

    @property
    def verdict(self) -> str:
        """What is shown of the verdict on the run; empty where there is none, or of a snapshot, which nobody judged."""
        if self.name.startswith("~") or self.model.snapshot is not None:
            return ""
        shown = backend.standing(backend.entry(self.name))
        return shown.name if shown and shown.name != "unknown" else ""


def choose_sides(names: Sequence[str]) -> list[Side]:
    """One side, or two of them: which runs, and with which weights."""
    said = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = run_picker(names, default=backend.showcase(names))
        sides = [Side(name=name, model=_weights(name, 0, said))]
        with said:
            heed({state.WALK_WITH: names})
        other = st.selectbox(
            "Compare with",
            names,
            index=None,
            key=state.WALK_WITH,
            bind="query-params",
            placeholder="another run, or this one's past",
            help="The same path through a second model: another run, or a snapshot of this one.",
        )
        if other:
            sides.append(Side(name=other, model=_weights(other, 1, said)))
    if len(sides) == 2 and sides[0] == sides[1]:
        st.caption("Both sides are the same weights: choose a snapshot on one of them, or another run.")
        return sides[:1]
    return sides


def heading(side: Side, method: str = "") -> None:
    """Whose sentences are below: the run in its colour, the verdict on it, and the kind of path."""
    words = [dot(side.name, backend.colours().get(side.name, palette.QUIET))]
    if side.model.snapshot is not None:
        words.append(f":gray-badge[:material/history: step {side.model.snapshot:,}]")
    if side.verdict:
        words.append(verdict_badge(side.verdict))
    if method:
        words.append(f":gray-badge[{method}]")
    st.markdown(" ".join(words))


def remarks(sides: Sequence[Side]) -> None:
    """What has to be known of the models before their sentences are read."""
    for side in sides:
        who = escape(side.name) if len(sides) > 1 else "This run"
        if said := deaf(side.verdict, who):
            st.warning(said, icon=":material/compress:")
        if replays(side.name):
            st.warning(f"{who} {WOVEN}", icon=":material/shuffle:")
    if len(sides) == 1:
        return
    first, second = (backend.latent_size(side.model) for side in sides)
    if first != second:
        st.info(
            f"{escape(sides[0].title)} has codes of {first} dimensions and {escape(sides[1].title)} of {second}: one "
            "seed gives them different random codes. Sentences are encoded by each for itself.",
            icon=":material/info:",
        )
    else:
        st.caption("Both read the same random codes, as their seeds say. Sentences are encoded by each for itself.")


def _weights(name: str, side: int, said: st.delta_generator.DeltaGenerator) -> backend.Model:
    """The model of a run, with the snapshot that is chosen beside it, if it has any."""
    opened, key = state.opened().get(name), state.WALK_SNAPSHOTS[side]
    steps = [str(step) for step in backend.snapshots(backend.model(name, opened))]
    with said:
        heed({key: steps})
    if not steps:
        return backend.model(name, opened)
    step = st.selectbox(
        "Snapshot",
        steps,
        index=None,
        key=key,
        bind="query-params",
        placeholder="Last weights",
        width=150,
        help="The run as it was at an earlier step.",
    )
    return backend.model(name, opened, int(step) if step else None)
