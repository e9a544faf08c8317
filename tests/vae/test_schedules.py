"""What changes with the step, against the equations it follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae.config import Phase
from vae.schedules import kl_weight, learning_rate

STEPS = st.integers(0, 10_000)
EPOCH = st.integers(1, 500)


@given(STEPS, EPOCH, st.integers(1, 60), st.floats(0, 10))
def test_linear_is_equation_6_of_park_and_lee_until_it_is_full(
    step: int, steps_per_epoch: int, epochs: int, weight: float
) -> None:
    phase = Phase(kl_schedule="linear", kl_epochs=epochs, kl_weight=weight)
    equation_6 = step / (steps_per_epoch * epochs)
    assert kl_weight(phase, step, steps_per_epoch) == pytest.approx(weight * min(equation_6, 1.0))


def test_park_and_lee_reach_three_fiftieths_in_their_three_epochs() -> None:
    phase = Phase(epochs=3, kl_schedule="linear", kl_epochs=50)
    assert kl_weight(phase, 0, 313) == 0
    assert kl_weight(phase, 3 * 313, 313) == pytest.approx(3 / 50)
    assert kl_weight(phase, 50 * 313, 313) == 1


@given(STEPS, EPOCH, st.floats(0, 10))
def test_constant_is_constant(step: int, steps_per_epoch: int, weight: float) -> None:
    assert kl_weight(Phase(kl_weight=weight), step, steps_per_epoch) == weight


def test_a_cycle_rises_for_half_its_length_and_stays_for_the_other() -> None:
    phase = Phase(kl_schedule="cyclic", kl_epochs=1, kl_weight=2.0)
    weights = [kl_weight(phase, step, 8) for step in range(16)]
    assert weights == 2 * [0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0]


@given(STEPS, EPOCH, st.integers(1, 20))
def test_cycles_repeat(step: int, steps_per_epoch: int, epochs: int) -> None:
    phase = Phase(kl_schedule="cyclic", kl_epochs=epochs)
    cycle = steps_per_epoch * epochs
    assert kl_weight(phase, step, steps_per_epoch) == pytest.approx(kl_weight(phase, step % cycle, steps_per_epoch))


@given(st.sampled_from(["linear", "cyclic"]), STEPS, EPOCH, st.floats(0, 50), st.floats(0, 10))
def test_the_weight_never_leaves_its_range(
    schedule: str, step: int, steps_per_epoch: int, epochs: float, weight: float
) -> None:
    phase = Phase(kl_schedule=schedule, kl_epochs=epochs, kl_weight=weight)  # type: ignore[arg-type]
    assert 0 <= kl_weight(phase, step, steps_per_epoch) <= weight


def test_the_learning_rate_rises_then_falls_to_a_tenth() -> None:
    rates = [learning_rate(1.0, "linear", 4, step, 14) for step in range(15)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[14] == pytest.approx(0.1)


@given(st.floats(0, 1), st.integers(0, 100), STEPS)
def test_a_constant_learning_rate_stays_at_its_peak_after_the_warm_up(peak: float, warmup: int, step: int) -> None:
    rate = learning_rate(peak, "constant", warmup, step, 10_000)
    assert rate == (peak if step >= warmup else pytest.approx(peak * (step + 1) / warmup))


def test_a_warm_up_longer_than_the_phase_does_not_divide_by_zero() -> None:
    assert learning_rate(1.0, "linear", 10, 10, 5) == 1.0
