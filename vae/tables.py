"""Tables of figures as text: aligned for a terminal, CSV for a program, LaTeX for a paper.

A row is a mapping by the names of metrics.jsonl; a name that `glossary.METRICS` knows is headed by its symbol and
rounded as everywhere else, any other is set as it is. Nothing heavy is imported.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from vae.glossary import METRICS

Row = Mapping[str, Any]

ASCII = str.maketrans({"Δ": "delta ", "−": "-", "–": "-"})
"""Signs of the glossary for terminals that have no others."""

TEX = {"\\": r"\textbackslash{}", **{sign: rf"\{sign}" for sign in "&%$#_{}"}, "~": r"\textasciitilde{}"}
TEX |= {"^": r"\textasciicircum{}", "Δ": r"$\Delta$", "−": "$-$", "–": "--"}

NOT_SPOKEN = ("example", "part", "t", "draw")
"""The columns of a table of paths that are no sentences."""


def symbol(name: str, samples: int | None = None) -> str:
    """The symbol of a figure; the K of NLL_K is said where it is known."""
    metric = METRICS.get(name)
    if metric is None:
        return name
    return metric.symbol.replace("_K", f"_{samples}") if samples else metric.symbol


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows of cells in columns of even width; those numbered in `right` end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def comma_separated(rows: Sequence[Row]) -> str:
    """CSV with a header, every digit kept; an interval becomes two columns, NAME_low and NAME_high.

    Lists and tables inside a row are left out, and what a row does not have is empty.
    """
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return buffer.getvalue()


def latex(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """A `tabular` with booktabs rules: figures to the right under their symbols, names and words to the left."""
    samples = {row.get("samples") for row in rows}
    common = samples.pop() if len(samples) == 1 else None  # K is said in the head where it is the same in every row
    head = " & ".join(_tex_head(name, common) for name in columns)
    lines = [" & ".join(_tex_cell(name, row.get(name)) for name in columns) + r" \\" for row in rows]
    sides = "".join("r" if name in METRICS else "l" for name in columns)
    begin, end = rf"\begin{{tabular}}{{{sides}}}", r"\end{tabular}"
    return "\n".join([begin, r"\toprule", head + r" \\", r"\midrule", *lines, r"\bottomrule", end, ""])


def path_part(t: float, source: str, target: str) -> str:
    """What a step of a path is, in the words of Li et al. 2019, Table 13; `source` says how that end was taken."""
    for place, taken, end in ((0.0, source, "source"), (1.0, target, "target")):
        if t == place:
            return f"{taken} {end}"
    return "interpolation" if 0 < t < 1 else "extrapolation"


def paths(rows: Sequence[Row]) -> list[list[str]]:
    """The cells of paths under their head: example, part, t, draw (which of them there are), and sentences.

    An example and a part are named where they begin.
    """
    cells = [list(rows[0])]
    before: Row = {}
    for row in rows:
        same = bool(before) and row.get("example") == before.get("example")
        known = ("example",) * same + ("part",) * (same and row["part"] == before["part"])
        cells.append(["" if name in known else path_cell(value) for name, value in row.items()])
        before = row
    return cells


def paths_latex(rows: Sequence[Row]) -> str:
    """Paths as a `tabular` with booktabs rules, one between examples."""
    numbers, sentences = ("example", "t", "draw"), [name for name in rows[0] if name not in NOT_SPOKEN]
    width = rf"p{{{0.72 / len(sentences):.2f}\linewidth}}"
    sides = "".join("r" if name in numbers else "l" if name == "part" else width for name in rows[0])
    head, *cells = (" & ".join(map(tex, line)) + r" \\" for line in paths(rows))
    lines: list[str] = []
    for number, line in enumerate(cells):
        if number and rows[number].get("example") != rows[number - 1].get("example"):
            lines.append(r"\midrule")
        lines.append(line)
    begin, end = rf"\begin{{tabular}}{{{sides}}}", r"\end{tabular}"
    return "\n".join([begin, r"\toprule", head, r"\midrule", *lines, r"\bottomrule", end, ""])


def path_cell(value: object) -> str:
    """A cell of a path: t with two digits, a sentence on one line, nothing where there is none."""
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else " ".join(str(value).split())


def _flat(row: Row) -> dict[str, Any]:
    intervals = row.get("intervals") or {}
    flat = {}
    for name, value in row.items():
        if isinstance(value, list | tuple | dict):
            continue
        flat[name] = value
        if name in intervals:
            flat[f"{name}_low"], flat[f"{name}_high"] = intervals[name]
    return flat


def _tex_head(name: str, samples: int | None) -> str:
    head = symbol(name, samples)
    if head.startswith("NLL_"):
        return f"NLL$_{{{head[4:]}}}$"
    return tex(head if name in METRICS else (head[:1].upper() + head[1:]).replace("_", " "))


def _tex_cell(name: str, value: object) -> str:
    if name in METRICS and isinstance(value, int | float):
        return tex(f"{round(value, 2) + 0.0:.2f}" if METRICS[name].digits else f"{value}")  # as papers print them
    return "--" if value is None else tex(str(value))


def tex(text: str) -> str:
    """Text as LaTeX sets it."""
    return "".join(TEX.get(sign, sign) for sign in text)
