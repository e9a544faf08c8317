"""Products for decoding against plain ones, and the argmax that is found in 8 bits against the one that is computed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vae.backbones import products
from vae.backbones.products import GROUP, Head, Product, Shortlist, highest


def numbers(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize("rows", [1, 2, 21])
@pytest.mark.parametrize("shape", [(7, 5), (512, 512)], ids=["plain", "packed where that can be"])
def test_products_and_sums_are_those_of_torch(rows: int, shape: tuple[int, int]) -> None:
    weight, x, h = numbers(*shape), numbers(rows, shape[1], seed=1), numbers(rows, shape[0], seed=2)
    product, kept = Product(weight), h.clone()
    torch.testing.assert_close(product(x), x @ weight.T, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(product.added(h, x), h + x @ weight.T, rtol=1e-5, atol=1e-4)
    assert torch.equal(h, kept), "what is added to is left alone"


def test_large_weights_are_packed_on_a_cpu_that_gains_by_it() -> None:
    fast = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    assert (Product(numbers(512, 512)).packed is not None) == fast
    assert Product(numbers(7, 5)).packed is None


@given(st.integers(1, 5), st.sampled_from([1, 63, 64, 2048, 4096]), st.integers(0, 9))
def test_the_highest_is_the_first_of_the_highest(rows: int, size: int, seed: int) -> None:
    scores = torch.randint(-3, 4, (rows, size), generator=torch.Generator().manual_seed(seed)).float()
    expected = [row.index(max(row)) for row in scores.tolist()]
    assert highest(scores).tolist() == expected


def close_calls(vocabulary: int, width: int, spread: float) -> tuple[Tensor, Tensor]:
    """A head whose tokens differ from few others by `spread` alone, in groups of very different sizes, and states."""
    few = numbers(8, width)
    weight = few[torch.arange(vocabulary) % 8] + numbers(vocabulary, width, seed=1, scale=spread)
    weight *= torch.linspace(0.1, 3, vocabulary // GROUP).repeat_interleave(GROUP)[:, None]
    return weight, numbers(33, width, seed=2)


@pytest.mark.parametrize("spread", [1e-1, 3e-2, 1e-2])
def test_the_shortlist_finds_what_full_precision_finds(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LEFT_OPEN", 64)  # groups: all that there are
    weight, h = close_calls(64 * GROUP, 48, spread)
    found = Shortlist(weight)(h)
    assert found is not None
    exact = h.double() @ weight.double().T
    best = exact.amax(1)
    torch.testing.assert_close(exact[torch.arange(33), found], best, rtol=1e-6, atol=1e-6)
    rounded = (weight / Shortlist(weight).step.repeat_interleave(GROUP)[:, None]).round()
    rough = h @ (rounded * Shortlist(weight).step.repeat_interleave(GROUP)[:, None]).T
    assert (exact[torch.arange(33), rough.argmax(1)] < best - 1e-4).any(), "rounding alone gets none of them wrong"


def test_a_shortlist_that_leaves_too_much_open_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, h = close_calls(64 * GROUP, 48, 1e-3)
    monkeypatch.setattr(products, "LEFT_OPEN", 2)
    assert Shortlist(weight)(h) is None


@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_states_that_are_no_numbers_are_left_to_the_full_scores(odd: float) -> None:
    weight, h = close_calls(64 * GROUP, 48, 1.0)
    h[3, 5] = odd
    assert Shortlist(weight)(h) is None


def test_equal_tokens_are_told_apart_as_argmax_does() -> None:
    weight, h = close_calls(64 * GROUP, 48, 1.0)
    winner = int((h[:1] @ weight.T).argmax())
    weight[winner // 2], weight[-1] = weight[winner], weight[winner]
    found = Shortlist(weight)(h[:1])
    assert found is not None
    assert found.tolist() == [winner // 2]


@pytest.mark.parametrize("vocabulary", [5, 1000, 70_001])
@pytest.mark.parametrize("rows", [1, 21])
def test_a_head_has_the_tokens_it_was_given_and_no_more(vocabulary: int, rows: int) -> None:
    weight, h = numbers(vocabulary, 64), numbers(rows, 64, seed=1)
    weight[-1] *= 2  # so that the last, which fills the last group, is often the highest
    head = Head(weight)
    expected = h @ weight.T
    assert head.logits(h).shape == (rows, vocabulary)
    torch.testing.assert_close(head.logits(h), expected, rtol=1e-5, atol=1e-4)
    assert head.likeliest(h).tolist() == expected.argmax(1).tolist()
    assert (head.shortlist is not None) == (products.packs(weight) and vocabulary == 70_001)
