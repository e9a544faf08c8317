"""What the figures mean: the words, the symbol, the unit and the definition of each, by its name in files.

Every table, page and command reads from here, so that a figure is explained once. Nats are per sentence. `TERMS` are
the words beside them that are no figures. Nothing heavy is imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Term:
    """One word: its name in files and addresses, its name as people say it, its symbol and what it means."""

    name: str
    title: str
    symbol: str
    definition: str
    formula: str = ""
    """LaTeX, where a formula says it. `\\rec{...}` and `\\kl{...}` mark the two terms of the ELBO."""
    source: str = ""
    """The papers that it is from."""


@dataclass(frozen=True, kw_only=True)
class Metric(Term):
    """One figure: a term that is measured, in a unit."""

    unit: str
    better: Literal["high", "low", ""] = ""
    """Which end is the good one; empty where the figure alone does not say."""
    digits: int = 1
    reach: float = 0.0
    """What an axis shows at least, so that a figure near zero looks like one."""

    @property
    def axis(self) -> str:
        """The label of an axis: symbol and unit."""
        return f"{self.symbol} ({self.unit})" if self.unit else self.symbol

    def show(self, value: object, *beside: float) -> str:
        """The value as people read it, without its unit; a dash where there is none.

        `beside` are values that are read together with it, such as the ends of its interval: each has the same digits.
        """
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            return "–"
        digits = max(map(self._digits, (value, *beside)))
        return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")  # + 0.0: no minus before nothing

    def show_with(self, value: object, interval: tuple[float, float] | None) -> str:
        """The value with its interval, where there is one: `18.5 (18.4 to 18.7)`."""
        if not isinstance(value, int | float) or interval is None:
            return self.show(value)
        low, high = (self.show(end, value, *interval) for end in interval)
        return f"{self.show(value, *interval)} ({low} to {high})"

    def _digits(self, value: float) -> int:
        """After the point: one more for what is small."""
        small = abs(value) < 10**-self.digits and round(value, self.digits + 1) != 0
        return self.digits + 1 if self.digits and small else self.digits


def _probes() -> Iterator[Metric]:
    """The probes of Li et al. 2019, and what their accuracies are held against."""
    yield Metric(
        name="smoothness",
        title="Smoothness",
        symbol="PCC",
        unit="",
        definition="Pearson correlation of the distance of two codes (L2, of the means) with the word edit distance of "
        "their sentences, over 100,000 random pairs: near 1, similar sentences lie near each other; near 0, where a "
        "code lies says nothing about it. Where lengths vary, much of it is of length: codes at random correlate, too, "
        "if only those of longer sentences lie further out.",
        better="high",
        source="Li et al. 2019",
        digits=3,
    )
    yield Metric(
        name="smoothness_equal_lengths",
        title="Smoothness at equal lengths",
        symbol="PCC, equal lengths",
        unit="",
        definition="Smoothness with length set aside: both distances less their means over the pairs whose sentences "
        "have the same two lengths. 0 for codes that know no more of a sentence than its length.",
        better="high",
        digits=3,
    )
    yield Metric(
        name="bleu_sampled",
        title="Likeness of the rebuilt sentences, from a sample",
        symbol="BLEU, sampled z",
        unit="of 100",
        definition="Corpus BLEU of greedy decodes from a sample of q(z|x) of each sentence, as multi-bleu.perl counts "
        "it: words are what stands between spaces, nothing is smoothed, and the reference has <unk> for what the "
        "vocabulary does not know. A mean over the samples of several seeds.",
        better="high",
        source="Li et al. 2019",
    )
    for k in range(5):
        swaps, encoded = f"{k} swap{'s' * (k != 1)}", "with two of its words exchanged" + f", {k} times" * (k > 1)
        yield Metric(
            name=f"rec_swaps_{k}_nats",
            title=f"Cost of rebuilding, {swaps}",
            symbol=f"rec, {swaps}",
            unit="nats",
            definition=f"Reconstruction, in nats a sentence, under a code of the sentence {encoded}. A smooth space "
            "loses little by swaps."
            if k
            else "Reconstruction, in nats a sentence, as rec: what the cost after swaps is held against.",
            better="low",
            source="Li et al. 2019",
        )
        yield Metric(
            name=f"bleu_swaps_{k}",
            title=f"Likeness of the rebuilt sentences, {swaps if k else 'from the mean'}",
            symbol=f"BLEU, {swaps if k else 'mean z'}",
            unit="of 100",
            definition="Corpus BLEU (sacrebleu) of greedy decodes against the sentences, from the mean of the "
            "posterior " + (f"of the sentence {encoded}." if k else "of each, as BLEU in a report: not from a sample."),
            better="high",
            source="Papineni et al. 2002; Post 2018",
        )
    yield Metric(
        name="accuracy_mixture",
        title="Label without examples",
        symbol="0 labels",
        unit="%",
        definition="Accuracy on held-out sentences of a Gaussian mixture over the codes that has seen no label: as "
        "many components as there are labels, each named after one by the best matching (Hungarian) on the other "
        "held-out split: of test sentences, on the validation sentences.",
        better="high",
        source="Li et al. 2019",
    )
    yield Metric(
        name="accuracy_mixture_shuffled",
        title="Label without examples, shuffled",
        symbol="0 labels, shuffled",
        unit="%",
        definition="As the accuracy of the mixture, with the labels of both splits shuffled: what clusters that know "
        "nothing get.",
    )
    for size in (100, 500, 1000, 2000, 10_000):
        yield Metric(
            name=f"accuracy_{size}",
            title=f"Label from {size:,} examples",
            symbol=f"{size:,} labels",
            unit="%",
            definition=f"Accuracy on held-out sentences of a logistic regression on the codes (means) of {size:,} "
            "labelled training sentences, its regularisation chosen by cross-validation among them.",
            better="high",
            source="Li et al. 2019",
        )
        yield Metric(
            name=f"accuracy_words_{size}",
            title=f"Label from {size:,} examples, words",
            symbol=f"{size:,} labels, words",
            unit="%",
            definition="As the accuracy from the codes, but from which words a sentence has (bag of words), without "
            "any model.",
        )
        yield Metric(
            name=f"accuracy_shuffled_{size}",
            title=f"Label from {size:,} examples, shuffled",
            symbol=f"{size:,} labels, shuffled",
            unit="%",
            definition="As the accuracy from the codes, with the labels of the examples shuffled: what a reader finds "
            "where there is nothing.",
        )
    yield Metric(
        name="accuracy_majority",
        title="Most frequent label",
        symbol="most frequent",
        unit="%",
        definition="Accuracy on held-out sentences of always saying the most frequent label of training.",
    )
    yield Metric(
        name="copying_words",
        title="From the prior to the training set",
        symbol="edits, prior",
        unit="words",
        definition="Word edit distance to the nearest training sentence of a sentence drawn from the model: z from "
        "the prior, then its words by sampling (temperature 1), not greedily; a mean over 300 of them. 0 would be "
        "copying; the distance of held-out sentences is the yardstick.",
        source="Li et al. 2019",
    )
    yield Metric(
        name="copying_heldout_words",
        title="From new sentences to the training set",
        symbol="edits, held out",
        unit="words",
        definition="Word edit distance of a held-out sentence to the nearest training sentence, a mean over up to 300: "
        "how near sentences are that cannot have been copied.",
    )


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="kl_nats",
            title="Distance from the prior",
            symbol="KL",
            unit="nats",
            definition="How far the code of a sentence lies from the prior, KL(q(z|x) ‖ N(0, I)), summed over the "
            "dimensions of z, in nats a sentence. Near 0 the encoder says nothing.",
            formula=r"\kl{\mathrm{KL} = \sum_d \tfrac{1}{2} \left(\mu_d^2 + \sigma_d^2 - 1 - \ln \sigma_d^2\right)}",
            source="Kingma & Welling 2014",
            reach=2.0,
        ),
        Metric(
            name="mi_nats",
            title="Information in the code",
            symbol="MI",
            unit="nats",
            definition="How much the code tells about which sentence it came from, estimated over N checked "
            "sentences, in nats. It cannot exceed its ceiling ln N, so a value at the ceiling means "
            "“at least this much”.",
            formula=r"\mathrm{MI} = \mathbb{E}\left[\log q(z|x) - \log \tfrac{1}{N} \sum_n q(z|x_n)\right] \le \ln N",
            source="Hoffman & Johnson 2016",
            reach=2.0,
        ),
        Metric(
            name="active_units",
            title="Dimensions in use",
            symbol="AU",
            unit="dimensions",
            definition="Active units: dimensions of z whose mean moves with the sentence (variance over the checked "
            "sentences above 0.01).",
            formula=r"\mathrm{AU} = \#\left\{d : \mathrm{Var}_x(\mu_d) > 0.01\right\}",
            source="Burda et al. 2016",
            digits=0,
        ),
        Metric(
            name="delta_nll_nats",
            title="Does the decoder listen?",
            symbol="ΔNLL",
            unit="nats",
            definition="How much worse a sentence is predicted from another sentence's code than from its own, in "
            "nats a sentence. Near 0 the decoder ignores the code, whatever KL, MI and AU say.",
            formula=r"\Delta\mathrm{NLL} = \mathrm{NLL}(x | z_{\mathrm{other}}) - \mathrm{NLL}(x | z_{\mathrm{own}})",
            better="high",
            reach=2.0,
        ),
        Metric(
            name="rec_nats",
            title="Cost of rebuilding",
            symbol="rec",
            unit="nats",
            definition="Reconstruction: −log p(x|z) summed over the tokens of a sentence, in nats a sentence. "
            "0 would be rebuilding every word without doubt.",
            formula=r"\rec{\mathrm{rec} = -\mathbb{E}_{q(z|x)} \sum_t \log p(x_t | x_{<t}, z)}",
            better="low",
            source="Kingma & Welling 2014",
            reach=2.0,
        ),
        Metric(
            name="neg_elbo_nats",
            title="Cost of a sentence",
            symbol="−ELBO",
            unit="nats",
            definition="Reconstruction plus KL, in nats a sentence: an upper bound on −log p(x). Lower is a better "
            "language model, also when the code is ignored.",
            formula=r"-\mathrm{ELBO} = \rec{\mathrm{rec}} + \kl{\mathrm{KL}} \ge -\log p(x)",
            better="low",
            source="Kingma & Welling 2014",
        ),
        Metric(
            name="ppl_word",
            title="Perplexity a word",
            symbol="PPL",
            unit="",
            definition="exp(cost of all sentences / number of words, each sentence's end counted as one): an upper "
            "bound on the perplexity. The cost is −ELBO while training, and NLL_K in an evaluation. A model of whole "
            "words pays for a word it does not know as for <unk>, without spelling it, and looks cheaper by that.",
            formula=r"\mathrm{PPL} = \exp \frac{\sum \mathrm{NLL}}{\sum (\mathrm{words} + 1)}",
            better="low",
        ),
        Metric(
            name="ppl_token",
            title="Perplexity a token",
            symbol="PPL a token",
            unit="",
            definition="As the perplexity a word, by token of the model's own vocabulary: not comparable between "
            "models with different vocabularies.",
            formula=r"\exp \frac{\sum \mathrm{NLL}}{\sum \mathrm{tokens}}",
            better="low",
        ),
        Metric(
            name="unknown_share",
            title="Words it does not know",
            symbol="<unk>",
            unit="%",
            definition="Share of the tokens of the sentences, end marks aside, that are <unk>. A model of whole words "
            "predicts them without spelling them: the more there are, the cheaper a text looks.",
            digits=2,
        ),
        Metric(
            name="nll_nats",
            title="Cost of a sentence, tightened",
            symbol="NLL_K",
            unit="nats",
            definition="Importance-weighted bound on −log p(x) from K samples of z, in nats a sentence (Burda et al. "
            "2016). It lies below −ELBO and falls towards the truth as K grows.",
            formula=r"\mathrm{NLL}_K = -\log \frac{1}{K} \sum_{k=1}^{K} \frac{p(x|z_k)\, p(z_k)}{q(z_k|x)}",
            better="low",
            source="Burda et al. 2016",
        ),
        Metric(
            name="effective_sample_size",
            title="Samples that count",
            symbol="ESS",
            unit="",
            definition="Effective sample size of NLL_K: how many of the K samples share the weight, from 1 (one of "
            "them carries the estimate, which is then far above the truth) to K.",
            formula=r"\mathrm{ESS} = \frac{(\sum_k w_k)^2}{\sum_k w_k^2}, \; w_k = \frac{p(x|z_k)\, p(z_k)}{q(z_k|x)}",
            better="high",
        ),
        Metric(
            name="kl_charged_nats",
            title="KL that the loss charges",
            symbol="KL charged",
            unit="nats",
            definition="KL after the threshold of the training objective (free bits), in nats a sentence: below the "
            "threshold, KL costs the same whatever it is. Not the KL of the model.",
            source="Kingma et al. 2016; Park & Lee 2021, Eq. 2",
        ),
        Metric(
            name="mi_upper_nats",
            title="Information, at most",
            symbol="MI at most",
            unit="nats",
            definition="Leave-one-out estimate of the information in the code: an upper bound in expectation, in nats. "
            "The true value lies between it and MI.",
            formula=r"\mathrm{MI} \le \mathbb{E}\left[\log q(z|x) - \log \tfrac{1}{N-1} \sum_{x' \ne x} q(z|x')\right]",
            source="Poole et al. 2019",
        ),
        Metric(
            name="mi_ceiling_nats",
            title="Ceiling of MI",
            symbol="ln N",
            unit="nats",
            definition="The most that MI can show with N sentences, in nats.",
            formula=r"\ln N",
        ),
        Metric(
            name="marginal_kl_nats",
            title="Mismatch with the prior",
            symbol="KL − MI",
            unit="nats",
            definition="Marginal KL: the part of the KL that carries no information, because the codes of all "
            "sentences together lie elsewhere than the prior (Hoffman & Johnson 2016), in nats. Where MI is "
            "at its ceiling, an upper bound.",
            formula=r"\kl{\mathrm{KL}} - \mathrm{MI} = \mathrm{KL}\left(q(z) \,\|\, p(z)\right)",
            better="low",
            source="Hoffman & Johnson 2016",
        ),
        Metric(
            name="marginal_kl_least_nats",
            title="Mismatch, at least",
            symbol="mismatch at least",
            unit="nats",
            definition="The part of the mismatch that is certain, in nats: what mean and variance of each dimension "
            "over all codes show, or what KL spends beyond the cost of the sentence itself under one fixed code, "
            "whichever is more. A lower bound on the marginal KL that no ceiling disturbs.",
            better="low",
        ),
        Metric(
            name="delta_matched_nats",
            title="Does the decoder listen, length aside?",
            symbol="ΔNLL, same length",
            unit="nats",
            definition="As ΔNLL, with the code of another sentence of the same length, in nats a sentence: what the "
            "code tells beyond how long the sentence is.",
            better="high",
            reach=2.0,
        ),
        Metric(
            name="delta_prior_nats",
            title="Against a random code",
            symbol="ΔNLL, prior",
            unit="nats",
            definition="As ΔNLL, with a code drawn from the prior, in nats a sentence.",
            formula=r"\mathrm{NLL}(x | z) - \mathrm{NLL}(x | z_{\mathrm{own}}), \quad z \sim \mathcal{N}(0, I)",
            better="high",
            reach=2.0,
        ),
        Metric(
            name="delta_zero_nats",
            title="Against the empty code",
            symbol="ΔNLL, zero",
            unit="nats",
            definition="As ΔNLL, with the code 0, the centre of the prior, in nats a sentence.",
            formula=r"\mathrm{NLL}(x | 0) - \mathrm{NLL}(x | z_{\mathrm{own}})",
            better="high",
            reach=2.0,
        ),
        Metric(
            name="batch_leak_nats",
            title="Influence of the neighbours",
            symbol="leak",
            unit="nats",
            definition="How much the cost of a sentence changes when it is scored alone instead of in a batch, in "
            "nats: 0, up to rounding, unless codes are handed to the wrong sentences.",
            better="low",
            digits=2,
        ),
        Metric(
            name="exact_reconstructions",
            title="Rebuilt word for word",
            symbol="rebuilt",
            unit="of 1",
            definition="Share of the sentences that greedy decoding from the mean of their code gives back "
            "word for word.",
            better="high",
            digits=3,
        ),
        Metric(
            name="bleu",
            title="Likeness of the rebuilt sentences",
            symbol="BLEU",
            unit="of 100",
            definition="Corpus BLEU of the sentences rebuilt from the mean of their code against the sentences "
            "themselves (sacrebleu): shared runs of one to four words, 100 where all are the same.",
            better="high",
            source="Papineni et al. 2002; Post 2018",
        ),
        Metric(
            name="distinct_prior",
            title="Different sentences from the prior",
            symbol="distinct",
            unit="of 100",
            definition="How many different sentences greedy decoding gives for 100 codes drawn from the prior. A "
            "collapsed model writes one.",
            better="high",
            digits=0,
        ),
        Metric(
            name="kl_weight",
            title="Price of information",
            symbol="KL weight",
            unit="",
            definition="The factor (beta) by which the KL term counts in the loss at this step; 0 leaves it out.",
            formula=r"\rec{\mathrm{rec}} + \beta \cdot \kl{\mathrm{KL}}",
            source="Bowman et al. 2016; Higgins et al. 2017",
            digits=2,
            reach=1.0,
        ),
        Metric(
            name="learning_rate",
            title="Learning rate",
            symbol="learning rate",
            unit="",
            definition="AdamW's step size at this step.",
            digits=5,
        ),
        Metric(
            name="encoder_updates",
            title="Updates of the encoder alone",
            symbol="encoder updates",
            unit="a step",
            definition="Updates that the encoder was given ahead of each of the decoder, a mean over the logged steps "
            "(phase1.aggressive_updates or phase2.aggressive_updates; He et al. 2019).",
        ),
        Metric(
            name="denoising_nats",
            title="Filling in deleted words",
            symbol="loss",
            unit="nats a token",
            definition="Phase 0, base “fresh” only: the cost of filling in deleted spans, in nats for each token to "
            "be filled in.",
            better="low",
            source="Raffel et al. 2020",
            digits=2,
        ),
        Metric(
            name="sentences_per_second",
            title="Speed",
            symbol="speed",
            unit="sentences/s",
            definition="Training sentences a second.",
            better="high",
            digits=0,
        ),
        Metric(
            name="tokens_per_second",
            title="Speed in tokens",
            symbol="tokens/s",
            unit="tokens/s",
            definition="Training tokens a second, of the sentences as they are written; padding does not count.",
            better="high",
            digits=0,
        ),
        Metric(
            name="peak_share",
            title="Share of the peak",
            symbol="share",
            unit="",
            definition="What the weights of the model have to be multiplied a second at this speed, over what a large "
            "matrix product reaches on the same device with the same threads. The rest goes into attention, norms, the "
            "optimizer, small products, and into what else the machine does.",
            better="high",
            digits=2,
        ),
        Metric(
            name="time_s",
            title="Time in training",
            symbol="time",
            unit="s",
            definition="Seconds in training until this step, checks and saving included, over all resumes. The time "
            "that a run lay still does not count, nor what a kill has undone.",
            digits=0,
        ),
        Metric(
            name="memory_mb",
            title="Memory",
            symbol="memory",
            unit="MB",
            definition="Main memory that the training process holds (of several processes, the first), in millions "
            "of bytes.",
            digits=0,
        ),
        Metric(
            name="gpu_memory_mb",
            title="Memory of the GPU",
            symbol="GPU memory",
            unit="MB",
            definition="The most GPU memory that the training process has held at once (of several processes, the "
            "first), in millions of bytes.",
            digits=0,
        ),
        *_probes(),
    )
}

TERMS: Mapping[str, Term] = {
    term.name: term
    for term in (
        Term(
            name="code",
            title="Latent code",
            symbol="z",
            definition="A sentence as a few numbers, and all that the decoder is told of it: a sample of the posterior "
            "in training, usually its mean after that.",
            formula=r"z = \mu(x) + \sigma(x) \cdot \varepsilon, \quad \varepsilon \sim \mathcal{N}(0, I)",
            source="Kingma & Welling 2014",
        ),
        Term(
            name="prior",
            title="Prior",
            symbol="p(z)",
            definition="The distribution of codes before any sentence is known, a standard normal: what a new sentence "
            "is drawn from.",
            formula=r"p(z) = \mathcal{N}(0, I)",
            source="Kingma & Welling 2014",
        ),
        Term(
            name="posterior",
            title="Posterior",
            symbol="q(z|x)",
            definition="What the encoder makes of a sentence: not one code but a normal distribution of codes, with a "
            "mean and a variance for each dimension.",
            formula=r"q(z|x) = \mathcal{N}\left(\mu(x), \mathrm{diag}\, \sigma^2(x)\right)",
            source="Kingma & Welling 2014",
        ),
        Term(
            name="posterior_collapse",
            title="Posterior collapse",
            symbol="",
            definition="The decoder learns to do without z, the posterior of every sentence becomes the prior, KL "
            "falls to 0, and every code is read as nearly the same sentence. The loss does not show it; ΔNLL does.",
            formula=r"\kl{\mathrm{KL} \approx 0}, \quad \Delta\mathrm{NLL} \approx 0",
            source="Bowman et al. 2016",
        ),
        Term(
            name="encoder_warmup",
            title="Encoder warm-up",
            symbol="phase 1",
            definition="Training first without the KL term, so that the encoder learns to write into z before a price "
            "is put on it. Park & Lee 2021 freeze the decoder in this phase.",
            formula=r"\rec{\mathrm{rec}} + 0 \cdot \kl{\mathrm{KL}}",
            source="Li et al. 2019; Park & Lee 2021",
        ),
        Term(
            name="free_bits",
            title="Free bits",
            symbol="λ",
            definition="A threshold under which KL costs the same whatever it is, so that the loss has nothing to gain "
            "from taking the last information out of z. Here as Park & Lee 2021 charge it, for each dimension; the λ "
            "of Li et al. 2019 is for all of them together, so the two numbers do not compare.",
            formula=r"\rec{\mathrm{rec}} + \beta \cdot \kl{\sum_d \max(\lambda, \mathrm{KL}_d)}",
            source="Kingma et al. 2016; Park & Lee 2021, Eq. 2",
        ),
        Term(
            name="aggregate_posterior",
            title="Aggregate posterior",
            symbol="q(z)",
            definition="The codes of all sentences together: the mean of their posteriors. Where it is not like the "
            "prior, samples of the prior fall where no sentence is.",
            formula=r"q(z) = \tfrac{1}{N} \sum_n q(z|x_n)",
            source="Hoffman & Johnson 2016",
        ),
        Term(
            name="hole",
            title="Hole",
            symbol="",
            definition="A region that the prior finds likely and the aggregate posterior does not: the decoder has "
            "never been trained there, so what it reads may be no good sentence.",
            source="Rosca et al. 2018",
        ),
        Term(
            name="shell",
            title="Shell of the prior",
            symbol="‖z‖",
            definition="Where samples of the prior lie: in many dimensions hardly any near 0, nearly all at a distance "
            "of about the root of their number. A code far inside or outside is unlike every sample.",
            formula=r"\|z\| \approx \sqrt{L}, \quad z \in \mathbb{R}^L",
            source="White 2016",
        ),
        Term(
            name="word_dropout",
            title="Word dropout",
            symbol="",
            definition="In training the decoder reads <unk> in place of some of the words before, so that it has to "
            "look at z for them.",
            source="Bowman et al. 2016",
        ),
        Term(
            name="token_deletion",
            title="Token deletion",
            symbol="",
            definition="In training some tokens are deleted from what the encoder reads, and the decoder rebuilds the "
            "whole sentence: noise that makes similar sentences share a neighbourhood.",
            source="Shen et al. 2020; Park & Lee 2021",
        ),
    )
}
"""The words that are no figures. No name is also that of a figure."""
