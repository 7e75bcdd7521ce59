"""From the messages of a conversation, or a text to continue, to the tokens of a prompt.

The template is rendered with a marker for each content, the control tokens of that text are found, and only then do
the contents take the markers' places, in runs of plain text between two control tokens. A "<|im_end|>" that a client
wrote is therefore spelled out like any other text, while an honest conversation gets the same tokens as if the whole
text had been rendered at once; only a tokenizer that puts a space before a text's first word, and before no other
(Metaspace with "first"), puts one before each run. A template sees no content, so filters on contents (`trim`) have no
effect.
"""

import re
from collections.abc import Iterator, Sequence

from enclave.engine.errors import InvalidRequest, TooLong
from enclave.engine.generation.templates import ChatTemplate
from enclave.engine.tokenization import Tokenizer, check_length
from strongroom.protocol.payloads import ChatTask, CompleteTask, Message

_MARKER = re.compile("\ue000([0-9]{1,4})\ue001")  # private-use characters: no template writes them by itself


class PromptEncoder:
    """A template and a tokenizer, for a context of `context_tokens`."""

    def __init__(self, template: ChatTemplate, tokenizer: Tokenizer, context_tokens: int) -> None:
        self._template = template
        self._tokenizer = tokenizer
        self._context_tokens = context_tokens

    def encode_task(self, task: ChatTask | CompleteTask) -> list[int]:
        """The prompt's tokens, which leave room for at least one more; raises what the methods below raise."""
        return self.encode(task.messages) if isinstance(task, ChatTask) else self.encode_text(task.prompt)

    def encode_text(self, prompt: str) -> list[int]:
        """The tokens of a text as it is, in the frame that the tokenizer puts around any text (a first token, or none).

        Raises TooLong, and InvalidRequest for a text that has no tokens or yields a control token.
        """
        check_length(len(prompt), self._context_tokens)
        return self._checked(self._tokenizer.encode_text(prompt, frame=True))

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of a conversation.

        Raises TooLong, and InvalidRequest for messages that the template refuses or leaves out.
        """
        contents = [message.content for message in messages]
        check_length(sum(map(len, contents)), self._context_tokens)
        markers = [f"\ue000{index}\ue001" for index in range(len(messages))]
        rendered = self._template.render([message.role for message in messages], markers)
        if sorted(_MARKER.findall(rendered)) != sorted(map(str, range(len(messages)))):
            raise InvalidRequest(
                "expected messages that the model's chat template uses once each, got ones it leaves out; "
                "this model may take no system message"
            )
        return self._checked(list(self._tokens(rendered, contents)))

    def _checked(self, tokens: list[int]) -> list[int]:
        if not tokens:
            raise InvalidRequest("expected a prompt of at least one token, got none")
        if len(tokens) >= self._context_tokens:
            raise TooLong(
                f"expected a prompt of fewer than {self._context_tokens} tokens, got {len(tokens)}; shorten it"
            )
        return tokens

    def _tokens(self, rendered: str, contents: Sequence[str]) -> Iterator[int]:
        at = 0
        for span in self._tokenizer.control_spans(rendered):
            yield from self._plain(rendered[at : span.start], contents)
            yield span.token
            at = span.end
        yield from self._plain(rendered[at:], contents)

    def _plain(self, run: str, contents: Sequence[str]) -> list[int]:
        return self._tokenizer.encode_text(_MARKER.sub(lambda marker: contents[int(marker[1])], run))
