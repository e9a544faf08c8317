"""Tables as text."""

import csv
import io

import pytest

from vae import tables

ROW = {
    "run": "my_run & co",
    "samples": 100,
    "ppl_word": 12.3456,
    "nll_nats": 20.0,
    "active_units": 32,
    "kl_charged_nats": None,
    "mi_saturated": True,
    "kl_per_dim_nats": [1.0, 2.0],
    "intervals": {"nll_nats": [19.5, 20.5]},
}


def test_columns_are_aligned() -> None:
    assert tables.aligned([["a", "1"], ["bcd", "23"]], right=(1,)) == "a     1\nbcd  23"
    assert tables.aligned([["a", ""], ["bcd", "x"]]) == "a\nbcd  x"


def test_csv_keeps_every_digit_and_the_intervals() -> None:
    text = tables.comma_separated([ROW, {"run": "other, with comma", "rec_nats": 1 / 3}])
    first, second = csv.DictReader(io.StringIO(text))
    assert first["ppl_word"] == "12.3456"
    assert (first["nll_nats_low"], first["nll_nats_high"]) == ("19.5", "20.5")
    assert "kl_per_dim_nats" not in first
    assert "intervals" not in first
    assert first["rec_nats"] == ""
    assert second["run"] == "other, with comma"
    assert float(second["rec_nats"]) == 1 / 3
    assert "\r" not in text


def test_latex_says_k_rounds_and_escapes() -> None:
    text = tables.latex([ROW], ("run", "ppl_word", "nll_nats", "active_units", "kl_charged_nats"))
    assert text.splitlines() == [
        r"\begin{tabular}{lrrrr}",
        r"\toprule",
        r"Run & PPL & NLL$_{100}$ & AU & KL charged \\",
        r"\midrule",
        r"my\_run \& co & 12.35 & 20.00 & 32 & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert " & 0.00 " in tables.latex([{"run": "a", "mi_nats": -1.8e-15}], ("run", "mi_nats"))
    assert "& Latent size " in tables.latex([{"run": "a", "latent_size": 32}], ("run", "latent_size"))
    mixed = tables.latex([ROW, ROW | {"samples": 10}], ("run", "nll_nats"))
    assert "NLL$_{K}$" in mixed


@pytest.mark.parametrize(
    ("name", "head"),
    [("delta_nll_nats", r"$\Delta$NLL"), ("neg_elbo_nats", "$-$ELBO"), ("marginal_kl_nats", "KL $-$ MI")],
)
def test_signs_are_set_in_latex(name: str, head: str) -> None:
    assert f" {head} " in f" {tables.latex([{name: 1.0}], (name,)).splitlines()[2]} "


@pytest.mark.parametrize("text", ["a_b", "50 %", "a\\b", "x^2~{y}", "#1 & $2"])
def test_any_text_is_escaped(text: str) -> None:
    escaped = tables.tex(text)
    for i, sign in enumerate(escaped):
        if sign in "&%$#_":
            assert escaped[i - 1] == "\\"


def test_the_symbol_of_a_figure() -> None:
    assert tables.symbol("nll_nats", 100) == "NLL_100"
    assert tables.symbol("nll_nats") == "NLL_K"
    assert tables.symbol("run") == "run"
    assert tables.symbol("delta_nll_nats").translate(tables.ASCII) == "delta NLL"
    assert all(tables.symbol(name).translate(tables.ASCII).isascii() for name in tables.METRICS)


PATHS = [
    {"example": 1, "part": "source input", "t": None, "sentence": "a & b"},
    {"example": 1, "part": "prior-sampled source", "t": 0.0, "sentence": "one\nline"},
    {"example": 1, "part": "interpolation", "t": 0.25, "sentence": "c"},
    {"example": 1, "part": "interpolation", "t": 0.5, "sentence": None},
    {"example": 2, "part": "interpolation", "t": 0.5, "sentence": "d"},
]


def test_a_path_names_its_example_and_its_parts_where_they_begin() -> None:
    assert tables.paths(PATHS) == [
        ["example", "part", "t", "sentence"],
        ["1", "source input", "", "a & b"],
        ["", "prior-sampled source", "0.00", "one line"],
        ["", "interpolation", "0.25", "c"],
        ["", "", "0.50", ""],
        ["2", "interpolation", "0.50", "d"],
    ]


def test_paths_in_latex_have_a_rule_between_examples() -> None:
    begin, *lines = tables.paths_latex(PATHS).splitlines()
    assert begin == r"\begin{tabular}{rlrp{0.72\linewidth}}"
    assert lines[3] == r"1 & source input &  & a \& b \\"
    assert lines.count(r"\midrule") == 2
    assert lines[7:9] == [r"\midrule", r"2 & interpolation & 0.50 & d \\"]


def test_what_a_step_is() -> None:
    said = [tables.path_part(t, "prior-sampled", "posterior-mean") for t in (-0.1, 0.0, 0.3, 1.0, 1.1)]
    assert said == [
        *("extrapolation", "prior-sampled source", "interpolation", "posterior-mean target", "extrapolation"),
    ]
