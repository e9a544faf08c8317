"""The text VAE of Park & Lee 2021, and with another backbone of Li et al. 2019: architecture only.

    h   = pool(encoder(x))                    max or mean over the real tokens, or the last one's state
    mu, log sigma^2 = h W_mu, h W_sigma       Eq. 3 (each with a bias)
    z   = mu + sigma * eps                    Eq. 4
    p(x|z) = decoder(z W_proj)                Eq. 5: z W_proj is all that the decoder is told

What a training step minimizes is in `objectives`, how sentences come out is in `decode`.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from huggingface_hub import ModelHubMixin, hf_hub_download
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vae import runs
from vae.backbones import Backbone, Steps, build
from vae.batching import Batch
from vae.config import read_json
from vae.posterior import DiagonalGaussian, log_prior

WEIGHTS = "model.safetensors"
MOST = 2**20
"""Largest size that a model's settings may give: none that is meant is larger."""


class Terms(NamedTuple):
    """The terms of the ELBO for each sentence of a batch, nats; with several draws of z, rec for each of them."""

    rec: Float[Tensor, "batch ..."]
    kl_per_dim: Float[Tensor, "batch latent"]
    log_ratio: Float[Tensor, "batch samples"] | None = None
    """log q(z|x) - log p(z) of each of several draws."""


