"""Whose prompt is read next, and how much of all prompts is read before those that decode go on."""

from collections import deque

from enclave.engine.generation.conversation import Conversation
from enclave.engine.generation.graph import MAX_STEP_TOKENS

READ_TOKENS = 2 * MAX_STEP_TOKENS
"""Of all prompts together, between two tokens of the streams under way."""

_LEAST_TOKENS = MAX_STEP_TOKENS // 2
"""What a chunk counts as at least: a run of one token takes far longer than its part of one of this many."""


class Reading:
    """The conversations that read their prompts, a chunk by turns; between two steps of those that decode is a round.

    While a stream waits for its next token, a round has READ_TOKENS. While none does, each prompt has a chunk first:
    those that came together then decode together from their first token on. That takes fewer steps, a step of few rows
    takes nearly as long as one of many, and onnxruntime's attention runs rows of one length at once, others one by one.
    Prompts may go on coming, so such a round ends with as many chunks as there are rows.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._queue: deque[Conversation] = deque()  # in the order of their turns
        self.begin_round(0)

    def __bool__(self) -> bool:
        return bool(self._queue)

    def begin_round(self, streams: int) -> None:
        """So many conversations have had a token just now, and wait for another."""
        self._streams, self._readers = streams, len(self._queue)
        self._chunks = self._tokens = 0

    @property
    def ends_round(self) -> bool:
        """Whether those that decode come next, if there are any."""
        return self._tokens >= READ_TOKENS if self._streams else self._chunks >= min(self._readers, self._rows)

    def join(self, conversation: Conversation) -> None:
        """It has a prompt to read."""
        self._queue.append(conversation)
        self._readers += 1

    def next(self) -> Conversation:
        """Whose turn it is to read a chunk: up to MAX_STEP_TOKENS. With more to read, it has to `rejoin`."""
        conversation = self._queue.popleft()
        self._chunks += 1
        self._tokens += max(min(conversation.pending_tokens, MAX_STEP_TOKENS), _LEAST_TOKENS)
        return conversation

    def rejoin(self, conversation: Conversation) -> None:
        """It has had its turn, and has more to read."""
        self._queue.append(conversation)

    def leave(self, conversation: Conversation) -> None:
        """It reads no further, if it did."""
        if conversation in self._queue:
            self._queue.remove(conversation)
