"""T5 with z as its memory, against the library's own forward and against attention written out in full."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from tests.vae.backbones.tiny import MakeT5, some_ids, some_memory
from vae import backbones
from vae.backbones.t5 import LatentCrossAttention, T5Backbone

# ------------------------------------------------------------------------------------------------ one-slot attention


def attention(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """T5's generic multi-head attention, unscaled: query (B, H, T, S), keys and values (B, H, M, S) -> (B, T, HS)."""
    weights = torch.softmax(query @ keys.transpose(-1, -2) + bias, -1)
    return (weights @ values).transpose(1, 2).flatten(2)


@pytest.mark.parametrize(("heads", "size", "width"), [(2, 8, 16), (3, 5, 24), (1, 7, 8)])
def test_one_slot_attention_is_w_o_v_whatever_the_query(heads: int, size: int, width: int) -> None:
    torch.manual_seed(0)
    batch, length, layers = 5, 6, 3
    hidden, memory = torch.randn(batch, length, width), torch.randn(batch, layers * heads * size)
    o = torch.nn.Linear(heads * size, width, bias=False)
    for layer in range(layers):
        ours, *_ = LatentCrossAttention(o, 0.0, layer)(hidden, key_value_states=memory[:, None])
        slot = memory.view(batch, layers, heads, 1, size)[:, layer]  # Eq. 5: (K, V), one slice a layer
        for bias in (0.0, torch.randn(heads, length, 1)):  # with one key not even a position bias is seen
            generic = hidden + o(attention(torch.randn(batch, heads, length, size), slot, slot, bias))
            torch.testing.assert_close(ours, generic)
        another = memory.view(batch, layers, heads, 1, size)[:, (layer + 1) % layers]
        wrong = hidden + o(attention(torch.randn(batch, heads, length, size), another, another))
        assert not torch.allclose(ours, wrong, atol=1e-2)


def test_the_librarys_cross_attention_agrees_when_it_is_given_the_same_slot(t5: Any) -> None:
    """The library's own layer, its key and value projections replaced by the slice of the memory."""
    own = [block.layer[1] for block in t5.decoder.block]
    attentions = [layer.EncDecAttention for layer in own]
    config, ids = t5.config, some_ids()
    backbone = T5Backbone(t5)
    memory = some_memory(backbone)
    with torch.no_grad():
        ours = backbone.hidden(memory, ids)
        for layer, (block, cross) in enumerate(zip(t5.decoder.block, attentions, strict=True)):
            size = config.num_heads * config.d_kv
            slot = memory[:, None, layer * size : (layer + 1) * size]
            cross.k.forward = cross.v.forward = lambda _, slot=slot: slot
            block.layer[1] = own[layer]
        theirs = t5.decoder(
            input_ids=ids, encoder_hidden_states=torch.zeros(4, 1, config.d_model), use_cache=False
        ).last_hidden_state
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_memory_enters_no_self_attention(t5: Any) -> None:
    """Its keys and values come from tokens alone: with W_o of cross-attention at 0 the memory is unseen."""
    backbone, ids = T5Backbone(t5), some_ids()
    with torch.no_grad():
        a, b = (backbone.hidden(some_memory(backbone, seed=seed), ids) for seed in (0, 1))
        assert not torch.allclose(a, b, atol=1e-2)
        lengths = []
        for block in t5.decoder.block:
            block.layer[0].SelfAttention.k.register_forward_hook(lambda *args: lengths.append(args[2].shape[1]))
            block.layer[1].o.weight.zero_()
        a, b = (backbone.hidden(some_memory(backbone, seed=seed), ids) for seed in (0, 1))
    assert torch.equal(a, b)
    assert set(lengths) == {ids.shape[1]}  # no past slot beside the tokens


# ------------------------------------------------------------------------------------------------ against the library


