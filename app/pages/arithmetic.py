"""Arithmetic: A − B + C, and the direction from some examples to others, under a slider of strength."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import backend, state
from app.components.address import Between, heed
from app.components.dials import dials, moved
from app.components.hearing import hearing
from app.components.neighbours import COUNT, neighbours
from app.components.run_picker import run_picker
from app.components.sentences import escape
from app.components.train_first import train_first
from app.components.unread import unread

MODES = ("A − B + C", "From examples")
GROUPS = ("By label", "Typed")
WHOLE = (0.0, 2.0, 0.1)  # strengths of A − B + C: lowest, highest, step
BOTH_WAYS = (-3.0, 3.0, 0.25)  # and of a direction, which also goes backwards
SEEDS = 2**32 - 1
LONGEST = 2000  # characters of a typed sentence, and of a list in the address
EXAMPLES = {  # what A has and B has not; on the bundled run, the last one does not come off
    "not": ("a dog is not sleeping on the sofa .", "a dog is sleeping on the sofa ."),
    "at night": ("a woman is walking in the park at night .", "a woman is walking in the park ."),
    "two": ("two dogs are sleeping on a rug .", "a dog is sleeping on a rug ."),
    "several": ("several cows are eating grass in the field .", "a cow is eating grass in the field ."),
    "man to woman": ("a woman is cooking in the kitchen .", "a man is cooking in the kitchen ."),
}
SENTENCES = ("a man is reading a book in the library .", "a man is reading a book on a bench .")
LISTS = (
    "a dog is sleeping on a rug .\na man is walking in the park .\na girl is singing a song .",
    "two dogs are sleeping on a rug .\ntwo men are walking in the park .\ntwo girls are singing songs .",
)


def take(example: str) -> None:
    """Fill in A and B."""
    for key, text in zip(state.ARITHMETIC_ABC, EXAMPLES[example], strict=False):
        st.session_state[key] = text
    st.query_params.pop(state.ARITHMETIC_STRENGTH, None)


def sentence(label: str, default: str, key: str, **options: str) -> str:
    """A field for a sentence."""
    text = st.text_input(label, state.usual(key, default), key=key, bind="query-params", max_chars=LONGEST, **options)
    return text or ""


def strength(along: list[float], default: float) -> float:
    """The strength that the URL asks for; said, if it cannot be had."""
    heed({state.ARITHMETIC_STRENGTH: Between(along[0], along[-1])})
    return present(along, default)


def present(along: list[float], default: float) -> float:
    """The strength that was looked at last."""
    asked = st.query_params.get(state.ARITHMETIC_STRENGTH, "")
    return float(asked) if asked in Between(along[0], along[-1]) else default


def read(model: backend.Model, board: backend.Board, before: str, inputs: Sequence[str] = ()) -> None:
    """The slider and the sentences under it, `inputs` being those that follow; where it comes to rest is in the URL."""
    dial = board.dials[0]
    family = hashlib.sha256(board.reading.codes.tobytes()).hexdigest()[:16]

    def follow() -> None:
        if told := moved(state.ARITHMETIC_BOARD, family):
            st.query_params[state.ARITHMETIC_STRENGTH] = f"{told[1]:g}"

    if len({board.reading.texts[row] for row in dial.rows}) == 1:
        st.info("The sentence is the same at every strength.", icon=":material/info:")
    others = f"The same on {len(inputs)} sentences of the map, drawn at random" if inputs else ""
    dials(
        board,
        key=state.ARITHMETIC_BOARD,
        family=family,
        before=before,
        others=others,
        inputs=inputs,
        on_moved=follow,
    )
    if backend.has_codes(model):
        now = present(dial.values, dial.values[dial.own])
        place = min(range(len(dial.values)), key=lambda stop: abs(dial.values[stop] - now))
        with st.expander("Sentences next to this code", icon=":material/near_me:"):
            near = backend.neighbours(model, board.reading.codes[dial.rows[place]], COUNT)
            neighbours([(backend.codes(model).texts[row], far) for row, far in near])


def keep(name: str, board: backend.Board, python: str, command: str | None) -> None:
    """The sentences to take away: a table, and the words that make them again."""
    columns = {"strength": board.dials[0].values}
    for number, rows in enumerate([board.dials[0].rows, *board.followers]):
        columns[f"sentence {number}" if number else "sentence"] = [board.reading.texts[row] for row in rows]
    frame = pd.DataFrame(columns)
    with st.expander("Take it with you: table, Python, command", icon=":material/ios_share:"):
        st.dataframe(
            frame,
            hide_index=True,
            height=320,
            column_config={
                "strength": st.column_config.NumberColumn(format="%+.2f", width=80),
                "sentence": st.column_config.TextColumn(width="large"),
            },
            alt="The sentences at each strength",
        )
        csv = frame.to_csv(index=False)
        st.download_button("CSV", csv, f"{name}-arithmetic.csv", "text/csv", icon=":material/download:")
        st.markdown("**The same in Python**")
        st.code(python, language="python", wrap_lines=True)
        st.markdown("**The same from a terminal**")
        if command:
            st.code(command, language="bash", wrap_lines=True)
        else:
            st.caption(
                "These lists are too long for one line: save them as two files, a sentence a line, for "
                "`python -m vae arithmetic` with `--from`, `--to` and `--add-to`."
            )


def three_sentences(model: backend.Model) -> None:
    """A − B + C."""
    a_key, b_key, c_key = state.ARITHMETIC_ABC
    a, b = EXAMPLES["not"]
    with st.grid(3, min_column_width=300):
        plus = sentence("A", a, a_key, help="What has it.")
        minus = sentence("− B", b, b_key, help="The same without it.")
        text = sentence("+ C", SENTENCES[0], c_key, help="What is to get it.")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Try what A adds to B:", width="content")
        for example in EXAMPLES:
            st.button(example, key=f"arithmetic_try_{example}", type="tertiary", on_click=take, args=(example,))
    unread(model, plus, minus, text)
    along = backend.strengths(*WHOLE)
    board = backend.analogy(model, plus, minus, text, along, strength(along, 1.0))
    st.fragment(read)(model, board, "C, rebuilt:")
    st.caption(
        "C + strength × (A − B), of mean codes: at 1 it is A − B + C, at 0 it is C as the model rebuilds it. It comes "
        "off where the difference means the same elsewhere, and often it does not: other words may change along, or "
        "none."
    )
    again = (model, plus, minus, text, along)
    keep(model.name, board, backend.analogy_python(*again), backend.analogy_command(*again))


def usual_values(model: backend.Model) -> None:
    """Another label has other values."""
    values = list(backend.label_values(model, st.session_state[state.ARITHMETIC_LABEL]))
    usual = ("none", "rain") if {"none", "rain"} <= set(values) else values
    for key, value in zip(state.ARITHMETIC_VALUES, usual, strict=False):
        st.session_state[key] = value


def labelled_groups(model: backend.Model, labels: list[str]) -> tuple[backend.Group, backend.Group]:
    """Two groups of the map's sentences, by the value of a label."""
    keys = (state.ARITHMETIC_LABEL, *state.ARITHMETIC_VALUES)
    label, *present = [st.session_state.get(key, st.query_params.get(key)) for key in keys]
    known = label if label in labels else "weather" if "weather" in labels else labels[0]
    counts = backend.label_values(model, known)
    offered = {keys[0]: labels} | {key: list(counts) for key in keys[1:]}
    heed({key: values for key, values in offered.items() if key not in st.session_state})
    st.session_state[keys[0]] = known
    if not set(present) <= set(counts):
        usual_values(model)
    label = st.selectbox(
        "Label", labels, key=keys[0], bind="query-params", on_change=usual_values, args=(model,), width=180
    )
    many = ", ".join(f"{escape(value)} {count:,}" for value, count in counts.items())
    chosen = [
        st.selectbox(
            name,
            list(counts),
            key=key,
            bind="query-params",
            width=200,
            help=f"How many sentences have each value: {many}" if len(counts) <= 12 else None,
        )
        for name, key in zip(("From", "To"), keys[1:], strict=True)
    ]
    start, end = (backend.Group(label=label, value=value) for value in chosen)
    return start, end


