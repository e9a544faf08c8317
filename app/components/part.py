"""A part of a page that a gesture redraws by itself; a problem that has a name is said there in a sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from app.components.sentences import escape

Arguments = ParamSpec("Arguments")


def part(draw: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """The function as a fragment: a widget in it runs it anew, and nothing around it."""

    @functools.wraps(draw)
    def said(*arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        try:
            draw(*arguments, **named)
        except ValueError as problem:
            st.error(escape(str(problem)), icon=":material/error:")

    return st.fragment(said)
