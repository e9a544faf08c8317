"""The weights that decoding has prepared are those that the model has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from vae import decode
from vae.backbones.t5_steps import LANES, T5Weights
from vae.space import Space

MakeSpace = Callable[..., Space]


def stepwise_logits(space: Space) -> torch.Tensor:
    return space.model.steps(torch.ones(2, 5), 3)(torch.tensor([0, 0]))


def whole_logits(space: Space) -> torch.Tensor:
    backbone = space.model.backbone
    return backbone.logits(backbone.hidden(space.model.projection(torch.ones(2, 5)), torch.zeros(2, 1).long()))[:, 0]


CHANGES: dict[str, Callable[[torch.nn.Module], object]] = {
    "AdamW": lambda model: torch.optim.AdamW(model.parameters(), lr=0.1).step(),
    "fused AdamW": lambda model: torch.optim.AdamW(model.parameters(), lr=0.1, fused=True).step(),
    "SGD": lambda model: torch.optim.SGD(model.parameters(), lr=0.1).step(),
    "loading": lambda model: model.load_state_dict({k: v * 1.1 for k, v in model.state_dict().items()}),
    "by hand": lambda model: [p.detach().mul_(1.1) for p in model.parameters()],
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_change_of_the_weights_is_seen(make_space: MakeSpace, how: str) -> None:
    space = make_space(0, t5={})
    before = stepwise_logits(space)
    space.model.train()
    for parameter in space.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    CHANGES[how](space.model)
    space.model.eval()
    after = stepwise_logits(space)
    assert not torch.allclose(before, after, rtol=1e-3)
    torch.testing.assert_close(after, whole_logits(space).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("how", ["AdamW", "SGD", "loading", "by hand"])
def test_a_change_is_seen_without_a_switch_of_mode(make_space: MakeSpace, how: str) -> None:
    space = make_space(0, t5={})
    stepwise_logits(space)
    for parameter in space.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    CHANGES[how](space.model)
    torch.testing.assert_close(stepwise_logits(space), whole_logits(space).detach(), rtol=1e-4, atol=1e-4)


def test_weights_are_prepared_once(make_space: MakeSpace) -> None:
    t5 = make_space(0, t5={}).model.backbone.t5
    first = T5Weights.of(t5)
    assert T5Weights.of(t5) is first
    assert not first.table.requires_grad


def test_a_model_that_was_made_for_inference_alone_decodes(make_space: MakeSpace) -> None:
    with torch.inference_mode():
        space = make_space(0, t5={})
        assert len(decode.generate(space.model, torch.ones(2, 5), 3)) == 2


@pytest.mark.parametrize("tokens", [LANES - 1, LANES, LANES + 1, 3 * LANES + 2])
def test_sentences_longer_than_the_lanes_are_those_of_the_whole_forward_pass(
    make_space: MakeSpace, tokens: int
) -> None:
    space = make_space(3, t5={})
    space.model.backbone.end_token = -1
    z = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    ids = decode.generate(space.model, z, tokens)
    backbone = space.model.backbone
    before = torch.cat([torch.full((3, 1), backbone.start_token), ids[:, :-1]], 1)
    logits = backbone.logits(backbone.hidden(space.model.projection(z), before))
    chosen = logits.gather(2, ids[:, :, None])[:, :, 0]
    torch.testing.assert_close(chosen, logits.amax(2), rtol=1e-4, atol=1e-4)


def test_many_codes_are_decoded_in_parts_that_fit_the_cache(
    make_space: MakeSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = make_space(0, t5={})
    z = torch.randn(23, 5, generator=torch.Generator().manual_seed(1))
    whole = decode.generate(space.model, z, 20)
    monkeypatch.setattr(decode, "AT_ONCE", 5)
    assert torch.equal(decode.generate(space.model, z, 20), whole)
