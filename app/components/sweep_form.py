"""A new sweep: what it starts from, what it varies, the runs that this makes, and what they will cost."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import backend, state
from app.components.address import heed
from app.components.sentences import escape
from app.glossary import duration

STARTS = {"Study": "preset", "Recipe": "recipe", "Run": "run"}
"""What a sweep can start from: studies of the paper come with their axes."""
OWN = ("model.pooling", "max,mean")
"""What is varied at first, where no study says it."""


def sweep_form(runs: Sequence[str]) -> None:
    """The whole form, with its button. `runs` are those whose configuration can be varied."""
    kind, name, base, axes = _start(runs)
    about = backend.preset_about(name) if kind == "preset" else backend.describe(base.recipe)
    st.caption(escape(about))
    _fill(f"{kind}:{name}", axes, name if kind == "preset" else f"{name}-sweep")
    problem, planned = "", None
    try:
        axes = _axes()
        left, right = st.columns(2, gap="medium")
        with left:
            settings = st.text_input(
                "Settings of all runs",
                key=state.COMPARE_SET,
                bind="query-params",
                placeholder="data.train_sentences=2000 phase1.epochs=1",
                help="As for `--set` on the command line: section.field=value, with spaces between.",
            )
        with right:
            stem = st.text_input(
                "Name of the sweep",
                key=state.COMPARE_NAME,
                bind="query-params",
                help="Its runs are called after it, and after what differs.",
            )
        planned = backend.plan(stem or "", base, axes, settings or "")
    except ValueError as error:
        problem = str(error)
    if planned is None:
        st.error(escape(problem), icon=":material/error:")
        return
    _preview(planned)
    count = len(planned.members)
    st.button(
        f"Launch {count} run{'s' * (count > 1)}",
        type="primary",
        icon=":material/rocket_launch:",
        on_click=_launch,
        args=(planned,),
    )
    with st.expander("The same from a terminal", icon=":material/terminal:", key="compare_sweep_command"):
        line = backend.sweep_command(planned.stem, planned.base, planned.axes)
        st.code(line, language="bash", wrap_lines=True)


def _start(runs: Sequence[str]) -> tuple[str, str, backend.Config, tuple[backend.Axis, ...]]:
    """What the sweep starts from: its kind, its name, the configuration, and the axes that come with it."""
    kinds = [word for word, kind in STARTS.items() if kind != "run" or runs]
    options = {"preset": list(backend.PRESETS), "recipe": backend.recipe_names(), "run": list(runs)}
    heed({state.COMPARE_START: kinds} | {key: options[kind] for kind, key in state.COMPARE_STARTS.items()})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        word = st.segmented_control(
            "Start from", kinds, default=kinds[0], key=state.COMPARE_START, bind="query-params", required=True
        )
        kind = STARTS[word]
        name = st.selectbox(
            word,
            options[kind],
            key=state.COMPARE_STARTS[kind],
            bind="query-params",
            label_visibility="collapsed",
            width=320,
        )
    if kind == "preset":
        return kind, name, *backend.preset(name)
    base = backend.recipe(name) if kind == "recipe" else backend.config(name)
    return kind, name, base, (backend.axis(*OWN),)


def _fill(start: str, axes: Sequence[backend.Axis], stem: str) -> None:
    """Put axes and a name into the form when another start is chosen; what a link brings along stays."""
    put_up = state.COMPARE_NAME not in st.session_state
    if st.session_state.get(state.COMPARE_FILLED) == start and not put_up:
        return
    st.session_state[state.COMPARE_FILLED] = start
    keys = (*state.COMPARE_SETTINGS, *state.COMPARE_VALUES)
    if not (put_up and any(key in st.query_params for key in keys)):
        given = [(axis.name, str(axis).partition("=")[2]) for axis in axes]
        given += [("", "")] * (len(state.COMPARE_SETTINGS) - len(given))
        for pair, setting, listed in zip(given, state.COMPARE_SETTINGS, state.COMPARE_VALUES, strict=True):
            state.put(setting, pair[0] or None)
            state.put(listed, pair[1])
    if not (put_up and state.COMPARE_NAME in st.query_params):
        state.put(state.COMPARE_NAME, backend.sweep_name(stem))


def _axes() -> tuple[backend.Axis, ...]:
    """What is varied: a setting with its values, and more below. What does not fit is a `ValueError`."""
    options = backend.setting_names()
    heed(dict.fromkeys(state.COMPARE_SETTINGS, options))
    axes, problem = [], None
    for number, (setting, listed) in enumerate(zip(state.COMPARE_SETTINGS, state.COMPARE_VALUES, strict=True)):
        left, right = st.columns([1, 1.4], gap="medium")
        with left:
            name = st.selectbox(
                "Vary" if number == 0 else "and",
                options,
                index=None,
                key=setting,
                bind="query-params",
                placeholder="nothing more" if number else "choose a setting",
            )
        if not name:
            break
        with right:
            values = st.text_input(
                "through the values",
                key=listed,
                bind="query-params",
                help=f"{backend.setting_help(name)} Values with commas between: {backend.setting_values(name)}.",
            )
        try:
            axes.append(backend.axis(name, values or ""))
        except ValueError as error:  # said when all fields are there
            problem = problem or error
    if problem:
        raise problem
    return tuple(axes)


def _preview(planned: backend.Plan) -> None:
    """The runs, what they share, what was refused, and how long it takes."""
    rows = [
        {"run": member.name}
        | {backend.axis_heading(name): backend.axis_value(value) for name, value in member.values.items()}
        for member in planned.members
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={"run": st.column_config.Column("Run", pinned=True)},
        alt=f"The {len(rows)} runs of the sweep",
    )
    for sentence in dict.fromkeys(planned.refused.values()):
        left_out = [label for label, reason in planned.refused.items() if reason == sentence]
        st.warning(escape(f"Left out {', '.join(left_out)}: {sentence}"), icon=":material/block:")
    sentences = backend.preview(planned.base.data).sentences if planned.base.data.corpus == "captions" else None
    cost = backend.sweep_cost(planned, sentences)
    st.markdown(f":material/timer: {len(rows)} runs. {_cost(cost)} {escape(planned.common())}")


def _cost(cost: backend.Estimate) -> str:
    if cost.seconds is None:
        return "How long they take cannot be said beforehand."
    if cost.measured_on:
        return f"About {duration(cost.seconds)} one after the other, by the speed of {escape(cost.measured_on[0])}."
    return f"Roughly {duration(cost.seconds)} one after the other, on two cores without a GPU."


def _launch(planned: backend.Plan) -> None:
    try:
        made = backend.launch_sweep(planned)
    except ValueError as error:
        state.say(escape(str(error)))
        return
    st.session_state[state.COMPARE_SWEEP] = planned.stem
    st.session_state[state.COMPARE_NAME] = backend.sweep_name(planned.stem)  # for the next one
    state.say(f"{len(made)} runs are in the queue. They train when you close this window, too.")
