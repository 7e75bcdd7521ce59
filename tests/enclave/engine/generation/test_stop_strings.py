"""A stop string never shows, nothing of the text before it is lost, and pieces do not matter."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from enclave.engine.generation.stop_strings import StopStrings

TEXTS = st.text("ab\né", max_size=20)
STRINGS = st.lists(st.text("ab\né", min_size=1, max_size=4), max_size=4)


def expected(text: str, strings: list[str]) -> tuple[str, bool]:
    """By definition: the shortest beginning that ends with a stop string, without the longest such string."""
    for end in range(1, len(text) + 1):
        if found := [string for string in strings if text[:end].endswith(string)]:
            return text[: end - max(map(len, found))], True
    return text, False


@given(st.lists(TEXTS, max_size=5), STRINGS)
@example(["a", "b"], ["ab"])
@example(["ab", "ba"], ["abba", "bb"])
@example(["aab"], ["ab", "aab"])
def test_the_text_ends_before_the_first_stop_string(pieces: list[str], strings: list[str]) -> None:
    stop = StopStrings(strings)
    shown = ""
    for piece in pieces:
        shown += stop.push(piece)
        if stop.met:
            break
    assert (shown + ("" if stop.met else stop.flush()), stop.met) == expected("".join(pieces), strings)


@given(st.text("ab\n", max_size=20), STRINGS)
def test_only_what_could_begin_a_stop_string_is_withheld(text: str, strings: list[str]) -> None:
    stop = StopStrings(strings)
    shown = stop.push(text)
    if not stop.met:
        withheld = text[len(shown) :]
        assert not withheld or any(string.startswith(withheld) for string in strings)
        assert not any(re.search(re.escape(string), text) for string in strings)


def test_without_stop_strings_nothing_is_withheld() -> None:
    stop = StopStrings(())
    assert stop.push("text") == "text"
    assert stop.flush() == ""
