"""What a receipt commits to: the content of a request and of its answer, each as one byte string.

How an answer was cut into chunks is not content: a streamed answer and the same one in a single chunk are equal here.
"""

from collections.abc import Sequence

from strongroom.protocol import canonical
from strongroom.protocol.errors import Malformed
from strongroom.protocol.payloads import Event, Receipt, Task, TextDelta


def request_content(task: Task) -> bytes:
    """Canonical CBOR of the task: the very bytes that it has in the body of its request."""
    return canonical.encode(task)


def response_content(events: Sequence[Event]) -> bytes:
    """Canonical CBOR of the answer's events, their deltas in one, without the receipt."""
    return canonical.encode(join_text([event for event in events if not isinstance(event, Receipt)]))


def join_text(events: Sequence[Event]) -> list[Event]:
    """The same events with one delta, in front, for all of them; none for an answer without text and logprobs."""
    deltas = [event for event in events if isinstance(event, TextDelta)]
    others: list[Event] = [event for event in events if not isinstance(event, TextDelta)]
    text = "".join(delta.text for delta in deltas)
    logprobs = [each for delta in deltas for each in delta.logprobs or ()]
    return [TextDelta(text, logprobs or None), *others] if text or logprobs else others


def split_receipt(events: Sequence[Event]) -> tuple[list[Event], bytes]:
    """The events of a whole answer, their text in one, and its receipt.

    Raises Malformed for anything but pieces of text, then one event that ends the answer, then the receipt.
    """
    *content, receipt = events or [TextDelta("")]
    *pieces, end = content or [TextDelta("")]
    if not isinstance(receipt, Receipt) or isinstance(end, TextDelta | Receipt):
        raise Malformed("answer: expected an event that ends it, then its receipt")
    if not all(isinstance(event, TextDelta) for event in pieces):
        raise Malformed("answer: expected nothing but text before the event that ends it")
    return join_text(content), receipt.receipt
