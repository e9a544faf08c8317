import itertools

from hypothesis import given
from hypothesis import strategies as st

from app.backend.tracks import Columns, Track

values = st.floats(-1e6, 1e6)
events = st.lists(st.tuples(st.integers(1, 40), values, st.none() | values), min_size=1, max_size=200).map(
    lambda steps: [
        (step, {"a": a} | ({} if b is None else {"b": b}))
        for step, (_, a, b) in zip(itertools.accumulate(gap for gap, _, _ in steps), steps, strict=True)
    ]
)


def track(events, capacity=16):
    made = Track(capacity)
    for step, figures in events:
        made.add(step, figures)
    return made


def close(one, other):
    return abs(one - other) <= 1e-5 * max(1e-9, abs(other))


@given(events)
def test_however_many_events_a_track_is_bounded_and_loses_no_spike(events):
    table = track(events).table()
    column = table["figures"]["a"]
    assert len(table["last"]) <= 16
    assert sum(table["count"]) == len(events)
    given_values = [figures["a"] for _, figures in events]
    assert close(max(column.get("high", column["last"])), max(given_values))
    assert close(min(column.get("low", column["last"])), min(given_values))


@given(st.integers(0, 999), st.sampled_from([-50.0, 50.0]))
def test_a_single_spike_survives_every_merging(step, height):
    table = track([(at, {"a": height if at == step else 1.0}) for at in range(1000)]).table()
    bucket = next(i for i, last in enumerate(table["last"]) if step <= last)
    column = table["figures"]["a"]
    assert len(table["last"]) <= 16
    assert (column["low"][bucket], column["high"][bucket]) == tuple(sorted((height, 1.0)))


@given(events)
def test_the_newest_value_is_exact_and_the_first_step_is_kept(events):
    table = track(events).table()
    assert table["first"][0] == events[0][0]
    assert table["last"][-1] == events[-1][0]
    assert close(table["figures"]["a"]["last"][-1], events[-1][1]["a"])


@given(events)
def test_buckets_follow_each_other_and_each_says_what_is_in_it(events):
    table = track(events).table()
    for index, (first, last) in enumerate(zip(table["first"], table["last"], strict=True)):
        inside = [figures for step, figures in events if first <= step <= last]
        assert len(inside) == table["count"][index]
        for name, columns in table["figures"].items():
            own = [figures[name] for figures in inside if name in figures]
            if not own:
                assert columns["last"][index] is None
            else:
                assert close(columns["last"][index], own[-1])
                if "mean" in columns:
                    assert abs(columns["mean"][index] - sum(own) / len(own)) <= 1e-5 * max(map(abs, own)) + 1e-9
    assert all(last < first for last, first in zip(table["last"], table["first"][1:], strict=False))


@given(events, st.integers(0, 200))
def test_reading_in_between_changes_nothing(events, pause):
    read = track(events[:pause])
    read.table()
    for step, figures in events[pause:]:
        read.add(step, figures)
    assert read.table() == track(events).table()


def test_short_histories_are_exact_and_say_no_more_than_that():
    table = track([(10, {"a": 1.0}), (20, {"a": 2.5}), (30, {"b": 1e-4})]).table()
    assert table == {
        "first": [10, 20, 30],
        "last": [10, 20, 30],
        "count": [1, 1, 1],
        "figures": {"a": {"last": [1.0, 2.5, None]}, "b": {"last": [None, None, 1e-4]}},
    }


def test_of_two_events_at_one_step_the_later_is_the_last():
    assert track([(626, {"a": 1.0}), (626, {"a": 2.0})]).table()["figures"]["a"]["last"] == [2.0]


def test_it_is_known_where_a_track_is_thinned():
    made = track([(step, {"a": 0.0}) for step in range(0, 160, 10)] + [(170, {"a": 0.0})])
    assert made.thinned(0, 200)
    assert not made.thinned(1000, 2000)
    assert not track([(0, {}), (10, {})]).thinned(0, 10)


def test_columns_keep_the_newest_and_are_bounded():
    kept = Columns(8)
    for step in range(0, 1000, 7):
        kept.add(step, [step])
    assert len(kept.items()) <= 8
    assert max(kept.items()) == 994
    assert all(values == [step] for step, values in kept.items().items())
