"""T5s of every shape that decoding must know, at a tiny size, and what they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

MakeT5 = Callable[..., Any]

FLAN = {"head": True, "tie_word_embeddings": False, "feed_forward_proj": "gated-gelu", "d_kv": 12}
VARIANTS: dict[str, dict[str, Any]] = {
    "t5": {},
    "deeper decoder": {"num_layers": 1, "num_decoder_layers": 3},
    "d_kv": {"d_model": 24, "d_kv": 5, "num_heads": 3},
    "untied": {"head": True, "tie_word_embeddings": False},
    "flan": FLAN,
    "large epsilon": {"layer_norm_epsilon": 0.1},
    "few buckets": {"relative_attention_num_buckets": 6, "relative_attention_max_distance": 9},
    "gated, tied": {"feed_forward_proj": "gated-silu", "tie_word_embeddings": False},
}
"""Fields of T5Config; `head` unties the output head."""


def some_ids(rows: int = 4, length: int = 7, seed: int = 0) -> Tensor:
    return torch.randint(35, 330, (rows, length), generator=torch.Generator().manual_seed(seed))


def some_memory(backbone: Any, rows: int = 4, seed: int = 0) -> Tensor:
    return 3 * torch.randn(rows, backbone.memory_size, generator=torch.Generator().manual_seed(seed))
