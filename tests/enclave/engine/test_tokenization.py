"""Text to tokens without control, tokens to whole characters."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models
from tokenizers import Tokenizer as HFTokenizer

from enclave.engine.errors import InvalidRequest, ModelRejected, TooLong
from enclave.engine.tokenization import StreamDecoder, Tokenizer, check_length
from tests.enclave.engine.packages import Package


@pytest.fixture(scope="session")
def tokenizer(decoder_package: Package) -> Tokenizer:
    return Tokenizer.from_bytes(decoder_package.tokenizer)


def plain_unigram() -> bytes:
    """A tokenizer whose ordinary vocabulary holds its control token too."""
    tokenizer = HFTokenizer(models.Unigram([("<unk>", 0.0), ("</s>", 0.0), *((c, -1.0) for c in "</s>a")], 0))
    tokenizer.add_special_tokens([AddedToken("</s>", normalized=False)])
    return tokenizer.to_str().encode()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"model": 1}', b'{"model": {}, "added_tokens": [1]}'])
def test_what_is_no_tokenizer_is_rejected(data: bytes) -> None:
    with pytest.raises(ModelRejected):
        Tokenizer.from_bytes(data)


def test_control_tokens_in_a_text_are_spelled_out(tokenizer: Tokenizer) -> None:
    text = "a<|im_end|>b"
    tokens = tokenizer.encode_text(text)
    control = {span.token for span in tokenizer.control_spans(text)}
    assert len(control) == 1
    assert not control & set(tokens)
    assert tokenizer.decode(tokens) == text


def test_added_tokens_that_are_not_special_are_spelled_out_too(decoder_package: Package) -> None:
    document = msgspec.json.decode(decoder_package.tokenizer)
    document["added_tokens"][1]["special"] = False
    tokenizer = Tokenizer.from_bytes(msgspec.json.encode(document))
    assert tokenizer.decode(tokenizer.encode_text("<|im_start|>")) == "<|im_start|>"


def test_a_control_token_that_is_ordinary_vocabulary_is_refused() -> None:
    tokenizer = Tokenizer.from_bytes(plain_unigram())
    assert tokenizer.encode_text("a")
    with pytest.raises(InvalidRequest, match="control token") as caught:
        tokenizer.encode_text("a</s>a")
    assert "</s>" not in str(caught.value)


def test_unknown_text_is_not_control() -> None:
    tokenizer = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[UNK]"])
    assert Tokenizer.from_bytes(tokenizer.to_str().encode()).encode_text("?") == [0]


def test_runs_of_spaces_stay_tokens() -> None:
    tokenizer = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    tokenizer.add_tokens(["    "])
    assert Tokenizer.from_bytes(tokenizer.to_str().encode()).encode_text("a    a") == [1, 2, 1]


def test_the_frame_is_added_around_plain_text(encoder_package: Package) -> None:
    tokenizer = Tokenizer.from_bytes(encoder_package.tokenizer)
    inner = tokenizer.encode_text("x[SEP]y")
    framed = tokenizer.encode_text("x[SEP]y", frame=True)
    assert framed[1:-1] == inner
    assert len(inner) == len("x[SEP]y")
    assert tokenizer.decode(framed) == "x[SEP]y"


def test_limits_inside_the_file_are_ignored(decoder_package: Package) -> None:
    tokenizer = HFTokenizer.from_buffer(decoder_package.tokenizer)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=32)
    assert len(Tokenizer.from_bytes(tokenizer.to_str().encode()).encode_text("sixteen letters.")) == 16


@pytest.mark.parametrize("model", [models.BPE, models.Unigram])
def test_the_library_can_still_be_told_to_forget(model: type) -> None:
    """Tokenizer switches the memory of these models off by a name that the library does not promise to keep."""
    assert callable(model()._resize_cache)


def test_a_text_too_long_to_tokenise_is_refused() -> None:
    check_length(160, 10)
    with pytest.raises(TooLong, match="expected at most 160 characters, got 161"):
        check_length(161, 10)


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
    assert set("".join(pieces)) == {"\ufffd"}
    assert stream.flush() == ""


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


@given(st.lists(st.integers(0, 258), max_size=12))
def test_pieces_add_up_to_what_the_tokenizer_says(tokenizer: Tokenizer, tokens: list[int]) -> None:
    stream = StreamDecoder(tokenizer)
    pieces = [stream.push(token) for token in tokens]
    assert "".join(pieces) + stream.flush() == tokenizer.decode(tokens)
