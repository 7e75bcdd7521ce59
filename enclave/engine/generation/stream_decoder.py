"""Generated tokens to text, as they come."""

from codecs import getincrementaldecoder

from enclave.engine.tokenization import Tokenizer


class StreamDecoder:
    """Generated tokens to pieces of text that never split a character over two pieces.

    Together the pieces are the bytes of the tokens; what is no UTF-8 in them comes out as U+FFFD.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._before: list[int] = []  # the last token with text: decoders look back at it for spaces
        self._characters = getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that this token completes: empty while a character is unfinished."""
        if self._tokenizer.is_silent(token):
            return ""
        text = self._characters.decode(self.bytes_of(token))
        self._before = [token]
        return text

    def flush(self) -> str:
        """What is left at the end, an unfinished character as U+FFFD."""
        return self._characters.decode(b"", final=True)

    def bytes_of(self, token: int) -> bytes:
        """What this token would add; together the bytes of all tokens make the text."""
        return self._tokenizer.bytes_of(token, self._before)
