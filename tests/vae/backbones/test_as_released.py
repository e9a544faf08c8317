"""The replay of a defect does what the released code did, and nothing of it is known elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vae import backbones
from vae.backbones.as_released import AsReleased, misplaced
from vae.backbones.t5 import T5Backbone
from vae.batching import tokenize
from vae.model import TextVAE
from vae.space import Space

ROOT = Path(__file__).resolve().parents[3]


def owners(batch: int, layers: int) -> torch.Tensor:
    """Whose slot each sentence reads in each layer, (batch, layers)."""
    memory = torch.arange(batch)[:, None].expand(batch, layers * 3).float()  # every number names its sentence
    return misplaced(memory, layers).view(batch, layers, 3)[:, :, 0].long()


def test_six_of_768_slots_are_right_at_a_batch_of_128_and_6_layers() -> None:
    """Counted by hand from the reshape: slot l * batch + b of the flat array, (l * batch + b) // layers its owner."""
    found = owners(128, 6)
    assert int((found == torch.arange(128)[:, None]).sum()) == 6
    expected = torch.tensor([[(layer * 128 + b) // 6 for layer in range(6)] for b in range(128)])
    assert torch.equal(found, expected)


def test_no_number_is_lost_and_a_single_sentence_keeps_its_own() -> None:
    memory = torch.randn(7, 12)
    assert torch.equal(misplaced(memory, 3).flatten().sort().values, memory.flatten().sort().values)
    assert torch.equal(misplaced(memory[:1], 3), memory[:1])
    assert torch.equal(misplaced(memory, 1), memory)


def test_sentences_are_decoded_from_their_neighbours(
    make_t5: Callable[..., Any], tokenizer: Any, sentences: list[str]
) -> None:
    def space(kind: str) -> Space:
        torch.manual_seed(0)
        return Space(TextVAE.around(backbones.around(kind, make_t5()), latent_size=5), tokenizer)

    replay, clean = space("t5-as-released"), space("t5")
    z = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    batch = tokenize(tokenizer, sentences[:6], 32).batch(range(6))
    changed = z.clone()
    changed[5] += 3
    with torch.no_grad():
        for each, own_only in ((clean, True), (replay, False)):
            moved = (each.model.reconstruction(changed, batch) - each.model.reconstruction(z, batch)).abs() > 1e-3
            assert bool(moved.any())
            assert own_only == (moved.nonzero().flatten().tolist() == [5])
        same = [
            each.model.reconstruction(z[:1], batch.__class__(batch.ids[:1], batch.mask[:1])) for each in (clean, replay)
        ]
    torch.testing.assert_close(*same)
    together, alone = replay.decode(z), [replay.decode(z[[row]])[0] for row in range(6)]
    assert together != alone
    assert alone == clean.decode(z)


def test_it_is_saved_and_loaded_as_what_it_is(make_t5: Callable[..., Any], tmp_path: Path) -> None:
    model = TextVAE.around(AsReleased(make_t5()), latent_size=5)
    model.save_pretrained(tmp_path)
    assert isinstance(TextVAE.from_pretrained(tmp_path).backbone, AsReleased)
    clean = TextVAE.around(T5Backbone(make_t5()), latent_size=5)
    assert clean.backbone.settings()["kind"] == "t5"
    assert not isinstance(clean.backbone, AsReleased)


@pytest.mark.parametrize("name", ["model.py", "trainer.py", "evaluate.py", "decode.py", "space.py", "backbones/t5.py"])
def test_the_clean_path_knows_nothing_of_it(name: str) -> None:
    source = (ROOT / "vae" / name).read_text(encoding="utf-8")
    assert "released" not in source
    assert "misplaced" not in source
