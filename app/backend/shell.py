"""Lines to be copied into a terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
"""The top of the project, where its commands are typed."""


def line(words: Sequence[str]) -> str:
    """The words of a command in one line, quoted as the shell of this system wants it."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def source(text: str) -> str:
    """A path or a Hub id as it is typed at the top of the project."""
    path = Path(text)
    return str(shown(path)) if path.exists() else text


def shown(path: Path) -> Path:
    """A path as it is typed at the top of the project, where it lies inside."""
    path = path.resolve()
    return path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
