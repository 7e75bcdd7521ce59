"""What a proof bundle shows, read again, and what somebody else holds, as the bundle would show it.

Text stands for the whole of a completion's prompt, of a chat of one user message, or of the answer: the rest, such as
`max_tokens`, is taken from the bundle, and the receipt's commitment decides.
"""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from attestation.proofs.openings import Opening
from strongroom.client.errors import InvalidArgument
from strongroom.protocol import canonical
from strongroom.protocol.contents import request_content, response_content
from strongroom.protocol.events import decode_events
from strongroom.protocol.payloads import ChatTask, CompleteTask, Event, GenerationEnd, Message, Task, TextDelta


def shown_task(request: Opening | None) -> Task:
    """What was asked, of a bundle's `request`. Raises InvalidArgument where the bundle keeps it back; Malformed."""
    task: Task = canonical.decode(_shown(request, "request").content, cast(Any, Task), "request")
    return task


def shown_events(response: Opening | None) -> list[Event]:
    """What was answered, its text in one, of a bundle's `response`; raises likewise."""
    return decode_events(_shown(response, "response").content, "response")


def request_held(request: Opening | None, asked: Task | str) -> Opening:
    """What somebody holds for the request, a task or a prompt, under the salt of a bundle's `request`.

    The receipt judges it. One line break more at the end of a prompt is none of it.
    Raises InvalidArgument where the bundle keeps its request back, or text is not enough; Malformed.
    """
    opening = _shown(request, "request")
    if not isinstance(asked, str):
        return Opening(opening.salt, request_content(asked))
    task = shown_task(opening)
    return _either(opening, [request_content(_with_prompt(task, text)) for text in _readings(asked)])


def response_held(response: Opening | None, answered: Sequence[Event] | str) -> Opening:
    """What somebody holds for the response, events or generated text, under a bundle's salt; raises likewise."""
    opening = _shown(response, "response")
    if not isinstance(answered, str):
        return Opening(opening.salt, response_content(answered))
    events = shown_events(opening)
    return _either(opening, [response_content(_with_text(events, text)) for text in _readings(answered)])


def _shown(opening: Opening | None, what: str) -> Opening:
    if opening is None:
        raise InvalidArgument(f"bundle: expected one that shows its {what}, got one that keeps it back, and its salt")
    return opening


def _readings(text: str) -> list[str]:
    """Files of text end with a line break that their text may not have."""
    return [text, text.removesuffix("\n").removesuffix("\r")] if text.endswith("\n") else [text]


def _either(opening: Opening, contents: Sequence[bytes]) -> Opening:
    """The opening itself, if a content is its own."""
    return opening if opening.content in contents else Opening(opening.salt, contents[0])


def _with_prompt(task: Task, text: str) -> Task:
    """Of a conversation, text would leave out what changes the answer most."""
    if isinstance(task, CompleteTask):
        return msgspec.structs.replace(task, prompt=text)
    if not isinstance(task, ChatTask) or [message.role for message in task.messages] != ["user"]:
        raise InvalidArgument("request: expected a task, got text, though the bundle shows no chat of one user message")
    return msgspec.structs.replace(task, messages=[Message("user", text)])


def _with_text(events: Sequence[Event], text: str) -> list[Event]:
    """What is shown of the tokens stays: it commits to another text than theirs by itself."""
    if not any(isinstance(event, GenerationEnd) for event in events):
        raise InvalidArgument("response: expected events, got text, though the bundle shows no generated answer")
    said = next((event for event in events if isinstance(event, TextDelta)), TextDelta(""))
    return [msgspec.structs.replace(said, text=text), *(event for event in events if event is not said)]
