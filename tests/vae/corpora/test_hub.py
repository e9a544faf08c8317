"""Data sets of the Hub's layout, from local folders and without a network; what the Hub itself holds is not tested."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
from huggingface_hub import constants

from vae import corpora
from vae.corpora import Corpus, hub
from vae.corpora.hub import PRESETS, Source, parse

ROWS = [{"text": f"sentence {i} .", "label": ["bad", "good"][i % 2]} for i in range(40)]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    yield
    if not bars:
        datasets.enable_progress_bars()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reviews").mkdir()
    return tmp_path / "reviews"


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def load(where: object, **options: Any) -> Corpus:
    return corpora.load(f"hub:{where}", **options)


def texts(corpus: Corpus) -> list[str]:
    return sorted(text for part in (corpus.train, corpus.valid, corpus.test) for text in part["text"])


# ------------------------------------------------------------------------------------------------------- what is meant


def test_the_spec() -> None:
    assert parse("owner/name") == Source(id="owner/name")
    assert parse("owner/name:plain?split=dev") == Source(id="owner/name", config="plain", split="dev")
    assert parse("name?column=a&column=b&label=c%20d&revision=v1") == Source(
        id="name", columns=("a", "b"), labels=("c d",), revision="v1"
    )
    assert parse("snli") == PRESETS["snli"]
    assert parse("snli?column=hypothesis&label=label").columns == ("hypothesis",)
    assert parse("yelp?label=").labels == ()


def test_a_folder_may_hold_colons(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert parse(str(tmp_path / "a")) == Source(id=str(tmp_path / "a"))
    assert parse(f"{tmp_path / 'a'}:plain") == Source(id=str(tmp_path / "a"), config="plain")


@pytest.mark.parametrize("where", ["x?colour=1", "x?column", "x?column=a&"])
def test_an_option_that_does_not_exist(where: str) -> None:
    with pytest.raises(ValueError, match="column"):
        parse(where)


def test_the_presets_are_the_papers_data_sets() -> None:
    assert set(PRESETS) == {"ptb", "snli", "yahoo", "yelp"}
    assert all("/" in preset.id and preset.columns for preset in PRESETS.values())


# ------------------------------------------------------------------------------------------------------- local folders


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_folder_with_three_splits(folder: Path, suffix: str) -> None:
    for name, rows in (("train", ROWS[:30]), ("validation", ROWS[28:34]), ("test", ROWS[33:])):
        table = pd.DataFrame(rows)
        path = folder / f"{name}.{suffix}"
        match suffix:
            case "jsonl":
                jsonl(path, rows)
            case "csv":
                table.to_csv(path, index=False)
            case _:
                table.to_parquet(path)
    corpus = load(folder)
    assert corpus.name == f"hub:{folder}"
    assert corpus.labels == ["label"]
    assert corpus.train["text"].tolist() == [row["text"] for row in ROWS[:28]]
    assert corpus.valid["text"].tolist() == [row["text"] for row in ROWS[28:33]]
    assert corpus.test["label"].tolist() == [row["label"] for row in ROWS[33:]]
    assert corpus.note == f"Read from {folder}. Dropped 3 duplicates."


def test_missing_splits_are_cut_off_train(folder: Path) -> None:
    jsonl(folder / "train.jsonl", ROWS)
    jsonl(folder / "test.jsonl", [{"text": "a test .", "label": "x"}])
    corpus = load(folder)
    assert corpus.test["text"].tolist() == ["a test ."]
    assert len(corpus.valid) >= 1
    assert texts(corpus) == sorted(["a test .", *(row["text"] for row in ROWS)])


def test_one_split_of_many(folder: Path) -> None:
    jsonl(folder / "train.jsonl", ROWS)
    jsonl(folder / "test.jsonl", [{"text": f"test {i}", "label": "x"} for i in range(12)])
    assert texts(load(f"{folder}?split=test")) == sorted(f"test {i}" for i in range(12))
    with pytest.raises(ValueError, match="nosuch"):
        load(f"{folder}?split=nosuch")


def test_a_data_set_without_train_says_what_it_has(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    part = datasets.Dataset.from_list(ROWS)
    parts = datasets.DatasetDict({"alpha": part, "beta": part})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: parts)
    with pytest.raises(ValueError, match=r"no split train but alpha, beta: choose one with \?split=NAME"):
        load(folder)


def test_sizes_and_seed_reach_the_cut(folder: Path) -> None:
    jsonl(folder / "train.jsonl", [{"text": f"line {i}"} for i in range(400)])
    assert len(load(folder, train_sentences=50).train) == 50
    assert not load(folder, train_sentences=50).train.equals(load(folder, train_sentences=50, seed=1).train)


def test_an_export_as_parquet_folders(tmp_path: Path) -> None:
    """The layout of the Hub's refs/convert/parquet, from which the preset ptb is read."""
    for name, count in (("train", 30), ("validation", 5), ("test", 6)):
        path = tmp_path / "export" / "penn_treebank" / name / "0000.parquet"
        path.parent.mkdir(parents=True)
        pd.DataFrame({"sentence": [f"{name} {i}" for i in range(count)]}).to_parquet(path)
    corpus = load(tmp_path / "export")
    assert (len(corpus.train), len(corpus.valid), len(corpus.test)) == (30, 5, 6)


