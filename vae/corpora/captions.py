"""The built-in corpus: English scene captions whose every factor is known.

    two women in yellow jackets are waiting for a bus in the rain .
    there is a small brown dog sleeping on a rug .
    nobody is fishing by the lake on a foggy morning .

A sentence is drawn factor by factor from the tables below, each choice narrowing the next: who, what they do, where,
when and in which weather, what they wear. So no dog reads a book, nobody swims in a library, it rains only out of
doors, and no one wears sunglasses in the snow. The factors come back as label columns (`FACTORS`), "none" where a
sentence does not tell one; they colour a map, and a probe can look for them in a latent code.

A sentence belongs to train, valid or test by a hash of its text (80, 10 and 10 % of all that can be made), so the
splits are disjoint for every seed and size. The same seed gives the same sentences on every platform.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeVar

import pandas as pd

from vae.corpora.splits import SPLITS, Splits, frame, require_sizes, split_of

FACTORS = (
    "subject",  # man, woman, ... dog, ... or nobody
    "kind",  # adult, child, animal
    "number",  # one, two, three, several, group
    "trait",  # young, tall, small, ...
    "garment",  # jacket, hat, ... what is worn, or missed: "without a helmet"
    "colour",  # the one colour that the sentence names
    "activity",  # reading, chasing, ...
    "place",  # park, kitchen, ...
    "setting",  # outdoors, indoors
    "time",  # morning, noon, afternoon, evening, night
    "weather",  # rain, snow, sun, fog, wind
    "polarity",  # affirmative, negative
)
DEFAULT_SIZES = {"train": 20_000, "valid": 2_000, "test": 2_000}
SHARES = {"valid": 0.1, "test": 0.1}  # of all sentences that can be made

# --- who --------------------------------------------------------------------------------------------------------------


class Subject(NamedTuple):
    """Someone or something that a caption is about."""

    singular: str
    plural: str
    kind: str
    group: str = "a group of"  # are; but a herd or a flock is


SUBJECTS = {
    subject.singular: subject
    for subject in (
        Subject("man", "men", "adult"),
        Subject("woman", "women", "adult"),
        Subject("person", "people", "adult"),
        Subject("student", "students", "adult"),
        Subject("tourist", "tourists", "adult"),
        Subject("farmer", "farmers", "adult"),
        Subject("nurse", "nurses", "adult"),
        Subject("worker", "workers", "adult"),
        Subject("boy", "boys", "child"),
        Subject("girl", "girls", "child"),
        Subject("child", "children", "child"),
        Subject("baby", "babies", "child"),
        Subject("dog", "dogs", "animal"),
        Subject("cat", "cats", "animal"),
        Subject("horse", "horses", "animal"),
        Subject("cow", "cows", "animal", "a herd of"),
        Subject("goat", "goats", "animal", "a herd of"),
        Subject("rabbit", "rabbits", "animal"),
        Subject("bird", "birds", "animal", "a flock of"),
        Subject("duck", "ducks", "animal"),
    )
}
# Short names for the `who` columns of the tables below; any single subject can be written there too.
GROUPS = {
    "adult": "man woman person student tourist farmer nurse worker",
    "child": "boy girl child",
    "people": "man woman person student tourist farmer nurse worker boy girl child",
    "grazer": "horse cow goat",
}
NUMBERS = ("one",) * 5 + ("two", "three", "several", "group")
TRAITS = {
    "adult": ("young", "old", "tall"),
    "child": ("little", "tall"),
    "baby": ("little", "tiny"),
    "animal": ("small", "big", "young", "old"),
}
COATS = {
    "dog": ("black", "white", "brown", "grey"),
    "cat": ("black", "white", "orange", "grey"),
    "horse": ("black", "white", "brown", "grey"),
    "cow": ("black", "white", "brown"),
    "goat": ("black", "white", "brown"),
    "rabbit": ("white", "brown", "grey"),
    "bird": ("black", "white", "blue", "yellow"),
    "duck": ("white", "brown"),
}

# --- where and when ---------------------------------------------------------------------------------------------------

PLACES = {  # phrase -> the value of the factor
    "outdoors": {
        "in the park": "park",
        "in the garden": "garden",
        "in the field": "field",
        "through the field": "field",
        "over the field": "field",
        "in the forest": "forest",
        "through the forest": "forest",
        "above the trees": "forest",
        "in a tree": "tree",
        "under a tree": "tree",
        "by the river": "river",
        "in the river": "river",
        "along the river": "river",
        "by the lake": "lake",
        "in the lake": "lake",
        "on the lake": "lake",
        "over the lake": "lake",
        "on the frozen lake": "lake",
        "on the beach": "beach",
        "in the sea": "sea",
        "from a [colour] boat": "boat",
        "on the mountain": "mountain",
        "down the mountain": "mountain",
        "across the bridge": "bridge",
        "on the bridge": "bridge",
        "down the street": "street",
        "on the street corner": "street",
        "down a country road": "road",
        "on the farm": "farm",
        "by the fence": "fence",
        "on the fence": "fence",
        "on the roof": "roof",
        "over the roofs": "roof",
        "on the porch": "porch",
        "on the balcony": "balcony",
        "on the grass": "grass",
        "on a [colour] bench": "bench",
        "at the playground": "playground",
        "at the bus stop": "bus stop",
        "at the station": "station",
        "in front of the station": "station",
        "in front of the museum": "museum",
        "in front of the school": "school",
        "in front of the house": "house",
        "at the market": "market",
        "in the town square": "square",
    },
    "indoors": {
        "in the kitchen": "kitchen",
        "in the living room": "living room",
        "on a [colour] sofa": "sofa",
        "on {a|} [colour] chair{|s}": "chair",
        "on a [colour] rug": "rug",
        "on a [colour] blanket": "blanket",
        "in {a|} [colour] cradle{|s}": "cradle",
        "under the table": "table",
        "by the window": "window",
        "by the fire": "fire",
        "on the stairs": "stairs",
        "in the library": "library",
        "in the classroom": "classroom",
        "at the office": "office",
        "in the cafe": "cafe",
        "in the shop": "shop",
        "at the cinema": "cinema",
        "on the stage": "stage",
        "in the gym": "gym",
        "on the train": "train",
        "in the barn": "barn",
    },
}
PLACE_NAMES = PLACES["outdoors"] | PLACES["indoors"]
SETTINGS = {phrase: setting for setting, phrases in PLACES.items() for phrase in phrases}
WEATHERS = {  # weather -> its adjective
    "rain": "rainy",
    "snow": "snowy",
    "sun": "sunny",
    "fog": "foggy",
    "wind": "windy",
}
TIMES = {
    "morning": "in the morning",
    "noon": "at noon",
    "afternoon": "in the afternoon",
    "evening": "in the evening",
    "night": "at night",
}
PARTS_OF_DAY = ("morning", "afternoon", "evening", "night")  # that a weather can describe: "on a rainy morning"

# --- what they do -----------------------------------------------------------------------------------------------------


class Activity(NamedTuple):
    """What `who` do and where, in which weathers and at what times if these are said.

    A phrase with {one|many} agrees with its subject: "riding {a horse|horses}". Weather is told out of doors only, and
    there the night only if `night` allows it. `season` rules what may be worn where no weather does: "beach", "winter".
    """

    name: str
    who: tuple[str, ...]
    phrases: tuple[str, ...]
    places: tuple[str, ...]
    weathers: tuple[str, ...]
    times: tuple[str, ...]
    season: str
    night: bool


def _subjects(who: str) -> tuple[str, ...]:
    return tuple(subject for word in who.split() for subject in GROUPS.get(word, word).split())


def _cells(text: str) -> tuple[str, ...]:
    return tuple(text.split(" / ")) if text else ()


def _do(
    name: str, who: str, phrases: str, places: str, weathers: str = "rain snow sun fog wind",
    times: str = "morning noon afternoon evening night", season: str = "", night: bool = False,
) -> Activity:  # fmt: skip
    return Activity(
        name,
        _subjects(who),
        _cells(phrases),
        _cells(places),
        tuple(weathers.split()),
        tuple(times.split()),
        season,
        night,
    )


SUN, FAIR, DRY, COLD, NOT_SNOW = "sun", "sun wind", "sun fog wind", "snow fog sun", "rain sun fog wind"
DAY = "morning noon afternoon"

# fmt: off
ACTIVITIES = (
    # People at rest.
    _do("reading", "people", "reading {a book|books} / reading {a magazine|magazines}",
        "on a [colour] bench / in the library / on the train / by the window / on a [colour] sofa / under a tree", SUN),
    _do("reading", "adult", "reading {a newspaper|newspapers} / reading {a letter|letters}",
        "on a [colour] bench / in the cafe / on the train / by the window", DRY),
    _do("waiting", "people", "waiting for a bus", "at the bus stop / on the street corner", night=True),
    _do("waiting", "people", "waiting for a train", "at the station", night=True),
    _do("waiting", "people", "waiting for a friend",
        "in front of the museum / in the cafe / on the bridge / in the town square", night=True),
    _do("sitting", "people", "sitting",
        "on a [colour] bench / on the stairs / on the grass / by the window / by the fire / on {a|} [colour] chair{|s}",
        FAIR),
    _do("standing", "people", "standing", "on the bridge / in front of the museum / on the balcony", night=True),
    _do("lying", "people", "lying", "on the beach / on the grass / under a tree", SUN, times=DAY, season="beach"),
    _do("sleeping", "people", "sleeping", "on a [colour] sofa / on the train / under a tree", SUN),
    _do("talking", "adult", "talking on {the phone|their phones}",
        "on a [colour] bench / in the cafe / on the street corner / at the station / on the balcony / at the office",
        night=True),
    _do("talking", "people", "talking to a friend", "in the park / in the cafe / on the train / on the stairs", DRY),
    _do("smiling", "people", "smiling at the camera",
        "in front of the museum / on the beach / in the garden / in front of the school / by the window", FAIR),
    _do("laughing", "people", "laughing", "in the cafe / at the cinema / in the park / in the classroom", FAIR),
    _do("watching", "people", "watching television", "on a [colour] sofa / in the living room"),
    _do("watching", "people", "watching a film", "at the cinema / on a [colour] sofa / in the classroom"),
    _do("watching", "people", "watching the sunset",
        "on the beach / on the bridge / by the lake", "", times=""),
    # People on the move.
    _do("walking", "people", "walking / walking {a dog|dogs}",
        "in the park / along the river / across the bridge / on the beach / through the forest / down the street",
        night=True),
    _do("running", "people", "running", "in the park / along the river / on the beach / through the forest"),
    _do("riding", "adult", "riding {a bicycle|bicycles} / riding {a motorcycle|motorcycles}",
        "down the street / across the bridge / down a country road", night=True),
    _do("riding", "child", "riding {a bicycle|bicycles} / riding {a scooter|scooters}",
        "in the park / down the street / along the river", NOT_SNOW),
    _do("riding", "people", "riding {a horse|horses}", "on the beach / through the field / through the forest"),
    _do("driving", "adult", "driving {a car|cars} / driving {a truck|trucks}",
        "down the street / across the bridge / down a country road / through the forest", night=True),
    _do("driving", "farmer", "driving {a tractor|tractors}", "through the field / down a country road"),
    _do("crossing", "people", "crossing the street", "in front of the school / in front of the station"),
    _do("carrying", "adult", "carrying {a basket|baskets} / carrying {a box|boxes} / carrying flowers",
        "across the bridge / down the street / in the town square"),
    _do("carrying", "people", "carrying {an umbrella|umbrellas}",
        "across the bridge / down the street / in the park", "rain", night=True),
    _do("swimming", "people", "swimming", "in the lake / in the river / in the sea", SUN, times=DAY, season="beach"),
    _do("skating", "people", "skating", "on the frozen lake", COLD, season="winter"),
    _do("skiing", "people", "skiing", "down the mountain / through the forest", COLD, times=DAY, season="winter"),
    _do("climbing", "adult", "climbing {a ladder|ladders}", "in the garden / in the library / on the farm", FAIR),
    _do("climbing", "child", "climbing {a tree|trees}", "in the garden / in the park / in the forest", FAIR),
    _do("jumping", "child", "jumping over {a puddle|puddles}", "in the park / on the street corner", "rain"),
    _do("chasing", "child", "chasing {a butterfly|butterflies}", "in the garden / through the field", SUN, times=DAY),
    # People and food.
    _do("cooking", "adult", "cooking soup / cooking fish", "in the kitchen / at the market / on the beach", FAIR),
    _do("baking", "people", "baking {a cake|cakes} / baking bread", "in the kitchen"),
    _do("eating", "people", "eating {an apple|apples} / eating {a sandwich|sandwiches} / eating ice cream",
        "in the park / on a [colour] bench / on the beach / in the kitchen / on the train", SUN),
    _do("eating", "adult", "eating soup / eating noodles", "in the kitchen / in the cafe / at the market", DRY),
    _do("drinking", "adult", "drinking coffee / drinking tea",
        "in the cafe / in the kitchen / on the balcony / on the porch / at the office / on the train", DRY),
    _do("drinking", "child", "drinking milk / drinking juice", "in the kitchen / in the garden / on the porch", SUN),
    _do("buying", "adult", "buying flowers / buying fruit / buying bread", "at the market / in the shop", times=DAY),
    _do("selling", "man woman person farmer", "selling flowers / selling fruit / selling fish",
        "at the market / on the street corner / in the town square", times=DAY),
    # People at work.
    _do("working", "adult", "working on {a laptop|laptops}",
        "in the cafe / in the library / at the office / on the train"),
    _do("writing", "people", "writing {a letter|letters}", "by the window / in the library / in the classroom"),
    _do("painting", "people", "painting {a picture|pictures}",
        "in the garden / in the classroom / by the river / on the balcony", SUN, times=DAY),
    _do("painting", "adult", "painting {a fence|fences}", "in the garden / on the farm / in front of the house", FAIR),
    _do("washing", "adult", "washing dishes / washing vegetables", "in the kitchen"),
    _do("washing", "adult", "washing {a car|cars}", "in front of the house / on the street corner", SUN),
    _do("washing", "child", "washing {a dog|dogs}", "in the garden / on the grass", SUN),
    _do("sweeping", "adult", "sweeping the floor", "in the kitchen / in the shop / in the barn / in the gym"),
    _do("planting", "people", "planting flowers / planting {a tree|trees}", "in the garden / on the farm", FAIR),
    _do("picking", "people", "picking apples / picking flowers", "in the garden / on the farm", FAIR, times=DAY),
    _do("building", "man woman worker farmer", "building {a wall|walls}", "in the garden / on the farm", FAIR),
    _do("feeding", "people", "feeding the ducks", "by the lake / in the park / by the river"),
    _do("feeding", "farmer child", "feeding the cows / feeding the goats / feeding the horses",
        "on the farm / in the barn"),
    # People at play.
    _do("fishing", "people", "fishing", "by the lake / by the river / from a [colour] boat", NOT_SNOW),
    _do("taking photos", "adult", "taking photos",
        "in front of the museum / on the bridge / at the market / on the mountain / in the town square", night=True),
    _do("playing music", "people", "playing {the guitar|guitars} / playing {the violin|violins} / playing the drums",
        "on the stage / on the street corner / in the town square / in the living room", FAIR, night=True),
    _do("singing", "people", "singing {a song|songs}",
        "on the stage / in the classroom / in the town square", FAIR, night=True),
    _do("dancing", "people", "dancing",
        "on the stage / in the town square / in the living room / on the beach", NOT_SNOW, night=True),
    _do("playing sports", "people", "playing football", "in the park / on the beach / in the field", NOT_SNOW),
    _do("playing sports", "people", "playing tennis / playing basketball", "in the park / in the gym", FAIR),
    _do("playing games", "people", "playing chess / playing cards",
        "in the park / in the cafe / on the train / in the living room", SUN),
    _do("playing", "child", "playing with a ball", "in the park / at the playground / on the beach", FAIR),
    _do("playing", "child", "playing with toys", "in the living room / on a [colour] rug / in the classroom"),
    _do("flying a kite", "people", "flying {a kite|kites}",
        "on the beach / in the park / in the field", FAIR, times=DAY),
    _do("building", "child", "building {a sandcastle|sandcastles}", "on the beach", SUN, times=DAY, season="beach"),
    _do("building", "child", "building {a snowman|snowmen}",
        "in the garden / in the park", "snow", times=DAY, season="winter"),
    # Babies.
    _do("sleeping", "baby", "sleeping",
        "on a [colour] sofa / on a [colour] blanket / in {a|} [colour] cradle{|s} / on the train"),
    _do("crying", "baby", "crying",
        "in {a|} [colour] cradle{|s} / on a [colour] blanket / on the train / in the living room"),
    _do("laughing", "baby", "laughing",
        "on a [colour] blanket / in {a|} [colour] cradle{|s} / in the kitchen / on the grass", SUN),
    _do("crawling", "baby", "crawling", "on a [colour] rug / on the grass / in the living room", SUN, times=DAY),
    _do("playing", "baby", "playing with toys / playing with a ball",
        "on a [colour] rug / on a [colour] blanket / on the grass", SUN, times=DAY),
    _do("drinking", "baby", "drinking milk", "on a [colour] sofa / on a [colour] blanket / in the kitchen"),
    # Dogs and cats.
    _do("sleeping", "dog cat", "sleeping",
        "on a [colour] sofa / on a [colour] rug / by the fire / under the table / on the porch", night=True),
    _do("lying", "dog cat", "lying", "on the grass / on the porch / by the fire / on {a|} [colour] chair{|s}", SUN),
    _do("sitting", "dog", "sitting", "on the porch / in front of the house / by the fire / on the stairs", NOT_SNOW),
    _do("sitting", "cat", "sitting",
        "on the roof / by the window / on the fence / on {a|} [colour] chair{|s} / on the stairs", DRY, night=True),
    _do("walking", "dog cat", "walking", "down the street / along the river / in the garden", night=True),
    _do("running", "dog", "running", "in the park / on the beach / through the forest / through the field"),
    _do("swimming", "dog", "swimming", "in the lake / in the river / in the sea", SUN),
    _do("eating", "dog cat", "eating from {a bowl|bowls}", "in the kitchen / on the porch / under the table"),
    _do("drinking", "dog cat", "drinking water", "in the kitchen / on the porch / by the river"),
    _do("playing", "dog", "playing with a ball / playing with {a stick|sticks}",
        "in the park / on the beach / in the garden"),
    _do("playing", "cat", "playing with a ball / playing with a toy",
        "in the living room / on a [colour] rug / under the table"),
    _do("jumping", "dog horse", "jumping over {a fence|fences}", "in the field / on the farm"),
    _do("jumping", "cat", "jumping over {a fence|fences}", "in the garden / on the farm"),
    _do("chasing", "dog", "chasing a ball / chasing {a cat|cats} / chasing {a rabbit|rabbits}",
        "in the park / through the field / in the garden"),
    _do("chasing", "cat", "chasing {a mouse|mice}", "in the barn / in the kitchen / in the garden", night=True),
    _do("chasing", "cat", "chasing {a butterfly|butterflies}", "in the garden / in the field", SUN, times=DAY),
    _do("digging", "dog", "digging {a hole|holes}", "in the garden / on the beach / under a tree"),
    _do("carrying", "dog", "carrying {a stick|sticks}",
        "in the park / along the river / across the bridge / through the forest"),
    _do("climbing", "cat", "climbing {a tree|trees}", "in the garden / in the park", DRY, night=True),
    _do("watching", "cat", "watching {a bird|birds}", "by the window / in the garden / on the balcony", times=DAY),
    # Horses, cows and goats.
    _do("sleeping", "grazer", "sleeping", "in the barn / under a tree / in the field", night=True),
    _do("standing", "grazer", "standing", "in the field / in the barn / by the fence / under a tree", night=True),
    _do("walking", "grazer", "walking", "through the field / along the river / down a country road"),
    _do("eating", "grazer", "eating grass", "in the field / by the river / on the farm", NOT_SNOW),
    _do("eating", "grazer", "eating hay", "in the barn / on the farm"),
    _do("drinking", "grazer", "drinking water", "by the river / by the lake / on the farm"),
    _do("lying", "cow goat", "lying", "on the grass / under a tree", FAIR),
    _do("running", "horse", "running", "through the field / on the beach / along the river"),
    _do("pulling", "horse", "pulling {a cart|carts}", "down a country road / across the bridge / through the field"),
    _do("climbing", "goat", "climbing {a rock|rocks}", "on the mountain / by the river", DRY),
    # Rabbits and birds.
    _do("sleeping", "rabbit", "sleeping", "under a tree / in the garden / in the barn", FAIR),
    _do("sitting", "rabbit", "sitting", "on the grass / in the garden / by the fence / under a tree"),
    _do("jumping", "rabbit", "hopping", "through the field / in the garden / through the forest / on the grass"),
    _do("eating", "rabbit", "eating {a carrot|carrots} / eating grass",
        "in the garden / in the field / by the fence", NOT_SNOW),
    _do("digging", "rabbit", "digging {a hole|holes}", "in the garden / in the field / under a tree", DRY),
    _do("flying", "bird duck", "flying", "over the lake / over the roofs / above the trees / over the field"),
    _do("singing", "bird", "singing", "in a tree / on the roof / on the fence / in the garden", NOT_SNOW),
    _do("sitting", "bird", "sitting", "in a tree / on the roof / on the fence / on the balcony"),
    _do("building", "bird", "building {a nest|nests}", "in a tree / on the roof / in the barn", FAIR, times=DAY),
    _do("eating", "bird duck", "eating bread / eating seeds", "in the park / by the lake / in the garden"),
    _do("drinking", "bird", "drinking water", "by the river / by the lake", DRY),
    _do("swimming", "duck", "swimming", "on the lake / in the river"),
    _do("walking", "duck", "walking", "along the river / through the field / down a country road"),
    _do("crossing", "duck", "crossing the street", "in front of the school / in front of the station"),
    _do("sleeping", "duck", "sleeping", "by the lake / on the grass / by the river", FAIR, night=True),
    # What is worn, said as what is done.
    _do("wearing", "people", "wearing", "in the park / at the station / at the market / on the street corner"),
    _do("wearing", "people", "wearing", "on the train / in the cafe / in the library / in the classroom"),
    _do("wearing", "people", "wearing", "on the beach / in the garden / on the bridge / in front of the school"),
)
# fmt: on

# --- what they wear ---------------------------------------------------------------------------------------------------


class Garment(NamedTuple):
    """What `who` wear when it is `when`: the weather or the season that is told, or "mild" if none is.

    `where` and `doing` narrow it to phrases of place and names of activities; empty is any.
    """

    name: str
    phrase: str
    who: tuple[str, ...]
    when: tuple[str, ...]
    where: tuple[str, ...]
    doing: tuple[str, ...]
    preposition: str


def _wear(
    name: str, phrase: str, who: str, when: str, *, where: str = "", doing: str = "", preposition: str = "in"
) -> Garment:
    places = tuple(PLACES["outdoors"]) if where == "outdoors" else _cells(where)
    return Garment(name, phrase, _subjects(who), tuple(when.split()), places, _cells(doing), preposition)


ALWAYS = "mild rain snow sun fog wind winter beach"
COOL, WARM, COLD_OR_WET = "mild snow fog wind winter", "mild sun fog wind", "mild rain snow fog wind"
HOME = "on a [colour] sofa / by the window / in the kitchen / in the living room / by the fire / on a [colour] rug"
SMART = (
    "reading / waiting / standing / sitting / talking / smiling / drinking / working / writing / crossing / carrying"
    " / driving / playing music / singing / dancing / wearing"
)
ON_THE_WAY = "walking / waiting / standing / crossing / riding / taking photos / smiling / climbing / wearing"
SADDLED = "standing / walking / running"

# fmt: off
GARMENTS = (
    _wear("jacket", "{a|} [colour] jacket{|s}", "people", COLD_OR_WET + " winter"),
    _wear("coat", "{a|} [colour] coat{|s}", "people", COLD_OR_WET),
    _wear("sweater", "{a|} [colour] sweater{|s}", "people baby", COOL),
    _wear("t-shirt", "{a|} [colour] t-shirt{|s}", "people", WARM),
    _wear("shorts", "[colour] shorts", "people", "mild sun beach"),
    _wear("dress", "{a|} [colour] dress{|es}", "woman girl", WARM),
    _wear("suit", "{a|} [colour] suit{|s}", "man woman", WARM, doing=SMART),
    _wear("uniform", "{a|} [colour] uniform{|s}", "nurse worker student", WARM, doing=SMART),
    _wear("hat", "{a|} [colour] hat{|s}", "people baby", ALWAYS),
    _wear("scarf", "{a|} [colour] scar{f|ves}", "people", COOL),
    _wear("raincoat", "{a|} [colour] raincoat{|s}", "people", "mild rain", where="outdoors"),
    _wear("boots", "[colour] boots", "people", "mild rain snow", where="outdoors"),
    _wear("gloves", "[colour] gloves", "people", "snow winter", where="outdoors"),
    _wear("sunglasses", "sunglasses", "people", "sun beach", where="outdoors"),
    _wear("swimsuit", "{a|} [colour] swimsuit{|s}", "people", "beach"),
    _wear("helmet", "{a|} [colour] helmet{|s}", "people", ALWAYS, doing="riding / skating / skiing"),
    _wear("apron", "{a|} [colour] apron{|s}", "people", "mild sun",
          doing="cooking / baking / painting / washing / selling / sweeping"),
    _wear("pajamas", "[colour] pajamas", "people baby", "mild", where=HOME,
          doing="reading / sleeping / watching / drinking / sitting / playing / crawling"),
    _wear("backpack", "{a|} [colour] backpack{|s}", "people", ALWAYS, doing=ON_THE_WAY, preposition="with"),
    _wear("collar", "{a|} [colour] collar{|s}", "dog cat", ALWAYS, preposition="with"),
    _wear("coat", "{a|} [colour] coat{|s}", "dog", "snow"),
    _wear("saddle", "{a|} [colour] saddle{|s}", "horse", ALWAYS, doing=SADDLED, preposition="with"),
    _wear("bell", "{a bell around its neck|bells around their necks}", "cow goat", ALWAYS, preposition="with"),
)
MISSED = (  # what one can be told to be without, or not to wear
    _wear("helmet", "{a|} helmet{|s}", "people", ALWAYS, doing="riding / skating / skiing"),
    _wear("umbrella", "{a|} umbrella{|s}", "people", "rain",
          doing="walking / waiting / standing / crossing / talking / taking photos / selling"),
    _wear("coat", "{a|} coat{|s}", "people", "rain snow"),
    _wear("hat", "{a|} hat{|s}", "people", "snow sun"),
    _wear("hat", "{a|} hat{|s}", "people", "mild fog wind", doing="wearing"),
    _wear("jacket", "{a|} jacket{|s}", "people", "mild fog wind", doing="wearing"),
    _wear("gloves", "gloves", "people", "snow"),
    _wear("sunglasses", "sunglasses", "people", "sun", doing="wearing / driving"),
    _wear("shoes", "shoes", "people", "mild sun beach",
          doing="wearing / walking / running / dancing / playing sports / playing"),
    _wear("apron", "{a|} apron{|s}", "people", "mild", doing="cooking / baking"),
    _wear("collar", "{a|} collar{|s}", "dog cat", ALWAYS),
    _wear("saddle", "{a|} saddle{|s}", "horse", ALWAYS, doing=SADDLED),
)
# fmt: on
COLOURS = ("red", "blue", "green", "yellow", "orange", "black", "white")

# --- one scene --------------------------------------------------------------------------------------------------------


class Moment(NamedTuple):
    """A time, a weather, both or neither, and how they are said."""

    time: str
    weather: str
    words: str
    first: bool
    """Whether the words may open the sentence."""


NEVER = Moment("none", "none", "", False)
MOMENTS = (
    *(Moment(time, "none", words, True) for time, words in TIMES.items()),
    *(Moment("none", weather, f"in the {weather}", False) for weather in WEATHERS),
    *(Moment("none", weather, f"on a {adjective} day", True) for weather, adjective in WEATHERS.items()),
    *(
        Moment(time, weather, f"on a {adjective} {time}", True)
        for weather, adjective in WEATHERS.items()
        for time in PARTS_OF_DAY
        if weather != "sun" or time in ("morning", "afternoon")
    ),
)


WEARING = "wearing"  # the activity that says the garment itself


class Scene(NamedTuple):
    """All the choices behind one sentence; `words` says it and `factors` labels it."""

    subject: str  # of SUBJECTS, or "nobody"
    number: str  # of NUMBERS, or "none": "there is no dog sleeping"
    many: bool  # the grammatical number
    trait: str
    activity: Activity
    phrase: str  # of the activity
    place: str  # of the activity, or ""
    moment: Moment
    garment: Garment | None = None
    colour: str = "none"
    coloured: str = ""  # what has the colour: "coat" (an animal's own), "garment" or "place"
    missed: bool = False  # the garment is not there: "a man without a helmet is ..."
    negated: bool = False  # it is not done: "is not sleeping", "nobody is sleeping", "there is no dog sleeping"
    exists: bool = False  # "there is a dog sleeping"
    moment_first: bool = False


def words(scene: Scene) -> str:
    """The sentence: lower case, one space between tokens, a full stop at the end."""
    garment, does = "", _agree(scene.phrase, scene)
    if scene.garment:
        garment = _agree(scene.garment.phrase, scene, "garment")
    if scene.activity.name == WEARING:
        does = f"wearing {garment}"
    elif scene.garment:
        garment = f"{'without' if scene.missed else scene.garment.preposition} {garment}"
    collective = scene.number == "group" and (scene.exists or SUBJECTS[scene.subject].group != "a group of")
    be = "are" if scene.many and not collective else "is"  # "there is a group of men ...", "a group of men are ..."
    who = _who(scene, "" if scene.activity.name == WEARING else garment)
    if scene.exists:
        clause = f"there {be} {who} {does}"
    elif scene.negated and scene.subject != "nobody":
        clause = f"{who} {be} not {does}"
    else:
        clause = f"{who} {be} {does}"
    clause = f"{clause} {_agree(scene.place, scene, 'place')}".rstrip()
    if scene.moment.words:
        clause = f"{scene.moment.words} , {clause}" if scene.moment_first else f"{clause} {scene.moment.words}"
    return re.sub(r"\ba (?=[aeiou])(?!uniform)", "an ", clause) + " ."


def factors(scene: Scene) -> dict[str, str]:
    """The label of each of `FACTORS`."""
    return {
        "subject": scene.subject,
        "kind": SUBJECTS[scene.subject].kind if scene.subject in SUBJECTS else "none",
        "number": scene.number,
        "trait": scene.trait,
        "garment": scene.garment.name if scene.garment else "none",
        "colour": scene.colour,
        "activity": scene.activity.name,
        "place": PLACE_NAMES.get(scene.place, "none"),
        "setting": SETTINGS.get(scene.place, "none"),
        "time": scene.moment.time,
        "weather": scene.moment.weather,
        "polarity": "negative" if scene.negated or scene.missed else "affirmative",
    }


def _who(scene: Scene, worn: str) -> str:
    if scene.subject == "nobody":
        return "nobody"
    subject = SUBJECTS[scene.subject]
    count = {"one": "a", "none": "no", "group": subject.group}.get(scene.number, scene.number)
    trait = "" if scene.trait == "none" else scene.trait
    coat = scene.colour if scene.coloured == "coat" else ""
    noun = subject.plural if scene.many else subject.singular
    return " ".join(filter(None, (count, trait, coat, noun, worn)))


def _agree(phrase: str, scene: Scene, thing: str = "") -> str:
    """The phrase with its {one|many} decided, and its [colour] filled in if the colour is said of the `thing`."""
    phrase = re.sub(r"{(.*?)\|(.*?)}", r"\2" if scene.many else r"\1", phrase)
    return " ".join(phrase.replace("[colour]", scene.colour if scene.coloured == thing else "").split())


# --- what goes with what ----------------------------------------------------------------------------------------------


@cache
def activities_of(subject: str) -> tuple[Activity, ...]:
    """What a subject can do; nobody can do what a person can."""
    return tuple(activity for activity in ACTIVITIES if ("person" if subject == "nobody" else subject) in activity.who)


@cache
def places_of(activity: Activity) -> tuple[str, ...]:
    """The phrases of place, "" among them where the activity makes a sentence without one."""
    return activity.places + (("",) if " " in activity.phrases[0] else ())


@cache
def moments_of(subject: str, activity: Activity, place: str) -> tuple[Moment, ...]:
    """The times and weathers that can be said: weather and the rules of night are for out of doors."""
    outdoors = all(SETTINGS[phrase] == "outdoors" for phrase in ([place] if place else activity.places))
    weathers = ("none", *(activity.weathers if outdoors else ()))
    by_day = outdoors and (not activity.night or (subject in SUBJECTS and SUBJECTS[subject].kind == "child"))
    times = ("none", *(time for time in activity.times if time != "night" or not by_day))
    return tuple(moment for moment in MOMENTS if moment.weather in weathers and moment.time in times)


@cache
def garments_of(
    subject: str, activity: Activity, place: str, weather: str, missed: bool = False
) -> tuple[Garment, ...]:
    """What the subject can wear there and then, or can be told to go without."""
    when = activity.season or ("mild" if weather == "none" else weather)
    return tuple(
        garment
        for garment in (MISSED if missed else GARMENTS)
        if ("person" if subject == "nobody" else subject) in garment.who
        and when in garment.when
        and (not garment.where or place in garment.where)
        and (not garment.doing or activity.name in garment.doing)
    )


def colours_of(scene: Scene) -> dict[str, tuple[str, ...]]:
    """What could be said to have a colour in this scene, and which colours."""
    colours: dict[str, tuple[str, ...]] = {}
    if scene.garment and "[colour]" in scene.garment.phrase:
        colours["garment"] = COLOURS
    if scene.subject in COATS and scene.number != "none":
        colours["coat"] = COATS[scene.subject]
    if "[colour]" in scene.place:
        colours["place"] = COLOURS
    return colours


@cache
def distinct_sentences(subjects: tuple[str, ...] = tuple(SUBJECTS)) -> int:
    """How many affirmative sentences begin with one of these subjects and end with the moment, if one is told.

    Each choice among these changes the text, so this is exact for them and a lower bound for the grammar.
    """
    total = 0
    for subject in subjects:
        traits = 1 + len(TRAITS.get(subject, TRAITS[SUBJECTS[subject].kind]))
        for activity in activities_of(subject):
            for place in places_of(activity):
                for moment in (NEVER, *moments_of(subject, activity, place)):
                    bare = () if activity.name == WEARING else (None,)
                    for garment in (*bare, *garments_of(subject, activity, place, moment.weather)):
                        scene = Scene(subject, "one", False, "none", activity, "", place, moment, garment)
                        looks = 1 + sum(map(len, colours_of(scene).values()))
                        total += len(activity.phrases) * len(set(NUMBERS)) * traits * looks
    return total


# --- drawing ----------------------------------------------------------------------------------------------------------

Choice = TypeVar("Choice")
STYLES = ("yes",) * 15 + ("nobody", "no", "not", "not", "not")
CHANCE_OF_COLOUR = {"garment": 0.7, "coat": 0.3, "place": 0.3}


def _pick(rng: random.Random, choices: Sequence[Choice]) -> Choice:
    return choices[int(rng.random() * len(choices))]


def draw(rng: random.Random) -> Scene:
    """A scene at random: each choice uniform over what the earlier ones allow, apart from the chances written here.

    The chances keep the factors apart from number about evenly spread, and a sentence at about 14 nats of information,
    which a code of 32 dimensions can carry at a moderate KL.
    """
    style = _pick(rng, STYLES)
    subject = "nobody" if style == "nobody" else _pick(rng, tuple(SUBJECTS))
    number = "none" if style in ("nobody", "no") else _pick(rng, NUMBERS)
    many = rng.random() < 0.5 if style == "no" else number not in ("one", "none")
    trait = "none"
    if number != "none" and rng.random() < 0.22:
        trait = _pick(rng, TRAITS.get(subject) or TRAITS[SUBJECTS[subject].kind])

    activity = _pick(rng, activities_of(subject))
    phrase = _pick(rng, activity.phrases)
    place = _pick(rng, activity.places) if rng.random() < 0.95 else _pick(rng, places_of(activity))
    moment = _moment(rng, moments_of(subject, activity, place))

    garment, missed = None, False
    lacking = garments_of(subject, activity, place, moment.weather, missed=True) if style != "yes" else ()
    if activity.name == WEARING:
        garment = _pick(rng, lacking or garments_of(subject, activity, place, moment.weather))
    elif style == "not" and lacking and rng.random() < 0.6:
        garment, missed = _pick(rng, lacking), True
    elif number != "none" and rng.random() < 0.35:
        garment = _pick(rng, (*garments_of(subject, activity, place, moment.weather), None))

    scene = Scene(
        subject,
        number,
        many,
        trait,
        activity,
        phrase,
        place,
        moment,
        garment,
        missed=missed,
        negated=style in ("nobody", "no") or (style == "not" and not missed),
        exists=style == "no" or (style == "yes" and rng.random() < 0.1),
        moment_first=moment.first and rng.random() < 0.15,
    )
    for thing, colours in colours_of(scene).items():
        if rng.random() < CHANCE_OF_COLOUR[thing]:
            return scene._replace(colour=_pick(rng, colours), coloured=thing)
    return scene


def _moment(rng: random.Random, moments: tuple[Moment, ...]) -> Moment:
    """None in more than half; otherwise first the weather, then the time, so that each is told about equally often."""
    if not moments or rng.random() < 0.55:
        return NEVER
    weather = _pick(rng, sorted({moment.weather for moment in moments}))
    time = _pick(rng, sorted({moment.time for moment in moments if moment.weather == weather}))
    return _pick(rng, [moment for moment in moments if (moment.time, moment.weather) == (time, weather)])


def load(*, sizes: Mapping[str, int | None], seed: int) -> Splits:
    """Distinct captions with their factors.

    Args:
        sizes: sentences a split; None is 20,000 for train and 2,000 for valid and test.
        seed: any integer; another seed draws other sentences.

    Raises:
        ValueError: more sentences are wanted than can be made.
    """
    require_sizes(sizes)
    wanted = {name: sizes[name] or DEFAULT_SIZES[name] for name in SPLITS}
    shares = {"train": 1 - sum(SHARES.values())} | SHARES
    draws = max(wanted[name] / shares[name] for name in SPLITS)  # if each one is new, and nearly each is
    rows: dict[str, dict[str, dict[str, str]]] = {name: {} for name in SPLITS}
    to_do = sum(wanted.values())
    rng = random.Random(str(seed))
    possible = draws <= 1_000_000 or draws <= distinct_sentences()  # counting takes its time
    for _ in range(1_000 + int(4 * draws) if possible else 0):
        scene = draw(rng)
        text = words(scene)
        name = split_of(text, **SHARES)
        if text in rows[name] or len(rows[name]) == wanted[name]:
            continue
        rows[name][text] = factors(scene)
        to_do -= 1
        if not to_do:
            return Splits(**{name: _frame(rows[name]) for name in SPLITS}, note="")
    asked = ", ".join(f"{size:,} for {name}" for name, size in wanted.items())
    raise ValueError(f"The captions cannot make {asked}: ask for fewer sentences.")


def _frame(rows: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    return frame({"text": list(rows)} | {factor: [row[factor] for row in rows.values()] for factor in FACTORS})
