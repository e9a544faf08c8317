"""A run as it trains: how far it is, what the doctor says, its curves, and what it writes at this moment.

`monitor` is drawn inside a fragment that repeats while the run is active. Everything in it has a fixed key, so that
a redraw changes what has changed and nothing else: no blinking, and a zoom stays. What a redraw costs grows neither
with the length of the run nor with the number of runs that there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from app import backend, charts, state
from app.components import curves, sentences
from app.components.run_card import VERDICTS, badge, dot, progress

EVERY = 2.0
"""Seconds between two redraws while a run trains."""

MOST_STOPS = 200
"""Most steps that the slider of sentences offers."""


def monitor(name: str, compared: Sequence[str], was_active: bool, colours: Mapping[str, str]) -> None:
    """Everything that changes while the run trains. Redraws the whole page when a run starts, ends or is gone."""
    try:
        entries = [backend.entry(run) for run in (name, *compared)]
    except ValueError:
        st.rerun()
    if entries[0].active != was_active:
        st.rerun()
    try:
        _draw(entries, {entry.name: colours[entry.name] for entry in entries})
    except ValueError as error:  # a file that was damaged, or went away, while it was being read
        st.error(sentences.escape(str(error)), icon=":material/error:")


def _draw(entries: Sequence[backend.Entry], colours: Mapping[str, str]) -> None:
    entry = entries[0]
    _state(entry, colours[entry.name])
    _verdict(entry)
    _curves(entries, colours)
    _sentences(entry)
    _details(entry, colours[entry.name])


def _state(entry: backend.Entry, colour: str) -> None:
    st.markdown(f"{dot(entry.name, colour)} &nbsp; {badge(entry)}")
    if entry.active:
        progress(entry)
        if words := pace(entry):
            st.caption(words)
    elif entry.state == "failed":
        st.error(sentences.escape(entry.status.message or "The run ended without finishing."), icon=":material/error:")
        if log := backend.log_tail(entry.name, 15):
            st.caption("The end of its log:")
            st.code(log, language=None, wrap_lines=True)
    elif entry.status.message:
        st.caption(sentences.escape(entry.status.message))


def pace(entry: backend.Entry) -> str:
    """How fast a run trains and what it takes of the machine, in words; empty while nothing is known.

    Until it trains, also again, what was measured before says nothing of now.
    """
    words = []
    trains = entry.state != "queued" and not entry.status.message  # that it is starting, or loading
    if trains and (speed := backend.speed(entry.name)):
        words.append(f"{speed:,.0f} sentences a second")
    if memory := backend.memory(entry.name):
        words.append(f"its trainer holds {memory / 1e9:.1f} GB of memory")
    return " · ".join(words)


def _verdict(entry: backend.Entry) -> None:
    standing = backend.standing(entry)
    if standing is None or standing.name == "unknown":
        if entry.active:
            st.info("No verdict yet: it comes with the first checks of training.")
        return
    colour, icon = VERDICTS[standing.name]
    box = {"green": st.success, "orange": st.warning, "red": st.error, "gray": st.info}[colour]
    said = {"icon": f":material/{icon}:"}
    if standing.evidence:
        box(" ".join(map(sentences.escape, standing.evidence)), title=standing.headline, **said)
    else:
        box(standing.headline, **said)
    if standing.advice:
        with st.expander("What to try", icon=":material/lightbulb:", key="runs_advice"):
            st.markdown("\n".join(f"- {sentences.escape(advice)}" for advice in standing.advice))


def _curves(entries: Sequence[backend.Entry], colours: Mapping[str, str]) -> None:
    """The curves, and what can be taken along of them."""
    entry = entries[0]
    courses = {each.name: backend.course(each.name) for each in entries}
    if not courses[entry.name]:
        st.caption("The first figures come within a minute of the start.")
        return
    data = curves.drawing(
        {name: course for name, course in courses.items() if course},
        colours,
        curves.look_of(state.RUNS_CURVES),
        total=entry.status.total_steps if entry.active else None,
        chosen=_chosen_step(),
        latent_size=max(each.latent_size for each in entries),
    )
    curves.curves(data, key=state.RUNS_CURVES, on_chosen=lambda: _pick(entry.name))
    with st.container(horizontal=True, gap="small"):
        for each in entries:
            st.download_button(
                "All measurements (CSV)" if len(entries) == 1 else f"{sentences.escape(each.name)} (CSV)",
                data=partial(backend.metrics_csv, each.name),
                file_name=f"{each.name}-metrics.csv",
                mime="text/csv",
                icon=":material/download:",
                type="tertiary",
                on_click="ignore",
                key=f"runs_csv_{each.name}",
            )


def _pick(run: str) -> None:
    """A step was chosen on the curves: show the sentences of the nearest step that has some."""
    clicks = state.unheard(st.session_state[state.RUNS_CURVES].get("chosen"))
    steps = backend.sample_steps(run)
    wanted = [click["step"] for click in clicks if isinstance(click.get("step"), int | float)]
    if wanted and steps:
        st.session_state[state.RUNS_STEP] = nearest(steps, wanted[-1])


def nearest(steps: Sequence[int], wanted: float) -> int:
    """The step next to a wanted one."""
    return min(steps, key=lambda step: abs(step - wanted))


def _chosen_step() -> int | None:
    """The step whose sentences are shown, unless it is simply the newest."""
    step = st.session_state.get(state.RUNS_STEP)
    return None if step == st.session_state.get(state.RUNS_NEWEST) else step


def _sentences(entry: backend.Entry) -> None:
    steps = backend.sample_steps(entry.name)
    if not steps:
        return
    st.header("What it writes", anchor=False)
    event = backend.sample(entry.name, _step(steps) if len(steps) > 1 else steps[-1])
    if event is None:  # the run began anew between two lines of this
        return
    _ways(entry, event["step"])
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            "**Rebuilt from their codes**",
            help="Held-out sentences, each encoded and decoded again (greedily, from the mean of its posterior). "
            "Words that differ are marked.",
        )
        sentences.rebuilt(event["reconstructions"])
    with right:
        st.markdown(
            "**Written from random codes**",
            help="Decoded from codes drawn once from the prior N(0, I); the same codes at every step. "
            "When they all say the same, the decoder does not listen.",
        )
        sentences.listing(event["prior"])


def _step(steps: Sequence[int]) -> int:
    """The step on the slider, which follows the newest one until somebody moves it away."""
    newest = max(steps)
    if st.session_state.get(state.RUNS_STEP) in (None, st.session_state.get(state.RUNS_NEWEST)):
        st.session_state[state.RUNS_STEP] = newest
    if st.session_state[state.RUNS_STEP] not in steps:
        st.session_state[state.RUNS_STEP] = newest
    st.session_state[state.RUNS_NEWEST] = newest
    stops = offered(steps, st.session_state[state.RUNS_STEP])
    return st.select_slider("After step", stops, key=state.RUNS_STEP, format_func=lambda step: f"{step:,}")


def offered(steps: Sequence[int], chosen: int) -> list[int]:
    """The steps that a slider has room for: evenly thinned where there are many, with the chosen one and the ends."""
    stride = 1
    while len(steps) > MOST_STOPS * stride:
        stride *= 2
    return sorted({*steps[::stride], chosen, max(steps)})


def _ways(entry: backend.Entry, step: int) -> None:
    """The ways from a step to its map, and to the weights nearest to it, if the run has kept any."""
    kept = backend.snapshots(backend.model(entry.name)) if entry.has_model else []
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        pressed = st.button(
            "The map at this step",
            icon=":material/scatter_plot:",
            type="tertiary",
            key="runs_map_at_step",
            on_click=_open_film,
            help="Opens the film of training below, at the check nearest to this step.",
        )
        if pressed:
            st.rerun()  # the film is another part of the page
        if kept:
            _snapshots(entry, kept, step)


def _open_film() -> None:
    st.session_state[state.FILM_OPEN] = True


def _snapshots(entry: backend.Entry, kept: Sequence[int], step: int) -> None:
    near = nearest(kept, step)
    words = f"the weights of step {near:,}" if near == step else f"the nearest weights, of step {near:,}"
    ways = [
        ("interpolate", f"Interpolate with {words}", "linear_scale", state.WALK_SNAPSHOTS[0], f"{near}"),
        ("plane", f"A plane through {words}", "grid_on", state.PLANE_SNAPSHOT, f"Step {near}"),
    ]
    for page, label, icon, key, value in ways:
        query = {state.RUN: entry.name, key: value}
        st.page_link(f"app/pages/{page}.py", label=label, icon=f":material/{icon}:", query_params=query)


def _details(entry: backend.Entry, colour: str) -> None:
    per_dimension = backend.figures(entry.name).get("kl_per_dim_nats")
    if isinstance(per_dimension, list) and per_dimension:
        with st.expander(
            "Dimensions of the code at the newest check", icon=":material/equalizer:", key="runs_dimensions"
        ):
            st.vega_lite_chart(
                *charts.units(per_dimension, colour),
                key="runs_units",
                alt="Mean KL of each dimension of z, the most used first",
            )
    with st.expander("Settings", icon=":material/tune:", key="runs_settings"):
        settings = backend.config(entry.name)
        if entry.imported:
            st.caption(f"{sentences.escape(entry.status.message)} What its settings were there:")
            st.json(backend.origin(entry.name))
        else:
            st.caption(backend.describe(settings.recipe))
            st.code(backend.command(entry.name, settings), language="bash", wrap_lines=True)
    with st.expander("Log", icon=":material/notes:", key="runs_log"):
        st.code(backend.log_tail(entry.name) or "The run has said nothing yet.", language=None, wrap_lines=True)