# -------------------------------------------------------------------------------------------------- columns and labels


def test_class_labels_become_their_names(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    kinds = datasets.Features({"text": datasets.Value("string"), "kind": datasets.ClassLabel(names=["no", "yes"])})
    rows = [{"text": f"row {i}", "kind": (i % 3) - 1} for i in range(30)]  # -1: the annotators did not agree
    part = datasets.Dataset.from_list(rows, features=kinds)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.DatasetDict({"train": part}))
    corpus = load(folder)
    label = {text: kind for part in (corpus.train, corpus.valid, corpus.test) for text, kind in part.to_numpy()}
    assert label == {row["text"]: ["unknown", "no", "yes"][row["kind"] + 1] for row in rows}


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [(["text", "sentence"], "text"), (["other", "sentence"], "sentence"), (["only"], "only")],
)
def test_the_column_that_is_taken(folder: Path, columns: list[str], chosen: str) -> None:
    jsonl(folder / "train.jsonl", [{column: f"{column} {i}" for column in columns} | {"n": i} for i in range(20)])
    assert all(text.startswith(chosen) for text in texts(load(folder)))


def test_no_column_can_be_taken(folder: Path) -> None:
    jsonl(folder / "train.jsonl", [{"a": f"a {i}", "b": f"b {i}"} for i in range(20)])
    with pytest.raises(ValueError, match=r"no column `text` \(columns: a, b\): name one with \?column=NAME"):
        load(folder)
    with pytest.raises(ValueError, match=r"no column `c` \(columns: a, b\)"):
        load(f"{folder}?column=c")
    with pytest.raises(ValueError, match=r"no column `c` \(columns: a, b\)"):
        load(f"{folder}?column=a&label=c")
    assert texts(load(folder, text_column="b")) == texts(load(f"{folder}?column=b"))


def test_several_columns_are_stacked(folder: Path) -> None:
    rows = [{"premise": f"p {i // 3}", "hypothesis": f"h {i}", "label": i % 3} for i in range(30)]
    jsonl(folder / "train.jsonl", rows)
    corpus = load(f"{folder}?column=premise&column=hypothesis")
    assert texts(corpus) == sorted({row["premise"] for row in rows} | {row["hypothesis"] for row in rows})
    kinds = {"p": "premise", "h": "hypothesis"}
    assert all(kinds[text[0]] == kind for text, kind in corpus.train[["text", "column"]].to_numpy())
    assert load(f"{folder}?column=premise&column=hypothesis&label=label").labels == ["label", "column"]


def test_lists_of_words_are_joined_and_chosen_labels_kept(folder: Path) -> None:
    rows = [{"tokens": ["a", f"word{i}", "."], "tags": [1, 2, 3], "x": i % 2, "y": "z"} for i in range(20)]
    jsonl(folder / "train.jsonl", rows)
    corpus = load(f"{folder}?column=tokens&label=x")
    assert texts(corpus) == sorted(f"a word{i} ." for i in range(20))
    assert corpus.labels == ["x"]
    assert load(f"{folder}?column=tokens").labels == ["x", "y"]
    assert load(f"{folder}?column=tokens", label_columns=["y"]).labels == ["y"]


