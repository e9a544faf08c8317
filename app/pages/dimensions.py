"""Dimensions: one code, a slider for each dimension that matters, and what the labels tell about them."""

from __future__ import annotations

import hashlib
import random

import pandas as pd
import streamlit as st
from numpy import ndarray

from app import backend, figures, state
from app.components.address import SWITCH, Between, heed
from app.components.dials import dials, locks, moved
from app.components.hearing import hearing
from app.components.neighbours import COUNT, neighbours
from app.components.run_picker import run_picker
from app.components.sentences import escape, listing
from app.components.train_first import train_first
from app.components.unread import unread

KINDS = ("Prior", "Sentence", "Zero")
FIGURES = {"R²": "r2", "MI": "mi_nats"}
FIRST = 8
MOST = 64
SEEDS = 2**32 - 1
LONGEST = 2000  # characters of a typed sentence
EXAMPLE = "a man is reading a book on a bench ."
Changes = dict[int, float]


def asked(size: int) -> tuple[Changes, set[int]]:
    """The changed values and the locked dimensions that the URL names; what cannot be is said once and forgotten."""
    parsers = {
        state.DIMENSIONS_CHANGES: backend.parse_changes,
        state.DIMENSIONS_LOCKED: backend.parse_dimensions,
    }
    found = []
    for key, parse in parsers.items():
        try:
            found.append(parse(st.query_params.get(key, ""), size))
        except ValueError as problem:
            st.warning(f"The address asks for {key}: {escape(str(problem))}", icon=":material/search_off:")
            st.query_params.pop(key, None)
            found.append(parse("", size))
    changes, locked = found
    return changes, locked


def remember(changes: Changes, locked: set[int], base: ndarray | None = None) -> None:
    """Write both into the URL."""
    texts = {
        state.DIMENSIONS_CHANGES: backend.write_changes(changes, base, locked),
        state.DIMENSIONS_LOCKED: ",".join(map(str, sorted(locked))),
    }
    for key, text in texts.items():
        if text:
            st.query_params[key] = text
        else:
            st.query_params.pop(key, None)


def start_anew(size: int) -> None:
    """Another code to start from: of the changes, the locked ones stay."""
    changes, locked = asked(size)
    remember({dimension: changes[dimension] for dimension in locked & changes.keys()}, locked)


def draw_values(size: int) -> None:
    """Start from a new random code."""
    st.session_state[state.DIMENSIONS_KIND] = "Prior"
    st.session_state[state.DIMENSIONS_SEED] = random.randrange(10_000)
    start_anew(size)


def back(base: ndarray) -> None:
    """Every dimension as it is at the start, locked or not."""
    _, locked = asked(len(base))
    remember({dimension: float(base[dimension]) for dimension in locked}, locked)


def take(base: ndarray, locked: set[int]) -> None:
    """Go to the code that was pasted."""
    try:
        remember(backend.parse_code(st.session_state[state.DIMENSIONS_PASTED], len(base)), locked, base)
    except ValueError as problem:
        st.session_state[state.DIMENSIONS_PROBLEM] = str(problem)


def draw_sentence(model: backend.Model) -> None:
    """Another sentence of the run's map."""
    st.session_state[state.DIMENSIONS_TEXT] = random.choice(backend.codes(model).texts)
    start_anew(backend.latent_size(model))


def choose_start(model: backend.Model) -> backend.Start:
    """The form of the code that one starts from."""
    size = backend.latent_size(model)
    kind = st.segmented_control(
        "Start from",
        KINDS,
        default=None if state.DIMENSIONS_KIND in st.session_state else KINDS[0],
        required=True,
        key=state.DIMENSIONS_KIND,
        bind="query-params",
        width="content",
        on_change=start_anew,
        args=(size,),
        help="Prior: a random code, by its seed. Sentence: the code of what you type. Zero: the middle of the prior.",
    )
    if kind == "Sentence":
        text = st.text_input(
            "Sentence",
            state.usual(state.DIMENSIONS_TEXT, EXAMPLE),
            key=state.DIMENSIONS_TEXT,
            bind="query-params",
            max_chars=LONGEST,
            width=480,
            on_change=start_anew,
            args=(size,),
        )
        if backend.has_codes(model):
            st.button("One of the map", icon=":material/scatter_plot:", on_click=draw_sentence, args=(model,))
        return backend.Start(kind="sentence", text=text or "")
    if kind == "Prior":
        seed = st.number_input(
            "Seed",
            0,
            SEEDS,
            key=state.DIMENSIONS_SEED,
            bind="query-params",
            width=140,
            on_change=start_anew,
            args=(size,),
        )
        return backend.Start(kind="prior", seed=int(seed))
    return backend.Start(kind="zero")


def labels_of(model: backend.Model) -> list[str]:
    """The labels that can be held against the dimensions."""
    return [str(label) for label in backend.codes(model).labels] if backend.has_codes(model) else []


