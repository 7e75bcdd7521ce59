"""Generated tokens to text, as they come."""

from enclave.engine.tokenization import Tokenizer

_MAX_PENDING_TOKENS = 16


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
        if self._tokenizer.is_silent(token):
            return ""
        self._pending.append(token)
        text = self._text()
        if text.endswith("\ufffd") and len(self._pending) < _MAX_PENDING_TOKENS:
            return ""
        return self._emit(text)

    def flush(self) -> str:
        """What is left at the end, an unfinished character as U+FFFD."""
        return self._emit(self._text())

    def bytes_of(self, token: int) -> bytes:
        """What this token would add; together the bytes of all tokens make the text."""
        return self._tokenizer.bytes_of(token, self._context + self._pending)

    def _text(self) -> str:
        before = self._tokenizer.decode(self._context)
        return self._tokenizer.decode(self._context + self._pending)[len(before) :]

    def _emit(self, text: str) -> str:
        if text:
            self._context, self._pending = self._pending, []
        return text
