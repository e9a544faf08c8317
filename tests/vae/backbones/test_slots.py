"""Several slots of z as the memory, against the library's own T5 whose encoder has put out those slots."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from tests.vae.backbones.tiny import VARIANTS, MakeT5, some_ids, some_memory
from vae import backbones, decode
from vae.backbones.slots import SlotsT5
from vae.backbones.t5 import T5Backbone
from vae.model import TextVAE


def as_encoded(memory: Tensor, slots: int) -> BaseModelOutput:
    """The slots, one after the other, as the states of an encoder."""
    return BaseModelOutput(last_hidden_state=torch.stack(memory.chunk(slots, 1), 1))


@pytest.mark.parametrize("slots", [2, 5])
def test_logits_are_those_of_the_library_whose_encoder_gave_the_slots(t5: Any, slots: int) -> None:
    library, backbone, ids = copy.deepcopy(t5), SlotsT5(t5, slots), some_ids()
    memory = some_memory(backbone)
    with torch.no_grad():
        theirs = library(encoder_outputs=as_encoded(memory, slots), decoder_input_ids=ids, use_cache=False).logits
        torch.testing.assert_close(backbone.logits(backbone.hidden(memory, ids)), theirs)
        steps = backbone.steps(memory, ids.shape[1])
        for t in range(ids.shape[1]):
            torch.testing.assert_close(steps(ids[:, t]), theirs[:, t], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", ["t5", "d_kv", "flan", "large epsilon"])
def test_greedy_decoding_and_one_beam_are_the_librarys(variant: str, make_t5: MakeT5) -> None:
    """Token for token, of a batch of codes, from `generate` with its cache (sized by the encoder's layers)."""
    t5, slots = make_t5(3, **VARIANTS[variant]), 3
    library = copy.deepcopy(t5)
    torch.manual_seed(0)
    model = TextVAE.around(SlotsT5(t5, slots), latent_size=5).eval()
    torch.nn.init.normal_(model.projection.weight, std=0.7)
    z = 2 * torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        encoded = as_encoded(model.projection(z), slots)
        theirs = library.generate(encoder_outputs=encoded, max_new_tokens=9, do_sample=False)
        for found in (decode.generate(model, z, 9), decode.beam_search(model, z, 9, beams=1)):
            width = min(found.shape[1], theirs.shape[1] - 1)
            assert torch.equal(found[:, :width], theirs[:, 1 : width + 1])
            assert not found[:, width:].any()
    assert len({tuple(row) for row in decode.generate(model, z, 9).tolist()}) > 1


def test_the_tokens_choose_among_the_slots(make_t5: MakeT5) -> None:
    """The order of the slots means nothing, which of them there are does, and the query decides how much of each."""
    backbone, ids = SlotsT5(make_t5(3), 4), some_ids()
    memory = some_memory(backbone)
    turned = torch.stack(memory.chunk(4, 1), 1)[:, [2, 0, 3, 1]].flatten(1)
    mixed = torch.stack(memory.chunk(4, 1), 1).mean(1).repeat(1, 4)
    with torch.no_grad():
        hidden = backbone.hidden(memory, ids)
        torch.testing.assert_close(backbone.hidden(turned, ids), hidden, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(backbone.hidden(mixed, ids), hidden, atol=1e-2)
        for block in backbone.t5.decoder.block:
            block.layer[1].EncDecAttention.q.weight.zero_()  # of what nobody asks for, everyone gets the mean
        torch.testing.assert_close(backbone.hidden(mixed, ids), backbone.hidden(memory, ids), rtol=1e-4, atol=1e-4)


def test_equal_slots_are_a_single_one(make_t5: MakeT5) -> None:
    """A softmax over equal keys leaves their value: what one slot gives through W_o, as T5Backbone has it."""
    t5, ids = make_t5(3), some_ids()
    projections = [block.layer[1].EncDecAttention.v for block in t5.decoder.block]
    several = SlotsT5(copy.deepcopy(t5), 3)
    slot = torch.randn(4, several.width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        single = T5Backbone(t5).hidden(torch.cat([v(slot) for v in projections], 1), ids)
        torch.testing.assert_close(several.hidden(slot.repeat(1, 3), ids), single, rtol=1e-4, atol=1e-4)


def test_dropout_acts_on_the_weights_of_the_slots(make_t5: MakeT5) -> None:
    backbone, ids = SlotsT5(make_t5(3, dropout_rate=0.5), 4), some_ids()
    for module in backbone.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    memory = some_memory(backbone)
    for block in backbone.t5.decoder.block:
        block.layer[0].SelfAttention.dropout = 0.0
    with torch.no_grad():
        still = backbone.eval().hidden(memory, ids)
        assert not torch.allclose(backbone.train().hidden(memory, ids), still, atol=1e-2)
        for block in backbone.t5.decoder.block:
            block.layer[1].EncDecAttention.dropout = 0.0
        torch.testing.assert_close(backbone.hidden(memory, ids), still)


def test_the_projection_is_the_slots_and_the_rest_of_cross_attention_the_decoders(make_t5: MakeT5) -> None:
    single = TextVAE.around(T5Backbone(make_t5(3)), latent_size=5)
    several = TextVAE.around(SlotsT5(make_t5(3), 4), latent_size=5)
    width, config = several.backbone.width, several.backbone.settings()
    sizes = {part: sum(p.numel() for p in of) for part, of in several.parts().items()}
    before = {part: sum(p.numel() for p in of) for part, of in single.parts().items()}
    assert sizes["projection"] == 4 * width * 5
    kept = config["num_decoder_layers"] * (3 * width * config["num_heads"] * config["d_kv"] + width)  # q, k, v, norm
    assert sizes["decoder"] == before["decoder"] + kept
    same = {"encoder", "embeddings", "head", "posterior"}
    assert {part: sizes[part] for part in same} == {part: before[part] for part in same}


def test_a_t5_gets_as_many_slots_as_are_asked_for(make_t5: MakeT5) -> None:
    assert type(backbones.around("t5", make_t5(3))) is T5Backbone
    assert type(backbones.around("t5", make_t5(3), 1)) is T5Backbone
    several = backbones.around("t5", make_t5(3), 2)
    assert type(several) is SlotsT5
    assert (several.slots, several.memory_size) == (2, 2 * several.width)


def test_a_saved_model_says_how_many_slots_it_has(make_t5: MakeT5, tmp_path: Path) -> None:
    model, ids = TextVAE.around(SlotsT5(make_t5(3), 4), latent_size=5).eval(), some_ids()
    model.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["backbone"]
    assert (saved["kind"], saved["slots"]) == ("t5-slots", 4)
    again = TextVAE.from_pretrained(tmp_path)
    memory = some_memory(model.backbone)
    with torch.no_grad():
        assert torch.equal(again.backbone.hidden(memory, ids), model.backbone.hidden(memory, ids))
