"""How much of the machine training uses: the products that a token needs, over what the device multiplies at most."""

from __future__ import annotations

import time
from typing import Any

import torch

SIDE = 768
"""Rows and columns of the product by which the device is measured: large enough for it to be busy with nothing else."""


def peak_flops(device: torch.device, precision: str) -> float:
    """Floating-point operations a second of a large product in `bf16` or `fp32`: the best of a tenth of a second.

    Of the device as this process may use it, with as many threads as are set.
    """
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.ones(SIDE, SIDE, dtype=kind, device=device) for _ in range(2))
    best, end = float("inf"), time.perf_counter() + 0.1
    while time.perf_counter() < end:
        begun = time.perf_counter()
        torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - begun)
    return 2 * SIDE**3 / best


def flops_per_token(module: Any) -> float:
    """Floating-point operations that a training step spends on a token, within a tenth: those with its weights.

    Each weight of a matrix costs a multiplication and an addition forward, as many for the gradient of its input, and
    as many for its own if it trains. A table that is only looked up costs nothing; one that is also the head does.
    """
    tables = {id(layer.weight): layer for layer in module.modules() if isinstance(layer, torch.nn.Embedding)}
    heads = {id(layer.weight) for layer in module.modules() if isinstance(layer, torch.nn.Linear)}
    matrices = [p for p in module.parameters() if p.dim() == 2 and (id(p) in heads or id(p) not in tables)]
    return float(sum(p.numel() * (6 if p.requires_grad else 4) for p in matrices))
