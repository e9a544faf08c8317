"""Warm before the first gesture: what the first page with a model needs is fetched while the first page is read.

Home needs neither torch nor a model. A page that needs them fetches them at once, whether this has begun or not; who
comes while they are on their way waits for them, and nothing is fetched twice (`models`).
"""

from __future__ import annotations

import contextlib
import threading

import streamlit as st
from streamlit import runtime
from streamlit.runtime.runtime import RuntimeState

from app.backend import listing, models, walks
from app.backend.collector import pass_over_libraries
from app.backend.walks import End

DELAY = 1.0
"""Seconds after a page is drawn in which the browser has the server for itself: it paints, and asks for further files.
An import leaves other threads less than half of their time, and now and then none for some tenths of a second."""


def warm() -> None:
    """Begin to warm this server, once; the page that calls it has been drawn. Without a browser, do nothing."""
    if runtime.exists() and runtime.get_instance().state is RuntimeState.ONE_OR_MORE_SESSIONS_CONNECTED:
        _begun()


@st.cache_resource(show_spinner=False)
def _begun() -> threading.Timer:
    timer = threading.Timer(DELAY, fetch)
    timer.daemon = True  # it must not keep a server that is to end
    timer.start()
    return timer


@st.cache_resource(show_spinner=False, max_entries=1)
def fetch() -> None:
    """Torch, the model that pages show where nobody has chosen, its map, and a walk of two steps through it."""
    with contextlib.suppress(Exception):  # the page that needs it meets the same problem, and says it to its reader
        name = listing.showcase([entry.name for entry in listing.entries() if entry.has_model])
        if name is not None:
            walks.walk(models.model(name), End(), End(), steps=2)
            pass_over_libraries()
