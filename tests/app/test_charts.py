import itertools
import json
import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_associations_stand_in_the_order_given_with_their_limits_on_hover():
    frame = pd.DataFrame(
        [("number", 0, 0.1, 0.01), ("number", 1, 0.8, 0.01), ("weather", 0, 0.3, 0.02), ("weather", 1, 0.2, 0.02)],
        columns=["label", "dimension", "value", "limit"],
    )
    heat = charts.associations(frame, [1, 0], "R² %{z:.3f}, by chance %{customdata:.3f}", top=1.0).data[0]
    assert list(heat.x) == ["z1", "z0"]
    assert list(heat.y) == ["number", "weather"]
    assert heat.z.tolist() == [[0.8, 0.1], [0.2, 0.3]]
    assert heat.customdata.tolist() == [[0.01, 0.01], [0.02, 0.02]]
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert "by chance" in heat.hovertemplate


def test_a_map_to_keep_shows_every_sentence_in_its_group():
    frame = pd.DataFrame(
        {"x": [0.0, 1.0, 2.0], "y": 0.0, "text": ["a", "b", "c d " * 30], "group": ["dog", "cat", "dog"]}
    )
    figure = charts.map_to_keep(frame, "Codes", ("PC 1", "PC 2"))
    assert [trace.name for trace in figure.data] == ["cat", "dog"]
    assert figure.data[1].text[0] == "a"
    assert "<br>" in figure.data[1].text[1]


COLOURS = {"a": "#111111", "b": "#222222"}
ENDS = pd.DataFrame({"run": ["a", "b"], "kl_nats": [12.0, 0.0], "rec_nats": [5.0, 15.0]})
PATHS = pd.DataFrame(
    {"run": ["a", "a"], "step": [100, 1200], "phase": [1, 2], "kl_nats": [90.0, 14.0], "rec_nats": [8.0, 6.0]}
)


def lines_of(figure):
    return [trace for trace in figure.data if trace.mode == "lines"]


def test_on_every_thin_line_of_the_plane_the_sum_is_one_round_number():
    figure = charts.rate_distortion(ENDS, PATHS, COLOURS, {})
    sums = [{round(x + y, 6) for x, y in zip(line.x, line.y, strict=True)} for line in lines_of(figure)]
    assert all(len(nats) == 1 for nats in sums)
    values = sorted(nats.pop() for nats in sums)
    (step,) = {round(b - a, 6) for a, b in itertools.pairwise(values)}
    assert step in {1, 2, 5, 10}
    assert figure.layout.yaxis.scaleanchor == "x"  # so they run at 45 degrees


def test_the_labels_of_the_plane_lie_on_their_lines_in_view():
    figure = charts.rate_distortion(ENDS, PATHS, COLOURS, {})
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    words = figure.layout.annotations
    assert len(words) >= 2
    assert [word.text.startswith("−ELBO") for word in words] == [True] + [False] * (len(words) - 1)
    for word in words:
        assert left <= word.x <= right
        assert bottom <= word.y <= top
        assert float(word.text.split()[-1]) == pytest.approx(word.x + word.y)


def test_the_plane_shows_every_run_at_its_place_and_the_way_there():
    figure = charts.rate_distortion(ENDS, PATHS, COLOURS, {"b": 14.5})
    points = {trace.name: trace for trace in figure.data if trace.mode == "markers"}
    assert {name: (trace.x[0], trace.y[0]) for name, trace in points.items()} == {"a": (12, 5), "b": (0, 15)}
    assert points["a"].marker.color == "#111111"
    assert points["b"].marker.symbol == "diamond"  # a yardstick, on top of what it may cover
    assert figure.data[-1].name == "b"
    ways = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [words for _, words, _ in ways[0].customdata] == ["step 100, phase 1 encoder warm-up", "measured"]
    assert (ways[0].x[-1], ways[0].y[-1]) == (12, 5)  # it ends in the report, not in the check beside it
    (dashed,) = (line for line in lines_of(figure) if line.line.dash == "dash")
    assert (list(dashed.x), list(dashed.y), dashed.line.color) == ([0, 14.5], [14.5, 0], "#222222")
    assert figure.layout.xaxis.range[1] < 30  # the beginning of a way may lie outside


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=1, max_size=4),
    st.lists(st.floats(0, 500), max_size=1),
)
def test_a_plane_of_any_runs_has_lines_and_all_runs_in_view(places, costs):
    names = [f"run-{number}" for number in range(len(places))]
    ends = pd.DataFrame(places, columns=["kl_nats", "rec_nats"]).assign(run=names)
    yardsticks = dict(zip(names, costs, strict=False))
    figure = charts.rate_distortion(ends, PATHS.iloc[:0], dict.fromkeys(names, "#111111"), yardsticks)
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    assert all(left < kl < right and bottom < rec < top for kl, rec in places)
    assert 2 <= len(lines_of(figure)) <= 60


