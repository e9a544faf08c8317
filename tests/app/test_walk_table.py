"""Paths as tables of a paper."""

import csv
import io

import numpy as np

from app import backend
from app.backend import End
from app.components import walk_table

PRIOR = End(), End()
TYPED = End(kind="sentence", text="in", drawn=True), End(kind="map", row=3)


def walk_of(*texts, start=0.0, end=1.0, draws=()):
    n = len(texts)
    return backend.Walk(
        places=np.linspace(start, end, n).round(6).tolist(),
        codes=np.zeros((n, 2), np.float32),
        texts=list(texts),
        shells=[0.0] * n,
        nearest=[],
        draws=list(draws),
    )


def test_the_parts_are_those_of_the_paper():
    table = walk_table.rows({"x": walk_of("a", "b", "c")}, TYPED, ("one .", "two ."))
    assert table == [
        {"part": "source input", "t": None, "sentence": "one ."},
        {"part": "target input", "t": None, "sentence": "two ."},
        {"part": "posterior-sampled source", "t": 0.0, "sentence": "a"},
        {"part": "interpolation", "t": 0.5, "sentence": "b"},
        {"part": "posterior-mean target", "t": 1.0, "sentence": "c"},
    ]


def test_random_codes_have_no_input_and_what_lies_beyond_the_ends_is_said():
    table = walk_table.rows({"x": walk_of("a", "b", "c", "d", start=-1, end=2)}, PRIOR, ("", ""))
    assert [row["part"] for row in table] == [
        "extrapolation", "prior-sampled source", "prior-sampled target", "extrapolation"
    ]  # fmt: skip


def test_each_model_has_a_column_and_each_draw_a_row():
    draws = [["a", "b"], ["c", "d"]]
    walks = {"one": walk_of("a", "c", draws=draws), "two": walk_of("a", "c", draws=draws[::-1])}
    table = walk_table.rows(walks, TYPED, ("in", ""), example=4)
    assert list(table[0]) == ["example", "part", "t", "draw", "one", "two"]
    assert [tuple(row.values())[3:] for row in table] == [
        (None, "in", "in"), (1, "a", "c"), (2, "b", "d"), (1, "c", "a"), (2, "d", "b")
    ]  # fmt: skip
    assert {row["example"] for row in table} == {4}


def test_csv_keeps_any_text():
    texts = ['a "quoted" , sentence', "=1+1 | $x$", "שלום\nעולם"]
    table = walk_table.rows({"x": walk_of(*texts)}, PRIOR, ("", ""))
    read = list(csv.DictReader(io.StringIO(backend.comma_separated(table))))
    assert [row["sentence"] for row in read] == texts
    assert [float(row["t"]) for row in read] == [0, 0.5, 1]


def test_markdown_is_a_row_a_line_and_shows_signs_as_they_are():
    table = walk_table.rows({"x": walk_of("a | b", "<b>*x*</b>", "c\nd")}, PRIOR, ("", ""))
    lines = walk_table.markdown(table).splitlines()
    assert lines[:2] == ["| part | t | sentence |", "| --- | ---: | --- |"]
    assert lines[2:] == [
        r"| prior-sampled source | 0.00 | a \| b |",
        r"| interpolation | 0.50 | \<b\>\*x\*\</b\> |",
        "| prior-sampled target | 1.00 | c d |",
    ]


def test_latex_escapes_names_a_part_once_and_rules_between_examples():
    both = [
        row
        for example in (1, 2)
        for row in walk_table.rows(
            {"a_b": walk_of("50 % & more", "b", "c", "d_e"), "two": walk_of("a", "b", "c", "d")},
            PRIOR,
            ("", ""),
            example,
        )
    ]
    lines = backend.paths_latex(both).splitlines()
    assert lines[0] == r"\begin{tabular}{rlrp{0.36\linewidth}p{0.36\linewidth}}"
    assert lines[2] == r"example & part & t & a\_b & two \\"
    assert lines[4:8] == [
        r"1 & prior-sampled source & 0.00 & 50 \% \& more & a \\",
        r" & interpolation & 0.33 & b & b \\",
        r" &  & 0.67 & c & c \\",
        r" & prior-sampled target & 1.00 & d\_e & d \\",
    ]
    assert lines[8] == r"\midrule"
    assert lines[9].startswith("2 & prior-sampled source")
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]
