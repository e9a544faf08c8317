"""The trainer's side of the run directory: status, log, events, samples, snapshots, saving, and being asked to stop.

Only the lead of several processes writes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import signal
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from accelerate import Accelerator
from tqdm import tqdm

from vae import base, batching, checkpoints, decode, evaluate, failures, jobs, metrics, processes, runs
from vae.config import Config
from vae.corpora import Corpus
from vae.exchange.tensorboard import Board
from vae.model import TextVAE, distinct_tensors
from vae.objectives import charged_kl
from vae.optimization import Course
from vae.runs import Run, State
from vae.schedules import Stage, code_steps, snapshot_steps, stage_kl_weight, stage_learning_rate
from vae.throughput import flops_per_token, peak_flops

log = logging.getLogger("vae")

SHOWN = 8
"""Reconstructions and prior samples in one event of samples.jsonl."""
CODED = 512
"""Sentences whose codes are kept along the way: as many points as a film can show apart."""
SAVING_SHARE = 0.05
"""Saving the resume state may take this share of the time."""
BEATING_SHARE = 0.005
"""Telling the status file how far the run is may take this share; a disk needs milliseconds to be sure of it."""


class Stopped(Exception):  # noqa: N818
    """Somebody asked the run to save and stop."""


class Watched:
    """The fixed validation sample that every check looks at, and the codes from the prior that it decodes."""

    def __init__(self, tokenizer: Any, corpus: Corpus, config: Config) -> None:
        valid = corpus.valid["text"].tolist()
        if len(valid) < 2:
            raise ValueError(
                f"The valid split has {len(valid)} sentence, but training is watched by at least 2: add one."
            )
        chosen = np.random.default_rng(config.train.seed).permutation(len(valid))[: config.train.eval_sentences]
        texts = [valid[row] for row in chosen]
        self.labels = corpus.valid[corpus.labels].iloc[chosen[:CODED]].to_dict("list")
        self.tokenizer = tokenizer
        self.tokens = batching.tokenize(tokenizer, texts, config.data.max_tokens)
        self.texts = evaluate.readings(tokenizer, texts, self.tokens, config.data.max_tokens)
        self.words = evaluate.count_words(self.texts)
        self.prior = torch.randn(SHOWN, config.model.latent_size, generator=torch.Generator().manual_seed(0))


class Recorder:
    """The run directory's side of a training process: status, log, events, files, and being asked to stop."""

    def __init__(self, run: Run, progress: bool) -> None:
        self.run = run
        self.main = processes.lead()
        self.progress = progress and self.main and sys.stderr.isatty()
        self.signalled = False
        self.aside = 0.0  # seconds spent on anything but training since the last training event
        self.place: dict[str, int] = {}  # step and phase, as the status file has them
        self.board: Board | None = None

    def __enter__(self) -> Recorder:
        self.handler: logging.Handler = logging.NullHandler()
        if self.main:  # what it says may name a path that is no Unicode
            self.handler = logging.FileHandler(self.run.log_path, encoding="utf-8", errors="backslashreplace")
        self.handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
        log.setLevel(logging.INFO)
        log.addHandler(self.handler)
        self.before: dict[int, Any] = {}
        if self.main:  # until all have met, the others are simply ended
            self._listen()
        process = psutil.Process()
        self._status(
            state="running", pid=process.pid, process_started=process.create_time(), message="Loading.", eta_s=None
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        ending = error
        try:
            if error is not None and kind is not Stopped:
                ending = processes.outcome(failures.refusal(error, jobs.way_out(self.run)) or error)
            if kind is None:
                self._last_word("finished", "", eta_s=0.0)
                log.info("Finished.")
            elif kind is Stopped:
                self._last_word("stopped", str(error))
                log.info("%s", error)
            else:
                message = str(ending).strip() or type(ending).__name__
                self._last_word("failed", message.splitlines()[0][:500])
                log.error("Failed: %s", message, exc_info=not isinstance(ending, ValueError))
        finally:
            if self.main:
                self.run.stop_path.unlink(missing_ok=True)
            for number, handler in self.before.items():
                signal.signal(number, handler)
            log.removeHandler(self.handler)
            with contextlib.suppress(OSError):  # what a full disk did not take
                self.handler.close()
            if hasattr(self, "bar"):
                self.bar.close()
            if self.board:
                with contextlib.suppress(OSError):
                    self.board.close()
        if ending is not error and ending is not None:
            raise ending from error
        return kind is Stopped

    def begin(
        self,
        config: Config,
        stages: list[Stage],
        position: checkpoints.Position | None,
        accelerator: Accelerator,
        precision: str,
        watched: Watched,
    ) -> None:
        """Everything is loaded: say what is going to happen, from the saved position or the beginning."""
        if not self.main:
            self._listen()
        done = position.step if position else 0
        self.config, self.watched, self.accelerator, self.precision = config, watched, accelerator, precision
        self._plan(stages)
        self.beats: deque[tuple[float, int]] = deque([(time.monotonic(), done)], maxlen=500)
        self.last_log = self.last_save = self.last_beat = time.monotonic()
        self.begun = time.monotonic() - (position.time_s if position else 0.0)
        self.saving = self.beating = 0.0
        self.peak = peak_flops(accelerator.device, precision) * accelerator.num_processes
        self.paced: set[int] = set()  # phases whose speed is in the log
        self.place = {"step": done, "phase": next((s for s in stages if done < s.last), stages[-1]).phase}
        self._status(total_steps=self.total, message="", **self.place)
        if self.main:
            versions = {name: version(name) for name in ("torch", "transformers", "accelerate")}
            environment = {
                "python": platform.python_version(),
                **versions,
                "system": f"{platform.system()} {platform.machine()}",
                "device": str(accelerator.device),
                "precision": precision,
                "threads": torch.get_num_threads(),
                "processes": accelerator.num_processes,
                "seed": config.train.seed,
            }
            runs.write_json(self.run.path / "env.json", environment)
            if config.train.tensorboard == "yes":
                self.board = Board(self.run.path, first_step=done + 1)
        for sentence in config.idle_settings():
            log.info("Note: %s", sentence)
        log.info(
            "Recipe %s on %s: %d steps in all, %d done; %s on %s, CPU threads: %d.",
            *(config.recipe, config.data.corpus, self.total, done, precision),
            *(accelerator.device, torch.get_num_threads()),
        )
        self.bar = tqdm(total=self.total, initial=done, unit="step", disable=not self.progress, dynamic_ncols=True)

    def shorten(self, stages: list[Stage]) -> None:
        """A phase has ended before its time: this is the plan from now on."""
        self._plan(stages)
        self._status(total_steps=self.total)

    def stop_wanted(self) -> bool:
        """Whether somebody asked this process to stop, by signal or by the stop file."""
        return self.signalled or (self.main and self.run.stop_path.exists())

    def judge(self, stage: Stage, module: TextVAE) -> tuple[float, float]:
        """What the rules of a phase go by, the same in every process: validation loss and MI, nats a sentence.

        The loss is rec + kl_weight x KL on the watched sentences, at the full weight and before any threshold: -ELBO,
        and for an autoencoder rec, as in the code of Li et al. 2019.
        """
        begun, figures = time.monotonic(), (0.0, 0.0)
        if self.main and stage.settings is not None:
            module.eval()
            seen = evaluate.one_pass(module, self.watched.tokens, seed=self.config.train.seed)
            module.train()
            q = seen.posterior
            loss = seen.rec.double().mean() + stage.settings.kl_weight * q.kl_per_dim().double().sum(1).mean()
            figures = float(loss), metrics.mutual_information(q.mean, q.logvar, seen.z).lower_nats
        self.aside += time.monotonic() - begun
        return processes.told(figures)

    def log(self, stage: Stage, done: int, rate: float, window: dict[str, float], module: Any) -> None:
        """Write the training event of the steps since the last one, and empty the window."""
        total = dict(window)
        window.clear()
        now = time.monotonic()
        seconds = max(1e-9, now - self.last_log - self.aside)
        speed, tokens = total["sentences"] / seconds, total["tokens"] / seconds
        self.last_log, self.aside = now, 0.0
        event = self._event(stage, done, "train") | {"learning_rate": rate}
        if stage.settings is None:
            event |= {"denoising_nats": total["denoising"] / total["tokens"]}
        else:
            rec, kl, charged = (total[name] / total["sentences"] for name in ("rec", "kl", "charged"))
            event |= {"rec_nats": rec, "kl_nats": kl, "kl_charged_nats": charged, "neg_elbo_nats": rec + kl}
            event |= {"kl_weight": stage_kl_weight(stage, done - 1)}
            if "ahead" in total:
                event |= {"encoder_updates": total["ahead"] / max(1.0, total["steps"])}
            self.bar.set_postfix_str(f"phase {stage.phase}  rec {rec:.2f}  KL {kl:.2f} nats", refresh=False)
        share = tokens * flops_per_token(module) / self.peak
        event |= {
            "sentences_per_second": round(speed, 1),
            "tokens_per_second": round(tokens),
            "peak_share": round(share, 4),
        }
        event |= {"memory_mb": round(psutil.Process().memory_info().rss / 1e6)}
        if stage.phase not in self.paced:
            self.paced.add(stage.phase)
            log.info(
                "Phase %d: %s sentences and %s tokens a second, %.0f %% of the %.0f GFLOP/s measured here.",
                *(stage.phase, f"{speed:,.0f}", f"{tokens:,.0f}", 100 * share, self.peak / 1e9),
            )
        if self.accelerator.device.type == "cuda":
            event |= {"gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 1e6)}
        self._write(self.run.metrics_path, event)

    def report(self, stage: Stage, done: int, module: Any, factor: float = 1.0) -> None:
        """Evaluate on the fixed validation sample, decode what is shown, keep a snapshot where one is due.

        `factor` is what is left of the scheduled learning rate.
        """
        if not self.main:
            return
        begun = time.monotonic()
        rate = factor * stage_learning_rate(self.config, stage, done)
        event = self._event(stage, done, "valid") | {"learning_rate": rate}
        module.eval()
        if stage.settings is None:
            value = self._denoising(module)
            event |= {"denoising_nats": value}
            log.info("Step %d, phase 0: denoising %.3f nats a token.", done, value)
        else:
            event |= self._figures(stage, done, module)
            samples = {"step": done, "phase": stage.phase} | self._samples(module)
            self._write(self.run.samples_path, samples)
            if done in self.coded:
                self._keep_codes(done)
            if done in self.snapshots:
                checkpoints.save_model(module, self.run.path / "snapshots" / f"step-{done}", half=True)
            log.info(
                "Step %d, phase %d: rec %.2f, KL %.2f, MI %.2f (at most %.2f), AU %d, delta NLL %.2f.",
                *(done, stage.phase, event["rec_nats"], event["kl_nats"], event["mi_nats"], event["mi_ceiling_nats"]),
                *(event["active_units"], event["delta_nll_nats"]),
            )
        module.train()
        self._write(self.run.metrics_path, event)
        self.aside += time.monotonic() - begun

    def save(
        self,
        stage: Stage,
        done: int,
        module: Any,
        optimizer: torch.optim.Optimizer,
        window: dict[str, float],
        course: Course,
        took: dict[int, int],
        force: bool,
    ) -> None:
        """Save model and resume state, unless saving would take more than its share of the time.

        `took` are the steps of the phases that have ended before their time. Weights that are not finite are a
        `ValueError` and replace nothing.
        """
        begun = time.monotonic()
        if not self.main or not (force or (begun - self.last_save) * SAVING_SHARE >= self.saving):
            return
        position = checkpoints.Position(
            step=done,
            phase=stage.phase,
            precision=self.precision,
            time_s=self._time_s(),
            window=dict(window),
            took={str(phase): steps for phase, steps in took.items()},
            progress=asdict(course.progress),
        )
        weights = distinct_tensors(module)
        if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
            raise ValueError(
                f"The weights are not finite after step {done}: lower the learning rate and start again; those saved "
                "before are kept."
            )
        if isinstance(module, TextVAE):
            checkpoints.save_model(module, self.run.model_path)
        checkpoints.save(self.run, position, weights, checkpoints.moments(module, optimizer), course.kept)
        self.last_save = time.monotonic()
        self.saving = self.last_save - begun
        self.aside += self.saving

    def beat(self, stage: Stage, done: int) -> None:
        """Once a second, or less often on a slow disk, tell the status file how far the run is."""
        self.place = {"step": done, "phase": stage.phase}
        self.bar.update(done - self.bar.n)
        now = time.monotonic()
        self.beats.append((now, done))
        if now - self.last_beat >= min(max(1.0, self.beating / BEATING_SHARE), 10.0):
            (then, before), left = self.beats[0], self.total - done
            eta = left * (now - then) / max(1, done - before)
            self._status(eta_s=round(eta, 1), **self.place)
            self.last_beat = time.monotonic()
            self.beating = self.last_beat - now

    @torch.inference_mode()
    def _denoising(self, t5: Any) -> float:
        tokens, total, count = self.watched.tokens, 0.0, 0
        markers = torch.tensor(base.marker_ids(self.watched.tokenizer), device=t5.device)
        settings = self.config.pretrain
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.train.seed)
            for rows in batching.in_order(tokens, 256):
                batch = tokens.batch(rows).to(t5.device)
                corrupted = batching.corrupt_spans(batch, settings.corruption, settings.mean_span, markers, tokens.pad)
                seen = int(batch.mask.sum())
                total, count = total + float(base.denoising_nats(t5, corrupted, batch)) * seen, count + seen
        return total / count

    def _figures(self, stage: Stage, done: int, model: TextVAE) -> dict[str, Any]:
        seen = evaluate.one_pass(model, self.watched.tokens, seed=self.config.train.seed)
        phase = stage.settings or self.config.phase2
        kl = seen.posterior.kl_per_dim()
        charged = charged_kl(kl, **phase.charges, mean=kl.mean(0) if phase.over_batch else None)
        self.posterior = seen.posterior
        figures = evaluate.figures(seen, self.watched.words)
        return figures | {"kl_charged_nats": float(charged.double().mean()), "kl_weight": stage_kl_weight(stage, done)}

    def _samples(self, model: TextVAE) -> dict[str, Any]:
        shown = self.posterior.mean[:SHOWN]
        z = torch.cat([shown, self.watched.prior]).to(model.projection.weight.device)
        ids = decode.generate(model, z, self.config.data.max_tokens)
        texts = [text.strip() for text in self.watched.tokenizer.batch_decode(ids.tolist(), skip_special_tokens=True)]
        known = self.watched.texts[: len(shown)]
        pairs = [{"text": text, "decoded": decoded} for text, decoded in zip(known, texts, strict=False)]
        return {"reconstructions": pairs, "prior": texts[len(known) :]}

    def _keep_codes(self, done: int) -> None:
        """Where the watched sentences are by now; who they are is written once."""
        folder, watched, q = self.run.codes_path, self.watched, self.posterior
        folder.mkdir(exist_ok=True)
        if not (folder / "texts.json").is_file():
            runs.write_json(folder / "texts.json", {"text": watched.texts[:CODED], **watched.labels})
        codes = {"mean": q.mean[:CODED].half(), "logvar": q.logvar[:CODED].half()}
        checkpoints.write_tensors(folder / f"step-{done}.safetensors", codes)

    def _plan(self, stages: list[Stage]) -> None:
        self.total = stages[-1].last
        self.snapshots, self.coded = snapshot_steps(self.config, stages), code_steps(self.config, stages)

    def _listen(self) -> None:
        """Take signals for a wish to stop. Outside the main thread only the stop file is heard."""
        for name in ("SIGTERM", "SIGINT"):
            if threading.current_thread() is threading.main_thread():
                number = getattr(signal, name)
                self.before[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self.signalled = True

    def _event(self, stage: Stage, done: int, split: str) -> dict[str, Any]:
        place = {"step": done, "phase": stage.phase, "split": split, "epoch": round(stage.epoch(done), 4)}
        return place | {"time_s": self._time_s()}

    def _time_s(self) -> float:
        """Seconds in training, evaluations included, over all resumes; what a kill has undone does not count."""
        return round(time.monotonic() - self.begun, 2)

    def _write(self, path: Path, event: dict[str, Any]) -> None:
        if self.main:
            runs.append_line(path, event)
            if self.board:
                self.board.add(event)

    def _last_word(self, state: State, message: str, eta_s: float | None = None) -> None:
        """Write the status of the end. On a full disk it takes the place of the old one, byte for byte."""
        if self.main and state == "failed":  # what was half written takes room, and helps nobody
            for folder in (self.run.model_path, self.run.state_path, self.run.path / "snapshots"):
                for partial in folder.rglob("*.partial"):
                    partial.unlink(missing_ok=True)
        changes: dict[str, Any] = {"state": state, "message": message, "eta_s": eta_s, **self.place}
        try:
            self._status(**changes)
        except OSError:
            path = self.run.path / "status.json"
            text = json.dumps(asdict(replace(self.run.status, heartbeat=time.time(), **changes)))
            with path.open("r+b") as file:
                file.write(text.encode().ljust(path.stat().st_size))

    def _status(self, **changes: Any) -> None:
        if self.main:
            self.run.update_status(heartbeat=time.time(), **changes)
