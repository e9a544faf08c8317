"""What is charged for KL, against loops over every sentence and dimension."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from vae.objectives import charged_kl, importance_weighted, loss

KL = st.lists(st.lists(st.floats(0, 50, width=32), min_size=3, max_size=3), min_size=1, max_size=6)
LAMBDA = st.floats(0, 20)


@given(KL, LAMBDA)
@settings(max_examples=50)
def test_the_threshold_per_dimension_is_equation_2_of_park_and_lee(kl: list[list[float]], threshold: float) -> None:
    expected = [sum(max(threshold, value) for value in row) for row in kl]
    assert charged_kl(torch.tensor(kl), per_dimension=threshold).tolist() == pytest.approx(expected, rel=1e-5)


@given(KL, LAMBDA)
@settings(max_examples=50)
def test_the_total_threshold_is_on_the_sum_of_a_sentence(kl: list[list[float]], threshold: float) -> None:
    sums = torch.tensor(kl).sum(1).tolist()
    expected = [total if total > threshold or not threshold else 0.0 for total in sums]
    assert charged_kl(torch.tensor(kl), total=threshold).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_two_thresholds_are_not_one() -> None:
    kl = torch.tensor([[0.0] * 32])
    assert float(charged_kl(kl, per_dimension=3.0)) == 96  # lambda = 3 of Park & Lee
    assert float(charged_kl(kl, total=3.0)) == float(charged_kl(kl, target=3.0)) == 0


def test_lambda_of_the_two_papers_is_not_one_number() -> None:
    """3 of Park & Lee is a dimension's; 3 of Li et al. is a sentence's, 0.094 a dimension."""
    kl = torch.tensor([[0.1, 0.09, 2.9, 3.1, *[0.0] * 28]], requires_grad=True)
    for knob, charged, paid in (
        ({"per_dimension": 3.0}, 31 * 3.0 + 3.1, [0, 0, 0, 1]),
        ({"target": 3.0}, 0.1 + 2.9 + 3.1, [1, 0, 1, 1]),
        ({"total": 3.0}, 6.19, [1, 1, 1, 1]),
        ({"total": 6.3}, 0.0, [0, 0, 0, 0]),
    ):
        value = charged_kl(kl, **knob).sum()
        (gradient,) = torch.autograd.grad(value, kl)
        assert float(value.detach()) == pytest.approx(charged)
        assert gradient[0, :4].tolist() == paid


def test_over_the_batch_the_mean_decides_for_every_sentence() -> None:
    kl = torch.tensor([[0.0, 4.0, 1.0], [4.0, 0.0, 0.5]], requires_grad=True)  # means 2, 2, 0.75
    mean = kl.detach().mean(0)
    for knob, batch_mean, paid in (
        ({"per_dimension": 1.0}, 2 + 2 + 1, [[1, 1, 0]] * 2),
        ({"target": 3.0}, 2 + 2, [[1, 1, 0]] * 2),
        ({"target": 7.0}, 0, [[0, 0, 0]] * 2),
        ({"total": 4.7}, 4.75, [[1, 1, 1]] * 2),
        ({"total": 4.8}, 0, [[0, 0, 0]] * 2),
    ):
        value = charged_kl(kl, **knob, mean=mean)
        (gradient,) = torch.autograd.grad(value.sum(), kl)
        assert float(value.detach().mean()) == pytest.approx(batch_mean)
        assert gradient.tolist() == paid


@given(KL, st.floats(0.1, 20))
def test_a_rate_is_held_from_both_sides(kl: list[list[float]], rate: float) -> None:
    values = torch.tensor(kl, requires_grad=True)
    charged = charged_kl(values, rate=rate)
    mean = float(values.detach().sum(1).mean())
    assert float(charged.detach().mean()) == pytest.approx(abs(mean - rate), rel=1e-4, abs=1e-4)
    (gradient,) = torch.autograd.grad(charged.sum(), values)
    if abs(mean - rate) > 1e-3:
        assert (gradient == (1 if mean > rate else -1)).all()


def closed_form(k: int, draws: int, seed: int = 0) -> tuple[Tensor, Tensor, float]:
    """rec and log q/p of x = 1.3 under x | z ~ N(z, 1), z ~ N(0, 1), q = N(0.2, 1.1): log p(x) = log N(x; 0, 2)."""
    x, q, p = 1.3, Normal(0.2, 1.1), Normal(0.0, 1.0)
    torch.manual_seed(seed)
    z = q.sample((draws, k))
    return (
        -Normal(z, 1.0).log_prob(torch.tensor(x)),
        q.log_prob(z) - p.log_prob(z),
        -float(Normal(0.0, math.sqrt(2)).log_prob(torch.tensor(x))),
    )


def test_the_importance_weighted_bound_closes_in_on_the_known_likelihood_from_above() -> None:
    bounds = []
    for k in (1, 4, 16, 256):
        rec, ratio, truth = closed_form(k, 20_000 if k < 256 else 4000)
        bounds.append(float(importance_weighted(rec, ratio).mean()))
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] == pytest.approx(truth, abs=2e-3)
    assert bounds[0] > truth + 0.2


def test_one_draw_is_the_elbo_with_its_weight() -> None:
    rec, ratio, _ = closed_form(1, 50)
    torch.testing.assert_close(importance_weighted(rec, ratio, 0.3), (rec + 0.3 * ratio)[:, 0])
    torch.testing.assert_close(importance_weighted(rec, ratio, 0.0), rec[:, 0])


@given(KL)
def test_without_a_threshold_the_whole_kl_is_charged(kl: list[list[float]]) -> None:
    assert charged_kl(torch.tensor(kl)).tolist() == pytest.approx([sum(row) for row in kl], rel=1e-5)


@pytest.mark.parametrize(("per_dimension", "total"), [(1.0, 0.0), (0.0, 4.0)])
def test_what_lies_below_its_threshold_is_free(per_dimension: float, total: float) -> None:
    kl = torch.tensor([[0.5, 0.9], [3.0, 4.0]], requires_grad=True)
    charged_kl(kl, per_dimension=per_dimension, total=total).sum().backward()
    assert kl.grad is not None
    assert kl.grad.tolist() == [[0, 0], [1, 1]]


@given(KL, st.floats(0, 10))
def test_the_loss_is_rec_plus_weight_times_kl(kl: list[list[float]], weight: float) -> None:
    charged = [sum(row) for row in kl]
    rec = [10.0 + row for row in range(len(kl))]
    expected = sum(r + weight * c for r, c in zip(rec, charged, strict=True)) / len(kl)
    assert float(loss(torch.tensor(rec), torch.tensor(charged), weight)) == pytest.approx(expected, rel=1e-5)
