"""What every test stands on: one thread, shapes checked as they are written, a tiny model, a tiny trained run."""

from __future__ import annotations

import gc
import itertools
import os
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import jaxtyping
import pytest
from beartype import BeartypeConf, beartype

from vae import machine
from vae.config import Config, Data, Model, Phase, Pretrain, Train

if TYPE_CHECKING:
    from vae.runs import Run
    from vae.space import Space

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"  # before torch is there: sums in one order, and no fight for cores
os.environ["BOTTLENECK_TRAINER_THREADS"] = os.environ["BOTTLENECK_APP_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"  # a test must not depend on what the Hub says today

TENSORS = ("posterior", "objectives", "metrics", "batching", "backbones", "model", "decode", "evaluate")
"""Modules whose shapes are checked at every call. `config` and `space` check what they are given themselves, in
sentences for their user."""

_typecheck = types.ModuleType("bottleneck_typecheck")
_typecheck.check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # type: ignore[attr-defined]  # 1 is a float, too
sys.modules["bottleneck_typecheck"] = _typecheck
jaxtyping.install_import_hook([f"vae.{name}" for name in TENSORS], "bottleneck_typecheck.check")

hypothesis.settings.register_profile(
    "calm", deadline=None
)  # the first example pays for what is loaded; cores are shared
hypothesis.settings.load_profile("calm")


FIRST = ("tests/benchmarks/", "tests/browser/", "tests/vae/test_several_processes.py", "tests/vae/test_faults.py")
"""What waits for other processes. Benchmarks come before browsers: Playwright keeps the event loop to itself."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, then files of many tests, so that no worker is left alone with one at the end."""
    files = [item.nodeid.partition("::")[0] for item in items]
    counts = Counter(files)
    places = {file: next((i for i, start in enumerate(FIRST) if file.startswith(start)), len(FIRST)) for file in counts}
    items.sort(key=lambda item: (places[file := item.nodeid.partition("::")[0]], -counts[file], file))


def pytest_collection_finish() -> None:
    """Put the libraries, which are loaded by now, out of the garbage collector's sight: a third of a short training."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _at_ease() -> Iterator[None]:
    """A command of minutes lowers the priority of its process: here that would starve every test after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "lower_priority", lambda: None)
        yield


SUBJECTS = ("a man", "two women", "the boy", "an old dog", "three girls", "nobody")
VERBS = ("is riding", "is watching", "is not painting", "waits for")
OBJECTS = ("a bus", "the red bicycle in the park", "a ball", "two cats on a wooden bench near the sea", "it")
SENTENCES = [" ".join(words) + " ." for words in itertools.product(SUBJECTS, VERBS, OBJECTS)]  # 120 of 5 to 15 words


def tiny_config(corpus: str, **changes: Any) -> Config:
    """A run of seconds that has everything: a fresh T5, both phases, free bits, noise, dropout."""
    settings: dict[str, Any] = {
        "data": Data(corpus=corpus, max_tokens=48),
        "model": Model(base="fresh", latent_size=6),
        "pretrain": Pretrain(vocabulary=320, width=16, layers=2, heads=2, feed_forward=32, dropout=0.1, epochs=1),
        "phase1": Phase(
            epochs=1, kl_weight=0.0, token_deletion=0.15, frozen=("embeddings", "projection", "decoder", "head")
        ),
        "phase2": Phase(
            epochs=2,
            learning_rate_schedule="linear",
            kl_schedule="linear",
            free_bits_per_dimension=0.2,
            token_deletion=0.15,
        ),
        "train": Train(
            batch_size=16, precision="fp32", threads=1, log_every=3, evals_per_epoch=2, eval_sentences=16, snapshots=3
        ),
    }
    return Config(recipe="tiny", **(settings | changes))


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """120 sentences of 5 to 15 words."""
    return SENTENCES


@pytest.fixture(scope="session")
def make_config() -> Callable[..., Config]:
    """`tiny_config`."""
    return tiny_config


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentences as a table with a label."""
    path = tmp_path_factory.mktemp("corpus") / "scenes.tsv"
    rows = ["text\tsubject", *(f"{text}\t{next(s for s in SUBJECTS if text.startswith(s))}" for text in SENTENCES)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """A byte-level tokenizer of 330 tokens learned from the sentences."""
    from vae import base

    return base.fresh_tokenizer(SENTENCES, 330)


@pytest.fixture(scope="session")
def make_t5() -> Callable[..., Any]:
    """A random T5 of the library: `make_t5(seed=0, head=False, **T5Config fields)`; `head` unties its output head."""
    return tiny_t5


def tiny_t5(seed: int = 0, *, head: bool = False, **fields: Any) -> Any:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    shape = {"vocab_size": 330, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    torch.manual_seed(seed)
    config = T5Config(
        **{**shape, "decoder_start_token_id": 0, "dropout_rate": 0.1, "initializer_factor": 1.0, **fields}
    )
    t5 = T5ForConditionalGeneration(config).eval()
    if head:
        t5.lm_head.weight = torch.nn.Parameter(torch.randn_like(t5.lm_head.weight))
    return t5


@pytest.fixture(scope="session")
def make_space(tokenizer: Any) -> Callable[..., Space]:
    """A random text VAE with its tokenizer: `make_space(seed=0, t5={}, **TextVAE settings)`."""

    def make(seed: int = 0, t5: dict[str, Any] | None = None, **settings: Any) -> Space:
        import torch

        from vae.backbones.t5 import T5Backbone
        from vae.model import TextVAE
        from vae.space import Space

        torch.manual_seed(seed)
        model = TextVAE.around(
            T5Backbone(tiny_t5(seed, **(t5 or {}))), **{"latent_size": 5, "max_tokens": 64, **settings}
        )
        with torch.no_grad():  # W_proj strong enough for z to matter
            model.projection.weight.mul_(4)
        return Space(model, tokenizer)

    return make


@pytest.fixture(scope="session")
def space(make_space: Callable[..., Space]) -> Space:
    """A random text VAE with its tokenizer, not to be changed."""
    return make_space()


@pytest.fixture(scope="session")
def trained_run(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of the tiny configuration, not to be changed: copy it to write in it."""
    from vae import trainer
    from vae.runs import Run

    run = Run.create(tmp_path_factory.mktemp("runs") / "trained", tiny_config(f"file:{corpus_file}"))
    trainer.train(run, progress=False)
    return run