def linked(key: str, usual: str) -> None:
    """Take over a list that a link brings; without one, what was typed stays, or the usual list comes."""
    known = st.session_state.setdefault(state.ARITHMETIC_LINKED, {})
    asked = st.query_params.get(key)
    if asked is not None and asked != known.get(key):
        st.session_state[key] = asked
    elif key not in st.session_state:
        st.session_state[key] = usual


def link(key: str, text: str, usual: str) -> bool:
    """Put a list into the URL, unless it is the usual one; whether it is short enough for that."""
    short = len(text) <= LONGEST
    if short and text != usual:
        st.query_params[key] = text
    else:
        st.query_params.pop(key, None)
    st.session_state[state.ARITHMETIC_LINKED][key] = st.query_params.get(key)
    return short


def typed_groups() -> tuple[backend.Group, backend.Group]:
    """Two lists of sentences."""
    typed, short = [], []
    with st.grid(2, min_column_width=300):
        for name, key, usual in zip(("From", "To"), state.ARITHMETIC_LISTS, LISTS, strict=True):
            linked(key, usual)
            label = f"{name}, one sentence a line"
            typed.append(st.text_area(label, key=key, persist_state="session", height=140) or "")
            short.append(link(key, typed[-1], usual))
    if not all(short):
        st.caption(f"A list of more than {LONGEST:,} characters is not in the address: a link does not bring it along.")
    start, end = (backend.Group(texts=backend.examples(text)) for text in typed)
    return start, end


