"""What changes with the step: KL weight and learning rate. Step counts are within the phase, from 0."""

from __future__ import annotations

from vae.config import Phase


def kl_weight(phase: Phase, step: int, steps_per_epoch: int) -> float:
    """Weight of the KL term at a step of the phase.

    ``linear`` is Eq. 6 of Park & Lee 2021: step / (steps_per_epoch x kl_epochs), at most 1, times ``kl_weight``.
    ``cyclic`` is Fu et al. 2019 with R = 0.5: each cycle rises over its first half and stays over its second.
    """
    if phase.kl_schedule == "constant":
        return phase.kl_weight
    length = max(1.0, phase.kl_epochs * steps_per_epoch)
    if phase.kl_schedule == "linear":
        return phase.kl_weight * min(1.0, step / length)
    return phase.kl_weight * min(1.0, 2.0 * (step % length) / length)


def learning_rate(peak: float, schedule: str, warmup: int, step: int, total: int) -> float:
    """Learning rate at a step of the phase: a linear rise over `warmup` steps, then constant or linear to a tenth."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "linear":
        return peak * (1.0 - 0.9 * (step - warmup) / max(1, total - warmup))
    return peak
