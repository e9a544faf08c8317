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
from collections.abc import Callable, Iterator
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
from vae.objectives import charged_kl, importance_weighted, loss
from vae.optimization import WINDOW, Course, Progress, make_optimizer, restore_decoder
from vae.recorder import Recorder, Stopped, Watched
from vae.runs import Run, Status
from vae.schedules import Stage, check_every, plan, stage_kl_weight, stage_learning_rate, word_dropout
from vae.space import Space

BF16_GAIN = 1.2
"""bf16 is taken on a CPU if it multiplies matrices this much faster than fp32."""


def train(  # noqa: PLR0912, PLR0915
    run: Run, *, progress: bool = True, last_phase: int = 2, begun: Callable[[], None] | None = None
) -> Status:
    """Train a run from where it is to its end, and return its status: finished, or stopped by request.

    The run directory must exist (`Run.create`). `begun` is called when all is loaded and training begins. Bad input and
    a loss that is not finite leave the run failed, with the message in its status, and raise `ValueError`; the last
    good weights stay.
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
        with accelerator.main_process_first():
            tokens = _tokens(run, config, corpus, tokenizer)
        took = {int(phase): steps for phase, steps in saved[0].took.items()} if saved else {}
        stages = [stage for stage in plan(config, len(tokens), took) if stage.phase <= last_phase]
        special = Special(torch.tensor(base.marker_ids(tokenizer)), _unknown(config, tokenizer))
        done = saved[0].step if saved else 0
        kept = saved[3] if saved else {}
        window: dict[str, float] = defaultdict(float, saved[0].window if saved else {})
        if crew.is_main_process:
            _forget_after(run, saved[0] if saved else None)
        job.begin(
            config, stages, saved[0] if saved else None, accelerator, precision, Watched(tokenizer, corpus, config)
        )
        if begun:
            begun()

        for number in range(len(stages)):
            stage = stages[number]
            if done >= stage.last and number < len(stages) - 1:
                continue
            # The module of this phase, its rules, and what trains in it
            if stage.phase > 0 and not isinstance(module, TextVAE):
                module = _text_vae(module, config)
            mine = saved if saved and saved[0].phase == stage.phase else None
            course = Course(stage, Progress(**mine[0].progress) if mine else Progress(), kept)
            if done == stage.first:
                _begin_decoder(module, config, course, after_phase1=number > 0 and stages[number - 1].phase == 1)
            trainable = _freeze(module, stage)
            module.to(accelerator.device)
            settings = config.train
            optimizer = make_optimizer(settings, trainable)
            if mine:
                checkpoints.load_moments(module, optimizer, mine[2])
            model, stepper = accelerator.prepare(module.train(), optimizer)
            gradient = Gradient(model, accelerator, trainable, tokens, special, config, stage)
            if done == stage.first and (number == 0 or stages[number - 1].phase == 0):
                job.report(stage, done, module)

            for step, rows in _batches(stage, tokens, config, done):
                rate = course.factor * stage_learning_rate(config, stage, step)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                # Before it, if asked for, steps of the encoder alone, until their loss stops improving
                if course.aggressive:
                    window["steps"] += 1
                    window["ahead"] += _encoder_ahead(gradient, stepper, module, step, rate) if course.ahead else 0

                # A single training step
                sums = gradient(step, rows, rate)
                if course.ahead:
                    _drop_gradients(module, ENCODER)
                stepper.step()
                stepper.zero_grad()
                done = step + 1
                totals = processes.summed(sums | {"stop": job.stop_wanted()}, crew.device)
                stop = totals.pop("stop") > 0
                for name, value in totals.items():
                    window[name] += value

                # Once in a while judge, log, evaluate, sample, save
                job.beat(stage, done)
                check = done % check_every(config, stage) == 0 or done == stage.last
                if check and course.watches and course.take(done, *job.judge(stage, module), module, optimizer):
                    took[stage.phase] = done - stage.first
                    stages = [stage for stage in plan(config, len(tokens), took) if stage.phase <= last_phase]
                    stage = stages[number]
                    job.shorten(stages)
                if done == stage.last:
                    course.finish(module)
                if done % settings.log_every == 0 or done == stage.last:
                    job.log(stage, done, rate, window, module)
                if check:
                    job.report(stage, done, module, course.factor)
                    job.save(stage, done, module, optimizer, window, course, took, force=done == stage.last)
                if stop:
                    job.save(stage, done, module, optimizer, window, course, took, force=True)
                    raise Stopped(f"Stopped at step {done} of {stages[-1].last}; resume goes on from there.")
                if done == stage.last:
                    break
            kept = course.kept
            module = accelerator.unwrap_model(model, keep_fp32_wrapper=False)
            accelerator.free_memory()  # the library keeps what it has prepared, moments and gradients included
            # It takes a module that it knows for prepared, and would leave it in fp32 in the next phase.
            vars(module).pop("_is_accelerate_prepared", None)

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


def _tokens(run: Run, config: Config, corpus: Corpus, tokenizer: Any) -> batching.Tokens:
    """The training sentences as tokens. Where the run keeps its corpus it keeps these, too, and maps them."""
    place, pad = run.corpus_path / "tokens", tokenizer.pad_token_id
    if kept := checkpoints.open_tokens(place, pad):
        return kept
    tokens = batching.tokenize(tokenizer, corpus.train["text"].tolist(), config.data.max_tokens)
    if run.corpus_path.is_dir():
        checkpoints.save_tokens(tokens, place)
    return tokens


def _start(run: Run, config: Config, corpus: Corpus, saved: checkpoints.Saved | None) -> tuple[Any, Any]:
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
    position, weights, *_ = saved
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
        backbones.around(config.model.backbone, module, config.model.memory_slots),
        latent_size=config.model.latent_size,
        pooling=config.model.pooling,
        pooled_layers=config.model.pooled_layers,
        max_tokens=config.data.max_tokens,
    )
    if config.model.latent == "zero":  # W_proj of zeros makes every z the same to the decoder
        for parameter in (*model.parts()["posterior"], *model.parts()["projection"]):
            torch.nn.init.zeros_(parameter)
    return model


def _begin_decoder(module: Any, config: Config, course: Course, *, after_phase1: bool) -> None:
    """At the beginning of a phase: keep the pretrained decoder if it will be needed; give phase 2 the one it asks for.

    Optimizers always start anew with a phase.
    """
    choice, phase = config.phase2.decoder, course.stage.phase
    if phase == 1 and choice == "restore":
        course.remember_decoder(module)
    if phase == 2 and after_phase1:
        if choice == "reset":
            _seed(config.train.seed, course.stage.first)
            module.reset_decoder()
            recorder.log.info("Phase 2 begins with a new decoder: random weights, also for W_proj.")
        elif choice == "restore":
            restore_decoder(module, course.kept)
            recorder.log.info("Phase 2 begins with the pretrained decoder.")
    if phase == 2:
        course.kept = {}


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


ENCODER, OTHERS = ("encoder", "posterior"), ("embeddings", "projection", "decoder", "head")


class Special(NamedTuple):
    """Token ids that noise is made of."""

    markers: Tensor
    unknown: int | None


class Gradient:
    """Puts the gradient of the loss of a batch into the parameters of the model, in a phase."""

    def __init__(
        self,
        model: Any,
        accelerator: Accelerator,
        trainable: list[torch.nn.Parameter],
        tokens: Tokens,
        special: Special,
        config: Config,
        stage: Stage,
    ) -> None:
        self.model, self.accelerator, self.trainable = model, accelerator, trainable
        self.tokens, self.special, self.config, self.stage = tokens, special, config, stage
        self.others: tuple[int, list[np.ndarray]] = (-1, [])

    def __call__(self, step: int, rows: np.ndarray, rate: float, ahead: int = 0) -> dict[str, Tensor | float]:
        """The sums over the sentences of these rows; `ahead` numbers the updates before that of the step (0)."""
        crew, settings, stage = self.accelerator, self.config.train, self.stage
        _seed(settings.seed, step, ahead=ahead)
        whole = _noisy(self.tokens.batch(rows), self.tokens.pad, self.special, self.config, stage, step)
        mine, share = _share(whole, crew.process_index, crew.num_processes, by_token=stage.phase == 0)
        if crew.num_processes > 1:
            _seed(settings.seed, step, crew.process_index + 1, ahead)  # dropout
        nats, sums = _objective(self.model, mine.to(crew.device), stage, step, counts=share > 0)
        crew.backward(nats * share)
        norm = crew.clip_grad_norm_(self.trainable, settings.clip_norm or math.inf)
        if not bool(torch.isfinite(norm)):
            raise ValueError(
                f"The loss is not finite at step {step} of phase {stage.phase} (learning rate {rate:g}): lower "
                "the learning rate and start again; the weights of the last evaluation are kept."
            )
        if ahead:
            sums |= {"nats": nats.detach() * sums["sentences"]}
        return {name: value if share else 0.0 for name, value in sums.items()}

    def another(self, step: int, ahead: int) -> np.ndarray:
        """Rows for the update of that number before a step."""
        settings, stage = self.config.train, self.stage
        epoch = (step - stage.first) // stage.steps_per_epoch
        if self.others[0] != epoch:
            seed = (settings.seed, stage.phase, epoch, 1)
            by_length = settings.batches == "by_length"
            self.others = epoch, batching.shuffled(self.tokens, settings.batch_size, seed, by_length=by_length)
        return self.others[1][np.random.default_rng((settings.seed, step, ahead)).integers(len(self.others[1]))]


def _encoder_ahead(gradient: Gradient, stepper: Any, module: TextVAE, step: int, rate: float) -> int:
    """Update the encoder alone until its loss stops improving (He et al. 2019, algorithm 1); how many times.

    The loss, nats a token, is compared over windows of `WINDOW` updates, each on another batch.
    """
    phase = gradient.stage.settings
    most = phase.aggressive_updates if phase else 0
    before, totals = math.inf, {"nats": 0.0, "tokens": 0.0}
    for ahead in range(1, most + 1):
        sums = gradient(step, gradient.another(step, ahead), rate, ahead)
        _drop_gradients(module, OTHERS)
        stepper.step()
        stepper.zero_grad()
        each = processes.summed({name: sums[name] for name in totals}, gradient.accelerator.device)
        totals = {name: totals[name] + each[name] for name in totals}
        if ahead % WINDOW == 0:
            now = totals["nats"] / totals["tokens"]
            if now >= before:
                return ahead
            before, totals = now, {"nats": 0.0, "tokens": 0.0}
    return most


def _drop_gradients(module: TextVAE, parts: tuple[str, ...]) -> None:
    """Let the next step of the optimizer leave these parts alone."""
    for part in parts:
        for parameter in module.parts()[part]:
            parameter.grad = None


class Noisy(NamedTuple):
    """The sentences of a step, with what is drawn for them."""

    source: Batch
    """What the encoder reads: with tokens deleted, in phase 0 with spans corrupted."""
    target: Batch
    eps: Tensor
    """The draws from N(0, I) behind z, (sentences, latent) or (sentences, draws, latent); in phase 0 there is no z."""
    read: Tensor | None = None
    """What the decoder reads of the target, if words are dropped there, (sentences, length)."""

    def rows(self, chosen: slice) -> Noisy:
        """Some of the sentences, padded to the longest of them."""
        target = _rows(self.target, chosen)
        read = None if self.read is None else self.read[chosen, : target.ids.shape[1]]
        return Noisy(_rows(self.source, chosen), target, self.eps[chosen], read)

    def to(self, device: torch.device) -> Noisy:
        """The same on a device."""
        read = None if self.read is None else self.read.to(device)
        return Noisy(self.source.to(device), self.target.to(device), self.eps.to(device), read)


def _rows(batch: Batch, chosen: slice) -> Batch:
    mask = batch.mask[chosen]
    width = int(mask.sum(1).max())
    return Batch(batch.ids[chosen, :width], mask[:, :width])


def _unknown(config: Config, tokenizer: Any) -> int | None:
    """The token that stands for a dropped word; the words of an LSTM have <unk> among them, as a word like others."""
    unknown = base.unknown_token(tokenizer)
    if unknown is None and any(phase.word_dropout for phase in config.phases.values()):
        raise ValueError("Word dropout needs a token <unk>, which the vocabulary has not: set word_dropout to 0.")
    return unknown


def _noisy(batch: Batch, pad: int, special: Special, config: Config, stage: Stage, step: int) -> Noisy:
    """A batch on the CPU with its noise, drawn there from torch's global generator whatever the device."""
    if stage.settings is None:
        pretrain = config.pretrain
        source = batching.corrupt_spans(batch, pretrain.corruption, pretrain.mean_span, special.markers, pad)
        return Noisy(source, batch, torch.empty(len(batch.ids), 0))
    source = batching.delete_tokens(batch, stage.settings.token_deletion, pad)
    draws = stage.settings.importance_samples
    shape = (len(batch.ids), draws, config.model.latent_size)
    eps = torch.randn(shape if draws > 1 else shape[::2])
    dropout = word_dropout(stage.settings, step - stage.first, stage.steps_per_epoch)
    if not dropout or special.unknown is None:
        return Noisy(source, batch, eps)
    return Noisy(source, batch, eps, batching.drop_words(batch, dropout, special.unknown))


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


