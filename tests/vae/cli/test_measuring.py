"""What the command line measures is what Python measures, of one model or of several side by side."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vae import doctor, report, runs
from vae.cli import measuring
from vae.runs import Run

Say = Callable[..., Any]


def test_evaluating_samples_and_paths_are_those_of_python(vae: Say, trained: Run, corpus_file: Path) -> None:
    import vae as package
    from vae import evaluate
    from vae.corpora import Corpus

    space = package.load(trained.path)
    words = ("evaluate", "trained", "--seed", "3", "--samples", "2", "--split", "valid")
    document = vae(*words, "--json").document
    expected = evaluate.evaluate(
        space, Corpus.open(trained.corpus_path).valid, seed=3, samples=2, objective=trained.config.phase2
    )
    figures = expected.to_dict()
    assert document == {"run": "trained", "split": "valid", "verdict": doctor.diagnose(figures).name} | json.loads(
        json.dumps(figures)
    )
    assert report.load(trained, "valid") == expected
    other = vae("evaluate", str(trained.path), "--samples", "2", "--data", f"file:{corpus_file}", "--json").document
    assert other["sentences"] == len(Corpus.open(trained.corpus_path).test)
    assert report.load(trained) is None  # of another corpus nothing is kept
    words = ("evaluate", str(trained.model_path), "--samples", "2", "--data", f"file:{corpus_file}", "--json")
    model = vae(*words, "--split", "test")  # a folder of weights does not know what it was trained on
    assert model.document == other | {"run": "model", "kl_charged_nats": None}

    z = space.sample_prior(4, 9)
    assert vae("sample", "trained", "-n", "4", "--seed", "9", "--json").document == {
        "seed": 9,
        "sentences": space.decode(z),
    }
    assert vae("sample", "trained", "-n", "4", "--seed", "9").out.split("\n")[:-1] == space.decode(z)

    said = vae("interpolate", "trained", "--prior", "--seed", "9", "--steps", "5", "--method", "slerp", "--json")
    path = space.interpolate(*space.sample_prior(2, 9), steps=5, method="slerp")
    assert said.document == {
        "method": "slerp",
        "path": [{"t": i / 4, "text": text} for i, text in enumerate(space.decode(path))],
    }
    ends = ("a man is riding a bus .", "nobody waits for it .")
    said = vae(
        "interpolate", "trained", "--from", ends[0], "--to", ends[1], "--steps", "3", "--extend", "0.5", "--json"
    )
    path = space.interpolate(*space.encode(ends).mean, steps=3, extend=0.5)
    assert [(row["t"], row["text"]) for row in said.document["path"]] == list(
        zip((-0.5, 0.5, 1.5), space.decode(path), strict=True)
    )
    assert "-0.50  " in vae("interpolate", "trained", "--prior", "--extend", "0.5").out


def test_maps_and_verdicts(vae: Say, trained: Run) -> None:
    said = vae("project", "trained", "--method", "pca", "--refit", "--json").document
    assert said == {
        "run": str(trained.path),
        "method": "pca",
        "sentences": said["sentences"],
        "file": str(trained.projections_path / "pca.parquet"),
    }
    assert Path(said["file"]).is_file()
    last = vae("doctor", "trained", "--json").document
    fresh = vae("doctor", "trained", "--evaluate", "--json").document
    assert last["figures"]["split"] == "valid"
    document = vae("evaluate", "trained", "--samples", "1", "--json").document
    assert document["verdict"] == fresh["name"]
    assert fresh["figures"] == {name: value for name, value in document.items() if name in fresh["figures"]}
    assert vae("doctor", "trained", "--json").document["figures"] == fresh["figures"]  # the report is newer


def test_several_models_side_by_side(vae: Say, trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "time", SimpleNamespace(monotonic=lambda: 0.0))
    shutil.copytree(trained.path, runs.root() / "twin")
    words = ("evaluate", "trained", "twin", "--samples", "3")
    said = vae(*words, "--against", "twin")
    head, first = said.out.splitlines()[:2]
    assert head.split() == ["trained", "twin"]
    assert first.startswith("PPL")
    assert first.split()[1] == first.split()[2]
    assert "NLL_3" in said.out
    assert "trained against twin: a sentence costs 0.00 nats more (NLL, paired, 95 %: +0.00 to +0.00)." in said.out
    first, second = vae(*words, "--against", "twin", "--json").document
    assert first["against"]["nll_nats"]["difference"] == 0
    assert (first["run"], second["run"]) == ("trained", "twin")
    table = vae(*words, "--csv").out.splitlines()
    assert table[0].startswith("run,split,")
    assert [row.split(",")[0] for row in table[1:]] == ["trained", "twin"]
    assert vae(*words, "--latex").out.startswith("\\begin{tabular}{l")
    assert "NLL$_{3}$" in vae(*words, "--latex").out
    assert "not allowed with" in vae(*words, "--latex", "--csv").err
    assert "passes" not in said.err  # it took no time


def test_other_sentences_are_not_compared(vae: Say, trained: Run, corpus_file: Path) -> None:
    shutil.copytree(trained.path, runs.root() / "twin")
    path = runs.find("twin").corpus_path / "test.parquet"
    import pandas as pd

    pd.read_parquet(path).iloc[::-1].to_parquet(path, index=False)
    said = vae("evaluate", "trained", "--samples", "1", "--against", "twin")
    assert said.status == 2
    assert "different sentences: evaluate both runs on the same --data" in said.err


def test_a_report_that_cannot_be_kept_is_still_printed(vae: Say, trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "save", full)
    said = vae("evaluate", "trained", "--samples", "1")
    assert said.status == 0
    assert "could not be kept" in said.err
    assert "No space left on device" in said.err
    assert "PPL" in said.out


def test_long_work_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(measuring.time, "monotonic", lambda: next(clock) * 0.4)
    with measuring.progress("mine, 10 sentences", 10) as watch:
        for done in range(1, 30):
            watch(done, 30)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "mine, 10 sentences: 0 of 3 passes"
    assert lines[-1] == "mine, 10 sentences: 2 of 3 passes"
    assert len(lines) < 15


@pytest.fixture
def eighty(sentences: list[str]) -> Path:
    """81 lines, 80 distinct sentences."""
    path = Path("eighty.txt")
    path.write_text("\n".join([*sentences[:80], sentences[0]]) + "\n", encoding="utf-8")
    return path


def test_all_of_a_lone_file_is_judged_and_the_table_says_how_many(vae: Say, trained: Run, eighty: Path) -> None:
    words = ("evaluate", "trained", "--samples", "1", "--data", "file:eighty.txt")
    document = vae(*words, "--json").document
    assert (document["split"], document["sentences"]) == ("all", 80)
    said = vae(*words).out
    assert re.search(r"^N +80 ", said, re.MULTILINE)
    assert "Judged: all of file:eighty.txt, 80 sentences. Read from eighty.txt" in said
    assert "1 duplicate" in said
    assert "cut off" not in said
    assert document["sentences"] == vae(*words, "--against", "trained", "--json").document["sentences"]


def test_a_split_that_is_asked_for_or_there_is_judged(vae: Say, trained: Run, eighty: Path) -> None:
    words = ("evaluate", "trained", "--samples", "1", "--data")
    cut = vae(*words, "file:eighty.txt", "--split", "valid").out
    assert "Judged: the valid split of file:eighty.txt, " in cut
    assert "cut off train by a hash" in cut
    Path("train.txt").write_text(eighty.read_text(encoding="utf-8"), encoding="utf-8")
    assert vae(*words, "file:train.txt", "--json").document["sentences"] == 80
    Path("test.txt").write_text("".join(f"a dog {i} .\n" for i in range(12)), encoding="utf-8")
    beside = vae(*words, "file:train.txt", "--json").document
    assert (beside["split"], beside["sentences"]) == ("test", 12)
    assert vae(*words, "file:test.txt", "--json").document["split"] == "all"


def test_of_the_file_it_was_trained_on_a_model_is_judged_by_what_was_held_out(vae: Say, trained: Run) -> None:
    from vae.corpora import Corpus

    document = vae("evaluate", "trained", "--samples", "1", "--data", trained.config.data.corpus, "--json").document
    assert (document["split"], document["sentences"]) == ("test", len(Corpus.open(trained.corpus_path).test))


def test_a_text_column_may_be_named_where_it_is_missed(vae: Say, trained: Run, eighty: Path) -> None:
    rows = eighty.read_text(encoding="utf-8").splitlines()
    Path("body.csv").write_text("\n".join(["body,n", *(f"{row},1" for row in rows)]) + "\n", encoding="utf-8")
    words = ("evaluate", "trained", "--samples", "1", "--data", "file:body.csv")
    assert "or rename it to `text`" in vae(*words).complaint
    assert vae(*words, "--text-column", "body", "--json").document["sentences"] == 80
    encode = ("encode", "trained", "--file", "body.csv", "--out", "body.parquet")
    assert "name it with --text-column" in vae(*encode).complaint
    assert vae(*encode, "--text-column", "body").out.startswith("81 sentences")
    assert "--text-column is of --data" in vae("evaluate", "trained", "--text-column", "body").complaint
