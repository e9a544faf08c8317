"""A teaching replay: T5 with the memory laid out as the code released with Park & Lee 2021 lays it out.

That code reshapes z W_proj from [batch, layers x heads x d_kv] to [layers, batch, heads x d_kv] without a transpose.
The numbers stay in their order and change their owner: layer l of sentence b reads slot l x batch + b of the flat
array, which belongs to sentence (l x batch + b) // layers. At a batch of 128 and 6 layers, 6 of 768 slots are a
sentence's own. A decoder that is trained so learns to do without z, while KL, MI and AU, which look at the encoder
alone, say nothing of it.

Everything else is `T5Backbone`; nothing of this is known outside of this file. What comes out depends on the batch: a
single sentence is decoded from its own z, and sentences together are not. That is the point.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from vae.backbones.t5 import T5Backbone
from vae.backbones.t5_steps import T5Steps


class AsReleased(T5Backbone):
    """A T5 whose decoder layers read the slots of other sentences."""

    kind = "t5-as-released"

    def hidden(
        self, memory: Float[Tensor, "batch memory"], ids: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length width"]:
        """Decoder states, from misplaced slots."""
        return super().hidden(misplaced(memory, len(self.t5.decoder.block)), ids)

    def steps(self, memory: Float[Tensor, "batch memory"], max_tokens: int) -> T5Steps:
        """Incremental decoding, from misplaced slots."""
        return super().steps(misplaced(memory, len(self.t5.decoder.block)), max_tokens)


def misplaced(memory: Float[Tensor, "batch memory"], layers: int) -> Float[Tensor, "batch memory"]:
    """For each sentence the slots that the reshape without a transpose hands to it, one a layer."""
    batch = len(memory)
    slots = memory.reshape(layers, batch, -1)  # where [batch, layers, ...] was meant
    return slots.transpose(0, 1).reshape(batch, -1)
