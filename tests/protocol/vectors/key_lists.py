"""The key list: docs/protocol.md, keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.protocol.vectors.seeds import KeyPair, X25519Pair, XWingPair
from tests.protocol.vectors.vector import ACCEPTED, MALFORMED, TOO_LARGE, UNSUPPORTED, Group, Vector
from tests.protocol.vectors.wire import sha256, sha384

XWING, X25519 = XWingPair("enclave"), X25519Pair("enclave")


def configuration(pair: KeyPair, *, version: int = 1, suite: int | None = None) -> bytes:
    """version ‖ suite ‖ length ‖ public key."""
    number = pair.suite if suite is None else suite
    return bytes([version]) + number.to_bytes(2, "big") + len(pair.public).to_bytes(2, "big") + pair.public


def key_id(pair: KeyPair) -> bytes:
    """SHA-256 of its configuration."""
    return sha256(configuration(pair))


@dataclass(frozen=True)
class KeyList:
    """A key list, sound unless changed."""

    magic: bytes = b"SRK\1"
    configurations: Sequence[bytes] = (configuration(XWING), configuration(X25519))
    kms_leg: int = 2
    policies: Sequence[tuple[bytes, bytes]] = ((b"models", sha384(b"policy 1")), (b"requests", sha384(b"policy 2")))
    end: bytes = b""

    def to_bytes(self) -> bytes:
        """The list."""
        configurations = b"".join(len(each).to_bytes(2, "big") + each for each in self.configurations)
        policies = b"".join(bytes([len(entry)]) + entry + digest for entry, digest in self.policies)
        counts = bytes([len(self.configurations)]), bytes([self.kms_leg, len(self.policies)])
        return b"".join((self.magic, counts[0], configurations, counts[1], policies, self.end))


SOUND = KeyList()


def group() -> Group:
    """The file."""
    about = "Key lists. `gives` is what an accepted one says; key ids are SHA-256 of each configuration."
    return Group("key-lists", about, "Keys", {}, [*_sound(), *_frames(), *_configurations(), *_policies()])


def _accepted(slug: str, title: str, keys: KeyList, pairs: Sequence[KeyPair]) -> Vector:
    offered = [{"suite": pair.suite, "public_key": pair.public, "key_id": key_id(pair)} for pair in pairs]
    policies = {entry.decode(): digest for entry, digest in keys.policies}
    gives = {"configurations": offered, "kms_leg": {1: "classical", 2: "hybrid"}[keys.kms_leg], "policies": policies}
    return Vector(slug, title, keys.to_bytes(), ACCEPTED, None, {"gives": gives})


def _sound() -> list[Vector]:
    return [
        _accepted("both-suites", "both suites, two key policies, hybrid KMS leg", SOUND, (XWING, X25519)),
        _accepted(
            "x25519-alone",
            "one suite, one key policy, classical KMS leg",
            KeyList(configurations=(configuration(X25519),), kms_leg=1, policies=SOUND.policies[:1]),
            (X25519,),
        ),
    ]


def _refused(slug: str, title: str, outcome: str = MALFORMED, **changes: Any) -> Vector:
    return Vector(slug, title, replace(SOUND, **changes).to_bytes(), outcome, "form")


def _frames() -> list[Vector]:
    whole = SOUND.to_bytes()
    return [
        Vector("empty", "no bytes", b"", MALFORMED, "form"),
        _refused("magic", "another magic", magic=b"SRX\1"),
        _refused("version", "version 2 of the list", UNSUPPORTED, magic=b"SRK\2"),
        Vector("cut", "one byte short", whole[:-1], MALFORMED, "form"),
        _refused("trailing", "one byte too many", end=b"\0"),
        _refused("too-large", "16 KiB and one byte", TOO_LARGE, end=bytes(16385 - len(whole))),
        _refused("kms-leg-0", "KMS leg 0", UNSUPPORTED, kms_leg=0),
        _refused("kms-leg-3", "KMS leg 3", UNSUPPORTED, kms_leg=3),
    ]


def _configurations() -> list[Vector]:
    xwing, x25519 = SOUND.configurations
    other = configuration(X25519Pair("other"))
    return [
        _refused("no-configuration", "no key configuration", configurations=()),
        _refused("nine-configurations", "nine key configurations", configurations=(x25519,) * 9),
        _refused("suites-descend", "suite 2 before suite 1", configurations=(x25519, xwing)),
        _refused("suite-twice", "two keys of suite 2", configurations=(x25519, other)),
        _refused("suite-0", "suite 0", UNSUPPORTED, configurations=(configuration(X25519, suite=0),)),
        _refused("suite-3", "suite 3, which has no public key", UNSUPPORTED, configurations=(_suite_3(),)),
        _refused("configuration-version", "version 2 of a configuration", UNSUPPORTED, configurations=(_version_2(),)),
        _refused("configuration-trailing", "a byte behind the public key", configurations=(x25519 + b"\0",)),
        _refused("configuration-cut", "a public key that ends early", configurations=(x25519[:-1],)),
        _refused("configuration-empty", "a configuration of no bytes", configurations=(b"",)),
    ]


def _suite_3() -> bytes:
    return configuration(X25519, suite=3)


def _version_2() -> bytes:
    return configuration(X25519, version=2)


def _policies() -> list[Vector]:
    first, second = SOUND.policies
    digest = sha384(b"policy")
    many = tuple((f"entry-{number:02}".encode(), digest) for number in range(17))
    return [
        _refused("no-policy", "no key policy", policies=()),
        _refused("17-policies", "17 key policies", policies=many),
        _refused("policies-descend", "requests before models", policies=(second, first)),
        _refused("policy-twice", "one key entry twice", policies=(first, first)),
        _refused("entry-empty", "a key entry without an id", policies=((b"", digest),)),
        _refused("entry-upper-case", "a key entry of upper-case letters", policies=((b"Models", digest),)),
        _refused("entry-of-65", "a key entry's id of 65 bytes", policies=((b"m" * 65, digest),)),
        _refused("digest-of-47", "a digest of 47 bytes", policies=((b"models", digest[:-1]),)),
    ]
