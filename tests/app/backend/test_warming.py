import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from streamlit.runtime.runtime import RuntimeState

from app import backend
from app.backend import warming
from tests.app.frame import open_page

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def fetched(monkeypatch):
    """How often a server has been warmed; the wait before it is over at once."""
    monkeypatch.setattr(warming, "DELAY", 0.0)
    warming._begun.clear()
    calls, done = [], threading.Event()
    monkeypatch.setattr(warming, "fetch", lambda: (calls.append(threading.current_thread()), done.set()))
    yield types.SimpleNamespace(calls=calls, done=done)
    warming._begun.clear()


def server(monkeypatch, state):
    monkeypatch.setattr(warming.runtime, "exists", lambda: True)
    monkeypatch.setattr(warming.runtime, "get_instance", lambda: types.SimpleNamespace(state=state))


def test_a_server_is_warmed_once_and_not_in_the_thread_of_a_page(fetched, monkeypatch):
    server(monkeypatch, RuntimeState.ONE_OR_MORE_SESSIONS_CONNECTED)
    for _ in range(3):
        backend.warm()
    assert fetched.done.wait(20)
    assert len(fetched.calls) == 1
    assert fetched.calls[0] is not threading.current_thread()


def test_nothing_begins_without_a_browser(fetched, monkeypatch):
    backend.warm()
    server(monkeypatch, RuntimeState.NO_SESSIONS_CONNECTED)
    backend.warm()
    assert not fetched.done.wait(0.1)


def test_nothing_begins_where_pages_are_tested(fetched, make_run):
    make_run("one")
    open_page()
    assert not fetched.done.wait(0.1)


def test_what_a_page_with_a_model_needs_is_there_afterwards(explored, monkeypatch):
    opened, load = [], backend.models._space
    monkeypatch.setattr(backend.models, "_space", lambda of, weights: opened.append(of.name) or load(of, weights))
    warming.fetch.clear()
    warming.fetch()
    assert set(opened) == {"explored"}


def test_a_problem_is_left_to_the_page_that_meets_it(explored):
    (explored.model_path / "model.safetensors").write_bytes(b"damaged")
    warming.fetch.clear()
    warming.fetch()
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        backend.latent_size(backend.model("explored"))


def test_it_says_nothing(explored):
    """In a thread without a page, a spinner would be a warning on the terminal."""
    script = (
        "import sys, threading; from app.backend.warming import fetch; thread = threading.Thread(target=fetch);"
        "thread.start(); thread.join(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert "ScriptRunContext" not in done.stderr
