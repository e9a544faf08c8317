"""The captions are English, make sense, know their factors, and are the same everywhere."""

import random
import re
import time
from hashlib import blake2b

import pandas as pd
import pytest

from vae import corpora
from vae.corpora import captions
from vae.corpora.captions import (
    ACTIVITIES,
    FACTORS,
    GARMENTS,
    MISSED,
    NEVER,
    NUMBERS,
    PLACE_NAMES,
    PLACES,
    SUBJECTS,
    TRAITS,
    WEATHERS,
    Scene,
    activities_of,
    colours_of,
    distinct_sentences,
    draw,
    factors,
    garments_of,
    moments_of,
    places_of,
    words,
)
from vae.corpora.splits import split_of


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = random.Random("scenes")
    return [draw(rng) for _ in range(6_000)]


@pytest.fixture(scope="module")
def corpus() -> corpora.Corpus:
    return corpora.load("captions", seed=0)


def small(seed: int = 0) -> corpora.Corpus:
    return corpora.load("captions", seed=seed, train_sentences=200, valid_sentences=20, test_sentences=30)


# ---------------------------------------------------------------------------------------------------------- the corpus


def test_default_sizes_and_columns(corpus: corpora.Corpus) -> None:
    assert [len(corpus.train), len(corpus.valid), len(corpus.test)] == [20_000, 2_000, 2_000]
    for part in (corpus.train, corpus.valid, corpus.test):
        assert list(part.columns) == ["text", *FACTORS]
        assert all(dtype == "str" for dtype in part.dtypes)
        assert not part.isna().to_numpy().any()
        assert not (part == "").to_numpy().any()
    assert corpus.labels == list(FACTORS)
    assert len(corpus.labels) >= 8


