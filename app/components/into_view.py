"""A page that opens at a place of its own, and not at its top (assets/into_view.js)."""

from __future__ import annotations

from app.components.assets import component

_INTO_VIEW = component("into_view")


def into_view(key: str) -> None:
    """Scroll to the container of a key and give it the keyboard, once. To be called after all else is drawn."""
    _INTO_VIEW(key=f"into_view_{key}", data={"key": key}, height=1)
