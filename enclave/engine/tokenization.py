"""Text to tokens and back, with the control tokens kept out of reach of whoever writes the text.

A tokenizer.json finds its added tokens ("<|im_end|>") anywhere in a text, so a user could close a turn and open
another. Each tokenizer is therefore loaded twice: `full` as it is, for the template's own text and for decoding, and
`plain` without its added tokens, but for runs of white space, for everything a client wrote. Text is text then, and a
token list that still holds a control token (a vocabulary may contain one as an ordinary entry) is refused.
"""

from typing import Any, NamedTuple

import msgspec
from tokenizers import Encoding
from tokenizers import Tokenizer as HFTokenizer
from tokenizers.models import BPE

from enclave.engine.errors import InvalidRequest, ModelRejected, TooLong
from enclave.engine.token_bytes import spelled_bytes

MAX_CHARACTERS_PER_TOKEN = 16
"""Texts of more than this many characters per token of context are refused before they are tokenised."""

_SHORT_CHARACTERS = 4 << 10


class ControlSpan(NamedTuple):
    """One control token found in a text: its id, and the characters [start, end) that it takes."""

    token: int
    start: int
    end: int


class EncodedText(NamedTuple):
    """A text and its tokens, each with the characters [start, end) of the text that it stands for.

    Tokens of the frame have (0, 0); tokens that each hold a part of one character all have that character.
    """

    text: str
    tokens: list[int]
    characters: list[tuple[int, int]]


class Tokenizer:
    """A tokenizer of the `tokenizers` library; each model owns one. A thread may encode while another one decodes."""

    def __init__(self, full: HFTokenizer, plain: HFTokenizer, unknown: int | None) -> None:
        """`unknown` stands for text without tokens: for that it may come, though it be a control token."""
        self._full = full
        self._plain = plain
        self._unknown = unknown
        added = full.get_added_tokens_decoder()
        self._control = {token for token, one in added.items() if not one.content.isspace()}
        self._special = {token for token, one in added.items() if one.special}
        names = {one.content: token for token, one in added.items()}
        self._spaces = {token: names[one.content] for token, one in plain.get_added_tokens_decoder().items()}
        """Tokens of `plain` to those of `full`: without the control tokens, the library gives others their ids."""

    @classmethod
    def from_bytes(cls, data: bytes) -> "Tokenizer":
        """Load a tokenizer.json, and try it; raise ModelRejected."""
        try:
            document = msgspec.json.decode(data, type=dict[str, Any])
            added: list[dict[str, Any]] = document.get("added_tokens") or []
            spaces = [token for token in added if token["content"].isspace()]
            full, plain = _load(data), _load(msgspec.json.encode(document | {"added_tokens": spaces}))
            tokenizer = cls(full, plain, _unknown(document["model"], full))
            tokenizer.encode_text("", frame=True)
            return tokenizer
        except BaseException as error:  # also the panics of native libraries, which are no Exceptions
            raise ModelRejected(f"tokenizer: expected a tokenizer.json, got {type(error).__name__}") from None

    @property
    def ids(self) -> int:
        """One more than the highest token id, added tokens and the frame's included."""
        vocabulary = self._full.get_vocab(with_added_tokens=True).values()
        return max([*vocabulary, *self._plain.encode("").ids], default=-1) + 1

    def encode_text(self, text: str, *, frame: bool = False) -> list[int]:
        """The tokens of a text in which nothing is control; `frame` adds what the model puts around it ([CLS], [SEP]).

        Raises InvalidRequest if the text still yields a control token.
        """
        return self._tokens(self._encoding(text, frame))

    def encode(self, text: str, *, frame: bool) -> EncodedText:
        """As `encode_text`, with the characters of each token."""
        encoding = self._encoding(text, frame)
        return EncodedText(text, self._tokens(encoding), encoding.offsets)

    def _tokens(self, encoding: Encoding) -> list[int]:
        """The tokens of a plain text, none of them control but in the frame."""
        frame = encoding.special_tokens_mask
        tokens = [
            token if framing else self._spaces.get(token, token)
            for token, framing in zip(encoding.ids, frame, strict=True)
        ]
        written = {token for token, framing in zip(tokens, frame, strict=True) if not framing}
        if self._control & written - {self._unknown}:
            raise InvalidRequest("expected plain text, got text that this model reads as a control token; reword it")
        return tokens

    def _encoding(self, text: str, frame: bool) -> Encoding:
        """Of a long text without Python's lock, for which all threads would wait; getting it back takes time too."""
        if len(text) <= _SHORT_CHARACTERS:
            return self._plain.encode(text, add_special_tokens=frame)
        return self._plain.encode_batch([text], add_special_tokens=frame)[0]

    def control_spans(self, text: str) -> list[ControlSpan]:
        """The control tokens of a text of the model's own (its rendered template), in order."""
        encoding = self._full.encode(text, add_special_tokens=False)
        found = zip(encoding.ids, encoding.offsets, strict=True)
        return [ControlSpan(token, *span) for token, span in found if token in self._control]

    def is_silent(self, token: int) -> bool:
        """Whether the token has no text, whatever is around it: a special one, or none of the vocabulary."""
        return token in self._special or self._full.id_to_token(token) is None

    def decode(self, tokens: list[int]) -> str:
        """The text of the tokens; control tokens have none."""
        return self._full.decode(tokens, skip_special_tokens=True)

    def bytes_of(self, token: int, before: list[int]) -> bytes:
        """What the token adds to the text of those before it, in UTF-8; a part of a character may be all it holds."""
        alone, spelling = self.decode([token]), self._full.id_to_token(token) or ""
        if alone != spelling and (spelled := spelled_bytes(spelling)).decode(errors="replace") == alone:
            return spelled
        return self.decode([*before, token])[len(self.decode(before)) :].encode()

    def texts(self, count: int) -> list[bytes]:
        """What each of the first `count` tokens adds to a text that has begun, as `bytes_of`; nothing, if it is silent.

        Raises ModelRejected for a token that the tokenizer fails on.
        """
        try:
            begun = self._plain.encode("a", add_special_tokens=False).ids
            return [b"" if self.is_silent(token) else self.bytes_of(token, begun) for token in range(count)]
        except BaseException as error:  # also the panics of native libraries, which are no Exceptions
            raise ModelRejected(f"tokenizer: expected tokens that decode, got {type(error).__name__}") from None


def check_length(characters: int, context_tokens: int) -> None:
    """Raise TooLong if so many characters are not worth tokenising for this context."""
    if characters > (limit := context_tokens * MAX_CHARACTERS_PER_TOKEN):
        raise TooLong(f"expected at most {limit} characters, got {characters}; shorten the text")


def _unknown(model: dict[str, Any], tokenizer: HFTokenizer) -> int | None:
    """The token for text that has none: most models name its entry in the vocabulary, Unigram the entry's place."""
    entry: str | None = model.get("unk_token")
    place: int | None = model.get("unk_id")
    return place if entry is None else tokenizer.token_to_id(entry)


def _load(data: bytes) -> HFTokenizer:
    tokenizer = HFTokenizer.from_buffer(data)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if isinstance(tokenizer.model, BPE):
        tokenizer.model.dropout = None  # leaves out merges at random, for training
    if resize := getattr(tokenizer.model, "_resize_cache", None):
        resize(0)  # BPE and Unigram remember the words they met, across requests
    return tokenizer
