"""The software NSM keeps the real one's limits, locks and errors, and its documents end in its own root."""

from dataclasses import replace

import cbor2
import pytest
from pycose.messages.sign1message import Sign1Message

from attestation.anchors import SimulatedTrustAnchor
from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode
from attestation.measurements import extend, parent_instance_pcr4, parent_role_pcr3
from attestation.modes import Archived, Live, Recent
from attestation.policy import UnsafeAnyMeasurement
from attestation.verifier import VerifiedDocument, verify
from enclave.nsm.interface import NSM, NSMErrorCode, NSMRefused, NSMTruncated
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.pki import LEAF_LIFETIME_S, Signer, SimulatedPKI
from tests.simulator.helpers import AT_MS, IMAGE, INSTANCE_ID, MODULE_ID, ROLE_ARN, SEED, Clock, software_nsm

ANCHOR = SimulatedTrustAnchor.from_pem(SimulatedPKI(SEED).root_pem())
NONCE = bytes(32)
LEAF_LIFETIME_MS = LEAF_LIFETIME_S * 1000


def checked(document: bytes, *, anchor: SimulatedTrustAnchor = ANCHOR, at_ms: int = AT_MS) -> VerifiedDocument:
    return verify(
        document,
        policy=UnsafeAnyMeasurement(),
        mode=Recent(at_ms=at_ms, max_age_s=300),
        anchor=anchor,
        allow_simulated=True,
    )


def at_any_age(document: bytes, *, at_ms: int) -> VerifiedDocument:
    mode = Recent(at_ms=at_ms, max_age_s=10 * LEAF_LIFETIME_S)
    return verify(document, policy=UnsafeAnyMeasurement(), mode=mode, anchor=ANCHOR, allow_simulated=True)


@pytest.mark.parametrize("index", [-1, 32, 1000])
def test_an_index_out_of_range_is_invalid(index: int) -> None:
    nsm = software_nsm()
    for call in (nsm.describe_pcr, nsm.lock_pcr, lambda at: nsm.extend_pcr(at, b"")):
        with pytest.raises(NSMRefused) as refused:
            call(index)
        assert refused.value.code is NSMErrorCode.INVALID_INDEX


@pytest.mark.parametrize("range_", [-1, 33])
def test_a_range_out_of_bounds_is_invalid(range_: int) -> None:
    with pytest.raises(NSMRefused) as refused:
        software_nsm().lock_pcrs(range_)
    assert refused.value.code is NSMErrorCode.INVALID_INDEX


@pytest.mark.parametrize("index", range(16))
def test_the_hosts_pcrs_are_read_only_from_the_start(index: int) -> None:
    nsm = software_nsm()
    for call in (nsm.lock_pcr, lambda at: nsm.extend_pcr(at, b"x")):
        with pytest.raises(NSMRefused) as refused:
            call(index)
        assert refused.value.code is NSMErrorCode.READ_ONLY_INDEX


@pytest.mark.parametrize(("fields", "most"), [("user_data", 512), ("nonce", 512), ("public_key", 1024)])
def test_fields_are_bounded(fields: str, most: int) -> None:
    nsm = software_nsm()
    assert nsm.attest(**{fields: bytes(most)})
    with pytest.raises(NSMRefused) as refused:
        nsm.attest(**{fields: bytes(most + 1)})
    assert refused.value.code is NSMErrorCode.INPUT_TOO_LARGE


def test_a_request_has_at_most_four_kib() -> None:
    nsm = software_nsm()
    overhead = len(cbor2.dumps({"ExtendPCR": {"index": 16, "data": bytes(4000)}})) - 4000
    assert nsm.extend_pcr(16, bytes(4096 - overhead))
    with pytest.raises(NSMRefused) as refused:
        nsm.extend_pcr(16, bytes(4096 - overhead + 1))
    assert refused.value.code is NSMErrorCode.INPUT_TOO_LARGE


