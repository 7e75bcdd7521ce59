"""TLS to KMS: what is offered is read from the ClientHello itself; anything but what is wanted refuses to boot (R6).

The hybrid group for real needs OpenSSL 3.5: tests/hybrid.
"""

import json
import os
import random
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from enclave.errors import BootRefused
from enclave.kms.client_hello import Offer
from enclave.kms.tls import AMAZON_ROOTS, KMSTLS, OPENSSL_IS_HYBRID, X25519MLKEM768, judge, offer_of
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.simulator.certificates import ORGANIZATION
from strongroom.simulator.kms.tls import server_certificate

P256, X25519 = 0x0017, 0x001D


def vector(length_bytes: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return len(content).to_bytes(length_bytes, "big") + content


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, content)


def groups(*listed: int) -> bytes:
    return extension(10, vector(2, *(group.to_bytes(2, "big") for group in listed)))


def shares(*listed: int, size: int = 32) -> bytes:
    return extension(51, vector(2, *(group.to_bytes(2, "big") + vector(2, bytes(size)) for group in listed)))


def hello(*extensions: bytes, version: bytes = b"\x03\x03", after: bytes = b"") -> bytes:
    session, suites, compression = vector(1, bytes(32)), vector(2, b"\x13\x01\x13\x02"), vector(1, b"\0")
    return version + bytes(32) + session + suites + compression + vector(2, *extensions) + after


def record(body: bytes, *, kind: int = 22, version: bytes = b"\x03\x01", message: int = 1) -> bytes:
    return bytes([kind]) + version + vector(2, bytes([message]) + vector(3, body))


NAME = extension(0, b"\0\x0e\0\0\x0bkms.invalid")
SOUND = record(hello(NAME, groups(X25519MLKEM768), shares(X25519MLKEM768, size=1216)))


def test_groups_and_key_shares_are_read_in_their_order() -> None:
    assert Offer.from_record(SOUND) == Offer((X25519MLKEM768,), (X25519MLKEM768,))
    several = record(hello(shares(X25519, P256), NAME, groups(X25519MLKEM768, X25519, P256)), version=b"\x03\x03")
    assert Offer.from_record(several) == Offer((X25519MLKEM768, X25519, P256), (X25519, P256))
    assert Offer.from_record(record(hello(NAME))) == Offer((), ())
    assert Offer.from_record(record(hello(groups(P256), extension(51, b"\0\0")))) == Offer((P256,), ())


BAD: dict[str, bytes] = {
    "nothing": b"",
    "an alert": record(hello(groups(P256)), kind=21),
    "SSL 3": record(hello(groups(P256)), version=b"\x03\x00"),
    "a server's hello": record(hello(groups(P256)), message=2),
    "another legacy version": record(hello(groups(P256), version=b"\x03\x04")),
    "a second record": SOUND + SOUND,
    "a byte behind the record": SOUND + b"\0",
    "a byte behind the hello": record(hello(groups(P256)) + b"\0"),
    "a byte behind the extensions": record(hello(groups(P256), after=b"\0")),
    "an extension twice": record(hello(groups(P256), groups(P256))),
    "a group twice": record(hello(groups(P256, P256))),
    "a share twice": record(hello(groups(P256), shares(P256, P256))),
    "a share of no offered group": record(hello(groups(X25519MLKEM768), shares(P256))),
    "shares without groups": record(hello(shares(P256))),
    "half a group": record(hello(extension(10, vector(2, b"\0\x17\0")))),
    "a byte behind the groups": record(hello(extension(10, vector(2, b"\0\x17") + b"\0"))),
    "an empty share": record(hello(groups(P256), shares(P256, size=0))),
    "a byte behind the shares": record(hello(groups(P256), extension(51, b"\0\0\0"))),
    "no extensions": record(b"\x03\x03" + bytes(32) + b"\0" + vector(2, b"\x13\x01") + vector(1, b"\0")),
    "more than a record": record(hello(extension(21, bytes(17_000)))),
}


@pytest.mark.parametrize("defect", BAD)
def test_anything_but_one_client_hello_is_refused(defect: str) -> None:
    with pytest.raises(ValueError, match="ClientHello: expected"):
        Offer.from_record(BAD[defect])


def test_every_shortened_hello_is_refused() -> None:
    for length in range(len(SOUND)):
        with pytest.raises(ValueError, match="ClientHello"):
            Offer.from_record(SOUND[:length])


def test_no_altered_hello_is_another_error_or_more_than_the_hybrid_group() -> None:
    numbers = random.Random(6)
    for _ in range(2000):
        altered = bytearray(SOUND)
        altered[numbers.randrange(120)] ^= 1 << numbers.randrange(8)
        with suppress(ValueError):
            assert len(Offer.from_record(bytes(altered)).groups) <= 1


