"""Figures of a report: what they show, read from their traces."""

import itertools
import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import figures, palette
from app.figures import look, report

COLOURS = {"a": "#111111", "b": "#222222"}
ENDS = pd.DataFrame({"run": ["a", "b"], "kl_nats": [12.0, 0.0], "rec_nats": [5.0, 15.0]})
PATHS = pd.DataFrame(
    {"run": ["a", "a"], "step": [100, 1200], "phase": [1, 2], "kl_nats": [90.0, 14.0], "rec_nats": [8.0, 6.0]}
)


def lines_of(figure):
    return [trace for trace in figure.data if trace.mode == "lines"]


def test_on_every_thin_line_of_the_plane_the_sum_is_one_round_number():
    figure = figures.rate_distortion(ENDS, PATHS, COLOURS, {})
    sums = [{round(x + y, 6) for x, y in zip(line.x, line.y, strict=True)} for line in lines_of(figure)]
    assert all(len(nats) == 1 for nats in sums)
    values = sorted(nats.pop() for nats in sums)
    (step,) = {round(b - a, 6) for a, b in itertools.pairwise(values)}
    assert step in {1, 2, 5, 10}


def test_the_labels_of_the_plane_lie_on_their_lines_in_view():
    figure = figures.rate_distortion(ENDS, PATHS, COLOURS, {})
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    words = figure.layout.annotations
    assert len(words) >= 2
    assert [word.text.startswith("−ELBO") for word in words] == [True] + [False] * (len(words) - 1)
    for word in words:
        assert left <= word.x <= right
        assert bottom <= word.y <= top
        assert float(word.text.split()[-1]) == pytest.approx(word.x + word.y)


def test_the_plane_shows_every_run_at_its_place_and_the_way_there():
    figure = figures.rate_distortion(ENDS, PATHS, COLOURS, {"b": 14.5})
    points = {trace.name: trace for trace in figure.data if trace.mode == "markers"}
    assert {name: (trace.x[0], trace.y[0]) for name, trace in points.items()} == {"a": (12, 5), "b": (0, 15)}
    assert points["a"].marker.color == "#111111"
    assert points["b"].marker.symbol == "diamond"  # a yardstick, on top of what it may cover
    assert figure.data[-1].name == "b"
    ways = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [words for _, words, *_ in ways[0].customdata] == ["step 100, phase 1 of 2, encoder warm-up", "measured"]
    assert (ways[0].x[-1], ways[0].y[-1]) == (12, 5)  # it ends in the report, not in the check beside it
    (dashed,) = (line for line in lines_of(figure) if line.line.dash == "dash")
    assert (list(dashed.x), list(dashed.y), dashed.line.color) == ([0, 14.5], [14.5, 0], "#222222")
    assert figure.layout.xaxis.range[1] < 30  # the beginning of a way may lie outside


def test_the_axes_of_the_plane_begin_at_zero_and_end_with_the_points():
    far = PATHS.assign(rec_nats=[300.0, 6.0])
    figure = figures.rate_distortion(ENDS, far, COLOURS, {})
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    assert -1 < left < 0
    assert 12 < right < 15
    assert -1 < bottom < 0
    assert 15 < top < 18
    assert not figure.layout.yaxis.scaleanchor  # else the shorter axis is mostly empty


def test_a_run_of_one_phase_has_no_phase_two_on_its_way():
    figure = figures.rate_distortion(ENDS, PATHS.assign(phase=2), COLOURS, {})
    (way, *_) = (trace for trace in figure.data if trace.mode == "lines+markers")
    assert way.customdata[0][1] == "step 100, finetuning"


