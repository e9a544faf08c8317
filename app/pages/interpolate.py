"""Interpolate: from one code to another, and the sentences on the way."""

from __future__ import annotations

import random

import pandas as pd
import streamlit as st

from app import backend, state
from app.components import latent_map
from app.components.address import SWITCH, Between, heed
from app.components.latent_map import Course, Mark, Scene
from app.components.path_strip import identity, path_strip, rested
from app.components.run_picker import run_picker
from app.components.sentences import escape

KINDS = ("Prior", "Sentence", "Map")
METHODS = ("Linear", "Slerp")
DECODINGS = ("Greedy", "Sample", "Beam")
EXAMPLES = ("a man is reading a book on a bench .", "two dogs are running on the beach in the rain .")
SEEDS = 2**32 - 1
LONGEST = 2000  # characters of a typed sentence
FOUND = 50  # most sentences that the search for an end offers
ALLOWED = {
    **{state.end(side, "seed"): Between(0, SEEDS) for side in (0, 1)},
    **{state.end(side, "drawn"): SWITCH for side in (0, 1)},
    state.WALK_STEPS: Between(3, 41),
    state.WALK_EXTEND: Between(0, 1),
    state.WALK_METHOD: METHODS,
    state.WALK_DECODING: DECODINGS,
    state.WALK_TEMPERATURE: Between(0.05, 5),
    state.WALK_TOP_P: Between(0.05, 1),
    state.WALK_BEAMS: Between(2, 16),
    state.WALK_DRAW: Between(0, SEEDS),
    state.WALK_PLACE: Between(-1, 2),
    state.WALK_MAP: ("PCA", "UMAP"),
}
DEAF = {
    "collapsed": "This run has collapsed: every z gives nearly the same sentence, because the decoder ignores z.",
    "disconnected": "This run's decoder does not read z: every z gives nearly the same sentence.",
}


def roll(*sides: int) -> None:
    """New random codes: for one end, or a new pair with one seed."""
    seed = random.randrange(10_000)
    for side in sides:
        st.session_state[state.end(side, "seed")] = seed
        if len(sides) == 2:
            st.session_state[state.end(side, "kind")] = "Prior"


def seed_of(side: int, label: str) -> int:
    """A seed, and the dice."""
    seed = st.number_input(label, 0, SEEDS, key=state.end(side, "seed"), bind="query-params", width=140)
    st.button("Roll", icon=":material/casino:", key=state.end(side, "dice"), on_click=roll, args=(side,))
    return int(seed)


def drawn(side: int) -> tuple[bool, int]:
    """Whether to take a sample of the posterior instead of its mean, and with which seed."""
    sampled = st.toggle(
        "Sample its posterior",
        key=state.end(side, "drawn"),
        bind="query-params",
        help="The encoder answers with a Gaussian, not a point. Off: its mean. On: a random draw from it.",
    )
    return sampled, seed_of(side, "Seed of the draw") if sampled else 0


def row_of(side: int, codes: backend.Codes) -> int:
    """A sentence of the map: the one that the URL or a click there brought, or one that is searched for."""
    key, known = state.end(side, "row"), state.end(side, "known_row")
    asked = st.query_params.get(key)
    if asked is not None and asked != st.session_state.get(known):
        heed({key: [str(row) for row in range(len(codes.texts))]})
        st.session_state[key] = int(asked) if asked.isdecimal() and len(asked) < 12 else 0
    current = st.session_state.get(key)
    current = current if isinstance(current, int) and 0 <= current < len(codes.texts) else 0
    words = st.text_input(
        "Find a sentence",
        key=state.end(side, "search"),
        type="search",
        live="300ms",
        placeholder="words in it",
        width=200,
    )
    matches = latent_map.matches(codes.texts, words or "")[:FOUND]
    options = [*([] if current in matches else [current]), *matches]
    st.session_state[key] = current
    row = st.selectbox(
        f"Sentence of the map, {len(matches)} found" if matches else "Sentence of the map",
        options,
        format_func=lambda row: latent_map.shortened(codes.texts[row]),
        key=key,
        persist_state="session",
        width=430,
    )
    st.query_params[key] = st.session_state[known] = str(row)
    return int(row)


