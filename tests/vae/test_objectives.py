"""What is charged for KL, against loops over every sentence and dimension."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vae.objectives import charged_kl, loss

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
    expected = [max(threshold, sum(row)) for row in kl]
    assert charged_kl(torch.tensor(kl), total=threshold).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_two_thresholds_are_not_one() -> None:
    kl = torch.tensor([[0.0] * 32])
    assert float(charged_kl(kl, per_dimension=3.0)) == 96  # lambda = 3 of Park & Lee
    assert float(charged_kl(kl, total=3.0)) == 3


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
