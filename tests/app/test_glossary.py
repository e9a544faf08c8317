import ast

import pytest

from app import glossary, state
from app.glossary import CURVES, ENTRIES, METRICS, STATES, TABLE, duration
from tests.app.frame import FRAME, open_page
from vae.runs import State


def titles(at):
    """The entries on the page."""
    return [markdown.value.split("**")[1] for markdown in at.markdown if markdown.value.startswith("**")]


def test_every_curve_and_every_state_has_words():
    assert {*CURVES, *TABLE} <= METRICS.keys()
    assert set(State.__args__) <= STATES.keys()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (40, "40 s"),
        (200, "3 min"),
        (4800, "80 min"),
        (6000, "1 h 40 min"),
        (86400, "24 h"),
        (9e5, "10 days"),
    ],
)
def test_time_spans_are_said_as_people_say_them(seconds, words):
    assert duration(seconds) == words


def test_everything_is_explained_in_one_group():
    placed = [name for names in glossary.groups().values() for name in names]
    assert sorted(placed) == sorted(ENTRIES)


def test_the_page_has_every_entry(root):
    at = open_page("glossary")
    assert sorted(titles(at)) == sorted(each.title for each in ENTRIES.values())
    assert not at.warning


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("beta", "kl_weight"),
        ("active units", "active_units"),
        ("-ELBO", "neg_elbo_nats"),
        ("delta nll", "delta_nll_nats"),
        ("ΔNLL", "delta_prior_nats"),
        ("HOLE", "hole"),
        ("kl_charged", "kl_charged_nats"),
    ],
)
def test_a_search_finds_it(text, found):
    assert glossary.matches(ENTRIES[found], text)
    assert sum(glossary.matches(term, text) for term in ENTRIES.values()) < len(ENTRIES) / 2


def test_the_search_leaves_what_has_all_words_and_says_when_nothing_has(root):
    at = open_page("glossary")
    at.text_input(key=state.GLOSSARY_SEARCH).set_value("token deletion").run()
    assert titles(at) == ["Token deletion"]
    at.text_input(key=state.GLOSSARY_SEARCH).set_value("no such word").run()
    assert not titles(at)
    assert "Try fewer" in at.markdown[-1].value


def test_an_unknown_term_is_said(root):
    at = open_page("glossary", term="nothing")
    assert "nothing" in at.warning[0].value
    assert not at.get("bidi_component")


def test_the_term_that_is_asked_for_is_marked(root):
    at = open_page("glossary", **{state.GLOSSARY_TERM: "kl_nats"})
    (marked,) = (markdown.value for markdown in at.markdown if "primary-background" in markdown.value)
    assert METRICS["kl_nats"].title in marked
    assert at.get("bidi_component")


def test_the_terms_of_the_elbo_have_their_colours_and_no_mark_is_left():
    assert glossary.mathematics(METRICS["neg_elbo_nats"].formula) == (
        r"$\displaystyle -\mathrm{ELBO} =$ :orange[$\displaystyle \mathrm{rec}$] $\displaystyle +$ "
        r":violet[$\displaystyle \mathrm{KL}$] $\displaystyle \ge -\log p(x)$"
    )
    for each in ENTRIES.values():
        shown = glossary.mathematics(each.formula)
        assert bool(shown) == bool(each.formula)
        assert r"\rec" not in shown
        assert r"\kl" not in shown


def test_a_label_leads_to_its_entry():
    assert glossary.help_of(METRICS["kl_nats"]).endswith(f"](glossary?{state.GLOSSARY_TERM}=kl_nats)")
    assert not any(sign in each.definition for each in ENTRIES.values() for sign in "*`$[]~")  # it is read as Markdown


def test_every_label_of_a_figure_has_that_link():
    """But headings of tables: what they say is gone before a pointer reaches it."""
    seen = 0
    for path in sorted((FRAME.parent / "app").rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            called = ast.unparse(call.func)
            said = "".join(ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "help")
            if called.startswith("st.") and not called.startswith("st.column_config"):
                assert ".definition" not in said, f"{path}: {called}"
                assert called != "st.metric" or "help_of(" in said, f"{path}: {said}"
                seen += "help_of(" in said
    assert seen >= 8
