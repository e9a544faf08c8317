"""Paths, changes along them and the shell of the prior."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vae.explore import interpolate, shell, word_changes

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


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ("a dog runs .", "a dog runs .", []),
        ("a dog runs .", "a big dog sleeps .", ["big", "sleeps"]),
        ("a big dog runs .", "a dog runs .", []),
        ("", "two words", ["two", "words"]),
        ("two words", "", []),
        ("a a a b", "a b b", ["b"]),
    ],
)
def test_new_words_are_marked(before: str, after: str, new: list[str]) -> None:
    changes = word_changes(before, after)
    assert [word for word, _ in changes] == after.split()
    assert [word for word, changed in changes if changed] == new


@pytest.mark.parametrize("latent", [1, 2, 32, 4096])
def test_prior_samples_lie_on_the_shell(latent: int) -> None:
    scores = shell(torch.randn(4000, latent, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    assert float(scores.mean()) == pytest.approx(0, abs=0.06)
    assert float(scores.std()) == pytest.approx(1, abs=0.06)


def test_the_origin_is_far_inside_the_shell() -> None:
    assert float(shell(torch.zeros(32))) == pytest.approx(-math.sqrt(2 * 32), rel=0.02)
    assert float(shell(torch.full((32,), 3.0))) > 10
