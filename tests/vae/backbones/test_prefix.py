"""z as a first key and value of self-attention, against attention written out in full."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from vae.backbones.prefix import PrefixT5
from vae.batching import tokenize
from vae.model import TextVAE


def written_out(t5: Any, slots: Tensor, ids: Tensor) -> Tensor:
    """Decoder states (B, T, D) where every layer sees slot (layers, B, H, S), then the tokens; nothing crosses."""
    length, attentions = ids.shape[1], [block.layer[0].SelfAttention for block in t5.decoder.block]
    heads, size = t5.config.num_heads, t5.config.d_kv
    bias = attentions[0].compute_bias(length + 1, length + 1)[:, :, 1:]  # the slot stands before the first token
    future = torch.ones(length, length + 1).triu(2).bool()
    h = t5.shared(ids)
    for layer, (block, attention) in enumerate(zip(t5.decoder.block, attentions, strict=True)):
        x = block.layer[0].layer_norm(h)
        q, k, v = (
            part(x).view(*ids.shape, heads, size).transpose(1, 2) for part in (attention.q, attention.k, attention.v)
        )
        slot = slots[layer][:, :, None]
        k, v = torch.cat([slot, k], 2), torch.cat([slot, v], 2)
        weights = torch.softmax((q @ k.transpose(-1, -2) + bias).masked_fill(future, -torch.inf), -1)
        h = h + attention.o((weights @ v).transpose(1, 2).flatten(2))
        h = h + block.layer[2].DenseReluDense(block.layer[2].layer_norm(h))
    return t5.decoder.final_layer_norm(h)


@pytest.mark.parametrize("shape", [{}, {"num_layers": 1, "num_decoder_layers": 3}, {"d_kv": 5, "num_heads": 3}])
def test_decoder_states_are_those_of_attention_written_out(make_t5: Callable[..., Any], shape: dict[str, int]) -> None:
    backbone = PrefixT5(make_t5(3, **shape))
    memory, ids = 3 * torch.randn(4, backbone.memory_size), torch.randint(35, 330, (4, 9))
    config = backbone.t5.config
    slots = memory.view(4, config.num_decoder_layers, config.num_heads, config.d_kv).transpose(0, 1)
    with torch.inference_mode():
        expected = written_out(backbone.t5, slots, ids)
        torch.testing.assert_close(backbone.hidden(memory, ids), expected, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(backbone.hidden(memory * 0, ids), expected, atol=1e-2)


def test_pooling_all_positions_reads_padding_but_not_the_batch(
    make_t5: Callable[..., Any], tokenizer: Any, sentences: list[str]
) -> None:
    torch.manual_seed(0)
    model = TextVAE.around(PrefixT5(make_t5()), latent_size=5, pooling="mean", pooled_positions=48).eval()
    tokens = tokenize(tokenizer, sentences[:7], 48)
    ids = torch.nn.functional.pad(tokens.batch(range(7)).ids, (0, 48))[:, :48]
    with torch.inference_mode():
        states = model.backbone.t5.encoder(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state
        expected = model.mean(states.mean(1))
        torch.testing.assert_close(model.encode(tokens.batch(range(7))).mean, expected, rtol=1e-4, atol=1e-5)
        for row in range(7):
            torch.testing.assert_close(model.encode(tokens.batch([row])).mean[0], expected[row], rtol=1e-4, atol=1e-5)
