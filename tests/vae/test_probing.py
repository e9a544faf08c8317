"""The probes of a model: on what they stand, what must not matter, and how a run keeps them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from vae import base, evaluate, metrics, probes, probing, report
from vae.cli import main
from vae.corpora import Corpus
from vae.glossary import METRICS
from vae.posterior import DiagonalGaussian
from vae.probes.published import PRINTED
from vae.report import CONTROLS, PROBE_TABLES, Probes
from vae.runs import Run
from vae.space import Space


@pytest.fixture(scope="module")
def corpus(sentences: list[str]) -> Corpus:
    mixed = [sentences[i] for i in np.random.default_rng(0).permutation(len(sentences))]
    frame = pd.DataFrame({"text": mixed, "line": [str(i) for i in range(120)]})
    frame["place"] = ["park" if "park" in text else "elsewhere" for text in mixed]
    return Corpus(name="scenes", train=frame[:100], valid=frame[100:104], test=frame[100:], note="")


@pytest.fixture(scope="module")
def found(make_space: Callable[..., Space], corpus: Corpus) -> Probes:
    return probing.probe(make_space(), corpus, seeds=2)


@pytest.fixture
def run(trained_run: Run, tmp_path: Path) -> Run:
    shutil.copytree(trained_run.path, tmp_path / "run")
    return Run(tmp_path / "run")


def test_every_probe_has_its_words_and_its_place_in_a_table(found: Probes) -> None:
    placed = {name for names in PROBE_TABLES.values() for name in names}
    placed |= {name for names in CONTROLS.values() for name in names.values()}
    assert found.figures.keys() <= placed <= METRICS.keys()
    assert {name for values in PRINTED.values() for name in values} <= placed
    assert found.figures.keys() == {name for name in placed if not name.endswith(("_500", "000"))}


def test_figures_lie_in_their_intervals(found: Probes) -> None:
    for name, each in found.figures.items():
        assert each.interval is None or each.interval[0] <= each.value <= each.interval[1], name
        assert each.value == pytest.approx(np.mean(each.by_seed)), name
        assert each.n == {"smoothness": 100_000, "smoothness_equal_lengths": 100_000, "copying_words": 300}.get(
            name, 20
        ), name


def test_without_swaps_the_cost_is_that_of_a_report(
    found: Probes, make_space: Callable[..., Space], corpus: Corpus
) -> None:
    plain = evaluate.evaluate(make_space(), corpus.test, samples=1)
    assert found.figures["rec_swaps_0_nats"].by_seed[0] == pytest.approx(plain.rec_nats, rel=1e-5)
    assert found.figures["bleu_swaps_0"].value == pytest.approx(plain.bleu)


def test_swaps_reach_the_encoder_and_seeds_draw_other_ones(found: Probes) -> None:
    costs = [found.figures[f"rec_swaps_{k}_nats"].value for k in range(5)]
    assert len(set(costs)) == 5
    first, second = found.figures["rec_swaps_3_nats"].by_seed
    assert first != second


def test_the_same_seed_gives_the_same(found: Probes, make_space: Callable[..., Space], corpus: Corpus) -> None:
    assert probing.probe(make_space(), corpus, seeds=2).figures["rec_swaps_2_nats"] == found.figures["rec_swaps_2_nats"]


def test_the_first_label_with_few_values_is_read(found: Probes, corpus: Corpus) -> None:
    assert (found.label, found.classes) == ("place", 2)
    assert probing.label_of(corpus, "place") == "place"
    for wrong in ("line", "nobody", "text"):
        with pytest.raises(ValueError, match="choose place"):
            probing.label_of(corpus, wrong)


def test_without_labels_nothing_is_read(make_space: Callable[..., Space], corpus: Corpus) -> None:
    bare = {split: getattr(corpus, split)[["text"]] for split in ("train", "valid", "test")}
    steps: list[tuple[int, int]] = []
    found = probing.probe(
        make_space(), replace(corpus, **bare), split="valid", seeds=1, watch=lambda *at: steps.append(at)
    )
    assert found.label is None
    assert not [name for name in found.figures if name.startswith("accuracy")]
    assert steps == [(i + 1, len(steps)) for i in range(len(steps))]


def test_all_steps_are_counted(make_space: Callable[..., Space], corpus: Corpus) -> None:
    steps: list[tuple[int, int]] = []
    probing.probe(make_space(), corpus, split="valid", seeds=1, watch=lambda *at: steps.append(at))
    assert steps == [(i + 1, len(steps)) for i in range(len(steps))]


def test_interpolations_are_those_that_anybody_can_make_again(
    found: Probes, make_space: Callable[..., Space], corpus: Corpus
) -> None:
    """Linear, greedy, from their seeds and sentences: as on the page Interpolate and by `vae interpolate --prior`."""
    space = make_space()
    assert [each.inputs is None for each in found.interpolations] == [True] * 3 + [False] * 3
    assert len({text for each in found.interpolations[3:] for text in each.inputs or ()}) == 6
    assert len({each.seeds for each in found.interpolations[:3]}) == 3
    for each in found.interpolations:
        ends = [space.sample_prior(2, seed)[side] for side, seed in enumerate(each.seeds)]
        if each.inputs:
            assert set(each.inputs) <= set(corpus.test["text"])
            ends = [
                space.encode([text]).rsample(torch.Generator().manual_seed(seed))[0]
                for text, seed in zip(each.inputs, each.seeds, strict=True)
            ]
        assert each.texts == space.decode(space.interpolate(*ends, steps=7))


def test_a_report_from_before_there_were_interpolations_is_read(found: Probes) -> None:
    earlier = found.to_dict()
    del earlier["interpolations"]
    assert Probes.from_dict(json.loads(json.dumps(earlier))) == replace(found, interpolations=[])


def test_an_interpolation_is_told_as_in_the_paper() -> None:
    path = report.Interpolation(seeds=(0, 1), inputs=("x .", "y ."), texts=["a", "b", "c"])
    assert [tuple(row.values()) for row in path.rows(4)] == [
        (4, "source input", None, "x ."),
        (4, "target input", None, "y ."),
        (4, "posterior-sampled source", 0.0, "a"),
        (4, "interpolation", 0.5, "b"),
        (4, "posterior-sampled target", 1.0, "c"),
    ]


def test_training_sentences_are_not_held_out(space: Space, corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="choose valid or test"):
        probing.probe(space, corpus, split="train")


class Copier(Space):
    """A model that draws one training sentence whatever it is given, and whose code is the label."""

    def __init__(self, space: Space, corpus: Corpus) -> None:
        super().__init__(space.model, space.tokenizer)
        self.sentence = corpus.train["text"].iloc[3]

    def encode(self, texts: list[str], **_: object) -> DiagonalGaussian:
        mean = torch.tensor([[float("park" in text), 0.5] for text in texts])
        return DiagonalGaussian(mean, torch.full_like(mean, -9.0))

    def decode(self, z: torch.Tensor, *, method: str = "greedy", **_: object) -> list[str]:
        return [self.sentence if method == "sample" else "its greedy sentence is in no corpus"] * len(z)

    def nll(self, texts: list[str], z: torch.Tensor, **_: object) -> torch.Tensor:
        return z[:, 0] + 1

    def sample_prior(self, n: int, seed: int = 0) -> torch.Tensor:
        return torch.zeros(n, 2)


def test_a_code_that_is_the_label_and_a_decoder_that_copies(space: Space, corpus: Corpus) -> None:
    found = probing.probe(Copier(space, corpus), corpus, seeds=2).figures
    assert (found["accuracy_100"].value, found["accuracy_mixture"].value) == (100, 100)
    assert found["accuracy_shuffled_100"].value < 100
    assert found["copying_words"].value == 0
    assert found["copying_heldout_words"].value >= 1


def test_the_words_of_a_draw_from_the_prior_are_drawn_by_the_seed(make_space: Callable[..., Space]) -> None:
    space, asked = make_space(), []
    decode = space.decode
    space.decode = lambda z, **how: asked.append((len(z), how)) or decode(z, **how)  # type: ignore[method-assign]
    for seed in (3, 4):
        probing._copying(space, ["a man"], ["a man .", "it"], seed)
    assert asked == [(300, {"method": "sample", "seed": seed}) for seed in (3, 4)]


class Notebook(Space):
    """A model that notes what it is given, and decodes a code into the words it was encoded from, less the last.

    The code of a text is its number, beside a dimension that is 0 in the mean and in no sample.
    """

    def __init__(self, space: Space) -> None:
        super().__init__(space.model, space.tokenizer)
        self.texts: list[str] = []
        self.encoded: list[list[str]] = []
        self.scored: list[tuple[list[str], list[str]]] = []

    def encode(self, texts: list[str], **_: object) -> DiagonalGaussian:
        self.encoded.append(list(texts))
        self.texts += [text for text in dict.fromkeys(texts) if text not in self.texts]
        mean = torch.tensor([[float(self.texts.index(text)), 0.0] for text in texts])
        return DiagonalGaussian(mean, torch.tensor([-20.0, 10.0]).expand(len(texts), 2))

    def read(self, z: torch.Tensor) -> list[str]:
        return [self.texts[round(number)] for number in z[:, 0].tolist()]

    def decode(self, z: torch.Tensor, **_: object) -> list[str]:
        return [" ".join(text.split()[:-1]) for text in self.read(z)]

    def nll(self, texts: list[str], z: torch.Tensor, **_: object) -> torch.Tensor:
        self.scored.append((list(texts), self.read(z)))
        return torch.ones(len(texts))


def test_the_code_is_of_the_swapped_sentence_and_what_is_scored_is_the_sentence(
    space: Space, sentences: list[str]
) -> None:
    book, texts = Notebook(space), sentences[:100:5]
    found = probing._swaps(book, texts, range(2), lambda: None)
    assert len(book.encoded) == len(book.scored) == 10  # 0 to 4 swaps, two seeds each
    moved: list[float] = []
    for call, (encoded, (scored, under)) in enumerate(zip(book.encoded, book.scored, strict=True)):
        swaps = call // 2
        assert scored == texts
        assert under == encoded
        assert [sorted(text.split()) for text in encoded] == [sorted(text.split()) for text in texts]
        pairs = [zip(a.split(), b.split(), strict=True) for a, b in zip(encoded, texts, strict=True)]
        moved.append(float(np.mean([sum(a != b for a, b in words) for words in pairs])))
        assert swaps <= moved[-1] <= 2 * swaps
    assert book.encoded[2] != book.encoded[3]  # seeds draw other swaps
    cut = [" ".join(text.split()[:-1]) for text in texts]
    assert found["bleu_swaps_0"].by_seed == [pytest.approx(metrics.bleu(cut, texts))]
    assert metrics.bleu(cut, texts) != pytest.approx(metrics.bleu(texts, cut), abs=0.5)
    swapped = [" ".join(text.split()[:-1]) for text in book.encoded[9]]
    assert found["bleu_swaps_4"].by_seed[1] == pytest.approx(metrics.bleu(swapped, texts))


def test_the_published_bleu_is_of_samples_by_words_and_of_what_the_vocabulary_reads(
    space: Space, sentences: list[str]
) -> None:
    words = base.word_tokenizer(sentences[:20], 12)
    book = Notebook(Space(space.model, words))
    texts = ["<unk> <unk> <unk> <unk> <unk> <unk>", "Ein UNBEKANNTER , langer , unbekannter SATZ"]
    book.decode = lambda z, **_: [  # type: ignore[method-assign]
        "<unk> " * (4 + (away != 0)) + "it" for away in z[:, 1].tolist()
    ]
    found = probing._rebuilt(book, texts, range(3), lambda: None)["bleu_sampled"]
    by_hand = 100 * np.exp(1 - 13 / 12) * np.prod([10 / 12, 8 / 10, 6 / 8, 4 / 6]) ** 0.25  # all words are <unk>
    assert found.by_seed == pytest.approx([by_hand] * 3)
    assert found.n == 2


def test_an_accuracy_is_uncertain_by_its_sentences_and_by_its_seeds() -> None:
    """By hand: Wilson's interval of 5 in 10 is 0.5 ± 0.2634; t of 2 degrees is 4.3027, the seeds' deviation 0.1."""
    of_sentences = probing._shares([0.5, 0.5, 0.5], 10).interval
    assert of_sentences == pytest.approx((50 - 26.34, 50 + 26.34), abs=0.01)
    of_seeds = probing._shares([0.4, 0.5, 0.6], 10**9).interval
    assert of_seeds == pytest.approx((50 - 24.84, 50 + 24.84), abs=0.01)  # 4.3027 * 0.1 / sqrt(3)
    of_both = probing._shares([0.4, 0.5, 0.6], 10).interval
    assert of_both == pytest.approx((50 - 36.21, 50 + 36.21), abs=0.01)  # the root of both squares


@pytest.mark.parametrize(("share", "end"), [(1.0, 1), (0.0, 0)])
def test_an_accuracy_of_all_or_nothing_is_not_certain(share: float, end: int) -> None:
    found = probing._shares([share] * 5, 2000)
    assert found.interval is not None
    assert found.interval[end] == found.value == 100 * share
    assert abs(found.interval[1 - end] - found.value) == pytest.approx(100 * 3.8416 / 2003.8416)


def test_labels_are_read_from_codes_that_the_reader_has_not_seen() -> None:
    """200 random dimensions are enough to learn 100 labels by heart, and say nothing of others."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"text": ["a man"] * 700, "side": rng.integers(2, size=700)})
    known, codes = rng.standard_normal((100, 200)), rng.standard_normal((600, 200))
    own = probes.linear_accuracy(known, frame["side"][:100].to_numpy(), known, frame["side"][:100].to_numpy(), size=100)
    assert own > 0.95
    split = {"train": frame[:100], "held": frame[100:400], "other": frame[400:]}
    found = probing._labels(*split.values(), known, codes[:300], codes[300:], "side", [100], range(2), lambda: None)
    for name in ("accuracy_100", "accuracy_mixture"):
        assert found[name].value < 65, name