def choose_order(model: backend.Model, collapsed: bool) -> dict[int, str]:
    """The dimensions in the order chosen, each with the figure that puts it there."""
    by_kl = backend.dimensions_by_kl(model)
    offered = ["KL", *labels_of(model)] if not collapsed else ["KL"]
    heed({state.DIMENSIONS_ORDER: offered})
    order = st.selectbox(
        "Most telling first, by",
        offered,
        key=state.DIMENSIONS_ORDER,
        bind="query-params",
        width=180,
        help="KL: how much a dimension is used, in nats. A label: R², the share of a dimension's variance that lies "
        "between the groups of the label.",
    )
    if order == "KL" or order not in offered:
        return {dimension: "" if kl is None else f"KL {kl:.2f}" for dimension, kl in by_kl}
    found = backend.association(model, "r2")
    shares = found[found["label"] == order].sort_values("value", ascending=False, kind="stable")
    return {int(dimension): f"R² {r2:.2f}" for dimension, r2 in zip(shares["dimension"], shares["value"], strict=True)}


def play(model: backend.Model, start: backend.Start, base: ndarray, collapsed: bool) -> None:
    """The sliders, and all that depends on where they stand. Runs again, alone, when one of them comes to rest."""
    size = len(base)
    changes, locked = asked(size)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Back to the start", icon=":material/undo:", key="dims_back", on_click=back, args=(base,))
        with st.popover("Copy or paste z", icon=":material/content_paste:"):
            exchange(base, changes, locked)
        notes = choose_order(model, collapsed)
        everything = size > FIRST and st.toggle(
            f"All {size} dimensions" if size <= MOST else f"{MOST} of {size} dimensions",
            key=state.DIMENSIONS_ALL,
            bind="query-params",
        )
    shown = list(notes)[: MOST if everything else FIRST]
    board = backend.strips(model, base, changes, shown)
    family = hashlib.sha256(repr((model.source, model.snapshot)).encode() + base.tobytes()).hexdigest()[:16]

    def follow() -> None:
        if told := moved(state.DIMENSIONS_BOARD, family):
            name, value = told
            now, kept = asked(size)
            remember(now | {int(name[1:]): value}, kept, base)

    def lock() -> None:
        names = locks(state.DIMENSIONS_BOARD, family)
        if names is not None:
            now, _ = asked(size)
            z = board.reading.codes[board.own]
            kept = {int(name[1:]) for name in names} | {dimension for dimension in locked if dimension not in shown}
            remember({dimension: float(z[dimension]) for dimension in kept} | now, kept, base)

    if len(set(board.reading.texts)) == 1:
        st.info("Whatever value a dimension takes, the sentence stays the same:", icon=":material/info:")
        listing(board.reading.texts)
    else:
        dials(
            board,
            key=state.DIMENSIONS_BOARD,
            family=family,
            before="At the start:",
            notes={f"z{dimension}": note for dimension, note in notes.items()},
            locked={f"z{dimension}" for dimension in locked},
            on_moved=follow,
            on_locked=lock,
        )
        st.caption(
            "Every stop of a slider has been decoded, with the other dimensions as they are: nothing between is "
            "guessed. Shades on a rail are stretches of one sentence, the triangle is the value at the start. Arrow "
            "keys go from stop to stop."
        )
    if backend.has_codes(model):
        with st.expander("Sentences next to this code", icon=":material/near_me:"):
            near = backend.neighbours(model, board.reading.codes[board.own], COUNT)
            neighbours([(backend.codes(model).texts[row], far) for row, far in near])
    keep(model, start, changes, board)


def exchange(base: ndarray, changes: Changes, locked: set[int]) -> None:
    """The code as numbers: to be copied, or pasted."""
    z = base.copy()
    for dimension, value in changes.items():
        z[dimension] = value
    if problem := st.session_state.pop(state.DIMENSIONS_PROBLEM, ""):
        st.error(escape(problem), icon=":material/error:")
    st.text_area("Paste a z", key=state.DIMENSIONS_PASTED, placeholder="[0.5, -1.2, ...]", height=100)
    st.button("Take it", icon=":material/check:", key="dims_take", on_click=take, args=(base, locked))
    st.markdown("**z as JSON**")
    st.code(backend.write_code(z), language="json", wrap_lines=True)


