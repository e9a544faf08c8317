"""The LSTM of Li et al. 2019 as a backbone: one layer each way over words, z in the first cell and beside every word.

    h_t = LSTM(E_enc x_t),  pooled: the last one          encoder
    c_0 = W_c z,  h_0 = tanh(c_0)                         the decoder begins
    s_t = LSTM([E_dec x_t; z]),  logits = W s_t           and goes on

Nothing of z changes from word to word, so its share W_z z of the gates' input is one product a sentence. The memory
is both, z W_proj = [c_0, W_z z], and W_proj is all that a decoder knows of z.

After the paper's appendix A: dropout of 0.5 in the decoder, of the word embeddings and before the logits; U(-0.1, 0.1)
for embeddings and U(-0.01, 0.01) for every other parameter, W_proj and the mu and logvar heads among them, as in its
released code. Its Table 9 gives embeddings / states of 128 / 512 for SNLI and 512 / 1024 for Yahoo; the released code
has the same, 128 / 512 for short Yelp reviews, and 256 / 256 for PTB, whose column we could not read in the paper.

Unlike the released code: its encoder reads a start token, too, the same in every sentence; and its one layer for mu
and logvar has no bias, where the two heads of `TextVAE` have one each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vae.backbones.products import highest

PAD, END, START = 0, 1, 3
"""Token ids, those of `base.word_tokenizer`."""


class LSTMBackbone(nn.Module):
    """An LSTM each way, with an embedding table each."""

    kind = "lstm"
    pooling = "last"
    start_token, pad_token, end_token = START, PAD, END

    def __init__(self, *, vocabulary: int, embedding: int, width: int, dropout: float) -> None:
        super().__init__()
        self.encoder_words = nn.Embedding(vocabulary, embedding)
        self.encoder = nn.LSTM(embedding, width, batch_first=True)
        self.decoder_words = nn.Embedding(vocabulary, embedding)
        self.decoder = nn.LSTM(embedding, width, batch_first=True)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.width, self.memory_size = width, 5 * width
        for layer in (self.encoder_words, self.encoder, self.decoder_words, self.decoder, self.head):
            self.initialize(layer)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> LSTMBackbone:
        """LSTMs of these sizes with random weights; the inverse of `settings`."""
        return cls(**settings)

    def settings(self) -> dict[str, Any]:
        """The sizes."""
        vocabulary, embedding = self.decoder_words.weight.shape
        sizes = {"vocabulary": vocabulary, "embedding": embedding, "width": self.width}
        return {"kind": self.kind, **sizes, "dropout": self.dropout.p}

    def initialize(self, layer: nn.Module) -> None:
        """Draw the weights of a layer: embeddings from U(-0.1, 0.1), all others from U(-0.01, 0.01)."""
        bound = 0.1 if isinstance(layer, nn.Embedding) else 0.01
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def states(
        self, ids: Int[Tensor, "batch length"], mask: Bool[Tensor, "batch length"], *, every_layer: bool
    ) -> list[Float[Tensor, "batch length width"]]:
        """Encoder states of the one layer. They never look right, so padding on the right needs no mask."""
        states, _ = self.encoder(self.encoder_words(ids))
        return [states]

    def hidden(
        self, memory: Float[Tensor, "batch memory"], ids: Int[Tensor, "batch length"]
    ) -> Float[Tensor, "batch length width"]:
        """Decoder states.

        The library's fused kernels know no term that a row adds to its gates, and are as fast as a loop that has one.
        So a row reads its share as the embedding of its place in the batch: one-hot inputs beside the words, whose
        weights are the shares. That costs as much as words wider by the batch: nothing at 32 sentences, beside z.
        """
        cell, share = self.split(memory)
        words = self.dropout(self.decoder_words(ids))
        place = torch.eye(len(ids), dtype=words.dtype, device=ids.device)[:, None].expand(-1, ids.shape[1], -1)
        of_words, *others = self.decoder.all_weights[0]
        weights = [torch.cat([of_words, share.T.to(of_words.dtype)], 1), *others]
        start = (torch.tanh(cell)[None], cell[None])
        states, *_ = torch.lstm(torch.cat([words, place], 2), start, weights, True, 1, 0.0, self.training, False, True)
        return states

    def logits(self, hidden: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows vocabulary"]:
        """Next-word logits."""
        logits: Tensor = self.head(self.dropout(hidden))
        return logits

    def steps(self, memory: Float[Tensor, "batch memory"], max_tokens: int) -> LSTMSteps:
        """Incremental decoding; the state does not grow with its length."""
        return LSTMSteps(self, memory)

    def split(self, memory: Float[Tensor, "batch memory"]) -> tuple[Float[Tensor, "batch w"], Float[Tensor, "batch g"]]:
        """The first cell, and z's share of the input of the four gates."""
        return memory[:, : self.width], memory[:, self.width :]

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Encoder and decoder with their own embeddings; what z passes through is the projection of `TextVAE`."""
        return {
            "embeddings": [],
            "encoder": [*self.encoder_words.parameters(), *self.encoder.parameters()],
            "decoder": [*self.decoder_words.parameters(), *self.decoder.parameters()],
            "head": list(self.head.parameters()),
        }


class LSTMSteps:
    """The decoder one word at a time, for inference: two products and the gates, z's share computed once."""

    def __init__(self, backbone: LSTMBackbone, memory: Float[Tensor, "batch memory"]) -> None:
        self.backbone = backbone
        self.of_words, self.of_state, *biases = backbone.decoder.all_weights[0]
        self.cell, share = backbone.split(memory)
        self.state = torch.tanh(self.cell)
        self.share = share + biases[0] + biases[1]

    def __call__(self, tokens: Int[Tensor, " batch"]) -> Float[Tensor, "batch vocabulary"]:
        """Append one word to every row and return the logits of the next."""
        gates = torch.addmm(self.share, self.backbone.decoder_words(tokens), self.of_words.T)
        i, f, g, o = torch.addmm(gates, self.state, self.of_state.T).chunk(4, 1)  # (B, W) each
        self.cell = torch.sigmoid(f) * self.cell + torch.sigmoid(i) * torch.tanh(g)
        self.state = torch.sigmoid(o) * torch.tanh(self.cell)
        return self.backbone.logits(self.state)

    def likeliest(self, tokens: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """Append one word to every row and return the most likely next one."""
        return highest(self(tokens))

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows only."""
        self.cell, self.state, self.share = self.cell[rows], self.state[rows], self.share[rows]
