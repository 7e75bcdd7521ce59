"""The key list: one encoding for each, every other byte string refused."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol.constants import MAX_KEYS_BYTES
from strongroom.protocol.errors import Malformed, ProtocolError, TooLarge, Unsupported
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.protocol.suites import Suite

SMALL = KeyConfiguration(Suite.X25519, b"k" * 32)
LARGE = KeyConfiguration(Suite.XWING, b"x" * 1216)
DIGEST = bytes(range(48))
LIST = KeyList((SMALL,), KMSLeg.HYBRID, {"models": DIGEST})

HEAD = b"SRK\x01"
CONFIGURATIONS = b"\x01\x00\x25\x01\x00\x02\x00\x20" + b"k" * 32
POLICIES = b"\x01\x06models" + DIGEST


def configured(*configurations: KeyConfiguration) -> bytes:
    encoded = [each.to_bytes() for each in configurations]
    return bytes([len(encoded)]) + b"".join(len(each).to_bytes(2, "big") + each for each in encoded)


def with_policies(*policies: tuple[bytes, bytes]) -> bytes:
    listed = b"".join(bytes([len(entry_id)]) + entry_id + digest for entry_id, digest in policies)
    return HEAD + CONFIGURATIONS + b"\x02" + bytes([len(policies)]) + listed


def test_the_bytes_are_those_of_the_protocol_page() -> None:
    assert LIST.to_bytes() == HEAD + CONFIGURATIONS + b"\x02" + POLICIES
    assert replace(LIST, kms_leg=KMSLeg.CLASSICAL).to_bytes() == HEAD + CONFIGURATIONS + b"\x01" + POLICIES


def test_key_policies_are_listed_by_their_ids_whatever_the_order_of_the_configuration() -> None:
    keys = replace(LIST, key_policies={"b": b"2" * 48, "a": b"1" * 48, "a.b": b"3" * 48})
    assert list(KeyList.from_bytes(keys.to_bytes()).key_policies) == ["a", "a.b", "b"]


def test_a_key_id_is_the_digest_of_its_configuration() -> None:
    assert SMALL.key_id == hashlib.sha256(CONFIGURATIONS[3:]).digest()


BAD: dict[str, tuple[type[ProtocolError], bytes]] = {
    "nothing": (Malformed, b""),
    "the list before this one": (Malformed, CONFIGURATIONS),
    "another magic": (Malformed, b"SRW" + LIST.to_bytes()[3:]),
    "a later version": (Unsupported, b"SRK\x02" + LIST.to_bytes()[4:]),
    "no version": (Malformed, b"SRK"),
    "no configuration": (Malformed, HEAD + b"\x00" + b"\x02" + POLICIES),
    "nine configurations": (Malformed, HEAD + b"\x09" + CONFIGURATIONS[1:] * 9 + b"\x02" + POLICIES),
    "one suite twice": (Malformed, HEAD + configured(SMALL, SMALL) + b"\x02" + POLICIES),
    "suites in descending order": (Malformed, HEAD + configured(SMALL, LARGE) + b"\x02" + POLICIES),
    "an unknown suite": (Unsupported, HEAD + CONFIGURATIONS.replace(b"\x00\x02", b"\x00\x03") + b"\x02" + POLICIES),
    "another configuration version": (Unsupported, LIST.to_bytes().replace(b"\x25\x01", b"\x25\x02")),
    "a byte behind a configuration": (
        Malformed,
        LIST.to_bytes().replace(b"\x25\x01", b"\x26\x01").replace(b"k", b"kk", 1),
    ),
    "no leg": (Malformed, HEAD + CONFIGURATIONS),
    "leg zero": (Unsupported, HEAD + CONFIGURATIONS + b"\x00" + POLICIES),
    "an unknown leg": (Unsupported, HEAD + CONFIGURATIONS + b"\x03" + POLICIES),
    "no key policy": (Malformed, with_policies()),
    "17 key policies": (Malformed, with_policies(*((b"%c" % (97 + at), DIGEST) for at in range(17)))),
    "one key entry twice": (Malformed, with_policies((b"a", DIGEST), (b"a", DIGEST))),
    "key entries in descending order": (Malformed, with_policies((b"b", DIGEST), (b"a", DIGEST))),
    "an empty id": (Malformed, with_policies((b"", DIGEST))),
    "an id of 65 characters": (Malformed, with_policies((b"a" * 65, DIGEST))),
    "an id in upper case": (Malformed, with_policies((b"A", DIGEST))),
    "an id with a line end": (Malformed, with_policies((b"a\n", DIGEST))),
    "an id that is no text": (Malformed, with_policies((b"\xff", DIGEST))),
    "a digest of 47 bytes": (Malformed, with_policies((b"a", DIGEST[:-1]))),
    "a digest of 49 bytes": (Malformed, with_policies((b"a", DIGEST + b"\0"))),
    "a byte behind the list": (Malformed, LIST.to_bytes() + b"\0"),
    "too many bytes": (TooLarge, LIST.to_bytes().ljust(MAX_KEYS_BYTES + 1, b"\0")),
}


@pytest.mark.parametrize("name", BAD)
def test_other_bytes_are_refused(name: str) -> None:
    kind, data = BAD[name]
    with pytest.raises(ProtocolError) as caught:
        KeyList.from_bytes(data)
    assert type(caught.value) is kind


def test_every_prefix_is_refused() -> None:
    data = LIST.to_bytes()
    for end in range(len(data)):
        with pytest.raises(Malformed):
            KeyList.from_bytes(data[:end])


IDS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
LISTS = st.builds(
    KeyList,
    st.sampled_from([(SMALL,), (LARGE,), (LARGE, SMALL)]),
    st.sampled_from(KMSLeg),
    st.dictionaries(IDS, st.binary(min_size=48, max_size=48), min_size=1, max_size=16),
)


@given(keys=LISTS)
def test_a_list_comes_back_as_it_was(keys: KeyList) -> None:
    assert KeyList.from_bytes(keys.to_bytes()) == keys


@given(keys=LISTS, data=st.data())
def test_whatever_parses_is_the_one_encoding(keys: KeyList, data: st.DataObject) -> None:
    altered = bytearray(keys.to_bytes())
    altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = KeyList.from_bytes(bytes(altered))
    except ProtocolError:
        return
    assert parsed.to_bytes() == altered
