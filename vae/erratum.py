"""Tables 1 to 4 of Park & Lee 2021 as printed, and what follows from the printed numbers.

The paper is "Finetuning Pretrained Transformers into Variational Autoencoders" (https://arxiv.org/abs/2108.02446). Its
-ELBO column holds rec - KL where -ELBO is rec + KL. Each row also prints PPL and KL, so everything can be recovered:

    rec = reported + KL          corrected = rec + KL          tokens of a sentence = corrected / ln PPL

Only what the paper prints is typed in here; everything else is computed. The rows that the paper quotes from others are
left out: nothing about them changes. `python -m vae.erratum` prints the tables of docs/erratum.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MI_BATCH = 256
"""Sentences among which the paper's MI is estimated: the released code does so inside a batch, and its README evaluates
with batches of 256."""

MI_CEILING_NATS = math.log(MI_BATCH)
"""The most that MI can show among `MI_BATCH` sentences, in nats."""

ROUNDING = 0.005
"""How far a printed number may lie from the measured one: the tables have two decimals."""

NEAR_CEILING_NATS = 0.5
"""Within this distance of its ceiling, MI is only known to be at least that."""


@dataclass(frozen=True)
class Row:
    """One row of the paper's own models, as printed. Nats are per sentence; none is a cell without a number."""

    data: str
    table: int
    name: str
    ppl: float
    kl_nats: float
    reported_nats: float
    """The column -ELBO."""
    mi_nats: float | None
    active_units: int | None

    @property
    def label(self) -> str:
        """The name in short: what the row adds to the one above it."""
        _, plus, last = self.name.rpartition(" + ")
        return f"+ {last}" if plus else last

    @property
    def layers(self) -> int:
        """Layers of the T5: "6-layer T5, except the deep variant with 12 layers" (caption of Table 1)."""
        return 12 if self.name.endswith("Deep") else 6


_MAX, _DENOISE = "Max pool", "Max pool + Denoise"
_KLT, _DEEP = "Max pool + Denoise + KLT", "Max pool + Denoise + KLT + Deep"

ROWS: tuple[Row, ...] = (
    Row("Yahoo", 1, _MAX, 20.90, 0.21, 343.02, 0.04, 0),
    Row("Yahoo", 1, _DENOISE, 30.13, 41.49, 301.86, 1.32, 24),
    Row("Yahoo", 1, _KLT, 60.44, 119.89, 223.69, 4.73, 29),
    Row("Yahoo", 1, _DEEP, 54.40, 155.50, 140.57, 5.43, 28),
    Row("PTB", 2, _MAX, 51.60, 0.09, 104.14, 0.0, 0),
    Row("PTB", 2, _DENOISE, 57.69, 3.05, 101.17, None, 11),  # one number for MI and AU: see `mi_bound_nats`
    Row("PTB", 2, _KLT, 250.44, 41.93, 62.25, 2.17, 24),
    Row("PTB", 2, _DEEP, 705.73, 84.28, 4.95, None, 13),  # likewise
    Row("Yelp", 3, _MAX, 21.65, 0.25, 404.54, 0.0, 0),
    Row("Yelp", 3, _DENOISE, 39.09, 77.85, 327.17, 1.06, 26),
    Row("Yelp", 3, _KLT, 86.71, 182.24, 223.34, 5.46, 27),
    Row("Yelp", 3, _DEEP, 53.05, 178.48, 166.15, 5.55, 10),
    Row("SNLI", 4, _MAX, 12.79, 0.11, 34.61, 0.06, 0),
    Row("SNLI", 4, _DENOISE, 15.16, 2.41, 32.32, 0.194, 7),
    Row("SNLI", 4, _KLT, 85.88, 26.12, 8.62, 0.88, 13),
    Row("SNLI", 4, _DEEP, 2358.31, 74.95, 43.77, 5.27, 17),
)
"""The sixteen rows, in the paper's order."""

DATA: tuple[str, ...] = tuple(dict.fromkeys(row.data for row in ROWS))
"""The data sets, in the paper's order."""


def rows(data: str) -> tuple[Row, ...]:
    """The rows of one data set; the first of them has a KL near 0."""
    if data not in DATA:
        raise ValueError(f"The paper has no table for {data}; it has {', '.join(DATA)}.")
    return tuple(row for row in ROWS if row.data == data)


def signed_nats(row: Row) -> float:
    """The reported -ELBO with its sign.

    Where KL is larger than rec, rec - KL is negative, and the table prints its size alone. Of the two signs the one is
    taken whose correction is nearer to what the row's own PPL implies.
    """
    candidates = (row.reported_nats, -row.reported_nats)
    return min(candidates, key=lambda nats: abs(nats + 2 * row.kl_nats - implied_nats(row)))


def rec_nats(row: Row) -> float:
    """-log p(x|z), from reported = rec - KL."""
    return signed_nats(row) + row.kl_nats


def corrected_nats(row: Row) -> float:
    """-ELBO = rec + KL."""
    return rec_nats(row) + row.kl_nats


def tokens(nats: float, row: Row) -> float:
    """How many tokens a sentence has if it costs `nats` at the row's perplexity: PPL = exp(nats / tokens)."""
    return nats / math.log(row.ppl)


