"""Attacks on a request: everything in the clear, and the bits of the rest."""

from collections.abc import Callable

from msgspec import structs

from strongroom.protocol.keys import KeyList
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.suites import Suite
from strongroom.selftest.attacks.tampering import Tampering, flipped
from strongroom.selftest.gateway import Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.questions import CHAT_MODEL, TENSOR_MODEL
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import REFUSED_OUTSIDE, Attack, Seat, Trial

Rewrite = Callable[[Trial, bytes], bytes]
_READ_OR_CHANGE = "read or change a request or an answer"
_SUITES = "weaken the suite, or the way in"
_SUITE, _REQUEST_ID = slice(4, 6), slice(38, 54)
_ANSWERED_ID = slice(6, 22)
_DAY_MS = 86_400_000


def suite(trial: Trial, message: bytes) -> bytes:
    """Another suite, in every other trial with the key id of that suite's key."""
    head, _ = SealedRequestHead.read(message)
    others = [each for each in (0, 1, 2, 3, 4, 0xFFFF) if each != head.suite]
    chosen = trial.rng.choice(others)
    altered = _spliced(message, _SUITE, chosen.to_bytes(2, "big"))
    configurations = KeyList.from_bytes(trial.world.evidence["home"].key_list).configurations
    offered = {each.suite: each.key_id for each in configurations}
    if chosen in offered and trial.rng.random() < 0.5:
        altered = _spliced(altered, slice(6, 38), offered[Suite(chosen)])
    return altered


def model(trial: Trial, message: bytes) -> bytes:
    """Another model: one that is there, or none."""
    head, _ = SealedRequestHead.read(message)
    others = {CHAT_MODEL, TENSOR_MODEL, "no-such-model"} - {head.model}
    return _headed(message, structs.replace(head, model=trial.rng.choice(sorted(others))))


def request_id(trial: Trial, message: bytes) -> bytes:
    """Another request id."""
    return _spliced(message, _REQUEST_ID, trial.rng.randbytes(16))


def timestamp(trial: Trial, message: bytes) -> bytes:
    """Another instant, within the window or far outside it."""
    head, _ = SealedRequestHead.read(message)
    span_ms = trial.rng.choice((1000, 100_000, _DAY_MS))
    shift_ms = trial.rng.choice((-1, 1)) * trial.rng.randint(1, span_ms)
    return _headed(message, structs.replace(head, timestamp_ms=head.timestamp_ms + shift_ms))


def key_id(trial: Trial, message: bytes) -> bytes:
    """Another key: one of the sibling's, or nobody's."""
    configurations = KeyList.from_bytes(trial.world.evidence["sibling"].key_list).configurations
    others = [each.key_id for each in configurations] + [trial.rng.randbytes(32)]
    return _spliced(message, slice(6, 38), trial.rng.choice(others))


def flip_bit(trial: Trial, message: bytes) -> bytes:
    """One bit, anywhere."""
    return flipped(trial.rng, message)


def cut(trial: Trial, message: bytes) -> bytes:
    """Fewer bytes, or more."""
    if trial.rng.random() < 0.3:
        return message + trial.rng.randbytes(trial.rng.randint(1, 64))
    return message[: trial.rng.randrange(len(message))]


def _headed(message: bytes, head: SealedRequestHead) -> bytes:
    return head.to_bytes() + message[SealedRequestHead.read(message)[1] :]


def _spliced(message: bytes, place: slice, value: bytes) -> bytes:
    return message[: place.start] + value + message[place.stop :]


def _first(trial: Trial) -> Seat:
    return trial.desk.first


def _any_suite(trial: Trial) -> Seat:
    return trial.rng.choice((trial.desk.first, trial.desk.classical))


def _attack(name: str, rewrite: Rewrite, threat: str, seat: Callable[[Trial], Seat] = _first) -> Attack:
    async def run(trial: Trial) -> bool:
        sitting, enclave = seat(trial), trial.enclaves.home
        if rewrite is key_id and trial.rng.random() < 0.5:
            enclave = trial.enclaves.sibling
        script = _Hidden(enclave, trial.enclaves.home, lambda message: rewrite(trial, message))
        return await trial.fooled(script, trial.either(), REFUSED_OUTSIDE, seat=sitting)

    return Attack(name, threat, run)


class _Hidden(Tampering):
    """Hides the rewriting: an answer, should one come, bears the client's own suite and request id."""

    def __init__(self, enclave: EnclaveHost, attested: EnclaveHost, rewrite: Callable[[bytes], bytes]) -> None:
        super().__init__(enclave, request=rewrite)
        self._attested = attested

    async def live(self, query: str) -> Reply:
        return await Script(self._attested).live(query)

    async def sealed(self, message: bytes) -> Reply:
        reply = await super().sealed(message)
        if reply.status != 200:
            return reply
        body = _spliced(reply.body, _SUITE, message[_SUITE])
        return reply.of(_spliced(body, _ANSWERED_ID, message[_REQUEST_ID]))


ATTACKS = (
    _attack("rewrite-request-suite", suite, _SUITES, _any_suite),
    _attack("rewrite-model", model, _READ_OR_CHANGE),
    _attack("rewrite-request-id", request_id, _READ_OR_CHANGE),
    _attack("rewrite-timestamp", timestamp, _READ_OR_CHANGE),
    _attack("rewrite-key-id", key_id, _READ_OR_CHANGE),
    _attack("flip-request-bit", flip_bit, _READ_OR_CHANGE),
    _attack("cut-request", cut, _READ_OR_CHANGE),
)
