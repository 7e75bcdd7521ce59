"""Tokens to whole characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as HFTokenizer
from tokenizers import decoders, models

from enclave.engine.generation.stream_decoder import StreamDecoder
from enclave.engine.tokenization import Tokenizer
from tests.enclave.engine.packages import Package


@pytest.fixture(scope="session")
def tokenizer(decoder_package: Package) -> Tokenizer:
    return Tokenizer.from_bytes(decoder_package.tokenizer)


def test_an_emoji_comes_out_whole(tokenizer: Tokenizer) -> None:
    stream = StreamDecoder(tokenizer)
    tokens = tokenizer.encode_text("a😀b")
    assert len(tokens) == 6
    assert [stream.push(token) for token in tokens] == ["a", "", "", "", "😀", "b"]
    assert stream.flush() == ""


def test_an_unfinished_character_is_marked_at_the_end(tokenizer: Tokenizer) -> None:
    stream = StreamDecoder(tokenizer)
    assert [stream.push(token) for token in tokenizer.encode_text("é")[:1]] == [""]
    assert stream.flush() == "\ufffd"


def test_endless_rubbish_does_not_pile_up(tokenizer: Tokenizer) -> None:
    stream = StreamDecoder(tokenizer)
    start_of_four = tokenizer.encode_text("😀")[0]
    pieces = [stream.push(start_of_four) for _ in range(64)]
    assert pieces == ["", *["\ufffd"] * 63]
    assert stream.flush() == "\ufffd"


def test_tokens_without_text_are_passed_over(tokenizer: Tokenizer) -> None:
    [control] = {span.token for span in tokenizer.control_spans("<|im_end|>")}
    silent = [control, tokenizer.ids + 5] * 32
    first, *rest = tokenizer.encode_text("\U0001f600")
    stream = StreamDecoder(tokenizer)
    assert "".join(map(stream.push, [*silent, first, *silent, *rest, *silent])) == "\U0001f600"


def test_spaces_between_words_survive_the_pieces() -> None:
    tokenizer = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "b": 2, "##c": 3}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    stream = StreamDecoder(Tokenizer.from_bytes(tokenizer.to_str().encode()))
    assert [stream.push(token) for token in (1, 2, 3, 1)] == ["a", " b", "c", " a"]


@given(st.text(max_size=64))
def test_pieces_add_up_to_the_text(tokenizer: Tokenizer, text: str) -> None:
    stream = StreamDecoder(tokenizer)
    pieces = [stream.push(token) for token in tokenizer.encode_text(text)]
    assert "".join(pieces) + stream.flush() == text
    assert all("\ufffd" not in piece for piece in pieces) or "\ufffd" in text


@given(st.lists(st.integers(0, 258), max_size=64))
def test_pieces_add_up_to_what_the_tokenizer_says(tokenizer: Tokenizer, tokens: list[int]) -> None:
    stream = StreamDecoder(tokenizer)
    pieces = [stream.push(token) for token in tokens]
    assert "".join(pieces) + stream.flush() == tokenizer.decode(tokens)
