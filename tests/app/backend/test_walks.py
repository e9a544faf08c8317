import contextlib
import io
import shlex
import shutil
from dataclasses import replace

import numpy as np
import pytest

from app import backend
from app.backend import Decoding, End, Way

WAY = Way(steps=5, methods=("slerp",), extend=0.25)
SAMPLE = Decoding(method="sample", temperature=0.8, top_p=0.9, seed=6)
TYPED = End(kind="sentence", text="an old dog waits for 'it' .")
ENDS = {
    "prior": End(seed=3),
    "typed": TYPED,
    "typed, drawn": End(kind="sentence", text="the boy is riding a bus .", drawn=True, seed=4),
    "map": End(kind="map", row=7),
    "map, drawn": End(kind="map", row=7, drawn=True, seed=5),
}


def printed(routes, way):
    """The lines that the Python to be copied prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(backend.walk_python(routes, way), {})
    return said.getvalue().split("\n")[:-1]


def sentences_of(walks):
    """Everything that was read, in the order of the walks, a line each."""
    said = [text for walk in walks for draws in walk.draws or [[text] for text in walk.texts] for text in draws]
    return "\n".join(said).split("\n")


@pytest.fixture
def past(model, make_space):
    """A snapshot of the run `explored`, with other weights."""
    folder = model.run.path / "snapshots" / "step-7"
    make_space(seed=5).save_pretrained(folder)
    return backend.model("explored", snapshot=7)


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


def test_the_sentences_near_each_step_are_the_nearest_of_all(model):
    walk = backend.walk(model, ENDS["map"], ENDS["prior"], steps=4, extend=0.5)
    codes = backend.codes(model)
    for code, first, others in zip(walk.codes, walk.nearest, walk.further, strict=True):
        far = np.linalg.norm(codes.means.astype(float) - code, axis=1)
        order = np.argsort(far, kind="stable")[:5]
        assert [text for text, _ in (first, *others)] == [codes.texts[row] for row in order]
        assert [distance for _, distance in (first, *others)] == pytest.approx(far[order].tolist())


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
    pairs = [(ENDS["prior"], ENDS[b])]
    way = replace(WAY, how=how)
    assert printed([(model, pairs)], way) == sentences_of(backend.paths(model, pairs, way))


READINGS = {
    "greedy": {"methods": ("linear", "slerp")},
    "beam": {"methods": ("linear", "slerp"), "how": Decoding(method="beam", beams=3)},
    "sample": {"how": SAMPLE},
    "sample, three draws": {"how": replace(SAMPLE, seed=0), "draws": 3},
}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize(("a", "b"), [("prior", "prior"), ("prior", "other"), ("typed", "map")])
def test_the_command_to_be_copied_reads_the_same(model, a, b, reading):
    from vae import cli

    way = replace(WAY, **READINGS[reading])
    pairs = [(ENDS[a], ENDS.get(b, End(seed=9)))]
    said = io.StringIO()
    for command in backend.walk_command([(model, pairs)], way).split("\n"):
        words = shlex.split(command)
        assert words[:3] == ["python", "-m", "vae"]
        with contextlib.redirect_stdout(said):
            assert cli.main(words[3:]) == 0
    expected = [
        f"{t:6.2f}  {text}"
        for walk in backend.paths(model, pairs, way)
        for t, draws in zip(walk.places, walk.draws or [[text] for text in walk.texts], strict=True)
        for text in draws
    ]
    assert said.getvalue() == "\n".join(expected) + "\n"


@pytest.mark.parametrize(
    ("a", "b"),
    [(End(seed=1), TYPED), (ENDS["typed, drawn"], TYPED)],
    ids=["mixed", "drawn"],
)
def test_what_the_command_line_cannot_say_has_no_command(model, a, b):
    assert backend.walk_command([(model, [(a, b)])], WAY) is None


def test_paths_that_are_sampled_together_have_no_command(model):
    pairs, way = [(TYPED, TYPED)], replace(WAY, how=SAMPLE)
    assert backend.walk_command([(model, pairs)], way) is not None
    assert backend.walk_command([(model, 2 * pairs)], way) is None
    assert backend.walk_command([(model, pairs)], replace(way, methods=("linear", "slerp"))) is None
    assert backend.walk_command([(model, pairs)], replace(WAY, draws=2)) is None


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


def test_all_paths_of_a_gesture_are_one_batch(model, monkeypatch):
    from vae.space import Space

    calls = []
    decode = Space.decode
    monkeypatch.setattr(Space, "decode", lambda self, z, **how: calls.append(len(z)) or decode(self, z, **how))
    pairs = [(End(seed=80), End(seed=81)), (End(seed=82), ENDS["map"])]
    backend.paths(model, pairs, Way(steps=4, methods=("linear", "slerp"), how=SAMPLE, draws=3))
    assert calls == [2 * 2 * 4 * 3]


def test_a_path_among_others_is_the_path_alone(model):
    pairs = [(End(seed=1), End(seed=1)), (ENDS["map"], ENDS["typed"]), (End(seed=2), ENDS["map, drawn"])]
    found = backend.paths(model, pairs, Way(steps=5, methods=("linear", "slerp")))
    for number, (a, b) in enumerate(pairs):
        for which, method in enumerate(("linear", "slerp")):
            alone = backend.walk(model, a, b, steps=5, method=method)
            among = found[2 * number + which]
            assert among.texts == alone.texts
            assert np.array_equal(among.codes, alone.codes)
            assert among.shells == alone.shells
            assert among.nearest == alone.nearest


def test_each_step_is_read_as_often_as_asked_for(model):
    way = Way(steps=4, how=Decoding(method="sample", seed=3), draws=3)
    (walk,) = backend.paths(model, [(End(), End())], way)
    assert [len(draws) for draws in walk.draws] == [3] * 4
    assert walk.texts == [draws[0] for draws in walk.draws]
    assert len(set(walk.draws[0])) > 1
    greedy = backend.paths(model, [(End(), End())], Way(steps=4, draws=2))[0]
    assert all(first == second for first, second in greedy.draws)
    assert backend.paths(model, [(End(), End())], Way(steps=4))[0].draws == []


@pytest.mark.parametrize("way", [Way(steps=3, methods=("linear", "slerp")), Way(steps=3, how=SAMPLE, draws=3)], ids=str)
@pytest.mark.parametrize(
    "pairs", [[("prior", "map, drawn")], [(name, other) for name in ENDS for other in ENDS]], ids=len
)
def test_the_python_of_two_models_prints_both(model, past, pairs, way):
    routes = [
        (of, [tuple(backend.carried(ENDS[end], model, of) for end in pair) for pair in pairs]) for of in (model, past)
    ]
    expected = [line for of, carried in routes for line in sentences_of(backend.paths(of, carried, way))]
    assert printed(routes, way) == expected
    assert sentences_of(backend.paths(*routes[0], way)) != sentences_of(backend.paths(*routes[1], way))


def test_the_command_of_a_snapshot_names_it(model, past):
    line = backend.walk_command([(past, [(End(), End())])], WAY)
    assert "--snapshot 7" in line
    assert backend.snapshots(model) == backend.snapshots(past) == [7]


def test_another_model_encodes_the_sentence_itself(model, past, sentences):
    assert backend.carried(ENDS["map, drawn"], model, model) == ENDS["map, drawn"]
    end = backend.carried(ENDS["map, drawn"], model, past)
    assert end == End(kind="sentence", text=sentences[7], drawn=True, seed=5)
    assert backend.carried(ENDS["prior"], model, past) == ENDS["prior"]
    assert [backend.input_text(model, ENDS[name]) for name in ENDS] == [
        "", "an old dog waits for 'it' .", "the boy is riding a bus .", sentences[7], sentences[7]
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no sentence 120"):
        backend.carried(End(kind="map", row=120), model, past)


def test_ten_pairs_follow_their_seed(model):
    for kind in ("prior", "map"):
        first, again, other = (backend.random_pairs(model, kind, seed) for seed in (3, 3, 4))
        assert first == again != other
        assert len(first) == 10
    rows = [end.row for pair in backend.random_pairs(model, "map", 3) for end in pair]
    assert len(set(rows)) == 20
    drawn = [end for pair in backend.random_pairs(model, "map", 3, drawn=True) for end in pair]
    assert [end.row for end in drawn] == rows
    assert len({end.seed for end in drawn}) == 20


def test_a_prior_pair_is_what_the_command_line_draws_from_its_seed(model):
    (a, b), (_, second) = backend.random_pairs(model, "prior", 8)[:2]
    assert np.array_equal(backend.end_code(model, a, 0), backend.prior(model, 2, 8)[0])
    assert np.array_equal(backend.end_code(model, b, 1), backend.prior(model, 2, 8)[1])
    assert np.array_equal(backend.end_code(model, second, 1), backend.prior(model, 2, 9)[1])
