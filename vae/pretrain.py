"""`python -m vae pretrain`: a small T5 pre-trained by denoising, as a folder to start runs from.

This is phase 0 of a run with base `fresh`, kept for many runs instead of one. The bundled starter was made by it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import transformers

from vae import base, checkpoints, runs, trainer
from vae.config import Config, Data, Model, Phase, Pretrain, Train
from vae.runs import Run


def pretrain(out: Path, *, settings: Pretrain, data: Data, train: Train, progress: bool = True) -> None:
    """Train a tokenizer and a T5 on the sentences of `data` and save both to `out`, a folder that must be empty."""
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise ValueError(f"{out} already holds something: choose another folder.")
    config = Config(
        recipe="pretrain", data=data, model=Model(base="fresh"), pretrain=settings, phase2=Phase(epochs=1), train=train
    )
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", config)
        trainer.train(run, progress=progress, last_phase=0)
        tokenizer = base.tokenizer(run.model_path)
        saved = checkpoints.read(run)
        if saved is None or run.status.state != "finished":
            raise ValueError("Pre-training was stopped before its end, so there is nothing to keep.")
        transformers.utils.logging.disable_progress_bar()
        t5 = base.fresh_t5(settings, len(tokenizer))
        t5.load_state_dict(saved[1], strict=False)
        out.mkdir(parents=True, exist_ok=True)
        t5.half().save_pretrained(out)
        for weights in out.glob("*.safetensors"):
            runs.as_usual(weights)
        tokenizer.save_pretrained(out)
        shutil.copy(run.metrics_path, out / "metrics.jsonl")
