"""The door itself."""

import re
import subprocess
import sys
from pathlib import Path

import app
from app import backend

INTERFACE = [path for folder in ("pages", "components") for path in (Path(app.__file__).parent / folder).glob("*.py")]


def test_the_door_opens_without_torch():
    script = "import sys, app.backend; assert not {'torch', 'transformers', 'sklearn', 'umap'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_the_interface_asks_for_is_at_the_door():
    asked = {name for path in INTERFACE for name in re.findall(r"\bbackend\.(\w+)", path.read_text(encoding="utf-8"))}
    assert {"entries", "paths"} < asked
    assert asked - {"Projection"} <= set(backend.__all__)  # which annotations alone name
    assert [name for name in backend.__all__ if not hasattr(backend, name)] == []


def test_no_room_behind_the_door_has_the_name_of_something_at_it():
    """Otherwise importing the room would put it in the place of the thing."""
    assert not {path.stem for path in Path(backend.__file__).parent.glob("*.py")} & set(backend.__all__)
