"""The commands traverse, arithmetic and neighbours, against the same in Python."""

import numpy as np
import pytest
import torch

import vae as package
from vae import cli, explore, traversals
from vae.latents import kl_per_dim, nearest, read_latents

RUN = "captions-two-phase"
TEXT = "a man is waiting for a bus ."
A, B = "two dogs are running .", "a dog is running ."


@pytest.fixture
def space(healthy):
    return package.load(healthy.path)


def mean(space, text):
    return space.encode([text]).mean[0]


@pytest.mark.parametrize("command", ["plane", "traverse", "arithmetic", "neighbours"])
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    assert f"usage: python -m vae {command}" in capsys.readouterr().out


# --- traverse ------------------------------------------------------------------------------------------------------


def test_a_code_is_changed_and_read(vae, space):
    starts = {
        ("--text", f" {TEXT} "): mean(space, TEXT),
        ("--seed", "7"): space.sample_prior(1, 7)[0],
        (): space.sample_prior(1, 0)[0],
        ("--zero",): torch.zeros(space.latent_size),
    }
    for words, start in starts.items():
        z = start.clone()
        z[3], z[7] = 1.25, -0.5
        said = vae("traverse", RUN, *words, "--set", "3=1.25", "--set", "7=-0.5", "--json").document
        assert said["text"] == space.decode(z[None])[0]
        assert np.array_equal(np.array(said["z"], np.float32), z.numpy())
        assert said["shell"] == pytest.approx(float(explore.shell(z)), abs=1e-3)
        lines = vae("traverse", RUN, *words, "--set", "3=1.25", "--set", "7=-0.5").out.splitlines()
        assert lines[0] == said["text"]
        assert lines[1].endswith(said["nearest"])


def test_a_strip_has_even_stops_the_present_value_and_the_first(vae, space, healthy):
    known = read_latents(healthy)
    base = mean(space, TEXT)
    z = base.clone()
    z[3] = 1.3
    far = traversals.reach(known.means, known.logvars)[3]
    words = ("traverse", RUN, "--text", TEXT, "--set", "3=1.3", "--dimension", "3")
    said = vae(*words, "--json").document
    values = [row["value"] for row in said["strip"]]
    assert values == traversals.stops(far, traversals.short(1.3), traversals.short(float(base[3])))
    assert len(values) == 13
    assert [row["text"] for row in said["strip"]] == space.decode(explore.traverse(z, 3, values))
    lines = vae(*words).out.split("\n")[:-1]
    (present,) = (line for line in lines if line.startswith(">"))
    assert present.startswith(">  +1.30  ")
    shorter = vae(*words, "--steps", "3", "--reach", "4", "--json").document["strip"]
    assert [row["value"] for row in shorter if row["value"] in (-4, 0, 4)] == [-4, 0, 4]
    assert len(shorter) == 5


def test_all_strips_come_by_their_kl_with_their_ends(vae, space, healthy):
    kl = next(event["kl_per_dim_nats"] for event in reversed(healthy.metrics()) if "kl_per_dim_nats" in event)
    said = vae("traverse", RUN, "--seed", "3", "--reach", "2", "--json").document
    z = space.sample_prior(1, 3)[0]
    assert said["text"] == space.decode(z[None])[0]
    assert [row["dimension"] for row in said["dimensions"]] == sorted(range(32), key=lambda index: -kl[index])
    for row in said["dimensions"][:4]:
        assert row["kl_nats"] == kl[row["dimension"]]
        assert [end["text"] for end in row["ends"]] == space.decode(explore.traverse(z, row["dimension"], [-2, 2]))
        assert [end["value"] for end in row["ends"]] == [-2, 2]
    lines = vae("traverse", RUN, "--seed", "3", "--reach", "2").out.splitlines()
    first = said["dimensions"][0]
    assert lines[:2] == [said["text"], f"z{first['dimension']:<7}  -2.00  {first['ends'][0]['text']}"]
    assert lines[2].startswith(f"KL {first['kl_nats']:.2f}")


def test_weights_of_the_past_have_a_kl_of_their_own(vae, healthy):
    step = min(healthy.snapshots())
    q = package.load(healthy.path, step).encode(read_latents(healthy).frame["text"].tolist())
    kl = kl_per_dim(q.mean.numpy(), q.logvar.numpy()).mean(0)
    said = vae("traverse", RUN, "--snapshot", str(step), "--json").document["dimensions"]
    assert [row["dimension"] for row in said] == np.argsort(-kl, kind="stable").tolist()
    assert said[0]["kl_nats"] == pytest.approx(kl.max(), rel=1e-4)


# --- arithmetic ----------------------------------------------------------------------------------------------------


def test_a_minus_b_plus_c(vae, space):
    a, b, c = (mean(space, text) for text in (A, B, TEXT))
    words = ("arithmetic", RUN, "--a", A, "--b", B, "--c", f" {TEXT} ")
    along = [0.0, 1.0, -0.5]
    codes = torch.stack([explore.analogy(c, plus=a, minus=b, strength=strength) for strength in along])
    said = vae(*words, "--strength", "0", "--strength", "1", "--strength", "-0.5", "--json").document["sentences"]
    assert [(row["strength"], row["text"]) for row in said] == list(zip(along, space.decode(codes), strict=True))
    assert vae(*words).out == f"+1.00  {space.decode(codes[1:2])[0]}\n"


def test_strengths_may_be_many_at_once(vae, healthy):
    words = ("arithmetic", RUN, "--a", A, "--b", B, "--c", TEXT)
    said = vae(*words, "--strength=-1:1:0.5", "--strength", "2", "--json").document["sentences"]
    assert [row["strength"] for row in said] == [-1, -0.5, 0, 0.5, 1, 2]
    for strength in ("1:2", "2:1:0.5", "0:1:0", "0:100:0.01", "0:1:x", "1:2:3:4"):
        assert "--strength" in vae(*words, f"--strength={strength}").complaint


