"""The log.txt that the code released with Li et al. 2019 writes beside its model, as a run.

Its validation lines hold rec, KL and their sum in nats a sentence, MI over the whole split, and perplexity by words and
one end mark: our units, all of them. The log does not say how many steps an epoch has, so a validation stands at the
last step that was logged before it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vae.config import Config, Data, Lstm, Model, Phase, Train
from vae.exchange import RECIPE, finished
from vae.runs import Run

NUMBER = r"(-?(?:\d[\d.]*(?:e[+-]?\d+)?|inf|nan))"
TRAINING = re.compile(
    rf"epoch: (\d+), iter: (\d+), avg_loss: {NUMBER}, kl: {NUMBER}, recon: {NUMBER},"
    rf"time (?:elapsed )?{NUMBER}s, kl_weight {NUMBER}"
)
CHECK = re.compile(
    rf"(VAL|TEST) --- avg_loss: {NUMBER}, kl: {NUMBER}, mi: {NUMBER}, recon: {NUMBER}, nll: {NUMBER}, ppl: {NUMBER}"
)
ACTIVE = re.compile(r"(\d+) active units")
IMPORTANCE = re.compile(rf"iw nll: {NUMBER}, iw ppl: {NUMBER}")
RATE = re.compile(rf"(?:lr|new lr:) {NUMBER}")
SPLITS = {"VAL": "valid", "TEST": "test"}


def read(source: Path, path: Path) -> Run:
    """The run of a log.txt, or of the folder it lies in, made at `path`; a log of something else is a `ValueError`."""
    file = source if source.is_file() else source / "log.txt"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    given = _arguments(lines)
    history = list(_events(lines, given))
    if not history:
        raise ValueError(f"{file} holds no line of training or validation of that code: import another log.")
    return finished(path, _config(given), history, {"source": str(file), "format": "log.txt", "settings": given})


def _arguments(lines: list[str]) -> dict[str, Any]:
    """The arguments that the program printed when it began: `Namespace(name=value, ...)`."""
    for line in lines:
        if line.startswith("Namespace("):
            try:
                call = ast.parse(line, mode="eval").body
            except (SyntaxError, ValueError):
                return {}
            pairs = call.keywords if isinstance(call, ast.Call) else []
            return {pair.arg: _literal(pair.value) for pair in pairs if pair.arg}
    return {}


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def _events(lines: list[str], given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    step, epoch, weight, rate = 0, 0, None, None
    check: dict[str, Any] | None = None
    for line in lines:
        if match := ACTIVE.match(line):
            if check is not None:
                check["active_units"] = int(match[1])
            continue
        if match := IMPORTANCE.match(line):
            if check is not None:
                check |= {"nll_nats": float(match[1]), "samples": given.get("iw_nsamples")}
            continue
        if match := RATE.match(line):
            rate = float(match[1])
            continue
        if match := TRAINING.match(line):
            epoch, step, weight = int(match[1]), int(match[2]), float(match[7])
            kl, rec = float(match[4]), float(match[5])
            at = {"step": step, "phase": 2, "epoch": epoch, "split": "train"}
            event: dict[str, Any] = at | {"rec_nats": rec, "kl_nats": kl, "neg_elbo_nats": rec + kl}
            event["kl_weight"] = weight
        elif match := CHECK.match(line):
            kl, mi, rec, nll, ppl = (float(match[place]) for place in (3, 4, 5, 6, 7))
            event = {"step": step, "phase": 2, "epoch": epoch + 1, "split": SPLITS[match[1]]}
            event |= {"rec_nats": rec, "kl_nats": kl, "neg_elbo_nats": nll, "mi_nats": mi, "ppl_word": ppl}
            event["kl_weight"] = weight
        else:
            continue
        if check is not None:
            yield check
        check = event | ({"learning_rate": rate} if rate is not None else {})
    if check is not None:
        yield check


def _config(given: dict[str, Any]) -> Config:
    """What our configuration can say of that run. Its free bits are not ours, so they stay in env.json alone."""
    weight = given.get("beta", 1.0) if "beta" in given else 1.0
    ramp = float(given.get("warm_up", 0) or 0) if "beta" not in given else 0.0
    return Config(
        recipe=RECIPE,
        data=Data(corpus=f"file:{given.get('train_data', 'unknown')}"),
        model=Model(backbone="lstm", base="none", pooling="last", latent_size=int(given.get("nz", 32))),
        lstm=Lstm(embedding=int(given.get("ni", Lstm().embedding)), width=int(given.get("dec_nh", Lstm().width))),
        phase2=Phase(
            epochs=float(given.get("epochs", 1)),
            learning_rate=float(given.get("lr", 0.0)),
            kl_weight=float(weight),
            kl_schedule="linear" if ramp else "constant",
            kl_epochs=ramp or 1.0,
        ),
        train=Train(seed=int(given.get("seed", 0)), batch_size=int(given.get("batch_size", 32))),
    )