def test_clusters_are_named_on_other_sentences_than_are_scored() -> None:
    """Two clusters that stand for the other label among the scored ones: named there, all would be right."""
    side = np.arange(400) % 2
    far = 50.0 * np.stack([side, 1 - side], 1) + np.random.default_rng(0).standard_normal((400, 2))
    frame = pd.DataFrame({"text": ["a man"] * 400, "side": side})
    turned = frame.assign(side=1 - side)
    for held, other, right in ((frame, frame, 100), (frame, turned, 0)):
        found = probing._labels(frame, held, other, far, far, far, "side", [], range(2), lambda: None)
        assert found["accuracy_mixture"].value == right
        assert 40 < found["accuracy_mixture_shuffled"].value < 60


def test_diverged_weights_are_said(make_space: Callable[..., Space], corpus: Corpus) -> None:
    broken = make_space()
    broken.model.mean.bias.fill_(torch.nan)
    with pytest.raises(ValueError, match="codes are not finite"):
        probing.probe(broken, corpus)


def test_a_run_keeps_its_probes_with_its_report(run: Run, found: Probes, make_space: Any, sentences: list[str]) -> None:
    whole = evaluate.evaluate(make_space(), pd.DataFrame({"text": sentences[:12]}), samples=1)
    step = run.status.step
    with pytest.raises(ValueError, match="evaluate it first"):
        report.save_probes(run, "test", step, found)
    report.save(run, "test", step, whole)
    before = json.loads((run.reports_path / "test.json").read_text(encoding="utf-8"))
    assert "probes" not in before
    report.save_probes(run, "test", step, found)
    kept = report.load(run)
    assert kept is not None
    assert kept.probes == found
    assert replace(kept, probes=None) == whole
    after = json.loads((run.reports_path / "test.json").read_text(encoding="utf-8"))
    assert before.items() <= after.items()  # what an earlier version reads is all there
    assert after["probes"]["figures"]["rec_swaps_1_nats"]["unit"] == "nats"

    report.save(run, "test", step, whole)  # measured again: the same weights, the same probes
    again = report.load(run)
    assert again is not None
    assert again.probes == found
    report.save(run, "test", step + 1, whole)  # other weights
    assert "probes" not in json.loads((run.reports_path / "test.json").read_text(encoding="utf-8"))


