"""Streamlit's own program, which also notes what happens when: the server of `benchmarks.gesture`.

    python -m benchmarks.noted run SCRIPT ...

A line of JSON each, in the file that `BOTTLENECK_GESTURE_NOTES` names: `begun` TIME when a run of the script begins,
`asked` FROM TO when it has waited for the model, `sent` MADE LEFT KIND when a message goes to the page, and `seen WHO`
TIME every millisecond, for whose code the script is in. Times are seconds since 1970. What Streamlit does not import
itself is not imported here, because it has the garbage of the whole process collected after every run.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTES, PLAIN = "BOTTLENECK_GESTURE_NOTES", "BOTTLENECK_GESTURE_PLAIN"
"""The environment variables with the file, and, if set, the wish that nobody looks into the script."""
LOOK = 0.001
"""Seconds between two looks into the script."""


def wrap(owner: type, name: str, instead: Callable[..., Any]) -> None:
    """Have a method of a class called by another, which is given it and its arguments."""
    original = getattr(owner, name)
    setattr(owner, name, lambda self, *given, **named: instead(original, self, *given, **named))


def note(*lines: Sequence[Any]) -> None:
    """Write some lines."""
    with Path(os.environ[NOTES]).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def run(original: Callable[..., None], *given: Any) -> None:
    """A run of the script."""
    note(["begun", time.time()])
    ended = threading.Event()
    if PLAIN not in os.environ:
        threading.Thread(target=look, args=(threading.get_ident(), ended), daemon=True).start()
    try:
        original(*given)
    finally:
        ended.set()


def look(script: int, ended: threading.Event) -> None:
    """See whose code the thread of the script is in, until that has ended."""
    seen = []
    while not ended.wait(LOOK):
        frame = sys._current_frames().get(script)
        while frame and not whose(frame.f_code.co_filename):
            frame = frame.f_back
        seen.append([f"seen {whose(frame.f_code.co_filename) if frame else ''}", time.time()])
    note(*seen)


def whose(file: str) -> str:
    """Whose code a file holds, if it is the project's or Streamlit's."""
    if file.startswith((f"{ROOT / 'app'}{os.sep}", f"{ROOT / 'vae'}{os.sep}", str(ROOT / "streamlit_app.py"))):
        return "Python"
    return "Streamlit" if f"{os.sep}streamlit{os.sep}" in file else ""


def ask(original: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """The script waits for the model."""
    begun = time.time()
    try:
        return original(*given, **named)
    finally:
        note(["asked", begun, time.time()])


MADE: dict[int, float] = {}


def make(original: Callable[..., None], runner: Any, message: Any) -> None:
    """The script has made a message."""
    MADE[id(message)] = time.time()
    original(runner, message)


def send(original: Callable[..., None], client: Any, message: Any) -> None:
    """A message goes to the page."""
    original(client, message)
    note(["sent", MADE.pop(id(message), time.time()), time.time(), kind(message)])


def kind(message: Any) -> str:
    """What a message shows: the kind of element, and of a component of ours the name."""
    if message.WhichOneof("type") != "delta" or message.delta.WhichOneof("type") != "new_element":
        return ""
    element = message.delta.new_element
    shown = str(element.WhichOneof("type"))
    return element.bidi_component.component_name if shown == "bidi_component" else shown


def main() -> None:
    """Wrap what tells something, and start."""
    from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
    from streamlit.web import cli
    from streamlit.web.server.starlette.starlette_websocket import StarletteSessionClient

    wrap(ScriptRunner, "_run_script", run)
    wrap(ScriptRunner, "_enqueue_forward_msg", make)
    wrap(StarletteSessionClient, "write_forward_msg", send)
    if str(ROOT) in sys.argv[2]:
        from app.backend.microbatching import MicroBatcher

        wrap(MicroBatcher, "ask", ask)
    sys.setswitchinterval(LOOK / 2)
    cli.main()


if __name__ == "__main__":
    main()
