import threading
import time

import numpy as np
import pytest
from streamlit.runtime.scriptrunner import StopException

from app import backend
from app.backend import Decoding, End
from app.backend.models import Turns


def test_new_weights_are_read_anew(model, make_space):
    before = backend.walk(model, End(seed=5), End(seed=5), steps=3).codes, backend.decode(model, np.ones((1, 5)))
    make_space(seed=1).save_pretrained(model.run.model_path)
    after = backend.walk(model, End(seed=5), End(seed=5), steps=3).codes, backend.decode(model, np.ones((1, 5)))
    assert np.array_equal(before[0], after[0])
    assert before[1] != after[1]


@pytest.fixture
def batches(model, monkeypatch):
    """The rows of every batch that is decoded, as lists of first coordinates; the model is slow, and says these."""
    from vae.space import Space

    backend.latent_size(model)  # loaded before the race
    found, inside = [], []

    def slow(self, z, **how):
        inside.append(1)
        assert len(inside) == 1  # one at a time computes
        time.sleep(0.1)
        inside.pop()
        found.append(z[:, 0].tolist())
        return [f"{value:g}" for value in z[:, 0]]

    monkeypatch.setattr(Space, "decode", slow)
    return found


def decoded_at_once(of, how=None, **more):
    """Four requests that come while the first of them is decoded: what each reads."""
    said = {}

    def decode(number):
        said[number] = backend.decode(of, np.full((2, 5), number, np.float32), how, **more)

    threads = [threading.Thread(target=decode, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    for thread in threads:
        thread.join()
    return said


READ = {number: [f"{number}"] * 2 for number in range(4)}


@pytest.mark.parametrize("how", [Decoding(), Decoding(method="beam", beams=3)])
def test_what_is_asked_for_while_another_batch_runs_is_decoded_together(model, batches, how):
    assert decoded_at_once(model, how) == READ
    assert batches[0] == [0, 0]
    assert sorted(map(len, batches)) == [2, 6]


def test_nothing_is_decoded_with_what_is_sampled_or_to_be_exact(model, batches):
    assert decoded_at_once(model, Decoding(method="sample")) == READ
    assert decoded_at_once(model, alone=True) == READ
    assert list(map(len, batches)) == [2] * 8


def test_a_beam_takes_as_many_rows_as_it_has_hypotheses(model, batches):
    backend.decode(model, np.zeros((100, 5), np.float32), Decoding(method="beam", beams=4))
    assert list(map(len, batches)) == [32, 32, 32, 4]


def test_codes_that_mix_are_decoded_with_their_own(model, batches, monkeypatch):
    backbone = type(backend.models.space(model).model.backbone)
    monkeypatch.setattr(backbone, "kind", "t5-as-released")
    assert decoded_at_once(model) == READ
    backend.decode(model, np.zeros((300, 5), np.float32))
    assert list(map(len, batches)) == [2] * 4 + [300]


def test_a_pin_is_decoded_alone(model, batches):
    surface = backend.plane(model, backend.Cut())
    backend.plane_pins(model, surface, [(0.5, -1.0), (2.0, 0.25)])
    assert list(map(len, batches)) == [1, 1]


def test_many_sentences_are_encoded_piece_by_piece(model, sentences):
    texts = [f"{text} {number}" for text in sentences for number in range(3)]
    space = backend.models.space(model)
    found, whole = Turns(space).encode(texts), space.encode(texts)
    assert np.allclose(found.mean.numpy(), whole.mean.numpy(), atol=1e-5)
    assert np.allclose(found.logvar.numpy(), whole.logvar.numpy(), atol=1e-5)
    assert Turns(space).encode([]).mean.shape == (0, 5)


class Page:
    """A page that is drawn for a session, as far as `_ask` looks at it."""

    def __init__(self, session_id):
        self.session_id = session_id


def test_a_page_drawn_anew_ends_what_it_had_asked_for(model, batches, monkeypatch):
    ended = []
    monkeypatch.setattr(backend.models, "get_script_run_ctx", lambda **_: Page("a session"))
    monkeypatch.setattr(backend.models, "_still_drawn", lambda: None)

    def draw():
        try:
            backend.decode(model, np.full((300, 5), 1, np.float32))
        except StopException:
            ended.append(1)

    old = threading.Thread(target=draw)
    old.start()
    time.sleep(0.05)
    assert backend.decode(model, np.full((1, 5), 2, np.float32)) == ["2"]
    old.join()
    assert ended == [1]
    assert batches == [[1] * 128, [2]]


def test_damaged_weights_are_one_sentence(model):
    weights = model.run.model_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        backend.decode(model, np.zeros((1, 5)))
