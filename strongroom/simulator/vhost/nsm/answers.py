"""The NSM's own side of its CBOR: a request's bytes in, the answer's bytes out (aws-nitro-enclaves-nsm-api)."""

import io
from collections.abc import Mapping
from typing import Any

import cbor2

from enclave.nsm.interface import NSM, NSMErrorCode, NSMRefused, NSMTruncated

_MAX_DEPTH = 4
_FIELDS = {"user_data", "nonce", "public_key"}


def answer(nsm: NSM, request: bytes) -> bytes:
    """What a module answers to `request`; anything that is none gets an error of the module."""
    try:
        return cbor2.dumps(_perform(nsm, *_operation(request)))
    except NSMRefused as refused:
        return error_answer(refused.code)
    except NSMTruncated:
        return error_answer(NSMErrorCode.BUFFER_TOO_SMALL)


def error_answer(code: NSMErrorCode) -> bytes:
    """An error, as the module says it."""
    return cbor2.dumps({"Error": code.value})


def _operation(request: bytes) -> tuple[str, Mapping[str, Any]]:
    """The name and the arguments: a bare text, or a map of one map."""
    match _decoded(request):
        case str(name):
            return name, {}
        case dict(operation) if len(operation) == 1:
            ((name, arguments),) = operation.items()
            if isinstance(name, str) and isinstance(arguments, dict):
                return name, arguments
    raise NSMRefused(NSMErrorCode.INVALID_OPERATION)


def _decoded(request: bytes) -> object:
    stream = io.BytesIO(request)
    decoder = cbor2.CBORDecoder(stream, max_depth=_MAX_DEPTH, allow_duplicate_keys=False)
    try:
        value: object = decoder.decode()
    except (cbor2.CBORDecodeError, ValueError, OverflowError):
        raise NSMRefused(NSMErrorCode.INVALID_OPERATION) from None
    if stream.tell() != len(request):
        raise NSMRefused(NSMErrorCode.INVALID_OPERATION)
    return value


def _perform(nsm: NSM, name: str, arguments: Mapping[str, Any]) -> object:
    if any(isinstance(value, bool) for value in arguments.values()):
        raise NSMRefused(NSMErrorCode.INVALID_ARGUMENT)
    match name, arguments:
        case "DescribeNSM", {**rest} if not rest:
            return {name: _description(nsm)}
        case "DescribePCR", {"index": int(index), **rest} if not rest:
            state = nsm.describe_pcr(index)
            return {name: {"lock": state.locked, "data": state.value}}
        case "ExtendPCR", {"index": int(index), "data": bytes(data), **rest} if not rest:
            return {name: {"data": nsm.extend_pcr(index, data)}}
        case "LockPCR", {"index": int(index), **rest} if not rest:
            nsm.lock_pcr(index)
            return name
        case "LockPCRs", {"range": int(range_), **rest} if not rest:
            nsm.lock_pcrs(range_)
            return name
        case "GetRandom", {**rest} if not rest:
            return {name: {"random": nsm.get_random()}}
        case "Attestation", fields if set(fields) == _FIELDS:
            return {name: {"document": nsm.attest(**{key: _octets(value) for key, value in fields.items()})}}
    raise NSMRefused(NSMErrorCode.INVALID_OPERATION)


def _octets(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    raise NSMRefused(NSMErrorCode.INVALID_ARGUMENT)


def _description(nsm: NSM) -> dict[str, object]:
    described = nsm.describe_nsm()
    major, minor, patch = described.version
    return {
        "version_major": major,
        "version_minor": minor,
        "version_patch": patch,
        "module_id": described.module_id,
        "max_pcrs": described.max_pcrs,
        "locked_pcrs": sorted(described.locked_pcrs),
        "digest": described.digest,
    }
