"""Every key of session state and of the URL, in one place. Values are JSON: names, numbers and texts, never objects.

In the URL stand names of runs and choices of widgets, never paths: a folder or a Hub id that somebody opened by hand
lives in their session alone, under a handle that begins with `~`.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import streamlit as st

RUN = "run"
"""The run that the page is about: one key for all pages, so that a run stays chosen across them (?run=NAME)."""
RUN_KNOWN = "run_known"
"""The same, while no page shows it."""

HOME_SHOWN = "home_shown"
"""Home page: how many runs are shown as cards."""

QUEUE_AT_ONCE = "queue_at_once"
QUEUE_PAUSED = "queue_paused"
"""Home and Runs page: how many runs train at once, and whether those that wait stay waiting."""

RUNS_COMPARE = "runs_compare"
"""Runs page: further runs drawn into the same curves."""

RUNS_STEP = "runs_step"
"""Runs page: the step whose sentences are shown; none follows the newest."""

RUNS_NEWEST = "runs_newest"
"""Runs page: the newest step at the last redraw, to tell whether the reader follows it."""

RUNS_CURVES = "runs_curves"
RUNS_X = "runs_x"
"""Runs page, in the URL: what the curves are drawn over."""
RUNS_LOG = "runs_log"
"""Runs page, in the URL: the figures that are on a logarithmic axis, with dots between them."""
RUNS_SMOOTH = "runs_smooth"
"""Runs page, in the URL: over how many steps the curves are smoothed."""
RUNS_RANGE = "runs_range"
"""Runs page, in the URL: the part of the curves that is shown, as `120~900` on their axis; none for all."""

FILM_OPEN = "film"
"""Runs page: whether the film of the training is open."""
FILM_PLANE = "film_plane"
FILM_STILL = "film_still"
"""Runs page: of each run that trains, the step whose codes the plane of its film is laid through."""
FILM = "film_played"

RUNS_NAME = "runs_new_name"
"""Runs page: the new name in the rename form."""

RUNS_SOURCE = "runs_source"
"""Runs page: the model folder or Hub id in the form that opens one."""

RUNS_FOREIGN, RUNS_FOREIGN_BASE = "runs_foreign", "runs_foreign_base"
"""Runs page: the path of what another program trained, and the T5 that it started from, in the form that imports it."""

LEARN_CHAPTER = "chapter"
"""Learn page, in the URL: the chapter that is open."""
LEARN_PLACES = "learned"
"""Learn page, in the URL: how far the reader is in each chapter, a letter each (`lesson.chapter.Place`)."""
LEARN_PRESENT = "present"
"""Learn page, in the URL: whether it is shown to a class, with large type and turned with keys."""
LEARN_HIDE = "hide"
"""Learn page, in the URL: what a lesson link leaves out, of `app.pages.learn.HIDEABLE`."""
LEARN_GUESS = "learn_guess"
"""Learn page: what the reader predicts, with the chapter after it."""
LEARN_COME_TO = "learn_come_to"
"""Learn page: the part that a button or a key has just led to, to be brought into view once."""
LEARN_VOTER = "learn_voter"
"""Learn page: who this session is to the bars of the class; a random name that nobody sees."""
LEARN_KEYS = "learn_keys"
LEARN_STRIP, LEARN_STRIP_2 = "learn_strip", "learn_strip_2"
LEARN_LINEAR = "learn_linear"
LEARN_WEIGHT = "learn_weight"
LEARN_TEXT = "learn_text"
LEARN_SWITCHES = {"warmup": "learn_warmup", "free_bits": "learn_free_bits", "noise": "learn_noise"}
"""Learn page: the switches of `lesson.switches`."""
LEARN_ANSWERS = "learn_answers"
"""Learn page: whether the worksheet is the teacher's."""
LEARN_LINK_PRESENT, LEARN_LINK_HIDE = "learn_link_present", "learn_link_hide"
"""Learn page: what the link that is being made asks for."""

GLOSSARY_TERM = "term"
"""Glossary page, in the URL: the entry that it opens at (?term=NAME)."""
GLOSSARY_SEARCH = "glossary_search"
"""Glossary page: the words that an entry must have."""

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

