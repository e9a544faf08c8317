import threading
import time

import numpy as np
import pytest

from app import backend
from app.backend import End


def test_new_weights_are_read_anew(model, make_space):
    before = backend.walk(model, End(seed=5), End(seed=5), steps=3).codes, backend.decode(model, np.ones((1, 5)))
    make_space(seed=1).save_pretrained(model.run.model_path)
    after = backend.walk(model, End(seed=5), End(seed=5), steps=3).codes, backend.decode(model, np.ones((1, 5)))
    assert np.array_equal(before[0], after[0])
    assert before[1] != after[1]


def test_one_at_a_time_decodes(model, monkeypatch):
    from vae.space import Space

    inside, most = [], []

    def slow(self, z, **how):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        return ["said"] * len(z)

    monkeypatch.setattr(Space, "decode", slow)
    backend.latent_size(model)  # loaded before the race
    threads = [
        threading.Thread(target=backend.decode, args=(model, np.full((1, 5), number, np.float32)))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_damaged_weights_are_one_sentence(model):
    weights = model.run.model_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        backend.decode(model, np.zeros((1, 5)))
