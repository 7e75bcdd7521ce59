"""The simulated PKI: one seed, the exact chain of real documents, files that only their owner reads."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from strongroom.simulator import state
from strongroom.simulator.certificates import ORGANIZATION
from strongroom.simulator.pki import SimulatedPKI
from tests.simulator.helpers import AT_MS, INSTANCE_ID, MODULE_ID, SEED


def chain(at_ms: int = AT_MS) -> list[x509.Certificate]:
    signer = SimulatedPKI(SEED).signer(MODULE_ID, at_ms=at_ms)
    return [x509.load_der_x509_certificate(der) for der in (*signer.cabundle, signer.certificate)]


def key_usage(certificate: x509.Certificate) -> tuple[str, bool]:
    extension = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    usage = extension.value
    letters = zip(
        "DNCR",
        (usage.digital_signature, usage.content_commitment, usage.key_cert_sign, usage.crl_sign),
        strict=True,
    )
    return "".join(letter for letter, is_set in letters if is_set), extension.critical


@pytest.mark.parametrize("module_id", ["", "i-0", f"{INSTANCE_ID}-vm0", f"{MODULE_ID}\n", MODULE_ID.upper()])
def test_a_module_id_of_another_shape_is_refused(module_id: str) -> None:
    with pytest.raises(ValueError, match="module id"):
        SimulatedPKI(SEED).signer(module_id, at_ms=AT_MS)


def test_a_damaged_seed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "seed").write_bytes(b"short")
    with pytest.raises(ValueError, match="32 bytes, got 5"):
        SimulatedPKI.open(tmp_path)


def test_another_seed_is_refused(tmp_path: Path) -> None:
    SimulatedPKI.open(tmp_path, seed=SEED)
    with pytest.raises(ValueError, match="another seed"):
        SimulatedPKI.open(tmp_path, seed=bytes(32))


def test_the_chain_has_the_shape_of_real_ones() -> None:
    shape = []
    for certificate in chain():
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert basic.critical
        shape.append((basic.value.ca, basic.value.path_length, *key_usage(certificate)))
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        assert certificate.signature_algorithm_oid.dotted_string == "1.2.840.10045.4.3.3"
    assert shape == [
        (True, None, "DCR", True),
        (True, 2, "DCR", True),
        (True, 1, "DCR", True),
        (True, 0, "C", True),
        (False, None, "DN", False),
    ]


def test_extensions_are_those_of_real_ones() -> None:
    kinds = [[type(extension.value).__name__ for extension in certificate.extensions] for certificate in chain()]
    usage = ["BasicConstraints", "KeyUsage"]
    keys = ["AuthorityKeyIdentifier", "SubjectKeyIdentifier"]
    assert [sorted(kind) for kind in kinds] == [
        sorted([*usage, "SubjectKeyIdentifier"]),
        sorted([*usage, *keys, "CRLDistributionPoints"]),
        sorted([*usage, *keys, "CRLDistributionPoints"]),
        sorted([*usage, *keys]),
        sorted(usage),
    ]


def test_names_bind_the_module_and_disown_aws() -> None:
    root, *_, instance, leaf = chain()
    names = [item.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value for item in (root, instance, leaf)]
    assert names[0] == "SIMULATED - NOT AWS"
    assert str(names[1]).startswith(f"{INSTANCE_ID}.")
    assert str(names[2]).startswith(f"{MODULE_ID}.")
    for certificate in chain():
        organization = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
        assert organization == ORGANIZATION


def test_lifetimes() -> None:
    lifetimes = [item.not_valid_after_utc - item.not_valid_before_utc for item in chain()]
    assert lifetimes == [
        timedelta(days=10_958),
        timedelta(days=20, hours=1),
        timedelta(hours=145),
        timedelta(hours=24),
        timedelta(seconds=10_803),
    ]


@pytest.mark.parametrize("hours", range(0, 24 * 40, 7))
def test_every_certificate_lies_inside_its_issuers_window(hours: int) -> None:
    certificates = chain(AT_MS + hours * 3_600_000)
    for issuer, subject in pairwise(certificates):
        subject.verify_directly_issued_by(issuer)
        assert issuer.not_valid_before_utc <= subject.not_valid_before_utc
        assert subject.not_valid_after_utc <= issuer.not_valid_after_utc


def test_the_seed_determines_every_byte() -> None:
    one, other = (SimulatedPKI(SEED).signer(MODULE_ID, at_ms=AT_MS) for _ in range(2))
    assert (one.certificate, one.cabundle) == (other.certificate, other.cabundle)
    assert SimulatedPKI(bytes(32)).root_pem() != SimulatedPKI(SEED).root_pem()


def test_a_folder_keeps_its_pki(tmp_path: Path) -> None:
    first = SimulatedPKI.open(tmp_path).root_pem()
    assert SimulatedPKI.open(tmp_path).root_pem() == first
    assert (tmp_path / "pki" / "root.pem").read_bytes() == first
    assert SimulatedPKI.open(tmp_path / "other").root_pem() != first


def test_all_who_open_a_new_folder_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        roots = set(pool.map(lambda _: SimulatedPKI.open(tmp_path / "new").root_pem(), range(16)))
    assert roots == {(tmp_path / "new" / "pki" / "root.pem").read_bytes()}


def test_files_are_private_and_whole(tmp_path: Path) -> None:
    SimulatedPKI.open(tmp_path)
    files = sorted((tmp_path / "pki").iterdir())
    assert [file.name for file in files] == ["root.pem", "seed"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_of_two_creators_the_first_wins(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert state.read_or_create(path, b"first") == b"first"
    assert state.read_or_create(path, b"second") == b"first"
    state.write(path, b"third")
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]
    assert path.read_bytes() == b"third"
