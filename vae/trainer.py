"""Training, read top to bottom: `train(run)`.

    phase 0   base `fresh` only: a small T5 learns to rebuild sentences from corrupted ones
    phase 1   encoder warm-up: no KL, decoder and W_proj frozen
    phase 2   full finetuning: annealed, thresholded KL, token-deletion noise

Steps count over all phases. Every step seeds torch from (seed, step), and the order of an epoch's batches follows from
(seed, phase, epoch): so a run that resumes from its saved position goes on exactly as if it had never stopped.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from vae import backbones, base, batching, checkpoints, corpora, latents, machine, projection, recorder, runs
from vae.batching import Tokens
from vae.config import Config
from vae.corpora import Corpus
from vae.model import TextVAE, blank_model
from vae.objectives import charged_kl, loss
from vae.recorder import Recorder, Stopped, Watched
from vae.runs import Run, Status
from vae.schedules import Stage, check_every, plan, stage_kl_weight, stage_learning_rate
from vae.space import Space

BF16_GAIN = 1.2
"""bf16 is taken on a CPU if it multiplies matrices this much faster than fp32."""


def train(run: Run, *, progress: bool = True, last_phase: int = 2) -> Status:  # noqa: PLR0912, PLR0915
    """Train a run from where it is to its end, and return its status: finished, or stopped by request.

    The run directory must exist (`Run.create`). Bad input and a loss that is not finite leave the run failed, with
    the message in its status, and raise `ValueError`; the last good weights stay.
    """
    with Recorder(run, progress) as job:
        # What to train on, and from which weights
        config = run.config
        torch.set_num_threads(config.train.threads or machine.trainer_threads())
        saved = checkpoints.read(run)
        precision = saved[0].precision if saved else _precision(config.train.precision)
        AcceleratorState._reset_state()  # the library keeps one precision a process; a notebook may train twice
        on_cpu = not torch.accelerator.is_available()  # unless told so, the library lets several processes work apart
        accelerator = Accelerator(mixed_precision="bf16" if precision == "bf16" else "no", cpu=on_cpu)
        with accelerator.main_process_first():
            corpus = _corpus(run, config)
        tokenizer, module = _start(run, config, corpus, saved)
        tokens = batching.tokenize(tokenizer, corpus.train["text"].tolist(), config.data.max_tokens)
        stages = [stage for stage in plan(config, len(tokens)) if stage.phase <= last_phase]
        markers = torch.tensor(base.marker_ids(tokenizer), device=accelerator.device)
        done = saved[0].step if saved else 0
        window: dict[str, float] = defaultdict(float, saved[0].window if saved else {})
        _forget_after(run, saved[0] if saved else None)
        job.begin(config, stages, done, accelerator, precision, Watched(tokenizer, corpus, config))

        for stage in stages:
            if done >= stage.last and stage is not stages[-1]:
                continue
            # The module of this phase, and what trains in it
            if stage.phase > 0 and not isinstance(module, TextVAE):
                module = _text_vae(module, config)
            trainable = _freeze(module, stage)
            module.to(accelerator.device)
            settings = config.train
            optimizer = torch.optim.AdamW(
                trainable, weight_decay=settings.weight_decay, eps=settings.adam_epsilon, fused=True
            )
            if saved and saved[0].phase == stage.phase:
                checkpoints.load_moments(module, optimizer, saved[2])
            model, stepper = accelerator.prepare(module.train(), optimizer)
            new = stage is stages[0] or stages[stages.index(stage) - 1].phase == 0
            if done == stage.first and new:
                job.report(stage, done, module)

            for step, rows in _batches(stage, tokens, config, done):
                # A single training step
                _seed(settings.seed, step, accelerator.process_index)
                rate = stage_learning_rate(config, stage, step)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                mine, share = _share(rows, accelerator)
                batch = tokens.batch(mine).to(accelerator.device)
                nats, sums = _objective(model, batch, tokens.pad, markers, config, stage, step)
                accelerator.backward(nats * share)
                norm = accelerator.clip_grad_norm_(trainable, settings.clip_norm or math.inf)
                if not bool(torch.isfinite(norm)):
                    raise ValueError(
                        f"The loss is not finite at step {step} of phase {stage.phase} (learning rate {rate:g}): lower "
                        "the learning rate and start again; the weights of the last evaluation are kept."
                    )
                stepper.step()
                stepper.zero_grad()
                done = step + 1
                for name, value in sums.items():
                    window[name] += float(value) if share else 0.0

                # Once in a while log, evaluate, sample, save
                job.beat(stage, done)
                stop = job.stop_wanted()
                if done % settings.log_every == 0 or done == stage.last:
                    job.log(stage, done, rate, window)
                if done % check_every(config, stage) == 0 or done == stage.last:
                    job.report(stage, done, module)
                    job.save(stage, done, module, optimizer, window, force=done == stage.last)
                if stop:
                    job.save(stage, done, module, optimizer, window, force=True)
                    raise Stopped(f"Stopped at step {done} of {stages[-1].last}; resume goes on from there.")
            module = accelerator.unwrap_model(model, keep_fp32_wrapper=False)

        # What the other pages need
        if isinstance(module, TextVAE) and accelerator.is_main_process:
            latents.write_latents(run, Space(module, tokenizer), corpus.test)
            projection.project(run, "pca")
    return run.status


def _corpus(run: Run, config: Config) -> Corpus:
    """The run's sentences. What is not built in is kept in the run, so that it outlives an upload or a connection."""
    if (run.corpus_path / "corpus.json").is_file():
        return Corpus.open(run.corpus_path)
    data = config.data
    corpus = corpora.load(
        data.corpus,
        seed=data.seed,
        train_sentences=data.train_sentences,
        valid_sentences=data.valid_sentences,
        test_sentences=data.test_sentences,
        text_column=data.text_column,
    )
    if corpus.note:
        recorder.log.info("%s", corpus.note)
    if data.corpus != "captions":
        corpus.save(run.corpus_path)
    return corpus


