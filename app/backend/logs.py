"""Log files, which may be long and in the middle of being written."""

from __future__ import annotations

from pathlib import Path


def last_lines(path: Path, lines: int) -> list[str]:
    """The last lines of a log, oldest first; none while there is no log."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 200 * lines))
        text = file.read().decode("utf-8", errors="replace")
    return text.splitlines()[-lines:]
