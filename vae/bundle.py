"""`python -m vae bundle RUN`: make a finished run small and complete, to ship it with Bottleneck or to share it.

Weights go to 16 bits, a few snapshots stay, what only resuming needs goes, and both maps are there. A run that has
been bundled lists, opens, decodes and evaluates like any other; it can no longer be resumed.
"""

from __future__ import annotations

import shutil

from vae import checkpoints, latents, projection, runs, space
from vae.model import TextVAE
from vae.runs import Run

SNAPSHOTS = 3
"""Snapshots that stay unless told otherwise."""


def bundle(run: Run, snapshots: int = SNAPSHOTS) -> None:
    """Turn a finished run into a bundled one, in place. A run that is not finished is a `ValueError`.

    So many snapshots stay, evenly chosen, the first among them.
    """
    status = run.status
    if status.state != "finished":
        raise ValueError(f"{run.name} is {status.state}: only a finished run can be bundled.")
    model: TextVAE = TextVAE.from_pretrained(run.model_path)
    checkpoints.save_model(model, run.model_path, half=True)
    kept = list(run.snapshots().values())
    count = min(snapshots, len(kept))
    chosen = {kept[i * len(kept) // count] for i in range(count)}
    for folder in kept:
        if folder not in chosen:
            shutil.rmtree(folder)
    latents.write_latents(run, space.load(run.path), latents.read_latents(run).frame)  # those of the rounded weights
    for method in projection.METHODS:
        projection.project(run, method)
    shutil.rmtree(run.state_path, ignore_errors=True)
    run.write_status(runs.Status(**{**vars(status), "pid": None, "process_started": None}))
    runs.write_json(run.path / "env.json", run.env | {"bundled": True})