Saved = tuple[checkpoints.Position, dict[str, Tensor], dict[str, Tensor]]


def _start(run: Run, config: Config, corpus: Corpus, saved: Saved | None) -> tuple[Any, Any]:
    """The tokenizer and the module to begin with: the base model, or what the resume state holds."""
    if saved is None:
        torch.manual_seed(config.train.seed)
        if config.model.base == "fresh":
            tokenizer = base.fresh_tokenizer(corpus.train["text"].tolist(), config.pretrain.vocabulary)
            t5 = base.fresh_t5(config.pretrain, len(tokenizer))
        else:
            t5, tokenizer = base.load(config.model.base)
        tokenizer.save_pretrained(run.model_path)
        return tokenizer, t5
    tokenizer = base.tokenizer(run.model_path)
    position, weights, _ = saved
    if position.phase == 0:
        t5 = base.fresh_t5(config.pretrain, len(tokenizer))
        t5.load_state_dict(weights, strict=False)  # tied tensors were saved once
        return tokenizer, t5
    model = blank_model(run.model_path)
    model.load_weights(weights, str(run.state_path))
    return tokenizer, model


def _text_vae(t5: Any, config: Config) -> TextVAE:
    """The text VAE around a T5, its new heads and W_proj drawn from the run's seed."""
    torch.manual_seed(config.train.seed)
    model = TextVAE.around(
        backbones.around(config.model.backbone, t5),
        latent_size=config.model.latent_size,
        pooling=config.model.pooling,
        pooled_layers=config.model.pooled_layers,
        max_tokens=config.data.max_tokens,
    )
    if config.model.latent == "zero":  # W_proj of zeros makes every z the same to the decoder
        for parameter in (*model.parts()["posterior"], *model.parts()["projection"]):
            torch.nn.init.zeros_(parameter)
    return model


