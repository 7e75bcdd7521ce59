"""Chat templates: Jinja text that came with a model, run as untrusted code.

A template sees the roles of a conversation and markers in place of its contents (prompts.py), never what a client
wrote. It runs in a sandbox that bounds its work, and its output is bounded besides.
"""

from collections.abc import Sequence

import jinja2

from enclave.engine.errors import InvalidRequest, ModelRejected
from enclave.engine.generation.sandbox import Sandbox

MAX_PROMPT_CHARACTERS = 256 << 10
_SHOWN_CHARACTERS = 80


class ChatTemplate:
    """A compiled chat template; not thread-safe.

    It is given `messages` (each with `role` and `content`), `add_generation_prompt` true, and `tools` and `documents`
    none; any other name is an error where the template uses it, and so is `bos_token`: write out what it stands for.
    """

    def __init__(self, source: str) -> None:
        """Compile the template; raise ModelRejected if it does not compile, or refuses one message of a user."""
        self._sandbox = Sandbox()
        try:
            self._template = self._sandbox.counted(source)
            self._rendered(["user"], ["content"])
        except Exception as error:
            found = f": {str(error)[:_SHOWN_CHARACTERS]}" if isinstance(error, jinja2.UndefinedError) else ""
            raise ModelRejected(
                f"template: expected one that renders a user's message, got {type(error).__name__}{found}"
            ) from None

    def render(self, roles: Sequence[str], contents: Sequence[str]) -> str:
        """The prompt's text, of at most MAX_PROMPT_CHARACTERS; raise InvalidRequest if the template refuses."""
        try:
            return self._rendered(roles, contents)
        except InvalidRequest:
            raise
        except Exception:
            raise InvalidRequest(
                "expected messages that the model's chat template takes, got ones it refuses; "
                "check the order of the roles"
            ) from None

    def _rendered(self, roles: Sequence[str], contents: Sequence[str]) -> str:
        messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
        pieces: list[str] = []
        characters = self._sandbox.work = 0
        for piece in self._template.generate(messages=messages, add_generation_prompt=True, tools=None, documents=None):
            characters += len(piece)
            if characters > MAX_PROMPT_CHARACTERS:
                raise InvalidRequest(f"expected a prompt of at most {MAX_PROMPT_CHARACTERS} characters, got more")
            pieces.append(piece)
        return "".join(pieces)
