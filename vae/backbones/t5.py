"""T5 as a backbone: the library's modules and weights, with z as the sole memory of cross-attention.

Park & Lee 2021, Eq. 5 make (K, V) of each decoder layer's cross-attention a slice of z W_proj, one slot a sentence.
A softmax over one slot is 1 whatever the query, so cross-attention *is* W_o V: the query and key projections do
nothing, and a layer costs one small product a sentence instead of one a token. `LatentCrossAttention` implements
that identity and takes the place of the library's layer, so that the library's own forward and `generate` run on it.

Left out: attention dropout, which would act on that single weight and silence z for a whole head; the layer norm
before cross-attention, which feeds only the query; the relative position bias, which cross-attention does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import T5Config, T5ForConditionalGeneration

from vae.backbones.t5_steps import T5Steps, T5Weights


class LatentCrossAttention(nn.Module):
    """h + dropout(W_o v): T5's cross-attention when its memory is a single slot v, here a slice of z W_proj."""

    def __init__(self, o: nn.Linear, dropout: float, layer: int) -> None:
        super().__init__()
        self.o = o
        self.dropout = nn.Dropout(dropout)
        self.slice = slice(layer * o.in_features, (layer + 1) * o.in_features)

    def forward(
        self,
        hidden_states: Float[Tensor, "batch length width"],
        key_value_states: Float[Tensor, "batch 1 memory"],
        **_: Any,
    ) -> tuple[Float[Tensor, "batch length width"], None, None]:
        """The library's signature of a cross-attention layer; everything about queries and masks is moot."""
        return hidden_states + self.dropout(self.o(key_value_states[..., self.slice])), None, None


class T5Backbone(nn.Module):
    """A T5 whose decoder reads a memory vector of layers x heads x d_kv numbers instead of encoder states."""

    kind = "t5"
    pooling = "max"

    def __init__(self, t5: Any) -> None:
        super().__init__()
        config = t5.config
        self.t5 = t5
        self.prepare()
        self.train(t5.training)  # the new layers, too
        self.width: int = config.d_model
        self.memory_size: int = config.num_decoder_layers * config.num_heads * config.d_kv
        self.start_token: int = _or(config.decoder_start_token_id, config.pad_token_id)
        self.pad_token: int = config.pad_token_id
        self.end_token: int = config.eos_token_id

    def prepare(self) -> None:
        """Put the layers that read a single slot in the place of the library's cross-attention."""
        for layer, block in enumerate(self.t5.decoder.block):
            if not isinstance(block.layer[1], LatentCrossAttention):
                o, dropout = block.layer[1].EncDecAttention.o, self.t5.config.dropout_rate
                block.layer[1] = LatentCrossAttention(o, dropout, layer)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> T5Backbone:
        """A T5 of this architecture with random weights; the inverse of `settings`."""
        return cls(blank(settings))

    def settings(self) -> dict[str, Any]:
        """The fields of T5's configuration that shape it, and whether the head is the embedding table."""
        config = self.t5.config
        values = {name: getattr(config, name) for name in SETTINGS}
        return {"kind": self.kind, "tied_head": self.tied_head} | values

    @property
    def tied_head(self) -> bool:
        """Whether the output head is T5's embedding table."""
        return self.t5.lm_head.weight is self.t5.shared.weight

    def states(
        self, ids: Int[Tensor, "batch length"], mask: Bool[Tensor, "batch length"], *, every_layer: bool
    ) -> list[Float[Tensor, "batch length width"]]:
        """Encoder states. Inner layers pass the final norm too, so that the layers that are pooled are comparable."""
        encoder = self.t5.encoder
        output = encoder(input_ids=ids, attention_mask=mask.long(), output_hidden_states=every_layer)
        if not every_layer:
            return [output.last_hidden_state]
        inner = output.hidden_states[1:-1]  # the first is the embeddings, the last has passed the final norm
        return [encoder.final_layer_norm(state) for state in inner] + [output.last_hidden_state]

    def hidden(
        self, memory: Float[Tensor, "batch memory"], ids: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length width"]:
        """Decoder states. Causal attention never looks right, so padding on the right needs no mask."""
        decoded: Tensor = self.t5.decoder(
            input_ids=ids, encoder_hidden_states=self.read(memory), use_cache=False
        ).last_hidden_state
        return decoded

    def read(self, memory: Float[Tensor, "batch memory"]) -> Float[Tensor, "batch slots size"]:
        """What cross-attention is given in place of encoder states: the memory as a single slot."""
        return memory[:, None]

    def logits(self, hidden: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows vocabulary"]:
        """Next-token logits; a head that is tied in the T5 way is scaled by width^-0.5."""
        scaled = hidden * self.width**-0.5 if self.t5.config.scale_decoder_outputs else hidden
        logits: Tensor = self.t5.lm_head(scaled)
        return logits

    def steps(self, memory: Float[Tensor, "batch memory"], max_tokens: int) -> T5Steps:
        """Incremental decoding with a preallocated cache."""
        return T5Steps(self, memory, max_tokens)

    def train(self, mode: bool = True) -> T5Backbone:
        """The library's switch. What decoding has prepared is for the weights as they are before training goes on."""
        T5Weights.forget(self.t5)
        super().train(mode)
        return self

    def initialize(self, layer: nn.Module) -> None:
        """Nothing: Park & Lee leave new layers as torch draws them."""

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """T5's one embedding table is its own part; so is an untied head. W_o belongs to the decoder."""
        return {
            "embeddings": [self.t5.shared.weight],
            "encoder": [*self.t5.encoder.block.parameters(), *self.t5.encoder.final_layer_norm.parameters()],
            "decoder": [*self.t5.decoder.block.parameters(), *self.t5.decoder.final_layer_norm.parameters()],
            "head": [] if self.tied_head else [self.t5.lm_head.weight],
        }


SETTINGS = (
    "vocab_size",
    "d_model",
    "d_kv",
    "d_ff",
    "num_layers",
    "num_decoder_layers",
    "num_heads",
    "relative_attention_num_buckets",
    "relative_attention_max_distance",
    "dropout_rate",
    "layer_norm_epsilon",
    "feed_forward_proj",
    "scale_decoder_outputs",
    "pad_token_id",
    "eos_token_id",
    "decoder_start_token_id",
)
"""The fields of `T5Config` that a saved model needs."""


def blank(settings: Mapping[str, Any]) -> Any:
    """A T5 with the library's random weights from `T5Backbone.settings`, less `kind`."""
    values = dict(settings)
    tied = values.pop("tied_head")
    t5 = T5ForConditionalGeneration(T5Config(**values))
    t5.config.tie_word_embeddings = tied
    if not tied:
        t5.lm_head.weight = nn.Parameter(t5.lm_head.weight.detach().clone())
    return t5


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
