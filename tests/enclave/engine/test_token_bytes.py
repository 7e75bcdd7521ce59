"""The bytes of tokens, in both kinds of vocabulary that have tokens for parts of characters."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer as HFTokenizer
from tokenizers import decoders, models
from tokenizers.pre_tokenizers import ByteLevel

from enclave.engine.generation.stream_decoder import StreamDecoder
from enclave.engine.token_bytes import spelled_bytes
from enclave.engine.tokenization import Tokenizer
from tests.enclave.engine.packages import Package


@pytest.fixture(scope="module")
def byte_level(decoder_package: Package) -> Tokenizer:
    return Tokenizer.from_bytes(decoder_package.tokenizer)


FALLBACK = ["<unk>", "<s>", "▁a", "▁b", "a", "▁", *(f"<0x{byte:02X}>" for byte in range(256))]


@pytest.fixture(scope="module")
def fallback() -> Tokenizer:
    """As SentencePiece models are converted: a space before the text is its own, bytes stand for what is unknown."""
    vocabulary = {spelling: token for token, spelling in enumerate(FALLBACK)}
    tokenizer = HFTokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return Tokenizer.from_bytes(tokenizer.to_str().encode())


def of(*spellings: str) -> list[int]:
    return [FALLBACK.index(spelling) for spelling in spellings]


def told(tokenizer: Tokenizer, tokens: list[int]) -> tuple[list[bytes], str]:
    """The bytes of each token as it comes, and the text of all."""
    stream, found, text = StreamDecoder(tokenizer), [], ""
    for token in tokens:
        found.append(stream.bytes_of(token))
        text += stream.push(token)
    return found, text + stream.flush()


def test_every_byte_has_a_character_in_byte_level_vocabularies() -> None:
    assert {spelled_bytes(character) for character in ByteLevel.alphabet()} == {bytes([byte]) for byte in range(256)}
    text = "\x00 naïve 日本 😀\n"
    [(spelling, _)] = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    assert spelled_bytes(spelling) == text.encode()


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [("<0xE2>", b"\xe2"), ("<0x0A>", b"\n"), ("<0xe2>", b"<0xe2>"), ("▁a", "▁a".encode()), ("", b"")],
)
def test_how_tokens_are_spelled(spelling: str, expected: bytes) -> None:
    assert spelled_bytes(spelling) == expected


def test_bytes_of_a_byte_level_vocabulary(byte_level: Tokenizer) -> None:
    text = "a é€ 😀\n\ufffd"
    found, shown = told(byte_level, byte_level.encode_text(text))
    assert b"".join(found) == text.encode()
    assert shown == text


def test_bytes_of_a_vocabulary_that_falls_back_to_bytes(fallback: Tokenizer) -> None:
    found, shown = told(fallback, of("▁a", "a", "<0xE2>", "<0x82>", "<0xAC>", "▁b", "<0x0A>", "▁", "<0xC3>"))
    assert found == [b"a", b"a", b"\xe2", b"\x82", b"\xac", b" b", b"\n", b" ", b"\xc3"]
    assert shown == b"".join(found).decode(errors="replace") == "aa€ b\n \ufffd"


@given(tokens=st.lists(st.integers(2, len(FALLBACK) - 1), max_size=64))
@example(tokens=of("<0xE2>", "<0x82>", "<0xAC>", "<0xC3>"))
@example(tokens=of("▁", "▁a", "▁"))
def test_any_tokens_of_a_vocabulary_that_falls_back_are_shown_as_their_bytes(
    fallback: Tokenizer, tokens: list[int]
) -> None:
    """The library's own decoder gives up a whole run of bytes for one that is wrong in it."""
    found, shown = told(fallback, tokens)
    assert shown == b"".join(found).decode(errors="replace")


def test_a_mark_of_a_broken_character_may_be_a_token_itself() -> None:
    vocabulary = {"<unk>": 0, "\ufffd": 1, "▁\ufffd": 2, "▁a": 3}
    tokenizer = HFTokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Metaspace()
    assert told(Tokenizer.from_bytes(tokenizer.to_str().encode()), [3, 2, 1]) == (
        [b"a", " \ufffd".encode(), "\ufffd".encode()],
        "a \ufffd\ufffd",
    )


@pytest.mark.parametrize("tokenizer", ["byte_level", "fallback"])
def test_control_tokens_and_those_beyond_the_vocabulary_have_none(
    tokenizer: str, request: pytest.FixtureRequest
) -> None:
    loaded: Tokenizer = request.getfixturevalue(tokenizer)
    [control] = of("<s>") if tokenizer == "fallback" else [loaded.control_spans("<|im_end|>")[0].token]
    assert told(loaded, [control, loaded.ids + 7]) == ([b"", b""], "")
