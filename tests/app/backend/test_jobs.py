import pytest

from app import backend
from vae import recipes
from vae.runs import Run


def test_launching_makes_the_run_and_starts_it(root, monkeypatch):
    started = []
    monkeypatch.setattr("vae.jobs.start", lambda run: started.append(run) or run)
    assert backend.launch("mine", recipes.plain_vae()) == "mine"
    assert started == [Run(root / "mine")]
    assert backend.config("mine") == recipes.plain_vae()


def test_a_run_that_is_gone_is_said_to_be_gone(root):
    for ask in (backend.entry, backend.metrics, backend.samples, backend.verdict, backend.stop, backend.delete):
        with pytest.raises(ValueError, match="There is no run"):
            ask("gone")
