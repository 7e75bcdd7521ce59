"""The gateway's reading of key lists agrees with the protocol's, which it does not import."""

import pytest

from parent.stated_keys import key_ids_of
from strongroom.protocol.errors import Malformed
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.protocol.suites import KEMKeyPair, Suite
from tests.parent.support import evidence_of

CONFIGURATIONS = tuple(
    KeyConfiguration(suite, KEMKeyPair.from_seed(suite, bytes([suite]) * 32).public) for suite in Suite
)
KEY_LIST = KeyList(CONFIGURATIONS, KMSLeg.HYBRID, {"models": bytes(48)}).to_bytes()


def test_the_ids_are_those_of_the_protocol() -> None:
    assert key_ids_of(KEY_LIST) == {each.key_id for each in CONFIGURATIONS}


@pytest.mark.parametrize(
    "key_list",
    [
        b"",
        b"SRK\x02" + KEY_LIST[4:],
        b"SRK\x01\x00",
        b"SRK\x01\x09" + KEY_LIST[5:],
        b"SRK\x01\x01\xff\xff" + bytes(100),
        KEY_LIST[:40],
        evidence_of(b"key"),
    ],
)
def test_what_is_no_key_list_is_malformed(key_list: bytes) -> None:
    with pytest.raises(Malformed):
        key_ids_of(key_list)
