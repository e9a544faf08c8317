"""The rules by which a phase changes its own course: patience with the learning rate, and training the encoder first.

What a rule has seen lies in `Progress`, which is part of the resume state: a run that resumes decides as one that was
never stopped. Rules speak at the checks, of figures of the watched validation sentences.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae.config import Train
from vae.model import TextVAE, distinct_tensors
from vae.schedules import Stage, pays_in_full

log = logging.getLogger("vae")

HALF = 0.5
"""What patience multiplies the learning rate by (Li et al. 2019, appendix A)."""
WINDOW = 15
"""Encoder updates whose mean loss is compared with that of as many before: "until convergence" in algorithm 1 of He et
al. 2019. 15 is from toy.py of their code, and from text.py as others have adapted it; an early text.py has 10."""


@dataclass
class Progress:
    """What the rules of a phase have seen; JSON values."""

    best_loss: float | None = None
    """Lowest validation loss, nats a sentence."""
    best_step: int = 0
    since: int = 0
    """The step after which patience counts: that of the best loss, or of the last halving."""
    halvings: int = 0
    lagging: bool = True
    """Whether the encoder is still trained ahead of the decoder, where it is at all."""
    mi_nats: float | None = None
    """MI an epoch ago, nats."""
    mi_step: int = 0


class Course:
    """A phase on its way. `kept` holds weights that may be needed again, by ``best.`` or ``pretrained.`` and name."""

    def __init__(self, stage: Stage, progress: Progress, kept: dict[str, Tensor]) -> None:
        self.stage, self.progress, self.kept = stage, progress, kept
        phase = stage.settings
        self.patient = phase is not None and phase.learning_rate_schedule == "patience"
        self.aggressive = phase is not None and bool(phase.aggressive_updates)

    @property
    def factor(self) -> float:
        """What patience has left of the learning rate."""
        return HALF**self.progress.halvings

    @property
    def ahead(self) -> bool:
        """Whether the encoder is updated on its own before each step, and the decoder alone in it."""
        return self.aggressive and self.progress.lagging

    @property
    def watches(self) -> bool:
        """Whether a rule wants the figures of a check."""
        return self.patient or self.ahead

    def take(self, done: int, loss: float, mi_nats: float, module: nn.Module, optimizer: torch.optim.Optimizer) -> bool:
        """Act on the figures of a check after `done` steps; whether the phase ends here, before its time."""
        if self.ahead:
            self._compare_mi(done, mi_nats)
        return self.patient and self._wait(done, loss, module, optimizer)

    def finish(self, module: nn.Module) -> None:
        """The end of the phase: patience keeps the best weights."""
        if self.patient and self.progress.best_loss is not None:
            self._put_back(module)

    def remember_decoder(self, model: TextVAE) -> None:
        """Keep the decoder as it is, for phase 2 to begin with."""
        self.kept |= {f"pretrained.{name}": tensor for name, tensor in model.decoder_weights().items()}

    def _wait(self, done: int, loss: float, module: nn.Module, optimizer: torch.optim.Optimizer) -> bool:
        """Li et al. 2019, appendix A: x 0.5 when the validation loss has not improved in the past 2 epochs; 5 times.

        As in their code, the best weights return at each halving, and the phase ends with the last one. Unlike there,
        a loss is always compared with the best of all, and none counts before `patience_from`. While the KL weight
        rises, neither the loss nor the time counts: the -ELBO that is judged is not what is trained there.
        """
        phase, seen = self.stage.settings, self.progress
        if phase is None or self.stage.epoch(done) < phase.patience_from or not pays_in_full(self.stage, done - 1):
            return False
        if seen.best_loss is None or loss < seen.best_loss:
            seen.best_loss, seen.best_step, seen.since = loss, done, done
            best = {f"best.{name}": t.detach().cpu().clone() for name, t in distinct_tensors(module).items()}
            self.kept |= best
            return False
        waited = sum(pays_in_full(self.stage, step) for step in range(seen.since, done))
        if waited < phase.patience * self.stage.steps_per_epoch:
            return False
        seen.halvings, seen.since = seen.halvings + 1, done
        self._put_back(module)
        optimizer.state.clear()
        log.info(
            "The validation loss of step %d, %.3f nats, is still the best: its weights are back, the learning rate "
            "halves to %g (%d of %d times).",
            *(seen.best_step, seen.best_loss, phase.learning_rate * self.factor, seen.halvings, phase.patience_decays),
        )
        return seen.halvings >= phase.patience_decays

    def _put_back(self, module: nn.Module) -> None:
        own = distinct_tensors(module)
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(self.kept[f"best.{name}"])

    def _compare_mi(self, done: int, mi_nats: float) -> None:
        """He et al. 2019, section 4.2: the encoder goes first until MI stops climbing from epoch to epoch."""
        seen = self.progress
        if seen.mi_nats is not None and done - seen.mi_step < self.stage.steps_per_epoch:
            return
        if seen.mi_nats is not None and mi_nats <= seen.mi_nats:
            seen.lagging = False
            log.info("MI has stopped climbing (%.2f nats): from now on encoder and decoder train at once.", mi_nats)
        seen.mi_nats, seen.mi_step = mi_nats, done


def restore_decoder(model: TextVAE, kept: dict[str, Tensor]) -> None:
    """Give a model the pretrained decoder and head that `Course.remember_decoder` has kept. W_proj stays."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in kept.items():
            if name.startswith("pretrained."):  # the others are the best weights of a patient phase 1
                own[name.removeprefix("pretrained.")].copy_(tensor)


def make_optimizer(settings: Train, trainable: list[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW, or SGD without momentum; the learning rate is set at every step."""
    if settings.optimizer == "sgd":
        return torch.optim.SGD(trainable, lr=0.0)
    return torch.optim.AdamW(trainable, weight_decay=settings.weight_decay, eps=settings.adam_epsilon, fused=True)
