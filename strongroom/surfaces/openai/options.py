"""The options that chat completions and completions share."""

from typing import Final

from strongroom.surfaces.openai.fields import flag, present, refuse_others
from strongroom.surfaces.refusals import invalid

_OPTIONS: Final = frozenset({"max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "logprobs"})


def shared_options(fields: dict[str, object]) -> dict[str, object]:
    """What is left of `fields` as options of a generation; temperature's default is OpenAI's. Raises Refused."""
    refuse_others(fields, _OPTIONS)
    stop = fields.pop("stop", [])
    return {"temperature": 1.0, **fields, "stop": stop if isinstance(stop, list) else [stop]}


def streaming(fields: dict[str, object]) -> tuple[bool, bool]:
    """Whether to stream, and whether to tell the usage then. Raises Refused."""
    stream, options = flag(fields, "stream"), fields.pop("stream_options", {})
    if not isinstance(options, dict) or (options and not stream):
        raise invalid("stream_options: expected an object, along with stream: true", "stream_options")
    options = present(options)
    options.pop("include_obfuscation", None)  # lengths are hidden by the seal
    usage = flag(options, "include_usage")
    if options:
        raise invalid("stream_options: expected include_usage and no other", "stream_options")
    return stream, usage
