"""Text to tokens and back, with the control tokens kept out of reach of whoever writes the text.

A tokenizer.json finds its added tokens ("<|im_end|>") anywhere in a text, so a user could close a turn and open
another. Each tokenizer is therefore loaded twice: `full` as it is, for the template's own text and for decoding, and
`plain` without its added tokens, for everything a client wrote. Text is text then, and a token list that still holds a
control token (a vocabulary may contain one as an ordinary entry) is refused.
"""

from typing import Any, NamedTuple

import msgspec
from tokenizers import Tokenizer as HFTokenizer

from enclave.engine.errors import InvalidRequest, ModelRejected, TooLong

MAX_CHARACTERS_PER_TOKEN = 16
"""Texts of more than this many characters per token of context are refused before they are tokenised."""

_MAX_PENDING_TOKENS = 16


class ControlSpan(NamedTuple):
    """One control token found in a text: its id, and the characters [start, end) that it takes."""

    token: int
    start: int
    end: int


class Tokenizer:
    """A tokenizer of the `tokenizers` library; not thread-safe, each model owns one."""

    def __init__(self, full: HFTokenizer, plain: HFTokenizer, control: frozenset[int]) -> None:
        self._full = full
        self._plain = plain
        self._control = control

    @classmethod
    def from_bytes(cls, data: bytes) -> "Tokenizer":
        """Load a tokenizer.json; raise ModelRejected."""
        try:
            document = msgspec.json.decode(data, type=dict[str, Any])
            added: list[dict[str, Any]] = document.get("added_tokens") or []
            unknown = document["model"].get("unk_token")
            control = [token for token in added if _is_control(token, unknown)]
            kept = [token for token in added if not _is_control(token, unknown)]
            plain = msgspec.json.encode(document | {"added_tokens": kept})
            ids = frozenset(int(token["id"]) for token in control)
            return cls(_load(data), _load(plain), ids)
        except Exception as error:
            raise ModelRejected(f"tokenizer: expected a tokenizer.json, got {type(error).__name__}") from None

    @property
    def ids(self) -> int:
        """One more than the highest token id, added tokens included."""
        return max(self._full.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    def encode_text(self, text: str, *, frame: bool = False) -> list[int]:
        """The tokens of a text in which nothing is control; `frame` adds what the model puts around it ([CLS], [SEP]).

        Raises InvalidRequest if the text still yields a control token.
        """
        encoding = self._plain.encode(text, add_special_tokens=frame)
        written = zip(encoding.ids, encoding.special_tokens_mask, strict=True)
        if any(token in self._control for token, added in written if not added):
            raise InvalidRequest("expected plain text, got text that this model reads as a control token; reword it")
        return encoding.ids

    def control_spans(self, text: str) -> list[ControlSpan]:
        """The control tokens of a text of the model's own (its rendered template), in order."""
        encoding = self._full.encode(text, add_special_tokens=False)
        found = zip(encoding.ids, encoding.offsets, strict=True)
        return [ControlSpan(token, *span) for token, span in found if token in self._control]

    def decode(self, tokens: list[int]) -> str:
        """The text of the tokens; control tokens have none."""
        return self._full.decode(tokens, skip_special_tokens=True)


def check_length(characters: int, context_tokens: int) -> None:
    """Raise TooLong if so many characters are not worth tokenising for this context."""
    if characters > (limit := context_tokens * MAX_CHARACTERS_PER_TOKEN):
        raise TooLong(f"expected at most {limit} characters, got {characters}; shorten the text")


def _is_control(token: dict[str, Any], unknown: str | None) -> bool:
    """All added tokens are, but for runs of white space, and for the one that stands for unknown text."""
    return not token["content"].isspace() and token["content"] != unknown


def _load(data: bytes) -> HFTokenizer:
    tokenizer = HFTokenizer.from_buffer(data)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if resize := getattr(tokenizer.model, "_resize_cache", None):
        resize(0)  # BPE and Unigram remember the words they met, across requests
    return tokenizer


class StreamDecoder:
    """Generated tokens to pieces of text that never split a character over two pieces.

    Invalid UTF-8 comes out as U+FFFD, as in `Tokenizer.decode`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._context: list[int] = []  # the tokens of the piece before: decoders look back at them for spaces
        self._pending: list[int] = []

    def push(self, token: int) -> str:
        """The text that this token completes: empty while a character is unfinished."""
        self._pending.append(token)
        text = self._text()
        if text.endswith("\ufffd") and len(self._pending) < _MAX_PENDING_TOKENS:
            return ""
        return self._emit(text)

    def flush(self) -> str:
        """What is left at the end, an unfinished character as U+FFFD."""
        return self._emit(self._text())

    def _text(self) -> str:
        before = self._tokenizer.decode(self._context)
        return self._tokenizer.decode(self._context + self._pending)[len(before) :]

    def _emit(self, text: str) -> str:
        if text:
            self._context, self._pending = self._pending, []
        return text
