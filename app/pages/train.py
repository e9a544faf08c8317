"""Train: choose a recipe, a text and a T5, see what it will cost, and start a run in a process of its own."""

import streamlit as st

from app import backend, state
from app.components import config_form, sentences
from app.glossary import duration

TEXTS = {
    "captions": "Built-in captions",
    "upload": "Upload",
    "path": "File path",
    "hub": "Hub",
}
BASES = {"starter": "Starter", "fresh": "Fresh", "other": "Folder or Hub id"}
ABOUT_BASES = {
    "starter": "A small T5 that comes with Bottleneck and knows the captions. For other texts, take a fresh one.",
    "fresh": "A small T5 with a vocabulary of its own, pre-trained on your text first (phase 0). For any language.",
    "other": "Any model of the T5 family, for instance google-t5/t5-small. A Hub id is downloaded when the run starts.",
}


def choose_recipe() -> str:
    """The recipe; choosing another one fills the whole form anew."""
    chosen = st.selectbox(
        "Recipe",
        backend.recipe_names(),
        key=state.TRAIN_RECIPE,
        bind="query-params",
        help="A named whole configuration. Everything below can still be changed.",
    )
    if st.session_state.get(state.TRAIN_FILLED) != chosen:
        config_form.fill(backend.recipe(chosen), keep_text=state.TRAIN_FILLED in st.session_state)
    st.caption(backend.describe(chosen))
    return chosen


def choose_text() -> str | None:
    """The corpus spec, or none while a file or a name is still missing."""
    kind = st.segmented_control(
        "Text",
        list(TEXTS),
        format_func=TEXTS.__getitem__,
        key=state.TRAIN_TEXT,
        required=True,
        wrap=True,
        persist_state="session",
    )
    if kind == "captions":
        return "captions"
    if kind == "upload":
        file = st.file_uploader(
            "A .txt with one sentence a line, or a .csv, .tsv, .jsonl or .parquet with a column of sentences",
            type=["txt", "csv", "tsv", "jsonl", "parquet"],
            key=state.TRAIN_UPLOAD,
        )
        if file is not None:
            st.session_state[state.TRAIN_UPLOADED] = backend.save_upload(file.name, file.getvalue())
        return st.session_state.get(state.TRAIN_UPLOADED)
    if kind == "path":
        path = st.text_input(
            "Path of the file",
            key=state.TRAIN_PATH,
            persist_state="session",
            placeholder="/home/me/reviews.tsv",
            help=".txt with one sentence a line; .csv, .tsv, .jsonl or .parquet with a column of sentences.",
        )
        return f"file:{path.strip()}" if path and path.strip() else None
    name = st.text_input(
        "Name on the Hub",
        key=state.TRAIN_HUB,
        persist_state="session",
        placeholder="snli",
        help="The papers' corpora by name: ptb, snli, yahoo, yelp; or the id of any data set with a column of text.",
    )
    return f"hub:{name.strip()}" if name and name.strip() else None


def choose_base() -> str | None:
    """The T5 to start from, or none while its name is missing; of no account for an LSTM."""
    if config_form.is_lstm():
        st.caption("An LSTM starts from random weights, and knows the words of your text alone.")
        return "starter"
    kind = st.segmented_control(
        "Start from",
        list(BASES),
        format_func=BASES.__getitem__,
        key=state.TRAIN_BASE,
        required=True,
        persist_state="session",
    )
    st.caption(ABOUT_BASES[kind])
    if kind != "other":
        return kind
    source = st.text_input(
        "Folder or Hub id", key=state.TRAIN_BASE_ID, persist_state="session", placeholder="google-t5/t5-small"
    )
    return source.strip() or None if source else None


def choose_name(stem: str) -> str | None:
    """The name of the run: one is proposed, and follows the recipe until somebody types another.

    None, and a sentence at the field, where no run can be called what somebody has typed.
    """
    proposed = st.session_state.get(state.TRAIN_AUTO_NAME)
    if st.session_state.get(state.TRAIN_NAME) in (None, proposed):
        st.session_state[state.TRAIN_NAME] = st.session_state[state.TRAIN_AUTO_NAME] = backend.fresh_name(stem)
    name = st.text_input(
        "Name of the run",
        key=state.TRAIN_NAME,
        persist_state="session",
        help="Letters, digits, dots, dashes and underscores. It names the run's folder, and the run in every list.",
    )
    try:
        if not (name or "").strip():
            raise ValueError("The run needs a name.")
        return backend.check_name(name)
    except ValueError as problem:
        st.error(sentences.escape(str(problem)), icon=":material/error:")
        return None


