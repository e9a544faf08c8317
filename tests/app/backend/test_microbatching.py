import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.microbatching import MOST, MicroBatcher, SupersededError, shares

PATIENCE = 20
"""Seconds for what should happen at once."""


class Model:
    """Something that answers rows with their doubles, a batch at a time, when it is let; it remembers its batches."""

    def __init__(self):
        self.batches, self.inside, self.at_work, self.most_inside = [], threading.Semaphore(0), threading.Event(), 0
        self._now = 0

    def __call__(self, rows):
        self._now += 1
        self.most_inside = max(self.most_inside, self._now)
        self.batches.append(list(rows))
        self.at_work.set()
        assert self.inside.acquire(timeout=PATIENCE)
        self._now -= 1
        if "bad" in rows:
            raise ValueError("a bad row")
        return [2 * row for row in rows]

    def let(self, batches=1000):
        self.inside.release(batches)


class Asked(threading.Thread):
    """A request in a thread of its own; `answers`, or the `problem` that came instead."""

    def __init__(self, batcher, rows, model, **how):
        super().__init__(daemon=True)
        self.arguments, self.how, self.batcher = (rows, model), {"kind": "greedy", "most": MOST} | how, batcher
        self.answers = self.problem = None
        at_once = not model.at_work.is_set()
        self.start()  # and see it in its place, so that the next one comes after it
        until(lambda: any(one.rows is rows for one in batcher._queue) or (at_once and model.at_work.is_set()))

    def run(self):
        try:
            self.answers = self.batcher.ask(*self.arguments, **self.how)
        except BaseException as problem:
            self.problem = problem

    def end(self):
        self.join(PATIENCE)
        assert not self.is_alive()
        return self


def waiting(batcher):
    return len(batcher._queue)


