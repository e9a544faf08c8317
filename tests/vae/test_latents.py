"""The codes of a corpus, written, read back and searched."""

import io
import json
import tracemalloc
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vae.config import Config, Phase
from vae.latents import encode_frame, in_common, kl_per_dim, nearest, projector, read_latents, write_latents
from vae.posterior import DiagonalGaussian
from vae.runs import Run


class LengthSpace:
    """Encodes a text by its length, so that a code can be told from its text."""

    def encode(self, texts: Sequence[str], *, batch_size: int = 256) -> DiagonalGaussian:
        lengths = torch.tensor([float(len(text)) for text in texts])[:, None]
        return DiagonalGaussian(lengths * torch.tensor([1.0, 0.1, -1.0]), -lengths.expand(-1, 3))


FRAME = pd.DataFrame({"text": ["bb", "", "dddd ظ 🙂"], "colour": ["red", "blue", "none"]}, index=[7, 7, 9])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", Config(phase2=Phase(epochs=1)))


def test_codes_stand_beside_their_sentences_and_labels() -> None:
    table = encode_frame(LengthSpace(), FRAME)
    assert list(table) == ["text", "colour", "mu_0", "mu_1", "mu_2", "logvar_0", "logvar_1", "logvar_2"]
    assert table["mu_0"].tolist() == [2, 0, 8]
    assert table["logvar_2"].tolist() == [-2, 0, -8]
    assert table["colour"].tolist() == ["red", "blue", "none"]
    assert table["mu_0"].dtype == np.float32


def test_codes_of_an_earlier_encoding_are_replaced() -> None:
    codes = {f"{name}_{d}": 5.0 for d in range(4) for name in ("logvar", "mu")}
    table = encode_frame(LengthSpace(), FRAME.assign(mu_note="kept", **codes))
    assert table["mu_0"].tolist() == [2, 0, 8]
    assert list(table) == ["text", "colour", "mu_note", "mu_0", "mu_1", "mu_2", "logvar_0", "logvar_1", "logvar_2"]
    assert table["mu_note"].tolist() == ["kept"] * 3
    assert encode_frame(LengthSpace(), table).equals(table)


