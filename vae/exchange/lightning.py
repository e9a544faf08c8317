"""Checkpoints of the code released with Park & Lee 2021 (PyTorch Lightning), as runs.

A checkpoint holds the weights of a T5 with three matrices more: `mu`, `logvar` and `memory_projection`. The rest, its
tokenizer among it, comes from the T5 that training started from. The model is opened as it was trained: z is read as a
first key and value of the decoder's self-attention (`backbones.prefix`), and all 256 positions of a sentence are
pooled, padding included. One thing is not repeated: batches there mix up the memory of their sentences; here each has
its own, as there when a sentence is alone.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae import base, checkpoints, latents, projection, runs
from vae.backbones.prefix import PrefixT5
from vae.config import Config, Data, Model, Phase, Train
from vae.corpora import Corpus
from vae.exchange import RECIPE, finished
from vae.model import TextVAE
from vae.runs import Run
from vae.space import Space

POSITIONS = 256
"""`out_dim` of every configuration that was released: the length that all sentences were padded to."""
EVENTS = {
    "val_rec": ("valid", "rec_nats"),
    "val_kl": ("valid", "kl_nats"),
    "val_nll": ("valid", "neg_elbo_nats"),
    "val_mi": ("valid", "mi_nats"),
    "val_au": ("valid", "active_units"),
    "train_unweighted_reg_loss": ("train", "kl_charged_nats"),
    "train_reg_weight": ("train", "kl_weight"),
}
"""What that code logs for TensorBoard in units of ours. Its training rec is a mean over padded positions, its ELBO is
KL - rec, and its perplexity leaves out the end token: these are not taken over."""
NAMED = re.compile(r"t5_vae_(?P<latent>\d+)_(?P<pooling>max|mean)_(?P<bits>[\d.]+|none)_(?P<noise>[\d.]+|none)")
"""How its experiments are named; `_bsN` at the end is the batch size."""


def read(source: Path, path: Path, name: str, pooling: str | None = None, corpus: Corpus | None = None) -> Run:
    """The run of a checkpoint, made at `path`; `name` is the T5 that its training started from (a folder or a Hub id).

    `pooling` is read off the experiment's name if it is not given. With a corpus its test sentences are encoded, so
    that the run has a map. A checkpoint of something else is a `ValueError`.
    """
    file = source if source.is_file() else _newest(source)
    tensors, step = _tensors(file)
    home = file.parent.parent if file.parent.name == "checkpoints" else file.parent
    known = NAMED.search(str(file))
    model, tokenizer = _model(tensors, name, pooling or (known["pooling"] if known else "max"), file)
    size = re.search(r"_bs(\d+)", home.name)
    history = _history(home, int(size[1]) if size else None)
    bits, noise = (_number(known[part]) if known else 0.0 for part in ("bits", "noise"))
    config = Config(
        recipe=RECIPE,
        data=Data(corpus=f"file:{home.name}", max_tokens=POSITIONS),
        model=Model(base=name, latent_size=model.latent_size, pooling="mean" if model.pooling == "mean" else "max"),
        phase2=Phase(
            epochs=10,
            learning_rate=1e-4,
            kl_schedule="linear",
            kl_epochs=100,
            free_bits_per_dimension=bits,
            token_deletion=noise,
        ),
        train=Train(batch_size=int(size[1]) if size else 64),
    )
    run = finished(path, config, history, {"source": str(file), "format": "lightning", "step": step, "base": name})
    checkpoints.save_model(model, run.model_path)
    tokenizer.save_pretrained(run.model_path)
    if corpus is not None:
        corpus.save(run.corpus_path)
        latents.write_latents(run, Space(model, tokenizer), corpus.test)
        projection.project(run, "pca")
    return run


def _newest(folder: Path) -> Path:
    """The checkpoint of the most steps in a folder."""
    return max(folder.rglob("*.ckpt"), key=lambda file: (_steps(file.name), file.name))


def _steps(name: str) -> int:
    found = re.search(r"step=(\d+)", name)
    return int(found[1]) if found else -1


def _tensors(file: Path) -> tuple[dict[str, Tensor], int]:
    """The weights of a checkpoint without the prefix of their module, and the step it was taken at."""
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError) as error:
        raise ValueError(
            f"{file} cannot be read as weights alone ({type(error).__name__}): it is damaged, or holds more than "
            "weights; save it anew with save_weights_only=True."
        ) from error
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or "t5.memory_projection.weight" not in state:
        raise ValueError(f"{file} is no checkpoint of that code: it has no t5.memory_projection.weight.")
    return {key.removeprefix("t5."): value.float() for key, value in state.items()}, int(content.get("global_step", 0))


def _model(tensors: Mapping[str, Tensor], name: str, pooling: str, file: Path) -> tuple[TextVAE, Any]:
    """The text VAE around the T5 of that name, with every weight from the checkpoint."""
    t5, tokenizer = base.load(name)
    rest = dict(tensors)
    heads = {part: rest.pop(f"{part}.weight") for part in ("mu", "logvar", "memory_projection")}
    own = t5.state_dict()
    wrong = {key for key in own if key not in rest or rest[key].shape != own[key].shape}
    if wrong:
        raise ValueError(
            f"{file} was not trained from {name!r} ({min(wrong)} differs): name the T5 that it started from."
        )
    t5.load_state_dict({key: rest[key] for key in own})
    backbone = PrefixT5(t5)
    if heads["memory_projection"].shape[0] != backbone.memory_size:
        raise ValueError(
            f"{file} has a memory of {heads['memory_projection'].shape[0]} numbers where {name!r} reads "
            f"{backbone.memory_size}: its heads are not width / heads wide, which that code takes for granted."
        )
    model = TextVAE.around(
        backbone,
        latent_size=heads["mu"].shape[0],
        pooling=pooling,
        max_tokens=POSITIONS,
        pooled_positions=POSITIONS,
    )
    with torch.no_grad():
        for linear, weight in ((model.mean, heads["mu"]), (model.logvar, heads["logvar"])):
            linear.weight.copy_(weight)
            linear.bias.zero_()  # that code has none
        model.projection.weight.copy_(heads["memory_projection"])
    return model.eval(), tokenizer


def _history(home: Path, batch_size: int | None) -> list[dict[str, Any]]:
    """What the experiment logged for TensorBoard, if the package is here to read it: one event a step and split."""
    if not any(home.glob("events.out.tfevents.*")):
        return []
    from vae.exchange import tensorboard

    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for tag, points in tensorboard.scalars(home).items():
        if tag in EVENTS:
            split, figure = EVENTS[tag]
            for step, value in points:
                rows.setdefault((step, split), {"step": step, "phase": 2, "split": split})[figure] = value
    for row in rows.values():
        if "mi_nats" in row and batch_size:  # computed inside batches, so it cannot be more than this
            row["mi_ceiling_nats"] = math.log(batch_size)
    return [runs.finite(rows[key]) for key in sorted(rows)]


def _number(text: str) -> float:
    return 0.0 if text == "none" else float(text)
