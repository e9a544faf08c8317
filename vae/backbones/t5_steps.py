"""T5's decoder one token at a time, for inference: its weights as they are read fastest, and the step of the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vae.backbones.products import Head, Product

if TYPE_CHECKING:
    from vae.backbones.t5 import T5Backbone

LANES = 16
"""Attention looks at a multiple of so many places: what a vector unit takes at a time. Those not yet written weigh
nothing. A softmax over 10 places takes four times as long as over 16, which makes a thirtieth of a sentence with the
bundled model and nothing with larger ones (docs/performance.md)."""


class T5Weights:
    """A decoder's weights as decoding reads them: one product for query, key and value, the norms' gains folded in.

    T5's norm is h / sqrt(mean(h^2) + eps), times a gain; with `floor` = sqrt(eps x width) it is
    h / sqrt(|h|^2 + floor^2), times a gain times sqrt(width), which the next product has taken in.
    """

    def __init__(self, t5: Any) -> None:
        config, decoder = t5.config, t5.decoder
        gain = config.d_model**0.5

        def after(norm: Any, *layers: Any) -> Product:
            return Product(torch.cat([layer.weight for layer in layers]) * (norm.weight * gain))

        self.qkv, self.o, self.wi, self.wo = [], [], [], []
        for block in decoder.block:
            attention, dense = block.layer[0].SelfAttention, block.layer[2].DenseReluDense
            self.qkv.append(after(block.layer[0].layer_norm, attention.q, attention.k, attention.v))
            self.o.append(Product(attention.o.weight))
            inputs = (dense.wi_0, dense.wi_1) if hasattr(dense, "wi_0") else (dense.wi,)  # T5 v1.1 and FLAN have two
            self.wi.append(after(block.layer[2].layer_norm, *inputs))
            self.wo.append(Product(dense.wo.weight))
        self.gated, self.activation = len(inputs) == 2, dense.act
        self.table = t5.shared.weight.detach()
        self.final = decoder.final_layer_norm.weight.detach() * gain
        if config.scale_decoder_outputs:
            self.final = self.final * config.d_model**-0.5
        self.head = Head(t5.lm_head.weight)
        self.floor = torch.tensor(config.layer_norm_epsilon * config.d_model, device=self.table.device).sqrt()
        self._position = decoder.block[0].layer[0].SelfAttention
        self._bias = torch.empty(config.num_heads, 0, 0)

    def bias(self, tokens: int) -> Float[Tensor, "heads tokens tokens"]:
        """What the distance of two tokens adds to their score in self-attention, of every layer; never looks ahead."""
        if self._bias.shape[1] < tokens:
            ahead = torch.full((tokens, tokens), -torch.inf, device=self.table.device).triu(1)
            self._bias = self._position.compute_bias(tokens, tokens)[0].detach() + ahead
        return self._bias

    def normed(self, h: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
        """T5's norm but for its gain, which `qkv`, `wi` and `final` have."""
        scaled: Tensor = h / torch.hypot(torch.linalg.vector_norm(h, dim=-1, keepdim=True), self.floor)
        return scaled

    def fed_forward(self, layer: int, h: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """The states after a layer's feed-forward part."""
        inner = self.wi[layer](self.normed(h))
        if self.gated:
            gate, inner = inner.chunk(2, -1)
            inner = self.activation(gate) * inner
        else:
            inner = inner.relu_() if isinstance(self.activation, nn.ReLU) else self.activation(inner)
        return self.wo[layer].added(h, inner)

    @classmethod
    def of(cls, t5: Any) -> T5Weights:
        """The weights of a T5 as they are now; made anew only when one of them has changed.

        PyTorch counts changes to a tensor, except those by fused optimizers. So a model in training is read each time,
        and whoever switches it to another mode calls `forget`.
        """
        marks = tuple(
            (p.data_ptr(), 0 if p.is_inference() else p._version) for p in (*t5.decoder.parameters(), t5.lm_head.weight)
        )
        known = _PREPARED.get(t5)
        if known is None or known[0] != marks or t5.training:
            with torch.inference_mode(False), torch.no_grad():
                known = _PREPARED[t5] = marks, cls(t5)
        return known[1]

    @staticmethod
    def forget(t5: Any) -> None:
        """Make the weights of a T5 anew when they are next asked for."""
        _PREPARED.pop(t5, None)


_PREPARED: WeakKeyDictionary[Any, tuple[tuple[tuple[int, int], ...], T5Weights]] = WeakKeyDictionary()


class T5Steps:
    """The decoder one token at a time: what `T5Backbone.hidden` and `logits` compute, without the work twice.

    Per sentence, once: the cross-attention term W_o (z W_proj) of every layer. Per token: one product for query, key
    and value, attention over a cache allocated once, and the feed-forward layer, in as few calls as that takes, since
    for a few rows of a small model the calls are what costs. Same weights in fp32: the tests hold it against the
    library's own `generate`, token for token. Keeps no gradients.
    """

    @torch.no_grad()
    def __init__(self, backbone: T5Backbone, memory: Float[Tensor, "batch memory"], max_tokens: int) -> None:
        config = backbone.t5.config
        self.backbone = backbone
        self.blocks = list(backbone.t5.decoder.block)
        self.weights = T5Weights.of(backbone.t5)
        max_tokens += -max_tokens % LANES
        self.bias = self.weights.bias(max_tokens)
        self.heads, self.size = config.num_heads, config.d_kv
        self.latent = self.remember(memory.detach())
        shape = (len(self.blocks), 2, len(memory), self.heads, max_tokens, self.size)
        self.cache = torch.zeros(shape, dtype=memory.dtype, device=memory.device)  # keys and values of every layer
        self.length = 0

    @torch.no_grad()
    def __call__(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch vocabulary"]:
        """Append one token to every row and return the logits of the next."""
        return self.weights.head.logits(self.states(tokens))

    @torch.no_grad()
    def likeliest(self, tokens: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """Append one token to every row and return the most likely next one."""
        return self.weights.head.likeliest(self.states(tokens))

    def states(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch width"]:
        """Append one token to every row and return what the head reads."""
        weights, t, rows = self.weights, self.length, len(tokens)
        flat, seen = rows * self.heads, t + LANES - t % LANES
        bias = self.bias[:, t, None, :seen].repeat(rows, 1, 1)  # (B x H, 1, T), -inf beyond t
        h = F.embedding(tokens, weights.table)  # (B, D)
        for layer, cache in enumerate(self.cache):
            qkv = weights.qkv[layer](weights.normed(h)).view(rows, 3, self.heads, self.size)
            cache[:, :, :, t] = qkv[:, 1:].transpose(0, 1)
            keys, values = cache.view(2, flat, -1, self.size)[:, :, :seen]
            q = qkv[:, 0].reshape(flat, 1, self.size)
            attention = torch.softmax(torch.baddbmm(bias, q, keys.mT), -1)  # T5 does not scale
            read = torch.bmm(attention, values).view(rows, -1)
            h = weights.fed_forward(layer, self.cross(layer, weights.o[layer].added(h, read)))
        self.length += 1
        final: Tensor = weights.normed(h) * weights.final
        return final

    def remember(self, memory: Float[Tensor, "batch memory"]) -> list[Float[Tensor, "batch ..."]]:
        """What cross-attention needs of the memory, by layer, once a sentence: its whole term, (B, D)."""
        return [block.layer[1].o(memory[:, block.layer[1].slice]) for block in self.blocks]

    def cross(self, layer: int, h: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """The states after a layer's cross-attention."""
        return h.add_(self.latent[layer])

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows only."""
        kept = self.cache.new_zeros(*self.cache.shape[:2], len(rows), *self.cache.shape[3:])
        kept[..., : self.length, :] = self.cache[..., : self.length, :][:, :, rows]
        self.cache = kept
        self.latent = [term[rows] for term in self.latent]
