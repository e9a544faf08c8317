"""The section with a paper's tables: the rows behind it, the figure, and what a reader sees."""

import json

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app import backend, charts, state
from app.components import erratum as section

OWN = {
    "run": "mine",
    "sentences": 2000,
    "rec_nats": 5.0,
    "kl_nats": 15.8,
    "neg_elbo_nats": 20.8,
    "mi_nats": 7.5,
    "mi_ceiling_nats": 7.6,
    "active_units": 32,
    "delta_nll_nats": 31.4,
    "ppl_word": 4.4,
}


def page():
    import pandas as pd
    import streamlit as st

    from app.components.erratum import erratum

    own = st.session_state.get("own")
    erratum(None if own is None else pd.DataFrame(own))


def shown(own=None, **query):
    at = AppTest.from_function(page)
    at.session_state["own"] = own
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception
    return at


def words(at):
    return "\n".join(element.value for element in at.markdown)


@pytest.mark.parametrize("data", backend.ERRATUM_DATA)
def test_rows_hold_what_is_printed_beside_what_follows(data):
    rows = backend.erratum_rows(data)
    assert rows["row"].tolist() == ["Max pool", "+ Denoise", "+ KLT", "+ Deep"]
    assert rows["corrected_nats"].tolist() == pytest.approx((rows["rec_nats"] + rows["kl_nats"]).tolist())
    assert rows["implied_nats"].tolist() == pytest.approx(rows["corrected_nats"].tolist(), rel=1e-3)
    assert rows["tokens_corrected"].std() < 0.02 < rows["tokens_reported"].std()


def test_rows_are_those_of_the_data_set_asked_for():
    assert backend.erratum_rows("SNLI")["rec_nats"].iloc[-1] == pytest.approx(31.18)
    assert backend.erratum_rows("SNLI")["sign_lost"].tolist() == [False, False, False, True]
    assert backend.erratum_rows("Yelp")["table"].unique().tolist() == [3]


def test_bars_lie_end_to_end_and_marks_where_they_are_reported():
    frame = pd.DataFrame(
        {"row": ["a", "b"], "rec_nats": [10.0, 9.0], "kl_nats": [1.0, 5.0], "reported_nats": [9.0, 4.0]}
    ).assign(implied_nats=[11.0, 14.0])
    figure = charts.two_readings(frame)
    drawn = figure.data.set_index(["kind", "row"])
    assert drawn.loc[("rec", "b"), ["start", "end", "nats"]].tolist() == [0, 9, 9]
    assert drawn.loc[("KL", "b"), ["start", "end", "nats"]].tolist() == [9, 14, 5]
    assert drawn.loc[("−ELBO as reported", "b"), ["end", "nats"]].tolist() == [4, 4]
    assert drawn.loc[("−ELBO by PPL", "b"), ["end", "nats"]].tolist() == [14, 14]
    assert '"sort": ["a", "b"]' in json.dumps(figure.spec)


def test_every_kind_of_mark_has_its_layer_and_its_colour():
    figure = charts.two_readings(backend.erratum_rows("PTB"))
    spec = json.dumps(figure.spec, ensure_ascii=False)
    for kind in figure.data["kind"].unique():
        assert f"datum.kind == '{kind}'" in spec
    scale = figure.spec["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == figure.data["kind"].unique().tolist()
    assert len(set(scale["range"])) == 4


def test_the_section_shows_the_first_table_and_no_own_runs():
    at = shown()
    assert len(at.dataframe) == 1
    assert at.dataframe[0].value["reported_nats"].tolist() == [343.02, 301.86, 223.69, 140.57]
    assert "113.0 in every row as corrected, and 35.2 to 112.8 as reported" in words(at)
    assert "“+ Deep”: it means" in words(at)
    assert "sign is lost" not in words(at)
    assert "Table 1" in at.caption[0].value


def test_a_data_set_is_chosen_in_the_address():
    at = shown(**{state.ERRATUM_DATA: "SNLI"})
    assert at.dataframe[0].value["corrected_nats"].tolist() == pytest.approx([34.83, 37.14, 60.86, 106.13])
    assert "sign is lost** in “+ Deep”" in words(at)
    assert not at.warning


def test_a_data_set_can_be_chosen_on_the_page():
    at = shown()
    at.segmented_control(key=state.ERRATUM_DATA).set_value("PTB").run()
    assert "Table 2" in at.caption[0].value
    assert "near its ceiling" not in words(at)


def test_an_unknown_data_set_in_the_address_is_said():
    at = shown(**{state.ERRATUM_DATA: "Captions"})
    assert "paper=Captions" in at.warning[0].value
    assert "Table 1" in at.caption[0].value


def test_own_runs_stand_below_with_the_column_that_the_paper_lacks():
    at = shown([OWN])
    assert list(at.dataframe[1].value.columns) == ["run", "sentences", *section.OWN]
    assert at.dataframe[1].value["delta_nll_nats"].tolist() == [31.4]
    assert len(shown([]).dataframe) == 1


def test_every_column_of_the_paper_is_explained_on_hover():
    rows = backend.erratum_rows("Yahoo")
    for name, column in section._COLUMNS.items():
        assert name in rows
        assert column["help"]