MAP_METHOD = "map_method"
MAP_COLOUR = "map_colour"
MAP_SEARCH = "map_search"
MAP_PRIOR = "map_prior"
"""Map page: how many prior samples are placed on the map."""
MAP_SEED = "map_seed"
MAP_TEXT = "map_text"
"""Map page: the sentence of one's own that is placed on the map."""
MAP_ENDS = ("map_a", "map_b")
"""Map page, in the URL: the rows of the sentences chosen as ends of a path."""
MAP_PLANE = "map_plane"
"""Map page: the map itself; `picked` tells of rows that were clicked (`unheard`), `selected` of those circled."""
MAP_TABLE = "map_table"
MAP_GROUPS = ("map_1", "map_2")
"""Map page, in the URL: the two groups of sentences to be compared, as `address.write_rows` writes them."""
MAP_KEPT = "map_kept"
"""Map page: the groups that were kept in this session, by their keys, also where they are too long for the URL."""
MAP_OF_RUN = "map_of_run"
"""Map page: the run whose map was looked at last."""
MAP_ADDED_TO = "map_added_to"
"""Map page: the sentence that the difference of the two groups is added to."""

WALK_STEPS = "walk_steps"
WALK_EXTEND = "walk_extend"
WALK_METHOD = "walk_method"
WALK_DECODING = "walk_decoding"
WALK_TEMPERATURE = "walk_temperature"
WALK_TOP_P = "walk_top_p"
WALK_BEAMS = "walk_beams"
WALK_DRAW = "walk_draw"
"""Interpolate page: the seed of decoding by sampling."""
WALK_PLACE = "walk_t"
"""Interpolate page, in the URL: t of the step that was looked at last."""
WALK_DRAWS = "walk_draws"
"""Interpolate page: how often each code is read by sampling."""
WALK_WITH = "walk_with"
"""Interpolate page: the run beside the chosen one."""
WALK_SNAPSHOTS = ("walk_snapshot", "walk_with_snapshot")
"""Interpolate page: the step of the snapshot of either run; none is its last weights."""
WALK_VIEW = "walk_view"
WALK_PAIRS = "walk_pairs"
"""Interpolate page: what ten pairs are drawn from."""
WALK_PAIRS_SEED = "walk_pairs_seed"
WALK_PAIRS_STEPS = "walk_pairs_steps"
WALK_PAIRS_DRAWN = "walk_pairs_drawn"
WALK_STRIP = "walk_strip"
WALK_MAP = "walk_map"
WALK_PLANE = "walk_plane"

PLANE_KIND = "plane_kind"
PLANE_SNAPSHOT = "plane_snapshot"
PLANE_CELLS = "plane_cells"
"""Plane page: cells along a side."""
PLANE_PAIR = ("plane_i", "plane_j")
"""Plane page: the two dimensions."""
PLANE_THROUGH = "plane_through"
"""Plane page: the sentence through whose code the plane of two dimensions goes."""
PLANE_TEXTS = ("plane_1", "plane_2", "plane_3")
"""Plane page: the three sentences that the plane goes through."""
PLANE_SEED = "plane_seed"
"""Plane page: the seed of the three random codes that it goes through."""
PLANE_PINS = ("plane_a", "plane_b", "plane_c")
"""Plane page, in the URL: where the pins are, as coordinates of the plane."""
PLANE_WINDOW = "plane_window"
"""Plane page, in the URL: the part that is decoded, by its middle and its width; none for the whole."""
PLANE_SHOWN = "plane_shown"
"""Plane page, in the URL: the layers that are shown, where they are not the usual ones."""
PLANE_PLACE = "plane_t"
"""Plane page, in the URL: t of the step of the walk that was looked at last."""
PLANE_KNOWN = "plane_known"
"""The plane that the pins and the window in the URL were last seen with."""
PLANE_VIEW = "plane_view"
PLANE_HELD = "plane_held"
"""The window of a plane that the browser still has, as it has just said with a click."""
PLANE_STRIP = "plane_strip"

