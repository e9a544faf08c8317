"""The encoder and decoder that a text VAE is built around.

A backbone knows tokens, states and logits and nothing of VAEs: it turns tokens into encoder states, and a *memory*
vector (one a sentence) with the tokens so far into the next token's logits. What the memory means is its own affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@runtime_checkable
class Steps(Protocol):
    """Decoding one token at a time, for a fixed memory and a growing prefix."""

    def __call__(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch vocabulary"]:
        """Append one token to every row and return the logits of the next."""

    def likeliest(self, tokens: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """Append one token to every row and return the most likely next one: the argmax of the logits."""

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows only, in this order; a row may be named more than once."""


@runtime_checkable
class Backbone(Protocol):
    """What `TextVAE` asks of an encoder and decoder. Implementations are `nn.Module`s."""

    width: int
    """Size of an encoder state."""
    memory_size: int
    """Size of the vector that the decoder is conditioned on."""
    pooling: str
    """How its authors pool its states: `max`, `mean` or `last`."""
    start_token: int
    pad_token: int
    end_token: int

    def states(
        self, ids: Int[Tensor, "batch length"], mask: Bool[Tensor, "batch length"], *, every_layer: bool
    ) -> list[Float[Tensor, "batch length width"]]:
        """Encoder states of the last layer, or of every layer in order."""

    def hidden(
        self, memory: Float[Tensor, "batch memory"], ids: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length width"]:
        """Decoder states that predict the token after each of `ids`, which begin with the start token."""

    def logits(self, hidden: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows vocabulary"]:
        """Next-token logits of decoder states."""

    def steps(self, memory: Float[Tensor, "batch memory"], max_tokens: int) -> Steps:
        """Incremental decoding of at most `max_tokens` tokens, for inference."""

    def initialize(self, layer: nn.Module) -> None:
        """Draw the weights of a new layer around the backbone as its authors do, from torch's global generator."""

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """The backbone's parameters by part (see `config.PARTS`), each parameter in exactly one."""

    def settings(self) -> dict[str, Any]:
        """JSON values from which the same architecture is built again."""


def build(settings: Mapping[str, Any]) -> Any:
    """A backbone with random weights from its settings; `kind` names the family."""
    kind = settings.get("kind")
    if kind not in BACKBONES:
        raise ValueError(f"The model has the unknown backbone {kind!r}: known are {', '.join(BACKBONES)}.")
    return BACKBONES[kind]().from_settings({key: value for key, value in settings.items() if key != "kind"})


def around(kind: str, module: Any, slots: int = 1) -> Any:
    """A backbone of a kind around a pretrained model, which it takes over; one that is such a backbone is returned.

    With several `slots`, of kind `t5` alone, it is the backbone that reads so many.
    """
    if slots > 1:
        return BACKBONES["t5-slots"]()(module, slots)
    backbone = BACKBONES[kind]()
    return module if isinstance(module, backbone) else backbone(module)


def _lstm() -> Any:
    from vae.backbones.lstm import LSTMBackbone

    return LSTMBackbone


def _t5() -> Any:
    from vae.backbones.t5 import T5Backbone

    return T5Backbone


def _slots() -> Any:
    from vae.backbones.slots import SlotsT5

    return SlotsT5


def _as_released() -> Any:
    from vae.backbones.as_released import AsReleased

    return AsReleased


def _prefix() -> Any:
    from vae.backbones.prefix import PrefixT5

    return PrefixT5


BACKBONES: dict[str, Callable[[], Any]] = {
    "t5": _t5,
    "lstm": _lstm,
    "t5-slots": _slots,
    "t5-as-released": _as_released,
    "t5-prefix": _prefix,
}
