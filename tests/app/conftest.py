"""Synthetic run directories, written through `vae.runs` with the shape of real histories, so that no test trains."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vae import recipes
from vae.config import Config
from vae.runs import Run, Status, append_line, write_json

STEPS_AN_EPOCH = 313
MAIN = sys.modules["__main__"]
TEXTS = (
    "two women in yellow jackets are waiting for a bus in the rain .",
    "a boy is not riding a red bicycle in the park .",
    "three old men are playing cards at a wooden table .",
    "the girl in the green dress is reading a book on a bench .",
    "a dog is chasing a ball along the beach at sunset .",
    "some children are building a castle of sand .",
    "a cook in a white apron is cutting vegetables in the kitchen .",
    "nobody is sitting in the empty train at night .",
)


def write_run(
    folder: Path,
    name: str,
    recipe: str = "two-phase",
    *,
    state: str = "finished",
    share: float = 1.0,
    config: Config | None = None,
    bundled: bool = False,
    **status: Any,
) -> Run:
    """A run of a recipe that has come a share of its way, with the history of a healthy or a collapsing model."""
    config = config or recipes.get(recipe)
    run = Run.create(folder / name, config)
    healthy = config.phase1.epochs > 0 and config.phase2.free_bits_per_dimension > 0
    lengths = [round(STEPS_AN_EPOCH * phase.epochs) for phase in config.phases.values()]
    total = sum(lengths)
    last = round(total * share)
    rng = random.Random(name)
    for step in range(0, last + 1):
        if step % 10 == 0 or step == last or step == lengths[0]:
            _write_step(run, config, step, lengths, healthy, rng)
    write_json(run.path / "env.json", {"bundled": bundled, "seed": 0, "device": "cpu"})
    run.log_path.write_text("INFO start\nINFO phase 1\n", encoding="utf-8")
    values = {
        "state": state,
        "phase": 1 if last <= lengths[0] and lengths[0] else 2,
        "step": last,
        "total_steps": total,
        "heartbeat": time.time(),
        "eta_s": (total - last) / 10 if state == "running" else None,
        **status,
    }
    run.write_status(Status(**values))
    return run


def _write_step(run: Run, config: Config, step: int, lengths: list[int], healthy: bool, rng: random.Random) -> None:
    phase = 1 if step <= lengths[0] and lengths[0] else 2
    within = step / max(1, lengths[0]) if phase == 1 else (step - lengths[0]) / max(1, lengths[1])
    if phase == 1:
        kl, rec, delta, units, mi = 20 + 90 * within, 26 - 18 * within, 7.5 * within, 32, 6.2 * math.sqrt(within)
    elif healthy:
        kl, rec, delta, units, mi = 11.8 + 98 * math.exp(-9 * within), 8 - 3 * within, 8 + 11 * within, 32, 6.1
    else:
        kl, rec, delta, units, mi = 0.02 + math.exp(-8 * within), 24 - 11 * within, 0.04, 0, 0.02
    weight = getattr(config, f"phase{phase}").kl_weight * (min(1.0, 6 * within) if healthy and phase == 2 else 1.0)
    common = {"step": step, "phase": phase, "kl_weight": weight, "learning_rate": 1e-3, "epoch": step / STEPS_AN_EPOCH}
    noisy = {
        "rec_nats": rec * rng.uniform(0.93, 1.07),
        "kl_nats": kl * rng.uniform(0.93, 1.07),
        "kl_charged_nats": max(kl, 16.0 if healthy else 0.0),
        "sentences_per_second": 640 + rng.uniform(-30, 30),
    }
    noisy["neg_elbo_nats"] = noisy["rec_nats"] + noisy["kl_nats"]
    append_line(run.metrics_path, {**common, "split": "train", **noisy})
    if step % 80 and step not in (lengths[0], sum(lengths)):
        return
    valid = {
        "split": "valid",
        "rec_nats": rec,
        "kl_nats": kl,
        "kl_charged_nats": noisy["kl_charged_nats"],
        "neg_elbo_nats": rec + kl,
        "mi_nats": mi,
        "mi_ceiling_nats": math.log(512),
        "active_units": units,
        "delta_nll_nats": delta,
        "ppl_word": math.exp((rec + kl) / 14),
        "kl_per_dim_nats": [kl / config.model.latent_size] * config.model.latent_size,
        "sentences": 512,
    }
    append_line(run.metrics_path, {**common, **valid})
    kept = min(1.0, delta / 15)
    decoded = [
        " ".join(word if random.Random(f"{text}{i}{step}").random() < 0.4 + 0.6 * kept else "the"
                 for i, word in enumerate(text.split()))
        for text in TEXTS
    ] if delta > 1 else ["a man is standing on a street ."] * len(TEXTS)  # fmt: skip
    pairs = [{"text": text, "decoded": said} for text, said in zip(TEXTS, decoded, strict=True)]
    prior = list(TEXTS[::-1]) if delta > 8 else ["a man is standing on a street ."] * 8
    append_line(run.samples_path, {"step": step, "phase": phase, "reconstructions": pairs, "prior": prior})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of runs that the app is pointed to."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("BOTTLENECK_RUNS", str(folder))
    return folder


@pytest.fixture
def make_run(root: Path) -> Callable[..., Run]:
    """Writes synthetic runs into `root`."""

    def make(name: str, *args: Any, **kwargs: Any) -> Run:
        return write_run(root, name, *args, **kwargs)

    return make


@pytest.fixture(scope="session")
def report(make_space: Callable[..., Any], sentences: list[str]) -> Any:
    """What an evaluation of a random model finds on 12 sentences."""
    import pandas as pd

    from vae import evaluate

    return evaluate.evaluate(make_space(), pd.DataFrame({"text": sentences[:12]}), samples=2)


@pytest.fixture
def make_measured(make_run: Callable[..., Run], report: Any) -> Callable[..., Run]:
    """Writes synthetic runs with a report in which some figures are set by hand; the rest is of a random model.

    `rows` are the sentences it is about, and `shift` is added to what each of them costs.
    """
    from vae import report as reports

    def make(
        name: str, recipe: str = "two-phase", *, bundled: bool = False, rows: Any = slice(None), shift: float = 0.0,
        **figures: Any,
    ) -> Run:  # fmt: skip
        run = make_run(name, recipe, bundled=bundled)
        run.model_path.mkdir()
        (run.model_path / "config.json").write_text("{}", encoding="utf-8")
        table = report.per_sentence[rows].reset_index(drop=True)
        table = table.assign(nll_nats=table["nll_nats"] + shift)
        reports.save(run, "test", run.status.step, replace(report, per_sentence=table, **HEALTHY | figures))
        return run

    return make


HEALTHY = {"kl_nats": 12.0, "mi_nats": 2.4, "marginal_kl_least_nats": 1.5, "rec_nats": 5.0, "batch_leak_nats": 0.0}
HEALTHY |= {"delta_nll_nats": 20.0, "delta_matched_nats": 18.0}
"""Figures of a report on which nothing is amiss."""


@pytest.fixture
def explored(make_run: Callable[..., Run], make_space: Callable[..., Any], sentences: list[str]) -> Run:
    """A finished run named `explored`, with a random model, the codes of 120 labelled sentences, and their PCA."""
    import pandas as pd

    from vae import latents, projection

    run = make_run("explored")
    space = make_space()
    space.save_pretrained(run.model_path)
    subjects = [" ".join(text.split()[:2]) for text in sentences]
    latents.write_latents(run, space, pd.DataFrame({"text": sentences, "subject": subjects}))
    projection.project(run, "pca")
    return run


@pytest.fixture(autouse=True)
def main_again() -> Iterator[None]:
    """Give the process its own `__main__` back: Streamlit leaves that of the page it ran last.

    A later test whose processes are spawned would run that page in each of them, and they would die of it.
    """
    yield
    sys.modules["__main__"] = MAIN
