"""What a label tells about a dimension: exact anchors, bounds, and what must not matter."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vae import probes


def gaussian(n: int, latent: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, latent))


def labels_of(n: int, groups: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(1000 + seed).integers(groups, size=n)


class TestAnchors:
    def test_the_sign_of_a_normal_dimension_explains_two_thirds_pi_of_it_and_tells_ln_two(self) -> None:
        codes = gaussian(4000, 3)
        found = probes.association(codes, {"sign": (codes[:, 1] > 0).tolist()})
        assert found.r2[0, 1] == pytest.approx(2 / math.pi, abs=0.02)  # (E|x|)^2 / Var(x)
        assert found.mi_nats[0, 1] == pytest.approx(math.log(2), abs=0.02)
        assert found.r2[0, [0, 2]].max() < 0.005
        assert found.mi_nats[0, [0, 2]].max() < 0.03

    def test_a_dimension_that_is_its_label_is_explained_wholly(self) -> None:
        groups = np.repeat([0, 1, 2], 20)
        assert probes.correlation_ratio(groups[:, None] * 3.0 - 1, groups) == pytest.approx(1)

    def test_two_groups_by_hand(self) -> None:
        codes = np.array([[1.0], [3.0], [4.0], [8.0]])  # means 2 and 6 about 4: 16 of 9 + 1 + 0 + 16 = 26
        assert probes.correlation_ratio(codes, np.array([0, 0, 1, 1])) == pytest.approx(16 / 26)

    def test_gaussians_far_apart_tell_which_they_are(self) -> None:
        groups = np.arange(600) % 3
        codes = gaussian(600, 1) + 100.0 * groups[:, None]
        assert probes.mutual_information(codes, groups) == pytest.approx(math.log(3), abs=0.02)

    def test_an_estimate_stops_at_what_there_is_to_tell(self) -> None:
        groups = np.array([0, 0, 1, 1, 2, 2, 2, 2])  # so few that the estimator alone says 0.05 nats more
        codes = gaussian(8, 1, seed=2) + 100.0 * groups[:, None]
        assert probes.mutual_information(codes, groups)[0] == probes.entropy(groups)

    def test_mi_sees_a_spread_that_the_ratio_does_not(self) -> None:
        groups = np.arange(2000) % 2
        codes = gaussian(2000, 1) * np.where(groups, 10.0, 0.1)[:, None]
        assert probes.correlation_ratio(codes, groups)[0] < 0.01
        assert probes.mutual_information(codes, groups)[0] > 0.4

    def test_what_never_changes_tells_nothing(self) -> None:
        codes = np.column_stack([gaussian(50, 1), np.full(50, 0.1)])
        found = probes.association(codes, {"one": ["x"] * 50, "each its own": list(range(50)), "two": ["a", "b"] * 25})
        assert found.r2[0] == pytest.approx(0, abs=1e-12)
        assert (found.mi_nats[0] == 0).all()
        assert found.entropy_nats[0] == 0
        assert (found.r2[:, 1] == 0).all()
        assert (found.mi_nats[:, 1] == 0).all()
        assert found.r2[1, 0] == pytest.approx(1)  # and so it would be by chance: every sentence is a group
        assert found.chance.tolist() == [0, 1, pytest.approx(1 / 49)]

    def test_by_chance_is_the_mean_over_shuffled_labels(self) -> None:
        codes, groups = gaussian(60, 1), labels_of(60, 6)
        rng = np.random.default_rng(5)
        shuffled = [probes.correlation_ratio(codes, rng.permutation(groups))[0] for _ in range(3000)]
        assert np.mean(shuffled) == pytest.approx(probes.correlation_ratio_by_chance(groups), rel=0.03)

    @pytest.mark.parametrize(
        ("counts", "nats"), [((5, 5), math.log(2)), ((1, 1, 1, 1), math.log(4)), ((7,), 0), ((1, 3), 0.562335)]
    )
    def test_entropy(self, counts: tuple[int, ...], nats: float) -> None:
        assert probes.entropy(np.repeat(np.arange(len(counts)), counts)) == pytest.approx(nats, abs=1e-6)


class TestProperties:
    @settings(max_examples=40)
    @given(n=st.integers(2, 60), groups=st.integers(1, 9), seed=st.integers(0, 999))
    def test_bounds(self, n: int, groups: int, seed: int) -> None:
        found = probes.association(gaussian(n, 2, seed), {"label": labels_of(n, groups, seed).tolist()})
        assert ((found.r2 >= 0) & (found.r2 <= 1)).all()
        assert ((found.mi_nats >= 0) & (found.mi_nats <= found.entropy_nats[:, None])).all()
        assert 0 <= found.entropy_nats[0] <= math.log(groups) + 1e-12
        assert 0 <= found.chance[0] <= 1

    @settings(max_examples=30)
    @given(
        seed=st.integers(0, 999),
        shift=st.floats(-50, 50),
        scale=st.floats(0.01, 100),
        negative=st.booleans(),
    )
    def test_names_shift_and_scale_do_not_matter(self, seed: int, shift: float, scale: float, negative: bool) -> None:
        codes, groups = gaussian(80, 3, seed), labels_of(80, 4, seed)
        assume(len(set(groups)) > 1)
        moved = codes * (-scale if negative else scale) + shift
        renamed = ["dcba"[group] for group in groups]
        before, after = probes.association(codes, {"a": groups.tolist()}), probes.association(moved, {"a": renamed})
        np.testing.assert_allclose(after.r2, before.r2, atol=1e-9)
        np.testing.assert_allclose(after.mi_nats, before.mi_nats, atol=0.02)

    def test_the_order_of_sentences_does_not_matter(self) -> None:
        codes, groups = gaussian(200, 2), labels_of(200, 3)
        order = np.random.default_rng(0).permutation(200)
        np.testing.assert_allclose(
            probes.correlation_ratio(codes[order], groups[order]), probes.correlation_ratio(codes, groups)
        )

    def test_the_same_seed_gives_the_same_figures(self) -> None:
        codes, groups = gaussian(100, 4), labels_of(100, 3)
        first, second = (probes.mutual_information(codes, groups, seed=7) for _ in range(2))
        assert (first == second).all()


def test_a_table_of_labels_is_taken_as_it_is() -> None:
    codes = gaussian(6, 2).astype(np.float32)
    frame = pd.DataFrame({"kind": ["a", "b"] * 3, "colour": ["red", float("nan"), float("nan")] * 2})
    found = probes.association(codes, frame)
    assert found.labels == ["kind", "colour"]
    assert found.r2.shape == found.mi_nats.shape == (2, 2)
    assert found.entropy_nats[1] == pytest.approx(probes.entropy(np.array([0, 1, 1] * 2)))


@pytest.mark.parametrize(
    ("means", "labels", "words"),
    [
        (np.zeros((0, 2)), {"a": []}, r"\(0, 2\)"),
        (np.full((2, 2), np.nan), {"a": ["x", "y"]}, "finite"),
        (np.zeros((2, 2)), {}, "no labels"),
        (np.zeros((2, 2)), {"a": ["x"]}, "'a' has 1 values for 2 codes"),
    ],
)
def test_bad_input_is_one_sentence(means: np.ndarray, labels: dict[str, list[str]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        probes.association(means, labels)
