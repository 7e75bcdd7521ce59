"""Client documents: made anew in time, found by their digest, and never later than a receipt that names them (R14)."""

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from attestation.documents import AttestationDocument
from attestation.evidence import Evidence
from enclave.clock import Clock
from enclave.nsm.interface import NSMUnavailable
from enclave.serving.api import APIApp
from enclave.serving.documents import KEPT_BEFORE, MARGIN_MS, CachedDocument, Documents
from strongroom.protocol.constants import PATH_ATTESTATION, PATH_AUDIT, PATH_EVIDENCE, PATH_MODELS
from strongroom.protocol.problems import Problem
from tests.corpus import corpus
from tests.enclave.calling import call
from tests.enclave.deployment import Booting
from tests.enclave.test_clock import NOW_MS, nsm_at

NONCE = "ab" * 32


class World:
    """One enclave, its NSM's time and its monotonic clock moved by hand."""

    def __init__(self, package: Path) -> None:
        self.now, self.ticks_ms, self.documents_made = [NOW_MS], 0, 0
        self.enclave = Booting([package], nsm=nsm_at(self.now))

    async def start(self, refresh_s: int = 600) -> Documents:
        """Its documents."""
        await self.enclave.to_service()
        self.clock = Clock(self.enclave.nsm.attest(), monotonic_ns=lambda: self.ticks_ms * 1_000_000)
        stated = self.enclave.boot.client_evidence
        make = stated.document

        def counted(nonce: bytes | None = None) -> bytes:
            self.documents_made += 1
            return make(nonce)

        stated.document = counted  # type: ignore[method-assign]  # counts
        return Documents(stated, self.clock, refresh_s)

    def pass_ms(self, elapsed_ms: int) -> None:
        """Time goes by, for the NSM and for the enclave."""
        self.now[0] += elapsed_ms
        self.ticks_ms += elapsed_ms


@pytest.fixture
def world(tensor_dir: Path) -> World:
    return World(tensor_dir)


async def test_the_document_is_made_anew_after_its_time_by_whoever_asks_first(world: World) -> None:
    documents = await world.start()
    first = await documents.current()
    world.pass_ms(599_999)
    assert await documents.current() is first
    world.pass_ms(1)
    later = await asyncio.gather(*(documents.current() for _ in range(9)))
    assert len({each.digest for each in later}) == 1
    assert later[0].digest != first.digest
    assert world.documents_made == 2


async def test_documents_are_found_by_digest_the_current_one_and_eight_before(world: World) -> None:
    documents, made = await world.start(), []
    for _ in range(KEPT_BEFORE + 3):
        made.append(await documents.current())
        world.pass_ms(600_000)
    assert [documents.find(each.digest) for each in made] == [None, None, *made[2:]]
    for each in made:
        assert each.digest == AttestationDocument.from_bytes(each.data).payload_digest


async def test_no_instant_is_before_the_document_that_answers(world: World) -> None:
    """The NSM's clock runs ahead of ours by a second."""
    documents = await world.start()
    world.now[0] += 1000
    document = await documents.current()
    assert world.clock.now_ms() == document.timestamp_ms == NOW_MS + 1000
    world.ticks_ms += 1500
    assert world.clock.now_ms() == NOW_MS + 1500


async def test_a_document_is_made_anew_well_before_its_certificates_end(world: World) -> None:
    documents = await world.start(refresh_s=7200)
    document = await documents.current()
    assert document.ends_ms - document.timestamp_ms == 10_803_000
    assert document.due_ms(7_200_000) == document.timestamp_ms + 7_200_000
    soon = replace(document, ends_ms=document.timestamp_ms + 3_600_000)
    assert soon.due_ms(7_200_000) == soon.ends_ms - MARGIN_MS
    over = replace(document, ends_ms=document.timestamp_ms + 1)
    assert document.timestamp_ms < over.due_ms(7_200_000) <= document.timestamp_ms + 60_000


async def test_an_nsm_that_fails_once_fails_nobody_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = await world.start()
    with monkeypatch.context() as patch:

        def fail(**_: object) -> bytes:
            raise NSMUnavailable("CANARY")

        patch.setattr(world.enclave.nsm, "attest", fail)
        with pytest.raises(NSMUnavailable):
            await documents.current()
    await documents.current()


def test_the_names_of_a_document_follow_from_its_signed_payload() -> None:
    """A real one, whose certificates AWS made."""
    data = (corpus() / "013-production.cbor").read_bytes()
    parsed = AttestationDocument.from_bytes(data)
    cached = CachedDocument.from_bytes(data, bytes(65))
    assert cached.digest == hashlib.sha384(parsed.envelope.payload).digest()
    assert parsed.timestamp_ms < cached.ends_ms <= parsed.timestamp_ms + 3 * 3_600_000


async def app_of(world: World) -> APIApp:
    return APIApp(world.enclave.boot, await world.enclave.to_service(), world.enclave.log)


async def get(app: APIApp, path: str) -> tuple[int, bytes]:
    head, body = await call(app, "GET", path)
    return head["status"], body["body"]


async def test_evidence_joins_a_document_and_what_it_binds(world: World) -> None:
    app = await app_of(world)
    for suffix, nonce in (("", None), (f"?nonce={NONCE}", bytes.fromhex(NONCE))):
        status, body = await get(app, PATH_EVIDENCE + suffix)
        evidence = Evidence.from_bytes(body)
        document = AttestationDocument.from_bytes(evidence.document)
        evidence.check_binding(document)
        assert (status, document.nonce) == (200, nonce)
        assert evidence.key_list == world.enclave.boot.client_evidence.key_list.to_bytes()


async def test_evidence_of_a_digest_is_that_document(world: World) -> None:
    app = await app_of(world)
    _, recent = await get(app, PATH_EVIDENCE)
    digest = AttestationDocument.from_bytes(Evidence.from_bytes(recent).document).payload_digest
    assert await get(app, f"{PATH_EVIDENCE}/{digest.hex()}") == (200, recent)
    assert Evidence.from_bytes(recent).document == (await get(app, PATH_ATTESTATION))[1]


@pytest.mark.parametrize(
    "path",
    [
        f"{PATH_EVIDENCE}/{'ab' * 48}",
        f"{PATH_EVIDENCE}/{'AB' * 48}",
        f"{PATH_EVIDENCE}/",
        f"{PATH_EVIDENCE}/{'ab' * 48}?nonce={NONCE}",
        f"{PATH_EVIDENCE}/../{PATH_MODELS}",
        f"{PATH_EVIDENCE}?nonce=ab",
        f"{PATH_EVIDENCE}?nonce={NONCE}&nonce={NONCE}",
        f"{PATH_EVIDENCE}?other={NONCE}",
        PATH_AUDIT,
        f"{PATH_AUDIT}?from=-1",
        f"{PATH_AUDIT}?from=01",
        f"{PATH_AUDIT}?from=1e3",
        f"{PATH_AUDIT}?from={'9' * 16}",
        f"{PATH_AUDIT}?from=%D9%A1",
        f"{PATH_AUDIT}?nonce={NONCE}",
        "/v1/keys",
    ],
)
async def test_any_other_address_is_rejected_alike(world: World, path: str) -> None:
    assert await get(await app_of(world), path) == (400, Problem.REJECTED.to_bytes())


async def test_the_audit_log_is_served(world: World) -> None:
    status, body = await get(await app_of(world), f"{PATH_AUDIT}?from=0")
    assert (status, body[:4]) == (200, b"SRL\x01")
