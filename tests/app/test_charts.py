import json

import pandas as pd
import pytest

from app import charts
from app.glossary import METRICS

KL, AU = METRICS["kl_nats"], METRICS["active_units"]
BLUE = {"a": "#2F7FC1"}


def history(steps, split="valid", run="a", **columns):
    values = {"kl_nats": [0.5 * step for step in steps]} | columns
    return pd.DataFrame({"run": run, "split": split, "step": list(steps), "phase": 1} | values)


def drawn(figure, kind):
    return figure.data[figure.data["kind"] == kind]


def test_held_out_figures_are_the_line_and_training_the_faint_one():
    frame = pd.concat([history(range(0, 100, 50)), history(range(0, 100, 10), split="train")])
    figure = charts.curve(frame, KL, BLUE)
    assert drawn(figure, "measured")["step"].tolist() == [0, 50]
    assert drawn(figure, "training")["step"].tolist() == list(range(0, 100, 10))


def test_without_held_out_figures_training_is_the_line():
    figure = charts.curve(history(range(5), split="train"), KL, BLUE)
    assert drawn(figure, "measured")["value"].tolist() == [0, 0.5, 1, 1.5, 2]
    assert drawn(figure, "training").empty


def test_the_look_does_not_change_while_a_run_trains():
    """What changes the look makes Streamlit put the chart up anew: it blinks, and a zoom is gone."""
    young = charts.curve(history(range(2)), KL, BLUE, boundaries=[(1, 0, 1)], ceiling="mi_ceiling_nats")
    frame = pd.concat([history(range(900)), history(range(900), split="train")]).assign(mi_ceiling_nats=6.2)
    old = charts.curve(frame, KL, BLUE, boundaries=[(1, 0, 99), (2, 99, 899)], ceiling="mi_ceiling_nats", chosen=5)
    assert young.spec == old.spec
    assert list(young.data.columns) == list(old.data.columns)
    assert young.data.dtypes.to_dict() == old.data.dtypes.to_dict()
    json.dumps(old.spec)


def test_long_histories_are_thinned_and_keep_their_last_point():
    figure = charts.curve(history(range(10_001)), KL, BLUE)
    line = drawn(figure, "measured")
    assert len(line) <= charts.POINTS
    assert line["step"].iloc[-1] == 10_000
    assert line["step"].is_monotonic_increasing


def test_of_two_values_at_one_step_the_later_is_drawn():
    frame = pd.concat([history([0, 10]), history([10], kl_nats=[7.0])])
    assert drawn(charts.curve(frame, KL, BLUE), "measured")["value"].tolist() == [0, 7]


def test_phases_are_marked_where_they_end_and_named():
    figure = charts.curve(history(range(100)), KL, BLUE, boundaries=[(0, 0, 2), (1, 2, 40), (2, 40, 99)])
    assert drawn(figure, "boundary")["step"].tolist() == [2, 40]
    assert drawn(figure, "label")["label"].tolist() == ["1 encoder warm-up", "2 finetuning"]


def test_phases_beside_a_longer_run_are_named_as_far_as_there_is_room():
    frame = pd.concat([history(range(100)), history(range(1000), run="b")])
    figure = charts.curve(frame, KL, BLUE | {"b": "#222222"}, boundaries=[(1, 0, 10), (2, 10, 99)])
    assert drawn(figure, "boundary")["step"].tolist() == [10]
    assert drawn(figure, "label")["label"].tolist() == ["2"]


def test_a_ceiling_is_drawn_where_it_was_measured():
    frame = history([0, 10], mi_ceiling_nats=[6.2, None])
    assert drawn(charts.curve(frame, KL, BLUE, ceiling="mi_ceiling_nats"), "ceiling")["value"].tolist() == [6.2]


def test_several_runs_have_their_own_colours():
    frame = pd.concat([history(range(3)), history(range(3), run="b")])
    figure = charts.curve(frame, KL, {"a": "#111111", "b": "#222222"})
    assert set(drawn(figure, "measured")["run"]) == {"a", "b"}
    assert '"domain": ["a", "b"], "range": ["#111111", "#222222"]' in json.dumps(figure.spec)


@pytest.mark.parametrize("frame", [history([]), history([0]).drop(columns="kl_nats"), history([0], kl_nats=[None])])
def test_nothing_measured_is_an_empty_figure(frame):
    assert drawn(charts.curve(frame, KL, BLUE), "measured").empty


def test_axes_carry_their_unit():
    assert '"title": "KL (nats)"' in json.dumps(charts.curve(history([0]), KL, BLUE).spec)
    assert '"values": [0, 8.0, 16.0, 24.0, 32.0]' in json.dumps(charts.curve(history([0]), AU, BLUE, top=32.0).spec)


def test_a_figure_near_zero_does_not_fill_the_axis():
    figure = charts.curve(history([0, 10], kl_nats=[0.02, 0.01]), KL, BLUE)
    assert figure.data["value"].max() == KL.reach >= 1


def test_phases_follow_each_other():
    frame = pd.DataFrame({"phase": [0, 0, 1, 2, 2], "step": [0, 5, 9, 9, 30]})
    assert charts.phases(frame) == [(0, 0, 5), (1, 5, 9), (2, 9, 30)]
    assert charts.phases(frame.iloc[:0]) == []


def test_dimensions_are_drawn_with_their_number():
    figure = charts.units([0.1, 2.0], "#111111")
    assert figure.data.to_dict("list") == {"dimension": [0, 1], "kl": [0.1, 2.0]}


def test_the_heat_map_has_the_finally_most_used_dimension_on_top_and_true_values_on_hover():
    figure = charts.units_over_training([0, 100], [[5.0, 1.0], [0.0, 2.0]])
    heat = figure.data[0]
    assert list(heat.y) == ["z0", "z1"]  # Plotly draws upwards
    assert heat.customdata.tolist() == [[5.0, 0.0], [1.0, 2.0]]
    assert heat.z[0][1] == pytest.approx(heat.zmin)


def test_a_map_to_keep_shows_every_sentence_in_its_group():
    frame = pd.DataFrame(
        {"x": [0.0, 1.0, 2.0], "y": 0.0, "text": ["a", "b", "c d " * 30], "group": ["dog", "cat", "dog"]}
    )
    figure = charts.map_to_keep(frame, "Codes", ("PC 1", "PC 2"))
    assert [trace.name for trace in figure.data] == ["cat", "dog"]
    assert figure.data[1].text[0] == "a"
    assert "<br>" in figure.data[1].text[1]