def choose_end(side: int, model: backend.Model) -> backend.End:
    """The form of one end, in one row where there is room."""
    name, known = "AB"[side], backend.codes(model) if backend.has_codes(model) else None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.segmented_control(
            f"End {name}",
            KINDS if known else KINDS[:2],
            default=None if state.end(side, "kind") in st.session_state else KINDS[0],
            required=True,
            key=state.end(side, "kind"),
            bind="query-params",
            width="content",
            help="Prior: a random code, by its seed. Sentence: the code of what you type. Map: a sentence of the map.",
        )
        if kind == "Prior":
            return backend.End(kind="prior", seed=seed_of(side, "Seed"))
        if known and kind == "Map":
            row = row_of(side, known)
            sampled, seed = drawn(side)
            return backend.End(kind="map", row=row, drawn=sampled, seed=seed)
        example = known.texts[side % len(known.texts)] if known else EXAMPLES[side]
        text = st.text_input(
            "Sentence", example, key=state.end(side, "text"), bind="query-params", max_chars=LONGEST, width=560
        )
        sampled, seed = drawn(side)
        return backend.End(kind="sentence", text=text or "", drawn=sampled, seed=seed)


def choose_path() -> tuple[int, float, str, backend.Decoding]:
    """Steps, extrapolation, kind of path, and how its codes are read."""
    with st.grid(4, min_column_width=200):
        steps = st.slider("Steps", 3, 41, 11, key=state.WALK_STEPS, bind="query-params")
        extend = st.slider(
            "Beyond both ends",
            0.0,
            1.0,
            0.0,
            0.05,
            key=state.WALK_EXTEND,
            bind="query-params",
            help="How far the path goes on before A and after B, as a share of its length.",
        )
        method = st.segmented_control(
            "Path",
            METHODS,
            default="Linear",
            required=True,
            key=state.WALK_METHOD,
            bind="query-params",
            help="Linear: (1 − t) A + t B, which passes nearer to the origin than random codes lie. Slerp "
            "(spherical): a turn from A to B, which keeps their distance from it.",
        )
        reading = st.segmented_control(
            "Reading",
            DECODINGS,
            default="Greedy",
            required=True,
            key=state.WALK_DECODING,
            bind="query-params",
            help="Greedy takes the likeliest word each time. Sample draws words by their probability. Beam keeps "
            "several beginnings and takes the likeliest whole.",
        )
    return int(steps), float(extend), method.lower(), choose_decoding(reading)


def choose_decoding(method: str) -> backend.Decoding:
    """What there is to choose about a way of turning codes into words."""
    if method == "Sample":
        with st.container(horizontal=True):
            temperature = st.number_input(
                "Temperature", 0.05, 5.0, 1.0, 0.05, key=state.WALK_TEMPERATURE, bind="query-params", width=140
            )
            top_p = st.number_input("Top-p", 0.05, 1.0, 1.0, 0.05, key=state.WALK_TOP_P, bind="query-params", width=140)
            seed = st.number_input(
                "Seed of the words", 0, SEEDS, 0, key=state.WALK_DRAW, bind="query-params", width=160
            )
        return backend.Decoding(method="sample", temperature=temperature, top_p=top_p, seed=int(seed))
    if method == "Beam":
        beams = st.number_input("Beams", 2, 16, 4, key=state.WALK_BEAMS, bind="query-params", width=140)
        return backend.Decoding(method="beam", beams=int(beams))
    return backend.Decoding()


def position(walk: backend.Walk) -> int:
    """The step that is nearest to the t in the URL; the first where there is none."""
    try:
        place = float(st.query_params.get(state.WALK_PLACE, walk.places[0]))
    except ValueError:
        return 0
    return min(range(len(walk.places)), key=lambda step: abs(walk.places[step] - place))


def read(walk: backend.Walk) -> None:
    """The strip of sentences; the place where the reader rests goes into the URL."""

    def follow() -> None:
        place = rested(state.WALK_STRIP, walk)
        if place is not None:
            st.query_params[state.WALK_PLACE] = f"{place:g}"

    path_strip(walk, position=position(walk), key=state.WALK_STRIP, on_position=follow)