def settings(recipe: str, corpus: str | None, base: str | None) -> backend.Config:
    """The configuration that the form describes; a `ValueError` says what is missing or does not fit."""
    values = config_form.values()
    if corpus is None:
        raise ValueError("The text is missing: choose a file or give its name.")
    if base is None:
        raise ValueError("The model to start from is missing: give a folder or a Hub id.")
    values["data"]["corpus"], values["model"]["base"] = corpus, base
    return backend.build(recipe, values)


def show_text(data: backend.Data) -> int | None:
    """A look at the text; the number of sentences to train on, where it is known."""
    hub = data.corpus.startswith("hub:")
    if hub and not st.button("Look at it", help="Downloads the data set, unless it is here already."):
        return data.train_sentences
    preview = backend.preview(data)
    words = f"{preview.sentences:,} sentences to train on."
    if preview.labels:
        words += f" Labels: {', '.join(map(sentences.escape, preview.labels))}."
    st.caption(f"{words} {sentences.escape(preview.note)}")
    sentences.listing(preview.examples)
    return preview.sentences


def before() -> int:
    """How many runs come before one that is launched now; none where it can train at once."""
    active, queue = [entry for entry in backend.entries() if entry.active], backend.queue()
    ahead = len(active)
    return ahead if queue.paused or queue.waiting or ahead >= queue.at_once else 0


def cost(estimate: backend.Estimate) -> str:
    """What a run will take, in words that say how sure they are."""
    if estimate.seconds is None:
        return "How long it takes cannot be said beforehand: no run like it has been trained here yet."
    if estimate.measured_on:
        return f"About {duration(estimate.seconds)}, going by the speed of {', '.join(estimate.measured_on)}."
    return (
        f"Roughly {duration(estimate.seconds)} on two cores without a GPU: no run like it has been trained here yet, "
        "so this is a guess."
    )


st.title("Train a text VAE", anchor=False)
st.markdown(
    "Phase 1 teaches the encoder to write into the code while the decoder stands still. "
    "Phase 2 trains everything and lets the KL term push the codes towards the prior.",
    width=820,
)

left, right = st.columns(2, gap="medium", border=True)
with left:
    recipe = choose_recipe()
    base = choose_base()
with right:
    corpus = choose_text()
    looked_at = st.container()

st.header("Settings", anchor=False)
name_column, size_column, seed_column = st.columns([2, 1, 1], gap="medium")
with name_column:
    name = choose_name(recipe)
with size_column:
    config_form.basics("model")
with seed_column:
    config_form.basics("train")
for column, section, heading in zip(
    st.columns(2, gap="medium", border=True),
    ("phase1", "phase2"),
    ("Phase 1 · encoder warm-up", "Phase 2 · finetuning"),
    strict=True,
):
    with column:
        st.markdown(f"**{heading}**")
        with st.grid(2, min_column_width=150):
            config_form.basics(section)
with st.expander("All other settings", icon=":material/tune:", key="train_others"):
    config_form.others(fresh=base == "fresh")

problem, config, amount = "", None, None
try:
    config = settings(recipe, corpus, base)
    with looked_at:
        amount = show_text(config.data)
except ValueError as error:
    problem = str(error)

st.header("Start", anchor=False)
if problem:
    st.error(sentences.escape(config_form.in_words(problem)), icon=":material/error:")
elif config:
    st.markdown(f":material/timer: {cost(backend.estimate(config, amount))}")
    for idle in config.idle_settings():
        st.warning(sentences.escape(idle), icon=":material/info:")
if not name:
    st.markdown(":material/edit: The name of the run has to be changed first, under *Settings*.")
ahead = before()
label = f"Add to the queue ({ahead} before it)" if ahead else "Launch"
ready = name is not None and not problem
wanted = st.button(label, key="train_launch", type="primary", icon=":material/rocket_launch:", disabled=not ready)
if wanted and config and name:
    launched = backend.launch(name, config)
    st.session_state[state.TRAIN_AUTO_NAME] = name  # taken now: a new one is proposed next time
    if place := backend.entry(launched).place:
        state.say(f"{launched} has place {place} in the queue. It starts by itself, also when you close this window.")
    else:
        state.say(f"{launched} is training. It goes on when you close this window.")
    st.switch_page("app/pages/runs.py", query_params={state.RUN: launched})
if config and not problem:
    with st.expander("The same from a terminal", icon=":material/terminal:"):
        st.code(backend.command(name or backend.fresh_name(recipe), config), language="bash", wrap_lines=True)
