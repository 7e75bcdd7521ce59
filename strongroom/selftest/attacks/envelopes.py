"""Attacks on KMS envelopes, which rest anywhere before they are answered, and on what is told as their answers."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import replace

from strongroom.client import StrongroomError
from strongroom.client.envelopes import EnvelopeSealer
from strongroom.client.kept_answers import KeptAnswer
from strongroom.client.tickets import Ticket
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, PATH_EVIDENCE
from strongroom.protocol.envelopes import EnvelopeRequest, read_envelope
from strongroom.protocol.messages import SealedResponseHead
from strongroom.selftest.attacks.answers import Edit, cut_inside, flip_bit
from strongroom.selftest.attacks.tampering import Answer
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.questions import Known
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import BROKEN_ANSWER, REFUSED_EVIDENCE, Attack, Inconclusive, Trial, check_code

_REST_MS = 86_400_000
_WRAPPED = "swap wrapped keys or sealed models, another tenant's included"
_ACCOUNT = "an enclave of another account, image, configuration or catalogue"
_RECEIPT = "an answer without its receipt, or with another's"
_RECEIPT_REFUSED = frozenset({"receipt-refused"})


async def swap_wrapped_keys(trial: Trial) -> bool:
    """The wrapped data key of another envelope, or a part of it; one enclave knows both keys, the other neither yet."""
    one, two = trial.rng.sample(trial.world.sealers, 2)
    envelope = read_envelope(_sealed(trial, trial.tensor(), sealer=one).sealed)
    cut = bytearray(envelope.wrapped)
    cut[trial.rng.randrange(len(cut))] ^= 1 << trial.rng.randrange(8)
    altered = _message(replace(envelope, wrapped=trial.rng.choice((two.wrapped, bytes(cut)))))
    host = trial.rng.choice((trial.enclaves.home, trial.enclaves.sibling))
    return (await host.post(altered)).status == 200


async def replay_single_use(trial: Trial) -> bool:
    """An envelope for one use, delivered two or three times, side by side or one after the other."""
    known, home = trial.tensor(), trial.enclaves.home
    ticket = _sealed(trial, known)
    times = trial.rng.randint(2, 3)
    if trial.rng.random() < 0.5:
        replies = list(await asyncio.gather(*(home.post(ticket.sealed) for _ in range(times))))
    else:
        replies = [await home.post(ticket.sealed) for _ in range(times)]
    answered = [reply for reply in replies if reply.status == 200]
    if not answered:
        raise Inconclusive("expected an answer to an envelope, got none")
    opened = ticket.open(await _kept(home, answered[0]), trial.world.terms)
    return len(answered) != 1 or opened != known.honest


async def answered_by_a_stranger(trial: Trial) -> bool:
    """The other account's enclave answers, genuinely; its own evidence goes with it, or that of the right one."""
    ticket, stranger = _sealed(trial, trial.tensor()), trial.enclaves.stranger
    reply = await _answer(stranger, ticket)
    if trial.rng.random() < 0.5:
        return _opens(trial, ticket, await _kept(stranger, reply), REFUSED_EVIDENCE)
    home = trial.world.evidence["home"].to_bytes()
    return _opens(trial, ticket, _file(reply.body, home), _RECEIPT_REFUSED)


async def evidence_of_another(trial: Trial) -> bool:
    """The right answer with evidence of a second enclave, or of this one with the other's keys."""
    ticket, home = _sealed(trial, trial.tensor()), trial.enclaves.home
    reply, right, other = await _answer(home, ticket), trial.world.evidence["home"], trial.world.evidence["sibling"]
    mixed = replace(right, key_list=other.key_list, receipt_key=other.receipt_key)
    told = trial.rng.choice((other, mixed)).to_bytes()
    return _opens(trial, ticket, _file(reply.body, told), REFUSED_EVIDENCE | _RECEIPT_REFUSED)


async def swap_answers(trial: Trial) -> bool:
    """Two answers, each told to the sealer of the other envelope: whole, or with its own head."""
    tickets = [_sealed(trial, known) for known in trial.rng.sample(trial.desk.questions.tensors, 2)]
    replies = [await _answer(trial.enclaves.home, ticket) for ticket in tickets]
    evidence = trial.world.evidence["home"].to_bytes()
    mine, theirs = replies[0].body, replies[1].body
    size = SealedResponseHead.SIZE_BYTES
    told = trial.rng.choice((theirs, mine[:size] + theirs[size:], theirs[:size] + mine[size:]))
    return _opens(trial, tickets[0], _file(told, evidence), BROKEN_ANSWER)


async def spoil_answer(trial: Trial) -> bool:
    """An answer with one bit flipped, or cut."""
    ticket, edits = _sealed(trial, trial.tensor()), (flip_bit, cut_inside)
    edit: Edit = trial.rng.choice(edits)
    reply = await _answer(trial.enclaves.home, ticket)
    told = _file(edit(trial.rng, Answer.of(reply.body)), trial.world.evidence["home"].to_bytes())
    return _opens(trial, ticket, told, BROKEN_ANSWER)


def _sealed(trial: Trial, known: Known, sealer: EnvelopeSealer | None = None) -> Ticket:
    at_ms = time.time_ns() // 1_000_000
    chosen = sealer or trial.rng.choice(trial.world.sealers)
    return chosen.seal(known.question.task, model=known.question.model, not_after_ms=at_ms + _REST_MS, at_ms=at_ms)


def _message(envelope: EnvelopeRequest) -> bytes:
    length = len(envelope.wrapped).to_bytes(2, "big")
    return b"".join((envelope.head.to_bytes(), envelope.salt, length, envelope.wrapped, envelope.ciphertext))


async def _answer(host: EnclaveHost, ticket: Ticket) -> Reply:
    reply = await host.post(ticket.sealed)
    if reply.status != 200:
        raise Inconclusive(f"expected an answer to an envelope, got {reply.status}")
    return reply


async def _kept(host: EnclaveHost, reply: Reply) -> bytes:
    """The file that `submit` writes: the answer, and the evidence that it names."""
    digest = SealedResponseHead.from_bytes(reply.body[: SealedResponseHead.SIZE_BYTES]).document_digest
    return _file(reply.body, (await host.get(f"{PATH_EVIDENCE}/{digest.hex()}")).body)


def _file(response: bytes, evidence: bytes) -> bytes:
    return KeptAnswer(MEDIA_SEALED_RESPONSE, response, evidence).to_bytes()


def _opens(trial: Trial, ticket: Ticket, answer: bytes, codes: Collection[str]) -> bool:
    try:
        ticket.open(answer, trial.world.terms)
    except StrongroomError as error:
        check_code(error, codes)
        return False
    return True


ATTACKS = (
    Attack("swap-wrapped-keys", _WRAPPED, swap_wrapped_keys),
    Attack("replay-single-use-envelope", "replay a request", replay_single_use),
    Attack("envelope-answered-by-a-stranger", _ACCOUNT, answered_by_a_stranger),
    Attack("envelope-with-evidence-of-another", _RECEIPT, evidence_of_another),
    Attack("swap-envelope-answers", "cut, reorder, repeat, swap answers", swap_answers),
    Attack("spoil-envelope-answer", "read or change a request or an answer", spoil_answer),
)
