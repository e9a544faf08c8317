"""What a run needs to go on exactly where it was: weights, optimizer, position. Safetensors, JSON, plain arrays.

`state/state.json` names the one file of tensors that belongs to it, and is renamed into place after that file is
whole; older files go last. So a process killed at any moment leaves one complete state, and so does a power cut: each
file is on the disk before it takes its name. No random state is stored: every step seeds its own draws from (seed,
step), so the position is enough.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vae import runs
from vae.batching import Tokens
from vae.config import read_json
from vae.model import TextVAE, read_weights
from vae.runs import Run

MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""AdamW's state of a parameter."""


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a run stands: `step` steps are done; `phase` is that of the last one."""

    step: int
    phase: int
    precision: str
    time_s: float = 0.0
    """Seconds in training until here, over all resumes."""
    window: dict[str, float] = field(default_factory=dict)
    """Sums since the last training event, so that the next one is that of an uninterrupted run."""
    took: dict[str, int] = field(default_factory=dict)
    """Steps of each phase that has ended before its time."""
    progress: dict[str, Any] = field(default_factory=dict)
    """What the phase's rules go by (`optimization.Progress`)."""


def save(
    run: Run,
    position: Position,
    weights: Mapping[str, Tensor],
    moments: Mapping[str, Tensor],
    kept: Mapping[str, Tensor] | None = None,
) -> None:
    """Replace the run's resume state. `kept` are weights that may be needed again, such as the best so far."""
    folder = run.state_path
    folder.mkdir(exist_ok=True)
    name = f"step-{position.step}.safetensors"
    groups = {"weights": weights, "moments": moments, "kept": kept or {}}
    tensors = {f"{kind}.{key}": value for kind, group in groups.items() for key, value in group.items()}
    write_tensors(folder / name, tensors)
    for events in (run.metrics_path, run.samples_path):
        if events.exists():
            runs.settle(events)  # what the state says is done must not be missing there
    runs.write_json(folder / "state.json", asdict(position) | {"file": name}, durable=True)
    for old in folder.iterdir():  # also what a killed process left half written
        if old.name not in (name, "state.json"):
            old.unlink(missing_ok=True)


Saved = tuple[Position, dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]
"""Position, weights, optimizer moments and kept weights."""


def read(run: Run) -> Saved | None:
    """The run's resume state; None if it has none yet."""
    path = run.state_path / "state.json"
    if not path.is_file():
        return None
    try:
        values = dict(read_json(path))
        tensors = read_weights(run.state_path / values.pop("file"))
        position = Position(**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete its folder to train from the beginning.") from error
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "moments": {}, "kept": {}}
    for key, tensor in tensors.items():
        kind, _, name = key.partition(".")
        parts[kind][name] = tensor
    return position, parts["weights"], parts["moments"], parts["kept"]


def moments(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by parameter name."""
    result = {}
    for name, parameter in module.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            result[f"{name}/{key}"] = torch.as_tensor(value).detach().cpu().contiguous()
    return result


def load_moments(module: nn.Module, optimizer: torch.optim.Optimizer, saved: Mapping[str, Tensor]) -> None:
    """The inverse of `moments`."""
    for name, parameter in module.named_parameters():
        if f"{name}/step" in saved:
            optimizer.state[parameter] = {
                key: saved[f"{name}/{key}"].to(parameter.device, copy=True) for key in MOMENTS
            }  # the step as well: that is where a fused AdamW counts


def save_model(model: TextVAE, folder: Path, *, half: bool = False) -> None:
    """Write config.json and weights so that a reader never sees half a file; `half` stores them in 16 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.half() if half else tensor for name, tensor in model.weights().items()}
    settings: dict[str, Any] = {
        "backbone": model.backbone.settings(),
        "latent_size": model.latent_size,
        "pooling": model.pooling,
        "pooled_layers": model.pooled_layers,
        "max_tokens": model.max_tokens,
        "pooled_positions": model.pooled_positions,
    }
    write_tensors(folder / "model.safetensors", weights)
    runs.write_json(folder / "config.json", settings, durable=True)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file atomically and durably."""
    partial = path.with_name(f".{path.name}.partial")
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, partial)
    runs.as_usual(partial)
    runs.settle(partial)
    runs.swap(partial, path)


def save_tokens(tokens: Tokens, folder: Path) -> None:
    """Keep a tokenized corpus as two files of numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, numbers in (("ids", tokens.flat), ("lengths", tokens.lengths)):
        content = io.BytesIO()
        np.save(content, numbers)
        runs.write_bytes(folder / f"{name}.npy", content.getvalue())


def open_tokens(folder: Path, pad: int) -> Tokens | None:
    """What `save_tokens` kept, its ids mapped and not read; None if there is nothing whole."""
    try:
        return Tokens(np.load(folder / "ids.npy", mmap_mode="r"), np.load(folder / "lengths.npy"), pad)
    except (OSError, EOFError, ValueError):  # none, or one that was not written to its end
        return None
