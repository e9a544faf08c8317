"""A trained text VAE, ready to use: texts to codes, codes to texts.

>>> space = vae.load("checkpoints/captions-two-phase")
>>> q = space.encode(["a man is sleeping on a bench ."])
>>> space.decode(q.mean)
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from jaxtyping import Float
from torch import Tensor

from vae import base, decode, explore
from vae.batching import Tokens, in_order, tokenize
from vae.model import TextVAE, saved_model
from vae.posterior import DiagonalGaussian
from vae.runs import Run

FILES = ("config.json", "model.safetensors", "tokenizer*", "special_tokens_map.json", "spiece.model")


LONGEST = 1024
"""Most tokens that are decoded for one z."""
MOST_SEED = 2**32 - 1
MOST_DRAWS = 10_000_000
MOST_STEPS = 100_000


class Space:
    """A model with its tokenizer. Codes are float32 tensors on the CPU; a call changes nothing but its result."""

    def __init__(self, model: TextVAE, tokenizer: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.latent_size = model.latent_size
        self.max_tokens = model.max_tokens

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.model.projection.weight.device

    def encode(self, texts: Sequence[str], *, batch_size: int = 256) -> DiagonalGaussian:
        """q(z|x) of each text: mean and logvar of shape (B, L). Texts beyond `max_tokens` tokens are cut.

        `ValueError` for what is no list of texts, and for codes of a model that has diverged.
        """
        tokens = self.tokens(texts)
        mean, logvar = (torch.empty(len(texts), self.latent_size) for _ in range(2))  # ordinary: to learn from
        with torch.inference_mode():
            for rows in in_order(tokens, batch_size):
                posterior = self.model.encode(tokens.batch(rows).to(self.device))
                mean[rows], logvar[rows] = posterior.mean.cpu(), posterior.logvar.cpu()
        if not bool(mean.isfinite().all() and logvar.isfinite().all()):
            raise ValueError("The model's codes are not finite: its weights have diverged; use an earlier snapshot.")
        return DiagonalGaussian(mean, logvar)

    def decode(
        self,
        z: Float[Tensor, "batch latent"],
        *,
        method: str = "greedy",
        temperature: float = 1.0,
        top_p: float = 1.0,
        beams: int = 4,
        seed: int = 0,
        max_tokens: int | None = None,
    ) -> list[str]:
        """One sentence for each z: `greedy`, `sample` (temperature, top_p, seed) or `beam` (beams)."""
        z = self._codes(z)
        length = self.max_tokens if max_tokens is None else max_tokens
        length = _whole("max_tokens", length, 1, LONGEST)
        if method == "greedy":
            ids = decode.generate(self.model, z, length)
        elif method == "sample":
            generator = torch.Generator(self.device).manual_seed(_whole("seed", seed, 0, MOST_SEED))
            ids = decode.generate(self.model, z, length, decode.sampler(generator, temperature, top_p))
        elif method == "beam":
            ids = decode.beam_search(self.model, z, length, beams)
        else:
            raise ValueError(f"There is no decoding method {method!r}: choose greedy, sample or beam.")
        return self.texts(ids)

    def nll(
        self, texts: Sequence[str], z: Float[Tensor, "batch latent"], *, batch_size: int = 256
    ) -> Float[Tensor, " batch"]:
        """-log p(x|z) of each text under its own row of z, nats summed over its tokens, end token included."""
        tokens, z = self.tokens(texts), self._codes(z)
        if len(z) != len(texts):
            raise ValueError(f"{len(texts)} texts need as many rows of z, but there are {len(z)}.")
        nats = torch.empty(len(texts))
        with torch.inference_mode():
            for rows in in_order(tokens, batch_size):
                nats[rows] = self.model.reconstruction(z[rows], tokens.batch(rows).to(self.device)).cpu()
        return nats

    def sample_prior(self, n: int, seed: int = 0) -> Float[Tensor, "n latent"]:
        """n draws from N(0, I); the same seed, from 0 to 2^32 - 1, gives the same draws."""
        generator = torch.Generator().manual_seed(_whole("seed", seed, 0, MOST_SEED))
        return torch.randn(_whole("n", n, 0, MOST_DRAWS), self.latent_size, generator=generator)

    def interpolate(
        self,
        a: Float[Tensor, " latent"],
        b: Float[Tensor, " latent"],
        steps: int = 11,
        method: str = "linear",
        extend: float = 0.0,
    ) -> Float[Tensor, "steps latent"]:
        """A path of codes from a to b: `linear` or `slerp`, going on beyond both ends by `extend` of its length."""
        start, end = _numbers("a", a), _numbers("b", b)
        for name, code in (("a", start), ("b", end)):
            if code.shape != (self.latent_size,):
                raise ValueError(
                    f"{name} has the shape {tuple(code.shape)}, but a code of this model has ({self.latent_size},): "
                    "give vectors, such as mean[0] and mean[1]."
                )
        return explore.interpolate(start, end, _whole("steps", steps, 2, MOST_STEPS), method, extend)

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """The texts as the model reads them; `ValueError` for what is no list of texts."""
        if isinstance(texts, str):
            raise ValueError(f"{texts[:40]!r} is one text: give a list of texts, as in ['a man'].")
        try:
            return tokenize(self.tokenizer, texts, self.max_tokens)
        except TypeError as error:  # of all texts, without a word on which
            odd = next((text for text in texts if not _is_text(text)), texts)
            raise ValueError(f"{ascii(odd)[:60]} is no text: give strings of valid Unicode.") from error

    def texts(self, ids: Tensor) -> list[str]:
        """Token ids back to text, without special tokens."""
        return [self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in ids.tolist()]

    def save_pretrained(self, folder: Path | str) -> None:
        """Write model and tokenizer as a folder that `vae.load` and the Hub understand."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _codes(self, z: Tensor) -> Tensor:
        z = _numbers("z", z)
        if z.dim() != 2 or z.shape[1] != self.latent_size:
            raise ValueError(f"z has the shape {tuple(z.shape)}, but this model's codes are (n, {self.latent_size}).")
        if not bool(torch.isfinite(z).all()):
            raise ValueError("z has values that are not finite: give numbers.")
        return z.to(self.device)