def from_examples(model: backend.Model) -> None:
    """A direction from one group to another, added to a sentence, and to some of the map."""
    known = backend.codes(model) if backend.has_codes(model) else None
    labels = [str(label) for label in known.labels if known.labels[label].nunique() > 1] if known else []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        offered = GROUPS if labels else GROUPS[1:]
        kind = st.segmented_control(
            "The two groups",
            offered,
            default=None if state.ARITHMETIC_GROUPS in st.session_state else offered[0],
            required=True,
            key=state.ARITHMETIC_GROUPS,
            bind="query-params",
            width="content",
            help="By label: all sentences of the map whose label has a value. Typed: lists of your own.",
        )
        if kind == "By label":
            groups = labelled_groups(model, labels)
    if kind == "Typed":
        groups = typed_groups()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = sentence("To be changed", SENTENCES[1], state.ARITHMETIC_TEXT, width=560)
        seed = 0
        if known:
            seed = st.number_input(
                "Seed of the others", 0, SEEDS, key=state.ARITHMETIC_SEED, bind="query-params", width=160
            )
            st.button("Others", icon=":material/casino:", key="arithmetic_roll", on_click=roll)
    unread(model, text)
    along = backend.strengths(*BOTH_WAYS)
    rows = backend.witnesses(model, int(seed))
    board = backend.steered(model, *groups, text, rows, along, strength(along, 1.0))
    st.caption(facts(backend.direction(model, *groups)))
    st.fragment(read)(model, board, "Rebuilt:", [known.texts[row] for row in rows] if known else ())
    st.caption(
        "z + strength × (mean code of To − mean code of From). The difference of two means carries along whatever else "
        "differs between the groups, and the farther it is followed, the farther z is from any code the decoder knows."
    )
    again = (model, *groups, text, along)
    keep(model.name, board, backend.steered_python(*again), backend.steered_command(*again))


def facts(direction: backend.Direction) -> str:
    """How long a direction is, and what it was made of."""
    start, end = direction.sizes
    if direction.length == 0:
        return "Both groups have the same mean: this direction leads nowhere."
    return f"From the mean of {start:,} codes to that of {end:,}: {direction.length:.1f} apart at strength 1."


def roll() -> None:
    """Other sentences to try the direction on."""
    st.session_state[state.ARITHMETIC_SEED] = random.randrange(10_000)


st.title("Arithmetic", anchor=False)
names = [entry.name for entry in backend.entries() if entry.has_model] + list(state.opened())
if not names:
    train_first("There is no trained model yet.", "Train the first one, then calculate with its codes.")
    st.stop()

heed(
    {
        state.ARITHMETIC_MODE: MODES,
        state.ARITHMETIC_GROUPS: GROUPS,
        state.ARITHMETIC_SEED: Between(0, SEEDS),
    }
)
with st.container(horizontal=True, vertical_alignment="bottom"):
    name = run_picker(names, default=backend.showcase(names))
    mode = st.segmented_control(
        "Calculate with",
        MODES,
        default=MODES[0],
        required=True,
        key=state.ARITHMETIC_MODE,
        bind="query-params",
        width="content",
        help="A − B + C: three sentences. From examples: the difference of the means of two groups of sentences.",
    )
model = backend.model(name, state.opened().get(name))
hearing(name)
try:
    (three_sentences if mode == MODES[0] else from_examples)(model)
except ValueError as problem:
    st.error(escape(str(problem)), icon=":material/error:")
