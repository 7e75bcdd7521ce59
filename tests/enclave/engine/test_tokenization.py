"""Text to tokens without control."""

import sys
import threading
from typing import Any

import msgspec
import pytest
from tokenizers import AddedToken, decoders, models, pre_tokenizers, processors
from tokenizers import Tokenizer as HFTokenizer

from enclave.engine.errors import InvalidRequest, ModelRejected, TooLong
from enclave.engine.tokenization import Tokenizer, check_length
from strongroom.models.tokenizer_json import byte_alphabet
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


def in_the_form(**parts: object) -> bytes:
    """A tokenizer.json of these parts, otherwise sound."""
    none = dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"))
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}
    return msgspec.json.encode({"version": "1.0", "added_tokens": [], **none, "model": model, **parts})


@pytest.mark.parametrize(
    "parts",
    [
        {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "X", "type_id": 0}}],
                "pair": [],
                "special_tokens": {},
            }
        },
    ],
    ids=["merge", "characters", "frame"],
)
def test_what_the_library_fails_on_is_rejected(parts: dict[str, object]) -> None:
    """It panics on these, which is no Exception; on the last not before it has a text."""
    Tokenizer.from_bytes(in_the_form())
    with pytest.raises(ModelRejected):
        Tokenizer.from_bytes(in_the_form(**parts))


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


@pytest.mark.parametrize(
    "model",
    [models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"), models.Unigram([("[UNK]", 0.0), ("a", -1.0)], 0)],
    ids=["wordpiece", "unigram"],
)
def test_unknown_text_is_not_control(model: Any) -> None:
    tokenizer = HFTokenizer(model)
    tokenizer.add_special_tokens(["[UNK]"])
    assert Tokenizer.from_bytes(tokenizer.to_str().encode()).encode_text("?") == [0]


def test_what_stands_for_unknown_text_is_spelled_out_too() -> None:
    """In some models it is the token that ends a turn; the template may write it, a client may not."""
    vocabulary = {"<|end|>": 0, **{byte: 1 + id for id, byte in enumerate(byte_alphabet())}}
    library = HFTokenizer(models.BPE(vocabulary, [], unk_token="<|end|>"))
    library.pre_tokenizer, library.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    library.add_special_tokens(["<|end|>"])
    tokenizer = Tokenizer.from_bytes(library.to_str().encode())
    assert tokenizer.decode(tokenizer.encode_text("a<|end|>b")) == "a<|end|>b"
    assert [span.token for span in tokenizer.control_spans("a<|end|>b")] == [0]


def test_runs_of_spaces_stay_tokens() -> None:
    tokenizer = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    tokenizer.add_tokens(["    "])
    assert Tokenizer.from_bytes(tokenizer.to_str().encode()).encode_text("a    a") == [1, 2, 1]


def test_runs_of_spaces_are_the_tokens_they_are_beside_control_tokens() -> None:
    """The library gives the tokens that a vocabulary lacks their ids in order, so without some of them others move."""
    library = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    library.add_special_tokens(["<s>", "</s>"])
    library.add_tokens(["    ", "  "])
    library.post_processor = processors.BertProcessing(("<s>", 2), ("</s>", 3))
    tokenizer = Tokenizer.from_bytes(library.to_str().encode())
    assert tokenizer.encode_text("a    a  a") == [1, 4, 1, 5, 1]
    assert tokenizer.encode("a  ", frame=True).tokens == [3, 1, 5, 2]


def test_control_tokens_have_the_ids_that_the_library_gives_them() -> None:
    library = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    library.add_special_tokens(["<s>"])
    document = msgspec.json.decode(library.to_str())
    document["added_tokens"][0]["id"] = 7
    assert [span.token for span in Tokenizer.from_bytes(msgspec.json.encode(document)).control_spans("<s>")] == [2]


def test_the_frame_is_added_around_plain_text(encoder_package: Package) -> None:
    tokenizer = Tokenizer.from_bytes(encoder_package.tokenizer)
    inner = tokenizer.encode_text("x[SEP]y")
    framed = tokenizer.encode_text("x[SEP]y", frame=True)
    assert framed[1:-1] == inner
    assert len(inner) == len("x[SEP]y")
    assert tokenizer.decode(framed) == "x[SEP]y"


@pytest.mark.parametrize(
    "frame",
    [
        processors.TemplateProcessing("<s> $A <s>", special_tokens=[("<s>", 0)]),
        processors.BertProcessing(("<s>", 0), ("<s>", 0)),
        processors.RobertaProcessing(("<s>", 0), ("<s>", 0)),
    ],
    ids=["template", "bert", "roberta"],
)
def test_each_token_has_its_characters_and_the_frame_has_none(frame: Any) -> None:
    library = HFTokenizer(models.BPE({"<s>": 0, **{byte: 1 + id for id, byte in enumerate(byte_alphabet())}}, []))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.post_processor = frame
    encoded = Tokenizer.from_bytes(library.to_str().encode()).encode("a \U0001f600b", frame=True)
    emoji = (2, 3)
    assert len(encoded.tokens) == len(encoded.characters) == 9
    assert encoded.characters[0] == encoded.characters[-1] == (0, 0)
    assert encoded.characters[1] == (0, 1)
    assert encoded.characters[3:-1] == [emoji] * 4 + [(3, 4)]


def test_the_highest_id_may_be_the_frames() -> None:
    library = HFTokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    library.add_tokens(["b"])
    assert Tokenizer.from_bytes(library.to_str().encode()).ids == 3
    library.post_processor = processors.BertProcessing(("[SEP]", 7), ("[CLS]", 9))
    assert Tokenizer.from_bytes(library.to_str().encode()).ids == 10


def test_limits_inside_the_file_are_ignored(decoder_package: Package) -> None:
    tokenizer = HFTokenizer.from_buffer(decoder_package.tokenizer)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=32)
    assert len(Tokenizer.from_bytes(tokenizer.to_str().encode()).encode_text("sixteen letters.")) == 16


def test_tokens_are_not_left_to_chance() -> None:
    library = HFTokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")], dropout=0.5))
    tokenizer = Tokenizer.from_bytes(library.to_str().encode())
    assert {tuple(tokenizer.encode_text("ab")) for _ in range(64)} == {(2,)}


def test_others_go_on_while_a_long_text_is_tokenised(tokenizer: Tokenizer) -> None:
    """Python changes threads where one gives up its lock, and here nowhere else."""
    interval_s, ended, ticks = sys.getswitchinterval(), threading.Event(), []

    def tick() -> None:
        while not ended.wait(0.0001):
            ticks.append(1)

    other = threading.Thread(target=tick)
    other.start()
    try:
        sys.setswitchinterval(60)
        before = len(ticks)
        tokenizer.encode_text("\U0001f600" * 32_768)
        during = len(ticks) - before
    finally:
        sys.setswitchinterval(interval_s)
        ended.set()
        other.join()
    assert during


@pytest.mark.parametrize("model", [models.BPE, models.Unigram])
def test_the_library_can_still_be_told_to_forget(model: type) -> None:
    """Tokenizer switches the memory of these models off by a name that the library does not promise to keep."""
    assert callable(model()._resize_cache)


def test_a_text_too_long_to_tokenise_is_refused() -> None:
    check_length(160, 10)
    with pytest.raises(TooLong, match="expected at most 160 characters, got 161"):
        check_length(161, 10)
