"""What is asked: texts and prompts of a certain length in tokens, each different, the same in every run."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable

_WORDS = (
    "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state",
    "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company", "system",
    "program", "question", "work", "government", "number", "night", "point", "home", "water", "room", "mother",
    "area", "money", "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business",
    "issue", "side", "kind", "head", "house", "service", "friend", "father", "power", "hour", "game", "line", "end",
    "member", "law", "car", "city", "community", "name", "president", "team", "minute", "idea", "body", "parent",
)  # fmt: skip
"""Each is one token of most English vocabularies."""

Count = Callable[[str], int]
"""The number of tokens of a text."""


def texts_of(tokens: int, number: int, count: Count, seed: int = 0) -> list[str]:
    """That many texts of exactly so many tokens, what the tokenizer puts around a text included."""
    source, texts = random.Random(seed), dict[str, None]()
    while len(texts) < number:
        words = " ".join(source.choices(_WORDS, k=tokens))
        text = words[: bisect_right(range(len(words) + 1), tokens, key=lambda end: count(words[:end])) - 1]
        if count(text) == tokens:  # a word that is cut may be more tokens than when it is whole
            texts[text] = None
    return list(texts)
