"""Each step can be measured on a tiny model, and one that computes something else is not."""

import json
import sys

import pytest
import torch

from benchmarks import __main__ as everything
from benchmarks import decode_steps, timing
from benchmarks.decode import random_model
from vae import decode
from vae.backbones import products
from vae.backbones.t5_steps import T5Weights

TINY = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "vocab_size": 2048}
NEEDS_PACKING = {"packed", "packed although small", "shortlist"}


@pytest.fixture
def model(monkeypatch):
    """A model with products on both sides of the threshold, a head in 8 bits, and batches of four."""
    monkeypatch.setattr(products, "PACKED_FROM", 300)
    monkeypatch.setattr(products, "SHORTLIST_FROM", 0)
    monkeypatch.setattr(decode, "AT_ONCE", 4)
    with torch.inference_mode():
        yield random_model(TINY)


@pytest.mark.parametrize("name", decode_steps.STEPS)
def test_every_step_has_a_ratio(name, model, capsys):
    step, rows = decode_steps.STEPS[name][0], 1 if name == "longer side" else 9
    step("tiny", model, rows, 1)
    said = capsys.readouterr().out
    possible = name not in NEEDS_PACKING or products.packs(torch.zeros(2, 150))
    assert ("x ours" if possible else "here") in said, said


def spoiled(call):
    return lambda *given: call(*given) * 1.001


@pytest.mark.parametrize(
    ("name", "rows", "owner", "part", "wrong"),
    [
        ("fused", 9, products.Product, "added", spoiled(products.Product.added)),
        ("lanes", 9, T5Weights, "bias", lambda self, tokens: torch.zeros(2, tokens, tokens)),  # looks ahead
        ("norm", 9, T5Weights, "normed", spoiled(T5Weights.normed)),
        ("longer side", 1, products.Product, "__call__", spoiled(products.Product.__call__)),
        ("argmax", 9, decode_steps, "highest", lambda scores: scores.argmin(1)),
        ("dropping", 9, decode_steps, "never_dropping", lambda model, z: torch.zeros(9, 20, dtype=torch.long)),
    ],
)
def test_what_computes_something_else_is_not_measured(name, rows, owner, part, wrong, model, monkeypatch, capsys):
    monkeypatch.setattr(owner, part, wrong)
    with pytest.raises(SystemExit, match="nothing to compare"):
        decode_steps.STEPS[name][0]("tiny", model, rows, 1)
    assert "x ours" not in capsys.readouterr().out


def test_the_command_measures_the_bundled_model_and_keeps_the_ratios(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(decode_steps.STEPS, "norm", (decode_steps.norm, ("bundled",), (1, 3)))
    monkeypatch.setitem(decode_steps.STEPS, "dropping", (decode_steps.dropping, ("bundled",), (5,)))
    monkeypatch.setenv(timing.RECORD, str(tmp_path / "found"))
    monkeypatch.setattr(sys, "argv", ["decode_steps", "--step", "norm", "--step", "dropping", "--repeats", "2"])
    decode_steps.main()
    found = [json.loads(line) for line in (tmp_path / "found").read_text("utf-8").splitlines()]
    assert [entry["side"] for entry in found] == ["T5LayerNorm", "T5LayerNorm", "never dropped"]
    assert all(entry["ratio"] > 0 and len(entry["ratios"]) == 2 for entry in found)
    assert "bundled, rows: 5" in capsys.readouterr().out


def test_it_is_among_those_that_are_run_together():
    assert ["decode_steps"] in everything.ALL.values()