def test_the_command_evaluates_first_and_prints_every_form(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["evaluate", str(run.path), "--probes", "--seeds", "1", "--samples", "1"]
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["label"] == "subject"
    kept = report.load(run)
    assert kept is not None
    assert kept.probes is not None
    assert kept.probes.to_dict() == {name: document[name] for name in document if name not in {"run", "split"}}
    monkeypatch.setattr(probing, "probe", lambda *_, **__: kept.probes)  # once is enough; what follows is its forms
    assert main([*words, "--csv"]) == 0
    head, own, *printed = capsys.readouterr().out.splitlines()
    assert {"run", "rec_swaps_1_nats", "rec_swaps_1_nats_low", "source"} <= set(head.split(","))
    assert own.startswith("run,test,subject")
    assert len(printed) == 7
    assert main([*words, "--latex"]) == 0
    said = capsys.readouterr().out
    assert said.count(r"\begin{tabular}") == len(PROBE_TABLES) + 1
    assert said.count("prior-sampled source") == 3
    assert main(words) == 0
    said = capsys.readouterr().out
    assert f"Interpolations of {run.name}, greedily\nexample  part" in said
    assert said.count("prior-sampled target") == 3
    assert "8.6" in said  # BLEU as printed
    assert "as printed" in said


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--probes", "--label", "nobody"], "choose subject"),
        (["--probes", "--against", "x"], "leave it out"),
        (["--probes", "--split", "train"], "choose valid or test"),
        (["--label", "subject"], "belong to --probes"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    words: list[str], problem: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run.path), *words]) == 2
    assert problem in capsys.readouterr().err.splitlines()[-1]
