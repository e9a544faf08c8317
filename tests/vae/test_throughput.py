"""What training uses of the machine: the operations of a token by hand, and a peak that products stay below."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from vae import base
from vae.config import Lstm
from vae.space import Space
from vae.throughput import flops_per_token, peak_flops

MakeSpace = Callable[..., Space]


def test_every_weight_of_a_t5_is_multiplied_and_its_tied_table_once(make_space: MakeSpace) -> None:
    model = make_space(0, t5={}).model.requires_grad_()
    matrices = {id(p): p for p in model.parameters() if p.dim() == 2}
    bias = {id(p) for name, p in model.named_parameters() if "relative_attention_bias" in name}
    assert flops_per_token(model) == 6 * sum(p.numel() for key, p in matrices.items() if key not in bias)


def test_what_is_frozen_needs_no_gradient_of_its_own(make_space: MakeSpace) -> None:
    model = make_space(0, t5={}).model.requires_grad_()
    whole = flops_per_token(model)
    for parameter in model.parts()["decoder"]:
        parameter.requires_grad_(False)
    bias = sum(p.numel() for n, p in model.named_parameters() if "decoder" in n and "relative_attention_bias" in n)
    frozen = sum(p.numel() for p in model.parts()["decoder"] if p.dim() == 2)
    assert flops_per_token(model) == whole - 2 * (frozen - bias)


def test_a_table_that_is_only_looked_up_costs_nothing() -> None:
    lstm = base.fresh_lstm(Lstm(width=8, embedding=4), 50)
    gates = 2 * (4 * 8 * 4 + 4 * 8 * 8)  # of the encoder and the decoder
    assert flops_per_token(lstm) == 6 * (gates + 8 * 50)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_peak_is_that_of_a_product_in_the_precision(precision: str) -> None:
    torch.set_num_threads(1)
    peak = peak_flops(torch.device("cpu"), precision)
    side = torch.ones(256, 256, dtype=torch.float32 if precision == "fp32" else torch.bfloat16)
    torch.mm(side, side)
    begun = time.perf_counter()
    torch.mm(side, side)
    small = 2 * 256**3 / (time.perf_counter() - begun)
    assert 0 < small < 20 * peak
    assert peak > 1e8
