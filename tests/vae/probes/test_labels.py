"""Labels read from codes: codes that are the label, codes that know nothing of it, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae import probes
from vae.probes import labels as labels_module
from vae.probes.published import PRINTED

N = 600


def labels_of(n: int, groups: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(groups, size=n)


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(labels.max() + 1)[labels]


class TestLinear:
    def test_a_code_that_is_the_label_is_read_without_fault(self) -> None:
        labels = labels_of(N, 3)
        codes = 1e-4 * one_hot(labels)  # small, as a collapsed encoder writes: the scale is not the knowledge
        for size in (30, 300):
            assert probes.linear_accuracy(codes[300:], labels[300:], codes[:300], labels[:300], size=size) == 1

    def test_codes_that_know_nothing_are_read_at_chance(self) -> None:
        labels, codes = labels_of(2000, 2), np.random.default_rng(1).standard_normal((2000, 8))
        found = probes.linear_accuracy(codes[:1000], labels[:1000], codes[1000:], labels[1000:], size=1000)
        assert found == pytest.approx(0.5, abs=0.06)

    def test_seeds_draw_other_examples_and_the_same_seed_the_same(self) -> None:
        labels = labels_of(N, 2)
        codes = one_hot(labels) + np.random.default_rng(1).standard_normal((N, 2))
        read = [
            probes.linear_accuracy(codes[:300], labels[:300], codes[300:], labels[300:], size=20, seed=seed)
            for seed in (0, 1, 2, 0)
        ]
        assert len(set(read)) > 1
        assert read[0] == read[3]

    def test_regularisation_is_chosen_among_the_examples(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng, n = np.random.default_rng(0), 400
        labels = labels_of(n + 60, 2)
        codes = rng.standard_normal((n + 60, 50)) + 0.3 * labels[:, None]  # 50 columns know a little: easy to overfit
        chosen = probes.linear_accuracy(codes[n:], labels[n:], codes[:n], labels[:n], size=60)
        turned = 1 - labels  # other held-out labels change the score and nothing that was learned
        again = probes.linear_accuracy(codes[n:], labels[n:], codes[:n], turned[:n], size=60)
        assert chosen + again == pytest.approx(1)
        monkeypatch.setattr(labels_module, "PENALTIES", (10.0,))
        assert chosen > 0.03 + probes.linear_accuracy(codes[n:], labels[n:], codes[:n], labels[:n], size=60)

    def test_examples_of_one_label_say_it(self) -> None:
        codes, known, test = np.random.default_rng(0).standard_normal((9, 2)), np.zeros(9, int), np.array([0, 0, 1])
        assert probes.linear_accuracy(codes, known, codes[:3], test, size=5) == pytest.approx(2 / 3)

    def test_more_than_there_are(self) -> None:
        with pytest.raises(ValueError, match="10 labelled sentences are asked for, but there are 9"):
            probes.linear_accuracy(np.zeros((9, 1)), np.zeros(9, int), np.zeros((1, 1)), np.zeros(1, int), size=10)


class TestWords:
    def test_a_word_that_gives_the_label_away_is_found(self) -> None:
        labels = labels_of(300, 2)
        texts = [f"it was {('bad', 'good')[label]} , Number {i}" for i, label in enumerate(labels)]
        train, test = probes.bag_of_words(texts[:200], texts[200:])
        assert probes.linear_accuracy(train, labels[:200], test, labels[200:], size=100) == 1

    def test_every_word_between_spaces_is_one_and_case_counts(self) -> None:
        train, test = probes.bag_of_words(["a ! A a"], ["a b", "!"])
        assert train.toarray().tolist() == [[1, 1, 1]]
        assert test.sum() == 2


def matched(clusters: np.ndarray, labels: np.ndarray) -> float:
    """The accuracy where clusters are named on the sentences that are scored."""
    return float(np.mean(probes.cluster_labels(clusters, labels, components=clusters.max() + 1)[clusters] == labels))


class TestMixture:
    def test_clusters_far_apart_are_the_labels(self) -> None:
        labels = labels_of(N, 3)
        codes = 1e-3 * (np.random.default_rng(0).standard_normal((N, 4)) + 30 * np.eye(3, 4)[labels])
        clusters = probes.mixture_clusters(codes[:300], codes[300:], components=3)
        assert matched(clusters, labels[300:]) == 1

    def test_codes_that_know_nothing_are_at_chance(self) -> None:
        codes = np.random.default_rng(0).standard_normal((2000, 4))
        clusters = probes.mixture_clusters(codes[:1000], codes[1000:], components=2)
        assert 0.5 <= matched(clusters, labels_of(1000, 2)) < 0.56

    def test_seeds_differ(self) -> None:
        codes = np.random.default_rng(0).standard_normal((N, 4))
        a, b = (probes.mixture_clusters(codes[:300], codes[300:], components=4, seed=seed) for seed in (0, 1))
        assert matched(a, b) < 1

    @given(st.permutations(range(4)), st.integers(0, 99))
    def test_the_names_of_clusters_do_not_matter(self, names: list[int], seed: int) -> None:
        clusters, labels = labels_of(40, 4, seed), labels_of(40, 4, seed + 1)
        found = matched(clusters, labels)
        assert matched(np.array(names)[clusters], labels) == found
        assert matched(clusters, np.array(names)[labels]) == found
        assert matched(np.array(names)[labels], labels) == 1

    def test_by_hand(self) -> None:
        # greedily, cluster 0 takes label 0 (3) and 1 is left with 1 (0); the best pairing has 2 + 2
        clusters, labels = np.array([0, 0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0, 0])
        assert matched(clusters, labels) == pytest.approx(4 / 7)

    def test_a_cluster_beyond_the_labels_stands_for_none(self) -> None:
        named = probes.cluster_labels(np.array([0, 0, 2, 2, 1]), np.array([1, 1, 0, 0, 0]), components=4)
        assert named.tolist() == [1, -1, 0, -1]


def test_what_is_printed_stands_under_its_name() -> None:
    """Against the paper: Table 4, 5, 6 (two swaps), 8 (none and 10k) and appendix B."""
    theirs = PRINTED["theirs"]
    assert (theirs["bleu_sampled"], theirs["smoothness"], theirs["rec_swaps_2_nats"]) == (8.62, 0.683, 29.12)
    assert (theirs["accuracy_mixture"], theirs["accuracy_10000"], theirs["copying_words"]) == (67.2, 89.5, 14.11)
    assert PRINTED["AE"]["accuracy_100"] == 78.4
