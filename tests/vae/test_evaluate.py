"""The figures of an evaluation, against their definitions computed sentence by sentence."""

import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch
from torch.distributions import Independent, Normal

from vae import evaluate, metrics
from vae.config import Phase
from vae.report import Report
from vae.space import Space

MakeSpace = Callable[..., Space]


@pytest.fixture(scope="module")
def data(sentences: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"text": sentences[::3]})


def set_posterior(space: Space, mean_scale: float, logvar: float) -> None:
    """Means scaled, the logvar the same for all."""
    with torch.no_grad():
        space.model.mean.weight.mul_(mean_scale)
        space.model.mean.bias.mul_(mean_scale)
        space.model.logvar.weight.zero_()
        space.model.logvar.bias.fill_(logvar)


def uniform(space: Space) -> None:
    """A decoder that gives every token the same probability."""
    with torch.no_grad():
        space.model.backbone.t5.decoder.final_layer_norm.weight.zero_()


def test_every_figure_is_its_definition(space: Space, data: pd.DataFrame) -> None:
    texts, n = data["text"].tolist(), len(data)
    report = evaluate.evaluate(space, data, samples=1, seed=3)
    q = space.encode(texts)
    generator = torch.Generator().manual_seed(3)
    z, other = q.rsample(generator), metrics.other_sentences(n, generator)
    rec = [float(space.nll([text], z[[i]])) for i, text in enumerate(texts)]
    rec_other = [float(space.nll([text], z[[int(other[i])]])) for i, text in enumerate(texts)]
    kl = q.kl_per_dim().sum(1).tolist()
    assert report.rec_nats == pytest.approx(sum(rec) / n, rel=1e-4)
    assert report.kl_nats == pytest.approx(sum(kl) / n, rel=1e-4)
    assert report.neg_elbo_nats == report.rec_nats + report.kl_nats
    assert report.delta_nll_nats == pytest.approx((sum(rec_other) - sum(rec)) / n, rel=1e-3)
    assert report.kl_per_dim_nats == pytest.approx(q.kl_per_dim().mean(0).tolist(), rel=1e-3, abs=1e-6)
    posterior = Independent(Normal(q.mean, torch.exp(0.5 * q.logvar)), 1)
    log_ratio = posterior.log_prob(z) - Independent(Normal(torch.zeros(5), 1.0), 1).log_prob(z)
    nll = sum(rec) + float(log_ratio.sum())
    assert report.nll_nats == pytest.approx(nll / n, rel=1e-4)
    words = sum(len(text.split()) + 1 for text in texts)
    assert report.ppl_word == pytest.approx(math.exp(nll / words), rel=1e-3)
    tokens = sum(len(space.tokenizer(text)["input_ids"]) + 1 for text in texts)
    assert report.ppl_token == pytest.approx(math.exp(nll / tokens), rel=1e-3)
    assert (report.sentences, report.samples, report.seed, report.latent_size) == (n, 1, 3, 5)
    assert report.mi_ceiling_nats == math.log(n)
    assert report.marginal_kl_nats == report.kl_nats - report.mi_nats
    assert report.effective_sample_size == pytest.approx(1)


def test_two_evaluations_are_one(space: Space, data: pd.DataFrame) -> None:
    before = torch.get_rng_state()
    first, second = (evaluate.evaluate(space, data, samples=2, seed=1) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)
    assert evaluate.evaluate(space, data, samples=2, seed=2).rec_nats != first.rec_nats


