"""Which words of a typed sentence are said to be unknown."""

import pytest

from app import backend
from app.components.unread import _listed


@pytest.fixture
def model(explored):
    return backend.model("explored")


def test_words_that_no_sentence_of_the_map_has_are_unseen_once_each(model):
    assert backend.unseen_words(model, ["an old quark waits", "two gluons and a quark ."]) == ["quark", "gluons", "and"]
    assert backend.unseen_words(model, ["an old dog waits for it ."]) == []


def test_without_a_map_no_word_is_unseen(model):
    model.run.latents_path.unlink()
    assert backend.unseen_words(model, ["an old quark waits"]) == []


def test_a_tokenizer_of_bytes_knows_every_word_and_one_of_words_its_own(model, monkeypatch):
    from vae import base

    assert backend.unknown_words(model, ["quark é 漢字"]) == []
    space = backend.models.space(model)
    monkeypatch.setattr(space, "tokenizer", base.word_tokenizer(["an old dog ."], 10))
    assert backend.unknown_words(model, ["an old quark , <unk> quark ."]) == ["quark", ","]


def test_words_are_listed_with_their_verb():
    assert _listed(["a*b"]) == r"“a\*b” is"
    assert _listed(["x", "y"]) == "“x” and “y” are"
    assert _listed(list("abcdefghij")).endswith("“h” and 2 more are")
