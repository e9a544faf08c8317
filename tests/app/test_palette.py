import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from app.palette import KL, PALETTE, PARTS, REC, allot

GROUNDS = ("#FDFCF9", "#14181C")
DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))


def linear(colour):
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def luminance(colour):
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(channels):
    """CIE L*a*b* of linear sRGB, white D65."""
    r, g, b = (min(1.0, max(0.0, c)) for c in channels)
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def seen(colour, eye):
    channels = linear(colour)
    return lab([sum(weight * channel for weight, channel in zip(row, channels, strict=True)) for row in eye])


def test_a_colour_stands_out_from_both_grounds():
    for colour, ground in itertools.product(PALETTE, GROUNDS):
        assert contrast(colour, ground) > 3, (colour, ground)


def test_the_parts_of_a_whole_stand_out_and_are_greys():
    for colour, ground in itertools.product(PARTS, GROUNDS):
        assert contrast(colour, ground) > 2.9, (colour, ground)
    for colour, ink in zip(PARTS, ("#FFFFFF", "#000000"), strict=True):
        assert contrast(colour, ink) > 4.5
    for colour in PARTS:
        _, a, b = lab(linear(colour))
        assert (a * a + b * b) ** 0.5 < 8
        assert all(math.dist(lab(linear(colour)), lab(linear(run))) > 15 for run in PALETTE)


def test_the_first_colours_differ_to_colour_blind_eyes():
    """Simulated after Machado et al. 2009; a difference of 15 in L*a*b* is plain to see side by side."""
    for eye in (DEUTERANOPIA, PROTANOPIA):
        for one, other in itertools.combinations(PALETTE[:5], 2):
            distance = sum((a - b) ** 2 for a, b in zip(seen(one, eye), seen(other, eye), strict=True)) ** 0.5
            assert distance > 15, (one, other, distance)


@given(st.lists(st.text(min_size=1), unique=True, max_size=12), st.lists(st.text(min_size=1), unique=True, max_size=12))
def test_a_run_keeps_its_colour_while_others_come_and_go(before, after):
    kept = allot(before, {})
    now = allot(after, kept)
    assert set(now) == set(after)
    assert all(now[name] == kept[name] for name in after if name in kept)


@given(st.integers(1, len(PALETTE)))
def test_no_colour_is_given_twice_while_one_is_free(count):
    assert len(set(allot([f"run-{i}" for i in range(count)], {}).values())) == count


def test_a_mangled_memory_is_not_believed():
    assert allot(["a", "b"], {"a": 99, "b": "blue", "c": 0}) == {"a": 0, "b": 1}


def test_the_price_of_a_code_has_a_colour_that_no_run_has():
    """KL stands beside runs, as a term of the ELBO; beside rec colour-blind eyes tell it, too."""
    assert all(contrast(KL, ground) > 3 for ground in GROUNDS)
    for colour in PALETTE:
        assert math.dist(lab(linear(KL)), lab(linear(colour))) > 25, colour
    for eye in (DEUTERANOPIA, PROTANOPIA):
        assert math.dist(seen(KL, eye), seen(REC, eye)) > 30
