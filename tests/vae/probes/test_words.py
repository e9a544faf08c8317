"""Edit distance against its definition, the nearest of many, swaps, and smoothness of codes made for it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vae import probes
from vae.probes import words

texts = st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join)


def by_definition(a: str, b: str) -> int:
    x, y = a.split(), b.split()

    @cache
    def left(i: int, j: int) -> int:
        if i == len(x) or j == len(y):
            return len(x) - i + len(y) - j
        return min(left(i + 1, j) + 1, left(i, j + 1) + 1, left(i + 1, j + 1) + (x[i] != y[j]))

    return left(0, 0)


def random_texts(n: int, seed: int = 0, longest: int = 12) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(map(str, rng.integers(8, size=rng.integers(1, longest)))) for _ in range(n)]


class TestEditDistance:
    def test_by_hand(self) -> None:
        a = ["a man is here", "a man", "", "the cat sat", "x"]
        b = ["a man was here", "a", "a b c", "cat sat the", "x"]
        assert probes.edit_distances(a, b).tolist() == [1, 1, 3, 2, 0]

    @settings(max_examples=60)
    @given(st.lists(st.tuples(texts, texts), max_size=8))
    def test_any_pairs_in_any_company(self, pairs: list[tuple[str, str]]) -> None:
        found = probes.edit_distances([a for a, _ in pairs], [b for _, b in pairs])
        assert found.tolist() == [by_definition(a, b) for a, b in pairs]

    def test_more_pairs_than_a_block_holds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a, b = random_texts(50, 1), random_texts(50, 2)
        whole = probes.edit_distances(a, b)
        monkeypatch.setattr(words, "BLOCK", 7)
        assert probes.edit_distances(a, b).tolist() == whole.tolist()

    def test_unequal_lists_are_refused(self) -> None:
        with pytest.raises(ValueError, match="as many of both"):
            probes.edit_distances(["a"], [])


class TestNearest:
    @pytest.mark.parametrize("block", [5, 4096])
    def test_it_is_the_least_of_all_distances(self, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(words, "BLOCK", block)
        asked, among = random_texts(12, 3), random_texts(40, 4)
        least = [min(by_definition(text, other) for other in among) for text in asked]
        assert probes.nearest_distances(asked, among).tolist() == least
        assert max(least) > 1

    def test_a_copy_is_at_zero(self) -> None:
        among = random_texts(30)
        assert probes.nearest_distances([among[7], among[7] + " more"], among).tolist() == [0, 1]

    def test_nothing_to_search(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            probes.nearest_distances(["a"], [])


class TestSwaps:
    @given(texts, st.integers(0, 4), st.integers(0, 99))
    def test_the_words_remain(self, text: str, swaps: int, seed: int) -> None:
        found = probes.swapped(text, swaps, np.random.default_rng(seed))
        assert sorted(found.split()) == sorted(text.split())
        assert probes.edit_distances([found], [text])[0] <= 2 * swaps

    def test_none_is_the_sentence_and_one_moves_two_words(self) -> None:
        text = "one two  three four five"
        assert probes.swapped(text, 0, np.random.default_rng(0)) == text
        for seed in range(20):
            moved = probes.swapped(text, 1, np.random.default_rng(seed)).split()
            assert sum(a != b for a, b in zip(moved, text.split(), strict=True)) == 2

    def test_k_swaps_are_k_pairs_of_places_drawn_from_all_of_them(self) -> None:
        """Of 26 words, 4 swaps move 7.1 on average (hit twice: 2 of 8 places less, now and then), adjacent or not."""
        text = " ".join("abcdefghijklmnopqrstuvwxyz")
        words, apart, moved = text.split(), [], {1: [], 2: [], 4: []}
        for seed in range(200):
            for k, counts in moved.items():
                found = probes.swapped(text, k, np.random.default_rng((seed, k))).split()
                places = [i for i, (a, b) in enumerate(zip(found, words, strict=True)) if a != b]
                counts.append(len(places))
                apart += [places[1] - places[0]] if k == 1 else []
        assert np.mean(moved[1]) == 2
        assert np.mean(moved[2]) == pytest.approx(4, abs=0.3)
        assert np.mean(moved[4]) == pytest.approx(7.1, abs=0.3)
        assert np.mean(apart) == pytest.approx(9, abs=1)  # of two places among 26 drawn at random: 27 / 3
        assert max(apart) > 20

    def test_seeds_differ(self) -> None:
        text = " ".join("abcdefghij")
        assert len({probes.swapped(text, 2, np.random.default_rng(seed)) for seed in range(20)}) > 10


class TestSmoothness:
    counts = tuple(" ".join(["a"] * k) for k in range(1, 40))

    def test_distances_that_follow_the_edits_correlate_wholly(self) -> None:
        codes = 3.0 + 0.5 * np.arange(1, 40)[:, None]  # |difference| of codes is half the difference of lengths
        value, (low, high) = probes.smoothness(codes, self.counts, pairs=500)["smoothness"]
        assert (value, low, high) == pytest.approx((1, 1, 1))

    def test_codes_at_random_do_not(self) -> None:
        codes = np.random.default_rng(0).standard_normal((400, 8))
        for value, (low, high) in probes.smoothness(codes, random_texts(400), pairs=20_000).values():
            assert low <= 0 <= high
            assert abs(value) < 0.05

    def test_equal_codes_score_nothing(self) -> None:
        codes = np.full((39, 4), 0.3)
        assert set(probes.smoothness(codes, self.counts, pairs=100).values()) == {(0, (0, 0))}

    def test_the_interval_is_that_of_sentences_not_of_pairs(self) -> None:
        texts = random_texts(60)
        codes = np.array([[len(text.split())] for text in texts]) + np.random.default_rng(1).normal(0, 3, (60, 1))
        value, (low, high) = probes.smoothness(codes, texts, pairs=50_000)["smoothness"]
        assert low < value < high
        assert high - low > 0.05  # of so many independent pairs it would be 0.02

    @pytest.mark.parametrize("growth", [0.1, -0.1])
    def test_codes_that_know_only_the_length_fool_the_published_probe_alone(self, growth: float) -> None:
        texts = random_texts(600)
        words = np.array([len(text.split()) for text in texts])
        further_out = np.exp(growth * words)[:, None] * np.random.default_rng(0).standard_normal((600, 8))
        found = probes.smoothness(further_out, texts, pairs=20_000)
        assert found["smoothness"][0] * np.sign(growth) > 0.3
        assert abs(found["smoothness_equal_lengths"][0]) < 0.05

    def test_a_code_of_the_length_and_nothing_else_is_exactly_0_at_equal_lengths(self) -> None:
        texts = random_texts(200)
        codes = np.array([[len(text.split()) / 7] for text in texts])
        found = probes.smoothness(codes, texts, pairs=5_000)
        assert found["smoothness"][0] > 0.2
        assert found["smoothness_equal_lengths"] == (0, (0, 0))

    def test_what_codes_know_beyond_the_length_is_left(self) -> None:
        texts = random_texts(400)
        counts = np.array([[text.split().count(word) for word in "01234567"] for text in texts])
        value, (low, high) = probes.smoothness(counts, texts, pairs=20_000)["smoothness_equal_lengths"]
        assert 0.3 < low < value < high

    def test_of_equal_lengths_both_are_one(self) -> None:
        rng = np.random.default_rng(0)
        texts = [" ".join(rng.choice(list("abcd"), 6)) for _ in range(50)]
        plain, equal = probes.smoothness(rng.standard_normal((50, 3)), texts, pairs=2_000).values()
        assert plain == (pytest.approx(equal[0]), pytest.approx(equal[1]))

    def test_weights_count_as_repetition(self) -> None:
        rng = np.random.default_rng(0)
        x, y, times = rng.standard_normal(9), rng.standard_normal(9), rng.integers(0, 4, 9)
        repeated = np.corrcoef(np.repeat(x, times), np.repeat(y, times))[0, 1]
        assert probes.correlation(x, y, times.astype(float)) == pytest.approx(repeated)
        assert probes.correlation(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])

    def test_three_sentences_will_do(self) -> None:
        found = probes.smoothness(np.array([[0.0], [1.0], [3.0]]), ["a", "a b", "a b c d"], pairs=50)
        value, (low, high) = found["smoothness"]
        assert value == pytest.approx(1)
        assert -1 <= low <= high <= 1
        assert found["smoothness_equal_lengths"] == (0, (0, 0))  # every pair of lengths is there once

    def test_too_few(self) -> None:
        with pytest.raises(ValueError, match="at least 3 sentences"):
            probes.smoothness(np.zeros((2, 1)), ["a", "b"])
