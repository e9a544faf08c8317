"""Every key of session state and of the URL, in one place. Values are JSON: names, numbers and texts, never objects.

In the URL stand names of runs and choices of widgets, never paths: a folder or a Hub id that somebody opened by hand
lives in their session alone, under a handle that begins with `~`.
"""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

RUN = "run"
"""The run that the page is about: one key for all pages, so that a run stays chosen across them (?run=NAME)."""

RUNS_COMPARE = "runs_compare"
"""Runs page: further runs drawn into the same curves."""

RUNS_STEP = "runs_step"
"""Runs page: the step whose sentences are shown; none follows the newest."""

RUNS_NEWEST = "runs_newest"
"""Runs page: the newest step at the last redraw, to tell whether the reader follows it."""

RUNS_NAME = "runs_new_name"
"""Runs page: the new name in the rename form."""

RUNS_SOURCE = "runs_source"
"""Runs page: the model folder or Hub id in the form that opens one."""

LEARN_GUESS = "learn_guess"
"""Learn page: which of the two models the reader believes to be collapsed."""

TRAIN_RECIPE = "train_recipe"
TRAIN_NAME = "train_name"
TRAIN_TEXT = "train_text"
TRAIN_PATH = "train_path"
TRAIN_HUB = "train_hub"
TRAIN_UPLOAD = "train_upload"
TRAIN_UPLOADED = "train_uploaded"
"""Train page: the corpus spec of the file that was uploaded last."""
TRAIN_FILLED = "train_filled"
"""The recipe whose values the form was last filled with."""
TRAIN_AUTO_NAME = "train_auto_name"
"""The name that was proposed last; a name that somebody typed is never replaced."""
TRAIN_BASE = "train_base"
TRAIN_BASE_ID = "train_base_id"

OPENED = "opened_models"
"""Model folders and Hub ids opened by hand in this session: handle -> source."""

MESSAGE = "message"
"""One sentence to be said once, after the next rerun: what an action on the page before has done."""


def knob(section: str, name: str) -> str:
    """The key of the widget of one field of the configuration."""
    return f"train_{section}_{name}"


def opened() -> dict[str, str]:
    """The models opened by hand in this session, by handle."""
    return st.session_state.setdefault(OPENED, {})


def open_model(source: str) -> str:
    """Remember a model folder or Hub id for this session and return its handle, `~name`."""
    for handle, known in opened().items():
        if known == source:
            return handle
    stem = "~" + (PurePath(source.replace("\\", "/")).name or "model")
    handle, number = stem, 1
    while handle in opened():
        number += 1
        handle = f"{stem}-{number}"
    opened()[handle] = source
    return handle


def say(message: str) -> None:
    """Leave a sentence for the next rerun."""
    st.session_state[MESSAGE] = message


def said() -> str | None:
    """The sentence that was left, once."""
    return st.session_state.pop(MESSAGE, None)
