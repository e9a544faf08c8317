"""A session on a served Streamlit app without a browser: it sends what a page sends, and knows what the page shows.

Follows the protocol between Streamlit's page and its server (`streamlit.proto`): a `BackMsg` says what was done, and
the server answers with `ForwardMsg`s, of which the last says that the script has run. One gesture at a time: the next
is not sent before the last is answered. Nothing is drawn, so what a browser needs for that is not in the seconds.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

PATIENCE = 30.0
"""Seconds that a visitor waits for an answer."""

LARGEST = 1 << 26
"""Bytes of the largest message that is taken."""


PROBLEM = ":material/error:"
"""The icon of every sentence with which the app says that something failed; a bad verdict on a run has another."""

WIDGETS = ("radio", "slider", "checkbox", "text_input", "bidi_component")
"""Kinds of elements that keep what they were told."""


@dataclass(frozen=True)
class Shown:
    """An element of the page: by which run of the script it was put there, and in which fragment."""

    run: str
    fragment: str
    element: Element


@dataclass
class Visitor:
    """One session. Every gesture returns the seconds until its script had run; `TimeoutError` after `PATIENCE`."""

    socket: ClientConnection
    page: str
    query: str = ""
    problems: list[str] = field(default_factory=list)
    """Exceptions and errors that were shown, in the order in which they came."""
    sent: int = 0
    answered: int = 0
    intervals: dict[str, float] = field(default_factory=dict)
    """Seconds between two redraws of each fragment that repeats, by its id."""

    _hash: str = ""
    _run: str = ""
    _fragments: frozenset[str] = frozenset()
    _page: dict[tuple[int, ...], Shown] = field(default_factory=dict)
    _values: dict[str, WidgetState] = field(default_factory=dict)
    _large: dict[str, Delta] = field(default_factory=dict)
    """What the server need not send again, by the hash that it is referred to."""

    async def look(self) -> float:
        """Have the whole page drawn, as when it is opened."""
        return await self._ask()

    async def press(self, label: str) -> float:
        """Press the button of a label."""
        shown = self._one("button", label)
        return await self._ask(WidgetState(id=shown.element.button.id, trigger_value=True), shown.fragment)

    async def choose(self, option: str) -> float:
        """Choose an option of the radio buttons."""
        shown = self._one("radio", option, lambda radio: [str(each) for each in radio.options])
        return await self._set(WidgetState(id=shown.element.radio.id, string_value=option), shown.fragment)

    async def slide(self, label: str, option: str) -> float:
        """Move a slider of options to one of them."""
        shown = self._one("slider", label)
        value = WidgetState(id=shown.element.slider.id)
        value.string_array_value.data.append(option)
        return await self._set(value, shown.fragment)

    async def switch(self, label: str, on: bool) -> float:
        """Turn a switch on or off."""
        shown = self._one("checkbox", label)
        return await self._set(WidgetState(id=shown.element.checkbox.id, bool_value=on), shown.fragment)

    async def write(self, label: str, text: str) -> float:
        """Write a line of text and press Enter."""
        shown = self._one("text_input", label)
        return await self._set(WidgetState(id=shown.element.text_input.id, string_value=text), shown.fragment)

    async def report(self, component: str, state: dict[str, Any]) -> float:
        """Have the front end of a component of ours tell its state."""
        shown = self._one("bidi_component", component, lambda each: [each.component_name])
        identity = shown.element.bidi_component.id
        return await self._set(WidgetState(id=identity, json_value=json.dumps(state)), shown.fragment)

    async def refresh(self) -> float:
        """The redraw of the one fragment that repeats."""
        (fragment,) = self.intervals
        return await self._ask(fragment=fragment, timer=True)

    def data(self, component: str) -> dict[str, Any]:
        """What a component of ours was last given to draw."""
        shown = self._one("bidi_component", component, lambda each: [each.component_name])
        return json.loads(shown.element.bidi_component.json)

    def of_kind(self, kind: str) -> Iterator[Any]:
        """The elements of a kind that are on the page, as their protobuf messages, from the top."""
        for _, shown in sorted(self._page.items()):
            if shown.element.WhichOneof("type") == kind:
                yield getattr(shown.element, kind)

    def asked(self, key: str) -> str | None:
        """What the page's address has under a key."""
        return parse_qs(self.query).get(key, [None])[0]

    async def _set(self, value: WidgetState, fragment: str) -> float:
        self._values[value.id] = value
        return await self._ask(None, fragment)

    async def _ask(self, trigger: WidgetState | None = None, fragment: str = "", *, timer: bool = False) -> float:
        """Send what the page's widgets say, and take in what comes until the script has run."""
        asked = ClientState(query_string=self.query, fragment_id=fragment, is_auto_rerun=timer)
        asked.page_script_hash, asked.page_name = self._hash, "" if self._hash else self.page
        asked.widget_states.widgets.extend([*self._values.values(), *([trigger] if trigger else [])])
        asked.cached_message_hashes.extend(self._large)
        begun, self._run, self.sent = time.perf_counter(), "", self.sent + 1
        await self.socket.send(BackMsg(rerun_script=asked).SerializeToString())
        async with asyncio.timeout(PATIENCE):
            while not self._take(ForwardMsg.FromString(await self.socket.recv(decode=False))):
                pass
        self.answered += 1
        return time.perf_counter() - begun

    def _take(self, message: ForwardMsg) -> bool:
        """Take in one message; whether it says that the script has run for what was asked last."""
        kind = message.WhichOneof("type")
        if kind == "new_session":
            run = message.metadata.run
            self._run, self._fragments = run.script_run_id, frozenset(run.fragment_ids)
            if not self._fragments:
                self.intervals.clear()
        elif kind == "navigation":
            self._hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self.intervals[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "ref_hash":
            self._put(message, self._large[message.ref_hash])
        elif kind == "delta":
            if message.metadata.cacheable:
                self._large[message.hash] = message.delta
            self._put(message, message.delta)
        elif kind == "session_event" and message.session_event.HasField("script_compilation_exception"):
            self.problems.append(message.session_event.script_compilation_exception.message)
        elif kind == "script_finished" and self._run == message.metadata.run.script_run_id:
            ended = message.script_finished
            if ended == ForwardMsg.FINISHED_EARLY_FOR_RERUN:  # it runs again at its own wish
                return False
            self._clear()
            return True
        return False

    def _put(self, message: ForwardMsg, delta: Delta) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        element = delta.new_element
        self._page[tuple(message.metadata.delta_path)] = Shown(self._run, delta.fragment_id, element)
        if element.WhichOneof("type") == "exception":
            self.problems.append(f"{element.exception.type}: {element.exception.message}")
        if element.WhichOneof("type") == "alert" and element.alert.icon == PROBLEM:
            self.problems.append(element.alert.body)

    def _clear(self) -> None:
        """What the script has not put there again is gone, and what its widgets said is forgotten."""
        self._page = {
            path: shown
            for path, shown in self._page.items()
            if shown.run == self._run or (self._fragments and shown.fragment not in self._fragments)
        }
        widgets = {found.id for kind in WIDGETS for found in self.of_kind(kind)}
        self._values = {identity: value for identity, value in self._values.items() if identity in widgets}

    def _one(self, kind: str, wanted: str, names: Any = None) -> Shown:
        """The element of a kind with a name."""
        for shown in self._page.values():
            if shown.element.WhichOneof("type") == kind:
                found = getattr(shown.element, kind)
                if wanted in (names(found) if names else [found.label]):
                    return shown
        raise LookupError(f"There is no {kind} {wanted!r} on {self.page}?{self.query}.")


@asynccontextmanager
async def visit(address: str, page: str, query: str = "") -> AsyncIterator[Visitor]:
    """A session on a page of the app at `http://...`; nothing has been asked yet."""
    stream = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    async with connect(stream, subprotocols=["streamlit"], max_size=LARGEST, proxy=None) as socket:
        yield Visitor(socket, page, query)