class TextVAE(nn.Module, ModelHubMixin, library_name="bottleneck", tags=["text-vae", "t5"]):
    """A text VAE around a backbone. `save_pretrained`, `from_pretrained` and `push_to_hub` are the Hub library's own.

    `backbone` holds the JSON settings of one (see `backbones.build`), `max_tokens` the longest sentence that the model
    is meant for; without `pooling`, states are pooled as the backbone's authors do. Weights are random until loaded.
    `pooled_positions` is for models of others that were trained to pool that many positions of every sentence, padding
    included; 0 pools the real tokens.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        latent_size: int,
        pooling: str | None = None,
        pooled_layers: str = "last",
        max_tokens: int = 64,
        pooled_positions: int = 0,
    ) -> None:
        super().__init__()
        if pooling not in (None, "max", "mean", "last"):
            raise ValueError(f"pooling={pooling!r} is unknown: choose max, mean or last.")
        if pooled_layers not in ("last", "all"):
            raise ValueError(f"pooled_layers={pooled_layers!r} is unknown: choose last or all.")
        _check_sizes(latent_size=(latent_size, 1), max_tokens=(max_tokens, 1), pooled_positions=(pooled_positions, 0))
        self.latent_size, self.pooled_layers = latent_size, pooled_layers
        self.max_tokens, self.pooled_positions = max_tokens, pooled_positions
        self._surround(build(backbone))
        self.pooling: str = pooling or self.backbone.pooling

    @classmethod
    def around(cls, backbone: Any, **settings: Any) -> TextVAE:
        """A text VAE around a backbone that already has its weights; the new heads and W_proj are random."""
        with torch.device("meta"):
            model = cls(backbone=backbone.settings(), **settings)
        model._surround(backbone)
        return model

    def _surround(self, backbone: Any) -> None:
        self.backbone: Backbone = backbone
        self.mean = nn.Linear(backbone.width, self.latent_size)
        self.logvar = nn.Linear(backbone.width, self.latent_size)
        self.projection = nn.Linear(self.latent_size, backbone.memory_size, bias=False)  # W_proj
        for layer in (self.mean, self.logvar, self.projection):
            backbone.initialize(layer)

    def forward(
        self,
        source: Batch,
        target: Batch,
        eps: Float[Tensor, "batch ... latent"] | None = None,
        read: Int[Tensor, "batch length"] | None = None,
    ) -> Terms:
        """Encode `source`, take the z of each sentence that `eps` stands for, and score `target` under it.

        `source` is `target` with noise, or the same; `read` is what the decoder reads in place of the tokens of
        `target`. Without `eps`, one is drawn from torch's global generator; it may hold several draws a sentence.
        """
        posterior = self.encode(source)
        if eps is None or eps.dim() == 2:
            z = posterior.rsample() if eps is None else posterior.at(eps)
            return Terms(self.reconstruction(z, target, read), posterior.kl_per_dim())
        rows, draws, _ = eps.shape
        each = posterior.repeated(draws)
        z = each.at(eps.flatten(0, 1))
        repeated = Batch(target.ids.repeat_interleave(draws, 0), target.mask.repeat_interleave(draws, 0))
        rec = self.reconstruction(z, repeated, None if read is None else read.repeat_interleave(draws, 0))
        log_ratio = each.log_prob(z) - log_prior(z)
        return Terms(rec.view(rows, draws), posterior.kl_per_dim(), log_ratio.view(rows, draws))

    def encode(self, batch: Batch) -> DiagonalGaussian:
        """q(z|x) of each sentence; does not depend on padding or on the other sentences of the batch."""
        ids, mask, pooled_places = batch.ids, batch.mask, batch.mask
        if self.pooled_positions:
            wider = (0, self.pooled_positions - ids.shape[1])
            ids, mask = F.pad(ids, wider, value=self.backbone.pad_token), F.pad(mask, wider)
            pooled_places = torch.ones_like(mask)
        states = self.backbone.states(ids, mask, every_layer=self.pooled_layers == "all")
        pooled = pool(torch.stack(states, 1), pooled_places, self.pooling).float()  # (B, layers, S, D) -> (B, D)
        return DiagonalGaussian(self.mean(pooled).float(), self.logvar(pooled).float())

    def token_nats(
        self, z: Float[Tensor, "batch latent"], batch: Batch, read: Int[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, "batch length"]:
        """-log p(x_t | x_<t, z) of every token, nats; 0 at padding. Logits are made for real tokens only.

        `read` stands for the x_<t that the decoder reads, where these are not the tokens themselves.
        """
        start = torch.full_like(batch.ids[:, :1], self.backbone.start_token)
        before = (batch.ids if read is None else read)[:, :-1]
        hidden = self.backbone.hidden(self.projection(z), torch.cat([start, before], 1))
        logits = self.backbone.logits(hidden[batch.mask])  # (real tokens, V)
        nats = F.cross_entropy(logits.float(), batch.ids[batch.mask], reduction="none")
        return torch.zeros(batch.ids.shape, device=z.device).masked_scatter(batch.mask, nats)

    def reconstruction(
        self, z: Float[Tensor, "batch latent"], batch: Batch, read: Int[Tensor, "batch length"] | None = None
    ) -> Float[Tensor, " batch"]:
        """rec = -log p(x|z), nats summed over the tokens of each sentence, end token included."""
        return self.token_nats(z, batch, read).sum(1)

    def steps(self, z: Float[Tensor, "batch latent"], max_tokens: int) -> Steps:
        """Incremental decoding from z, for inference."""
        return self.backbone.steps(self.projection(z), max_tokens)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Every parameter by the part it belongs to (`config.PARTS`), each in exactly one."""
        heads = [*self.mean.parameters(), *self.logvar.parameters()]
        return self.backbone.parts() | {"posterior": heads, "projection": list(self.projection.parameters())}

    def reset_decoder(self) -> None:
        """Draw decoder, head and W_proj anew as the backbone's authors do, from torch's global generator.

        The embeddings of an LSTM's decoder are among them (Li et al. 2019). T5's one table is its encoder's, too, so it
        stays, as do the encoder and the mu and logvar heads.
        """
        new = TextVAE(backbone=self.backbone.settings(), latent_size=self.latent_size).parts()
        with torch.no_grad():
            for part in ("decoder", "head", "projection"):
                for own, drawn in zip(self.parts()[part], new[part], strict=True):
                    own.copy_(drawn)

    def decoder_weights(self) -> dict[str, Tensor]:
        """Copies of the decoder's and the head's tensors by name, on the CPU."""
        chosen = {id(p) for part in ("decoder", "head") for p in self.parts()[part]}
        return {name: p.detach().cpu().clone() for name, p in self.named_parameters() if id(p) in chosen}

    def weights(self) -> dict[str, Tensor]:
        """The tensors to save."""
        return distinct_tensors(self)

    def load_weights(self, weights: Mapping[str, Tensor], origin: str) -> None:
        """Take every tensor of `weights`, in the precision of this model; one missing or odd is a `ValueError`."""
        own = self.weights()
        wrong = set(own) ^ set(weights) or {n for n, tensor in own.items() if weights[n].shape != tensor.shape}
        if wrong:
            raise ValueError(f"The weights in {origin} do not fit the model ({min(wrong)} differs): restore that file.")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(weights[name])

    def _save_pretrained(self, save_directory: Path) -> None:
        save_file(self.weights(), save_directory / WEIGHTS)
        runs.as_usual(save_directory / WEIGHTS)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **settings: Any,
    ) -> TextVAE:
        path = Path(model_id) / WEIGHTS
        if not Path(model_id).is_dir():
            downloaded = hf_hub_download(
                model_id,
                WEIGHTS,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
            )
            path = Path(str(downloaded))
        model = cls(**settings)
        model.load_weights(read_weights(path), str(path))
        return model.eval()


