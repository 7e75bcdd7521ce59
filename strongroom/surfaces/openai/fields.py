"""The fields of a request: what may be left aside, and what may not.

A field that would change the answer is refused unless it has a meaning here. One that is null or empty, or has the only
value that there is, is as if absent. Bookkeeping is dropped at this side: the enclave has no use for it.
"""

from collections.abc import Collection, Mapping
from typing import Final

from strongroom.surfaces.refusals import invalid
from strongroom.surfaces.tasks import json_object, unsupported

_BOOKKEEPING: Final = frozenset(
    {"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"}
)
_MAX_NAME: Final = 64  # of a field that is named in a refusal
_ONLY: Final[Mapping[str, tuple[object, ...]]] = {
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "store": (False,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "suffix": ("",),
}


def read_fields(body: bytes) -> dict[str, object]:
    """The fields of a request that mean something. Raises Refused."""
    return {
        name: value
        for name, value in present(json_object(body)).items()
        if name not in _BOOKKEEPING and value not in _ONLY.get(name, ())
    }


def present(fields: Mapping[str, object]) -> dict[str, object]:
    """Those that are neither null nor empty."""
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def refuse_others(fields: Mapping[str, object], known: Collection[str] = ()) -> None:
    """Raise Refused for a field that is none of `known`, though the protocol may have one of that name."""
    for name in fields:
        if name not in known:
            raise unsupported(name[:_MAX_NAME])


def flag(fields: dict[str, object], name: str) -> bool:
    """Take a field that is true or false, and false when absent. Raises Refused."""
    value = fields.pop(name, False)
    if not isinstance(value, bool):
        raise invalid(f"{name}: expected true or false, got another type", name)
    return value


def text_or_texts(fields: dict[str, object], name: str) -> list[object]:
    """Take a text or a list of texts; numbers would be tokens, which are the model's own business. Raises Refused."""
    value = fields.pop(name, None)
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in listed):
        raise invalid(f"{name}: expected a text or texts, got tokens or something else", name)
    return listed
