"""T5 with several slots of z as its memory, read through the cross-attention that T5 was pretrained with.

z W_proj is k slots of d_model numbers, which stand where T5 expects the states of its encoder: each decoder layer makes
keys and values of them with its own pretrained projections, and the query of each token selects among them. So W_proj
is the one way by which z enters, and q, k, v and o of cross-attention belong to the decoder.

The kin is the "memory" of Optimus (Li et al. 2020): there, too, z is projected to something that attention reads beside
the words, but to one vector for each layer of GPT-2, among the keys and values of its self-attention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vae.backbones.t5 import T5Backbone, blank
from vae.backbones.t5_steps import T5Steps


class SlotsT5(T5Backbone):
    """A T5 whose decoder reads a memory of `slots` x d_model numbers in place of encoder states."""

    kind = "t5-slots"

    def __init__(self, t5: Any, slots: int) -> None:
        super().__init__(t5)
        self.slots = slots
        self.memory_size = slots * self.width

    def prepare(self) -> None:
        """Nothing: the library's cross-attention stays."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> SlotsT5:
        """A T5 of this architecture with random weights; the inverse of `settings`."""
        return cls(blank({name: value for name, value in settings.items() if name != "slots"}), settings["slots"])

    def settings(self) -> dict[str, Any]:
        """T5's, and the number of slots."""
        return super().settings() | {"slots": self.slots}

    def read(self, memory: Float[Tensor, "batch memory"]) -> Float[Tensor, "batch slots width"]:
        """What cross-attention is given in place of encoder states."""
        return memory.view(len(memory), self.slots, self.width)

    def steps(self, memory: Float[Tensor, "batch memory"], max_tokens: int) -> T5Steps:
        """Incremental decoding; the keys and values of the slots are computed once."""
        return SlotSteps(self, memory, max_tokens)


class SlotSteps(T5Steps):
    """`T5Steps` with cross-attention over the slots of each sentence."""

    backbone: SlotsT5

    def remember(self, memory: Float[Tensor, "batch memory"]) -> list[Float[Tensor, "batch 2 heads slots size"]]:
        """The keys and values of the slots by layer."""
        slots, terms = self.backbone.read(memory), []
        for block in self.blocks:
            attention = block.layer[1].EncDecAttention
            both = F.linear(slots, torch.cat([attention.k.weight, attention.v.weight]))  # (B, M, 2 x H x S)
            terms.append(both.view(*slots.shape[:2], 2, self.heads, self.size).permute(0, 2, 3, 1, 4))
        return terms

    def cross(self, layer: int, h: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """The states after a layer's cross-attention, which has no position bias and, as all of T5's, no scale."""
        block = self.blocks[layer].layer[1]
        keys, values = self.latent[layer].unbind(1)  # (B, H, M, S) each
        normed = self.weights.normed(h) * (block.layer_norm.weight * h.shape[1] ** 0.5)
        q = block.EncDecAttention.q(normed).view(len(h), self.heads, 1, self.size)
        read = torch.softmax(q @ keys.mT, -1) @ values  # (B, H, 1, S)
        read_out: Tensor = block.EncDecAttention.o(read.reshape(len(h), -1))
        return h + read_out
