"""All runs in one table: which of them a filter lets through, and how its figures read."""

import re

import pandas as pd
import pytest

from app import backend
from app.components.report_table import as_read
from app.components.run_table import filtered


def test_the_table_holds_every_run_that_can_be_read(make_run, root):
    make_run("good")
    make_run("bad", "plain-vae")
    make_run("young", share=0.0, state="stopped")
    (root / "broken").mkdir()
    (root / "broken" / "config.json").write_text("{}", encoding="utf-8")
    (root / "broken" / "status.json").write_text("{}", encoding="utf-8")
    table = backend.noted_table().set_index("run")
    assert set(table.index) == {"good", "bad", "young"}
    assert table.loc["good", "verdict"] == "healthy"
    assert table.loc["bad", "delta_nll_nats"] < 0.5


@pytest.fixture
def runs():
    return pd.DataFrame(
        {
            "run": ["one", "two", "three"],
            "recipe": ["two-phase", "plain-vae", "plain-vae"],
            "state": ["finished", "failed", "finished"],
            "note": ["", "Odd [curve", ""],
            "sweep": ["", "", "noise"],
            "tags": [["a"], ["a", "for class"], []],
        }
    )


@pytest.mark.parametrize(
    ("text", "tags", "among", "names"),
    [
        ("", [], {}, ["one", "two", "three"]),
        ("TWO", [], {}, ["one", "two"]),
        ("odd [", [], {}, ["two"]),
        ("class", [], {}, ["two"]),
        ("noise", [], {}, ["three"]),
        ("", ["a"], {}, ["one", "two"]),
        ("", ["a", "for class"], {}, ["two"]),
        ("", [], {"recipe": ["plain-vae"], "state": ["finished"]}, ["three"]),
        ("", [], {"recipe": []}, ["one", "two", "three"]),
        ("nothing", [], {}, []),
    ],
)
def test_a_filter_lets_through_what_fits_all_of_it(runs, text, tags, among, names):
    assert list(filtered(runs, text, tags, among)["run"]) == names


def test_the_figures_of_a_table_read_as_everywhere_and_stay_numbers():
    table = pd.DataFrame({"run": ["a", "b", "c", "d"], "ppl_word": [-1.8e-15, None, 8944.43, 0.0172]})
    shown = as_read(table)
    said = re.findall(r"<td[^>]*>([^<]*)</td>", shown.to_html())
    assert said == ["a", "0.0", "b", "–", "c", "8,944.4", "d", "0.02"]
    assert shown.data is table
