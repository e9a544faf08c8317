"""Race: recipes side by side from one seed and one text, live or replayed, with the verdict on each as it is earned."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app import backend, state
from app.components import curves, race_form, race_lanes
from app.components.address import heed
from app.components.attempt import attempt
from app.components.run_card import dot
from app.components.sentences import escape

EVERY = 2.0
"""Seconds between two looks at what is new while one of the runs trains."""

PANELS = ("delta_nll_nats", "kl_nats", "mi_nats", "active_units", "rec_nats")
"""The curves beneath the lanes."""

USUAL = ("captions-two-phase", "captions-plain-vae")
"""The runs that are shown where nobody has chosen and none races."""


def at_first(entries: Mapping[str, backend.Entry]) -> list[str]:
    """The runs that are shown where nobody has chosen: those that race now, else those that came along."""
    racing = [name for name, entry in entries.items() if name.startswith("race-") and entry.active]
    usual = [name for name in USUAL if name in entries]
    return (sorted(racing) or usual or list(entries)[:2])[: race_form.MOST]


def names_asked() -> list[str]:
    """The runs that a link names."""
    said = st.query_params.get_all(state.RACE_RUNS)
    return [name.strip() for each in said for name in each.split(",") if name.strip()]


def choose_at_first(entries: Mapping[str, backend.Entry]) -> None:
    """What is chosen when the page opens: what the link names, also with commas between, or the usual."""
    said, names = st.query_params.get_all(state.RACE_RUNS), names_asked()
    if names != said:
        st.query_params[state.RACE_RUNS] = names
        st.session_state[state.RACE_RUNS] = [name for name in names if name in entries]
    elif not names and state.RACE_RUNS not in st.session_state:
        st.session_state[state.RACE_RUNS] = at_first(entries)


def unlike(configs: Sequence[backend.Config]) -> list[str]:
    """In what runs differ that should be the same for all in a race."""
    parts = {
        "seed": {(config.train.seed, config.data.seed) for config in configs},
        "text": {(config.data.corpus, config.data.train_sentences) for config in configs},
        "starting weights": {(config.model.backbone == "lstm", config.model.base) for config in configs},
    }
    return [name for name, values in parts.items() if len(values) > 1]


def lengths(entries: Sequence[backend.Entry]) -> str:
    """Why the runs of a race end at different steps, in a sentence; empty where they do not, or nobody knows yet."""
    totals = {entry.name: entry.status.total_steps for entry in entries if entry.status.total_steps}
    if len(set(totals.values())) < 2:
        return ""
    phases = {entry.name: len([phase for phase in entry.phases if phase]) for entry in entries}
    counted = {1: " in one phase", 2: " in two phases"}
    parts = (f"{escape(name)} has {steps:,} steps{counted.get(phases[name], '')}" for name, steps in totals.items())
    return f"A recipe says how many steps a run takes, too: {', '.join(parts)}."


def start_asked() -> int | None:
    """The share of the race, percent, that a link wants to be seen first."""
    text = st.query_params.get(state.RACE_START, "")
    return min(100, int(text)) if text.isdecimal() and len(text) < 4 else None


def watch(names: Sequence[str], was_active: Sequence[bool], colours: Mapping[str, str]) -> None:
    """Everything that changes while the runs train. Redraws the whole page when one of them starts, ends or is gone."""
    try:
        entries = [backend.entry(name) for name in names]
    except ValueError:
        st.rerun()
    if [entry.active for entry in entries] != list(was_active):
        st.rerun()
    try:
        lanes = [backend.lane(name) for name in names]
        asked = st.session_state.get(state.RACE_ASKED)
        race_lanes.race_lanes(race_lanes.drawing(entries, lanes, colours, start_asked(), asked))
        draw_curves(entries, colours)
    except ValueError as error:  # a file that was damaged, or went away, while it was being read
        st.error(escape(str(error)), icon=":material/error:")


def draw_curves(entries: Sequence[backend.Entry], colours: Mapping[str, str]) -> None:
    """The curves of all runs, under one cursor, which follows the race."""
    courses = {entry.name: backend.course(entry.name) for entry in entries}
    courses = {name: course for name, course in courses.items() if course}
    if not courses:
        return
    live = any(entry.active for entry in entries)
    data = curves.drawing(
        courses,
        colours,
        curves.look_of(state.RACE_CURVES),
        total=max(entry.status.total_steps for entry in entries) if live else None,
        latent_size=max(entry.latent_size for entry in entries),
    )
    data["panels"] = [panel for panel in data["panels"] if panel["name"] in PANELS]
    curves.curves(data | {"heat": None}, key=state.RACE_CURVES, on_chosen=go_to)


def go_to() -> None:
    """A step was chosen on the curves: the race goes there."""
    for click in state.unheard(st.session_state[state.RACE_CURVES].get("chosen")):
        if isinstance(click.get("step"), int | float):
            number = st.session_state.get(state.RACE_ASKED, {}).get("number", 0)
            st.session_state[state.RACE_ASKED] = {"number": number + 1, "step": click["step"]}


def ending(entries: Sequence[backend.Entry], colours: Mapping[str, str]) -> None:
    """Who is healthy and why, a sentence a run, and the ways on."""
    st.header("How it ended", anchor=False)
    for entry in entries:
        standing = backend.standing(entry)
        words = "It ended before there was a verdict."
        if standing:
            words = escape(" ".join((standing.headline, *standing.evidence[:1])))
        st.markdown(f"{dot(entry.name, colours[entry.name])} &nbsp; {words}")
    able = sorted((entry for entry in entries if entry.has_model), key=lambda entry: not is_healthy(entry.name))
    if not able:
        return
    names = [entry.name for entry in able]
    with st.container(horizontal=True, gap="small"):
        st.page_link(
            "app/pages/evaluate.py",
            label="Evaluate side by side",
            icon=":material/straighten:",
            query_params=[(state.EVALUATE_RUNS, name) for name in names],
        )
        if len(names) > 1:
            st.page_link(
                "app/pages/interpolate.py",
                label=f"Walk in {escape(names[0])} and {escape(names[1])}",
                icon=":material/linear_scale:",
                query_params={state.RUN: names[0], state.WALK_WITH: names[1]},
            )
        st.page_link(
            "app/pages/map.py",
            label=f"Map of {escape(names[0])}",
            icon=":material/scatter_plot:",
            query_params={state.RUN: names[0]},
        )


def is_healthy(name: str) -> bool:
    """Whether the doctor finds nothing amiss with a run."""
    verdict = backend.verdict(name)
    return verdict is not None and verdict.name == "healthy"


def stop(names: Sequence[str]) -> str:
    """Ask the runs to stop."""
    for name in names:
        backend.stop(name)
    return "The runs save what they have and stop. Each can be resumed on the page Runs."


st.title("Race", anchor=False)
st.markdown(
    "The same text and the same seed: what differs is the recipe alone. Which of them learns to use its code *z*, and "
    "when does it show?",
    width=820,
)
entries = {entry.name: entry for entry in backend.entries(named=names_asked()) if not entry.problem}
asked = any(key in st.query_params for key in (state.RACE_RECIPES, state.RACE_SIZE, state.RACE_SEED))
if not backend.read_only():
    drawer = st.expander(
        "Start a race", icon=":material/flag:", expanded=asked or not entries, key=state.RACE_NEW, bind="query-params"
    )
    if drawer.open:
        with drawer:
            race_form.race_form()
elif not entries:
    st.markdown("There are no runs yet.")
if not entries:
    st.stop()

choose_at_first(entries)
heed({state.RACE_RUNS: list(entries)})
chosen = st.multiselect(
    "Runs side by side",
    list(entries),
    key=state.RACE_RUNS,
    bind="query-params",
    max_selections=race_form.MOST,
    placeholder="any runs: those that have ended are replayed",
)
if not chosen:
    st.markdown(f"Choose runs to see them side by side{'' if backend.read_only() else ', or start a race'}.")
    st.stop()
if differing := unlike([backend.config(name) for name in chosen]):
    st.caption(f":material/info: These runs differ in more than their recipe: in their {' and '.join(differing)}.")
if unequal := lengths([entries[name] for name in chosen]):
    st.caption(unequal)
active = [name for name in chosen if entries[name].active]
if active and not backend.read_only():
    st.button("Stop the race", icon=":material/stop_circle:", on_click=attempt, args=(lambda: stop(active),))
st.fragment(watch, run_every=EVERY if active else None)(
    chosen, [entries[name].active for name in chosen], backend.colours(chosen)
)
if not active:
    ending([entries[name] for name in chosen], backend.colours(chosen))
