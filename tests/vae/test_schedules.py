"""What changes with the step, against the equations it follows."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae.config import Config, Model, Phase, Pretrain, Train
from vae.schedules import (
    CODES,
    Stage,
    check_every,
    checks,
    code_steps,
    kl_weight,
    learning_rate,
    pays_in_full,
    plan,
    snapshot_steps,
    stage_kl_weight,
    stage_learning_rate,
)

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


# --------------------------------------------------------------------------------------------- the plan of a whole run


def config(
    base: str = "fresh", pretrain: float = 1.0, phase1: float = 1.0, phase2: float = 2.0, **train: Any
) -> Config:
    return Config(
        model=Model(base=base),
        pretrain=Pretrain(epochs=pretrain, learning_rate=1.0),
        phase1=Phase(epochs=phase1, kl_weight=0.0),
        phase2=Phase(epochs=phase2, learning_rate=0.5, learning_rate_schedule="linear", learning_rate_warmup=4),
        train=Train(**{"batch_size": 16, **train}),
    )


def spans(config: Config, sentences: int) -> list[tuple[int, int, int]]:
    return [(stage.phase, stage.first, stage.last) for stage in plan(config, sentences)]


def test_phases_follow_each_other_and_those_of_no_epochs_are_left_out() -> None:
    assert spans(config(), 100) == [(0, 0, 7), (1, 7, 14), (2, 14, 28)]
    assert spans(config("starter"), 100) == [(1, 0, 7), (2, 7, 21)]
    assert spans(config("starter", phase1=0.0), 96) == [(2, 0, 12)]
    assert spans(config("starter", phase1=0.5, phase2=0.0), 100) == [(1, 0, 4)]
    assert spans(config("starter", phase1=1e-6, phase2=1e-6), 100) == [(1, 0, 1), (2, 1, 2)]


@given(st.integers(1, 5000), st.integers(1, 300), st.floats(0.01, 5), st.floats(0, 5), st.floats(0.01, 5))
def test_a_plan_has_no_gaps_and_an_epoch_is_its_batches(
    sentences: int, batch_size: int, pretrain: float, phase1: float, phase2: float
) -> None:
    stages = plan(config(pretrain=pretrain, phase1=phase1, phase2=phase2, batch_size=batch_size), sentences)
    assert stages[0].first == 0
    for stage, following in pairwise(stages):
        assert stage.last == following.first
    for stage in stages:
        assert stage.last > stage.first
        assert (stage.steps_per_epoch - 1) * batch_size < sentences <= stage.steps_per_epoch * batch_size
        assert stage.epoch(stage.first) == 0
        assert stage.epoch(stage.first + stage.steps_per_epoch) == 1


def test_checks_are_as_often_as_asked_and_at_least_a_step_apart() -> None:
    stage = plan(config("starter"), 1600)[0]
    assert [check_every(config(evals_per_epoch=n), stage) for n in (0.5, 1, 3, 4, 100)] == [200, 100, 33, 25, 1]
    assert check_every(config(evals_per_epoch=100), plan(config("starter"), 10)[0]) == 1


@given(
    st.integers(1, 2000), st.sampled_from(["fresh", "starter"]), st.floats(0, 4), st.floats(0.1, 4),
    st.floats(0.05, 20), st.integers(0, 20),
)  # fmt: skip
def test_snapshots_are_checks_spread_from_the_first_on_without_the_last(
    sentences: int, base: str, phase1: float, phase2: float, evals: float, wanted: int
) -> None:
    chosen = config(base, phase1=phase1, phase2=phase2, evals_per_epoch=evals, snapshots=wanted)
    stages = plan(chosen, sentences)
    tuned = [stage for stage in stages if stage.phase > 0]
    checks = {tuned[0].first} | {
        step
        for stage in tuned
        for step in range(stage.first + 1, stage.last + 1)
        if step % check_every(chosen, stage) == 0 or step == stage.last
    }
    kept = snapshot_steps(chosen, stages)
    assert kept <= checks - {stages[-1].last}  # never at a step that is not evaluated: it would not be written
    assert len(kept) == min(wanted, len(checks) - 1)
    if wanted and len(checks) > 1:
        assert min(kept) == min(checks)
        gaps = [b - a for a, b in pairwise([*sorted(kept), stages[-1].last])]
        if len(checks) >= 3 * wanted and len(tuned) == 1:
            assert max(gaps) <= 3 * max(min(gaps), check_every(chosen, tuned[0]))


def test_a_pretraining_alone_keeps_no_snapshots() -> None:
    assert snapshot_steps(config(), plan(config(), 100)[:1]) == set()


def test_each_phase_has_its_own_learning_rate_and_kl_weight() -> None:
    chosen, stages = config(), plan(config(), 1600)  # 100, 100 and 200 steps
    zero, one, two = stages
    assert [stage_learning_rate(chosen, zero, step) for step in (0, 9, 10)] == pytest.approx([0.1, 1.0, 1.0])
    assert stage_learning_rate(chosen, zero, 100) == pytest.approx(0.1)
    assert {stage_learning_rate(chosen, one, step) for step in range(100, 201)} == {1e-3}
    assert [stage_learning_rate(chosen, two, step) for step in (200, 203, 204, 400)] == pytest.approx(
        [0.125, 0.5, 0.5, 0.05]
    )
    ramp = replace(chosen, phase2=Phase(epochs=2, kl_schedule="linear", kl_epochs=1, kl_weight=2.0))
    assert [stage_kl_weight(stage, stage.first) for stage in plan(ramp, 1600)] == [0, 0, 0]
    assert [stage_kl_weight(plan(ramp, 1600)[2], step) for step in (200, 250, 300, 400)] == [0, 1, 2, 2]


def test_the_steps_that_pay_in_full() -> None:
    def steps(**settings: Any) -> list[int]:
        stage = Stage(2, Phase(epochs=4, **settings), 100, 116, 4)
        return [step - 100 for step in range(100, 116) if pays_in_full(stage, step)]

    assert steps() == steps(kl_weight=0.0) == steps(kl_weight=0.3) == list(range(16))
    assert steps(kl_schedule="linear", kl_epochs=2) == list(range(8, 16))
    assert steps(kl_schedule="linear", kl_epochs=5) == []
    assert steps(kl_schedule="cyclic", kl_epochs=2, kl_weight=0.3) == [4, 5, 6, 7, 12, 13, 14, 15]


@given(st.floats(0.01, 100), st.integers(1, 30), st.integers(0, 3))
def test_codes_are_kept_at_even_distances_and_bounded(per_epoch: float, epochs: int, warmup: int) -> None:
    config = Config(
        phase1=Phase(epochs=warmup), phase2=Phase(epochs=epochs), train=Train(evals_per_epoch=per_epoch, batch_size=10)
    )
    stages = plan(config, 300)
    ordered, kept = checks(config, stages), sorted(code_steps(config, stages))
    assert kept[0] == ordered[0] == 0
    assert kept[-1] == ordered[-1] == stages[-1].last
    assert set(kept) <= set(ordered)
    assert len(kept) <= CODES + 1
    assert len(kept) > min(len(ordered), CODES) / 2
    apart = {ordered.index(b) - ordered.index(a) for a, b in pairwise(kept[:-1])}
    assert len(apart) <= 1
    if len(ordered) <= CODES:
        assert kept == ordered