def keep(model: backend.Model, start: backend.Start, changes: Changes, board: backend.Board) -> None:
    """The strips to take away: a table, and the words that make them again."""
    rows = [
        (dial.name, value, board.reading.texts[row])
        for dial in board.dials
        for value, row in zip(dial.values, dial.rows, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["dimension", "value", "sentence"])
    with st.expander("Take it with you: all strips, Python, command", icon=":material/ios_share:"):
        st.dataframe(
            frame,
            hide_index=True,
            height=320,
            column_config={
                "value": st.column_config.NumberColumn(format="%.2f", width=80),
                "sentence": st.column_config.TextColumn(width="large"),
            },
            alt="The sentences along each dimension",
        )
        csv = frame.to_csv(index=False)
        st.download_button("CSV", csv, f"{model.name}-dimensions.csv", "text/csv", icon=":material/download:")
        st.markdown("**The same in Python**, with the strip of one dimension")
        along = next((dial for dial in board.dials if int(dial.name[1:]) in changes), board.dials[0])
        st.code(backend.dimensions_python(model, start, changes, along), language="python", wrap_lines=True)
        st.markdown("**The same from a terminal**")
        st.code(backend.dimensions_command(model, start, changes, along), language="bash", wrap_lines=True)


def labels(model: backend.Model, collapsed: bool) -> None:
    """What the labels of the run's sentences tell about the dimensions."""
    st.header("What the labels tell about each dimension", anchor=False)
    if not labels_of(model):
        st.caption("The sentences of this model have no labels, so there is nothing to hold against its dimensions.")
        return
    if collapsed:
        st.caption(
            "This run has collapsed: its codes hardly differ. The figures that would stand here take no notice of "
            "size, and would draw the little that is left as if it mattered."
        )
        return
    choice = st.segmented_control(
        "Figure",
        list(FIGURES),
        default="R²",
        required=True,
        key=state.DIMENSIONS_FIGURE,
        bind="query-params",
        width="content",
        help="R² (correlation ratio, η²): the share of a dimension's variance that lies between the groups of a label, "
        "0 to 1. MI: mutual information of a dimension and a label in nats, by nearest neighbours (Ross 2014); it also "
        "sees what does not move the mean, and is at most the entropy of the label.",
    )
    with st.spinner("Holding the labels against the dimensions …"):
        found = backend.association(model, FIGURES[choice])
    ranked = [dimension for dimension, _ in backend.dimensions_by_kl(model)][:MOST]
    hover, unit, top = {
        "R²": ("R² %{z:.3f}, by chance %{customdata:.3f}", "R²", 1.0),
        "MI": ("MI %{z:.2f} of at most %{customdata:.2f} nats", "MI, nats", max(0.1, float(found["value"].max()))),
    }[choice]
    strongest = found.loc[found["value"].idxmax()]
    st.plotly_chart(
        figures.associations(found, ranked, hover, unit=unit, top=top),
        key="dims_associations",
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d"],
            "toImageButtonOptions": {"format": "svg", "filename": f"{model.name}-dimensions"},
        },
        alt=f"{choice} of each label and each dimension; the most, {strongest['value']:.2f}, is of "
        f"{strongest['label']} and z{strongest['dimension']}.",
    )
    st.caption(
        f"From the mean codes of {len(backend.codes(model).texts):,} sentences"
        + (f", {backend.COUNTED:,} of them drawn for MI" if len(backend.codes(model).texts) > backend.COUNTED else "")
        + ". This looks at the encoder alone, one dimension at a time: a label that many dimensions share looks weak "
        "in each, and what a dimension tells need not be what the decoder says with it. The sliders show that."
    )
    with st.expander("The same in Python", icon=":material/code:"):
        st.code(backend.association_python(model), language="python", wrap_lines=True)


st.title("Dimensions", anchor=False)
names = [entry.name for entry in backend.entries() if entry.has_model] + list(state.opened())
if not names:
    train_first("There is no trained model yet.", "Train the first one, then turn the dimensions of its codes.")
    st.stop()

heed(
    {
        state.DIMENSIONS_KIND: KINDS,
        state.DIMENSIONS_SEED: Between(0, SEEDS),
        state.DIMENSIONS_ALL: SWITCH,
        state.DIMENSIONS_FIGURE: tuple(FIGURES),
    }
)
with st.container(horizontal=True, vertical_alignment="bottom"):
    name = run_picker(names, default=backend.showcase(names))
    if st.session_state.get(state.DIMENSIONS_RUN, name) != name:  # the changes were made in the codes of another run
        remember({}, set())
    st.session_state[state.DIMENSIONS_RUN] = name
    model = backend.model(name, state.opened().get(name))
    form = st.container(horizontal=True, vertical_alignment="bottom", width="content")
try:
    backend.latent_size(model)  # opens the model, with a word about that below the form
    with form:
        start = choose_start(model)
        st.button(
            "Random values",
            icon=":material/casino:",
            key="dims_random",
            on_click=draw_values,
            args=(backend.latent_size(model),),
            help="A new random code to start from. What is locked keeps its value.",
        )
    base = backend.start_code(model, start)
except ValueError as problem:
    st.error(escape(str(problem)), icon=":material/error:")
    st.stop()
unread(model, start.text)
collapsed = hearing(name) == "collapsed"
st.fragment(play)(model, start, base, collapsed)
labels(model, collapsed)