DIMENSIONS_KIND = "dims_from"
"""Dimensions page: what kind of code one starts from."""
DIMENSIONS_SEED = "dims_seed"
DIMENSIONS_TEXT = "dims_text"
DIMENSIONS_CHANGES = "dims"
"""Dimensions page, in the URL: the dimensions that were set to another value, as `3:1.25,7:-0.5`."""
DIMENSIONS_LOCKED = "dims_locked"
"""Dimensions page, in the URL: those that random values leave as they are, as `3,7`."""
DIMENSIONS_RUN = "dims_of_run"
"""Dimensions page: the run that the changes were made in."""
DIMENSIONS_ORDER = "dims_by"
"""Dimensions page: the figure that puts the dimensions in order."""
DIMENSIONS_ALL = "dims_all"
DIMENSIONS_BOARD = "dims_board"
DIMENSIONS_PASTED = "dims_pasted"
DIMENSIONS_PROBLEM = "dims_problem"
"""Dimensions page: why what was pasted is no code."""
DIMENSIONS_FIGURE = "dims_figure"

ARITHMETIC_MODE = "arithmetic"
"""Arithmetic page: three sentences, or the direction between two groups."""
ARITHMETIC_ABC = ("arithmetic_a", "arithmetic_b", "arithmetic_c")
ARITHMETIC_STRENGTH = "arithmetic_strength"
"""Arithmetic page, in the URL: the strength that was looked at last."""
ARITHMETIC_BOARD = "arithmetic_board"
ARITHMETIC_GROUPS = "arithmetic_groups"
"""Arithmetic page: whether the groups are those of a label or typed."""
ARITHMETIC_LABEL = "arithmetic_label"
ARITHMETIC_VALUES = ("arithmetic_from", "arithmetic_to")
ARITHMETIC_LISTS = ("arithmetic_from_list", "arithmetic_to_list")
"""Arithmetic page: the typed groups, a sentence a line; in the URL as well while they are short enough."""
ARITHMETIC_LINKED = "arithmetic_linked"
"""Arithmetic page: what the URL last said of the typed groups."""
ARITHMETIC_TEXT = "arithmetic_text"
ARITHMETIC_SEED = "arithmetic_seed"
"""Arithmetic page: the seed that draws the sentences a direction is tried on."""

EVALUATE_RUNS = "evaluate_runs"
"""Evaluate page: the runs side by side."""
EVALUATE_INTERVALS = "evaluate_intervals"
EVALUATE_CLOSELY = "evaluate_closely"
"""Evaluate page: the run whose dimensions and sentences are shown."""
EVALUATE_MISSED = "evaluate_missed"
"""Evaluate page: whether only the sentences are listed that were not rebuilt word for word."""

EVALUATE_PROBED = "evaluate_probed"
EVALUATE_LABEL = "evaluate_label"
"""Evaluate page: the run to be probed, and the label to be read."""

COMPARE_VIEW = "compare"
"""Compare page: all runs, or sweeps."""
COMPARE_TEXT = "compare_text"
"""Compare page: words that the name, the recipe or the note of a run has."""
COMPARE_FILTERS = {"state": "compare_state", "recipe": "compare_recipe", "verdict": "compare_verdict"}
COMPARE_TAGS = "compare_tags"
COMPARE_COLUMNS = "compare_columns"
COMPARE_RUNS = "compare_runs"
"""Compare page: the runs side by side."""
COMPARE_TICKED = "compare_ticked"
"""The runs side by side as they were when the table was last put up."""
COMPARE_ROUND = "compare_round"
"""How often the table has been put up, because runs were chosen elsewhere than in it."""
COMPARE_ADD = "compare_add_tags"
COMPARE_REMOVE = "compare_remove_tags"
COMPARE_NOTE = "compare_note"
COMPARE_FIGURES = ("compare_figure_1", "compare_figure_2")
"""Compare page: the two figures that are drawn."""
COMPARE_SWEEP = "compare_sweep"
"""Compare page: the sweep that is shown; none for a new one."""
COMPARE_ALONG = "compare_along"
"""Compare page: the axis of the figure of final values."""
COMPARE_START = "compare_start"
"""Compare page: what a new sweep starts from: a preset, a recipe or a run."""
COMPARE_STARTS = {"preset": "compare_preset", "recipe": "compare_base", "run": "compare_like"}
COMPARE_SETTINGS = ("compare_over_1", "compare_over_2", "compare_over_3", "compare_over_4")
COMPARE_VALUES = ("compare_values_1", "compare_values_2", "compare_values_3", "compare_values_4")
"""Compare page: what a new sweep varies, and through which values."""
COMPARE_SET = "compare_set"
COMPARE_NAME = "compare_name"
COMPARE_FILLED = "compare_filled"
"""What the axes of a new sweep were last filled in for."""