def test_numbers_are_no_text(folder: Path) -> None:
    jsonl(folder / "train.jsonl", [{"text": i} for i in range(20)])
    with pytest.raises(ValueError, match="not text"):
        load(folder)


def test_a_damaged_file_is_one_line_that_says_the_cause(tmp_path: Path, folder: Path) -> None:
    """In a process of its own: the library writes to the standard error that it found when it was loaded."""
    (folder / "train.jsonl").write_text('{"text":', encoding="utf-8")
    code = (
        "import datasets, sys\n"
        "from vae import corpora\n"
        "before = datasets.logging.get_verbosity(), datasets.are_progress_bars_disabled()\n"
        "try:\n    corpora.load(f'hub:{sys.argv[1]}')\nexcept ValueError as error:\n    print(error)\n"
        "print(before == (datasets.logging.get_verbosity(), datasets.are_progress_bars_disabled()), before[1])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(corpora.__file__).parents[2]), "HF_HOME": str(tmp_path / "home")}
    environment.pop("HF_DATASETS_DISABLE_PROGRESS_BARS", None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], env=environment, capture_output=True, text=True, check=True
    )
    complaint, restored = done.stdout.splitlines()
    assert "JSON" in complaint
    assert complaint.endswith("check its name, or use file: with a copy of the text.")
    assert (restored, done.stderr) == ("True False", "")


# ------------------------------------------------------------------------------------------------------------- presets


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_asks_for_its_data_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = PRESETS[name]
    asked: list[Any] = []
    columns = {column: [f"{column} {i}" for i in range(20)] for column in preset.columns}
    columns |= {label: ["a", "b"] * 10 for label in preset.labels or ()}
    parts = datasets.DatasetDict({"train": datasets.Dataset.from_dict(columns)})

    def load_dataset(*args: Any, **options: Any) -> Any:
        asked.append((*args, options))
        return parts

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(hub, "_unreachable", lambda: "")
    corpus = load(name)
    assert asked == [(preset.id, None, {"split": None, "revision": preset.revision})]
    assert len(texts(corpus)) == 20 * len(preset.columns)
    assert corpus.labels == [*(preset.labels or ()), *(["column"] if len(preset.columns) > 1 else [])]


# ------------------------------------------------------------------------------------------------------------- no luck


def one_sentence(where: object, match: str, seconds: float = 10) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueError, match=match) as caught:
        load(where)
    assert time.perf_counter() - start < seconds
    assert "\n" not in str(caught.value)
    assert str(caught.value).count(". ") == 0


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    before = datasets.config.HF_HUB_OFFLINE
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    one_sentence("snli", "cannot be reached .* stanfordnlp/snli is not in its cache: check the connection, or use")
    assert datasets.config.HF_HUB_OFFLINE is before


def test_a_network_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        one_sentence("owner/name", "cannot be reached")


def test_offline_by_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    one_sentence("ptb", "cannot be reached .*offline mode")
    assert datasets.config.HF_HUB_OFFLINE


def test_without_a_network_the_cache_is_used(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jsonl(folder / "train.jsonl", ROWS)
    expected = texts(load(folder))
    (made,) = (path for path in (tmp_path / "cache" / "reviews").iterdir() if path.is_dir())
    (tmp_path / "cache" / "owner___reviews").mkdir()
    made.rename(tmp_path / "cache" / "owner___reviews" / "default")  # where a download of owner/reviews lies
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert texts(load("owner/reviews")) == expected


def test_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub.\nMore words.")

    monkeypatch.setattr(datasets, "load_dataset", missing)
    monkeypatch.setattr(hub, "_unreachable", lambda: "")
    one_sentence("a/b", "a/b cannot be loaded .Dataset 'a/b' doesn't exist on the Hub.: check its name, or use file:")


def test_code_is_never_run(folder: Path) -> None:
    jsonl(folder / "train.jsonl", ROWS)
    (folder / "reviews.py").write_text("raise SystemExit('run!')", encoding="utf-8")
    one_sentence(folder, "scripts are no longer supported")


def test_a_folder_without_data(folder: Path) -> None:
    one_sentence(folder, "cannot be loaded")


def test_broken_data(folder: Path) -> None:
    (folder / "train.jsonl").write_text('{"text": \n', encoding="utf-8")
    one_sentence(folder, "cannot be loaded")