def test_hybrid_is_the_hybrid_group_and_nothing_else() -> None:
    only = (X25519MLKEM768,)
    assert judge(Offer(only, only), may_be_classical=False) is KMSLeg.HYBRID
    assert judge(Offer(only, only), may_be_classical=True) is KMSLeg.HYBRID
    for offered, keyed in (
        ((X25519MLKEM768, X25519), only),
        ((X25519MLKEM768, X25519), (X25519MLKEM768, X25519)),
        ((X25519, X25519MLKEM768), (X25519,)),
        ((X25519,), (X25519,)),
        (only, ()),
        ((), ()),
    ):
        assert judge(Offer(offered, keyed), may_be_classical=True) is KMSLeg.CLASSICAL
        with pytest.raises(BootRefused, match="0x11ec") as caught:
            judge(Offer(offered, keyed), may_be_classical=False)
        assert caught.value.code == "kms-leg"


def test_the_measured_switch_offers_one_classical_group() -> None:
    tls = KMSTLS.open(classical=True)
    assert tls.leg is KMSLeg.CLASSICAL
    assert offer_of(tls.context) == Offer((P256,), (P256,))


@pytest.mark.skipif(OPENSSL_IS_HYBRID, reason="needs an OpenSSL that does not know the hybrid group")
def test_an_old_openssl_is_classical_and_says_so() -> None:
    tls = KMSTLS.open(classical=False)
    assert tls.leg is KMSLeg.CLASSICAL
    assert X25519MLKEM768 not in offer_of(tls.context).groups


def test_where_openssl_knows_the_group_anything_else_refuses_to_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process nobody named hybrid.cnf, so the context offers OpenSSL's own list."""
    monkeypatch.setattr("enclave.kms.tls.OPENSSL_IS_HYBRID", True)
    with pytest.raises(BootRefused, match="expected X25519MLKEM768"):
        KMSTLS.open(classical=False)
    assert KMSTLS.open(classical=True).leg is KMSLeg.CLASSICAL


def test_the_context_checks_everything() -> None:
    context = KMSTLS.open(classical=True).context
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not context.hostname_checks_common_name
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert {cipher["symmetric"] for cipher in context.get_ciphers()} <= {
        "aes-128-gcm",
        "aes-256-gcm",
        "chacha20-poly1305",
    }


def test_only_the_hybrid_leg_insists_on_tls_1_3(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ssl.SSLContext] = []

    def offering(context: ssl.SSLContext) -> Offer:
        made.append(context)
        return Offer((X25519MLKEM768,), (X25519MLKEM768,))

    monkeypatch.setattr("enclave.kms.tls.offer_of", offering)
    for hybrid in (True, False):
        monkeypatch.setattr("enclave.kms.tls.OPENSSL_IS_HYBRID", hybrid)
        KMSTLS.open(classical=False)
    assert [context.minimum_version for context in made] == [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2]


def roots(context: ssl.SSLContext) -> set[str]:
    listed: list[Any] = context.get_ca_certs()
    return {dict(part for parts in ca["subject"] for part in parts)["organizationName"] for ca in listed}


def test_the_roots_are_amazons_or_the_measured_ones_and_never_both(tmp_path: Path) -> None:
    amazon = roots(KMSTLS.open(classical=True).context)
    assert amazon == {"Amazon", "Starfield Technologies, Inc."}
    server_certificate(tmp_path, region="us-east-1")
    measured = (tmp_path / "tls" / "ca.pem").read_text()
    assert roots(KMSTLS.open(measured, classical=True).context) == {ORGANIZATION}


@pytest.mark.parametrize("pem", ["x", " ", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é", "\0"])
def test_roots_that_are_none_refuse_to_boot(pem: str) -> None:
    with pytest.raises(BootRefused) as caught:
        KMSTLS.open(pem, classical=True)
    assert caught.value.code == "kms-roots"


def test_a_context_that_has_nothing_to_say_refuses_to_boot() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2
    with pytest.raises(BootRefused, match="ClientHello"):
        offer_of(context)


_ORDER = """
from enclave.hardening import clear_environment
import sys
import enclave.__main__
early = bool({"ssl", "_ssl", "_hashlib"} & sys.modules.keys())
clear_environment()
import os, json
from enclave.kms.tls import KMSTLS
print(json.dumps([early, sorted(os.environ), os.environ["OPENSSL_CONF"], KMSTLS.open(classical=False).leg.word]))
"""


def test_openssls_configuration_is_named_before_anything_loads_it() -> None:
    """And with it the process still makes contexts, on every OpenSSL: one that knows the group is then hybrid."""
    hostile = {**os.environ, "OPENSSL_CONF": "/nonexistent", "SSL_CERT_FILE": "/nonexistent"}
    printed = subprocess.run([sys.executable, "-c", _ORDER], env=hostile, capture_output=True, check=True, timeout=30)
    early, kept, configuration, leg = json.loads(printed.stdout)
    assert not early
    assert kept == ["AWS_EC2_METADATA_DISABLED", "OPENSSL_CONF", "ORT_DISABLE_TELEMETRY"]
    assert Path(configuration).samefile(AMAZON_ROOTS.with_name("hybrid.cnf"))
    assert leg == ("hybrid" if OPENSSL_IS_HYBRID else "classical")