def _freeze(module: Any, stage: Stage) -> list[torch.nn.Parameter]:
    """Let exactly the parts train that the phase does not freeze, say which, and return their parameters."""
    if stage.settings is None:
        return list(module.parameters())
    trained: list[str] = []
    still: list[str] = []
    for part, parameters in module.parts().items():
        frozen = part in stage.settings.frozen
        for parameter in parameters:
            parameter.requires_grad_(not frozen)
        if parameters:
            (still if frozen else trained).append(f"{part} ({sum(p.numel() for p in parameters):,})")
    recorder.log.info(
        "Phase %d trains %s; frozen: %s.%s",
        *(stage.phase, ", ".join(trained), ", ".join(still) or "nothing"),
        " The embedding table is also the head." if not module.parts()["head"] else "",
    )
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _batches(stage: Stage, tokens: Tokens, config: Config, done: int) -> Iterator[tuple[int, np.ndarray]]:
    """(steps done before it, rows) of every step of the stage that is left."""
    settings = config.train
    epoch = (done - stage.first) // stage.steps_per_epoch
    step = stage.first + epoch * stage.steps_per_epoch
    while step < stage.last:
        seed = (settings.seed, stage.phase, epoch)
        for rows in batching.shuffled(tokens, settings.batch_size, seed, by_length=settings.batches == "by_length"):
            if done <= step < stage.last:
                yield step, rows
            step += 1
        epoch += 1


def _share(rows: np.ndarray, accelerator: Accelerator) -> tuple[np.ndarray, float]:
    """This process's rows of a batch, and the factor that makes the processes' mean gradient that of the batch."""
    mine = rows[accelerator.process_index :: accelerator.num_processes]
    if not len(mine):
        return rows[:1], 0.0
    return mine, len(mine) * accelerator.num_processes / len(rows)


def _objective(
    model: Any, batch: batching.Batch, pad: int, markers: Tensor, config: Config, stage: Stage, step: int
) -> tuple[Tensor, dict[str, Tensor | float]]:
    """The loss of a step, nats per sentence (phase 0: per token), and the sums that the log is made of."""
    phase, count = stage.settings, float(len(batch.ids))
    if phase is None:
        corrupted = batching.corrupt_spans(batch, config.pretrain.corruption, config.pretrain.mean_span, markers, pad)
        nats = base.denoising_nats(model, corrupted, batch)
        tokens = batch.mask.sum()
        return nats, {"denoising": nats.detach() * tokens, "tokens": tokens, "sentences": count}
    terms = model(batching.delete_tokens(batch, phase.token_deletion, pad), batch)
    charged = charged_kl(terms.kl_per_dim, per_dimension=phase.free_bits_per_dimension, total=phase.free_bits_total)
    sums = {"rec": terms.rec, "kl": terms.kl_per_dim, "charged": charged}
    nats = loss(terms.rec, charged, stage_kl_weight(stage, step))
    return nats, {name: value.detach().sum() for name, value in sums.items()} | {"sentences": count}


def _seed(seed: int, step: int, process: int) -> None:
    """Seed torch for one step, from its position alone."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step, process)).generate_state(1)[0]))


def _forget_after(run: Run, position: checkpoints.Position | None) -> None:
    """Drop the events and codes that a killed process wrote after the state that the run resumes from."""
    for path in (run.metrics_path, run.samples_path):
        events, _ = runs.read_lines(path)
        if events:
            kept = [e for e in events if position and (e["phase"], e["step"]) <= (position.phase, position.step)]
            runs.keep_lines(path, kept)
    for step, codes in run.codes().items():
        if not position or step > position.step:
            codes.unlink()


def _precision(wanted: str) -> str:
    """`auto` made definite: bf16 on a GPU that has it, and on a CPU where a short measurement says that it pays."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if torch.backends.mps.is_available():
        return "fp32"
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.randn(1024, 128).to(dtype), torch.randn(128, 512).to(dtype)
        times = []
        for _ in range(12):
            begun = perf_counter()
            a @ b
            times.append(perf_counter() - begun)
        seconds[dtype] = sorted(times)[3]
    return "bf16" if seconds[torch.float32] > BF16_GAIN * seconds[torch.bfloat16] else "fp32"
