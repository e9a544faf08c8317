import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import backend
from app.backend import Start
from vae import probes
from vae.runs import append_line
from vae.traversals import short

VALUES = st.floats(-100, 100, width=32)
STARTS = {
    "prior": Start(seed=3),
    "sentence": Start(kind="sentence", text="an old dog waits for 'it' ."),
    "zero": Start(kind="zero"),
}


def printed(python):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(python, {})
    return said.getvalue().split("\n")[:-1]


def lines(texts):
    return "\n".join(texts).split("\n")


def test_dimensions_come_by_their_newest_kl(model, explored):
    append_line(explored.metrics_path, {"step": 10**6, "split": "valid", "kl_per_dim_nats": [0.1, 3.0, 0.2, 3.0, 0.0]})
    assert backend.dimensions_by_kl(model) == [(1, 3.0), (3, 3.0), (2, 0.2), (0, 0.1), (4, 0.0)]


def test_without_figures_of_its_own_the_codes_say_what_kl_is(model):
    """The synthetic history is of a model of another size."""
    known = backend.codes(model)
    kl = dict(backend.dimensions_by_kl(model))
    assert sum(kl.values()) == pytest.approx(known.kl_nats.mean(), rel=1e-5)
    assert list(kl.values()) == sorted(kl.values(), reverse=True)


def test_without_either_they_come_as_they_are(model, explored):
    explored.latents_path.unlink()
    assert backend.dimensions_by_kl(model) == [(dimension, None) for dimension in range(5)]


def test_a_start_is_a_code_of_its_kind(model):
    assert np.array_equal(backend.start_code(model, STARTS["prior"]), backend.prior(model, 1, 3)[0])
    assert np.array_equal(
        backend.start_code(model, STARTS["sentence"]), backend.encode(model, STARTS["sentence"].text)[0]
    )
    assert not backend.start_code(model, STARTS["zero"]).any()
    with pytest.raises(ValueError, match="no sentence"):
        backend.start_code(model, Start(kind="sentence", text="  "))


def test_every_stop_reads_as_its_code_does_with_the_other_dimensions_as_they_are(model):
    base = backend.start_code(model, STARTS["prior"])
    board = backend.strips(model, base, {2: 1.25, 4: -0.53}, [4, 0])
    z = board.reading.codes[board.own]
    assert z.tolist() == pytest.approx([base[0], base[1], 1.25, base[3], -0.53])
    assert np.array_equal(board.reading.codes[board.base], base)
    assert [dial.name for dial in board.dials] == ["z4", "z0"]
    for dial in board.dials:
        dimension = int(dial.name[1:])
        codes = board.reading.codes[dial.rows]
        assert codes[:, dimension].tolist() == pytest.approx(dial.values)
        others = [other for other in range(5) if other != dimension]
        assert np.array_equal(codes[:, others], np.tile(z[others], (len(codes), 1)))
        assert dial.values == sorted(dial.values)
        assert dial.values[dial.own] == short(z[dimension])
        assert dial.values[dial.base] == short(base[dimension])
        assert dial.rows[dial.own] == board.own
        even = [value for place, value in enumerate(dial.values) if place not in (dial.own, dial.base)]
        assert even == pytest.approx(np.linspace(-even[-1], even[-1], 11).tolist())
        assert even[-1] >= 2.5
    assert board.reading.texts == backend.decode(model, board.reading.codes)


def test_all_of_it_is_decoded_in_one_batch(model, monkeypatch):
    from app.backend import models

    calls = []
    monkeypatch.setattr(models, "decode", lambda of, codes, how=None: calls.append(len(codes)) or ["x"] * len(codes))
    board = backend.strips(model, np.zeros(5, np.float32), {}, [0, 1, 2, 3, 4])
    assert calls == [2 + 5 * 10]  # 0 is one of the eleven, and is read once
    assert len(board.reading.codes) == len(board.reading.nearest) == len(board.reading.shells) == calls[0]


def test_where_codes_vary_more_than_the_prior_sliders_reach_farther(model, monkeypatch):
    from app.backend import maps

    class Wide:
        means = np.array([[-4.0, 0, 0, 0, 0], [4.0, 0, 0, 0, 0]], np.float32)
        logvars = np.full((2, 5), -20, np.float32)
        texts = ("a", "b")

    monkeypatch.setattr(maps, "codes", lambda of: Wide)
    first, second = backend.strips(model, np.zeros(5, np.float32), {}, [0, 1]).dials
    assert (first.values[0], first.values[-1]) == (-10, 10)
    assert (second.values[0], second.values[-1]) == (-2.5, 2.5)


@given(st.dictionaries(st.integers(0, 31), VALUES))
def test_changes_survive_the_address(changes):
    assert backend.parse_changes(backend.write_changes(changes), 32) == {
        dimension: short(value) for dimension, value in changes.items()
    }


