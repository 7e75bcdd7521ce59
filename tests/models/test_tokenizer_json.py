import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from strongroom.models.errors import SourceInvalid
from strongroom.models.tokenizer_json import byte_alphabet, byte_level_bpe, without_limits

SPECIAL = ["<s>", "</s>"]
TOKENS = [*SPECIAL, *byte_alphabet(), "he", "ll", "hell", "12"]
MERGES = [("h", "e"), ("l", "l"), ("he", "ll"), ("1", "2")]


def tokenizer(frame: tuple[str, str] | None = None) -> Tokenizer:
    return Tokenizer.from_str(byte_level_bpe(TOKENS, MERGES, SPECIAL, frame=frame).decode())


def test_a_token_given_twice_is_refused() -> None:
    with pytest.raises(SourceInvalid, match="different tokens"):
        byte_level_bpe([*TOKENS, "he"], MERGES, SPECIAL)


def test_a_special_token_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(SourceInvalid, match="'<pad>'"):
        byte_level_bpe(TOKENS, MERGES, [*SPECIAL, "<pad>"])
    with pytest.raises(SourceInvalid, match="'<cls>'"):
        byte_level_bpe(TOKENS, MERGES, SPECIAL, frame=("<cls>", "</s>"))


def test_a_merge_into_no_token_is_refused() -> None:
    with pytest.raises(SourceInvalid, match="tokenizers library"):
        byte_level_bpe(TOKENS, [*MERGES, ("q", "z")], SPECIAL)


@pytest.mark.parametrize("published", [b"", b"{", b"\xff", b"[]", b"7", b'{"version": "1.0"}'])
def test_a_published_file_that_is_no_tokenizer_is_refused(published: bytes) -> None:
    with pytest.raises(SourceInvalid):
        without_limits(published)


def test_merges_apply_and_digits_stay_single() -> None:
    assert tokenizer().encode("hello 12").tokens == ["hell", "o", "Ġ", "1", "2"]


def test_special_tokens_are_recognised_whole() -> None:
    assert tokenizer().encode("<s>he</s>").ids == [0, TOKENS.index("he"), 1]


@pytest.mark.parametrize("text", ["", "naïve café", "日本語", "🙂👩‍👩‍👧 x", "a\n\n\tb ", "\x00\x7f"])
def test_text_survives(text: str) -> None:
    assert tokenizer().decode(tokenizer().encode(text).ids, skip_special_tokens=False) == text


@given(st.text(max_size=50).filter(lambda text: "<" not in text))
def test_any_text_survives(text: str) -> None:
    assert tokenizer().decode(tokenizer().encode(text).ids, skip_special_tokens=False) == text


def test_a_frame_stands_around_each_text() -> None:
    framed = tokenizer(("<s>", "</s>"))
    assert framed.encode("").ids == [0, 1]
    assert framed.encode("he").ids == [0, TOKENS.index("he"), 1]
    assert framed.encode("he", "he").type_ids == [0, 0, 0, 1, 1]


def test_published_limits_are_taken_out_and_nothing_else() -> None:
    published = json.loads(byte_level_bpe(TOKENS, MERGES, SPECIAL))
    limits = {
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 9},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "<s>",
        },
    }
    limited = json.dumps(published | limits).encode()
    assert len(Tokenizer.from_str(limited.decode()).encode("abc")) == 9
    assert len(Tokenizer.from_str(without_limits(limited).decode()).encode("abc")) == 3
    assert json.loads(without_limits(limited)) == published
