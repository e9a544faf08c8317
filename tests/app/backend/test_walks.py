import contextlib
import io
import shlex
import shutil

import numpy as np
import pytest

from app import backend
from app.backend import Decoding, End

WAYS = {"steps": 5, "method": "slerp", "extend": 0.25}
TYPED = End(kind="sentence", text="an old dog waits for 'it' .")
ENDS = {
    "prior": End(seed=3),
    "typed": TYPED,
    "typed, drawn": End(kind="sentence", text="the boy is riding a bus .", drawn=True, seed=4),
    "map": End(kind="map", row=7),
    "map, drawn": End(kind="map", row=7, drawn=True, seed=5),
}


def test_a_path_goes_from_end_to_end_in_even_steps(model):
    walk = backend.walk(model, ENDS["prior"], ENDS["map"], steps=9, extend=0.5)
    assert walk.places == pytest.approx(np.linspace(-0.5, 1.5, 9))
    assert walk.codes.shape == (9, 5)
    assert len(walk.texts) == len(walk.shells) == len(walk.nearest) == 9
    assert np.allclose(walk.codes[2], backend.prior(model, 2, 3)[0], atol=1e-6)
    assert np.allclose(walk.codes[6], backend.codes(model).means[7], atol=1e-6)


def test_the_nearest_sentence_of_a_code_of_the_map_is_its_own(model, sentences):
    walk = backend.walk(model, ENDS["map"], ENDS["prior"], steps=3)
    assert walk.nearest[0] == (sentences[7], pytest.approx(0, abs=1e-5))


def test_two_ends_from_one_seed_are_two_codes(model):
    a, b = backend.end_code(model, End(seed=1), 0), backend.end_code(model, End(seed=1), 1)
    assert not np.allclose(a, b)


def test_a_sample_of_a_posterior_follows_its_seed_and_is_not_its_mean(model):
    drawn = [backend.end_code(model, End(kind="map", row=2, drawn=True, seed=seed), 0) for seed in (1, 1, 2)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], backend.codes(model).means[2])


@pytest.mark.parametrize("how", [Decoding(), Decoding(method="sample", temperature=0.8, top_p=0.9, seed=6),
                                 Decoding(method="beam", beams=2)], ids=lambda how: how.method)  # fmt: skip
@pytest.mark.parametrize("b", ENDS, ids=str)
def test_the_python_to_be_copied_reads_the_same(model, b, how):
    ways = WAYS | {"how": how}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(backend.walk_python(model, ENDS["prior"], ENDS[b], **ways), {})
    assert said.getvalue() == "\n".join([*backend.walk(model, ENDS["prior"], ENDS[b], **ways).texts, ""])


@pytest.mark.parametrize(("a", "b"), [("prior", "prior"), ("typed", "map")])
def test_the_command_to_be_copied_reads_the_same(model, a, b):
    from vae import cli

    ways = WAYS | {"how": Decoding()}
    command = backend.walk_command(model, ENDS[a], ENDS[b], **ways)
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "vae"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert cli.main(words[3:]) == 0
    walk = backend.walk(model, ENDS[a], ENDS[b], **ways)
    lines = [f"{t:6.2f}  {text}" for t, text in zip(walk.places, walk.texts, strict=True)]
    assert said.getvalue() == "\n".join([*lines, ""])


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        (End(seed=1), End(seed=2), Decoding()),
        (End(seed=1), TYPED, Decoding()),
        (ENDS["typed, drawn"], TYPED, Decoding()),
        (TYPED, TYPED, Decoding(method="beam")),
    ],
    ids=["two seeds", "mixed", "drawn", "beam"],
)
def test_what_the_command_line_cannot_say_has_no_command(model, a, b, how):
    assert backend.walk_command(model, a, b, **WAYS, how=how) is None


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (End(kind="sentence", text=" \n"), "End B is an empty sentence"),
        (End(kind="map", row=120), "There is no sentence 120 on the map of explored: choose one from 0 to 119"),
        (End(kind="map", row=-1), "no sentence -1"),
    ],
)
def test_an_end_that_is_none_is_named(model, end, words):
    with pytest.raises(ValueError, match=words):
        backend.walk(model, End(), end)


def test_a_path_is_decoded_once(model, monkeypatch):
    from vae.space import Space

    calls = []
    decode = Space.decode
    monkeypatch.setattr(Space, "decode", lambda self, z, **how: calls.append(len(z)) or decode(self, z, **how))
    for _ in range(2):
        backend.walk(model, End(seed=77), End(seed=78), steps=6)
    assert calls == [6]


def test_a_model_folder_decodes_but_has_no_map(explored, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(explored.model_path, folder)
    model = backend.model("~model", str(folder))
    assert len(backend.walk(model, End(), End(), steps=4).texts) == 4
    assert backend.walk(model, End(), End(), steps=4).nearest == []
    assert not backend.has_codes(model)
    with pytest.raises(ValueError, match="without sentences of its own"):
        backend.codes(model)