def draw(name: str, model: backend.Model, walk: backend.Walk) -> None:
    """The path on the map of the run."""
    codes = backend.codes(model)
    maps = {method: backend.project(model, method.lower()) for method in ("PCA", "UMAP")}
    offered = [method for method, projection in maps.items() if projection is not None]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.segmented_control(
            "On the map",
            offered,
            default="PCA",
            required=True,
            key=state.WALK_MAP,
            bind="query-params",
        )
        colour = latent_map.choose_colouring(codes)
    projection = maps[method]
    if projection is None:
        return
    course = projection.place(walk.codes)
    ends = [
        Mark(x=x, y=y, name=letter, text=walk.texts[step], title=f"End {letter}")
        for letter, t in (("A", 0.0), ("B", 1.0))
        for step in [min(range(len(walk.places)), key=lambda step: abs(walk.places[step] - t))]
        for x, y in [course[step].tolist()]
    ]
    path = Course(
        id=identity(walk),
        x=course[:, 0].tolist(),
        y=course[:, 1].tolist(),
        t=walk.places,
        texts=walk.texts,
        position=position(walk),
    )
    scene = Scene(ends=ends, path=path, height="26rem")
    latent_map.latent_map(codes, projection, colour, scene, key=state.WALK_PLANE, name=name)
    if projection.exact:
        st.caption("Exact: the path as it lies in this plane. Click a dot of it to go there.")
    else:
        st.caption("Approximate: each step is put among its nearest sentences. Click a dot of the path to go there.")


def keep(name: str, walk: backend.Walk, python: str, command: str | None) -> None:
    """The path to take away: a table, and the words that make it again."""
    frame = pd.DataFrame({"t": walk.places, "sentence": walk.texts})
    rows = "\n".join(
        f"| {t:.2f} | {text.replace('|', chr(92) + '|')} |" for t, text in zip(walk.places, walk.texts, strict=True)
    )
    markdown = f"| t | sentence |\n| ---: | --- |\n{rows}\n"
    with st.expander("Take it with you: table, Python, command", icon=":material/ios_share:"):
        st.dataframe(
            frame,
            hide_index=True,
            column_config={
                "t": st.column_config.NumberColumn(format="%.2f", width=80),
                "sentence": st.column_config.TextColumn(width="large"),
            },
            alt="The sentences of the path",
        )
        with st.container(horizontal=True):
            st.download_button(
                "CSV", frame.to_csv(index=False), f"{name}-path.csv", "text/csv", icon=":material/download:"
            )
            st.download_button("Markdown", markdown, f"{name}-path.md", "text/markdown", icon=":material/download:")
        st.markdown("**The same in Python**")
        st.code(python, language="python", wrap_lines=True)
        st.markdown("**The same from a terminal**")
        if command is None:
            st.caption(
                "The command line reads greedily, between two sentences or between two random codes of one seed. "
                "This path is something else: use the Python above."
            )
        else:
            st.code(command, language="bash", wrap_lines=True)


st.title("Interpolate", anchor=False)
names = [entry.name for entry in backend.entries() if entry.has_model] + list(state.opened())
if not names:
    st.markdown("There is no trained model yet. Train the first one, then walk through its codes.")
    st.page_link("app/pages/train.py", label="Train a model", icon=":material/model_training:")
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    name = run_picker(names, default=backend.showcase(names))
    st.button("Two random codes", icon=":material/casino:", key="walk_pair", on_click=roll, args=(0, 1))
model = backend.model(name, state.opened().get(name))
kinds = KINDS if backend.has_codes(model) else KINDS[:2]
heed(ALLOWED | {state.end(side, "kind"): kinds for side in (0, 1)})
with st.grid(2, min_column_width=420):
    with st.container():
        a = choose_end(0, model)
    with st.container():
        b = choose_end(1, model)
steps, extend, method, how = choose_path()

path = {"steps": steps, "method": method, "extend": extend, "how": how}
try:
    walk = backend.walk(model, a, b, **path)
except ValueError as error:
    st.error(escape(str(error)), icon=":material/error:")
    st.stop()

verdict = None if name.startswith("~") else backend.verdict(name)
if verdict and verdict.name in DEAF:
    st.warning(DEAF[verdict.name], icon=":material/compress:")
elif len(set(walk.texts)) == 1:
    st.info("Every step of this path reads the same. Try ends that lie farther apart.", icon=":material/info:")
if backend.has_codes(model):
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        st.fragment(read)(walk)
    with right:
        draw(name, model, walk)
else:
    st.fragment(read)(walk)
keep(name, walk, backend.walk_python(model, a, b, **path), backend.walk_command(model, a, b, **path))
