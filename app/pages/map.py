"""Map: the codes of a run's sentences in the plane. Hover to read, choose two sentences to walk between them."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import pandas as pd
import streamlit as st

from app import backend, figures, state
from app.components import latent_map, selection, sentences
from app.components.address import Between, Rows, heed
from app.components.hearing import hearing
from app.components.latent_map import Mark, Scene
from app.components.part import part
from app.components.run_picker import run_picker
from app.components.sentences import escape
from app.components.train_first import train_first
from app.components.unread import unread

METHODS = ("UMAP", "PCA")
MOST_PRIOR = 50
SEEDS = 2**32 - 1
BLOB = "Its encoder gives every sentence nearly the same code, so the map is a blob in the middle of the prior."


def recall(name: str, codes: backend.Codes) -> None:
    """After another page or another run: what was chosen among these sentences is in the URL again."""
    before = st.session_state.get(state.MAP_OF_RUN)
    st.session_state[state.MAP_OF_RUN] = name
    back = state.MAP_PLANE not in st.session_state
    if back and before == name and not any(key in st.query_params for key in state.MAP_ENDS):
        state.restore(*state.MAP_ENDS)
    if back or before != name:
        selection.recall(codes.texts, moved=before not in (None, name))


def models() -> list[str]:
    """Names of everything that may have a map."""
    return [entry.name for entry in backend.entries() if entry.has_model] + list(state.opened())


def rows_asked(known: Collection[str]) -> list[int | None]:
    """The ends that the URL names, where there are such sentences."""
    asked = [st.query_params.get(key) for key in state.MAP_ENDS]
    return [int(text) if text in known else None for text in asked]


def set_ends(rows: list[int | None]) -> None:
    """Write the ends into the URL."""
    for key, row in zip(state.MAP_ENDS, rows, strict=True):
        if row is None:
            st.query_params.pop(key, None)
        else:
            st.query_params[key] = str(row)
    state.keep(*state.MAP_ENDS)


def pick(row: int, known: Collection[str]) -> None:
    """Make a sentence an end: A first, then B; with both there, B moves."""
    state.restore(*state.MAP_ENDS)
    rows = rows_asked(known)
    if row not in rows:
        set_ends([row, rows[1]] if rows[0] is None else [rows[0], row])


def picked(known: Collection[str]) -> None:
    """Sentences of the map were clicked."""
    for click in state.unheard(st.session_state[state.MAP_PLANE].picked):
        if str(click.get("row")) in known:
            pick(int(click["row"]), known)


def circled(name: str, known: Collection[str]) -> None:
    """Sentences were circled: the first of them fill the ends that are still empty."""
    state.restore(*state.MAP_ENDS)
    rows = rows_asked(known)
    new = (row for row in latent_map.selected_rows(state.MAP_PLANE, name, len(known)) if row not in rows)
    set_ends([next(new, None) if row is None else row for row in rows])


def listed(known: Collection[str], shown: list[int]) -> None:
    """Rows that were ticked in the table: the first two become the ends."""
    ticked = [shown[index] for index in st.session_state[state.MAP_TABLE].selection.rows][:2]
    if len(ticked) == 2:
        set_ends(list(ticked))
    elif ticked:
        pick(ticked[0], known)


def chosen_projection(of: backend.Model, method: str) -> backend.Projection:
    """The map that was asked for; while its UMAP is being fitted, the PCA."""
    known = backend.project(of, method)
    if known is not None:
        return known
    if backend.read_only():
        st.caption("No UMAP of this run has been kept, so this is the PCA.")
        return backend.project(of, "pca")
    progress = backend.fitting(of)
    if progress is None:
        backend.fit_umap(of)
    if progress is not None and progress.problem:
        st.warning(f"The UMAP could not be fitted, so this is the PCA. {escape(progress.problem)}")
        st.button("Try again", on_click=backend.fit_umap, args=(of,))
    else:
        st.fragment(waiting, run_every=1.5)(of)
    return backend.project(of, "pca")


def waiting(of: backend.Model) -> None:
    """How long the UMAP has been on its way; redraws the page when it is there."""
    progress = backend.fitting(of)
    if progress is None or progress.problem:
        st.rerun()
    st.info(
        f"The UMAP is being fitted in the background, {progress.seconds:.0f} s so far; it takes some ten seconds "
        "for 2,000 sentences, once. Until then this is the PCA.",
        icon=":material/hourglass_top:",
    )


def place(of: backend.Model, projection: backend.Projection) -> list[Mark]:
    """The form of what can be placed on the map, and its marks."""
    count = st.slider("Random codes from the prior", 0, MOST_PRIOR, 0, key=state.MAP_PRIOR, bind="query-params")
    seed = 0
    if count:
        seed = st.number_input("Seed", 0, SEEDS, 0, key=state.MAP_SEED, bind="query-params")
    text = st.text_input(
        "A sentence of your own", key=state.MAP_TEXT, bind="query-params", placeholder="a man is reading on a bench ."
    )
    marks: list[Mark] = []
    if count:
        codes = backend.prior(of, count, seed)
        said = backend.decode(of, codes)
        marks += [
            Mark(x=x, y=y, text=sentence, title=f"Prior sample {number} of seed {seed}, decoded", kind="prior")
            for number, ((x, y), sentence) in enumerate(zip(projection.place(codes).tolist(), said, strict=True), 1)
        ]
    if text.strip():
        mean = backend.encode(of, text)[0][None]
        x, y = projection.place(mean)[0].tolist()
        said = backend.decode(of, mean)[0]
        marks.append(Mark(x=x, y=y, text=said, title=f"Your sentence “{text.strip()}”, decoded from its code as"))
        st.caption("Your sentence, rebuilt from its code")
        sentences.rebuilt([{"text": text, "decoded": said}])
        ((row, far),) = backend.neighbours(of, mean[0], 1)
        nearest = escape(latent_map.shortened(backend.codes(of).texts[row]))
        st.caption(f"The nearest code of the map is {far:.1f} away: “{nearest}”")
        unread(of, text)
    return marks


def run_query(name: str) -> dict[str, str]:
    """What a link to another page says of the run; of one that was opened by hand, nothing."""
    return {} if name.startswith("~") else {state.RUN: name}


def about_end(model: backend.Model, codes: backend.Codes, side: str, row: int) -> None:
    """One sentence: its neighbours, and the pages that turn its dimensions or calculate with it."""
    text, query = codes.texts[row], run_query(model.name)
    st.caption(f"The sentences whose codes lie nearest to {side}")
    selection.near(model, codes, codes.means[row], row)
    with st.container(horizontal=True, gap="small"):
        st.page_link(
            "app/pages/dimensions.py",
            label="Dimensions",
            icon=":material/tune:",
            query_params=query | {state.DIMENSIONS_KIND: "Sentence", state.DIMENSIONS_TEXT: text},
            help=f"Turn the dimensions of {side}, each by a slider of its own.",
        )
        st.page_link(
            "app/pages/arithmetic.py",
            label="Arithmetic",
            icon=":material/calculate:",
            query_params=query | {state.ARITHMETIC_ABC[0]: text},
            help=f"Calculate A − B + C with {side} as its A.",
        )


def ends_card(model: backend.Model, codes: backend.Codes, rows: list[int | None]) -> None:
    """The two ends, and the way to the page that walks between them."""
    name = model.name
    st.markdown("**Walk between two sentences**")
    for side, row in zip("AB", rows, strict=True):
        words = (
            escape(latent_map.shortened(codes.texts[row]))
            if row is not None
            else f":gray[click a point to make it end {side}]"
        )
        st.markdown(f":gray-badge[{side}] {words}")
    if None not in rows:
        walk_link(name, rows)
    for side, row in zip("AB", rows, strict=True):
        if row is not None:
            with st.expander(f"More about {side}", icon=":material/near_me:"):
                about_end(model, codes, side, row)


def walk_link(name: str, rows: list[int | None]) -> None:
    """The way from A to B, and what can be done with both."""
    query = run_query(name)
    for side, row in enumerate(rows):
        query |= {state.end(side, "kind"): "Map", state.end(side, "row"): str(row)}
    st.page_link(
        "app/pages/interpolate.py",
        label=":primary[**Interpolate between them**]",
        icon=":material/linear_scale:",
        query_params=query,
    )
    with st.container(horizontal=True):
        st.button("Swap", icon=":material/swap_horiz:", key="map_swap", on_click=set_ends, args=(rows[::-1],))
        st.button("Clear", icon=":material/close:", key="map_clear", on_click=set_ends, args=([None, None],))


def table(name: str, codes: backend.Codes, shown: list[int], known: Collection[str], what: str) -> None:
    """The sentences that were circled or found."""
    st.header(f"{len(shown):,} {what}", anchor=False)
    if not shown:
        return
    frame = codes.labels.iloc[shown].copy()
    frame.insert(0, "sentence", [codes.texts[row] for row in shown])
    frame.insert(1, "words", codes.words[shown])
    frame.insert(2, "KL (nats)", codes.kl_nats[shown].round(2))
    frame.insert(0, "row", shown)
    st.dataframe(
        frame,
        hide_index=True,
        height="auto" if len(shown) < 10 else 400,
        key=state.MAP_TABLE,
        on_select=lambda: listed(known, shown),
        selection_mode="multi-row",
        column_config={"sentence": st.column_config.TextColumn(width="large"), "row": None},
        alt=f"{len(shown)} sentences with their labels",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download as CSV",
            frame.to_csv(index=False),
            f"{name}-sentences.csv",
            "text/csv",
            icon=":material/download:",
        )
        st.caption("Click a heading to sort. Tick two rows to make them the ends A and B.")


def notes(projection: backend.Projection, placed: bool, blob: bool) -> str:
    """What the map shows, and how far it can be trusted."""
    if projection.exact:
        share = 100 * sum(projection.details["explained"])
        return (
            f"PCA shows the codes as they lie in the two directions in which they differ most: {share:.0f} % of their "
            "variance. It is exact, also for what is placed on it, but the other directions are not seen. Inside the "
            "dashed circle fall 95 % of random codes."
        )
    estimate = " What you place on it is put among its nearest sentences, however far away they are." if placed else ""
    stretched = " It stretches a blob to fill the sheet: PCA shows its true size." if blob else ""
    return (
        "UMAP keeps neighbours together; distances and directions across the map mean little, and the map says "
        f"nothing about the prior.{estimate}{stretched}"
    )


def map_html(name: str, codes: backend.Codes, projection: backend.Projection, colour: str) -> str:
    """The map as a page of its own that needs no network: hover, zoom and switch groups wherever a browser is."""
    frame = pd.DataFrame(projection.coordinates, columns=["x", "y"]).assign(text=codes.texts)
    frame["group"] = codes.labels[colour].to_numpy() if colour in codes.labels else "sentences"
    title = f"{name}: {projection.method.upper()} of {len(frame):,} codes"
    return figures.map_to_keep(frame, title, projection.axes).to_html(include_plotlyjs=True)


def take_along(model: backend.Model, codes: backend.Codes, projection: backend.Projection, colour: str) -> None:
    """The map and its codes as files."""
    name = model.name
    with st.container(horizontal=True):
        st.download_button(
            "Take this map along",
            partial(map_html, name, codes, projection, colour),
            f"{name}-{projection.method}.html",
            "text/html",
            icon=":material/download:",
            help="One HTML file with every sentence on hover; it opens in any browser, without a network.",
        )
        st.download_button(
            "Codes",
            partial(backend.codes_file, model, "parquet"),
            f"{name}-codes.parquet",
            "application/vnd.apache.parquet",
            icon=":material/download:",
            help="Every sentence with its labels, mean (mu) and log variance of its code, as parquet.",
        )
        st.download_button(
            "For the Embedding Projector",
            partial(backend.codes_file, model, "projector"),
            f"{name}-projector.zip",
            "application/zip",
            icon=":material/download:",
            help="The codes and their labels as the two tables that the Embedding Projector loads, with its config.",
        )


def explore(
    model: backend.Model,
    codes: backend.Codes,
    projection: backend.Projection,
    colour: str,
    query: str,
    found: list[int] | None,
    blob: bool,
) -> None:
    """The map, its ends and what is said about a selection: what a click changes, and nothing else."""
    name, rows = model.name, [str(row) for row in range(len(codes.texts))]
    ends = rows_asked(rows)
    state.keep(*state.MAP_ENDS, *state.MAP_GROUPS)

    plane, side = st.columns([3, 1.15], gap="medium")
    with side:
        with st.container(border=True):
            ends_card(model, codes, ends)
        with st.container(border=True):
            st.markdown("**Place on the map**")
            placed = place(model, projection)
    with plane:
        selected = latent_map.selected_rows(state.MAP_PLANE, name, len(codes.texts))
        marks = [
            Mark(x=x, y=y, text=latent_map.shortened(codes.texts[row]), title=f"End {letter}", name=letter, row=row)
            for letter, row in zip("AB", ends, strict=True)
            if row is not None
            for x, y in [projection.coordinates[row].tolist()]
        ]
        latent_map.latent_map(
            codes,
            projection,
            colour,
            Scene(ends=marks, placed=placed, found=found, selected=selected),
            key=state.MAP_PLANE,
            name=name,
            on_picked=lambda: picked(rows),
            on_selected=lambda: circled(name, rows),
        )
        st.caption(notes(projection, bool(placed), blob=blob))
        take_along(model, codes, projection, colour)

    if selected:
        table(name, codes, selected, rows, "sentences circled")
        selection.about(model, codes, selected)
    elif found is not None:
        table(name, codes, found, rows, f"sentences with “{escape(query)}”")
    else:
        st.caption(
            "Click a point for end A and another for end B; each further click moves B. Box and Lasso, or dragging "
            "with Shift, list sentences below. Ctrl and the wheel, or + and −, zoom."
        )
    selection.groups(model, codes)


def page() -> None:
    """The run, how its codes are mapped, and the map, which a click redraws by itself."""
    names = models()
    if not names:
        train_first("There is no trained model yet.", "Train the first one: a map of its codes comes with it.")
        return

    controls = st.container(horizontal=True, vertical_alignment="bottom")
    with controls:
        name = run_picker(names, default=backend.showcase(names))

    model = backend.model(name, state.opened().get(name))
    if model.run is None:
        st.markdown("This model was opened without a run, so there are no sentences to make a map of.")
        st.page_link("app/pages/interpolate.py", label="Walk between two random codes", icon=":material/linear_scale:")
        return
    if not backend.has_codes(model):
        st.markdown("The sentences of this run have no codes yet: they are encoded when training ends.")
        if not name.startswith("~") and backend.entry(name).active:
            st.page_link("app/pages/runs.py", label="Watch it train", icon=":material/monitoring:")
        elif backend.read_only():
            return
        elif st.button("Encode them now", icon=":material/hub:", type="primary", key="map_encode"):
            with st.spinner("Encoding the test sentences …"):
                backend.encode_sentences(model)
            st.rerun()
        return

    codes = backend.codes(model)
    rows = [str(row) for row in range(len(codes.texts))]
    recall(name, codes)
    heed(
        {
            state.MAP_METHOD: METHODS,
            state.MAP_COLOUR: latent_map.colourings(codes),
            state.MAP_PRIOR: Between(0, MOST_PRIOR),
            state.MAP_SEED: Between(0, SEEDS),
            **dict.fromkeys(state.MAP_ENDS, rows),
            **dict.fromkeys(state.MAP_GROUPS, Rows(codes.texts)),
        }
    )
    with controls:
        method = st.segmented_control(
            "Map by",
            METHODS,
            default="UMAP",
            required=True,
            key=state.MAP_METHOD,
            bind="query-params",
            width="content",
        )
        colour = latent_map.choose_colouring(codes)
        query = st.text_input(
            "Find words",
            key=state.MAP_SEARCH,
            bind="query-params",
            type="search",
            live="300ms",
            placeholder="red jacket",
        )
        found = latent_map.matches(codes.texts, query) if query and query.strip() else None
        if found is not None:
            st.caption(f"{len(found):,} found", width="content")
    collapsed = hearing(name, collapsed=BLOB) == "collapsed"
    projection = chosen_projection(model, method.lower())
    part(explore)(model, codes, projection, colour, query or "", found, collapsed)


st.title("Map", anchor=False)
part(page)()
