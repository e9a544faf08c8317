"""How sample and interpolate turn codes into words, and encode words into codes."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vae as package
from vae import runs
from vae.runs import Run

Say = Callable[..., Any]

RUN = "captions-two-phase"
A, B = "a man is waiting for a bus .", "two dogs are sleeping on a rug ."
TYPED = (
    "interpolate",
    RUN,
    "--from",
    f" {A} ",
    "--to",
    "two dogs are sleeping on a rug .",
    "--steps",
    "3",
)
SAMPLED = ("--decode", "sample", "--temperature", "0.8", "--top-p", "0.9")


def test_a_path_is_read_in_every_way_that_python_has(vae, healthy):
    space = package.load(healthy.path)
    path = space.interpolate(*space.encode([A, B]).mean, steps=3)
    how = {"method": "sample", "temperature": 0.8, "top_p": 0.9}
    said = vae(*TYPED, *SAMPLED, "--seed", "4", "--json").document["path"]
    assert said == [
        {"t": t, "text": text} for t, text in zip((0, 0.5, 1), space.decode(path, **how, seed=4), strict=True)
    ]
    said = vae(*TYPED, "--decode", "beam", "--beams", "2", "--json").document["path"]
    assert [row["text"] for row in said] == space.decode(path, method="beam", beams=2)
    said = vae(*TYPED, "--decode", "beam", "--json").document["path"]
    assert [row["text"] for row in said] == space.decode(path, method="beam")
    assert space.decode(path, method="beam") != space.decode(path)


def test_several_draws_stand_beside_each_other(vae, healthy):
    space = package.load(healthy.path)
    path = space.interpolate(*space.sample_prior(2, 9), steps=3)
    texts = space.decode(path.repeat_interleave(2, 0), method="sample", seed=5)
    words = (
        "interpolate",
        RUN,
        "--prior",
        "--seed",
        "9",
        "--steps",
        "3",
        "--decode",
        "sample",
        "--draws",
        "2",
    )
    said = vae(*words, "--words-seed", "5", "--json").document["path"]
    assert [row["texts"] for row in said] == [texts[:2], texts[2:4], texts[4:]]
    assert [row["text"] for row in said] == texts[::2]
    lines = vae(*words, "--words-seed", "5").out.split("\n")
    assert [line[:8] for line in lines[:-1]] == ["  0.00  "] * 2 + ["  0.50  "] * 2 + ["  1.00  "] * 2
    assert [line[8:] for line in lines[:-1]] == texts
    assert [row["texts"] for row in vae(*words, "--json").document["path"]] != [texts[:2], texts[2:4], texts[4:]]


def test_draws_from_the_prior_are_read_in_every_way_too(vae, healthy):
    space = package.load(healthy.path)
    z = space.sample_prior(3, 2)
    words = ("sample", RUN, "-n", "3", "--seed", "2")
    said = vae(*words, *SAMPLED, "--draws", "3", "--json").document
    texts = space.decode(z.repeat_interleave(3, 0), method="sample", temperature=0.8, top_p=0.9, seed=2)
    assert said == {"seed": 2, "sentences": texts[::3], "draws": [texts[:3], texts[3:6], texts[6:]]}
    assert vae(*words, *SAMPLED, "--draws", "3").out == "\n".join([*texts, ""])
    assert vae(*words, "--decode", "beam", "--json").document["sentences"] == space.decode(z, method="beam")


REFUSED = [
    (("--temperature", "0.5"), "--temperature has no effect on --decode greedy: leave it out, or decode by sample"),
    (("--top-p", "0.5", "--decode", "beam"), "--top-p has no effect on --decode beam"),
    (("--draws", "2"), "--draws has no effect on --decode greedy"),
    (("--words-seed", "2"), "--words-seed has no effect"),
    (("--beams", "4", "--decode", "sample"), "--beams has no effect on --decode sample.*decode by beam"),
    (("--decode", "sample", "--temperature", "0.01"), "'0.01' is not a number from 0.05 to 5"),
    (("--decode", "sample", "--temperature", "nan"), "'nan' is not a number"),
    (("--decode", "sample", "--top-p", "1.1"), "'1.1' is not a number from 0.05 to 1"),
    (("--decode", "sample", "--draws", "6"), "'6' is not a whole number from 1 to 5"),
    (("--decode", "beam", "--beams", "1"), "'1' is not a whole number from 2 to 16"),
    (("--decode", "best"), "invalid choice: 'best'"),
]


@pytest.mark.parametrize("command", [("sample",), ("interpolate", "--prior")], ids=lambda words: words[0])
@pytest.mark.parametrize(("words", "complaint"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_a_setting_without_effect_is_one_line(vae, command, words, complaint):
    assert re.search(complaint, vae(command[0], "nothing", *command[1:], *words).complaint)


def test_a_snapshot_samples_and_interpolates_with_its_own_weights(vae: Say, trained: Run) -> None:
    first = min(trained.snapshots())
    space = package.load(trained.path, first)
    words = ("--snapshot", str(first), "--seed", "9", "--json")
    assert vae("sample", "trained", "-n", "3", *words).document["sentences"] == space.decode(space.sample_prior(3, 9))
    path = space.interpolate(*space.sample_prior(2, 9), steps=3)
    said = vae("interpolate", "trained", "--prior", "--steps", "3", *words).document["path"]
    assert [row["text"] for row in said] == space.decode(path)
    assert space.decode(path) != package.load(trained.path).decode(path)
    assert "has no snapshot of step 999" in vae("sample", "trained", "--snapshot", "999").err


def test_encoding_keeps_every_line_in_order(vae: Say, trained: Run, tmp_path: Path) -> None:
    import pandas as pd

    texts = ["a man is riding a bus .", "", "a man is riding a bus .", "ünïcode 🙂 שלום", "x" * 10_000]
    Path("lines.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    said = vae("encode", "trained", "--file", "lines.txt", "--out", "lines.parquet", "--json")
    assert said.document == {"out": "lines.parquet", "sentences": 5, "latent_size": 6}
    frame = pd.read_parquet("lines.parquet")
    assert frame["text"].tolist() == texts
    mean = package.load(trained.path).encode(texts).mean.numpy()
    assert frame[[f"mu_{i}" for i in range(6)]].to_numpy() == pytest.approx(mean)

    Path("rows.jsonl").write_text(
        '{"text": "a", "kind": 1}\n{"text": null, "kind": 2}\n{"kind": 3}\n', encoding="utf-8"
    )
    assert vae("encode", "trained", "--file", "rows.jsonl", "--out", "rows.parquet").out.startswith("3 sentences")
    frame = pd.read_parquet("rows.parquet")
    assert (frame["text"].tolist(), frame["kind"].tolist()) == (["a", "", ""], [1, 2, 3])

    assert vae("encode", "trained", "--file", "rows.jsonl", "--out", "rows.zip").status == 0
    with zipfile.ZipFile("rows.zip") as archive:
        assert archive.read("metadata.tsv").decode() == "text\tkind\na\t1\n\t2\n\t3\n"
        values = [line.split("\t") for line in archive.read("tensors.tsv").decode().splitlines()]
    assert np.array(values, float) == pytest.approx(frame.filter(regex="^mu_").to_numpy(), rel=1e-4)

    Path("mixed.jsonl").write_text('{"text": "a", "kind": 1}\n{"text": "b", "kind": "two"}\n', encoding="utf-8")
    complaint = vae("encode", "trained", "--file", "mixed.jsonl", "--out", "mixed.parquet").complaint
    assert "The column 'kind' of mixed.jsonl mixes kinds" in complaint
    Path("other.csv").write_text("sentence,label\na,b\n", encoding="utf-8")
    assert "no column 'text'" in vae("encode", "trained", "--file", "other.csv", "--out", "other.parquet").err
    assert not Path("mixed.parquet").exists()


@pytest.mark.parametrize(("first", "second"), [("12345678901234567890", "-5"), ("{}", "{}")])
def test_values_that_no_column_holds_are_one_line(vae: Say, trained: Run, first: str, second: str) -> None:
    rows = f'{{"text": "a man .", "id": {first}}}\n{{"text": "b", "id": {second}}}\n'
    Path("rows.jsonl").write_text(rows, encoding="utf-8")
    complaint = vae("encode", "trained", "--file", "rows.jsonl", "--out", "rows.parquet").complaint
    assert "The column 'id' of rows.jsonl " in complaint
    assert "text" in complaint
    assert not Path("rows.parquet").exists()


def test_encoding_a_table_whose_sentences_have_another_name(vae: Say, trained: Run) -> None:
    import pandas as pd

    config = trained.config.with_settings(["data.text_column=caption"])
    runs.write_json(trained.path / "config.json", config.to_dict())
    Path("table.csv").write_text("text,caption,label\nleft,a man .,x\n,a dog .,y\n", encoding="utf-8")
    assert vae("encode", "trained", "--file", "table.csv", "--out", "table.parquet").status == 0
    frame = pd.read_parquet("table.parquet")
    assert list(frame)[:2] == ["text", "label"]
    assert (frame["text"].tolist(), frame["label"].tolist()) == (["a man .", "a dog ."], ["x", "y"])