def _check_sizes(**sizes: tuple[Any, int]) -> None:
    """Settings from a file are of any kind: one that is no whole number from its least to `MOST` is a `ValueError`."""
    for name, (value, least) in sizes.items():
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST:
            shown = reprlib.repr(value)
            raise ValueError(f"{name}={shown} must be a whole number of at least {least} and at most {MOST}.")


def distinct_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The state dict with each shared tensor once, under its first name."""
    kept: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in module.state_dict().items():
        kept.setdefault(tensor.data_ptr(), (name, tensor.detach().contiguous()))
    return dict(kept.values())


def pool(
    states: Float[Tensor, "batch layers length width"], mask: Bool[Tensor, "batch length"], how: str
) -> Float[Tensor, "batch width"]:
    """Max or mean over layers and real tokens, or the mean over layers of each sentence's last token.

    What stands at padded positions has no influence.
    """
    if how == "last":
        return states[torch.arange(len(states), device=mask.device), :, mask.sum(1) - 1].mean(1)
    real = mask[:, None, :, None]
    if how == "max":
        return states.masked_fill(~real, -torch.inf).amax((1, 2))
    return states.masked_fill(~real, 0).sum((1, 2)) / (mask.sum(1, keepdim=True) * states.shape[1])


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; one that is missing, damaged or not for us to read is a `ValueError`."""
    try:
        with path.open("rb"):
            pass  # what may not be read, safetensors calls missing
        return load_file(path)
    except PermissionError as error:
        raise ValueError(
            f"The weights in {path} cannot be read ({error.strerror}): ask their owner for the right to."
        ) from error
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"The weights in {path} are missing or damaged: restore the file or use another run."
        ) from error


def saved_model(folder: Path) -> TextVAE:
    """The text VAE that is saved in a folder, ready for use."""
    model = blank_model(folder)
    model.load_weights(read_weights(folder / WEIGHTS), str(folder / WEIGHTS))
    return model.eval()


def blank_model(folder: Path) -> TextVAE:
    """The text VAE that the config.json in a folder describes, with random weights."""
    settings = read_settings(folder)
    try:
        return TextVAE(**settings)
    except Exception as error:  # settings that make no network fail in as many ways as a network has parts
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
        raise ValueError(
            f"{folder / 'config.json'} describes no text VAE of this version ({reason}): restore the file."
        ) from error


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings in a saved model's config.json, checked to be those of a text VAE."""
    path = folder / "config.json"
    try:
        settings = read_json(path)
    except (OSError, ValueError) as error:
        if isinstance(error.__cause__, PermissionError):
            raise  # it says so
        raise ValueError(f"{path} is missing or damaged, so there is no model to load there.") from error
    if not isinstance(settings, dict) or "latent_size" not in settings:
        raise ValueError(
            f"{folder} holds no text VAE (its config.json has no latent_size); a plain T5 can be trained into one "
            f"with `python -m vae train --base {folder}`."
        )
    return settings
