"""`tokenizer.json` files (Hugging Face tokenizers) from a vocabulary and merges, or from a published file.

Written by hand rather than by the library, so that the bytes depend on the vocabulary alone; the library then has to
accept them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers

from strongroom.models.errors import SourceInvalid


def byte_level_bpe(
    tokens: Sequence[str],
    merges: Sequence[tuple[str, str]],
    special: Sequence[str],
    *,
    frame: tuple[str, str] | None = None,
) -> bytes:
    """A byte-level BPE tokenizer that splits digits singly and adds no space ("smollm" in GGUF).

    `tokens` in the order of their ids; `special` are those that never come from text; `frame` are the special
    tokens set before and after a text, as encoders want. Raises SourceInvalid when the parts do not fit together.
    """
    ids = {token: index for index, token in enumerate(tokens)}
    if len(ids) != len(tokens):
        raise SourceInvalid(f"tokenizer: expected {len(tokens)} different tokens, got {len(ids)}")
    if missing := [token for token in (*special, *(frame or ())) if token not in ids]:
        raise SourceInvalid(f"tokenizer: expected special token {missing[0]!r} in the vocabulary, got none")
    return _checked(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [_special_token(ids[token], token) for token in special],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [{"type": "Digits", "individual_digits": True}, _byte_level()],
            },
            "post_processor": _frame(frame, ids) if frame else None,
            "decoder": _byte_level(),
            "model": {"type": "BPE", "vocab": ids, "merges": [list(pair) for pair in merges]},
        }
    )


def byte_alphabet() -> list[str]:
    """The 256 characters that stand for bytes in a byte-level vocabulary, in a fixed order."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def without_limits(published: bytes) -> bytes:
    """A published `tokenizer.json` without its truncation and padding; raise SourceInvalid.

    The runtime refuses what is too long and pads what it batches: cutting a text silently is no answer to it.
    """
    try:
        settings = json.loads(published)
    except ValueError:
        raise SourceInvalid("tokenizer: expected JSON in UTF-8, got something else") from None
    if not isinstance(settings, dict):
        raise SourceInvalid(f"tokenizer: expected a JSON object, got {type(settings).__name__}")
    return _checked(settings | {"truncation": None, "padding": None})


def _checked(settings: dict[str, Any]) -> bytes:
    text = json.dumps(settings, ensure_ascii=False, separators=(",", ":"))
    try:
        Tokenizer.from_str(text)
    except Exception as error:  # the library raises bare Exception
        raise SourceInvalid(f"tokenizer: expected settings that the tokenizers library accepts: {error}") from None
    return text.encode()


def _byte_level() -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def _special_token(index: int, content: str) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": index, "content": content, **flags, "special": True}


def _frame(frame: tuple[str, str], ids: Mapping[str, int]) -> dict[str, Any]:
    before, after = ({"SpecialToken": {"id": token, "type_id": 0}} for token in frame)
    text = {"Sequence": {"id": "A", "type_id": 0}}
    second = [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": frame[1], "type_id": 1}}]
    return {
        "type": "TemplateProcessing",
        "single": [before, text, after],
        "pair": [before, text, after, *second],
        "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in frame},
    }
