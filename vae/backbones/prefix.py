"""T5 with z as a first key and value of its decoder's *self*-attention, as in the code released with Park & Lee 2021.

The paper's Eq. 5 puts z W_proj into cross-attention; its released code hands it to the decoder as a cached past of one
position, so that z competes with the words written so far, lies one place before the start token for T5's relative
position bias, and cross-attention is skipped. This backbone opens checkpoints of that code (`vae.exchange.lightning`);
nothing is trained with it here. Each sentence reads its own slots, as that code does for one sentence at a time.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from vae.backbones.t5 import T5Backbone
from vae.backbones.t5_steps import T5Steps


class PrefixT5(T5Backbone):
    """A T5 whose decoder finds z among the words it has written."""

    kind = "t5-prefix"

    def hidden(
        self, memory: Float[Tensor, "batch memory"], ids: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length width"]:
        """Decoder states. The library's cache holds z before the first token."""
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        for layer, slot in enumerate(self.slots(memory)[..., None, :]):
            cache.self_attention_cache.update(slot, slot, layer)
        decoded: Tensor = self.t5.decoder(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
        return decoded

    def steps(self, memory: Float[Tensor, "batch memory"], max_tokens: int) -> T5Steps:
        """Incremental decoding after a cache that begins with z."""
        return PrefixSteps(self, memory, max_tokens)

    def slots(self, memory: Float[Tensor, "batch memory"]) -> Float[Tensor, "layers batch heads size"]:
        """What each layer finds as its first key and, again, as its first value."""
        config = self.t5.config
        return memory.view(len(memory), -1, config.num_heads, config.d_kv).transpose(0, 1)


class PrefixSteps(T5Steps):
    """`T5Steps` with z in the first place of the cache, and nothing from cross-attention."""

    def __init__(self, backbone: PrefixT5, memory: Float[Tensor, "batch memory"], max_tokens: int) -> None:
        super().__init__(backbone, memory, max_tokens + 1)
        self.cache[..., 0, :] = backbone.slots(memory)[:, None]
        self.latent = [torch.zeros_like(term) for term in self.latent]
        self.length = 1
