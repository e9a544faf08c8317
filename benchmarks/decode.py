"""Greedy decoding of a path and of a single z: ours against the library's `generate`, same weights, same process.

    python -m benchmarks.decode                      the bundled model, and random weights of larger shapes
    python -m benchmarks.decode --while-training     our latency idle, and while a real run trains beside it

    python -m benchmarks.decode --shape t5-small     one of them: bundled, width 256 or t5-small

Before anything is timed, both must have produced the same tokens.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

import vae
from benchmarks.timing import interleaved, report
from vae import decode, machine, runs
from vae.backbones.t5 import T5Backbone
from vae.model import TextVAE

BUNDLED = "captions-two-phase"
SHAPES = {
    "width 256": {
        "d_model": 256,
        "d_kv": 64,
        "d_ff": 1024,
        "num_layers": 4,
        "num_heads": 4,
        "vocab_size": 4000,
    },
    "t5-small": {"d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6, "num_heads": 8, "vocab_size": 32128},
}
TOKENS = 20


def random_model(shape: dict[str, int]) -> TextVAE:
    """A text VAE of a shape with random weights; W_proj is scaled up so that different z decode differently."""
    torch.manual_seed(0)
    t5 = T5ForConditionalGeneration(T5Config(**shape, decoder_start_token_id=0))
    model = TextVAE.around(T5Backbone(t5), latent_size=32)
    with torch.no_grad():
        model.projection.weight.mul_(30)
    return model.eval()


@torch.inference_mode()
def library(model: TextVAE, z: torch.Tensor) -> torch.Tensor:
    """What the library's own generate makes of the same memory."""
    memory = BaseModelOutput(last_hidden_state=model.projection(z)[:, None])
    options = {"max_new_tokens": TOKENS, "num_beams": 1, "do_sample": False}
    return model.backbone.t5.generate(encoder_outputs=memory, **options)[:, 1:]


def against_generate(name: str, model: TextVAE, repeats: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for rows in (1, 21, 1600):
        z = torch.randn(rows, model.latent_size, generator=generator)
        ours, theirs = decode.generate(model, z, TOKENS), library(model, z)
        other = int((ours != theirs).any(1).sum()) if ours.shape == theirs.shape else rows
        if other > rows // 800:  # of 1,600, two may have two tokens as likely but for rounding
            raise SystemExit(f"{name}: {other} sentences of {rows} differ, so there is nothing to compare.")
        sides = {"ours": partial(decode.generate, model, z, TOKENS), "library generate": partial(library, model, z)}
        times = repeats if rows < 100 else max(1, repeats // 10)
        report(
            f"{name}, {rows:,} codes, {ours.shape[1]} tokens", interleaved(sides, times, warmup=2 if rows < 100 else 0)
        )


def while_training(repeats: int) -> None:
    model = vae.load(runs.root() / BUNDLED).model
    z = torch.randn(21, model.latent_size, generator=torch.Generator().manual_seed(0))
    call = partial(decode.generate, model, z, TOKENS)
    idle = interleaved({"idle": call}, repeats)
    with tempfile.TemporaryDirectory() as folder:
        run = runs.Run(Path(folder) / "run")
        command = [sys.executable, "-m", "vae", "train", "--recipe", "plain-vae", "--run", str(run.path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not any(event["split"] == "train" for event in run.metrics()):
                if process.poll() is not None:
                    raise SystemExit("The training process ended before it trained.")
                time.sleep(0.2)
            busy = interleaved({"while a run trains": call}, repeats)
        finally:
            process.terminate()
            process.wait()
    report("A 21-step path", idle | busy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--while-training", action="store_true", help="latency idle and beside a training run")
    parser.add_argument("--shape", choices=["bundled", *SHAPES], help="this one alone")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(machine.app_threads())
    if options.while_training:
        while_training(options.repeats)
        return
    print(f"{torch.get_num_threads()} thread(s)")
    if options.shape in (None, "bundled"):
        against_generate("the bundled model", vae.load(runs.root() / BUNDLED).model, options.repeats)
    for name, shape in SHAPES.items():
        if options.shape in (None, name):
            against_generate(name, random_model(shape), max(5, options.repeats // 3))


if __name__ == "__main__":
    main()