def test_runs_at_one_place_of_the_plane_are_rings_around_each_other():
    names = ["a", "lm", "b", "far", "c"]
    ends = pd.DataFrame({"run": names, "kl_nats": [15.8, 15.9, 16.0, 2.0, 15.9], "rec_nats": [5, 5.1, 4.9, 12, 5]})
    assert figures.at_one_place(ends) == [["a", "lm", "b", "c"], ["far"]]
    figure = figures.rate_distortion(ends, PATHS.iloc[:0], dict.fromkeys(names, "#111111"), {"lm": 15.0})
    points = {trace.name: trace for trace in figure.data if trace.mode == "markers"}
    assert list(points) == ["a", "b", "far", "c", "lm"]  # the later one lies on top
    sizes = {name: point.marker.size for name, point in points.items()}
    assert sizes["a"] > sizes["b"] > sizes["c"] > sizes["lm"] == sizes["far"]
    assert points["b"].customdata[0][3] == "<br>also here: a, c, lm"
    assert points["far"].customdata[0][3] == ""
    ways = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert {way.customdata[-1][0]: way.customdata[-1][3] for way in ways}["b"] == "<br>also here: a, c, lm"


def test_the_trail_of_a_run_covers_no_point():
    drawn = [trace.mode for trace in figures.rate_distortion(ENDS, PATHS, COLOURS, {}).data if "markers" in trace.mode]
    assert drawn == ["lines+markers"] * 2 + ["markers"] * 2


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=1, max_size=4),
    st.lists(st.floats(0, 500), max_size=1),
)
def test_a_plane_of_any_runs_has_lines_and_all_runs_in_view(places, costs):
    names = [f"run-{number}" for number in range(len(places))]
    ends = pd.DataFrame(places, columns=["kl_nats", "rec_nats"]).assign(run=names)
    yardsticks = dict(zip(names, costs, strict=False))
    figure = figures.rate_distortion(ends, PATHS.iloc[:0], dict.fromkeys(names, "#111111"), yardsticks)
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    assert all(left < kl < right and bottom < rec < top for kl, rec in places)
    assert 2 <= len(lines_of(figure)) <= 60


@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e4))
def test_round_values_are_few_and_evenly_spaced(low, span):
    values = report._round_values(low, low + span)
    assert 2 <= len(values) <= 10
    gaps = [b - a for a, b in itertools.pairwise(values)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps))
    assert values[0] >= low - 1e-9


def parts(**nats):
    frame = pd.DataFrame({"run": ["a"], **{name: [value] for name, value in nats.items()}})
    return [trace.x[0] for trace in figures.kl_parts(frame).data]


def test_the_parts_of_the_kl_add_up_to_it():
    frame = pd.DataFrame({"run": ["a"], "kl_nats": [16.0], "mi_nats": [7.5], "marginal_kl_least_nats": [2.0]})
    known, unknown, mismatch = figures.kl_parts(frame).data
    assert known.texttemplate == mismatch.texttemplate == "%{x:.1f}"
    assert (unknown.texttemplate, unknown.text) == ("", None)
    assert parts(kl_nats=16.0, mi_nats=7.5, marginal_kl_least_nats=2.0) == pytest.approx([7.5, 6.5, 2.0])


def test_no_part_of_the_kl_has_the_colour_of_a_run():
    frame = pd.DataFrame({"run": ["a"], "kl_nats": [16.0], "mi_nats": [7.5], "marginal_kl_least_nats": [2.0]})
    drawn = [trace.marker.color for trace in figures.kl_parts(frame).data]
    assert not set(drawn) & set(palette.PALETTE)
    assert len(set(drawn)) == 3


@settings(max_examples=25)
@given(st.floats(-1, 100), st.floats(-1, 100), st.floats(-1, 100))
def test_noise_never_draws_parts_that_cannot_be(kl, mi, least):
    drawn = parts(kl_nats=kl, mi_nats=mi, marginal_kl_least_nats=least)
    assert min(drawn) >= 0
    assert sum(drawn) == pytest.approx(max(kl, 0))


def test_mi_is_drawn_between_its_bounds_under_its_ceiling():
    frame = pd.DataFrame({"run": "a", "sentences": [16, 32, 64], "mi_nats": [2.7, 3.4, -0.01]})
    frame = frame.assign(mi_upper_nats=[9.0, 8.0, 7.0], mi_ceiling_nats=[math.log(n) for n in (16, 32, 64)])
    figure = figures.information(frame, {"a": "#111111"})
    least, most, ceiling = figure.data
    assert list(least.y) == [2.7, 3.4, 0.0]
    assert (list(most.y), most.line.dash) == ([9.0, 8.0, 7.0], "dash")
    assert list(ceiling.y) == pytest.approx([math.log(n) for n in (16, 32, 64)])
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.yaxis.range
    assert low < 0
    assert high > 9


