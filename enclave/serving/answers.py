"""Answering an admitted request: run, seal, and end with a receipt, or with a leaf if the asker left (review R22)."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from attestation.receipt_claims import Outcome
from attestation.receipts import ReceiptSalts
from enclave.engine.engine import Engine
from enclave.engine.errors import EngineError
from enclave.serving.admission import Admitted
from enclave.serving.pace import StreamPace, within
from enclave.serving.receipts import Progress, Receipts
from strongroom.protocol.constants import MAX_RECEIPT_BYTES
from strongroom.protocol.contents import join_text
from strongroom.protocol.errors import Malformed
from strongroom.protocol.events import encode_events
from strongroom.protocol.payloads import MAX_SPANS, Event, Failure, Generation, Receipt, Tags, TextDelta
from strongroom.protocol.responses import MAX_CHUNK_BODY_BYTES, ResponseSealer

MAX_ANSWER_BYTES: Final = MAX_CHUNK_BODY_BYTES - MAX_RECEIPT_BYTES - 128
"""What a last chunk may hold beside its receipt."""


class Answers:
    """Makes the answers of one boot."""

    def __init__(self, engine: Engine, receipts: Receipts, *, max_new_tokens: int, answer_s: int) -> None:
        """`answer_s` is how many seconds one may take, its wait included."""
        self._engine, self._receipts = engine, receipts
        self._max_new_tokens, self._answer_s = max_new_tokens, answer_s

    async def answer(self, admitted: Admitted) -> AsyncGenerator[bytes, None]:
        """The sealed response, piece by piece: the head, then a chunk for each event, or one for all of them.

        The last chunk ends with the receipt. Closing the generator before is a cancellation, which has its leaf.
        """
        with admitted.place:
            secret = admitted.request.secret
            sealer = ResponseSealer(secret, admitted.message, admitted.media_type, admitted.document.digest)
            progress = Progress(admitted, ReceiptSalts.derive(secret, sealer.salt))
            pace = StreamPace(self._engine.observer.of(admitted.head.model))
            try:
                yield sealer.head
                async with aclosing(self._events(admitted)) as events:
                    async for event in events:
                        progress.events.append(event)
                        if not isinstance(event, TextDelta):
                            yield self._last_chunk(progress, sealer)
                        elif admitted.request.stream:
                            progress.generated_chunks += 1
                            pace.piece()
                            yield sealer.seal(encode_events([event]), last=False)
                            progress.sent_chunks += 1
            finally:
                pace.end(progress.tokens)
                if not progress.ended:
                    self._issue(progress, Outcome.CANCELLED)

    def _last_chunk(self, progress: Progress, sealer: ResponseSealer) -> bytes:
        """One event of a stream, or all of a whole answer; a failure in place of what no client would take."""
        streamed = progress.events[:-1] if progress.admitted.request.stream else []
        chunk = progress.events[-1:] if progress.admitted.request.stream else join_text(progress.events)
        if limit := _exceeded(chunk):
            chunk = [Failure("too-long", f"Ask for an answer of at most {limit}.", progress.admitted.head.model)]
        progress.events = [*streamed, *chunk]
        progress.generated_chunks += 1
        progress.sent_chunks += 1
        outcome = Outcome.FAILED if isinstance(chunk[-1], Failure) else Outcome.COMPLETE
        receipt = Receipt(self._issue(progress, outcome))
        return sealer.seal(encode_events([*chunk, receipt]), last=True)

    def _issue(self, progress: Progress, outcome: Outcome) -> bytes:
        receipt = self._receipts.issue(progress, outcome)
        # Behind it: what fails there is issued anew, as cancelled, and counts once.
        self._engine.observer.of(progress.admitted.head.model).answered(outcome)
        return receipt

    async def _events(self, admitted: Admitted) -> AsyncGenerator[Event, None]:
        """Pieces of text, then one event that ends the answer, whatever happens."""
        model = admitted.head.model
        try:
            if refusal := self._refusal(admitted):
                yield refusal
                return
            admitted.place.give_back()  # the run takes it: nothing comes in between
            async with aclosing(self._engine.run(model, admitted.request.task)) as events:
                async for event in within(self._answer_s, events):
                    yield event
        except TimeoutError:
            yield Failure("too-long", f"No whole answer within {self._answer_s} s; ask for less, or later.", model)
        except Malformed:
            yield Failure("invalid-tensor", "A tensor's data is not as long as its dtype and shape say.")
        except EngineError as error:
            yield Failure(error.code, str(error), model)
        except Exception:
            # Whatever went wrong, its text can hold content; and an answer without an end would look like an attack.
            yield Failure("internal", "The enclave could not answer; try again.", model)

    def _refusal(self, admitted: Admitted) -> Failure | None:
        """What is refused inside the seal without asking the model."""
        task, model = admitted.request.task, admitted.head.model
        if admitted.expired:
            return Failure("expired", "Its sealer set a time for this request, which is over; seal it again.", model)
        if isinstance(task, Generation) and task.max_tokens > self._max_new_tokens:
            return Failure("too-long", f"Ask for at most {self._max_new_tokens} new tokens.", model)
        return None


def _exceeded(chunk: Sequence[Event]) -> str | None:
    """The limit that an answer exceeds, in words."""
    if any(isinstance(event, Tags) and sum(map(len, event.spans)) > MAX_SPANS for event in chunk):
        return f"{MAX_SPANS} spans"
    return f"{MAX_ANSWER_BYTES} bytes" if len(encode_events(chunk)) > MAX_ANSWER_BYTES else None