def test_sentences_are_distinct_and_splits_disjoint_for_every_seed(corpus: corpora.Corpus) -> None:
    other = small(seed=1)
    seen = {name: set() for name in ("train", "valid", "test")}
    for each in (corpus, other):
        for name, texts in seen.items():
            part = getattr(each, name)
            assert part["text"].is_unique
            texts.update(part["text"])
    assert not seen["train"] & seen["valid"]
    assert not seen["train"] & seen["test"]
    assert not seen["valid"] & seen["test"]
    assert all(split_of(text, valid=0.1, test=0.1) == name for name, texts in seen.items() for text in texts)


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another() -> None:
    first, again, other = small(), small(), small(seed=1)
    for name in ("train", "valid", "test"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    assert len(set(first.train["text"]) & set(other.train["text"])) < 3
    assert set(small(seed=-1).train["text"]) != set(other.train["text"])


def test_a_smaller_corpus_is_the_beginning_of_a_larger_one(corpus: corpora.Corpus) -> None:
    assert small().train["text"].tolist() == corpus.train["text"].tolist()[:200]


def test_the_first_sentence_never_changes(corpus: corpora.Corpus) -> None:
    """Bundled runs were trained on these sentences: a change of the grammar is a change of their corpus."""
    assert corpus.train["text"][0] == "a bird is flying over the roofs ."
    assert blake2b("\n".join(corpus.train["text"]).encode(), digest_size=8).hexdigest() == "256155e1a94e9983"


def test_drawing_is_fast() -> None:
    """Half a second on an idle core; the bound leaves room for a busy one and none for anything quadratic."""
    start = time.process_time()
    corpora.load("captions", seed=5)
    assert time.process_time() - start < 8


@pytest.mark.parametrize("size", [0, -3])
def test_no_sentences_is_an_error(size: int) -> None:
    with pytest.raises(ValueError, match=f"valid_sentences is {size}"):
        corpora.load("captions", valid_sentences=size)


@pytest.mark.parametrize("size", [10**9, 10**15])
def test_more_sentences_than_there_are_is_an_error_at_once(size: int) -> None:
    with pytest.raises(ValueError, match="cannot make"):
        corpora.load("captions", train_sentences=size)


def test_a_grammar_that_runs_dry_is_an_error_and_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = draw(random.Random(0))
    monkeypatch.setattr(captions, "draw", lambda _: scene)
    with pytest.raises(ValueError, match="cannot make 50 for train"):
        corpora.load("captions", train_sentences=50, valid_sentences=1, test_sentences=1)


# --------------------------------------------------------------------------------------------------- how much there is


def test_more_than_ten_million_sentences() -> None:
    assert distinct_sentences() > 10_000_000


@pytest.mark.parametrize("subject", ["cow", "duck", "baby"])
def test_the_count_is_exact_where_all_can_be_written_down(subject: str) -> None:
    sentences = set()
    for activity in activities_of(subject):
        for place in places_of(activity):
            for moment in (NEVER, *moments_of(subject, activity, place)):
                for garment in (None, *garments_of(subject, activity, place, moment.weather)):
                    for phrase in activity.phrases:
                        for number in set(NUMBERS):
                            for trait in ("none", *(TRAITS.get(subject) or TRAITS["animal"])):
                                many = number != "one"
                                scene = Scene(subject, number, many, trait, activity, phrase, place, moment, garment)
                                sentences.add(words(scene))
                                for thing, colours in colours_of(scene).items():
                                    for colour in colours:
                                        sentences.add(words(scene._replace(colour=colour, coloured=thing)))
    assert len(sentences) == distinct_sentences((subject,))


def test_length_and_vocabulary(corpus: corpora.Corpus) -> None:
    lengths = corpus.train["text"].str.split().str.len()
    assert 10 <= lengths.mean() <= 16
    assert lengths.std() > 2
    vocabulary = {word for text in corpus.train["text"] for word in text.split()}
    assert 250 <= len(vocabulary) <= 400


def test_no_factor_is_too_skewed(corpus: corpora.Corpus) -> None:
    """Every factor is told often enough, and no value of many stands for nearly all of them."""
    for factor in FACTORS:
        told = corpus.train[factor][corpus.train[factor] != "none"]
        share = told.value_counts(normalize=True)
        assert len(told) > 0.15 * len(corpus.train), factor
        assert len(share) >= 2, factor
        if len(share) > 3:
            assert share.iloc[0] < 0.6, factor
    assert 0.2 < (corpus.train["polarity"] == "negative").mean() < 0.4
    for factor, most in {"subject": 0.07, "activity": 0.1, "place": 0.1, "colour": 0.3, "weather": 0.4}.items():
        assert corpus.train[factor][corpus.train[factor] != "none"].value_counts(normalize=True).iloc[0] < most


# --------------------------------------------------------------------------------------------------------------- sense


def test_the_tables_name_only_what_exists() -> None:
    for row in (*ACTIVITIES, *GARMENTS, *MISSED):
        assert row.who
        assert set(row.who) <= set(SUBJECTS)
    names = {activity.name for activity in ACTIVITIES}
    for activity in ACTIVITIES:
        assert set(activity.places) <= set(PLACE_NAMES)
        assert set(activity.weathers) <= set(WEATHERS)
        assert set(activity.times) <= set(captions.TIMES)
        assert activity.season in ("", "beach", "winter")
    for garment in (*GARMENTS, *MISSED):
        assert set(garment.doing) <= names
        assert set(garment.where) <= set(PLACE_NAMES)
        assert set(garment.when) <= {"mild", "beach", "winter", *WEATHERS}
    assert not set(PLACES["indoors"]) & set(PLACES["outdoors"])


def test_everyone_has_something_to_do_and_every_row_is_used(scenes: list[Scene]) -> None:
    assert all(len(activities_of(subject)) >= 5 for subject in SUBJECTS)
    assert {place for activity in ACTIVITIES for place in activity.places} == set(PLACE_NAMES)
    assert {scene.subject for scene in scenes} == {*SUBJECTS, "nobody"}
    assert {scene.activity.name for scene in scenes} == {activity.name for activity in ACTIVITIES}
    assert {scene.garment.name for scene in scenes if scene.garment} == {row.name for row in (*GARMENTS, *MISSED)}


def test_every_scene_makes_sense(scenes: list[Scene]) -> None:
    for scene in scenes:
        text, label = words(scene), factors(scene)
        assert ("person" if scene.subject == "nobody" else scene.subject) in scene.activity.who, text
        assert scene.phrase in scene.activity.phrases, text
        assert scene.place == "" or scene.place in scene.activity.places, text
        if label["weather"] != "none":
            assert label["setting"] != "indoors", text
            assert label["weather"] in scene.activity.weathers, text
        if label["time"] == "night":
            assert label["weather"] != "sun", text
            if label["setting"] == "outdoors":
                assert scene.activity.night, text
                assert label["kind"] != "child", text
        if scene.garment:
            assert ("person" if scene.subject == "nobody" else scene.subject) in scene.garment.who, text
            assert not scene.garment.doing or scene.activity.name in scene.garment.doing, text


def test_nonsense_that_must_not_be_said(scenes: list[Scene]) -> None:
    labels = pd.DataFrame([factors(scene) for scene in scenes])
    animals = labels[labels["kind"] == "animal"]
    human = {"reading", "writing", "driving", "riding", "cooking", "baking", "talking", "working", "buying", "skiing"}
    assert not set(animals["activity"]) & human
    assert set(animals["garment"]) <= {"none", "collar", "coat", "saddle", "bell"}
    assert set(animals["subject"][animals["activity"] == "flying"]) == {"bird", "duck"}
    assert "driving" not in set(labels["activity"][labels["kind"] == "child"])
    assert set(labels["subject"][labels["garment"] == "dress"]) <= {"woman", "girl"}
    assert set(labels["place"][labels["activity"] == "swimming"]) <= {"lake", "river", "sea"}
    assert not set(labels["weather"][labels["garment"] == "sunglasses"]) & {"rain", "snow", "fog"}
    swims = labels[(labels["activity"] == "swimming") & (labels["kind"] != "animal")]
    assert set(swims["weather"]) <= {"none", "sun"}
    assert set(swims["garment"]) <= {"none", "swimsuit", "hat", "sunglasses", "shorts"}


def test_grammar(scenes: list[Scene]) -> None:
    singular = {subject.singular for subject in SUBJECTS.values()}
    plural = {subject.plural for subject in SUBJECTS.values()}
    for scene in scenes:
        text = words(scene)
        assert re.fullmatch(r"[a-z][a-z -]*( , [a-z -]+)? \.", text), text
        assert "  " not in text
        assert not re.search(r"\ba [aeio]", text), text
        assert not re.search(r"\ba u(?!niform)", text), text
        assert not re.search(r"\ban (?![aeiou])", text), text
        assert not re.search(r"\b(\w+) \1\b", text), text
        if match := re.search(
            r"(?:^|, )(a|an|two|three|several) (?:group of |herd of |flock of )?([a-z ]+?) (is|are) ", text
        ):
            count, nouns, be = match.groups()
            who = next(word for word in nouns.split() if word in singular | plural)
            collective = re.search(r"\b(herd|flock) of ", text)
            if scene.number == "group":
                assert who in plural, text
                assert be == ("is" if collective else "are"), text
            else:
                assert (count in ("a", "an")) == (who in singular) == (be == "is"), text
        if " there " in f" {text}":
            assert re.search(r"there (is (a|an|no)|are (two|three|several|no)) ", text), text


def test_the_labels_are_what_the_sentence_says(scenes: list[Scene]) -> None:
    negation = re.compile(r"\b(not|nobody|no|without)\b")
    for scene in scenes:
        text, label = words(scene), factors(scene)
        assert (label["polarity"] == "negative") == bool(negation.search(text)), text
        colours = {"red", "blue", "green", "yellow", "orange", "pink", "black", "white", "brown", "grey"}
        assert colours & set(text.split()) == {label["colour"]} - {"none"}, text
        weather = re.search(r"\b(?:in the (rain|snow|sun|fog|wind) |(rain|snow|sun|fog|wind)[ng]?y )", text)
        told = "none" if weather is None else weather[1] or weather[2]
        assert label["weather"] == told, text
        assert (label["time"] == "none") or label["time"] in text, text
        assert label["trait"] == "none" or f" {label['trait']} " in f" {text}", text
        number = {"one": r"\b(a|an)\b", "group": r"\b(group|herd|flock) of\b", "none": r"\b(nobody|no)\b"}
        assert re.search(number.get(label["number"], label["number"]), text), text
        assert (label["setting"] == "none") == (label["place"] == "none"), text


def test_a_scene_in_words() -> None:
    waiting = next(activity for activity in ACTIVITIES if activity.phrases == ("waiting for a bus",))
    jacket = next(garment for garment in GARMENTS if garment.name == "jacket")
    rain = next(moment for moment in captions.MOMENTS if moment.words == "in the rain")
    scene = Scene("woman", "two", True, "none", waiting, waiting.phrases[0], "", rain, jacket, "yellow", "garment")
    assert words(scene) == "two women in yellow jackets are waiting for a bus in the rain ."
    assert factors(scene) == {
        "subject": "woman",
        "kind": "adult",
        "number": "two",
        "trait": "none",
        "garment": "jacket",
        "colour": "yellow",
        "activity": "waiting",
        "place": "none",
        "setting": "none",
        "time": "none",
        "weather": "rain",
        "polarity": "affirmative",
    }
    one = scene._replace(number="one", many=False, trait="old", colour="orange")
    assert words(one) == "an old woman in an orange jacket is waiting for a bus in the rain ."
    assert words(one._replace(missed=True)).startswith("an old woman without ")
    assert words(one._replace(negated=True, garment=None)) == "an old woman is not waiting for a bus in the rain ."
    group = scene._replace(number="group", garment=None, coloured="", exists=True, place="at the bus stop")
    assert words(group) == "there is a group of women waiting for a bus at the bus stop in the rain ."
