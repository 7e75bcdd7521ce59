"""Rule 32: the public key and the user data that the caller expects."""

from __future__ import annotations

from collections.abc import Iterator

from tests.attestation.vectors.case import ARCHIVED, Case, accepted, policy_error, rejected
from tests.attestation.vectors.documents import PUBLIC_KEY, USER_DATA, document

_KEY = ("--expect-public-key", PUBLIC_KEY.hex())
_DATA = ("--expect-user-data", USER_DATA.hex())


def cases() -> Iterator[Case]:
    """All of this module's."""
    bound = document(public_key=PUBLIC_KEY, user_data=USER_DATA)
    both = (*_KEY, *_DATA, *ARCHIVED)
    yield accepted(32, "both-expected", "public key and user data as expected", bound, arguments=both)
    yield from _public_keys()
    yield from _user_data()
    nothing = ("--expect-public-key", "", *ARCHIVED)
    yield policy_error(32, "nothing-expected", "an empty public key to expect", document(), arguments=nothing)


def _public_keys() -> Iterator[Case]:
    for slug, title, fields in (
        ("public-key-other", "another public key", {"public_key": PUBLIC_KEY[::-1]}),
        ("public-key-null", "no public key", {"public_key": None}),
        ("public-key-empty", "an empty public key", {"public_key": b""}),
        ("public-key-prefix", "the public key but for its last byte", {"public_key": PUBLIC_KEY[:-1]}),
        ("public-key-longer", "the public key and a further byte", {"public_key": PUBLIC_KEY + b"\0"}),
        ("public-key-elsewhere", "the public key in user_data", {"user_data": PUBLIC_KEY}),
    ):
        yield rejected("public-key", slug, title, document(**fields), arguments=(*_KEY, *ARCHIVED))


def _user_data() -> Iterator[Case]:
    for slug, title, actual in (
        ("user-data-other", "other user data", USER_DATA[::-1]),
        ("user-data-null", "no user data", None),
        ("user-data-empty", "empty user data", b""),
    ):
        yield rejected("user-data", slug, title, document(user_data=actual), arguments=(*_DATA, *ARCHIVED))
