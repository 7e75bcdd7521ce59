"""Continuous batching: the conversations that share a graph, and the steps they take together."""

import numpy as np
from numpy.typing import NDArray

from enclave.engine.generation.conversation import Conversation
from enclave.engine.generation.graph import MAX_STEP_TOKENS, DecoderGraph
from enclave.engine.generation.reading import Reading
from enclave.engine.generation.rows import Rows


class Batch:
    """Not thread-safe: one thread joins conversations and steps them."""

    def __init__(self, graph: DecoderGraph) -> None:
        self._graph = graph
        self._rows = Rows(graph.cache)
        self._reading = Reading(graph.rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def has_room(self) -> bool:
        """Whether one more may join."""
        return len(self._rows) < self._graph.rows

    def join(self, conversation: Conversation) -> None:
        """Give it a row; it starts to read its prompt in the next steps."""
        if not len(self):  # nobody waits: chunks of those who left count no more
            self._reading.begin_round(0)
        self._rows.join(conversation)
        self._reading.join(conversation)

    def clear(self) -> None:
        """Forget all conversations, and clear all rows, of which nothing is known any more."""
        self._rows, self._reading = Rows(self._graph.cache), Reading(self._graph.rows)
        self._graph.forget_all()

    def drop_cancelled(self) -> list[Conversation]:
        """End those whose listener left; return them, their rows cleared."""
        for conversation in self._rows:
            conversation.check()
        return self._clear_ended()

    def step(self) -> list[Conversation]:
        """Run a chunk of a prompt, or one token of all that decode; return those that ended, their rows cleared.

        Whoever was cancelled ends before anything is run. What the runtime cannot do ends those that took part.
        """
        ended = self.drop_cancelled()
        decoding = self._rows.decoding
        if not self._reading or (decoding and self._reading.ends_round):
            self._decode(decoding)
        else:
            self._read(self._reading.next())
        return ended + self._clear_ended()

    def _read(self, conversation: Conversation) -> None:
        """The next chunk of its prompt; the last one gives the first token."""
        logits = self._run(self._rows.row(conversation), [conversation], MAX_STEP_TOKENS)
        if conversation.pending_tokens:
            self._reading.rejoin(conversation)
        elif logits is not None:
            conversation.accept(logits[0])
            if not conversation.ended:
                self._rows.start_decoding(conversation)

    def _decode(self, decoding: list[Conversation]) -> None:
        """One token more for each of the rows 0..n-1; after it, prompts have their turn."""
        if decoding and (logits := self._run(0, decoding, 1)) is not None:
            for conversation, row_logits in zip(decoding, logits, strict=True):
                conversation.accept(row_logits)
        self._reading.begin_round(sum(not conversation.ended for conversation in decoding))

    def _run(self, first: int, conversations: list[Conversation], most: int) -> NDArray[np.float32] | None:
        """The logits [conversations, vocabulary] after their next tokens; None if that failed, which ends them."""
        before = [conversation.length for conversation in conversations]
        try:
            return self._graph.step(first, [conversation.take(most) for conversation in conversations], before)
        except BaseException as error:
            for conversation in conversations:
                conversation.fail(error)
            return None

    def _clear_ended(self) -> list[Conversation]:
        ended = [conversation for conversation in self._rows if conversation.ended]
        for conversation in ended:
            self._reading.leave(conversation)
            self._graph.forget(self._rows.leave(conversation))
        return ended