def until(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.fixture
def batcher():
    return MicroBatcher()


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def busy(batcher, model):
    """Somebody whose batch is at work, until the model is let."""
    first = Asked(batcher, ["first"], model, kind="first")
    assert model.at_work.wait(PATIENCE)
    until(lambda: waiting(batcher) == 0)
    return first


def test_what_comes_together_is_one_batch_and_each_gets_its_own(batcher, model, busy):
    asked = [Asked(batcher, list(range(10 * n, 10 * n + 3)), model) for n in range(5)]
    assert waiting(batcher) == 5
    model.let()
    assert [one.end().answers for one in asked] == [[2 * row for row in one.arguments[0]] for one in asked]
    assert busy.end().answers == ["firstfirst"]
    assert len(model.batches) == 2
    assert model.batches[1] == [row for one in asked for row in one.arguments[0]]
    assert model.most_inside == 1


def test_kinds_are_not_mixed_and_the_oldest_is_next(batcher, model, busy):
    asked = [Asked(batcher, [n], model, kind=kind) for n, kind in enumerate(["greedy", "beam", "greedy", None, None])]
    model.let()
    assert [one.end().answers for one in asked] == [[2 * n] for n in range(5)]
    assert model.batches[1:] == [[0, 2], [1], [3], [4]]


def test_a_gesture_beside_a_plane_is_in_the_next_batch(batcher, model):
    plane = Asked(batcher, list(range(1600)), model)
    assert model.at_work.wait(PATIENCE)
    until(lambda: waiting(batcher) == 0)
    gesture = Asked(batcher, [-1] * 21, model)
    model.let(2)
    assert gesture.end().answers == [-2] * 21
    assert plane.answers is None
    assert model.batches[1] == [-1] * 21 + list(range(128, 235))  # the rest of the batch is the plane's
    model.let()
    assert plane.end().answers == [2 * row for row in range(1600)]
    assert max(map(len, model.batches)) == MOST
    assert sum(map(len, model.batches)) == 1621
    assert len(model.batches) == 13


def test_a_gesture_of_another_kind_waits_for_the_running_batch_alone(batcher, model):
    plane = Asked(batcher, list(range(1600)), model)
    assert model.at_work.wait(PATIENCE)
    until(lambda: waiting(batcher) == 0)
    gesture = Asked(batcher, [-1], model, kind="another model")
    model.let(2)
    assert gesture.end().answers == [-2]
    assert plane.answers is None
    assert [len(batch) for batch in model.batches[:2]] == [MOST, 1]
    model.let()
    assert len(plane.end().answers) == 1600


def test_two_planes_take_turns(batcher, model, busy):
    planes = [Asked(batcher, [n] * 300, model, kind=f"model {n}") for n in (1, 2)]
    model.let()
    assert [set(one.end().answers) for one in planes] == [{2}, {4}]
    assert [batch[0] for batch in model.batches[1:]] == [1, 2, 1, 2, 1, 2]


def test_what_cannot_be_cut_is_one_batch(batcher, model, busy):
    sampled = Asked(batcher, list(range(1000)), model, kind=None, most=None)
    model.let()
    assert sampled.end().answers == [2 * row for row in range(1000)]
    assert [len(batch) for batch in model.batches] == [1, 1000]


def test_a_problem_reaches_who_caused_it_and_nobody_else(batcher, model, busy):
    asked = [Asked(batcher, rows, model) for rows in ([1], ["bad"], [2, 3])]
    model.let()
    assert [one.end().answers for one in asked] == [[2], None, [4, 6]]
    assert isinstance(asked[1].problem, ValueError)
    assert asked[0].problem is asked[2].problem is None
    assert batcher.ask([4], model) == [8]  # and the next one finds it at work


def test_a_model_that_forgets_an_answer_is_found_out(batcher):
    with pytest.raises(RuntimeError, match="2 rows were computed, and 1 answers came"):
        batcher.ask([1, 2], lambda rows: rows[:1])


def test_a_newer_request_ends_the_older_one(batcher, model):
    old = Asked(batcher, list(range(1600)), model, token="session 1")
    assert model.at_work.wait(PATIENCE)
    until(lambda: waiting(batcher) == 0)
    other = Asked(batcher, [5], model, token="session 2")
    new = Asked(batcher, [-1], model, token="session 1")
    assert isinstance(old.end().problem, SupersededError)  # at once: its first batch is still at work
    model.let()
    assert new.end().answers == [-2]
    assert other.end().answers == [10]
    assert model.batches == [list(range(MOST)), [5, -1]]  # nothing more of the old one
    assert batcher._newest == {}


def test_a_waiting_request_is_never_begun_if_a_newer_one_comes(batcher, model, busy):
    old, new = (Asked(batcher, [n], model, token="session") for n in (1, 2))
    assert isinstance(old.end().problem, SupersededError)
    model.let()
    assert new.end().answers == [4]
    assert model.batches == [["first"], [2]]


def test_a_look_ends_a_request(batcher, model, busy):
    gone = threading.Event()

    def look():
        if gone.is_set():
            raise KeyError("gone")

    left = Asked(batcher, [1], model, look=look)
    stays = Asked(batcher, [2], model, look=lambda: None)
    gone.set()
    assert isinstance(left.end().problem, KeyError)
    model.let()
    assert stays.end().answers == [4]
    assert model.batches == [["first"], [2]]


def test_nothing_is_nothing(batcher, model):
    assert batcher.ask([], model) == []
    assert model.batches == []


def test_nobody_waits_for_a_process_that_ends(batcher, model, busy):
    waits = Asked(batcher, [1], model)
    batcher._worker.shutdown(wait=False)
    model.let()
    assert busy.end().answers == ["firstfirst"]
    assert isinstance(waits.end().problem, RuntimeError)
    with pytest.raises(RuntimeError):
        batcher.ask([1], model)


@given(st.lists(st.integers(1, 400), max_size=40), st.integers(1, 300))
def test_shares_are_fair(wanted, most):
    found = shares(wanted, most)
    assert all(0 <= part <= want for part, want in zip(found, wanted, strict=True))
    assert sum(found) == min(most, sum(wanted))
    turns = [min(want, max(1, most // 2)) for want in wanted]
    served = [part >= turn for part, turn in zip(found, turns, strict=True)]
    first = served.index(False) if False in served else len(served)
    assert not any(found[first + 1 :])  # who has not had his turn is followed by nobody


def test_of_many_alike_the_oldest_are_done_first():
    assert shares([21] * 30, 128) == [21] * 6 + [2] + [0] * 23
    assert shares([1600, 21], 128) == [107, 21]
    assert shares([1600, 1600, 21], 128) == [64, 64, 0]
    assert shares([3, 1], 1) == [1, 0]


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["a", "b", None])), max_size=8), st.integers(1, 20))
def test_however_it_is_cut_every_row_gets_its_answer(sizes, most):
    batcher, batches = MicroBatcher(), []

    def compute(rows):
        batches.append(rows)
        return [(kind, number, 2 * row) for kind, number, row in rows]

    requests = [[(kind, number, row) for row in range(size)] for number, (size, kind) in enumerate(sizes)]
    answers = {}

    def ask(number, kind):
        answers[number] = batcher.ask(requests[number], compute, kind=kind, most=most)

    threads = [threading.Thread(target=ask, args=(number, kind)) for number, (_, kind) in enumerate(sizes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == {n: [(kind, n, 2 * row) for kind, n, row in rows] for n, rows in enumerate(requests)}
    assert all(len(batch) <= most and len({kind for kind, *_ in batch}) == 1 for batch in batches)
    assert sum(map(len, batches)) == sum(size for size, _ in sizes)
    batcher._worker.shutdown()


def test_thirty_sessions_read_what_each_would_read_alone():
    """On the model that comes with the project."""
    import torch

    import vae
    from app import backend
    from vae import runs

    run = runs.find("captions-two-phase")
    space, of = vae.load(run.path), backend.Model(name=run.name, source=str(run.path))
    codes = [space.sample_prior(size, seed) for seed, size in enumerate([1, 2, 3, 5, 8, 21] * 5)]
    alone = [space.decode(z) for z in codes]
    backend.latent_size(of)
    batches, said = [], {}
    whole = type(space).decode

    def counted(self, z, **how):
        batches.append(len(z))
        return whole(self, z, **how)

    def decode(number):
        said[number] = backend.decode(of, codes[number].numpy().astype(np.float32))

    threads = [threading.Thread(target=decode, args=(number,)) for number in range(len(codes))]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(space), "decode", counted)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert [said[number] for number in range(len(codes))] == alone
    assert sum(batches) == sum(map(len, codes))
    assert len(batches) < len(codes) / 2
    beams = backend.Decoding(method="beam", beams=3)
    assert backend.decode(of, codes[5].numpy(), beams) == space.decode(codes[5], method="beam", beams=3)
    assert torch.equal(codes[5], space.sample_prior(21, 5))
