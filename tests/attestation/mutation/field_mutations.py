"""Mutations of what the payload's fields say, in sound CBOR."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.attestation import forge
from tests.attestation.mutation import chains

Fields = dict[str, object]

_OPTIONAL = ("public_key", "user_data", "nonce")
_HOUR_MS = 3_600_000
_ZERO = bytes(48)


def mutate(rng: Random, fields: Fields) -> str:
    """Change one field in place; returns the name of the change."""
    change = rng.choice(_CHANGES)
    change(rng, fields)
    return change.__name__.strip("_")


def _absent(rng: Random, fields: Fields) -> None:
    del fields[rng.choice(list(fields))]


def _null(rng: Random, fields: Fields) -> None:
    fields[rng.choice(list(fields))] = None


def _unknown(rng: Random, fields: Fields) -> None:
    key: object = rng.choice(("extra", "", "Nonce", "pcr", 0, b"nonce", None, True, ("nonce",)))
    fields[key] = b""  # type: ignore[index]  # a key of another type is the point


def _swapped(rng: Random, fields: Fields) -> None:
    one, other = rng.sample(list(fields), 2)
    fields[one], fields[other] = fields[other], fields[one]


def _module_id(rng: Random, fields: Fields) -> None:
    fields["module_id"] = rng.choice(
        (
            *(
                "",
                "i-0-enc0",
                forge.MODULE_ID[:-1],
                forge.MODULE_ID + "0",
                forge.MODULE_ID.upper(),
                forge.TPM_MODULE_ID,
            ),
            *(
                forge.MODULE_ID + "\n",
                forge.MODULE_ID + "\0",
                "i-0-enc" + "0" * 250,
                "é" * 10,
                forge.MODULE_ID.encode(),
            ),
        )
    )


def _digest(rng: Random, fields: Fields) -> None:
    fields["digest"] = rng.choice(("SHA256", "SHA512", "sha384", "SHA384 ", "", b"SHA384", 384, True))


def _timestamp(rng: Random, fields: Fields) -> None:
    offset_ms = rng.choice((-1, 1)) * rng.choice((0, 1, 1000, 299_000, 301_000, _HOUR_MS, 3 * _HOUR_MS, 10**12))
    others = (0, -1, 1, forge.NOW_MS // 1000, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, True, 1.5, "0", b"0")
    fields["timestamp"] = forge.NOW_MS + offset_ms if rng.random() < 0.6 else rng.choice(others)


def _optional(rng: Random, fields: Fields) -> None:
    values: tuple[object, ...] = (None, b"", b"x", forge.NONCE, bytes(1024), bytes(1025), "text", 1, [], {}, True)
    fields[rng.choice(_OPTIONAL)] = rng.choice((*values, forge.NONCE + b"\0", forge.NONCE[:-1]))


def _kind(rng: Random, fields: Fields) -> None:
    key, other = rng.sample(("pcrs", "nitrotpm_pcrs"), 2)
    fields[other] = fields.get(key, forge.PCRS)
    if rng.random() < 0.5:
        fields.pop(key, None)


def _register(rng: Random, fields: Fields) -> None:
    """One PCR more, another value of one, or one fewer."""
    pcrs: dict[object, object] = dict(forge.PCRS.items())
    index: object = rng.choice((0, 0, 1, 2, 3, 16, 23, 24, 31, 32, -1, 1 << 32, "0", b"0", True, None))
    value: object = rng.choice(
        (_ZERO, forge.pcr(99), b"", bytes(32), bytes(47), bytes(49), bytes(64), "0" * 48, None, 0)
    )
    pcrs[index] = value
    if rng.random() < 0.3:
        pcrs.pop(rng.randrange(4), None)
    fields["pcrs"] = pcrs


def _debug_mode(rng: Random, fields: Fields) -> None:
    fields["pcrs"] = forge.PCRS | dict.fromkeys(rng.sample(range(3), rng.randint(1, 3)), _ZERO)


def _registers(rng: Random, fields: Fields) -> None:
    fields["pcrs"] = rng.choice(
        (
            {index: forge.pcr(index) for index in range(rng.choice((0, 1, 3, 24, 32, 33, 200)))},
            dict.fromkeys(range(16), _ZERO),
            list(forge.PCRS.values()),
            b"",
        )
    )


def _bundle(rng: Random, fields: Fields) -> None:
    """The same certificates in another order or number, with and without a stranger's."""
    *bundle, leaf = chains.sound_ders()
    stranger = chains.sound_ders(owner="a stranger")
    at = rng.randint(0, len(bundle) - 1)
    fields["cabundle"] = rng.choice(
        (
            *(bundle[::-1], bundle[1:], bundle[:-1], bundle[1:] + bundle[:1], bundle[:at] + bundle[at + 1 :]),
            *([*bundle[:at], bundle[at], *bundle[at:]], bundle * 2, bundle * 3, [*bundle, leaf]),
            *([*bundle[:at], stranger[at], *bundle[at + 1 :]], list(stranger[:4]), [*stranger[:4], bundle[0]]),
            *([*bundle, stranger[1]], bundle[:1], [], [b""], [bytes(1025)], [*bundle[:3], "text"], tuple(bundle), b"x"),
        )
    )


def _leaf(rng: Random, fields: Fields) -> None:
    certificates = (*chains.sound_ders()[: chains.LEAF], *chains.sound_ders(owner="a stranger"))
    fields["certificate"] = rng.choice((b"", bytes(1024), bytes(1025), "text", *certificates))


_CHANGES: tuple[Callable[[Random, Fields], None], ...] = (
    *(
        _absent,
        _null,
        _unknown,
        _swapped,
        _module_id,
        _digest,
        _timestamp,
        _timestamp,
        _timestamp,
        _optional,
        _optional,
    ),
    *(_kind, _register, _register, _register, _registers, _debug_mode, _bundle, _bundle, _bundle, _leaf),
)