def _is_text(text: object) -> bool:
    try:
        return isinstance(text, str) and text.encode() is not None
    except UnicodeEncodeError:  # half a character, as of bytes that were read in another encoding than theirs
        return False


def _numbers(name: str, values: Any) -> Tensor:
    """A float32 tensor of what may be one, an array or lists."""
    try:
        return torch.as_tensor(values, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be numbers: give a tensor or an array, not {str(values)[:40]!r}.") from error


def _whole(name: str, value: int, least: int, most: int) -> int:
    try:
        whole = operator.index(value)
    except TypeError:
        whole = least - 1
    if not least <= whole <= most:
        raise ValueError(f"{name}={value!r} must be a whole number from {least} to {most:,}.")
    return whole


def load(source: str | Path, snapshot: int | None = None) -> Space:
    """The model of a run directory (its latest weights, or those of a snapshot), of a model folder, or of a Hub id.

    What is not there, damaged or no text VAE is a `ValueError` in one sentence.
    """
    path = Path(source)
    run = Run(path)
    try:
        is_run, is_folder = run.exists, path.is_dir()
    except OSError:  # a name that no file system takes
        is_run = is_folder = False
    if snapshot is not None:
        if not is_run:
            raise ValueError(f"{source} is no run, so it has no snapshots: leave the snapshot out.")
        kept = run.snapshots()
        if snapshot not in kept:
            known = ", ".join(map(str, kept)) or "none"
            raise ValueError(f"{run.name} has no snapshot of step {snapshot}: it has {known}.")
        return Space(saved_model(kept[snapshot]), base.tokenizer(run.model_path))
    if is_run and not (run.model_path / "config.json").is_file():
        if run.bundled:
            raise ValueError(f"{run.name} is kept without its weights, so it cannot decode: choose another run.")
        raise ValueError(f"{run.name} has no model yet: wait for its first evaluation.")
    folder = run.model_path if is_run else path if is_folder else _download(str(source))
    return Space(saved_model(folder), base.tokenizer(folder))


def _download(name: str) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except Exception as error:  # a name, a path or a connection that is wrong: one thing to the user
        raise ValueError(
            f"{name!r} is no run, no folder and could not be fetched from the Hub: check the name and the connection."
        ) from error
