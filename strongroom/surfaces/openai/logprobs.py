r"""Log probabilities in the two shapes of the API.

A token may hold a part of a character, so its bytes are what counts. As text, the newer shape replaces what is no
UTF-8; the older one, which has text alone, writes such a token as `bytes:\xf0\x9f`.
"""

from codecs import getincrementaldecoder
from collections.abc import Sequence

from strongroom.protocol.payloads import Alternative, TokenLogprob


def chat_logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, object]:
    """Of chat completions: token by token."""
    content = [{**_told(token), "top_logprobs": [_told(other) for other in token.top]} for token in tokens]
    return {"content": content, "refusal": None}


def _told(token: TokenLogprob | Alternative) -> dict[str, object]:
    text = token.token.decode(errors="replace")
    return {"token": text, "logprob": token.logprob, "bytes": list(token.token)}


class CompletionLogprobs:
    """Of completions: four lists side by side; offsets count the characters that were complete before each token."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._offset = 0

    def tell(self, tokens: Sequence[TokenLogprob]) -> dict[str, object]:
        """The lists of the next tokens."""
        return {
            "tokens": [_text(token.token) for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [{_text(other.token): other.logprob for other in token.top} for token in tokens],
            "text_offset": [self._next_offset(token.token) for token in tokens],
        }

    def _next_offset(self, token: bytes) -> int:
        offset = self._offset
        self._offset += len(self._decoder.decode(token))
        return offset


def _text(token: bytes) -> str:
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)
