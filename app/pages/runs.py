"""Runs: watch them train, compare them, and stop, resume, rename or delete them."""

import streamlit as st

from app import backend, state
from app.components import config_form
from app.components.attempt import attempt
from app.components.film import drawer
from app.components.job_queue import job_queue
from app.components.run_picker import run_picker
from app.components.sentences import escape
from app.components.train_first import train_link
from app.components.training_monitor import EVERY, monitor


def stop(name: str) -> str:
    """Ask a run to stop."""
    waited = backend.entry(name).place
    backend.stop(name)
    return f"{name} no longer waits." if waited else f"{name} saves what it has and stops."


def resume(name: str) -> str:
    """Go on with a run."""
    backend.resume(name)
    return f"{name} waits for its turn." if backend.entry(name).place else f"{name} goes on where it stopped."


def rename(name: str) -> str:
    """Give a run the name in the form."""
    new = backend.rename(name, st.session_state[state.RUNS_NAME])
    st.session_state[state.RUN] = new
    return f"{name} is now called {new}."


def delete(name: str) -> str:
    """Delete a run and show another one."""
    backend.delete(name)
    st.session_state[state.RUN] = None
    return f"{name} has been deleted."


def open_model() -> None:
    """Open the model folder or Hub id in the form."""
    source = backend.check_source(st.session_state[state.RUNS_SOURCE])
    state.say(f"{escape(state.open_model(source))} can now be chosen on the pages under Explore.")


def actions(entry: backend.Entry) -> None:
    """What can be done with a run in its state."""
    name, may = entry.name, not backend.read_only()
    with st.container(horizontal=True, vertical_alignment="center"):
        if may and entry.place:
            st.button("Take out of the queue", icon=":material/close:", on_click=attempt, args=(lambda: stop(name),))
        elif may and entry.state in ("queued", "running"):
            st.button("Stop", icon=":material/stop_circle:", on_click=attempt, args=(lambda: stop(name),))
        if may and entry.state in ("stopped", "failed"):
            st.button(
                "Resume", icon=":material/play_arrow:", type="primary", on_click=attempt, args=(lambda: resume(name),)
            )
        if entry.has_model:
            query = {state.RUN: name}
            st.page_link("app/pages/evaluate.py", label="Evaluate", icon=":material/straighten:", query_params=query)
            st.page_link("app/pages/map.py", label="Map", icon=":material/scatter_plot:", query_params=query)
            st.page_link(
                "app/pages/interpolate.py", label="Interpolate", icon=":material/linear_scale:", query_params=query
            )
        mine = not entry.bundled and (not entry.active or entry.place)
        if may and (mine or not entry.imported):
            with st.popover("More", icon=":material/more_horiz:"):
                more(entry, mine=bool(mine))


def more(entry: backend.Entry, *, mine: bool) -> None:
    """What is done to a run now and then: train another like it, and to one's own, rename and delete it."""
    name = entry.name
    if not entry.imported and st.button("Train again with these settings", icon=":material/content_copy:"):
        reuse(name)
    if mine:
        with st.form("runs_rename", border=False):
            st.text_input("New name", value=name, key=state.RUNS_NAME)
            st.form_submit_button("Rename", icon=":material/edit:", on_click=attempt, args=(lambda: rename(name),))
        with st.expander("Delete", icon=":material/delete:"):
            st.markdown(f"Delete **{escape(name)}** with its curves, weights and codes? Nothing brings them back.")
            st.button("Delete for good", type="primary", on_click=attempt, args=(lambda: delete(name),))


def reuse(name: str) -> None:
    """Take the settings of a run over into the form of the page Train."""
    settings = backend.config(name)
    config_form.fill(settings)
    st.switch_page("app/pages/train.py", query_params={state.TRAIN_RECIPE: settings.recipe})


def import_run() -> None:
    """Import what lies at the path in the form."""
    with st.spinner("Importing …"):
        name = backend.import_run(st.session_state[state.RUNS_FOREIGN], st.session_state[state.RUNS_FOREIGN_BASE])
    st.session_state[state.RUN] = name
    state.say(f"{escape(name)} is there, to be looked at.")


def opener() -> None:
    """The forms that bring in what comes from elsewhere: a model for this session, a run of another program."""
    with st.popover("From elsewhere", icon=":material/folder_open:"):
        model, run = st.container(), st.container()
    with model, st.form("runs_open", border=False):
        st.markdown("**Open a model** for this session")
        st.text_input("Model folder or Hub id", key=state.RUNS_SOURCE, placeholder="name/model or /folder/of/a/model")
        st.form_submit_button("Open", on_click=attempt, args=(open_model,))
        for handle, source in state.opened().items():
            st.caption(f"{escape(handle)}: {escape(source)}")
    with run, st.form("runs_import", border=False):
        st.markdown("**Import a run** of another program")
        st.text_input(
            "Checkpoint or log on this computer",
            key=state.RUNS_FOREIGN,
            placeholder="/folder/lightning_logs/name or /folder/log.txt",
            help="What the code released with Park & Lee 2021 or with Li et al. 2019 has left behind. It becomes a run "
            "to be looked at; where there are weights, to be explored, too.",
        )
        st.text_input(
            "For a checkpoint: the T5 it was trained from", key=state.RUNS_FOREIGN_BASE, placeholder="t5-small"
        )
        st.form_submit_button("Import", on_click=attempt, args=(import_run,))


st.title("Runs", anchor=False)
asked = [*st.query_params.get_all(state.RUN), *st.query_params.get_all(state.RUNS_COMPARE)]
entries = {entry.name: entry for entry in backend.entries(named=asked)}
if not entries:
    if backend.read_only():
        st.markdown("There are no runs yet.")
        st.stop()
    st.markdown("There are no runs yet. Train the first one, or open a model from elsewhere.")
    with st.container(horizontal=True):
        train_link("Train a model")
        opener()
    st.stop()

training = [name for name, entry in entries.items() if entry.active and not entry.place]
with st.container(horizontal=True, vertical_alignment="bottom"):
    name = run_picker(list(entries), default=training[0] if training else None)
    sound = [other for other, entry in entries.items() if not entry.problem and other != name]
    compared = st.multiselect(
        "Compare with",
        sound,
        key=state.RUNS_COMPARE,
        bind="query-params",
        max_selections=25,
        placeholder="other runs",
    )
    if not backend.read_only():
        opener()

if any(other.place for other in entries.values()):

    @st.fragment(run_every=3)
    def waiting() -> None:
        """The queue, as it is now."""
        job_queue(backend.entries(), backend.colours())

    waiting()

entry = entries[name]
if entry.problem:
    st.error(escape(entry.problem), icon=":material/error:")
    st.stop()
actions(entry)
st.fragment(monitor, run_every=EVERY if entry.active else None)(
    name, compared, entry.active, backend.colours([name, *compared])
)
st.fragment(drawer)([name, *compared], any(entries[one].active for one in [name, *compared]))
