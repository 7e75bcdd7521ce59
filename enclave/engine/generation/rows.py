"""Which conversation has which row of the KV cache."""

from collections.abc import Iterator

from enclave.engine.generation.conversation import Conversation
from enclave.engine.generation.kv_cache import KVCache


class Rows:
    """Conversations in rows 0, 1, 2, ... without a hole: first those that decode, behind them those that read."""

    def __init__(self, cache: KVCache) -> None:
        self._cache = cache
        self._conversations: list[Conversation] = []
        self._decoding = 0

    def __len__(self) -> int:
        return len(self._conversations)

    def __iter__(self) -> Iterator[Conversation]:
        return iter(self._conversations)

    @property
    def decoding(self) -> list[Conversation]:
        """The conversations of rows 0..n-1, in the order of rows."""
        return self._conversations[: self._decoding]

    def row(self, conversation: Conversation) -> int:
        """The conversation's row, until another one joins, starts to decode or leaves."""
        return self._conversations.index(conversation)

    def join(self, conversation: Conversation) -> None:
        """Give it the row behind all others, to read its prompt."""
        self._conversations.append(conversation)

    def start_decoding(self, conversation: Conversation) -> None:
        """Put one that has read its prompt behind those that decode."""
        self._swap(self.row(conversation), self._decoding)
        self._decoding += 1

    def leave(self, conversation: Conversation) -> int:
        """Take it out and close the gap; return the row that is free now and still holds what it wrote."""
        row = self.row(conversation)
        if row < self._decoding:
            self._decoding -= 1
            self._swap(row, self._decoding)
            row = self._decoding
        self._swap(row, len(self) - 1)
        self._conversations.pop()
        return len(self)

    def _swap(self, one: int, other: int) -> None:
        self._cache.swap(one, other)
        rows = self._conversations
        rows[one], rows[other] = rows[other], rows[one]