class LargeBundle:
    """A PKI whose bundle has the largest size that the specification allows."""

    def signer(self, module_id: str, *, at_ms: int) -> Signer:
        return replace(SimulatedPKI(SEED).signer(module_id, at_ms=at_ms), cabundle=(bytes(1024),) * 8)


def test_a_document_beyond_twelve_kib_is_truncated() -> None:
    nsm = SoftwareNSM(LargeBundle(), image_pcrs=IMAGE, parent_role_arn=None, parent_instance_id=INSTANCE_ID)
    assert len(nsm.attest(nonce=bytes(64), user_data=bytes(128))) < 12 * 1024
    nsm.lock_pcrs(32)
    with pytest.raises(NSMTruncated):
        nsm.attest(nonce=bytes(512), user_data=bytes(512), public_key=bytes(1024))


@pytest.mark.parametrize(
    "image",
    [{}, {0: bytes(48)}, {**IMAGE, 3: bytes(48)}, {**IMAGE, 16: bytes(48)}, {**IMAGE, 0: bytes(47)}],
)
def test_image_pcrs_are_checked(image: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="PCR"):
        SoftwareNSM(SimulatedPKI(SEED), image_pcrs=image, parent_role_arn=None, parent_instance_id=INSTANCE_ID)


def test_a_document_is_refused_under_the_aws_root() -> None:
    with pytest.raises(Rejected) as rejected:
        verify(software_nsm().attest(), policy=UnsafeAnyMeasurement(), mode=Archived())
    assert rejected.value.code is RejectionCode.TRUST_ANCHOR


def test_a_document_is_refused_under_another_simulators_root() -> None:
    foreign = SimulatedTrustAnchor.from_pem(SimulatedPKI(bytes(32)).root_pem())
    with pytest.raises(Rejected) as rejected:
        checked(software_nsm().attest(), anchor=foreign)
    assert rejected.value.code is RejectionCode.TRUST_ANCHOR


def test_a_document_is_refused_without_the_allowance() -> None:
    with pytest.raises(Rejected) as rejected:
        verify(software_nsm().attest(), policy=UnsafeAnyMeasurement(), mode=Archived(), anchor=ANCHOR)
    assert rejected.value.code is RejectionCode.SIMULATED_ANCHOR


def test_a_debug_document_is_refused() -> None:
    debug = SoftwareNSM(
        SimulatedPKI(SEED),
        image_pcrs=dict.fromkeys(range(3), bytes(48)),
        parent_role_arn=ROLE_ARN,
        parent_instance_id=INSTANCE_ID,
        clock=Clock(),
    )
    with pytest.raises(Rejected) as rejected:
        checked(debug.attest())
    assert rejected.value.code is RejectionCode.DEBUG_MODE


def test_a_document_passes_live_under_the_simulated_root() -> None:
    document = software_nsm().attest(nonce=NONCE, user_data=b"u", public_key=b"k")
    verified = verify(
        document,
        policy=UnsafeAnyMeasurement(),
        mode=Live(nonce=NONCE, at_ms=AT_MS),
        anchor=ANCHOR,
        allow_simulated=True,
    )
    assert verified.simulated
    assert (verified.document.module_id, verified.document.timestamp_ms) == (MODULE_ID, AT_MS)


def test_documents_list_locked_pcrs_only() -> None:
    nsm = software_nsm()
    nsm.extend_pcr(17, b"configuration")
    assert set(checked(nsm.attest()).document.pcrs) == set(range(16))
    nsm.lock_pcr(17)
    document = checked(nsm.attest()).document
    assert set(document.pcrs) == {*range(16), 17}
    assert document.pcrs[17] == extend(bytes(48), b"configuration")


def test_pcrs_at_boot() -> None:
    pcrs = checked(software_nsm().attest()).document.pcrs
    assert {index: pcrs[index] for index in IMAGE} == IMAGE
    assert pcrs[3] == parent_role_pcr3(ROLE_ARN)
    assert pcrs[4] == parent_instance_pcr4(INSTANCE_ID)
    assert all(pcrs[index] == bytes(48) for index in range(5, 16))


