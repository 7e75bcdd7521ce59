"""Attacks on KMS envelopes, which rest anywhere before they are answered."""

import asyncio
from dataclasses import replace

from msgspec import structs

from strongroom.client import RequestRefused
from strongroom.protocol.envelopes import read_envelope
from strongroom.protocol.problems import Problem
from strongroom.selftest.attacks.resting import REST_MS, answer_of, is_answered, kept, message_of, now_ms, seal
from strongroom.selftest.attacks.tampering import flipped
from strongroom.selftest.questions import CHAT_MODEL
from strongroom.selftest.trial import Attack, Inconclusive, Trial, answered

_WRAPPED = "swap wrapped keys or sealed models, another tenant's included"


async def swap_wrapped_keys(trial: Trial) -> bool:
    """The wrapped data key of another envelope, or one bit of its own changed."""
    one, two = trial.rng.sample(trial.world.sealers, 2)
    known = trial.tensor()
    ticket = seal(trial, known, sealer=one)
    envelope = read_envelope(ticket.sealed)
    wrapped = trial.rng.choice((two.wrapped, flipped(trial.rng, envelope.wrapped)))
    altered = message_of(replace(envelope, wrapped=wrapped))
    host = trial.rng.choice((trial.enclaves.home, trial.enclaves.sibling))
    return answered(await host.post(altered), Problem.REJECTED) or not await is_answered(trial, host, ticket, known)


async def rewrite(trial: Trial) -> bool:
    """Another model, id or instant in the clear head, another salt, or a bit of what is sealed."""
    known, rng = trial.tensor(), trial.rng
    ticket = seal(trial, known)
    envelope, head = read_envelope(ticket.sealed), ticket.asked.head
    heads = (
        structs.replace(head, model=CHAT_MODEL),
        structs.replace(head, request_id=rng.randbytes(16)),
        structs.replace(head, timestamp_ms=head.timestamp_ms + rng.choice((-1, 1)) * rng.randint(1, REST_MS // 2)),
    )
    forms = [replace(envelope, head=each) for each in heads]
    forms.append(replace(envelope, salt=rng.randbytes(32)))
    forms.append(replace(envelope, ciphertext=flipped(rng, envelope.ciphertext)))
    home, altered = trial.enclaves.home, message_of(rng.choice(forms))
    return answered(await home.post(altered), Problem.REJECTED) or not await is_answered(trial, home, ticket, known)


async def deliver_expired(trial: Trial) -> bool:
    """An envelope whose sealer set a time for it, which is over: its answer is the enclave's own refusal."""
    past_ms = trial.rng.randint(1000, REST_MS)
    ticket = seal(trial, trial.tensor(), at_ms=now_ms() - past_ms - REST_MS)
    home = trial.enclaves.home
    try:
        ticket.open(await kept(home, await answer_of(home, ticket)), trial.world.terms)
    except RequestRefused as refused:
        if refused.failure_code != "expired":
            raise Inconclusive(f"expected expired, got {refused.failure_code}") from refused
        return False
    return True


async def replay_single_use(trial: Trial) -> bool:
    """An envelope for one use, delivered two or three times, side by side or one after the other."""
    known, home = trial.tensor(), trial.enclaves.home
    ticket = seal(trial, known)
    times = trial.rng.randint(2, 3)
    if trial.rng.random() < 0.5:
        replies = list(await asyncio.gather(*(home.post(ticket.sealed) for _ in range(times))))
    else:
        replies = [await home.post(ticket.sealed) for _ in range(times)]
    answers = [reply for reply in replies if answered(reply, Problem.REPLAYED)]
    if not answers:
        raise Inconclusive("expected an answer to an envelope, got none")
    opened = ticket.open(await kept(home, answers[0]), trial.world.terms)
    return len(answers) != 1 or opened != known.honest


ATTACKS = (
    Attack("swap-wrapped-keys", _WRAPPED, swap_wrapped_keys),
    Attack("rewrite-envelope", "read or change a request or an answer", rewrite),
    Attack("deliver-expired-envelope", "replay a request", deliver_expired),
    Attack("replay-single-use-envelope", "replay a request", replay_single_use),
)
