"""Figures of many runs: what they show, read from their traces."""

import pandas as pd

from app import figures
from app.glossary import METRICS


def test_the_curves_show_every_run_the_ceiling_and_the_end_of_a_phase():
    frame = pd.DataFrame({"run": ["a", "a", "b"], "step": [0, 5, 0], "mi_nats": [0.1, 3.0, None]})
    frame["mi_ceiling_nats"] = 6.0
    looks = {"a": figures.Look("max_0", "#111"), "b": figures.Look("max_1", "#222", "dash")}
    drawn = figures.over_steps(frame, METRICS["mi_nats"], looks, ends=[3])
    assert [trace.name for trace in drawn.data] == ["max_0", "max_1"]
    assert list(drawn.data[0].y) == [0.1, 3.0]
    assert {shape.x0 for shape in drawn.layout.shapes} >= {3}
    assert 6.0 in {shape.y0 for shape in drawn.layout.shapes}


def test_final_values_stand_in_the_order_of_the_axis_with_gaps_where_there_are_none():
    frame = pd.DataFrame(
        {"value": ["10", "9"], "group": ["max", "max"], "label": ["x", "y"], "kl_nats": [1.0, float("nan")]}
    )
    drawn = figures.by_axis(frame, METRICS["kl_nats"], "z", ["9", "10"])
    assert list(drawn.data[0].x) == ["9", "10"]
    assert pd.isna(drawn.data[0].y[0])
    assert drawn.data[0].y[1] == 1.0


def test_the_axis_of_mi_reaches_its_ceiling_so_that_a_collapse_is_seen_as_one():
    frame = pd.DataFrame({"value": ["1"], "group": [""], "label": ["x"], "mi_nats": [0.0], "mi_ceiling_nats": [6.2]})
    drawn = figures.by_axis(frame, METRICS["mi_nats"], "z", ["1"])
    assert drawn.layout.yaxis.range[1] > 6.2
    assert [shape.y0 for shape in drawn.layout.shapes] == [6.2]
    assert not figures.by_axis(frame.assign(kl_nats=0.0), METRICS["kl_nats"], "z", ["1"]).layout.shapes
