"""The audit log of a boot: every edit shows; a cut shows against what is held, and only then."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache, lru_cache
from random import Random

import pytest

from attestation import merkle
from attestation.errors import Rejected, RejectionCode
from attestation.evidence import Evidence
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.log import Boot, Held, VerifiedLog, held_checkpoint, held_receipt, verify_log
from tests.attestation import forge
from tests.attestation.issuing import KEY_LIST, Enclave, Issued, derived
from tests.attestation.judge import accept

EDITS, SHARDS = 2_000, 4
LENGTH = 10_000

# The tests below share one long log, for which 10,000 leaves are appended once.


@cache
def long_log() -> Enclave:
    """10,000 leaves under a checkpoint every 1,000."""
    enclave = Enclave("A")
    for _ in range(10):
        enclave.fill(LENGTH // 10)
        enclave.checkpoint()
    return enclave


def boot_of(enclave: Enclave) -> Boot:
    return Boot.of(enclave.verified(), enclave.evidence)


def records(checkpoints: list[bytes]) -> io.BytesIO:
    return io.BytesIO(b"".join(len(each).to_bytes(4, "big") + each for each in checkpoints))


def judged(
    enclave: Enclave, leaves: bytes | None = None, checkpoints: list[bytes] | None = None, *held: Held
) -> VerifiedLog:
    kept = b"".join(enclave.leaves) if leaves is None else leaves
    signed = enclave.checkpoints if checkpoints is None else checkpoints
    return verify_log(boot_of(enclave), io.BytesIO(kept), records(signed), held)


def code_of(
    enclave: Enclave, leaves: bytes | None = None, checkpoints: list[bytes] | None = None, *held: Held
) -> ProofCode | None:
    try:
        judged(enclave, leaves, checkpoints, *held)
    except ProofRejected as rejected:
        return rejected.code
    return None


# Edits of a long log


def flip(rng: Random, leaves: list[bytes]) -> None:
    at = rng.randrange(len(leaves))
    bit = 1 << rng.randrange(256)
    leaves[at] = (int.from_bytes(leaves[at], "big") ^ bit).to_bytes(32, "big")


def delete(rng: Random, leaves: list[bytes]) -> None:
    at = rng.randrange(len(leaves))
    del leaves[at : at + rng.choice((1, 1, 2, 1000))]


def insert(rng: Random, leaves: list[bytes]) -> None:
    leaves.insert(rng.randint(0, len(leaves)), rng.choice((rng.randbytes(32), rng.choice(leaves))))


def reorder(rng: Random, leaves: list[bytes]) -> None:
    one, other = rng.sample(range(len(leaves)), 2)
    leaves[one], leaves[other] = leaves[other], leaves[one]


def cut(rng: Random, leaves: list[bytes]) -> None:
    del leaves[rng.randrange(len(leaves)) :]


EDIT_KINDS: tuple[Callable[[Random, list[bytes]], None], ...] = (flip, delete, insert, reorder, cut)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_edit_of_the_leaves_shows(shard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("leaf_hash", "node_hash"):  # the leaves before an edit are the same each time
        monkeypatch.setattr(merkle, name, lru_cache(1 << 17)(getattr(merkle, name)))
    enclave = long_log()
    boot, rng = boot_of(enclave), Random(shard)
    for number in range(EDITS // SHARDS):
        leaves = list(enclave.leaves)
        EDIT_KINDS[number % len(EDIT_KINDS)](rng, leaves)
        with pytest.raises(ProofRejected):
            verify_log(boot, io.BytesIO(b"".join(leaves)), records(enclave.checkpoints))


def test_a_tail_that_is_cut_with_its_checkpoints_shows_against_what_is_held_and_only_then() -> None:
    enclave = long_log()
    boot, kept = boot_of(enclave), b"".join(enclave.leaves)
    for checkpoints in range(1, 10):
        shorter = kept[: 32 * 1000 * checkpoints], enclave.checkpoints[:checkpoints]
        assert code_of(enclave, *shorter) is None
        for held in enclave.checkpoints[checkpoints:]:
            assert code_of(enclave, *shorter, held_checkpoint(held, boot)) is ProofCode.LOG_CUT


# What a sound log gives, and each defect's code


@cache
def short_log() -> tuple[Enclave, Issued]:
    """Three leaves, a receipt, three more; checkpoints of 3 and 7."""
    enclave = Enclave("A")
    enclave.fill(3)
    enclave.checkpoint()
    issued = enclave.issue()
    enclave.fill(3)
    enclave.checkpoint()
    return enclave, issued


ENCLAVE, ISSUED = short_log()
LEAVES = b"".join(ENCLAVE.leaves)


def test_a_sound_log() -> None:
    log = judged(ENCLAVE)
    assert (log.boot_id, log.last.size, log.last.root) == (ENCLAVE.boot_id, 7, ENCLAVE.frontier.root())
    assert log.checkpoints == 2
    assert code_of(ENCLAVE, None, ENCLAVE.checkpoints[1:]) is None
    fresh = Enclave("A")
    assert code_of(fresh, b"", [fresh.checkpoint()]) is None


def test_what_is_held_and_agrees() -> None:
    boot = boot_of(ENCLAVE)
    held = [held_checkpoint(each, boot) for each in ENCLAVE.checkpoints]
    held += [held_receipt(ISSUED.receipt, boot), held_receipt(ISSUED.receipt, boot, ISSUED.salts.leaf)]
    assert code_of(ENCLAVE, None, None, *held) is None


@pytest.mark.parametrize(
    ("leaves", "checkpoints", "code"),
    [
        (LEAVES[:-1], [0, 1], ProofCode.LOG_CUT),
        (LEAVES[:-32], [0, 1], ProofCode.LOG_CUT),
        (b"", [0, 1], ProofCode.LOG_CUT),
        (LEAVES + b"\0", [0, 1], ProofCode.LOG_UNCOVERED),
        (LEAVES + bytes(32), [0, 1], ProofCode.LOG_UNCOVERED),
        (LEAVES, [0], ProofCode.LOG_UNCOVERED),
        (LEAVES, [], ProofCode.LOG_UNCOVERED),
        (b"", [], ProofCode.LOG_UNCOVERED),
        (LEAVES, [1, 0], ProofCode.LOG_ORDER),
        (LEAVES, [0, 0, 1], ProofCode.LOG_ORDER),
        (LEAVES[32:] + LEAVES[:32], [0, 1], ProofCode.LOG_ROOT),
    ],
)
def test_defects(leaves: bytes, checkpoints: list[int], code: ProofCode) -> None:
    assert code_of(ENCLAVE, leaves, [ENCLAVE.checkpoints[number] for number in checkpoints]) is code


@pytest.mark.parametrize(
    "stream", [b"\0", b"\0\0\0\0", b"\0\0\0\x05abcd", b"\xff\xff\xff\xff", b"\0\0\x10\x01" + bytes(4097)]
)
def test_a_stream_of_checkpoints_of_another_form(stream: bytes) -> None:
    with pytest.raises(ProofRejected) as caught:
        verify_log(boot_of(ENCLAVE), io.BytesIO(LEAVES), io.BytesIO(stream))
    assert caught.value.code is ProofCode.LOG_FORM


def test_a_checkpoint_that_goes_back_in_time() -> None:
    enclave = Enclave("A")
    enclave.fill(1)
    enclave.checkpoint()
    enclave.fill(1)
    enclave.checkpoint(time_ms=1)
    assert code_of(enclave) is ProofCode.LOG_ORDER


def test_a_checkpoint_of_another_boot_among_them() -> None:
    other = Enclave("B")
    other.fill(3)
    assert code_of(ENCLAVE, LEAVES, [other.checkpoint(), ENCLAVE.checkpoints[1]]) is ProofCode.CHECKPOINT_BOOT


def test_a_fork_shows_against_what_either_side_holds() -> None:
    """R13: were one boot to sign two logs, whoever holds a piece of one refuses the other."""
    boot, other = boot_of(ENCLAVE), Enclave("A")
    other.fill(2)
    other.frontier.append(derived("another third"))
    other.leaves.append(derived("another third"))
    third = other.checkpoint()
    foreign = other.issue()
    other.fill(5)
    seventh = other.checkpoint(size=7, root=derived("a root"))
    assert code_of(ENCLAVE, None, None, held_checkpoint(third, boot)) is ProofCode.LOG_FORK
    assert code_of(ENCLAVE, None, None, held_checkpoint(seventh, boot)) is ProofCode.LOG_FORK
    assert code_of(ENCLAVE, None, None, held_receipt(foreign.receipt, boot)) is ProofCode.LOG_FORK


def test_a_piece_of_a_fork_is_not_hidden_by_a_sound_piece_of_the_same_place() -> None:
    boot, other = boot_of(ENCLAVE), Enclave("A")
    other.fill(2)
    other.leaves.append(derived("another third"))
    other.frontier.append(other.leaves[-1])
    roots = [held_checkpoint(signed, boot) for signed in (ENCLAVE.checkpoints[0], other.checkpoint())]
    again = Enclave("A")
    again.fill(3)
    twin = again.issue(b"another task")
    bare = [held_receipt(issued.receipt, boot) for issued in (ISSUED, twin)]
    salted = [held_receipt(issued.receipt, boot, issued.salts.leaf) for issued in (ISSUED, twin)]
    for pair in (roots, bare, salted):
        for held in (pair, pair[::-1]):
            assert code_of(ENCLAVE, None, None, *held) is ProofCode.LOG_FORK


def test_only_an_enclaves_document_is_the_origin_of_a_log() -> None:
    chain = forge.pki(forge.TPM_MODULE_ID)
    fields = {"module_id": forge.TPM_MODULE_ID, "pcrs": ..., "nitrotpm_pcrs": {0: forge.pcr(0)}}
    data = forge.document(chain, **fields, user_data=ENCLAVE.parsed.user_data, nonce=None)
    with pytest.raises(ProofRejected) as caught:
        Boot.of(accept(data, chain=chain, kind="nitrotpm"), Evidence(data, KEY_LIST, ENCLAVE.point))
    assert caught.value.code is ProofCode.DOCUMENT_KIND


def test_a_receipt_holds_the_log_before_it_and_a_place_of_its_own() -> None:
    boot = boot_of(ENCLAVE)
    without, salted = held_receipt(ISSUED.receipt, boot), held_receipt(ISSUED.receipt, boot, ISSUED.salts.leaf)
    assert code_of(ENCLAVE, LEAVES[: 3 * 32], ENCLAVE.checkpoints[:1], without) is ProofCode.LOG_CUT
    assert code_of(ENCLAVE, None, None, held_receipt(ISSUED.receipt, boot, bytes(32))) is ProofCode.LOG_LEAF
    assert (without.size, without.least, without.leaf) == (3, 4, None)
    assert salted.leaf == ENCLAVE.leaves[3]


def test_a_strangers_receipt_holds_nothing() -> None:
    boot, other = boot_of(ENCLAVE), Enclave("B")
    with pytest.raises(ProofRejected) as caught:
        held_receipt(other.issue().receipt, boot)
    assert caught.value.code is ProofCode.OTHER_BOOT
    with pytest.raises(ProofRejected) as caught:
        held_receipt(other.issue(boot_id=ENCLAVE.boot_id).receipt, boot)
    assert caught.value.code is ProofCode.SIGNATURE


def test_the_evidence_must_be_what_the_document_binds() -> None:
    for evidence in (
        Evidence(ENCLAVE.document, KEY_LIST, Enclave("B").point),
        Evidence(ENCLAVE.document, b"another list", ENCLAVE.point),
    ):
        with pytest.raises(Rejected) as caught:
            Boot.of(ENCLAVE.verified(), evidence)
        assert caught.value.code is RejectionCode.BINDING_DIGEST