RACE_RUNS = "race"
"""Race page: the runs side by side."""
RACE_START = "race_at"
"""Race page, in the URL: the share of the race, percent, that it is first seen at; none for its end."""
RACE_NEW = "race_new"
"""Race page: whether the form of a new race is open."""
RACE_RECIPES = "race_recipes"
RACE_SIZE = "race_size"
RACE_SEED = "race_seed"
RACE_NAME = "race_name"
RACE_PROPOSED = "race_proposed"
"""Race page: the name that was proposed last; one that somebody typed is never replaced."""
RACE_TEXT = "race_text"
RACE_UPLOAD = "race_upload"
RACE_PATH = "race_path"
RACE_ASKED = "race_asked"
"""Race page: the step that was clicked on the curves last, and how many times one was."""
RACE = "race_played"
RACE_CURVES = "race_curves"

ERRATUM_DATA = "paper"
"""Evaluate page: the data set whose rows of Park & Lee 2021 are shown."""

OPENED = "opened_models"
"""Model folders and Hub ids opened by hand in this session: handle -> source."""

HEARD = "heard"
"""The number of the last click that was heard of each canvas."""

KEPT = "kept"
"""What the URL said under some keys when a page or a gesture was last done with them."""

MESSAGE = "message"
"""One sentence to be said once, after the next rerun: what an action on the page before has done."""


def knob(section: str, name: str) -> str:
    """The key of the widget of one field of the configuration."""
    return f"train_{section}_{name}"


def samples(run: str) -> str:
    """The key of the choice of K with which a run is to be measured."""
    return f"evaluate_samples_{run}"


def end(side: int, name: str) -> str:
    """The key of a choice about one end of a path, 0 for A and 1 for B, such as its kind, seed or text."""
    return f"walk_{'ab'[side]}_{name}"


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


def put(key: str, value: str | list[str] | None) -> None:
    """Give a bound widget a value that stands in the URL, whether it is on the page already or about to be."""
    if key not in st.session_state and value:
        st.query_params[key] = value
    st.session_state[key] = value


def usual(key: str, text: str) -> str:
    """The default of a text field. Once the field has a value, which a callback may just have written, it is none."""
    return "" if key in st.session_state else text


def keep(*keys: str) -> None:
    """Remember what the URL says under these keys, for `restore`."""
    st.session_state.setdefault(KEPT, {}).update({key: st.query_params.get(key) for key in keys})


def restore(*keys: str) -> None:
    """Let the URL say what was kept. For callbacks of gestures that may follow each other at once.

    A gesture brings along the URL that the browser had, and that lacks what the gesture before has just put into it.
    """
    for key in keys:
        value = st.session_state.get(KEPT, {}).get(key)
        if value is None:
            st.query_params.pop(key, None)
        else:
            st.query_params[key] = value


def repeat(*keys: str) -> None:
    """Tell the browser the whole address again, with what was kept under these keys; once after each `keep`.

    The answer to a gesture brings along the address as it was at that gesture. If it is late, it takes out of the
    browser's address what a later gesture has put there: so what the later one runs, says it again.
    """
    for key in keys:
        value = st.session_state.get(KEPT, {}).pop(key, None)
        if value is not None:
            st.query_params[key] = value


def unheard(said: Any) -> list[dict[str, Any]]:
    """The clicks that the trigger of a canvas tells of and that have not been heard; from now on they have.

    A trigger brings along the clicks just before its own: of several that come while the page is at work only the last
    arrives, and it may arrive twice. `said` is what came from the browser, so anything.
    """
    try:
        canvas, clicks = str(said["canvas"]), [dict(click) for click in said["clicks"]]
        last = max(int(click["number"]) for click in clicks)
    except (TypeError, KeyError, ValueError):
        return []
    heard = st.session_state.setdefault(HEARD, {})
    new = [click for click in clicks if int(click["number"]) > heard.get(canvas, 0)]
    heard[canvas] = max(last, heard.get(canvas, 0))
    return new


def say(message: str) -> None:
    """Leave a sentence for the next rerun."""
    st.session_state[MESSAGE] = message


def said() -> str | None:
    """The sentence that was left, once."""
    return st.session_state.pop(MESSAGE, None)