def test_what_is_as_in_the_base_is_left_out_unless_it_is_locked():
    base = np.array([0.1, 0.2, 0.3], np.float32)
    changes = {0: 0.1, 1: 0.5, 2: float(base[2])}
    assert backend.write_changes(changes, base) == "1:0.5"
    assert backend.write_changes(changes, base, {2}) == "1:0.5,2:0.3"
    assert backend.write_changes({1: -0.0, 2: 2.0}) in ("1:0,2:2", "1:-0,2:2")


@pytest.mark.parametrize(
    "text",
    ["3", "3:", ":1", "3:x", "3:nan", "3:inf", "3:1e9", "3:101", "32:1", "-1:1", "a:1", "3:1;4:2", "3:1.", "x" * 99],
)
def test_changes_that_cannot_be_are_one_sentence(text):
    with pytest.raises(ValueError, match=r"^[^\n]{1,160}$"):
        backend.parse_changes(text, 32)


def test_locked_dimensions_are_read_from_the_address():
    assert backend.parse_dimensions("3,7", 32) == {3, 7}
    assert backend.parse_dimensions("", 32) == set()
    for text in ("32", "x", "3;4", "²", "-1", "9" * 50):
        with pytest.raises(ValueError, match=r"^There is no dimension [^\n]*$"):
            backend.parse_dimensions(text, 32)


@given(st.lists(VALUES, min_size=4, max_size=4))
def test_a_code_that_was_copied_is_pasted_to_the_last_bit(values):
    z = np.array(values, np.float32)
    pasted = backend.parse_code(backend.write_code(z), 4)
    assert np.array_equal(np.array([pasted[dimension] for dimension in range(4)], np.float32), z)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no code"),
        ("hello", "no code"),
        ('{"a": 1}', "no code"),
        ("[1, 2", "no code"),
        ("[" * 100_000, "no code"),
        ("[1, 2, 3]", "has 3 numbers, but z has 2"),
        ("[1, null]", "null"),
        ("[1, true]", "true"),
        ("[1, NaN]", "NaN"),
        ("[1, Infinity]", "Infinity"),
        ("[1, 1e300]", "1e"),
        ('[1, "' + "x" * 99 + '"]', "xxx"),
        ("[1, [2]]", r"\[2\]"),
    ],
)
def test_what_is_no_code_is_one_sentence(text, words):
    with pytest.raises(ValueError, match=words) as problem:
        backend.parse_code(text, 2)
    assert "\n" not in str(problem.value)
    assert len(str(problem.value)) < 160


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("changes", [{}, {1: 1.25, 3: -0.7}])
def test_the_python_to_copy_prints_the_sentence_and_the_strip(model, start, changes):
    base = backend.start_code(model, start)
    board = backend.strips(model, base, changes, [3, 0])
    python = backend.dimensions_python(model, start, changes, board.dials[0])
    texts = board.reading.texts
    expected = [texts[board.own], *(texts[row] for row in board.dials[0].rows)]
    assert printed(python) == lines(expected)


def test_labels_are_held_against_the_dimensions(model):
    known = backend.codes(model)
    found = probes.association(known.means, known.labels)
    for figure, values, limits in (
        ("r2", found.r2[0], found.chance[0]),
        ("mi_nats", found.mi_nats[0], found.entropy_nats[0]),
    ):
        frame = backend.association(model, figure)
        assert frame["label"].unique().tolist() == ["subject"]
        assert frame["value"].tolist() == pytest.approx(values.tolist())
        assert frame["limit"].tolist() == pytest.approx([limits] * 5)


def test_the_python_of_the_labels_prints_the_same(model):
    (said,) = printed(backend.association_python(model))
    r2 = backend.association(model, "r2")
    most = r2.loc[r2["value"].idxmax()]
    assert said.startswith(f"subject: R2 at most {most['value']:.2f}, in z{most['dimension']};")


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("changes", [{}, {1: 1.25, 3: -0.7}, {3: 1e-5, 0: -99.5}], ids=str)
def test_the_command_to_copy_prints_the_sentence_and_the_strip(model, typed, start, changes):
    base = backend.start_code(model, start)
    board = backend.strips(model, base, changes, [3, 0])
    dial, texts = board.dials[0], board.reading.texts
    said = typed(backend.dimensions_command(model, start, changes, dial))
    strip = [f"{'>' if place == dial.own else ' '} {value:+6.2f}  {texts[row]}"
             for place, (value, row) in enumerate(zip(dial.values, dial.rows, strict=True))]  # fmt: skip
    assert said.endswith("\n".join([*strip, ""]))
    if changes:
        assert said.startswith(texts[board.own] + "\n")
        assert f"{board.reading.nearest[board.own][1]:.1f} away: {board.reading.nearest[board.own][0]}\n" in said
    else:
        assert said == "\n".join([*strip, ""])
