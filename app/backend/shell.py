"""Lines to be copied into a terminal."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
"""The top of the project, where its commands are typed."""


PLAIN = re.compile(r"[\w+=:./-]+", re.ASCII)
"""Words that no shell reads anything into."""

TAME = re.compile(r'[^"“”„$`\\!%\x00-\x1f]*')
"""Words that bash, PowerShell and cmd take as they are between double quotes."""


def line(words: Sequence[str]) -> str:
    """The words of a command in one line: for any shell where that can be, else quoted for that of this system."""
    return " ".join(_quoted(word) for word in words)


def value(text: str) -> str:
    """A sentence as the value of an option: a space, which commands take off, keeps it from looking like an option."""
    return f" {text.strip()}" if text.strip().startswith("-") else text.strip()


def source(text: str) -> str:
    """A path or a Hub id as it is typed at the top of the project."""
    path = Path(text)
    return str(shown(path)) if path.exists() else text


def shown(path: Path) -> Path:
    """A path as it is typed at the top of the project, where it lies inside."""
    path = path.resolve()
    return path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path


def _quoted(word: str) -> str:
    if PLAIN.fullmatch(word):
        return word
    if TAME.fullmatch(word):
        return f'"{word}"'
    return subprocess.list2cmdline([word]) if os.name == "nt" else shlex.quote(word)
