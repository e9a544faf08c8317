"""Paths, changes along them and the shell of the prior."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vae.explore import analogy, direction, interpolate, shell, traverse

METHODS = pytest.mark.parametrize("method", ["linear", "slerp"])


def codes(latent: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    a, b = torch.randn(2, latent, generator=torch.Generator().manual_seed(seed))
    return a, b


class TestInterpolate:
    @METHODS
    @settings(max_examples=40, deadline=None)
    @given(latent=st.integers(1, 40), steps=st.integers(2, 30), seed=st.integers(0, 2**20))
    def test_ends_are_exact_and_the_way_back_is_the_way(self, method: str, latent: int, steps: int, seed: int) -> None:
        a, b = codes(latent, seed)
        path = interpolate(a, b, steps, method)
        assert path.shape == (steps, latent)
        assert path.dtype == torch.float32
        assert torch.equal(path[0], a)
        assert torch.equal(path[-1], b)
        torch.testing.assert_close(path.flip(0), interpolate(b, a, steps, method))

    def test_linear_steps_are_even_also_beyond_the_ends(self) -> None:
        a, b = torch.tensor([0.0, 2.0]), torch.tensor([4.0, 0.0])
        path = interpolate(a, b, steps=7, extend=0.25)
        t = torch.linspace(-0.25, 1.25, 7)[:, None]
        torch.testing.assert_close(path, a + t * (b - a))

    def test_slerp_turns_evenly_on_the_sphere(self) -> None:
        a, b = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
        angle = torch.linspace(-0.5, 1.5, 9) * math.pi / 2
        path = interpolate(a, b, steps=9, method="slerp", extend=0.5)
        torch.testing.assert_close(path, 3 * torch.stack([angle.cos(), angle.sin()], dim=1))

    def test_slerp_keeps_the_norm_that_a_straight_line_loses(self) -> None:
        a, b = codes(64)
        b = b * a.norm() / b.norm()
        middle = interpolate(a, b, steps=3, method="slerp")[1]
        assert float(middle.norm()) == pytest.approx(float(a.norm()), rel=1e-5)
        assert float(interpolate(a, b, steps=3)[1].norm()) < 0.9 * float(a.norm())

    @pytest.mark.parametrize("scale", [1.0, 2.5, -1.0, -3.0, 0.0])
    def test_slerp_is_linear_where_no_plane_is_defined(self, scale: float) -> None:
        a, _ = codes(8)
        for ends in ((a, scale * a), (scale * a, a)):
            path = interpolate(*ends, steps=5, method="slerp", extend=0.3)
            torch.testing.assert_close(path, interpolate(*ends, steps=5, extend=0.3))
        assert bool(interpolate(0 * a, 0 * a, method="slerp").eq(0).all())

    def test_slerp_comes_close_to_linear_before_it_becomes_linear(self) -> None:
        a, b = codes(8)
        nearly = a + 1e-4 * b
        torch.testing.assert_close(interpolate(a, nearly, method="slerp"), interpolate(a, nearly), atol=1e-6, rtol=1e-6)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"b": torch.zeros(3)}, r"\(4,\) and \(3,\)"),
            ({"a": torch.zeros(1, 4), "b": torch.zeros(1, 4)}, "give vectors"),
            ({"steps": 1}, "1 steps"),
            ({"extend": -0.1}, "-0.1"),
            ({"extend": math.inf}, "inf"),
            ({"method": "cubic"}, "'cubic'"),
            ({"a": torch.full((4,), math.nan)}, "finite"),
        ],
    )
    def test_bad_input_is_one_sentence(self, changes: dict[str, object], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            interpolate(**{"a": torch.zeros(4), "b": torch.ones(4)} | changes)  # type: ignore[arg-type]


class TestDirection:
    def test_it_leads_from_one_mean_to_the_other(self) -> None:
        start, end = torch.tensor([[0.0, 0.0], [2.0, 4.0]]), torch.tensor([[5.0, 1.0]])
        assert direction(start, end).tolist() == [4.0, -1.0]
        assert direction(end, start).tolist() == [-4.0, 1.0]

    @given(seed=st.integers(0, 999), n=st.integers(1, 5), m=st.integers(1, 5))
    def test_it_moves_one_mean_onto_the_other(self, seed: int, n: int, m: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        start, end = torch.randn(n, 7, generator=rng), torch.randn(m, 7, generator=rng)
        torch.testing.assert_close((start + direction(start, end)).mean(0), end.mean(0))

    @pytest.mark.parametrize(
        ("start", "end", "words"),
        [
            (torch.zeros(0, 3), torch.zeros(1, 3), "at the start"),
            (torch.zeros(1, 3), torch.zeros(3), "at the end"),
            (torch.zeros(1, 3), torch.zeros(1, 4), "3 and 4 dimensions"),
        ],
    )
    def test_bad_input_is_one_sentence(self, start: Tensor, end: Tensor, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            direction(start, end)


class TestAnalogy:
    def test_it_is_a_minus_b_plus_c(self) -> None:
        a, b, c = torch.tensor([[5.0, 1.0], [2.0, 1.0], [10.0, 7.0]])
        assert analogy(c, plus=a, minus=b).tolist() == [13.0, 7.0]
        assert analogy(c, plus=b, minus=a).tolist() == [7.0, 7.0]
        assert analogy(c, plus=a, minus=b, strength=-2).tolist() == [4.0, 7.0]

    def test_without_strength_or_difference_nothing_changes(self) -> None:
        (a, b), (c, _) = codes(9), codes(9, seed=1)
        assert torch.equal(analogy(c, plus=a, minus=b, strength=0), c)
        assert torch.equal(analogy(c, plus=a, minus=a), c)

    def test_what_was_taken_away_and_put_back_is_the_first(self) -> None:
        a, b = codes(9)
        torch.testing.assert_close(analogy(b, plus=a, minus=b), a)

    def test_many_codes_go_the_same_way(self) -> None:
        (a, b), many = codes(4), torch.randn(6, 4, generator=torch.Generator().manual_seed(3))
        moved = analogy(many, plus=a, minus=b, strength=0.5)
        torch.testing.assert_close(moved - many, (0.5 * (a - b)).expand(6, 4))


class TestTraverse:
    @given(latent=st.integers(1, 20), dimension=st.integers(0, 19), values=st.lists(st.floats(-9, 9, width=32)))
    def test_one_dimension_takes_the_values_and_the_others_stay(
        self, latent: int, dimension: int, values: list[float]
    ) -> None:
        dimension %= latent
        z, _ = codes(latent)
        before = z.clone()
        strip = traverse(z, dimension, values)
        assert strip.shape == (len(values), latent)
        assert strip[:, dimension].tolist() == values
        others = [other for other in range(latent) if other != dimension]
        assert torch.equal(strip[:, others], z[others].expand(len(values), -1))
        assert torch.equal(z, before)

    @pytest.mark.parametrize(
        ("dimension", "values", "words"),
        [(4, [0.0], "dimension 4 in a code of 4"), (-1, [0.0], "dimension -1"), (0, [math.nan], "finite")],
    )
    def test_bad_input_is_one_sentence(self, dimension: int, values: list[float], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            traverse(torch.zeros(4), dimension, values)


@pytest.mark.parametrize("latent", [1, 2, 32, 4096])
def test_prior_samples_lie_on_the_shell(latent: int) -> None:
    scores = shell(torch.randn(4000, latent, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    assert float(scores.mean()) == pytest.approx(0, abs=0.06)
    assert float(scores.std()) == pytest.approx(1, abs=0.06)


def test_the_origin_is_far_inside_the_shell() -> None:
    assert float(shell(torch.zeros(32))) == pytest.approx(-math.sqrt(2 * 32), rel=0.02)
    assert float(shell(torch.full((32,), 3.0))) > 10
