import json

import pandas as pd
import pytest

from app import charts

FAMILY = pd.DataFrame(
    {"model": ["r0", "r1", "r2", "r3"], "label": ["keeps all", "some", "some, too", "nothing"],
     "rec_nats": [0.1, 5.0, 5.1, 15.0], "kl_nats": [100.0, 16.0, 16.1, 0.0]}
)  # fmt: skip
COLOURS = {"r0": "#111111", "r1": "#222222", "r2": "#333333", "r3": "#444444"}


def test_dimensions_are_drawn_with_their_number():
    figure = charts.units([0.1, 2.0], "#111111")
    assert figure.data.to_dict("list") == {"dimension": [0, 1], "kl": [0.1, 2.0]}


@pytest.mark.parametrize(("weight", "cheapest"), [(0.0, "r0"), (0.3, "r1"), (1.0, "r3")])
def test_the_line_of_equal_cost_goes_through_the_cheapest_and_below_all_others(weight, cheapest):
    rows, spec = charts.rate_and_distortion(FAMILY, weight, COLOURS)
    json.dumps(spec, allow_nan=False)
    start, end = rows[rows["kind"] == "line"][["kl_nats", "rec_nats"]].to_numpy()
    slope = (end[1] - start[1]) / (end[0] - start[0])
    assert slope == pytest.approx(-weight)
    over = FAMILY.set_index("model").eval("rec_nats - (@start[1] + @slope * (kl_nats - @start[0]))")
    assert over[cheapest] == pytest.approx(0, abs=1e-9)
    assert over.min() > -1e-9
    assert end[0] > FAMILY["kl_nats"].max()


def test_models_that_lie_on_each_other_share_their_words_and_both_are_seen():
    assert charts.together(FAMILY) == ["keeps all", "some · some, too", "", "nothing"]
    rows, _ = charts.rate_and_distortion(FAMILY, 1.0, COLOURS)
    sizes = rows[rows["kind"] == "point"]["size"].tolist()
    assert sizes[2] < sizes[1] == sizes[0]


def test_the_words_stand_above_their_points_where_the_line_never_comes_and_can_be_large():
    _, spec = charts.rate_and_distortion(FAMILY, 1.0, COLOURS, words=26)
    mark = spec["layer"][-1]["mark"]
    assert (mark["baseline"], mark["fontSize"]) == ("bottom", 26)
    assert all(int(shift) < 0 for shift in mark["dy"]["expr"].split("?")[1].split(":"))


def test_what_is_forgotten_comes_first_and_what_the_code_costs_moves_its_end():
    frame = pd.DataFrame({"model": ["a"], "rec_nats": [5.0], "kl_nats": [8.0], "total_nats": [13.0]})
    rows, spec = charts.costs(frame)
    order = spec["encoding"]["order"]
    first = sorted(rows[order["field"]], reverse=order["sort"] == "descending")[0]
    assert (first, spec["encoding"]["color"]["scale"]["domain"][0]) == ("rec", "rec")


def test_a_line_is_held_against_another_whatever_they_are():
    frame = pd.DataFrame({"run": "a", "line": "now", "step": [0, 9], "value": [1.0, 50.0]}, index=[4, 4])
    colours = {"now": "#111111", "usual": "#222222"}
    rows, spec = charts.beside(frame, "KL (nats)", 40.0, colours)
    assert rows.index.tolist() == [0, 1]
    assert spec["encoding"]["y"]["scale"]["domain"] == [0, 40.0]
    assert spec == charts.beside(frame.assign(line="usual"), "KL (nats)", 40.0, colours).spec  # so that nothing blinks
