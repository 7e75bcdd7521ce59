"""Reading one answer as it comes: its text at once, what ends it only when its receipt has been judged."""

from dataclasses import dataclass, field

from strongroom.client.errors import ReceiptRefused, SealBroken
from strongroom.client.sealing import SealedRequest, opening
from strongroom.protocol.contents import split_receipt
from strongroom.protocol.events import decode_events
from strongroom.protocol.framing import Buffer
from strongroom.protocol.messages import SealedResponseHead
from strongroom.protocol.payloads import Event, Receipt, TextDelta


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """Every chunk opened, up to the last; nothing is known of the receipt yet."""

    head: SealedResponseHead
    events: list[Event] = field(repr=False)
    """The content: at most one text, then the event that ends it."""
    receipt: bytes = field(repr=False)
    chunks: int

    @property
    def end(self) -> Event:
        """The event that ends it."""
        return self.events[-1]


class AnswerReader:
    """Feed it bytes as they come; each method raises SealBroken, AnswerTruncated or ReceiptRefused."""

    def __init__(self, sealed: SealedRequest) -> None:
        self.held: list[Event] = []
        """Events that were not handed out: all but the text of the chunks before the last."""
        self._opener = sealed.opener()
        self._events: list[Event] = []
        self._chunks = 0
        self._has_receipt = False

    def feed(self, data: bytes) -> list[Event] | None:
        """The text of the chunks that these bytes complete, or None when they complete none."""
        with opening():
            bodies = self._opener.feed(data)
        return [event for body in bodies for event in self._read(body)] if bodies else None

    def whole(self) -> WholeAnswer:
        """The transport has ended: the answer, if this is all of it."""
        with opening():
            self._opener.finish()
        if not self._has_receipt:
            raise ReceiptRefused("expected one at the answer's end, got none")
        with opening():
            events, receipt = split_receipt(self._events)
        assert self._opener.head is not None  # noqa: S101 - a last chunk was seen, for the type checker
        return WholeAnswer(self._opener.head, events, receipt, self._chunks)

    def _read(self, body: Buffer) -> list[Event]:
        if self._has_receipt:
            raise SealBroken("expected nothing after the receipt, got another chunk")
        with opening():
            events = decode_events(body)
        self._chunks += 1
        self._events += events
        self._has_receipt = any(isinstance(event, Receipt) for event in events)
        text: list[Event] = [event for event in events if isinstance(event, TextDelta)]
        others = [event for event in events if not isinstance(event, TextDelta | Receipt)]
        self.held += [*text, *others] if self._has_receipt else others
        return [] if self._has_receipt else text