def test_a_direction_comes_from_files_texts_or_a_label(vae, space, healthy, tmp_path):
    less, more = ["a dog is sleeping .", "a man is walking ."], ["two dogs are sleeping ."]
    (tmp_path / "less.txt").write_text("\n".join(less) + "\n\n", encoding="utf-8")
    (tmp_path / "more.csv").write_text(f"text,x\n{more[0]},1\n", encoding="utf-8")
    moved = mean(space, TEXT) + explore.direction(space.encode(less).mean, space.encode(more).mean)
    expected = space.decode(moved[None])
    for words in (
        ("--from", "less.txt", "--to", "more.csv"),
        ("--from-text", less[0], "--from-text", less[1], "--to", "more.csv"),
        ("--from", "less.txt", "--to-text", more[0]),
    ):
        said = vae("arithmetic", RUN, *words, "--add-to", TEXT, "--json").document
        assert [row["text"] for row in said["sentences"]] == expected
        assert said["sizes"] == [2, 1]
    known = read_latents(healthy)
    groups = [known.means[(known.frame["weather"].fillna("none").replace("", "none") == value).to_numpy(bool)]
              for value in ("none", "rain")]  # fmt: skip
    towards = explore.direction(*map(torch.tensor, groups))
    words = ("--from-label", "weather=none", "--to-label", "weather=rain", "--add-to", TEXT)
    said = vae("arithmetic", RUN, *words, "--strength", "2", "--json").document
    assert said["sentences"][0]["text"] == space.decode((mean(space, TEXT) + 2 * towards)[None])[0]
    assert said["sizes"] == [len(group) for group in groups]
    assert said["length"] == pytest.approx(float(towards.norm()), rel=1e-4)


# --- neighbours ----------------------------------------------------------------------------------------------------


def test_neighbours_are_the_nearest_there_are(vae, space, healthy):
    known = read_latents(healthy)
    for words, z in {("--text", TEXT): mean(space, TEXT), ("--seed", "4"): space.sample_prior(1, 4)[0],
                     ("--zero",): torch.zeros(32)}.items():  # fmt: skip
        rows, distances = nearest(known.means, z[None].numpy(), 4)
        said = vae("neighbours", RUN, *words, "-k", "4", "--json").document["neighbours"]
        assert [row["row"] for row in said] == rows[0].tolist()
        assert [row["text"] for row in said] == known.frame["text"][rows[0]].tolist()
        assert [row["distance"] for row in said] == pytest.approx(distances[0].tolist(), abs=1e-3)
        lines = vae("neighbours", RUN, *words, "-k", "4").out.splitlines()
        assert lines == [f"{row['distance']:6.2f}  {row['text']}" for row in said]


def test_there_are_no_more_neighbours_than_sentences(vae, healthy):
    assert len(vae("neighbours", RUN, "-k", "99999", "--json").document["neighbours"]) == 2000


# --- refusals ------------------------------------------------------------------------------------------------------

REFUSED = [
    (("traverse", RUN, "--set", "3:1"), "'3:1' is no dimension with a value from -100 to 100, as in 3=1.25"),
    (("traverse", RUN, "--set", "3=101"), "'3=101' is no dimension"),
    (("traverse", RUN, "--set", "3=nan"), "'3=nan' is no dimension"),
    (("traverse", RUN, "--set", "32=1"), "There is no dimension 32 in a code of 32"),
    (("traverse", RUN, "--dimension", "32"), "There is no dimension 32 in a code of 32"),
    (("traverse", RUN, "--steps", "3"), "--steps has no effect without --dimension"),
    (("traverse", RUN, "--reach", "3", "--set", "1=1"), "--reach has no effect on one sentence"),
    (("traverse", RUN, "--text", "a", "--zero"), "not allowed with"),
    (("traverse", RUN, "--text", " "), "no sentence to encode"),
    (("arithmetic", RUN), "Give three sentences, --a --b --c; or two groups"),
    (("arithmetic", RUN, "--a", "x", "--b", "y"), "Give three sentences"),
    (("arithmetic", RUN, "--a", "x", "--b", "y", "--c", "z", "--add-to", "u"), "Give three sentences"),
    (("arithmetic", RUN, "--from-text", "x", "--add-to", "y"), "Give three sentences"),
    (("arithmetic", RUN, "--from-text", "x", "--from", "y"), "not allowed with"),
    (("arithmetic", RUN, "--a", " ", "--b", "y", "--c", "z"), "no sentence to encode"),
    (("arithmetic", RUN, "--from", "no.txt", "--to-text", "x", "--add-to", "y"), "no.txt is not a file"),
    (("arithmetic", RUN, "--from-text", " ", "--to-text", "x", "--add-to", "y"), "A group of examples is empty"),
    (("arithmetic", RUN, "--from-label", "x=1", "--to-text", "x", "--add-to", "y"), "There is no label 'x'"),
    (("arithmetic", RUN, "--from-label", "weather=hail", "--to-text", "x", "--add-to", "y"), "there are none, "),
    (("arithmetic", RUN, "--from-label", "weather", "--to-text", "x", "--add-to", "y"), "not of the form LABEL=VALUE"),
    (("neighbours", RUN, "-k", "0"), "'0' is not a whole number from 1"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "complaint"), REFUSED, ids=[" ".join(words)[:60] for words, _ in REFUSED])
def test_what_cannot_be_is_one_line(vae, healthy, words, complaint):
    assert complaint in vae(*words).complaint


def test_a_model_without_sentences_has_no_neighbours(vae, healthy):
    assert "no encoded sentences" in vae("neighbours", str(healthy.model_path)).complaint
