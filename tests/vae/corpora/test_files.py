"""Files of every kind come in clean, distinct and disjoint; every bad one gets one clear sentence."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vae import corpora
from vae.corpora import Corpus
from vae.corpora.splits import UNKNOWN, clean, coordinate, split, split_of

LINES = [f"sentence number {i} ." for i in range(40)]
NO_SIZES = {"train": None, "valid": None, "test": None}


def write(path: Path, lines: Sequence[str] = LINES, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding, newline="")
    return path


def load(path: Path, **options: object) -> Corpus:
    return corpora.load(f"file:{path}", **options)  # type: ignore[arg-type]


def texts(corpus: Corpus) -> list[str]:
    return [text for part in (corpus.train, corpus.valid, corpus.test) for text in part["text"]]


# ------------------------------------------------------------------------------------------------------------ cleaning

anything = st.text(st.characters(codec=None, exclude_categories=()))
sentences = st.lists(anything, min_size=12, max_size=60)


@given(anything)
def test_cleaning_is_idempotent_and_leaves_one_line_without_controls(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in cleaned)
    cleaned.encode("utf-8")


@given(st.lists(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Cf")), min_size=1), min_size=1))
def test_cleaning_keeps_everything_else(words: list[str]) -> None:
    assert clean("\t\x00 " + " \r\n\u2028 ".join(words)) == " ".join(words)


@given(sentences)
def test_splits_are_disjoint_and_whole_and_do_not_depend_on_order(lines: list[str]) -> None:
    distinct = {clean(line) for line in lines} - {""}
    options = {"source": "x", "origin": "x", "sizes": NO_SIZES, "seed": 0, "text_column": "t", "label_columns": None}
    if len(distinct) < 10:
        with pytest.raises(ValueError, match="at least 10 are needed"):
            split({"train": {"t": lines}}, **options)  # type: ignore[arg-type]
        return
    one = split({"train": {"t": lines}}, **options)  # type: ignore[arg-type]
    other = split({"train": {"t": lines[::-1]}}, **options)  # type: ignore[arg-type]
    parts = [set(part["text"]) for part in one[:3]]
    assert all(parts)
    assert sum(map(len, parts)) == sum(map(len, one[:3])) == len(distinct)
    assert set.union(*parts) == distinct
    assert parts == [set(part["text"]) for part in other[:3]]


@given(sentences, sentences, sentences)
def test_a_sentence_of_test_is_never_in_train(train: list[str], valid: list[str], test: list[str]) -> None:
    own = [f"own {i}" for i in range(10)]
    tables = {"train": {"t": [*train, *own]}, "valid": {"t": [*valid, *train[:5], "v"]}, "test": {"t": [*test, "v"]}}
    parts = split(tables, source="x", origin="x", sizes=NO_SIZES, seed=0, text_column="t", label_columns=None)
    test_, valid_, train_ = ({clean(line) for line in tables[name]["t"]} - {""} for name in ("test", "valid", "train"))
    assert set(parts.test["text"]) == test_
    if valid_ - test_:
        assert set(parts.valid["text"]) == valid_ - test_
        assert set(parts.train["text"]) == train_ - valid_ - test_


def test_the_split_of_a_sentence_is_its_own_and_even() -> None:
    names = [split_of(f"sentence {i}") for i in range(20_000)]
    assert names == [split_of(f"sentence {i}") for i in range(20_000)]
    assert 0.045 < names.count("valid") / 20_000 < 0.055
    assert 0.045 < names.count("test") / 20_000 < 0.055
    assert coordinate("a dog .") == 0.15850057096644238  # on every platform


def test_a_large_file_is_split_as_split_of_says(tmp_path: Path) -> None:
    corpus = load(write(tmp_path / "x.txt", [f"line {i}" for i in range(5_000)]))
    for name in ("train", "valid", "test"):
        assert {split_of(text) for text in getattr(corpus, name)["text"]} == {name}
    assert corpus.train["text"].tolist() == sorted(corpus.train["text"], key=lambda text: int(text.split()[1]))


# --------------------------------------------------------------------------------------------------------------- kinds


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".tsv", ".jsonl", ".parquet", ".TXT"])
def test_every_kind_of_file_holds_the_same_corpus(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"reviews{suffix}"
    table = pd.DataFrame({"label": ["good", "bad"] * 20, "text": LINES, "id": [f"id{i}" for i in range(40)]})
    match suffix.lower():
        case ".txt":
            write(path)
        case ".csv":
            table.to_csv(path, index=False)
        case ".tsv":
            table.to_csv(path, index=False, sep="\t")
        case ".jsonl":
            table.to_json(path, orient="records", lines=True)
        case ".parquet":
            table.to_parquet(path)
    corpus = load(path)
    assert sorted(texts(corpus)) == sorted(LINES)
    assert corpus.name == f"file:{path}"
    assert corpus.labels == ([] if suffix.lower() == ".txt" else ["label"])  # ids do not repeat
    assert corpus.train.columns[0] == "text"
    assert all(dtype == "str" for dtype in corpus.train.dtypes)
    assert "cut off train by a hash" in corpus.note
    if corpus.labels:
        assert dict(zip(corpus.train["text"], corpus.train["label"], strict=True))[LINES[1]] == "bad"


def test_text_that_needs_care_survives(tmp_path: Path) -> None:
    odd = [
        "She said: \u201cNo\u201d ,  twice .",
        'a " quote',
        '" fully quoted "',
        "emoji \U0001f469\u200d\U0001f52c\U0001f44d\U0001f3fd ok",
        "\u05e9\u05dc\u05d5\u05dd \u200f\u05e2\u05d5\u05dc\u05dd",
        "NA",
        "null",
        "1.50",
        "e\u0301 is not \u00e9",
        "x" * 10_000,
        "comma , and ; semicolon",
        "",
        "  tab\tand\x00nul\x07 ",
    ]
    table = pd.DataFrame({"text": odd})
    expected = sorted({clean(text) for text in odd} - {""})
    assert "NA" in expected
    for name in ("x.csv", "x.jsonl", "x.parquet"):
        path = tmp_path / name
        if name.endswith("csv"):
            table.to_csv(path, index=False)
        elif name.endswith("jsonl"):
            table.to_json(path, orient="records", lines=True)
        else:
            table.to_parquet(path)
        corpus = load(path)
        assert sorted(texts(corpus)) == expected, name
        assert "1 empty line" in corpus.note or name == "x.csv"  # pandas skips a blank line of one column


def test_txt_lines_end_at_newlines_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(("\r\n".join(LINES[:20]) + "\r" + "\n".join([*LINES[20:], "one\u2028line\u0085still"])).encode())
    assert sorted(texts(load(path))) == sorted([*LINES, "one line still"])


def test_quotes_in_tsv(tmp_path: Path) -> None:
    """A lone quote starts no field that swallows lines, and what pandas quotes is unquoted."""
    lines = [f'" {i} unbalanced\tpos' for i in range(12)] + ['"he said ""hi"" ."\tneg'] * 1
    corpus = load(write(tmp_path / "x.tsv", ["text\tlabel", *lines]))
    assert set(texts(corpus)) == {f'" {i} unbalanced' for i in range(12)} | {'he said "hi" .'}
    table = pd.DataFrame({"text": [f"two\nlines {i}" for i in range(12)], "label": "x"})
    table.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    assert set(texts(load(tmp_path / "y.tsv"))) == {f"two lines {i}" for i in range(12)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("suffix", [".txt", ".csv"])
def test_encodings(tmp_path: Path, encoding: str, suffix: str) -> None:
    lines = [f"na\u00efve caf\u00e9 \u2603 {i}" for i in range(12)]
    path = write(tmp_path / f"x{suffix}", lines if suffix == ".txt" else ["text", *lines], encoding)
    assert sorted(texts(load(path))) == sorted(lines)


def test_a_list_of_words_is_joined(tmp_path: Path) -> None:
    pd.DataFrame({"text": [["word", str(i), "."] for i in range(12)]}).to_parquet(tmp_path / "x.parquet")
    assert set(texts(load(tmp_path / "x.parquet"))) == {f"word {i} ." for i in range(12)}


# -------------------------------------------------------------------------------------------------------------- labels


def test_which_columns_are_labels(tmp_path: Path) -> None:
    rows = [
        {
            "text": text,
            "stars": i % 5,
            "good": i % 2 == 0,
            "many": i // 2,
            "long": "y" * 41,
            "nested": {"a": 1},
            "half": None if i % 2 else "a\nb",
        }
        for i, text in enumerate(f"row {i}" for i in range(120))
    ]
    path = write(tmp_path / "x.jsonl", [json.dumps(row) for row in rows])
    corpus = load(path)
    assert corpus.labels == ["stars", "good", "half"]
    assert set(corpus.train["good"]) == {"true", "false"}
    assert set(corpus.train["stars"]) == set("01234")
    assert set(corpus.train["half"]) == {"a b", UNKNOWN}
    assert load(path, label_columns=["many"]).labels == ["many"]
    assert load(path, label_columns=[]).labels == []


def test_another_text_column(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", ["body,text", *(f"body {i},a" for i in range(20))])
    corpus = load(path, text_column="body")
    assert corpus.train["text"].str.startswith("body").all()
    assert corpus.labels == []  # two columns called text would be one too many


def test_a_label_that_one_split_lacks_is_unknown(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", ["text,label", *(f"t {i},a" for i in range(20))])
    write(tmp_path / "test.csv", ["text", *(f"s {i}" for i in range(5))])
    corpus = load(tmp_path)
    assert set(corpus.test["label"]) == {UNKNOWN}
    assert list(corpus.test.columns) == list(corpus.train.columns)


# -------------------------------------------------------------------------------------------------------------- splits


@pytest.mark.parametrize("valid", ["valid", "validation", "dev", "val", "Valid"])
def test_siblings_of_train_are_its_splits(tmp_path: Path, valid: str) -> None:
    write(tmp_path / "train.txt", [*LINES, "both .", "test too ."])
    write(tmp_path / f"{valid}.txt", ["a .", "both .", "c .", "c ."])
    write(tmp_path / "test.txt", ["test too .", "", "d ."])
    write(tmp_path / "test.csv", ["text", "not this one"])
    corpus = load(tmp_path / "train.txt")
    assert corpus.train["text"].tolist() == LINES
    assert corpus.valid["text"].tolist() == ["a .", "both .", "c ."]
    assert corpus.test["text"].tolist() == ["test too .", "d ."]
    assert corpus.note == f"Read from train.txt, {valid}.txt, test.txt. Dropped 1 empty line and 3 duplicates."


def test_a_folder_may_mix_kinds_and_lack_splits(tmp_path: Path) -> None:
    write(tmp_path / "train.txt")
    write(tmp_path / "test.csv", ["text", "a test ."])
    write(tmp_path / "notes.md", ["ignored"])
    corpus = load(tmp_path)
    assert corpus.test["text"].tolist() == ["a test ."]
    assert len(corpus.train) + len(corpus.valid) == len(LINES)
    assert len(corpus.valid) >= 1
    assert corpus.note == "Read from train.txt, test.csv; valid cut off train by a hash of each sentence."


def test_valid_that_is_a_copy_of_test_is_cut_off_train(tmp_path: Path) -> None:
    write(tmp_path / "train.txt")
    for name in ("valid", "test"):
        write(tmp_path / f"{name}.txt", ["x", "y"])
    corpus = load(tmp_path)
    assert corpus.test["text"].tolist() == ["x", "y"]
    assert len(corpus.valid) >= 1
    assert len(corpus.train) + len(corpus.valid) == len(LINES)


def test_ten_sentences_are_enough(tmp_path: Path) -> None:
    corpus = load(write(tmp_path / "x.txt", LINES[:10]))
    assert [len(corpus.train), len(corpus.valid), len(corpus.test)] == [6, 2, 2]


def test_a_sample_is_seeded_and_keeps_the_order(tmp_path: Path) -> None:
    path = write(tmp_path / "x.txt", [f"{i:04d}" for i in range(2_000)])
    whole, cut = load(path), load(path, train_sentences=100, valid_sentences=7, test_sentences=5_000)
    assert (len(cut.train), len(cut.valid), len(cut.test)) == (100, 7, len(whole.test))
    assert cut.train["text"].is_monotonic_increasing
    assert set(cut.train["text"]) < set(whole.train["text"])
    assert f"train is 100 of {len(whole.train):,} sentences" in cut.note.lower()
    assert "of the 5,000 sentences asked for" in cut.note
    assert load(path, train_sentences=100).train.equals(cut.train)
    assert not load(path, train_sentences=100, seed=1).train.equals(cut.train)


def test_a_hundred_thousand_lines_take_a_moment(tmp_path: Path) -> None:
    import time

    path = write(tmp_path / "x.txt", [f"line {i % 90_000} of many" for i in range(100_000)])
    start = time.process_time()
    assert "10,000 duplicates" in load(path).note
    assert time.process_time() - start < 10


# ------------------------------------------------------------------------------------------------------- save and open


def test_a_saved_corpus_is_read_back(tmp_path: Path) -> None:
    rows = [f"caf\u00e9 {i},{'' if i % 3 else 'x'}" for i in range(30)]
    corpus = load(write(tmp_path / "x.csv", ["text,label", *rows]))
    corpus.save(tmp_path / "a=1" / "b")
    again = Corpus.open(tmp_path / "a=1" / "b")
    assert (again.name, again.note, again.labels) == (corpus.name, corpus.note, ["label"])
    for name in ("train", "valid", "test"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(corpus, name))
    corpus.save(tmp_path / "a=1" / "b")  # over the old one
    files = {path.name for path in (tmp_path / "a=1" / "b").iterdir()}
    assert files == {"train.parquet", "valid.parquet", "test.parquet", "corpus.json"}


@pytest.mark.parametrize("name", ["train.parquet", "corpus.json"])
def test_a_broken_saved_corpus_is_one_sentence(tmp_path: Path, name: str) -> None:
    load(write(tmp_path / "x.txt")).save(tmp_path / "saved")
    path = tmp_path / "saved" / name
    path.write_bytes(path.read_bytes()[:9])
    with pytest.raises(ValueError, match=r"saved is damaged .*: load and save it again"):
        Corpus.open(tmp_path / "saved")
    path.unlink()
    with pytest.raises(ValueError, match=f"No corpus in .*saved: {name} is missing"):
        Corpus.open(tmp_path / "saved")


# -------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("spec", ["", "caption", "captions:x", "file:", "hub:", "http://x", "FILE:x"])
def test_an_unknown_spec_lists_what_there_is(spec: str) -> None:
    with pytest.raises(ValueError, match="captions, file:PATH or hub:NAME"):
        corpora.load(spec)


def bad(tmp_path: Path, name: str, content: bytes | str, message: str, **options: object) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere.txt does not exist"):
        load(tmp_path / "nowhere.txt")


def test_a_folder_without_train(tmp_path: Path) -> None:
    write(tmp_path / "test.txt")
    with pytest.raises(ValueError, match=r"no file called train"):
        load(tmp_path)


def test_two_files_for_one_split(tmp_path: Path) -> None:
    write(tmp_path / "train.txt")
    write(tmp_path / "train.csv", ["text", *LINES])
    with pytest.raises(ValueError, match=r"has train.csv and train.txt: keep one"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["x.docx", "x", "x.json"])
def test_an_unknown_ending(tmp_path: Path, name: str) -> None:
    bad(tmp_path, name, "text", r"known endings are \.txt \.csv \.tsv \.jsonl \.parquet")


@pytest.mark.parametrize("name", ["x.txt", "x.csv", "x.tsv", "x.jsonl"])
@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf", b"\0\0"])
def test_an_empty_file(tmp_path: Path, name: str, content: bytes) -> None:
    bad(tmp_path, name, content, "is empty")


def test_only_a_header(tmp_path: Path) -> None:
    bad(tmp_path, "x.csv", "text,label\n", "is empty")
    bad(tmp_path, "x.tsv", "text\tlabel\n", "is empty")


@pytest.mark.parametrize("lines", [["one ."], LINES[:9], ["same ."] * 100])
def test_too_few_distinct_sentences(tmp_path: Path, lines: list[str]) -> None:
    bad(tmp_path, "x.txt", "\n".join(lines), r"has \d distinct sentences?: at least 10 are needed")


def test_wrong_encoding(tmp_path: Path) -> None:
    content = "fine\nfine\ncaf\u00e9\n".encode("latin-1")
    bad(tmp_path, "x.txt", content, r"is not UTF-8: byte 0xe9 on line 3 .* save it as UTF-8")
    bad(tmp_path, "x.csv", b"\xef\xbb\xbftext\n" + content, r"is not UTF-8: byte 0xe9 on line 4")
    bad(tmp_path, "x.jsonl", "abc".encode("utf-16") + b"x", "is not UTF-16")


def test_no_text_column(tmp_path: Path) -> None:
    bad(tmp_path, "x.csv", "body,label\na,b\n", r"no column `text` \(columns: body, label\).*text_column")
    bad(tmp_path, "x.tsv", "text\tlabel\na\tb\n", r"no column `body`", text_column="body")


def test_label_columns_that_cannot_be(tmp_path: Path) -> None:
    content = "text,label,body\n" + "\n".join(f"{i},b,c" for i in range(20))
    bad(tmp_path, "x.csv", content, r"no column `stars` \(columns: text, label, body\)", label_columns=["stars"])
    bad(tmp_path, "x.csv", content, "cannot be a label", label_columns=["text"])
    bad(tmp_path, "x.csv", content, "cannot be a label", label_columns=["text"], text_column="body")


def test_ragged_csv(tmp_path: Path) -> None:
    bad(tmp_path, "x.csv", "text,label\na,b\nhello, world,c\n", r"cannot be read .*line 3.*quote text")
    bad(tmp_path, "x.csv", "text\nhello, world\nhi, there\n", "quote text")
    bad(tmp_path, "x.csv", 'text\n"never closed\n', "cannot be read")


def test_broken_json(tmp_path: Path) -> None:
    bad(tmp_path, "x.jsonl", '{"text": "a"}\n\n{"text": \n', "line 3: this is not JSON")
    bad(tmp_path, "x.jsonl", '{"text": "a"}\n["b"]\n', "line 2: one object a line")
    bad(tmp_path, "x.jsonl", "[" * 200_000, "line 1: this is not JSON")


def test_unreadable_parquet(tmp_path: Path) -> None:
    bad(tmp_path, "x.parquet", b"PAR1 nothing of the kind", "is not a readable parquet file")
    bad(tmp_path, "x.parquet", b"", "is not a readable parquet file")


@pytest.mark.parametrize("value", [12, 1.5, True, {"a": 1}, ["a", 1]])
def test_text_that_is_no_text(tmp_path: Path, value: object) -> None:
    lines = [json.dumps({"text": "fine"}), json.dumps({"text": value})]
    bad(tmp_path, "x.jsonl", "\n".join(lines), r"row 2: `text` is .*, not text")


def test_numbers_in_parquet(tmp_path: Path) -> None:
    pd.DataFrame({"text": range(20)}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"x.parquet, row 1: `text` is 0, not text"):
        load(tmp_path / "x.parquet")


def test_nothing_left_to_train_on(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        write(tmp_path / f"{name}.txt")
    with pytest.raises(ValueError, match="no sentence left to train on"):
        load(tmp_path)


@pytest.mark.parametrize("size", [0, -1])
def test_sizes_are_positive(tmp_path: Path, size: int) -> None:
    with pytest.raises(ValueError, match=f"train_sentences is {size}"):
        load(write(tmp_path / "x.txt"), train_sentences=size)


@given(st.binary(max_size=300), st.sampled_from([".txt", ".csv", ".tsv", ".jsonl", ".parquet"]))
def test_any_bytes_are_a_corpus_or_one_clear_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    try:
        assert load(path).train["text"].is_unique
    except ValueError as error:
        assert path.name in str(error)  # noqa: PT017