def test_no_figure_depends_on_the_batch_size(space: Space, data: pd.DataFrame) -> None:
    data = data[::4]
    whole = numbers(evaluate.evaluate(space, data, samples=2, objective=Phase()).to_dict())
    assert len(whole) > 100
    for batch_size in (1, 7):
        parts = numbers(evaluate.evaluate(space, data, samples=2, batch_size=batch_size, objective=Phase()).to_dict())
        assert parts.keys() == whole.keys()
        for name, value in whole.items():
            assert parts[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


def test_what_needs_no_draw_does_not_depend_on_the_order_of_sentences(space: Space, data: pd.DataFrame) -> None:
    one = evaluate.evaluate(space, data, samples=1)
    other = evaluate.evaluate(space, data.sample(frac=1, random_state=0), samples=1)
    assert one.per_sentence is not None
    assert other.per_sentence is not None
    assert one.per_sentence["text"].tolist() != other.per_sentence["text"].tolist()
    for name in ("kl_nats", "active_units", "bleu", "exact_reconstructions", "distinct_prior", "words", "tokens"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-6), name
    for name in ("kl_per_dim_nats", "variances"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=2e-6), name
    assert one.rec_nats + one.delta_zero_nats == pytest.approx(other.rec_nats + other.delta_zero_nats, rel=1e-6)


def test_a_long_neighbour_pads_a_sentence_and_changes_nothing(space: Space, data: pd.DataFrame) -> None:
    """The first sentences keep their draws when others follow them, and their figures with a batch wide enough."""
    few = evaluate.one_pass(space.model, space.tokens(data["text"].tolist()[:1] * 2))
    long = " and ".join(data["text"].tolist()[:5])
    padded = evaluate.one_pass(space.model, space.tokens(data["text"].tolist()[:1] * 2 + [long]))
    torch.testing.assert_close(padded.posterior.mean[:2], few.posterior.mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(padded.rec_zero[:2], few.rec_zero, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_the_inequalities_hold_on_any_model(make_space: MakeSpace, data: pd.DataFrame, seed: int) -> None:
    space = make_space(seed)
    set_posterior(space, 1.0 + 3 * seed, -0.5 * seed)
    report = evaluate.evaluate(space, data, samples=10, seed=seed)
    assert min(report.kl_per_dim_nats) >= 0
    noise = (report.intervals["neg_elbo_nats"][1] - report.intervals["neg_elbo_nats"][0]) / 2
    assert report.nll_nats <= report.neg_elbo_nats + noise
    assert [row["nll_nats"] for row in report.nll_by_samples] == sorted(
        (row["nll_nats"] for row in report.nll_by_samples), reverse=True
    )
    assert report.mi_nats <= report.mi_upper_nats + 1 / (len(data) - 1)
    assert report.mi_nats <= report.mi_ceiling_nats
    assert report.marginal_kl_least_nats <= report.marginal_kl_nats + 0.5
    for name, (low, high) in report.intervals.items():
        assert low <= report.to_dict()[name] <= high, name


def numbers(values: Any, name: str = "") -> dict[str, float]:
    """Every number of a document, by its path."""
    if isinstance(values, dict | list):
        items = values.items() if isinstance(values, dict) else enumerate(values)
        return {k: v for key, value in items for k, v in numbers(value, f"{name}/{key}").items()}
    return {name: values}


def test_a_report_is_json_with_the_names_of_metrics_jsonl(space: Space, data: pd.DataFrame) -> None:
    values = evaluate.evaluate(space, data, samples=1).to_dict()
    names = {
        *("rec_nats", "kl_nats", "neg_elbo_nats", "mi_nats", "mi_ceiling_nats", "active_units", "delta_nll_nats"),
        *("ppl_word", "kl_per_dim_nats", "sentences"),
    }
    assert names <= values.keys()
    assert Report.from_dict(json.loads(json.dumps(values))).to_dict() == values


def test_a_uniform_decoder_has_a_perplexity_of_the_vocabulary(make_space: MakeSpace, data: pd.DataFrame) -> None:
    space = make_space()
    set_posterior(space, 0.0, 0.0)
    uniform(space)
    report = evaluate.evaluate(space, data, samples=4)
    assert report.ppl_token == pytest.approx(330, rel=1e-5)
    assert report.kl_nats == 0
    tokens = sum(len(space.tokenizer(text)["input_ids"]) + 1 for text in data["text"])
    assert report.rec_nats == pytest.approx(tokens / len(data) * math.log(330), rel=1e-5)
    words = sum(len(text.split()) + 1 for text in data["text"])
    assert report.ppl_word == pytest.approx(330 ** (tokens / words), rel=1e-4)
    assert report.delta_nll_nats == pytest.approx(0, abs=1e-3)
    assert report.effective_sample_size == pytest.approx(4, rel=1e-4)


def test_a_collapsed_encoder_has_no_information_and_no_units(make_space: MakeSpace, data: pd.DataFrame) -> None:
    space = make_space()
    set_posterior(space, 0.0, 0.0)
    report = evaluate.evaluate(space, data, samples=1)
    assert (report.kl_nats, report.active_units) == (0, 0)
    assert report.mi_nats == pytest.approx(0, abs=1e-4)


def test_mi_is_over_the_whole_set_and_can_exceed_ln_256(make_space: MakeSpace, sentences: list[str]) -> None:
    texts = [f"{text} {end}" for text in sentences for end in ("a", "b", "c", "d")]
    space = make_space()
    set_posterior(space, 300.0, -14.0)
    report = evaluate.evaluate(space, pd.DataFrame({"text": texts}), samples=1, batch_size=64)
    assert report.mi_nats > math.log(256) + 0.3
    assert report.mi_nats == pytest.approx(math.log(len(texts)), abs=0.05)
    assert report.mi_saturated


def test_a_decoder_that_ignores_z_has_a_delta_nll_of_zero_whatever_mi_says(
    make_space: MakeSpace, data: pd.DataFrame
) -> None:
    space = make_space()
    set_posterior(space, 300.0, -14.0)
    assert evaluate.evaluate(space, data, samples=1).delta_nll_nats != pytest.approx(0, abs=0.1)
    with torch.no_grad():
        space.model.projection.weight.zero_()
    report = evaluate.evaluate(space, data, samples=1)
    assert report.delta_nll_nats == pytest.approx(0, abs=1e-3)
    assert report.delta_prior_nats == pytest.approx(0, abs=1e-3)
    assert report.mi_nats > 3


def test_nll_k_falls_with_k_and_says_how_many_samples_carried_it(make_space: MakeSpace, data: pd.DataFrame) -> None:
    space = make_space()
    set_posterior(space, 1.0, 0.0)
    reports = {k: evaluate.evaluate(space, data, samples=k) for k in (1, 4, 16)}
    nll = [report.nll_nats for report in reports.values()]
    assert nll == sorted(nll, reverse=True)
    assert nll[0] - nll[-1] > 0.5
    assert all(1 <= report.effective_sample_size <= k + 1e-3 for k, report in reports.items())
    assert reports[16].neg_elbo_nats == reports[1].neg_elbo_nats > reports[16].nll_nats
    assert reports[16].ppl_word < reports[1].ppl_word


def test_importance_samples_are_the_passes_own_and_then_new_ones(space: Space, data: pd.DataFrame) -> None:
    tokens = space.tokens(data["text"].tolist())
    seen = evaluate.one_pass(space.model, tokens, seed=0)
    log_w = evaluate.importance_weighted(space.model, seen, 8)
    expected = seen.rec + seen.posterior.log_prob(seen.z) + 0.5 * (seen.z.square() + math.log(2 * math.pi)).sum(1)
    torch.testing.assert_close(-log_w[:, 0], expected, rtol=1e-5, atol=1e-4)
    _, size = metrics.importance_weighted_nll(log_w)
    assert float(size.max()) > 1.001  # not one sample again and again: then all weights were equal, and size 8
    assert float(size.min()) < 7.99


def nll_under(space: Space, texts: list[str], z: torch.Tensor) -> torch.Tensor:
    return torch.tensor([float(space.nll([text], z[[i]])) for i, text in enumerate(texts)], dtype=torch.float64)


def test_each_delta_is_the_cost_under_that_z_less_the_cost_under_its_own(space: Space, data: pd.DataFrame) -> None:
    texts, n = data["text"].tolist(), len(data)
    report = evaluate.evaluate(space, data, samples=1, seed=5)
    lengths = space.tokens(texts).lengths
    z = space.encode(texts).rsample(torch.Generator().manual_seed(5))
    matched = metrics.other_sentences(n, torch.Generator().manual_seed(8), lengths)
    own = nll_under(space, texts, z)
    for name, other in {
        "delta_matched_nats": z[matched],
        "delta_prior_nats": space.sample_prior(n, 7),
        "delta_zero_nats": torch.zeros_like(z),
    }.items():
        gap = nll_under(space, texts, other) - own
        assert getattr(report, name) == pytest.approx(float(gap.mean()), rel=1e-3), name
        assert report.per_sentence is not None
        assert report.per_sentence[name].tolist() == pytest.approx(gap.tolist(), rel=1e-3, abs=1e-3)
        low, high = report.intervals[name]
        assert (low + high) / 2 == pytest.approx(getattr(report, name))
        assert high - low == pytest.approx(2 * 1.96 * float(gap.std()) / n**0.5, rel=1e-3)


def test_the_positions_of_a_sentence_add_up_to_the_sentence(space: Space, data: pd.DataFrame) -> None:
    report = evaluate.evaluate(space, data, samples=1)
    rows = pd.DataFrame(report.delta_by_position)
    assert rows["position"].tolist() == list(range(len(rows)))
    lengths = space.tokens(data["text"].tolist()).lengths
    assert rows["sentences"].tolist() == [int((lengths > t).sum()) for t in range(lengths.max())]
    assert (rows["own_nats"] * rows["sentences"]).sum() / len(data) == pytest.approx(report.rec_nats)
    assert (rows["delta_nll_nats"] * rows["sentences"]).sum() / len(data) == pytest.approx(report.delta_nll_nats)
    first = [float(nats[0, 0]) for nats in (space.model.token_nats(z, batch) for z, batch in singles(space, data))]
    assert rows["own_nats"][0] == pytest.approx(sum(first) / len(first), rel=1e-4)


def singles(space: Space, data: pd.DataFrame) -> list[tuple[torch.Tensor, Any]]:
    tokens = space.tokens(data["text"].tolist())
    z = space.encode(data["text"].tolist()).rsample(torch.Generator().manual_seed(0))
    return [(z[[row]], tokens.batch([row])) for row in range(len(tokens))]


@pytest.fixture(autouse=True)
def _no_gradients() -> Any:
    with torch.no_grad():
        yield


def test_every_power_of_ten_and_k_itself_has_its_bound(space: Space, data: pd.DataFrame) -> None:
    report = evaluate.evaluate(space, data, samples=25)
    rows = pd.DataFrame(report.nll_by_samples)
    assert rows["samples"].tolist() == [1, 10, 25]
    last = report.nll_by_samples[-1]
    assert {name: report.to_dict()[name] for name in last} == last
    assert evaluate.evaluate(space, data, samples=10).nll_by_samples == report.nll_by_samples[:2]  # the same draws
    assert [row["samples"] for row in evaluate.evaluate(space, data, samples=100).nll_by_samples] == [1, 10, 100]


def test_mi_is_shown_for_growing_numbers_of_sentences(space: Space, data: pd.DataFrame) -> None:
    report = evaluate.evaluate(space, data, samples=1)
    assert [row["sentences"] for row in report.mi_by_sentences] == [16, 32, 40]
    for row in report.mi_by_sentences:
        assert row["mi_nats"] <= row["mi_ceiling_nats"] == pytest.approx(math.log(row["sentences"]))
    last = report.mi_by_sentences[-1]
    assert (last["mi_nats"], last["mi_upper_nats"]) == (report.mi_nats, report.mi_upper_nats)


def test_variances_and_kl_are_of_the_same_dimensions(space: Space, data: pd.DataFrame) -> None:
    report, q = evaluate.evaluate(space, data, samples=1), space.encode(data["text"].tolist())
    assert report.variance_per_dim == pytest.approx(q.mean.var(0).tolist(), abs=1e-5)
    assert report.variances == sorted(report.variance_per_dim, reverse=True)
    assert report.active_units == sum(variance > 0.01 for variance in report.variances)
    assert report.marginal_kl_least_nats == pytest.approx(float(metrics.marginal_kl_least(q.mean, q.logvar).sum()))


def test_what_kl_spends_beyond_the_cost_of_a_sentence_is_mismatch(make_space: MakeSpace, data: pd.DataFrame) -> None:
    """Codes spread like the prior, but each a needle: the moments see nothing, the entropy of the sentences does."""
    space = make_space()
    q = space.encode(data["text"].tolist())
    space.model.mean.weight.div_(q.mean.std(0)[:, None])
    space.model.mean.bias.sub_(q.mean.mean(0)).div_(q.mean.std(0))
    space.model.logvar.weight.zero_()
    space.model.logvar.bias.fill_(-60.0)
    report = evaluate.evaluate(space, data, samples=1)
    q = space.encode(data["text"].tolist())
    assert float(metrics.marginal_kl_least(q.mean, q.logvar).sum()) < 0.1
    cost = report.rec_nats + report.delta_zero_nats
    assert report.kl_nats > cost
    assert report.marginal_kl_least_nats == pytest.approx(report.kl_nats - cost)
    assert report.marginal_kl_least_nats <= report.marginal_kl_nats


def test_what_kl_was_charged_follows_from_the_objective(space: Space, data: pd.DataFrame) -> None:
    def charged(objective: Phase | None) -> float | None:
        return evaluate.evaluate(space, data, samples=1, objective=objective).kl_charged_nats

    report = evaluate.evaluate(space, data, samples=1)
    assert charged(None) is None
    assert charged(Phase()) == pytest.approx(report.kl_nats)
    assert charged(Phase(free_bits_per_dimension=50.0)) == pytest.approx(5 * 50)
    assert charged(Phase(free_bits_total=99.0)) == 0


def test_the_table_of_sentences_has_the_means_of_the_report(space: Space, data: pd.DataFrame) -> None:
    report = evaluate.evaluate(space, data, samples=10)
    table = report.per_sentence
    assert table is not None
    assert table["text"].tolist() == data["text"].tolist()
    assert table["decoded"].tolist() == space.decode(space.encode(data["text"].tolist()).mean)
    for name in table.filter(like="_nats"):
        assert table[name].mean() == pytest.approx(report.to_dict()[name]), name
    assert table["words"].sum() == report.words
    assert table["tokens"].sum() == report.tokens
    assert "per_sentence" not in report.to_dict()


def test_the_different_sentences_of_a_hundred_prior_codes(
    space: Space, data: pd.DataFrame, make_space: MakeSpace
) -> None:
    assert evaluate.evaluate(space, data, samples=1, seed=4).distinct_prior == len(
        set(space.decode(space.sample_prior(100, seed=4)))
    )
    deaf = make_space()
    deaf.model.projection.weight.zero_()
    assert evaluate.evaluate(deaf, data, samples=1).distinct_prior == 1


def test_no_sentence_costs_otherwise_alone(space: Space, data: pd.DataFrame) -> None:
    assert evaluate.evaluate(space, data, samples=1).batch_leak_nats < 1e-4
    # that it can show is shown on models that mix up the codes of a batch, in test_doctor


def test_who_watches_hears_of_every_sentence_once(space: Space, data: pd.DataFrame) -> None:
    heard: list[tuple[int, int]] = []
    evaluate.evaluate(space, data, samples=3, batch_size=16, watch=lambda done, total: heard.append((done, total)))
    assert {total for _, total in heard} == {9 * len(data)}
    assert heard[-1][0] == heard[-1][1]
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})


def test_prior_samples_are_not_the_noise_of_the_posterior(make_space: MakeSpace, data: pd.DataFrame) -> None:
    """Where the posterior is the prior, z of the prior is just another z: it differs from a sentence's own."""
    space = make_space()
    set_posterior(space, 0.0, 0.0)
    report = evaluate.evaluate(space, data, samples=1, seed=0)
    assert abs(report.delta_nll_nats) > 1e-2
    assert abs(report.delta_prior_nats) > 1e-2


def test_the_share_rebuilt_word_for_word(space: Space, data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = data["text"].tolist()
    monkeypatch.setattr(evaluate, "decode_all", lambda *_: [texts[0], texts[1], *["another"] * (len(texts) - 2)])
    assert evaluate.evaluate(space, data, samples=1).exact_reconstructions == 2 / len(texts)


def test_every_code_is_decoded_once_and_in_order(space: Space) -> None:
    z = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    assert evaluate.decode_all(space, z, 3) == space.decode(z)


def test_a_text_that_was_cut_is_judged_by_what_was_read(make_space: MakeSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    space = make_space(max_tokens=8)
    long, short = "two women is watching the red bicycle in the park .", "it ."
    tokens = space.tokens([long, short])
    read = evaluate.readings(space.tokenizer, [long, short], tokens, 8)
    assert read[1] == short
    assert long.startswith(read[0])
    assert 0 < len(read[0]) < len(long)
    assert evaluate.count_words(read) == len(read[0].split()) + 1 + 3
    monkeypatch.setattr(evaluate, "decode_all", lambda *_: read)
    assert evaluate.evaluate(space, pd.DataFrame({"text": [long, short]}), samples=1).exact_reconstructions == 1


@pytest.mark.parametrize(
    ("texts", "how", "message"),
    [
        ([], {}, "at least 2 sentences, but there are 0"),
        (["a"], {}, "at least 2 sentences, but there are 1"),
        (["a", "b"], {"samples": 0}, "samples=0 must be at least 1"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    space: Space, texts: list[str], how: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate.evaluate(space, pd.DataFrame({"text": texts}), **how)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_one_sentence(make_space: MakeSpace, data: pd.DataFrame, value: float) -> None:
    for part in ("mean", "projection"):
        space = make_space()
        with torch.no_grad():
            getattr(space.model, part).weight.fill_(value)
        with pytest.raises(ValueError, match=r"finite"):
            evaluate.evaluate(space, data, samples=1)
