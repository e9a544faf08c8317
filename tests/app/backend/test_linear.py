"""A class that opens the warm-up at once has the linear VAEs trained once."""

import time
from concurrent.futures import ThreadPoolExecutor

from app.backend import linear


def test_readers_that_come_at_once_share_one_training(monkeypatch):
    trained, train = [], linear.linear.train

    def slowly(*arguments):
        trained.append(arguments)
        time.sleep(0.1)
        return train(*arguments)

    monkeypatch.setattr(linear.linear, "train", slowly)
    linear.linear_vae.clear()
    with ThreadPoolExecutor(8) as readers:
        found = [each.result() for each in [readers.submit(linear.linear_vae) for _ in range(8)]]
    assert len(trained) == 1
    assert all(each == found[0] for each in found)
