"""Runs of other programs come in through the door of the backend; what cannot is said in a sentence."""

import pytest

from app import backend
from vae.exchange import lightning

LINE = "VAL --- avg_loss: 50.0, kl: 10.0, mi: 4.0, recon: 40.0, nll: 50.0, ppl: 90.0\n"


@pytest.fixture
def log(tmp_path):
    folder = tmp_path / "exp_yahoo"
    folder.mkdir()
    (folder / "log.txt").write_text(LINE, encoding="utf-8")
    return folder


def test_a_log_becomes_a_run_that_lists_and_says_where_it_is_from(root, log):
    name = backend.import_run(f" {log} ")
    entry = backend.entry(name)
    assert (name, entry.state, entry.imported, entry.has_model) == ("imported-exp_yahoo", "finished", True, False)
    assert backend.origin(name)["format"] == "log.txt"
    assert backend.course(name).valid["figures"]["mi_nats"]["last"] == [4.0]
    assert backend.verdict(name) is None  # nobody has asked that decoder


def test_a_checkpoint_is_opened_with_the_t5_that_is_named(root, tmp_path, monkeypatch):
    file = tmp_path / "epoch=1-step=9.ckpt"
    file.touch()
    with pytest.raises(ValueError, match="needs the T5"):
        backend.import_run(str(file))
    asked = []
    monkeypatch.setattr(lightning, "read", lambda *given: asked.append(given) or given[1])
    assert backend.import_run(str(file), " t5-small ").startswith("imported-epoch-1-step-9")
    assert asked[0][2] == "t5-small"


@pytest.mark.parametrize(("source", "words"), [(" ", "Give the path"), ("/no/such", "nothing at"), (".", "cannot be")])
def test_what_is_nothing_of_the_kind_is_refused(root, tmp_path, monkeypatch, source, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        backend.import_run(source)