@pytest.mark.parametrize(
    "labels",
    [
        {"mu_0": ["a", "b", "c"]},
        {"logvar_0": ["a", "b", "c"]},
        {"mu_17": [1.0, 2.0, 3.0]},
        {"mu_0": ["a", "b", "c"], "logvar_0": ["d", "e", "f"]},
        {"mu_0": [1.0, 2.0, 3.0], "mu_0_label": ["a", "b", "c"]},
    ],
)
def test_a_label_that_is_named_like_a_code_stays_under_another_name(
    run: Run, labels: dict[str, list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    write_latents(run, LengthSpace(), FRAME.assign(**labels))
    found = read_latents(run)
    assert found.means[:, 0].tolist() == [2, 0, 8]
    kept = found.frame.drop(columns=["text", "colour"])
    assert sorted(map(str, kept.to_dict("list").values())) == sorted(map(str, labels.values()))
    for name in (name for name in labels if name != "mu_0_label"):
        assert f"The label {name!r} has the name of a code: it is kept as '{name}_label" in caplog.text
    before = len(caplog.records)
    write_latents(run, LengthSpace(), found.frame)
    assert list(read_latents(run).frame) == list(found.frame)
    assert len(caplog.records) == before


def test_bad_tables_are_one_sentence() -> None:
    with pytest.raises(ValueError, match="columns are colour"):
        encode_frame(LengthSpace(), FRAME[["colour"]])
    with pytest.raises(ValueError, match="empty"):
        encode_frame(LengthSpace(), FRAME[:0])


def test_what_is_written_is_read(run: Run) -> None:
    write_latents(run, LengthSpace(), FRAME)
    found = read_latents(run)
    assert found.frame["text"].tolist() == FRAME["text"].tolist()
    assert list(found.frame) == ["text", "colour"]
    posterior = LengthSpace().encode(FRAME["text"].tolist())
    np.testing.assert_array_equal(found.means, posterior.mean)
    np.testing.assert_array_equal(found.logvars, posterior.logvar)
    assert found.means.dtype == np.float32


def test_dimensions_come_back_in_numerical_order(run: Run) -> None:
    wide = {f"{name}_{d}": [float(d)] for name in ("mu", "logvar") for d in reversed(range(12))}
    pd.DataFrame({"text": ["a"], **wide}).to_parquet(run.latents_path)
    assert read_latents(run).means.tolist() == [list(map(float, range(12)))]


def test_missing_and_damaged_codes_are_one_sentence(run: Run) -> None:
    with pytest.raises(ValueError, match="no codes yet"):
        read_latents(run)
    write_latents(run, LengthSpace(), FRAME)
    whole, table = run.latents_path.read_bytes(), pd.read_parquet(run.latents_path)
    for content in (b"", b"not a table", whole[: len(whole) // 2]):
        run.latents_path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged"):
            read_latents(run)
    for broken in (
        table.drop(columns="logvar_1"),
        table.drop(columns="text"),
        table[:0],
        table[["text"]],
        table.assign(mu_0=np.nan),
        table.assign(mu_0="a"),
    ):
        broken.to_parquet(run.latents_path)
        with pytest.raises(ValueError, match="damaged"):
            read_latents(run)


def test_codes_that_may_not_be_read_are_not_called_damaged(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    run.latents_path.touch()
    monkeypatch.setattr(pd, "read_parquet", refuse)
    with pytest.raises(ValueError, match=r"latents\.parquet cannot be read \(Permission denied\)"):
        read_latents(run)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 60), m=st.integers(1, 9), latent=st.integers(1, 5), seed=st.integers(0, 2**20), data=st.data())
def test_nearest_is_what_sorting_all_distances_gives(
    n: int, m: int, latent: int, seed: int, data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, n))
    rng = np.random.default_rng(seed)
    codes, z = rng.normal(size=(n, latent)).astype(np.float32), rng.normal(size=(m, latent)).astype(np.float32)
    indices, distances = nearest(codes, z, k, block=4)
    whole = np.sqrt(np.square(codes[None].astype(float) - z[:, None].astype(float)).sum(-1))
    np.testing.assert_array_equal(indices, np.argsort(whole, axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(distances, np.sort(whole, axis=1)[:, :k], atol=1e-12)


def test_a_code_is_nearest_to_itself_at_distance_zero_however_far_out() -> None:
    codes = 1000 + np.random.default_rng(0).normal(size=(300, 16))
    indices, distances = nearest(codes, codes, 1)
    assert indices[:, 0].tolist() == list(range(300))
    assert not distances.any()


def test_neighbours_are_looked_for_in_pieces_that_fit_a_cache() -> None:
    """All distances of 128 rows at once went through memory several times: three times as long at 100,000 codes."""
    codes = np.random.default_rng(0).normal(size=(30_000, 8))
    nearest(codes[:100], codes[:2], 1)
    tracemalloc.start()
    nearest(codes, codes[:256], 1)
    assert tracemalloc.get_traced_memory()[1] < 24e6
    tracemalloc.stop()


@pytest.mark.parametrize("k", [0, 4])
def test_neighbours_that_do_not_exist_are_an_error(k: int) -> None:
    with pytest.raises(ValueError, match=f"{k} neighbours"):
        nearest(np.zeros((3, 2), np.float32), np.zeros((1, 2), np.float32), k)


def test_the_kl_of_each_dimension_is_that_of_the_posterior() -> None:
    generator = torch.Generator().manual_seed(0)
    q = DiagonalGaussian(torch.randn(9, 4, generator=generator), torch.randn(9, 4, generator=generator))
    np.testing.assert_allclose(kl_per_dim(q.mean.numpy(), q.logvar.numpy()), q.kl_per_dim().numpy(), rtol=1e-5)


class TestWhatSentencesHaveInCommon:
    labels = pd.DataFrame({"animal": ["dog"] * 10 + ["cat"] * 90, "weather": ["sun", "rain"] * 50})

    def test_the_telling_value_comes_first(self) -> None:
        table = in_common(self.labels, [0, 1, 2, 3, 10, 11])
        first = table.iloc[0]
        assert (first["label"], first["value"]) == ("animal", "dog")
        assert first["share"] == pytest.approx(4 / 6)
        assert first["usual"] == pytest.approx(0.1)
        assert first["ratio"] == pytest.approx(4 / 6 / 0.1)
        assert first["surprise"] == pytest.approx((4 / 6 - 0.1) / (0.1 * 0.9 / 6) ** 0.5)
        assert table[table["label"] == "weather"]["surprise"].abs().max() == pytest.approx(0)

    def test_all_sentences_have_nothing_in_common(self) -> None:
        table = in_common(self.labels, range(100))
        assert (table["ratio"] == 1).all()
        assert (table["surprise"] == 0).all()

    def test_a_label_of_one_value_tells_nothing(self) -> None:
        table = in_common(self.labels.assign(kind="caption"), [0, 1])
        assert table[table["label"] == "kind"]["surprise"].tolist() == [0]

    def test_without_labels(self) -> None:
        assert in_common(pd.DataFrame(index=range(5)), [1, 2]).empty


class TestTheEmbeddingProjector:
    def test_codes_and_their_labels_as_it_reads_them(self) -> None:
        frame = pd.DataFrame({"text": ["a\tb\nc", "d"], "kind": ["x", ""]})
        with zipfile.ZipFile(io.BytesIO(projector(frame, np.array([[1.5, -2], [0.25, 1e-7]]), "mine"))) as archive:
            read = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
        assert read["tensors.tsv"] == "1.5\t-2\n0.25\t1e-07\n"
        assert read["metadata.tsv"] == "text\tkind\na b c\tx\nd\t\n"
        (embedding,) = json.loads(read["projector_config.json"])["embeddings"]
        assert embedding["tensorShape"] == [2, 2]
        assert {embedding["tensorPath"], embedding["metadataPath"]} < read.keys()

    def test_a_single_column_has_no_header(self) -> None:
        with zipfile.ZipFile(io.BytesIO(projector(pd.DataFrame({"text": ["a"]}), np.ones((1, 2)), "m"))) as archive:
            assert archive.read("metadata.tsv") == b"a\n"