def test_encoder_states_are_the_librarys(t5: Any) -> None:
    ids = some_ids()
    mask = torch.arange(7) < torch.tensor([[7], [3], [5], [1]])
    with torch.no_grad():
        theirs = t5.encoder(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True)
        backbone = T5Backbone(t5)
        (last,) = backbone.states(ids, mask, every_layer=False)
        every = backbone.states(ids, mask, every_layer=True)
    assert len(every) == t5.config.num_layers
    torch.testing.assert_close(last[mask], theirs.last_hidden_state[mask])
    torch.testing.assert_close(every[-1][mask], theirs.last_hidden_state[mask])
    for state, inner in zip(every[:-1], theirs.hidden_states[1:-1], strict=True):
        torch.testing.assert_close(state[mask], t5.encoder.final_layer_norm(inner)[mask])


def test_every_layer_is_another_one(make_t5: MakeT5) -> None:
    """Not the same state several times, and not the embeddings: a layer's state ends with what that layer added."""
    t5 = make_t5(num_layers=3)
    seen: list[Tensor] = []
    for block in t5.encoder.block:
        block.register_forward_hook(lambda module, _, output: seen.append(output[0]))
    ids, mask = some_ids(), torch.ones(4, 7, dtype=torch.bool)
    with torch.no_grad():
        every = T5Backbone(t5).states(ids, mask, every_layer=True)
    assert len(seen) == len(every) == 3
    for state, output in zip(every, seen, strict=True):
        torch.testing.assert_close(state, t5.encoder.final_layer_norm(output))


def test_logits_are_the_librarys(t5: Any) -> None:
    """Head tied or not, scaled or not: the same memory and tokens through the library's whole forward."""
    backbone, ids = T5Backbone(t5), some_ids()
    memory = some_memory(backbone)
    with torch.no_grad():
        theirs = t5(
            encoder_outputs=BaseModelOutput(last_hidden_state=memory[:, None]), decoder_input_ids=ids, use_cache=False
        ).logits
        torch.testing.assert_close(backbone.logits(backbone.hidden(memory, ids)), theirs)


# ------------------------------------------------------------------------------------------------ settings and parts


def test_the_memory_has_a_slice_of_heads_times_d_kv_for_each_decoder_layer(make_t5: MakeT5) -> None:
    backbone = T5Backbone(make_t5(d_model=24, d_kv=5, num_heads=3, num_layers=1, num_decoder_layers=4))
    assert backbone.memory_size == 4 * 3 * 5 != 4 * 24
    slices = [block.layer[1].slice for block in backbone.t5.decoder.block]
    assert [(s.start, s.stop) for s in slices] == [(0, 15), (15, 30), (30, 45), (45, 60)]


def test_the_head_is_tied_or_not_after_building_again(t5: Any) -> None:
    backbone = T5Backbone(t5)
    again = backbones.build(backbone.settings())
    assert again.tied_head == backbone.tied_head == (t5.lm_head.weight is t5.shared.weight)
    assert (backbone.parts()["head"] == []) == backbone.tied_head
    for module in (again, backbone):
        assert module.t5.encoder.embed_tokens.weight is module.t5.decoder.embed_tokens.weight is module.t5.shared.weight


def test_putting_a_backbone_around_twice_changes_nothing(t5: Any) -> None:
    first = T5Backbone(t5)
    ids, memory = some_ids(), some_memory(first)
    with torch.no_grad():
        before = first.hidden(memory, ids)
        torch.testing.assert_close(T5Backbone(t5).hidden(memory, ids), before, rtol=0, atol=0)


def test_training_dropout_reaches_the_latent_term() -> None:
    torch.manual_seed(0)
    layer = LatentCrossAttention(torch.nn.Linear(6, 8, bias=False), 0.5, 0)
    hidden, memory = torch.zeros(50, 3, 8), torch.randn(50, 1, 6)
    dropped, *_ = layer(hidden, key_value_states=memory)
    kept = dropped != 0
    assert 0.35 < float(kept.float().mean()) < 0.65
    torch.testing.assert_close(dropped[kept], (2 * F.linear(memory, layer.o.weight)).expand_as(dropped)[kept])
    layer.eval()
    torch.testing.assert_close(
        layer(hidden, key_value_states=memory)[0], F.linear(memory, layer.o.weight).expand(50, 3, 8)
    )


def test_the_class_is_the_librarys_own(make_t5: MakeT5) -> None:
    assert isinstance(T5Backbone(make_t5()).t5, T5ForConditionalGeneration)
