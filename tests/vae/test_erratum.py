"""The derived numbers against those worked out by hand, and the document against the module."""

import math
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from vae import erratum

ROOT = Path(__file__).parent.parent.parent

BY_HAND = """
Yahoo 20.90   0.21   343.02 343.23 343.44
Yahoo 30.13   41.49  301.86 343.35 384.84
Yahoo 60.44   119.89 223.69 343.58 463.47
Yahoo 54.40   155.50 140.57 296.07 451.57
PTB   51.60   0.09   104.14 104.23 104.32
PTB   57.69   3.05   101.17 104.22 107.27
PTB   250.44  41.93  62.25  104.18 146.11
PTB   705.73  84.28  4.95   89.23  173.51
Yelp  21.65   0.25   404.54 404.79 405.04
Yelp  39.09   77.85  327.17 405.02 482.87
Yelp  86.71   182.24 223.34 405.58 587.82
Yelp  53.05   178.48 166.15 344.63 523.11
SNLI  12.79   0.11   34.61  34.72  34.83
SNLI  15.16   2.41   32.32  34.73  37.14
SNLI  85.88   26.12  8.62   34.74  60.86
SNLI  2358.31 74.95  43.77  31.18  106.13
"""
"""Data, PPL, KL, -ELBO as reported, rec, -ELBO corrected."""


@pytest.mark.parametrize(("row", "line"), list(zip(erratum.ROWS, BY_HAND.split("\n")[1:-1], strict=True)))
def test_every_row_is_as_worked_out_by_hand(row, line):
    data, *numbers = line.split()
    found = [row.ppl, row.kl_nats, row.reported_nats, erratum.rec_nats(row), erratum.corrected_nats(row)]
    assert (row.data, [f"{number:.2f}" for number in found]) == (data, [f"{float(text):.2f}" for text in numbers])


def test_the_rows_are_named_and_numbered_as_in_the_paper():
    assert erratum.DATA == ("Yahoo", "PTB", "Yelp", "SNLI")
    for number, data in enumerate(erratum.DATA, start=1):
        assert {row.table for row in erratum.rows(data)} == {number}
        assert [row.label for row in erratum.rows(data)] == ["Max pool", "+ Denoise", "+ KLT", "+ Deep"]
        assert [row.layers for row in erratum.rows(data)] == [6, 6, 6, 12]


def test_what_is_printed_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        erratum.ROWS[0].ppl = 1.0


def test_an_unknown_data_set_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="no table for Captions; it has Yahoo, PTB, Yelp, SNLI"):
        erratum.rows("Captions")


def test_only_one_row_has_lost_its_sign():
    lost = [(row.data, row.label) for row in erratum.ROWS if erratum.signed_nats(row) < 0]
    assert lost == [("SNLI", "+ Deep")]
    assert erratum.signed_nats(erratum.ROWS[-1]) == -43.77


@pytest.mark.parametrize("data", erratum.DATA)
def test_corrected_rows_agree_on_the_tokens_of_a_sentence_and_reported_ones_do_not(data):
    rows = erratum.rows(data)
    corrected = [erratum.tokens(erratum.corrected_nats(row), row) for row in rows]
    reported = [erratum.tokens(row.reported_nats, row) for row in rows]
    assert erratum.spread(corrected) < 0.001
    assert erratum.spread(reported) > 0.5
    fit = erratum.fitting_tokens(data)
    assert fit is not None
    assert fit[0] == pytest.approx(corrected[0], rel=0.001)
    assert fit[1] - fit[0] < 0.01
    assert erratum.fitting_tokens(data, as_reported=True) is None


def test_the_fit_is_what_the_rounding_allows():
    """Yahoo: the least and the most that each row allows, worked out apart from the module."""
    lows = [(343.02 + 2 * 0.21 - 0.015) / math.log(20.905), (223.69 + 2 * 119.89 - 0.015) / math.log(60.445)]
    highs = [(343.02 + 2 * 0.21 + 0.015) / math.log(20.895), (223.69 + 2 * 119.89 + 0.015) / math.log(60.435)]
    low, high = erratum.fitting_tokens("Yahoo")
    assert max(lows) <= low <= high <= min(highs)


@pytest.mark.parametrize("row", erratum.ROWS)
def test_perplexity_alone_implies_the_corrected_figure(row):
    assert erratum.implied_nats(row) == pytest.approx(erratum.corrected_nats(row), rel=0.001)


@pytest.mark.parametrize("data", erratum.DATA)
def test_six_layers_rebuild_equally_well_whatever_z_holds(data):
    shallow = [row for row in erratum.rows(data) if row.layers == 6]
    costs = [erratum.rec_nats(row) for row in shallow]
    assert max(costs) - min(costs) < 1.0
    assert max(row.kl_nats for row in shallow) - min(row.kl_nats for row in shallow) > 25


def test_mutual_information_is_within_its_bound_and_saturated_in_four_rows():
    assert pytest.approx(5.545, abs=5e-4) == erratum.MI_CEILING_NATS
    for row in erratum.ROWS:
        if row.mi_nats is not None:
            assert row.mi_nats <= erratum.mi_bound_nats(row) + erratum.ROUNDING
    marked = [(row.data, row.label) for row in erratum.ROWS if erratum.saturated(row)]
    assert marked == [("Yahoo", "+ Deep"), ("Yelp", "+ KLT"), ("Yelp", "+ Deep"), ("SNLI", "+ Deep")]
    assert erratum.mi_bound_nats(erratum.ROWS[0]) == 0.21


def test_a_single_number_for_two_columns_is_too_large_for_the_first():
    unclear = [row for row in erratum.ROWS if row.mi_nats is None]
    assert [(row.data, row.active_units) for row in unclear] == [("PTB", 11), ("PTB", 13)]
    assert all(row.active_units > erratum.mi_bound_nats(row) for row in unclear)


def test_the_document_holds_exactly_what_the_module_computes():
    document = (ROOT / "docs" / "erratum.md").read_text(encoding="utf-8")
    tables = [block for block in document.split("\n\n") if block.startswith("| ")]
    assert tables == [erratum.table(), erratum.tokens_table(), erratum.rec_table()]
    assert f"```\n{erratum.worked(erratum.ROWS[2])}\n```" in document
    assert f"ln {erratum.MI_BATCH} = {erratum.MI_CEILING_NATS:.3f}" in document


def test_the_command_prints_the_tables():
    done = subprocess.run(
        [sys.executable, "-m", "vae.erratum"], cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert done.stderr == ""
    assert erratum.table() in done.stdout
    assert done.stdout.isascii()  # every terminal can show it


def test_nothing_heavy_is_loaded():
    code = "import sys, vae.erratum; print(*[name for name in ('torch', 'pandas', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
