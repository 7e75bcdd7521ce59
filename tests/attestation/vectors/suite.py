"""All cases under their names, and the files that they become."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from tests.attestation.vectors import coverage
from tests.attestation.vectors.case import Case
from tests.attestation.vectors.cases import (
    bindings,
    certificates,
    constraints,
    deployment,
    envelope,
    fields,
    freshness,
    names,
    order,
    payload,
    policy,
    signature,
    validity,
)
from tests.attestation.vectors.chains import ROOT, SOUND, STRANGERS, Chain, issue
from tests.attestation.vectors.rules import CODES

FOLDER = Path(__file__).parents[2] / "vectors"
PAGE = "README.md"
"""The one file in FOLDER that is written by hand."""
PROTOCOL = "protocol"
"""The folder in FOLDER that `tests.protocol.vectors` writes."""

_MODULES = (
    *(envelope, signature, payload, fields),
    *(order, certificates, constraints, validity, names),
    *(policy, deployment, freshness, bindings),
)


@cache
def cases() -> dict[str, Case]:
    """By name, ``<rule>-<number within the rule>-<defect>``, in that order."""
    seen: Counter[int] = Counter()
    named = {}
    for case in sorted(chain.from_iterable(module.cases() for module in _MODULES), key=lambda case: case.rule):
        seen[case.rule] += 1
        named[f"{case.rule:02}-{seen[case.rule]:02}-{case.slug}"] = case
    return named


def files() -> dict[str, bytes]:
    """Everything in FOLDER but the page, by its path in there."""
    found = {"root.pem": _pem(SOUND), "stranger.pem": _pem(STRANGERS), "coverage.md": coverage.page(cases()).encode()}
    for name, case in cases().items():
        found |= {f"{name}/{file}": data for file, data in _files_of(name, case)}
    return found


def write(folder: Path) -> None:
    """Make the vectors in ``folder``, which need not exist."""
    for path, data in files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def differences(folder: Path) -> list[str]:
    """The paths at which ``folder`` is not what the generator makes: missing, other bytes, or too many."""
    expected = files()
    files_there = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    present = {str(path) for path in files_there if path.parts[0] not in (PAGE, PROTOCOL)}
    wrong = {path for path in present & expected.keys() if (folder / path).read_bytes() != expected[path]}
    return sorted(wrong | (present ^ expected.keys()))


def _files_of(name: str, case: Case) -> Iterator[tuple[str, bytes]]:
    yield "document.cbor", case.document
    yield "manifest.json", (json.dumps(_manifest(name, case), indent=2) + "\n").encode()
    if case.policy is not None:
        yield "policy.toml", case.policy.encode()


def _manifest(name: str, case: Case) -> dict[str, object]:
    return {
        "id": name[:5],
        "title": case.title,
        "rule": case.rule,
        "classes": case.rows,
        "verdict": case.verdict,
        "code": case.code,
        "rejection_class": CODES[case.code].rejection_class if case.code else None,
        "arguments": case.arguments,
    }


def _pem(certificates: Chain) -> bytes:
    """RFC 7468."""
    text = base64.b64encode(issue(certificates).certificates[ROOT]).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()
