"""The bytes of tokens, in both kinds of vocabulary that have tokens for parts of characters."""

import pytest
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


def told(tokenizer: Tokenizer, tokens: list[int]) -> tuple[list[bytes], str]:
    """The bytes of each token as it comes, and the text of all."""
    stream, found, text = StreamDecoder(tokenizer), [], ""
    for token in tokens:
        found.append(stream.bytes_of(token))
        text += stream.push(token)
    return found, text + stream.flush()


def of(*spellings: str) -> list[int]:
    return [FALLBACK.index(spelling) for spelling in spellings]


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


@pytest.mark.parametrize("tokenizer", ["byte_level", "fallback"])
def test_control_tokens_and_those_beyond_the_vocabulary_have_none(
    tokenizer: str, request: pytest.FixtureRequest
) -> None:
    loaded: Tokenizer = request.getfixturevalue(tokenizer)
    [control] = of("<s>") if tokenizer == "fallback" else [loaded.control_spans("<|im_end|>")[0].token]
    assert told(loaded, [control, loaded.ids + 7]) == ([b"", b""], "")
