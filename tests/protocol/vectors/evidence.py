"""Evidence and what a document binds: docs/protocol.md, evidence."""

from __future__ import annotations

from tests.attestation.vectors.documents import document
from tests.protocol.vectors.exchange import ALL_PCRS, KEY_LIST, client_document, evidence, point, statement
from tests.protocol.vectors.key_lists import X25519, KeyList, configuration
from tests.protocol.vectors.seeds import derived
from tests.protocol.vectors.vector import ACCEPTED, MALFORMED, UNSUPPORTED, Group, Vector
from tests.protocol.vectors.wire import prefixed

BINDING_PURPOSE, BINDING_DIGEST, BINDING_ABSENT = "binding-purpose", "binding-digest", "binding-absent"
PUBLIC_KEY_PRESENT = "public-key-present"
_STATEMENT = statement(KEY_LIST, point())


def group() -> Group:
    """The file."""
    about = (
        "Evidence. `user_data` and `public_key` are those of the document in it, as a verifier of documents returns "
        "them; the documents are signed under `root.pem` of the conformance vectors. Layer `binding`: the outcome is a "
        "rejection code of docs/attestation.md. `accepts` lists the suites that the client takes; by default all."
    )
    return Group("evidence", about, "Evidence", {}, [*_accepted(), *_form(), *_binding(), *_suite()])


def _accepted() -> list[Vector]:
    facts = {"user_data": _STATEMENT, "public_key": None}
    return [Vector("sound", "as GET /v1/evidence answers", evidence(client_document()), ACCEPTED, None, facts)]


def _form() -> list[Vector]:
    signed, keys, key = b"of a document, lengths alone are judged here", KEY_LIST, point()
    whole = evidence(signed)
    long = (1 << 32) - 1
    wrong = {
        "empty": ("no bytes", b""),
        "magic": ("another magic", b"SRX\1" + whole[4:]),
        "version": ("version 2", b"SRE\2" + whole[4:]),
        "trailing": ("one byte too many", whole + b"\0"),
        "cut": ("one byte short", whole[:-1]),
        "two-fields": ("no receipt key", b"SRE\1" + prefixed(signed, keys)),
        "four-fields": ("a field too many", b"SRE\1" + prefixed(signed, keys, key, b"")),
        "length-2-32": ("a document of 2^32 - 1 bytes", whole[:4] + long.to_bytes(4, "big") + whole[8:]),
        "document-absent": ("a document of no bytes", evidence(b"")),
        "document-too-large": ("a document of 32 KiB and a byte", evidence(bytes(32769))),
        "key-list-absent": ("a key list of no bytes", evidence(signed, b"")),
        "key-list-too-large": ("a key list of 16 KiB and a byte", evidence(signed, bytes(16385))),
        "receipt-key-of-64": ("a receipt key of 64 bytes", evidence(signed, keys, key[:-1])),
        "receipt-key-compressed": ("a receipt key of 33 bytes", evidence(signed, keys, b"\2" + key[1:33])),
    }
    return [Vector(slug, title, data, MALFORMED, "form") for slug, (title, data) in wrong.items()]


def _binding() -> list[Vector]:
    other_keys = KeyList(configurations=(configuration(X25519),)).to_bytes()
    kms = statement(KEY_LIST, point(), purpose=b"strongroom kms recipient")
    swapped = statement(other_keys, point())
    return [
        _unbound("other-key-list", "another key list", BINDING_DIGEST, keys=other_keys),
        _unbound("other-receipt-key", "another receipt key", BINDING_DIGEST, key=point("other")),
        _unbound("other-document", "a document that binds another key list", BINDING_DIGEST, user_data=swapped),
        _unbound("purpose", "a document of another purpose", BINDING_PURPOSE, user_data=kms),
        _unbound("version", "version 2 of the binding", BINDING_PURPOSE, user_data=_version_2()),
        _unbound("longer", "a byte behind the digest", BINDING_DIGEST, user_data=_STATEMENT + b"\0"),
        _unbound("absent", "a document without user_data", BINDING_ABSENT, user_data=None),
        _unbound("public-key", "a document with a public key: made for KMS", PUBLIC_KEY_PRESENT, public_key=_rsa()),
    ]


def _version_2() -> bytes:
    return statement(KEY_LIST, point(), version=2)


def _rsa() -> bytes:
    return derived("a public key", 294)


def _suite() -> list[Vector]:
    """Said by a genuine enclave: it is the client that does not take it."""
    keys = KeyList(configurations=(configuration(X25519),)).to_bytes()
    signed = document(user_data=statement(keys, point()), pcrs=ALL_PCRS)
    facts = {"user_data": statement(keys, point()), "public_key": None, "accepts": [1]}
    return [
        Vector(
            "suite-floor", "suite 2 alone, to who accepts suite 1", evidence(signed, keys), UNSUPPORTED, "suite", facts
        )
    ]


def _unbound(
    slug: str,
    title: str,
    code: str,
    *,
    keys: bytes = KEY_LIST,
    key: bytes | None = None,
    user_data: bytes | None = _STATEMENT,
    public_key: bytes | None = None,
) -> Vector:
    signed = document(user_data=user_data, public_key=public_key, pcrs=ALL_PCRS)
    facts = {"user_data": user_data, "public_key": public_key}
    return Vector(f"binding-{slug}", title, evidence(signed, keys, key), code, "binding", facts)
