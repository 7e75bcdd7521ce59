"""Answers to chats and completions: one writer for each way, over the form that an endpoint gives its choices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from strongroom.protocol.payloads import Event, GenerationEnd, TextDelta, TokenLogprob
from strongroom.surfaces.calls import Stamp
from strongroom.surfaces.http import Reply, json_reply
from strongroom.surfaces.openai.sse import DONE, event
from strongroom.surfaces.refusals import out_of_place

Finish = Literal["stop", "length"] | None
Logprobs = Sequence[TokenLogprob] | None


class Form(Protocol):
    """The one choice of an answer, as an endpoint shapes it; of one answer, in its order."""

    whole_object: str
    piece_object: str
    opening: dict[str, object] | None
    """The choice of a stream's first event, if it has one before any text."""

    def whole(self, text: str, logprobs: Logprobs, finish: Finish) -> dict[str, object]:
        """The choice of a whole answer."""

    def piece(self, text: str | None, logprobs: Logprobs, finish: Finish) -> dict[str, object]:
        """The choice of one event of a stream; without text, of its end."""


@dataclass(frozen=True, slots=True)
class WholeWriter:
    """Writes a whole answer."""

    form: Form
    stamp: Stamp
    model: str

    def __call__(self, events: Sequence[Event]) -> Reply:
        """One object. Raises Refused for other events than text and its end."""
        deltas = [event for event in events if isinstance(event, TextDelta)]
        end = events[-1] if events else None
        if not isinstance(end, GenerationEnd) or len(deltas) != len(events) - 1:
            raise out_of_place()
        told = [delta.logprobs for delta in deltas if delta.logprobs is not None]
        logprobs = [token for tokens in told for token in tokens] if told else None
        choice = self.form.whole("".join(delta.text for delta in deltas), logprobs, end.finish)
        return json_reply(answer(self.stamp, self.model, self.form.whole_object, choice) | {"usage": usage(end)})


class PieceWriter:
    """Writes an answer as it comes; the events of one stream."""

    def __init__(self, form: Form, stamp: Stamp, model: str, *, tells_usage: bool) -> None:
        self._form, self._stamp, self._model, self._tells_usage = form, stamp, model, tells_usage
        self._end: GenerationEnd | None = None
        self._begun = False

    def piece(self, received: Event) -> bytes:
        """An event for each piece of text. Raises Refused for an event out of place."""
        if self._end is not None or not isinstance(received, TextDelta | GenerationEnd):
            raise out_of_place()
        opening = self._opening()
        if isinstance(received, GenerationEnd):
            self._end = received
            return opening
        return opening + self._event(self._form.piece(received.text, received.logprobs, None))

    def end(self) -> bytes:
        """Why it ended, the usage if that was asked for, and the end of the stream. Raises Refused without an end."""
        if self._end is None:
            raise out_of_place()
        last = self._event(self._form.piece(None, None, self._end.finish))
        return last + (self._event(None, usage(self._end)) if self._tells_usage else b"") + DONE

    def _opening(self) -> bytes:
        begun, self._begun = self._begun, True
        return b"" if begun or self._form.opening is None else self._event(self._form.opening)

    def _event(self, choice: dict[str, object] | None, told: dict[str, int] | None = None) -> bytes:
        body = answer(self._stamp, self._model, self._form.piece_object, choice)
        return event(body | {"usage": told} if self._tells_usage else body)


def answer(stamp: Stamp, model: str, kind: str, choice: dict[str, object] | None) -> dict[str, object]:
    """The object around a choice."""
    choices = [] if choice is None else [choice]
    return {"id": stamp.id, "object": kind, "created": stamp.created_s, "model": model, "choices": choices}


def usage(end: GenerationEnd) -> dict[str, int]:
    """The counts of tokens."""
    total = end.prompt_tokens + end.completion_tokens
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": total,
    }
