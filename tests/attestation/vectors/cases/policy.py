"""Rules 29 and 30: debug mode, and what the caller pins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from tests.attestation.vectors.case import ANCHOR, ARCHIVED, Case, accepted, policy_error, rejected
from tests.attestation.vectors.documents import PCRS, ROLE, ROLE_PCR3, document, pcr

_ZERO = bytes(48)
_NO_APPLICATION = hashlib.sha384(_ZERO + hashlib.sha384(b"").digest()).digest()
OURS = f'parent_role = "{ROLE}"'
_NEW, _OLD = document(), document(pcrs=PCRS | {index: pcr(index, "N-1") for index in range(3)})
_DEBUG_PCRS = PCRS | dict.fromkeys(range(3), _ZERO)
BY_POLICY = ("--archived", "--policy", "policy.toml", *ANCHOR)


def table(*lines: str, release: str = "N", **registers: bytes) -> str:
    """One tuple of a policy file: PCR0, 1 and 2 of ``release``, ``registers`` instead or beside, further lines."""
    pcrs = {f"pcr{index}": pcr(index, release) for index in range(3)} | registers
    values = [f'{register} = "{value.hex()}"' for register, value in pcrs.items()]
    return "\n".join(["[[measurement]]", f'name = "release {release}"', *values, *lines, ""])


_RELEASE = table(OURS)
_TWO_RELEASES = _RELEASE + "\n" + table(OURS, release="N-1")


def _pinned(pcrs: Mapping[int, bytes], *more: str) -> tuple[str, ...]:
    pins = [part for index, value in pcrs.items() for part in ("--pcr", f"{index}={value.hex()}")]
    return ("--archived", *pins, *more, *ANCHOR)


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _debug()
    yield from _accepted_by_file()
    yield from _accepted_by_pin()
    yield from _mismatches()
    yield from _absent()
    yield from _windows()
    yield from _unusable_files()
    yield from _unusable_pins()


def _debug() -> Iterator[Case]:
    debug, code = document(pcrs=_DEBUG_PCRS), "debug-mode"
    allowed = ("--allow-debug", *ARCHIVED)
    yield accepted(29, "debug-allowed", "debug mode where the caller allows it", debug, arguments=allowed)
    yield rejected(code, "debug", "PCR0, 1 and 2 zero, PCR3 and 4 not", debug, 63)
    for index in range(3):
        one = document(pcrs=PCRS | {index: _ZERO})
        yield rejected(code, f"pcr-{index}-zero", f"PCR{index} zero, the others not", one, 63)
    custom = document(pcrs=_DEBUG_PCRS | {16: pcr(16)})
    title = "debug mode, and all that is pinned is as it must be"
    yield rejected(code, "debug-under-policy", title, custom, 63, arguments=_pinned({16: pcr(16)}))


def _accepted_by_file() -> Iterator[Case]:
    custom = document(pcrs=PCRS | {16: pcr(16)})
    window = table(OURS, "not_before = 2025-10-01T00:00:00Z", "not_after = 2025-11-01T00:00:00Z")
    for slug, title, data, policy in (
        ("release-n", "the first release of two in the policy", _NEW, _TWO_RELEASES),
        ("release-n-1", "the second release of two in the policy", _OLD, _TWO_RELEASES),
        ("any-parent-role", "a tuple that says that any parent role will do", _NEW, table("any_parent_role = true")),
        ("within-window", "made within the release's window", _NEW, window),
        ("custom-register", "a tuple with PCR16 as well", custom, table(OURS, pcr16=pcr(16))),
    ):
        yield accepted(30, slug, title, data, arguments=BY_POLICY, policy=policy)


def _accepted_by_pin() -> Iterator[Case]:
    yield accepted(30, "pcr-0-pinned", "PCR0 alone pinned", _NEW, arguments=_pinned({0: pcr(0)}))
    role = _pinned({0: pcr(0)}, "--role", ROLE)
    yield accepted(30, "role-pinned", "PCR0 and the parent's role pinned", _NEW, arguments=role)
    bare = document(pcrs=PCRS | {2: _NO_APPLICATION})
    yield accepted(30, "no-application", "an image without an application, nothing pinned", bare)


def _mismatches() -> Iterator[Case]:
    mixed = document(pcrs=PCRS | {1: pcr(1, "N-1")})
    stranger = table('parent_role = "arn:aws:iam::111122223333:role/another"')
    for code, slug, title, data, policy in (
        ("measurement", "other-release", "a release that is not in the policy", _OLD, _RELEASE),
        ("measurement", "other-role", "another parent role than the policy's", _NEW, stranger),
        ("no-policy-matches", "mixed-releases", "PCR0 and 2 of one release, PCR1 of another", mixed, _TWO_RELEASES),
    ):
        yield rejected(code, slug, title, data, arguments=BY_POLICY, policy=policy)
    yield rejected("measurement", "pcr-0-differs", "another PCR0 than pinned", _OLD, arguments=_pinned({0: pcr(0)}))
    role = _pinned({0: pcr(0)}, "--role", f"{ROLE}-2")
    yield rejected("measurement", "role-differs", "another parent role than pinned", _NEW, arguments=role)


def _absent() -> Iterator[Case]:
    code = "measurement-absent"
    without = document(pcrs={index: value for index, value in PCRS.items() if index != 0})
    yield rejected(code, "pcr-0-absent", "PCR0 pinned and absent", without, 37, arguments=_pinned({0: pcr(0)}))
    both = _pinned({0: pcr(0), 16: pcr(16)})
    yield rejected(code, "pcr-16-absent", "PCR16 pinned and absent", _NEW, arguments=both)


def _windows() -> Iterator[Case]:
    for slug, title, line in (
        ("release-not-yet", "made before the release's window", "not_before = 2025-11-01T00:00:00Z"),
        ("release-no-more", "made after the release's window", "not_after = 2025-10-01T00:00:00Z"),
    ):
        policy = table(OURS, line)
        yield rejected("measurement-window", slug, title, _NEW, arguments=BY_POLICY, policy=policy)


def _unusable_files() -> Iterator[Case]:
    debug = table(OURS, pcr0=_ZERO, pcr1=_ZERO, pcr2=_ZERO)
    half = f'[[measurement]]\npcr0 = "{pcr(0).hex()}"\n{OURS}\n'
    for slug, title, policy, *rows in (
        ("policy-empty", "a policy without a tuple", "", 64),
        ("policy-of-zeros", "a policy that expects debug mode", debug, 64),
        ("policy-pcr-0-zero", "a policy that expects a zero PCR0", table(OURS, pcr0=_ZERO), 64),
        ("policy-no-application", "a policy that expects no application", table(OURS, pcr2=_NO_APPLICATION)),
        ("policy-no-role", "a tuple that leaves the parent's role open without saying so", table()),
        ("policy-half", "a tuple without PCR1 and PCR2", half),
    ):
        yield policy_error(30, slug, title, _NEW, *rows, arguments=BY_POLICY, policy=policy)


def _unusable_pins() -> Iterator[Case]:
    for slug, title, pcrs, *rows in (
        ("nothing-pinned", "nothing pinned, and no --any-measurement", {}, 64),
        ("zero-pinned", "PCR0 pinned to zeros", {0: _ZERO}, 64),
        ("role-alone-pinned", "PCR3 alone pinned: who runs it, not what", {3: ROLE_PCR3}),
    ):
        yield policy_error(30, slug, title, _NEW, *rows, arguments=_pinned(pcrs))