def _objective(
    model: Any, batch: Noisy, stage: Stage, step: int, *, counts: bool = True
) -> tuple[Tensor, dict[str, Tensor | float]]:
    """The loss of a step, nats per sentence (phase 0: per token), and the sums that the log is made of.

    A batch that does not count takes no part in the means over all processes.
    """
    phase, count = stage.settings, float(len(batch.target.ids))
    if phase is None:
        nats = base.denoising_nats(model, batch.source, batch.target)
        tokens = batch.target.mask.sum()
        return nats, {"denoising": nats.detach() * tokens, "tokens": tokens, "sentences": count}
    size = {"sentences": count, "tokens": batch.target.mask.sum()}
    terms, weight = model(*batch), stage_kl_weight(stage, step)
    if terms.log_ratio is not None:
        nats = importance_weighted(terms.rec, terms.log_ratio, weight).mean()
        sums = {"rec": terms.rec.mean(1), "kl": terms.kl_per_dim, "charged": terms.kl_per_dim}
    else:
        mean = None
        if phase.over_batch:
            total = terms.kl_per_dim.detach().sum(0)
            mean = processes.averaged(total * counts, count * counts)
        charged = charged_kl(terms.kl_per_dim, **phase.charges, mean=mean)
        sums = {"rec": terms.rec, "kl": terms.kl_per_dim, "charged": charged}
        nats = loss(terms.rec, charged, weight)
    return nats, {name: value.detach().sum() for name, value in sums.items()} | size


def _seed(seed: int, step: int, stream: int = 0, ahead: int = 0) -> None:
    """Seed torch for one step, from its position alone: stream 0 is that of the batch, n that of its nth process.

    `ahead` numbers the updates of the encoder before that of the step.
    """
    place = (seed, step, stream, ahead) if ahead else (seed, step, stream)
    torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))


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
