"""The form of a new race: which recipes, on which text, how large, from which seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app import backend, state
from app.components.address import heed
from app.components.attempt import attempt
from app.components.sentences import escape
from app.glossary import duration

FIRST = ("two-phase", "plain-vae")
"""The recipes that race where nobody has chosen."""

MOST = 8
"""Runs of one race: as many as there are colours."""

SIZES: Mapping[str, str] = {
    "Quick": "Quick: each recipe on 4,000 sentences at most, checked twice in each pass over them. With the captions a "
    "difference shows in the first third of the time.",
    "Full": "Full: the recipes as they are.",
}

TEXTS = {"captions": "Built-in captions", "upload": "Upload", "path": "File path"}


def race_form() -> None:
    """The form, in the surrounding container. Launching shows the new race."""
    heed({state.RACE_RECIPES: backend.recipe_names(), state.RACE_SIZE: list(SIZES)})
    chosen = st.multiselect(
        "Recipes",
        backend.recipe_names(),
        default=list(FIRST),
        key=state.RACE_RECIPES,
        bind="query-params",
        max_selections=MOST,
        placeholder="two or more",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        size = st.segmented_control(
            "Size",
            list(SIZES),
            default="Quick",
            required=True,
            key=state.RACE_SIZE,
            bind="query-params",
        )
        seed = st.number_input(
            "Seed",
            min_value=0,
            max_value=2**32 - 1,
            value=0,
            key=state.RACE_SEED,
            bind="query-params",
            width=140,
            help="Of weights, noise and order of the sentences: the same for all.",
        )
        name = _name(chosen)
        corpus = _text()
    try:
        if corpus is None:
            raise ValueError("The text is missing: choose a file or give its name.")
        names = backend.race_names(name or "", chosen)
        recipes = [backend.race_config(recipe, size.lower(), int(seed), corpus) for recipe in chosen]
        configs = dict(zip(names, recipes, strict=True))
        st.caption(f"{SIZES[size]} {_cost(configs)}")
    except ValueError as problem:
        st.error(escape(str(problem)), icon=":material/error:")
        configs = {}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Start the race",
            key="race_launch",
            type="primary",
            icon=":material/flag:",
            disabled=not configs,
            on_click=attempt,
            args=(lambda: _launch(configs),),
        )
        if configs:
            with st.popover("Copy as command", icon=":material/terminal:"):
                st.caption("Each in a terminal of its own:")
                lines = [backend.command(name, config) for name, config in configs.items()]
                st.code("\n\n".join(lines), language="bash", wrap_lines=True)


def _name(chosen: list[str]) -> str:
    """The name of the race: one is proposed, until somebody types another."""
    if st.session_state.get(state.RACE_NAME) in (None, "", st.session_state.get(state.RACE_PROPOSED)):
        proposed = backend.fresh_race(chosen)
        st.session_state[state.RACE_NAME] = st.session_state[state.RACE_PROPOSED] = proposed
    return st.text_input(
        "Name of the race",
        key=state.RACE_NAME,
        width=180,
        help="Each run is called by it and its recipe, as race-1-two-phase, and is a run like any other.",
    )


def _text() -> str | None:
    """The corpus spec, or none while a file or a name is still missing."""
    kind = st.segmented_control(
        "Text", list(TEXTS), format_func=TEXTS.__getitem__, default="captions", required=True, key=state.RACE_TEXT
    )
    if kind == "upload":
        kinds = ["txt", "csv", "tsv", "jsonl", "parquet"]
        file = st.file_uploader(
            "A file of sentences, one a line or in a column `text`", type=kinds, key=state.RACE_UPLOAD
        )
        return backend.save_upload(file.name, file.getvalue()) if file else None
    if kind == "path":
        path = st.text_input("Path of the file", key=state.RACE_PATH, placeholder="/home/me/reviews.tsv")
        return f"file:{path.strip()}" if path and path.strip() else None
    return kind


def _cost(configs: Mapping[str, backend.Config]) -> str:
    """What the race takes and where it takes it from, in words."""
    configs_ = list(configs.values())
    preview = backend.preview(configs_[0].data)
    words = f"{preview.sentences:,} sentences to train on. {escape(preview.note)}".strip()
    if configs_[0].data.corpus != "captions":
        words += " A fresh T5 is pre-trained on them first, so a difference takes longer to show."
    seconds = longest(configs_, preview.sentences)
    if seconds is not None:
        words += f" About {duration(seconds)} at most until all have ended."
    words += " They start at once, even if other runs wait for their turn, and train side by side."
    busy = [entry.name for entry in backend.entries() if entry.active and not entry.place]
    if busy:
        verb = "is in training, too, which slows" if len(busy) == 1 else "are in training, too, which slows"
        words += f" {escape(', '.join(busy[:3]))} {verb} them down."
    return words


def longest(configs: Sequence[backend.Config], sentences: int) -> float | None:
    """Seconds until all runs of a race have ended, if one trained after the other; none where it cannot be said.

    Side by side they take no longer: what one of them leaves idle, another uses.
    """
    times = [backend.estimate(config, sentences).seconds for config in configs]
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None


def _launch(configs: Mapping[str, backend.Config]) -> str:
    names = backend.launch_race(configs)
    if state.RACE_RUNS in st.session_state:
        st.session_state[state.RACE_RUNS] = names
    else:  # there was no run to choose: the widget will take its value from the URL
        st.query_params[state.RACE_RUNS] = names
    st.session_state[state.RACE_NEW] = False
    st.session_state.pop(state.RACE_NAME, None)
    st.query_params.pop(state.RACE_START, None)
    return f"{len(names)} runs race. They go on when you close this window."