@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e4))
def test_round_values_are_few_and_evenly_spaced(low, span):
    values = charts._round_values(low, low + span)
    assert 2 <= len(values) <= 10
    gaps = [b - a for a, b in itertools.pairwise(values)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps))
    assert values[0] >= low - 1e-9


def parts(**figures):
    frame = pd.DataFrame({"run": ["a"], **{name: [value] for name, value in figures.items()}})
    return [trace.x[0] for trace in charts.kl_parts(frame).data]


def test_the_parts_of_the_kl_add_up_to_it():
    frame = pd.DataFrame({"run": ["a"], "kl_nats": [16.0], "mi_nats": [7.5], "marginal_kl_least_nats": [2.0]})
    known, unknown, mismatch = charts.kl_parts(frame).data
    assert known.texttemplate == mismatch.texttemplate == "%{x:.1f}"
    assert (unknown.texttemplate, unknown.text) == ("", None)
    assert parts(kl_nats=16.0, mi_nats=7.5, marginal_kl_least_nats=2.0) == pytest.approx([7.5, 6.5, 2.0])


@settings(max_examples=25)
@given(st.floats(-1, 100), st.floats(-1, 100), st.floats(-1, 100))
def test_noise_never_draws_parts_that_cannot_be(kl, mi, least):
    drawn = parts(kl_nats=kl, mi_nats=mi, marginal_kl_least_nats=least)
    assert min(drawn) >= 0
    assert sum(drawn) == pytest.approx(max(kl, 0))


def test_mi_is_drawn_between_its_bounds_under_its_ceiling():
    frame = pd.DataFrame({"run": "a", "sentences": [16, 32, 64], "mi_nats": [2.7, 3.4, -0.01]})
    frame = frame.assign(mi_upper_nats=[9.0, 8.0, 7.0], mi_ceiling_nats=[math.log(n) for n in (16, 32, 64)])
    figure = charts.information(frame, {"a": "#111111"})
    least, most, ceiling = figure.data
    assert list(least.y) == [2.7, 3.4, 0.0]
    assert (list(most.y), most.line.dash) == ([9.0, 8.0, 7.0], "dash")
    assert list(ceiling.y) == pytest.approx([math.log(n) for n in (16, 32, 64)])
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.yaxis.range
    assert low < 0
    assert high > 9


def test_dimensions_keep_their_order_number_and_true_value():
    figure = charts.dimensions([0.5, 1e-9, 2.0], [2, 0, 1], "#111111", "Var(μ)", line=0.01)
    (dots,) = figure.data
    assert [tuple(each) for each in dots.customdata] == [(2, 2.0), (0, 0.5), (1, 1e-9)]
    assert min(dots.y) > 0  # a logarithm can show it
    assert 10 ** figure.layout.yaxis.range[0] < min(dots.y)
    assert figure.layout.shapes[0].y0 == 0.01
    (bars,) = charts.dimensions([0.001, 0.0], [0, 1], "#111111", "KL (nats)").data
    assert list(bars.y) == [0.001, 0.0]


def test_little_kl_does_not_fill_the_axis():
    assert charts.dimensions([0.001], [0], "#111111", "KL (nats)").layout.yaxis.range[1] > 0.1


def test_positions_are_counted_from_one_with_what_they_cost_on_hover():
    frame = pd.DataFrame(
        {"run": "a", "position": [0, 1], "sentences": [30, 20], "own_nats": [1.0, 2.0], "delta_nll_nats": [5.0, 4.0]}
    )
    (line,) = charts.by_position(frame, {"a": "#111111"}).data
    assert (list(line.x), list(line.y)) == ([1, 2], [5.0, 4.0])
    assert [tuple(each) for each in line.customdata] == [(1.0, 30), (2.0, 20)]


def test_a_gap_is_drawn_with_both_ends_of_its_interval_and_zero():
    frame = pd.DataFrame({"run": ["a", "b"], "nats": [-3.0, 70.0], "low": [-3.5, 69.0], "high": [-2.8, 72.0]})
    figure = charts.gaps(frame, COLOURS)
    (dots,) = figure.data
    assert list(dots.error_x.array) == pytest.approx([0.2, 2.0])
    assert list(dots.error_x.arrayminus) == pytest.approx([0.5, 1.0])
    assert list(dots.marker.color) == list(COLOURS.values())
    assert figure.layout.shapes[0].x0 == 0
    low, high = figure.layout.xaxis.range
    assert low < -3.5 < 72 < high


@pytest.mark.parametrize(
    "figure",
    [
        charts.rate_distortion(ENDS, PATHS, COLOURS, {}),
        charts.dimensions([1.0], [0], "#111111", "KL (nats)"),
        charts.gaps(pd.DataFrame({"run": ["a"], "nats": [1.0], "low": [0.5], "high": [1.5]}), COLOURS),
    ],
)
def test_what_stands_still_names_its_axes_and_lets_a_finger_scroll(figure):
    assert "nats" in figure.layout.xaxis.title.text + figure.layout.yaxis.title.text
    assert figure.layout.dragmode is False
    assert figure.layout.font.size >= 14
