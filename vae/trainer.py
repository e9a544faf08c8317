"""Training, read top to bottom: `train(run)`.

    phase 0   base `fresh` only: a small T5 learns to rebuild sentences from corrupted ones
    phase 1   encoder warm-up: no KL, decoder and W_proj frozen
    phase 2   full finetuning: annealed, thresholded KL, token-deletion noise

Steps count over all phases. Every step seeds torch from (seed, step), and the order of an epoch's batches follows from
(seed, phase, epoch): so a run that resumes from its saved position goes on exactly as if it had never stopped.

Several processes share each batch. Deleted tokens and eps are drawn for all of it in every process, which takes its
own rows, so the steps do not depend on how many there are, but for rounding. Dropout alone is drawn in each process
apart: with dropout, one process and several give two runs of the same distribution.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from vae import backbones, base, batching, checkpoints, corpora, latents, machine, processes, projection, recorder, runs
from vae.batching import Batch, Tokens
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
        crew = processes.meet()
        saved = checkpoints.read(run)
        measured = _precision(config.train.precision) if crew.is_main_process and not saved else ""
        precision = processes.told(saved[0].precision if saved else measured)
        AcceleratorState._reset_state()  # the library keeps one precision a process; a notebook may train twice
        accelerator = Accelerator(
            mixed_precision="bf16" if precision == "bf16" else "no", cpu=crew.device.type == "cpu"
        )
        with accelerator.main_process_first():  # which keeps the sentences for all
            corpus = _corpus(run, config)
        tokenizer, module = _start(run, config, corpus, saved)
        tokens = batching.tokenize(tokenizer, corpus.train["text"].tolist(), config.data.max_tokens)
        stages = [stage for stage in plan(config, len(tokens)) if stage.phase <= last_phase]
        markers = torch.tensor(base.marker_ids(tokenizer))
        done = saved[0].step if saved else 0
        window: dict[str, float] = defaultdict(float, saved[0].window if saved else {})
        if crew.is_main_process:
            _forget_after(run, saved[0] if saved else None)
        job.begin(
            config, stages, saved[0] if saved else None, accelerator, precision, Watched(tokenizer, corpus, config)
        )

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
                rate = stage_learning_rate(config, stage, step)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                _seed(settings.seed, step)
                whole = _noisy(tokens.batch(rows), tokens.pad, markers, config, stage)
                mine, share = _share(whole, crew.process_index, crew.num_processes, by_token=stage.phase == 0)
                if crew.num_processes > 1:
                    _seed(settings.seed, step, crew.process_index + 1)  # dropout
                nats, sums = _objective(model, mine.to(accelerator.device), stage, step)
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
                counted = {name: value if share else 0.0 for name, value in sums.items()}
                totals = processes.summed(counted | {"stop": job.stop_wanted()}, crew.device)
                stop = totals.pop("stop") > 0
                for name, value in totals.items():
                    window[name] += value

                # Once in a while log, evaluate, sample, save
                job.beat(stage, done)
                if done % settings.log_every == 0 or done == stage.last:
                    job.log(stage, done, rate, window)
                if done % check_every(config, stage) == 0 or done == stage.last:
                    job.report(stage, done, module)
                    job.save(stage, done, module, optimizer, window, force=done == stage.last)
                if stop:
                    job.save(stage, done, module, optimizer, window, force=True)
                    raise Stopped(f"Stopped at step {done} of {stages[-1].last}; resume goes on from there.")
            module = accelerator.unwrap_model(model, keep_fp32_wrapper=False)
            accelerator.free_memory()  # the library keeps what it has prepared, moments and gradients included

        # What the other pages need
        if isinstance(module, TextVAE) and crew.is_main_process:
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
    """The tokenizer and the module to begin with: the base model, an LSTM, or what the resume state holds."""
    if saved is None:
        torch.manual_seed(config.train.seed)
        if config.model.backbone == "lstm":
            tokenizer = base.word_tokenizer(corpus.train["text"].tolist(), config.lstm.vocabulary)
            module = base.fresh_lstm(config.lstm, len(tokenizer))
            recorder.log.info(
                "The vocabulary has %d entries; %.2f %% of the words of the validation sentences are not in it, "
                "and are predicted as <unk>, not spelled.",
                *(len(tokenizer), 100 * base.unknown_share(tokenizer, corpus.valid["text"].tolist())),
            )
        elif config.model.base == "fresh":
            tokenizer = base.fresh_tokenizer(corpus.train["text"].tolist(), config.pretrain.vocabulary)
            module = base.fresh_t5(config.pretrain, len(tokenizer))
        else:
            module, tokenizer = base.load(config.model.base)
        if processes.lead():
            tokenizer.save_pretrained(run.model_path)
        return tokenizer, module
    tokenizer = base.tokenizer(run.model_path)
    position, weights, _ = saved
    if position.phase == 0:
        t5 = base.fresh_t5(config.pretrain, len(tokenizer))
        t5.load_state_dict(weights, strict=False)  # tied tensors were saved once
        return tokenizer, t5
    model = blank_model(run.model_path)
    model.load_weights(weights, str(run.state_path))
    return tokenizer, model


def _text_vae(module: Any, config: Config) -> TextVAE:
    """The text VAE around a T5 or an LSTM, its new heads and W_proj drawn from the run's seed."""
    torch.manual_seed(config.train.seed)
    model = TextVAE.around(
        backbones.around(config.model.backbone, module),
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


class Noisy(NamedTuple):
    """The sentences of a step, with what is drawn for them."""

    source: Batch
    """What the encoder reads: with tokens deleted, in phase 0 with spans corrupted."""
    target: Batch
    eps: Tensor
    """The draws from N(0, I) behind z, (sentences, latent); in phase 0 there is no z."""

    def rows(self, chosen: slice) -> Noisy:
        """Some of the sentences, padded to the longest of them."""
        return Noisy(_rows(self.source, chosen), _rows(self.target, chosen), self.eps[chosen])

    def to(self, device: torch.device) -> Noisy:
        """The same on a device."""
        return Noisy(self.source.to(device), self.target.to(device), self.eps.to(device))


def _rows(batch: Batch, chosen: slice) -> Batch:
    mask = batch.mask[chosen]
    width = int(mask.sum(1).max())
    return Batch(batch.ids[chosen, :width], mask[:, :width])


def _noisy(batch: Batch, pad: int, markers: Tensor, config: Config, stage: Stage) -> Noisy:
    """A batch on the CPU with its noise, drawn there from torch's global generator whatever the device."""
    if stage.settings is None:
        pretrain = config.pretrain
        source = batching.corrupt_spans(batch, pretrain.corruption, pretrain.mean_span, markers, pad)
        return Noisy(source, batch, torch.empty(len(batch.ids), 0))
    source = batching.delete_tokens(batch, stage.settings.token_deletion, pad)
    return Noisy(source, batch, torch.randn(len(batch.ids), config.model.latent_size))


def _share(whole: Noisy, process: int, processes: int, *, by_token: bool) -> tuple[Noisy, float]:
    """A process's rows of a batch, and the factor that makes the mean of the processes' gradients that of the batch.

    The loss is a mean over tokens or over sentences. Where sentences are fewer than processes, some do the first of
    them over again, and it counts nothing.
    """
    if processes == 1:
        return whole, 1.0
    if process >= len(whole.target.ids):
        return whole.rows(slice(1)), 0.0
    mine = whole.rows(slice(process, None, processes))
    part, all_ = (float(n.target.mask.sum() if by_token else len(n.target.ids)) for n in (mine, whole))
    return mine, part * processes / all_


def _objective(model: Any, batch: Noisy, stage: Stage, step: int) -> tuple[Tensor, dict[str, Tensor | float]]:
    """The loss of a step, nats per sentence (phase 0: per token), and the sums that the log is made of."""
    phase, count = stage.settings, float(len(batch.target.ids))
    if phase is None:
        nats = base.denoising_nats(model, batch.source, batch.target)
        tokens = batch.target.mask.sum()
        return nats, {"denoising": nats.detach() * tokens, "tokens": tokens, "sentences": count}
    terms = model(*batch)
    charged = charged_kl(terms.kl_per_dim, per_dimension=phase.free_bits_per_dimension, total=phase.free_bits_total)
    sums = {"rec": terms.rec, "kl": terms.kl_per_dim, "charged": charged}
    nats = loss(terms.rec, charged, stage_kl_weight(stage, step))
    return nats, {name: value.detach().sum() for name, value in sums.items()} | {"sentences": count}


def _seed(seed: int, step: int, stream: int = 0) -> None:
    """Seed torch for one step, from its position alone: stream 0 is that of the batch, n that of its nth process."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step, stream)).generate_state(1)[0]))


def _forget_after(run: Run, position: checkpoints.Position | None) -> None:
    """Drop what a killed process wrote after the state that the run resumes from, and what it wrote by half."""
    for path in (run.metrics_path, run.samples_path):
        events, _ = runs.read_lines(path)
        if path.is_file():
            kept = [e for e in events if position and (e["phase"], e["step"]) <= (position.phase, position.step)]
            runs.keep_lines(path, kept)
    for partial in run.path.rglob("*.partial"):
        if not runs.being_written(partial):
            partial.unlink()
    for step, codes in run.codes().items():
        if not position or step > position.step:
            codes.unlink()


def _precision(wanted: str) -> str:
    """`auto` made definite: bf16 on a GPU that has it, and on a CPU where a short measurement says that it pays."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
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