def test_lines_on_each_other_lie_in_each_other():
    flat, same, other = {0: 1.0, 1: 1.0, 2: 1.0}, {0: 1.01, 1: 1.0, 2: 9.0}, {0: 5.0, 1: 5.0, 2: 5.0}
    first, second, third, fourth = look.widths([flat, other, same, {}], 10)
    assert first > second == third == fourth  # where they are apart for a third of the way, too
    assert look.widths([flat] * 3, 10, thin=1)[-1] == 1
    assert sorted(look.widths([flat] * 12, 10), reverse=True) == look.widths([flat] * 12, 10)
    assert max(look.widths([flat] * 12, 10)) < 20
    frame = pd.DataFrame({"run": ["a", "a", "b", "b"], "sentences": [16, 32] * 2, "mi_nats": [2.7, 3.4, 2.7, 3.41]})
    frame = frame.assign(mi_upper_nats=9.0, mi_ceiling_nats=3.5)
    under, _, over, _, _ = figures.information(frame, COLOURS).data
    assert under.line.width > over.line.width


def test_dimensions_keep_their_order_number_and_true_value():
    figure = figures.dimensions([0.5, 1e-9, 2.0], [2, 0, 1], "#111111", "Var(μ)", line=0.01)
    (dots,) = figure.data
    assert [tuple(each) for each in dots.customdata] == [(2, 2.0), (0, 0.5), (1, 1e-9)]
    assert min(dots.y) > 0  # a logarithm can show it
    assert 10 ** figure.layout.yaxis.range[0] < min(dots.y)
    assert figure.layout.shapes[0].y0 == 0.01
    (bars,) = figures.dimensions([0.001, 0.0], [0, 1], "#111111", "KL (nats)").data
    assert list(bars.y) == [0.001, 0.0]


def test_little_kl_does_not_fill_the_axis():
    assert figures.dimensions([0.001], [0], "#111111", "KL (nats)").layout.yaxis.range[1] > 0.1


def test_positions_are_counted_from_one_with_what_they_cost_on_hover():
    frame = pd.DataFrame(
        {"run": "a", "position": [0, 1], "sentences": [30, 20], "own_nats": [1.0, 2.0], "delta_nll_nats": [5.0, 4.0]}
    )
    figure = figures.by_position(frame, {"a": "#111111"})
    (line,) = figure.data
    assert line.showlegend  # a single run, too, is named
    low, high = figure.layout.yaxis.range
    assert low < 0  # zero is where the decoder does not look at z
    assert high > 5
    assert (list(line.x), list(line.y)) == ([1, 2], [5.0, 4.0])
    assert [tuple(each) for each in line.customdata] == [(1.0, 30), (2.0, 20)]


def test_a_gap_is_drawn_with_both_ends_of_its_interval_and_zero():
    frame = pd.DataFrame({"run": ["a", "b"], "nats": [-3.0, 70.0], "low": [-3.5, 69.0], "high": [-2.8, 72.0]})
    figure = figures.gaps(frame, COLOURS)
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
        figures.rate_distortion(ENDS, PATHS, COLOURS, {}),
        figures.dimensions([1.0], [0], "#111111", "KL (nats)"),
        figures.gaps(pd.DataFrame({"run": ["a"], "nats": [1.0], "low": [0.5], "high": [1.5]}), COLOURS),
    ],
)
def test_what_stands_still_names_its_axes_and_lets_a_finger_scroll(figure):
    assert "nats" in figure.layout.xaxis.title.text + figure.layout.yaxis.title.text
    assert figure.layout.dragmode is False
    assert figure.layout.font.size >= 14


def test_thousands_are_set_apart_on_every_axis():
    figure = figures.rate_distortion(ENDS, PATHS, COLOURS, {})
    assert figure.layout.xaxis.tickformat == figure.layout.yaxis.tickformat == ","
    large = figures.rate_distortion(ENDS.assign(rec_nats=4000.0), PATHS.iloc[:0], COLOURS, {})
    assert any(word.text.endswith(",500") for word in large.layout.annotations)
