"""The app through its frame, as a browser would have it: open a page, read what it says, press its buttons."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest

FRAME = Path(__file__).resolve().parents[2] / "streamlit_app.py"
ALERTS = ("error", "warning", "success", "info")
KINDS = ("title", "header", "markdown", "caption", "code", "html", *ALERTS)


def open_page(name: str = "home", **query: str | list[str]) -> AppTest:
    """A page as a link opens it, with what the link holds."""
    at = AppTest.from_file(str(FRAME), default_timeout=120)
    if name != "home":
        at.switch_page(f"app/pages/{name}.py")
    at.query_params.update(query)
    at.run()
    assert not at.exception
    return at


def said(at: AppTest) -> str:
    """Everything that is said on a page in text."""
    parts = [str(element.value) for kind in KINDS for element in at.get(kind)]
    parts += [str(element.proto.title) for kind in ALERTS for element in at.get(kind)]
    return "\n".join(parts).replace("\\", "")


def html(at: AppTest) -> str:
    """What is written in HTML."""
    return "\n".join(element.proto.body for element in at.get("html"))


def button(at: AppTest, name: str):
    """The button of this label or key."""
    return next(each for each in at.button if name in (each.label, each.key))


def press(at: AppTest, name: str) -> None:
    """Press the button of this label or key."""
    button(at, name).click()
    at.run()
    assert not at.exception


def assert_light(page: str, told: str) -> None:
    """In a process of its own, a page says what is `told`, a Python expression, without importing what is heavy."""
    script = (
        "import sys; from tests.app.frame import open_page\n"
        f"at = open_page({page!r})\n"
        f"assert {told}, at.main\n"
        "heavy = {'torch', 'transformers', 'umap', 'sklearn', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=FRAME.parent, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
