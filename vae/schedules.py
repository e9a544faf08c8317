"""What happens at which step: the stages of a run, its KL weight, its learning rate, its checks.

A step number counts the steps that are done, over all phases of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from vae.config import Config, Phase

CODES = 60
"""Evaluations of a run whose codes are kept."""


@dataclass(frozen=True)
class Stage:
    """A phase laid out in steps: from `first` (done before it) to `last` (done after it)."""

    phase: int
    settings: Phase | None
    """None is phase 0, the denoising pre-training of a fresh T5."""
    first: int
    last: int
    steps_per_epoch: int

    def epoch(self, step: int) -> float:
        """Passes over the training sentences since the phase began."""
        return (step - self.first) / self.steps_per_epoch


def plan(config: Config, sentences: int, took: Mapping[int, int] | None = None) -> list[Stage]:
    """The stages of a run on that many training sentences, in order; a phase of 0 epochs has none.

    `took` are the steps of the phases that have ended before their time (`patience`).
    """
    per_epoch = math.ceil(sentences / config.train.batch_size)
    wanted: list[tuple[int, Phase | None, float]] = [
        (1, config.phase1, config.phase1.epochs),
        (2, config.phase2, config.phase2.epochs),
    ]
    if config.pretrains:
        wanted.insert(0, (0, None, config.pretrain.epochs))
    stages: list[Stage] = []
    for phase, settings, epochs in wanted:
        first = stages[-1].last if stages else 0
        if epochs:
            steps = (took or {}).get(phase, max(1, round(epochs * per_epoch)))
            stages.append(Stage(phase, settings, first, first + steps, per_epoch))
    return stages


def check_every(config: Config, stage: Stage) -> int:
    """Steps between two evaluations."""
    return max(1, round(stage.steps_per_epoch / config.train.evals_per_epoch))


def checks(config: Config, stages: list[Stage]) -> list[int]:
    """The steps at which the text VAE is evaluated, from before its first step to after its last."""
    steps: set[int] = set()
    for stage in stages:
        if stage.settings is not None:
            every = check_every(config, stage)
            steps |= {stage.first, stage.last, *range(-(-stage.first // every) * every, stage.last, every)}
    return sorted(steps)


def code_steps(config: Config, stages: list[Stage]) -> set[int]:
    """The evaluations at which codes are kept: all, or of a long run every so many and the last, about `CODES`."""
    ordered = checks(config, stages)
    every = max(1, math.ceil(len(ordered) / CODES))
    return {*ordered[::every], *ordered[-1:]}


def snapshot_steps(config: Config, stages: list[Stage]) -> set[int]:
    """The evaluations at which weights are kept: spread evenly from the first on, the final model not among them."""
    ordered = checks(config, stages)[:-1]
    kept = min(config.train.snapshots, len(ordered))
    return {ordered[i * len(ordered) // kept] for i in range(kept)}


def kl_weight(phase: Phase, step: int, steps_per_epoch: int) -> float:
    """Weight of the KL term at a step, counted within the phase from 0.

    ``linear`` is Eq. 6 of Park & Lee 2021: step / (steps_per_epoch x kl_epochs), at most 1, times ``kl_weight``.
    ``cyclic`` is Fu et al. 2019 with R = 0.5: each cycle rises over its first half and stays over its second.
    """
    if phase.kl_schedule == "constant":
        return phase.kl_weight
    length = max(1.0, phase.kl_epochs * steps_per_epoch)
    if phase.kl_schedule == "linear":
        return phase.kl_weight * min(1.0, step / length)
    return phase.kl_weight * min(1.0, 2.0 * (step % length) / length)


def word_dropout(phase: Phase, step: int, steps_per_epoch: int) -> float:
    """Probability of word dropout at a step of a phase: its setting, or falling linearly from it to zero."""
    if not phase.word_dropout_epochs:
        return phase.word_dropout
    return phase.word_dropout * max(0.0, 1.0 - step / (phase.word_dropout_epochs * steps_per_epoch))


def learning_rate(peak: float, schedule: str, warmup: int, step: int, total: int) -> float:
    """Learning rate at a step of a phase of `total` steps: a linear rise over `warmup`, then constant or to a tenth."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "linear":
        return peak * (1.0 - 0.9 * (step - warmup) / max(1, total - warmup))
    return peak


def stage_learning_rate(config: Config, stage: Stage, step: int) -> float:
    """Learning rate of the step after `step` steps of the run."""
    length = stage.last - stage.first
    if stage.settings is None:
        return learning_rate(
            config.pretrain.learning_rate, "linear", min(100, length // 10), step - stage.first, length
        )
    s = stage.settings
    return learning_rate(s.learning_rate, s.learning_rate_schedule, s.learning_rate_warmup, step - stage.first, length)


def stage_kl_weight(stage: Stage, step: int) -> float:
    """KL weight of the step after `step` steps of the run; 0 in phase 0, which has no z."""
    if stage.settings is None:
        return 0.0
    return kl_weight(stage.settings, step - stage.first, stage.steps_per_epoch)


def pays_in_full(stage: Stage, step: int) -> bool:
    """Whether the step after `step` steps of the run is past the rise of the KL weight, or of a cycle's."""
    return stage.settings is not None and stage_kl_weight(stage, step) == stage.settings.kl_weight
