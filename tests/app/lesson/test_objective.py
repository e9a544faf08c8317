"""The chapter of the objective: who is the cheapest at which price."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from app.lesson.objective import cheapest

NATS = st.floats(0, 100).map(lambda nats: round(nats, 3))


@given(st.lists(st.tuples(NATS, NATS), min_size=1, max_size=7, unique_by=lambda pair: pair[1]), st.floats(0, 50))
def test_at_every_price_the_one_that_is_named_is_the_cheapest(pairs, price):
    frame = pd.DataFrame(pairs, columns=["rec_nats", "kl_nats"]).assign(model=[f"m{n}" for n in range(len(pairs))])
    turns = cheapest(frame)
    assert [turn[0] for turn in turns] == sorted(turn[0] for turn in turns)
    named = [name for start, name in turns if start <= price][-1]
    total = (frame["rec_nats"] + price * frame["kl_nats"]).set_axis(frame["model"])
    assert total[named] <= total.min() + 1e-6 * (1 + price) * 100


def test_of_a_family_each_has_its_price():
    frame = pd.DataFrame(
        {"model": ["keeps all", "keeps some", "wastes", "keeps nothing"], "rec_nats": [0.0, 5.0, 14.0, 15.0],
         "kl_nats": [100.0, 16.0, 60.0, 0.0]}
    )  # fmt: skip
    assert [(round(price, 3), name) for price, name in cheapest(frame)] == [
        *((0.0, "keeps all"), (0.06, "keeps some"), (0.625, "keeps nothing"))
    ]
