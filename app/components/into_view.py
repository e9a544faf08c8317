"""A page that opens at a place of its own, and not at its top (assets/into_view.js)."""

from __future__ import annotations

from typing import Literal

from app.components.assets import component

_INTO_VIEW = component("into_view")


def into_view(key: str, label: str = "", *, block: Literal["center", "start"] = "center") -> None:
    """Scroll to the container of a key and give it the keyboard, once. To be called after all else is drawn.

    `label` is what a screen reader says then, where the container has no words of its own to begin with.
    """
    _INTO_VIEW(key=f"into_view_{key}", data={"key": key, "label": label, "block": block}, height=1)