def test_a_signed_image_has_pcr8_and_no_role_leaves_pcr3_zero() -> None:
    nsm = SoftwareNSM(
        SimulatedPKI(SEED),
        image_pcrs={**IMAGE, 8: b"\x18" * 48},
        parent_role_arn=None,
        parent_instance_id=INSTANCE_ID,
    )
    assert nsm.describe_pcr(8).value == b"\x18" * 48
    assert nsm.describe_pcr(3).value == bytes(48)
    assert nsm.describe_nsm().module_id.startswith(f"{INSTANCE_ID}-enc")


def test_extensions_chain_until_the_lock() -> None:
    nsm = software_nsm()
    once = nsm.extend_pcr(31, b"a")
    assert nsm.extend_pcr(31, b"b") == extend(once, b"b")
    nsm.lock_pcrs(32)
    with pytest.raises(NSMRefused):
        nsm.extend_pcr(31, b"c")
    assert nsm.describe_nsm().locked_pcrs == frozenset(range(32))


def test_the_encoding_is_awss() -> None:
    document = software_nsm().attest()
    assert document.startswith(bytes.fromhex("84 44 a1013822 a0"))
    payload = cbor2.loads(document)[2]
    assert (payload[0], payload[-1]) == (0xBF, 0xFF)
    names = "module_id digest timestamp pcrs certificate cabundle public_key user_data nonce"
    assert list(cbor2.loads(payload)) == names.split()
    assert cbor2.loads(payload)["nonce"] is None


def test_pycose_reads_the_document() -> None:
    message = Sign1Message.from_cose_obj(list(cbor2.loads(software_nsm().attest())), True)
    assert len(message.signature) == 96


def test_the_leaf_is_renewed_before_it_ends() -> None:
    clock = Clock()
    nsm = software_nsm(clock=clock)
    first = AttestationDocument.from_bytes(nsm.attest()).certificate
    clock.at_ms += LEAF_LIFETIME_MS - 41 * 60_000
    assert AttestationDocument.from_bytes(nsm.attest()).certificate == first
    clock.at_ms += 2 * 60_000
    renewed = checked(nsm.attest(), at_ms=clock.at_ms).document
    assert renewed.certificate != first
    clock.at_ms = AT_MS - 1000
    assert checked(nsm.attest(), at_ms=clock.at_ms).document.certificate not in (first, renewed.certificate)


def test_an_expired_leaf_is_refused() -> None:
    document = software_nsm().attest()
    last_ms = AT_MS + LEAF_LIFETIME_MS
    assert at_any_age(document, at_ms=last_ms).valid_until_ms == last_ms
    with pytest.raises(Rejected) as rejected:
        at_any_age(document, at_ms=last_ms + 1000)
    assert rejected.value.code is RejectionCode.CERTIFICATE_EXPIRED


def test_random_is_random() -> None:
    nsm: NSM = software_nsm()
    assert len(nsm.get_random()) == 256
    assert nsm.get_random() != nsm.get_random()


def test_a_seed_determines_every_byte() -> None:
    def said(seed: bytes | None) -> tuple[str, bytes, bytes, bytes]:
        nsm = SoftwareNSM(
            SimulatedPKI(SEED),
            image_pcrs=IMAGE,
            parent_role_arn=ROLE_ARN,
            parent_instance_id=INSTANCE_ID,
            clock=Clock(),
            seed=seed,
        )
        return nsm.describe_nsm().module_id, nsm.get_random(), nsm.get_random(), nsm.attest(nonce=NONCE)

    one = said(b"seed")
    assert said(b"seed") == one
    assert one[1] != one[2]
    for other in (said(b"another"), said(None)):
        assert all(here != there for here, there in zip(one, other, strict=True))
