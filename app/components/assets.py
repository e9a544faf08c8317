"""The front ends of our components, in `assets/`: an HTML file each, and the style and script that go with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).resolve().parents[2] / "assets"


def component(name: str, *shared: str) -> Callable[..., Any]:
    """The component of `name.html`, `name.css` and `name.js`, the latter two after the files it shares with others."""

    def joined(kind: str) -> str:
        names = [*(file for file in shared if file.endswith(kind)), f"{name}{kind}"]
        return "\n".join((FOLDER / file).read_text("utf-8") for file in names)

    return st.components.v2.component(f"bottleneck_{name}", html=joined(".html"), css=joined(".css"), js=joined(".js"))