def implied_nats(row: Row) -> float:
    """-ELBO by the row's PPL alone.

    The tokens of a sentence come from the first row of its data set. Its KL is so near 0 that rec + KL and rec - KL
    differ by less than a percent, and every other row of the data set was measured on the same sentences.
    """
    first = rows(row.data)[0]
    return tokens(first.reported_nats + 2 * first.kl_nats, first) * math.log(row.ppl)


def mi_bound_nats(row: Row) -> float:
    """The most that MI can be in this row: it is a part of KL, and its estimate has a ceiling.

    Two rows of Table 2 print one number for MI and AU together. It is above this bound, so it is read as AU.
    """
    return min(row.kl_nats, MI_CEILING_NATS)


def saturated(row: Row) -> bool:
    """Whether the printed MI is so near its ceiling that it only says "at least"."""
    return row.mi_nats is not None and row.mi_nats > MI_CEILING_NATS - NEAR_CEILING_NATS


def fitting_tokens(data: str, *, as_reported: bool = False) -> tuple[float, float] | None:
    """The tokens of a sentence that fit every row of a data set, from least to most, or none if no number does.

    A row allows a range, because what it prints is rounded. As reported, the column -ELBO is taken at its word.
    """
    least, most = 0.0, math.inf
    for row in rows(data):
        nats, slack = (row.reported_nats, ROUNDING) if as_reported else (corrected_nats(row), 3 * ROUNDING)
        least = max(least, (nats - slack) / math.log(row.ppl + ROUNDING))
        most = min(most, (nats + slack) / math.log(row.ppl - ROUNDING))
    return (least, most) if least <= most else None


def spread(values: Iterable[float]) -> float:
    """The largest less the smallest, as a share of the largest: 0 for a constant."""
    found = list(values)
    return (max(found) - min(found)) / max(found)


def table() -> str:
    """All sixteen rows, as reported and corrected, in Markdown."""
    head = (
        "data",
        "row",
        "PPL",
        "KL",
        "MI",
        "ceiling of MI",
        "AU",
        "-ELBO as reported",
        "rec",
        "-ELBO corrected",
        "-ELBO by PPL",
    )
    lines = [
        (
            f"{row.data} (Table {row.table})",
            row.label,
            f"{row.ppl:.2f}",
            f"{row.kl_nats:.2f}",
            "" if row.mi_nats is None else f"{row.mi_nats:g}" + (" (saturated)" if saturated(row) else ""),
            f"{mi_bound_nats(row):.2f}",
            f"{row.active_units}",
            f"{row.reported_nats:.2f}" + (" (its sign is lost)" if signed_nats(row) < 0 else ""),
            f"{rec_nats(row):.2f}",
            f"{corrected_nats(row):.2f}",
            f"{implied_nats(row):.1f}",
        )
        for row in ROWS
    ]
    return _markdown(head, lines)


def worked(row: Row) -> str:
    """The arithmetic of one row, line by line."""
    return "\n".join(
        (
            f"rec    = reported + KL  = {signed_nats(row):.2f} + {row.kl_nats:.2f} = {rec_nats(row):.2f}",
            f"-ELBO  = rec + KL       = {rec_nats(row):.2f} + {row.kl_nats:.2f} = {corrected_nats(row):.2f}",
            f"tokens = -ELBO / ln PPL = {corrected_nats(row):.2f} / ln {row.ppl:.2f} = "
            f"{tokens(corrected_nats(row), row):.2f}",
        )
    )


def tokens_table() -> str:
    """Tokens of a sentence by each row, under both readings of the column, in Markdown."""
    lines = []
    for data in DATA:
        for reading in ("as reported", "corrected"):
            as_reported = reading == "as reported"
            found = [tokens(row.reported_nats if as_reported else corrected_nats(row), row) for row in rows(data)]
            fit = fitting_tokens(data, as_reported=as_reported)
            counts = [f"{count:.2f}" for count in found]
            lines.append(
                (data, reading, *counts, f"{spread(found):.2%}", f"{fit[0]:.3f} to {fit[1]:.3f}" if fit else "none")
            )
    return _markdown(
        ("data", "-ELBO", *(row.label for row in rows(DATA[0])), "spread", "one number that fits every row"), lines
    )


def rec_table() -> str:
    """What rebuilding costs in each row, beside what z holds, in Markdown."""
    lines = []
    for data in DATA:
        six = [row for row in rows(data) if row.layers == 6]
        deep = next(row for row in rows(data) if row.layers == 12)
        costs, held = [rec_nats(row) for row in six], [row.kl_nats for row in six]
        lines.append(
            (
                data,
                f"{min(held):.2f} to {max(held):.2f}",
                f"{min(costs):.2f} to {max(costs):.2f}",
                f"{max(costs) - min(costs):.2f}",
                f"{deep.kl_nats:.2f}",
                f"{rec_nats(deep):.2f}",
            )
        )
    head = ("data", "KL, 6 layers", "rec, 6 layers", "largest difference of rec", "KL, 12 layers", "rec, 12 layers")
    return _markdown(head, lines)


def _markdown(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    columns = tuple(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (columns, ("---",) * len(columns), *lines))


if __name__ == "__main__":
    print(table(), worked(ROWS[2]), tokens_table(), rec_table(), sep="\n\n")
